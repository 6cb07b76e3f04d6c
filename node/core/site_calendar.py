"""When goods leave a site: cut-off, working days, holidays and lead time."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

__all__ = ["SiteCalendar", "earliest_despatch", "working_day"]

_DAY = timedelta(days=1)
SEARCH_DAYS_MAX = 366
"""A site that does not work for a year is taken to leave on the day after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteCalendar:
    """`cut_off` (None: any time) and days are in the site's own zone; `weekdays` are 1 (Monday) to 7 (ISO 8601)."""

    zone: ZoneInfo
    cut_off: time | None = None
    weekdays: frozenset[int] = frozenset({1, 2, 3, 4, 5})
    holidays: Collection[date] = ()


def working_day(calendar: SiteCalendar, day: date) -> date:
    """The day itself if goods leave on it, else the next one on which they do."""
    found = day
    for _ in range(SEARCH_DAYS_MAX):
        if found.isoweekday() in calendar.weekdays and found not in calendar.holidays:
            return found
        found += _DAY
    return found


def earliest_despatch(calendar: SiteCalendar, now: datetime, lead_days: int) -> date:
    """The first day on which goods in hand that are ordered at `now` (aware) can leave; the lead is in working days."""
    local = now.astimezone(calendar.zone)
    day = local.date()
    if calendar.cut_off is not None and local.time() > calendar.cut_off:
        day += _DAY
    day = working_day(calendar, day)
    for _ in range(max(0, lead_days)):
        day = working_day(calendar, day + _DAY)
    return day
