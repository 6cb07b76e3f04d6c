"""When a carrier collects and delivers: weekdays, closed days, and the hour after which it is tomorrow's parcel."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

__all__ = ["DAYS_LOOKED_AT_MAX", "WORKING_WEEK", "Calendar", "collected_on", "delivered_on"]

WORKING_WEEK = frozenset({1, 2, 3, 4, 5})
"""ISO weekdays: Monday is 1, Sunday 7."""

DAYS_LOOKED_AT_MAX = 400
"""Beyond so many closed days in a row the calendar is taken for wrong, and the day itself is answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """A carrier's days. `cut_off` is local time in `zone` (a name of the tz database); None: until midnight."""

    weekdays: frozenset[int] = WORKING_WEEK
    closed: frozenset[date] = frozenset()
    cut_off: time | None = None
    zone: str = "UTC"

    def open_on(self, day: date) -> bool:
        """Whether the carrier works on that day."""
        return day.isoweekday() in self.weekdays and day not in self.closed


def collected_on(calendar: Calendar, at: datetime) -> date:
    """The day on which the carrier collects what is ready at this instant (aware)."""
    local = at.astimezone(ZoneInfo(calendar.zone))
    late = calendar.cut_off is not None and local.time() > calendar.cut_off
    return _next_open(calendar, local.date() + timedelta(days=1 if late else 0))


def delivered_on(calendar: Calendar, ship_on: date, transit_days: int) -> date:
    """The day on which a parcel that is ready on `ship_on` arrives, `transit_days` working days after collection."""
    day = _next_open(calendar, ship_on)
    for _ in range(transit_days):
        day = _next_open(calendar, day + timedelta(days=1))
    return day


def _next_open(calendar: Calendar, day: date) -> date:
    for ahead in range(DAYS_LOOKED_AT_MAX):
        candidate = day + timedelta(days=ahead)
        if calendar.open_on(candidate):
            return candidate
    return day
