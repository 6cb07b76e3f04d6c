"""When goods leave a site."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from node.core.site_calendar import SiteCalendar, earliest_despatch

BERLIN = SiteCalendar(zone=ZoneInfo("Europe/Berlin"), cut_off=time(14, 0), holidays={date(2026, 5, 14)})


def on(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 5, day, hour, minute, tzinfo=UTC)


def test_what_comes_before_the_cut_off_leaves_on_the_same_day() -> None:
    # 12:00 UTC is 14:00 in Berlin.
    assert earliest_despatch(BERLIN, on(4, 12), 0) == date(2026, 5, 4)
    assert earliest_despatch(BERLIN, on(4, 12, 1), 0) == date(2026, 5, 5)


def test_nothing_leaves_on_weekends_and_holidays() -> None:
    assert earliest_despatch(BERLIN, on(8, 13), 0) == date(2026, 5, 11)  # Friday afternoon
    assert earliest_despatch(BERLIN, on(13, 13), 0) == date(2026, 5, 15)  # before the holiday
    assert earliest_despatch(BERLIN, on(8, 8), 2) == date(2026, 5, 12)


def test_a_day_is_the_sites_own() -> None:
    tokyo = SiteCalendar(zone=ZoneInfo("Asia/Tokyo"), weekdays=frozenset(range(1, 8)))
    assert earliest_despatch(tokyo, on(4, 16), 0) == date(2026, 5, 5)


def test_a_site_that_never_works_ends_the_search() -> None:
    shut = SiteCalendar(zone=ZoneInfo("UTC"), weekdays=frozenset({1}), holidays=_Every())
    assert earliest_despatch(shut, on(4, 8), 0) > date(2026, 12, 31)


class _Every(set[date]):
    """A calendar in which every day is a holiday."""

    def __contains__(self, day: object) -> bool:
        return True
