"""A place sends no more in a day than it can: the rest goes from elsewhere or on the next day; each engine."""

from __future__ import annotations

from dataclasses import replace
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


def in_orders(shop: Company, *, units: int = 0, **orders: int) -> None:
    """So many orders a day by place, and so many units at each."""
    made = {
        name: SiteSettings(
            country="DE",
            postal_code="20457",
            weekdays=DAY,
            orders_per_day=most,
            capacity_per_day=Decimal(units),
        )
        for name, most in orders.items()
    }
    settings(shop, sites=made)


def sent(shop: Company) -> dict[str, tuple[int, int]]:
    """Units and orders by day."""
    days = [f"2026-05-{day:02}" for day in range(4, 12)]
    rows: list[Any] = shop.read(lambda tx: [row for day in days for row in tx.demand.loads(day)])
    return {row.day: (row.quantity // PIECE, row.orders) for row in rows if row.quantity or row.orders}


def give_up(shop: Company, order_id: int, line_id: str) -> None:
    """The customer wants nothing of a line any more."""

    def ask(tx: Any, ctx: Any) -> None:
        lines = {line.line_id: line for line in tx.customer_orders.lines([order_id])}
        tx.customer_orders.put_lines([lines[line_id]._replace(cancel_asked=lines[line_id].quantity)])
        tx.customer_orders.wake([order_id], ctx.now_micros())

    shop.do(ask)
    work(shop)


def test_a_place_sends_so_many_orders_in_a_day_however_small(shop: Company) -> None:
    in_orders(shop, DC1=2)
    put(shop, 50, "DC1")
    orders = []
    for number, quantity in enumerate((1, 20, 3, 1, 1), 1):
        orders.append(capture(shop, an_order(f"C{number}", quantity)))
        work(shop)
    assert [places(shop, one)[0][2] for one in orders] == [
        *("2026-05-04", "2026-05-04", "2026-05-05", "2026-05-05", "2026-05-06")
    ]
    assert sent(shop) == {"2026-05-04": (21, 2), "2026-05-05": (4, 2), "2026-05-06": (1, 1)}


def test_orders_that_are_sourced_together_share_the_days_of_a_place(shop: Company) -> None:
    in_orders(shop, DC1=2)
    put(shop, 50, "DC1")
    orders = [capture(shop, an_order(f"C{number}", number, customer=f"k{number}")) for number in range(1, 6)]
    work(shop)
    found = [places(shop, one) for one in orders]
    assert [sum(quantity for _, quantity, _ in one) for one in found] == [1, 2, 3, 4, 5]
    assert sorted(one[0][2] or "" for one in found) == [
        *("2026-05-04", "2026-05-04", "2026-05-05", "2026-05-05", "2026-05-06")
    ]
    assert [orders for _, orders in sent(shop).values()] == [2, 2, 1]


def test_what_is_over_the_orders_of_a_place_goes_from_the_next_source(shop: Company) -> None:
    in_orders(shop, DC1=1, DC2=0)
    put(shop, 50, "DC1")
    put(shop, 50, "DC2")
    orders = [capture(shop, an_order(f"C{number}", 2, customer=f"k{number}")) for number in range(1, 4)]
    work(shop)
    found = [row for one in orders for row in places(shop, one)]
    assert sum(quantity for _, quantity, _ in found) == 6
    for day in {on for place, _, on in found if place == "DC1"}:
        assert sum(place == "DC1" and on == day for place, _, on in found) == 1
    assert {orders for _, orders in sent(shop).values()} <= {1}


def test_an_order_counts_once_and_only_as_long_as_it_has_anything_there(shop: Company) -> None:
    in_orders(shop, DC1=1)
    put(shop, 50, "DC1")
    two = an_order("C1", 3)
    (line,) = two.lines
    order_id = capture(shop, replace(two, lines=(line, replace(line, line_id="2"))))
    work(shop)
    assert {(quantity, on) for _, quantity, on in places(shop, order_id)} == {(3, "2026-05-04")}
    assert sent(shop) == {"2026-05-04": (6, 1)}
    give_up(shop, order_id, "1")
    assert sent(shop) == {"2026-05-04": (3, 1)}
    other = capture(shop, an_order("C2", 1, customer="k2"))
    work(shop)
    assert places(shop, other) == [("DC1", 1, "2026-05-05")]
    give_up(shop, order_id, "2")
    want(shop, other, 0)
    work(shop)
    assert sent(shop) == {}
    third = capture(shop, an_order("C3", 1, customer="k3"))
    work(shop)
    assert places(shop, third) == [("DC1", 1, "2026-05-04")]


def test_units_and_orders_limit_a_day_together(shop: Company) -> None:
    in_orders(shop, DC1=2, units=5)
    put(shop, 50, "DC1")
    for number, quantity in enumerate((4, 4, 1, 1), 1):
        capture(shop, an_order(f"C{number}", quantity, customer=f"k{number}"))
        work(shop)
    assert all(units <= 5 and orders <= 2 for units, orders in sent(shop).values())
    assert sum(units for units, _ in sent(shop).values()) == 10


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
