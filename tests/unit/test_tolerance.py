"""Answers compared with orders: exactly at a tolerance is within it, and what is beyond is told in words."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.asked import Asked, days_apart
from node.core.tolerance import (
    Difference,
    Ratio,
    Tolerances,
    breaches,
    date_fits,
    difference_of,
    exceeds,
    price_fits,
    quantity_fits,
)

PIECE = 10**6
WANTED = date(2026, 12, 10)
NOTHING = Tolerances()

scaled = st.integers(1, 10**18)
percents = st.decimals(0, 100, places=3)
days = st.integers(0, 366)
ratios = st.builds(Ratio, scaled, scaled)


def difference(
    quantity: tuple[int, int] = (100 * PIECE, 100 * PIECE),
    price: tuple[Ratio, Ratio] | None = None,
    promised: tuple[str, ...] = (),
) -> Difference | None:
    return difference_of(
        revision=0,
        unit="C62",
        currency="EUR",
        quantity=quantity,
        price=price,
        on=days_apart([Asked(WANTED.isoformat(), quantity[0], "")], [(day, PIECE) for day in promised]),
    )


@pytest.mark.parametrize(
    ("stated", "under", "over", "fits"),
    [
        (95, 5, 0, True),
        (94, 5, 0, False),
        (100, 0, 0, True),
        (99, 0, 0, False),
        (101, 0, 0, False),
        (110, 0, 10, True),
        (111, 0, 10, False),
        (0, 100, 0, True),
        (99, None, 0, True),
        (900, 0, None, True),
    ],
)
def test_quantities_at_the_edge(stated: int, under: int | None, over: int | None, fits: bool) -> None:
    tolerances = Tolerances(
        quantity_over=None if over is None else Decimal(over), quantity_under=None if under is None else Decimal(under)
    )
    assert quantity_fits(stated * PIECE, 100 * PIECE, tolerances) is fits


def test_a_millionth_beyond_is_beyond() -> None:
    tolerances = Tolerances(quantity_over=Decimal("0.5"), quantity_under=Decimal("0.5"), price=Decimal("0.5"))
    for stated, fits in ((100_500_000, True), (100_500_001, False), (99_500_000, True), (99_499_999, False)):
        assert quantity_fits(stated, 100_000_000, tolerances) is fits
    assert price_fits(Ratio(100_500_000, PIECE), Ratio(100_000_000, PIECE), tolerances)
    assert not price_fits(Ratio(100_500_001, PIECE), Ratio(100_000_000, PIECE), tolerances)


def test_prices_for_unlike_bases_are_compared_for_one() -> None:
    per_hundred = Ratio(250 * PIECE, 100 * PIECE)
    assert difference(price=(Ratio(2_500_000, PIECE), per_hundred)) is None
    found = difference(price=(Ratio(2_500_000, PIECE), Ratio(256 * PIECE, 100 * PIECE)))
    assert found is not None
    assert breaches(found, Tolerances(price=Decimal(2))) == [
        "a price of 2.56 EUR instead of 2.5, 2.4 % more; 2 % more is agreed"
    ]


def test_a_lower_price_always_fits() -> None:
    assert price_fits(Ratio(1, PIECE), Ratio(PIECE, PIECE), Tolerances(price=Decimal(0)))


@pytest.mark.parametrize(
    ("offset", "early", "late", "fits"),
    [
        (2, 0, 2, True),
        (3, 0, 2, False),
        (-1, 1, 0, True),
        (-2, 1, 0, False),
        (0, 0, 0, True),
        (-300, None, 0, True),
        (300, 0, None, True),
    ],
)
def test_days_at_the_edge(offset: int, early: int | None, late: int | None, fits: bool) -> None:
    tolerances = Tolerances(days_early=early, days_late=late)
    assert date_fits(WANTED + timedelta(days=offset), WANTED, tolerances) is fits


def test_the_first_and_the_last_promise_count() -> None:
    found = difference(promised=("2026-12-10", "2026-12-01", "2026-12-20"))
    assert found is not None
    assert found.words() == ["2026-12-01 to 2026-12-20 instead of 2026-12-10"]
    assert breaches(found, Tolerances(days_early=1, days_late=3)) == [
        "2026-12-01 instead of 2026-12-10, 9 days early; 1 day early is agreed",
        "2026-12-20 instead of 2026-12-10, 10 days late; 3 days late is agreed",
    ]


def test_more_of_a_line_that_orders_nothing_has_no_percentage() -> None:
    found = difference(quantity=(0, 3 * PIECE))
    assert found is not None
    assert breaches(found, Tolerances(quantity_over=Decimal(10))) == ["3 C62 instead of 0; 10 % more is agreed"]


def test_what_is_open_on_either_side_is_not_compared() -> None:
    assert difference() is None
    assert difference(price=None, promised=()) is None
    assert difference(promised=("2026-12-10",)) is None


@given(scaled, scaled, percents)
def test_more_is_beyond_exactly_where_the_percentage_is(stated: int, agreed: int, percent: Decimal) -> None:
    beyond = stated * 100_000 > agreed * (100_000 + int(percent * 1000))
    assert exceeds(stated, agreed, percent) is beyond
    assert quantity_fits(stated, agreed, Tolerances(quantity_over=percent)) is not beyond
    assert price_fits(Ratio(stated, 1), Ratio(agreed, 1), Tolerances(price=percent)) is not beyond


@given(scaled, scaled, percents)
def test_less_is_beyond_exactly_where_the_percentage_is(stated: int, ordered: int, percent: Decimal) -> None:
    beyond = stated * 100_000 < ordered * (100_000 - int(percent * 1000))
    assert quantity_fits(stated, ordered, Tolerances(quantity_under=percent)) is not beyond


@given(
    st.tuples(st.integers(0, 10**18), scaled),
    st.none() | st.tuples(ratios, ratios),
    st.lists(st.dates(date(2020, 1, 1), date(2035, 1, 1)).map(date.isoformat), max_size=3),
    st.builds(Tolerances, *(st.none() | percents,) * 3, *(st.none() | days,) * 2),
)
def test_any_difference_survives_the_store_and_is_told(
    quantity: tuple[int, int],
    price: tuple[Ratio, Ratio] | None,
    promised: list[str],
    tolerances: Tolerances,
) -> None:
    found = difference(quantity, price, tuple(promised))
    if found is None:
        assert quantity[0] == quantity[1]
        return
    assert Difference.of_text(found.as_text()) == found
    assert found.words()
    assert breaches(found, NOTHING) == []
    assert all(breaches(found, tolerances))
    strict = Tolerances(Decimal(0), Decimal(0), Decimal(0), 0, 0)
    assert bool(breaches(found, strict)) >= bool(breaches(found, tolerances))
