"""Scarce stock has the price of what it would save in future; plenty has none."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from node.core.sourcing.scarcity import DemandDay, Outlook, StockLeft, Way, expected_demand, scarcity_prices

TODAY = date(2026, 11, 2)
D = Decimal


def history(region: str, per_day: int, days: int = 28, item: str = "x") -> list[DemandDay]:
    return [
        DemandDay(item_key=item, region=region, on=TODAY - timedelta(at + 1), quantity=D(per_day)) for at in range(days)
    ]


def outlook(left: dict[str, int], **more: Any) -> Outlook:
    """North and south, each with a source; its own region costs 2, the other 7, an open unit 20."""
    given: dict[str, Any] = {
        "today": TODAY,
        "since": TODAY - timedelta(28),
        "horizon_days": 10,
        "history": history("north", 1) + history("south", 1),
        "stock": [StockLeft(source_id=name, item_key="x", quantity=D(many)) for name, many in left.items()],
        "ways": [
            Way(source_id=name, region=region, unit_cost=D(2 if name == region else 7))
            for name in left
            for region in ("north", "south")
        ],
        "unfilled_default": D(20),
    }
    return Outlook(**(given | more))


def test_demand_is_expected_as_it_was() -> None:
    found = expected_demand(outlook({}))
    assert set(found) == {("x", "north"), ("x", "south")}
    assert all(abs(one - 1) < 1e-9 for one in found["x", "north"])
    sundays = [one for one in history("north", 7) if one.on.weekday() == 6]
    days = expected_demand(outlook({}, history=sundays))["x", "north"]
    assert abs(sum(days[:7]) - 7) < 0.01
    assert max(days) == days[6]


def test_a_season_comes_again() -> None:
    year = [
        DemandDay(item_key="x", region="north", on=TODAY - timedelta(at), quantity=D(9 if 340 < at <= 364 else 1))
        for at in range(1, 400)
    ]
    days = expected_demand(outlook({}, since=TODAY - timedelta(399), history=year))["x", "north"]
    assert 5 < sum(days) / len(days) < 9


def test_plenty_has_no_price_and_the_last_pieces_have_one() -> None:
    assert scarcity_prices(outlook({"north": 100, "south": 100})) == {}
    found = scarcity_prices(outlook({"north": 5, "south": 100}))
    assert found.keys() == {("north", "x")}
    assert D(4) < found["north", "x"] <= 5
    found = scarcity_prices(outlook({"north": 5, "south": 5}))
    assert found == {}, "nowhere is it worth more than elsewhere"
    uneven = history("north", 3) + history("south", 1)
    found = scarcity_prices(outlook({"north": 2, "south": 60}, history=uneven))
    assert found == {("north", "x"): 5}


def test_supply_that_comes_soon_takes_the_price_away() -> None:
    soon = [
        StockLeft(source_id="north", item_key="x", quantity=D(5), next_supply_on=TODAY + timedelta(3)),
        StockLeft(source_id="south", item_key="x", quantity=D(100)),
    ]
    assert scarcity_prices(outlook({"north": 5, "south": 100}, stock=soon)).get(("north", "x"), D(0)) < 2


def test_absurd_outlooks_have_no_prices() -> None:
    for figure in (D("NaN"), D("sNaN"), D("Infinity"), D(-1), D("1E+500")):
        bad = [StockLeft(source_id="north", item_key="x", quantity=figure)]
        assert scarcity_prices(outlook({"north": 1}, stock=bad)) == {}
        assert scarcity_prices(outlook({"north": 1}, unfilled_default=figure)) == {}
        ways = [Way(source_id="north", region="north", unit_cost=figure)]
        assert scarcity_prices(outlook({"north": 1}, ways=ways)) == {}
        told = [DemandDay(item_key="x", region="north", on=TODAY - timedelta(1), quantity=figure)]
        assert scarcity_prices(outlook({"north": 1}, history=told)) == {}
    assert scarcity_prices(outlook({"north": 1}, horizon_days=0)) == {}
    assert scarcity_prices(outlook({"north": 1}, since=TODAY)) == {}
