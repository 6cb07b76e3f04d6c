"""A place sends no more in a day than it can: the rest goes from elsewhere or on the next day; each engine."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from node.config.sites import SiteSettings
from tests.companies import Company
from tests.customers import PIECE, an_order, balanced, capture, pieces, put, settings, want, work

DAY = (1, 2, 3, 4, 5, 6, 7)


def sites(shop: Company, **capacities: int) -> None:
    made = {
        name: SiteSettings(country="DE", postal_code="20457", weekdays=DAY, capacity_per_day=Decimal(capacity))
        for name, capacity in capacities.items()
    }
    settings(shop, sites=made)


def places(shop: Company, order_id: int) -> list[tuple[str, int, str | None]]:
    return sorted((row.location, row.quantity // PIECE, row.load_on) for row in pieces(shop, order_id))


def loads(shop: Company, day: str) -> dict[str, int]:
    rows: list[Any] = shop.read(lambda tx: tx.demand.loads(day))
    return {row.location: row.quantity // PIECE for row in rows if row.quantity}


def test_what_is_over_the_capacity_goes_from_the_next_source(shop: Company) -> None:
    sites(shop, DC1=6, DC2=0)
    put(shop, 50, "DC1")
    first = capture(shop, an_order("C1", 6))
    work(shop)
    assert places(shop, first) == [("DC1", 6, "2026-05-04")]
    put(shop, 50, "DC2")
    second = capture(shop, an_order("C2", 6))
    work(shop)
    # It can come a day earlier from elsewhere, which costs no more.
    found = places(shop, second)
    assert found in ([("DC2", 6, None)], [("DC1", 6, "2026-05-05")])
    assert loads(shop, "2026-05-04") == {"DC1": 6}


def test_without_another_source_it_leaves_on_the_next_days(shop: Company) -> None:
    sites(shop, DC1=6)
    put(shop, 50, "DC1")
    orders = []
    for number, quantity in enumerate((4, 4, 11), 1):
        orders.append(capture(shop, an_order(f"C{number}", quantity)))
        work(shop)
    big = orders.pop()
    assert [places(shop, one) for one in orders] == [
        [("DC1", 4, "2026-05-04")],
        [("DC1", 2, "2026-05-04"), ("DC1", 2, "2026-05-05")],
    ]
    assert places(shop, big) == [("DC1", 1, "2026-05-07"), ("DC1", 4, "2026-05-05"), ("DC1", 6, "2026-05-06")]
    assert [loads(shop, f"2026-05-0{day}") for day in (4, 5, 6, 7)] == [{"DC1": 6}, {"DC1": 6}, {"DC1": 6}, {"DC1": 1}]
    promised = sorted(row.promised_on or "" for row in pieces(shop, big))
    assert promised == sorted(set(promised))
    assert balanced(shop, big) == {"ordered": 11, "live": 11}


def test_what_is_given_up_gives_its_capacity_back(shop: Company) -> None:
    sites(shop, DC1=6)
    put(shop, 50, "DC1")
    order_id = capture(shop, an_order("C1", 6))
    work(shop)
    want(shop, order_id, 2)
    work(shop)
    assert loads(shop, "2026-05-04") == {"DC1": 2}
    again = capture(shop, an_order("C2", 4))
    work(shop)
    assert places(shop, again) == [("DC1", 4, "2026-05-04")]
    want(shop, again, 0)
    work(shop)
    assert loads(shop, "2026-05-04") == {"DC1": 2}
