"""Sourcing decides as a planner would by hand, refuses what may not be, and says why."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from node.core.sourcing.check import violations
from node.core.sourcing.explain import explain
from node.core.sourcing.problem import (
    Assignment,
    DemandLine,
    OrderDemand,
    Plan,
    Policy,
    Problem,
    Service,
    Source,
    Supply,
    Unfilled,
    Weights,
)
from node.core.sourcing.solve import fallback, solve

TODAY = date(2026, 11, 2)
D = Decimal


def source(name: str, **more: Any) -> Source:
    return Source(source_id=f"|{name}", location=name, **({"ship_on": TODAY} | more))


def supply(name: str, item: str, quantity: int | str, **more: Any) -> Supply:
    return Supply(source_id=f"|{name}", item_key=item, quantity=D(quantity), **({"on": TODAY} | more))


def line(number: int, item: str, quantity: int | str, **more: Any) -> DemandLine:
    return DemandLine(line_id=str(number), item_key=item, quantity=D(quantity), **more)


def ways(orders: list[OrderDemand], sources: list[Source], **more: Any) -> tuple[Service, ...]:
    return tuple(
        Service(source_id=one.source_id, order_id=order.order_id, carrier="post", **({"cost_fixed": D(5)} | more))
        for order in orders
        for one in sources
    )


def problem(orders: list[OrderDemand], sources: list[Source], supplies: list[Supply], **more: Any) -> Problem:
    given: dict[str, Any] = {"services": ways(orders, sources)} | more
    return Problem(today=TODAY, orders=tuple(orders), sources=tuple(sources), supplies=tuple(supplies), **given)


def order(lines: list[DemandLine], name: str = "A", **more: Any) -> OrderDemand:
    return OrderDemand(order_id=name, lines=tuple(lines), **more)


def taken(plan: Plan) -> Any:
    found: dict[tuple[str, str, str], Decimal] = {}
    for one in plan.assignments:
        key = (one.order_id, one.line_id, one.source_id.removeprefix("|"))
        found[key] = found.get(key, D(0)) + one.quantity
    return found


def solved(given: Problem) -> Plan:
    """The plan, which keeps all limits, as the fallback's does, which never costs less."""
    plan, other = solve(given), fallback(given)
    assert violations(given, plan) == []
    assert violations(given, other) == []
    assert plan.method == "exact"
    assert plan.status == "optimal"
    assert plan.cost <= other.cost + D("0.000001")
    return plan


def test_one_parcel_beats_two_cheap_ones() -> None:
    a = order([line(1, "x", 2), line(2, "y", 1)])
    sources = [source("near"), source("far")]
    stock = [
        supply("near", "x", 9, unit_cost=D(1)),
        supply("far", "x", 9, unit_cost=D(2)),
        supply("far", "y", 9, unit_cost=D(1)),
    ]
    plan = solved(problem([a], sources, stock))
    assert taken(plan) == {("A", "1", "far"): 2, ("A", "2", "far"): 1}
    assert plan.cost == 2 * 2 + 1 + 5
    assert plan.costs["freight"] == 5


def test_two_lines_with_one_item_never_oversell_it() -> None:
    """Medusa 16502."""
    a = order([line(1, "x", 3), line(2, "x", 3)])
    plan = solved(problem([a], [source("w")], [supply("w", "x", 4)]))
    assert sum(taken(plan).values()) == 4
    assert sum(one.quantity for one in plan.unfilled) == 2
    assert {one.reason for one in plan.unfilled} == {"no stock left"}


def test_enough_in_sum_but_nowhere_enough() -> None:
    """Medusa 14987."""
    sources, stock = [source("v"), source("w")], [supply("v", "x", 3), supply("w", "x", 3)]
    split = order([line(1, "x", 5)])
    assert taken(solved(problem([split], sources, stock))).keys() == {("A", "1", "v"), ("A", "1", "w")}
    for whole in (
        order([line(1, "x", 5)], policy=Policy(split_lines=False)),
        order([line(1, "x", 5, splittable=False)]),
    ):
        plan = solved(problem([whole], sources, stock))
        assert plan.assignments == ()
        assert [(one.quantity, one.reason) for one in plan.unfilled] == [
            (D(5), "the line may not be split, and this source has not all of it")
        ]


def test_a_line_over_two_sites_has_no_more_than_was_ordered() -> None:
    """Vendure 4030."""
    a = order([line(1, "x", 5)])
    stock = [supply("v", "x", 4, multiple=D(2)), supply("w", "x", 9, multiple=D(3))]
    plan = solved(problem([a], [source("v"), source("w")], stock))
    assert taken(plan) == {("A", "1", "v"): 2, ("A", "1", "w"): 3}


def test_kits_are_made_whole() -> None:
    kit = [line(1, "leg", 8, parent_line="table", kits=2), line(2, "top", 2, parent_line="table", kits=2)]
    sources = [source("v"), source("w")]
    stock = [supply("v", "leg", 6), supply("w", "top", 2)]
    plan = solved(problem([order(kit)], sources, stock))
    assert taken(plan) == {("A", "1", "v"): 4, ("A", "2", "w"): 1}
    assert {one.reason for one in plan.unfilled} == {"kit table cannot be made whole"}
    whole = [replace(one, splittable=False) for one in kit]
    assert solved(problem([order(whole)], sources, stock)).assignments == ()
    stock = [supply("v", "leg", 8), supply("v", "top", 2), supply("w", "top", 2, unit_cost=D(0))]
    assert {key[2] for key in taken(solved(problem([order(whole)], sources, stock)))} == {"v"}


def test_unlike_units_and_currencies_are_refused() -> None:
    a = order([line(1, "x", 2, unit="C62")], currency="EUR")
    plan = solved(problem([a], [source("w")], [supply("w", "x", 5, unit="CS")]))
    assert [one.reason for one in plan.unfilled] == ["held in CS, ordered in C62"]
    plan = solved(problem([a], [source("w", currency="GBP")], [supply("w", "x", 5)]))
    assert [one.reason for one in plan.unfilled] == ["other currency"]
    services = ways([a], [source("w")], currency="USD")
    plan = solved(problem([a], [source("w")], [supply("w", "x", 5)], services=services))
    assert [one.reason for one in plan.unfilled] == ["other currency"]


def test_nothing_to_do_and_nobody_to_do_it() -> None:
    assert solved(problem([], [], [])) == Plan(costs=solve(problem([], [], [])).costs, bound=D(0))
    assert solved(problem([order([])], [source("w")], [supply("w", "x", 1)])).assignments == ()
    plan = solved(problem([order([line(1, "x", 2)])], [], []))
    assert [(one.line_id, one.reason) for one in plan.unfilled] == [("1", "no source has the item")]
    plan = solved(problem([order([line(1, "x", 2)])], [source("w")], [supply("w", "x", 0)]))
    assert [one.reason for one in plan.unfilled] == ["no stock"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"not_after": TODAY}, "too late: 2026-11-04 after 2026-11-02"),
        ({"need_on": TODAY, "policy": Policy(late_allowed=False)}, "too late: 2026-11-04 after 2026-11-02"),
        ({"need_on": TODAY, "policy": Policy(arrive_by_hard=True)}, "too late: 2026-11-04 after 2026-11-02"),
        ({"policy": Policy(strategy="own", allowed=frozenset({"|v"}))}, "excluded by rule own"),
        ({"policy": Policy(distance_max_km=D(100))}, "farther than 100 km"),
        ({"policy": Policy(split_orders_max=0)}, "split limit: 0 sources"),
    ],
)
def test_hard_limits_leave_lines_open_with_a_reason(more: dict[str, Any], reason: str) -> None:
    a = order([line(1, "x", 2)], **more)
    services = ways([a], [source("w")], transit_days=2, distance_km=D(300))
    plan = solved(problem([a], [source("w")], [supply("w", "x", 5)], services=services))
    assert [one.reason for one in plan.unfilled] == [reason]


def test_late_goods_cost_what_being_late_costs() -> None:
    a = order([line(1, "x", 2)], need_on=TODAY + timedelta(1), policy=Policy(late_per_day=D(3)))
    stock = [supply("v", "x", 5, on=TODAY + timedelta(3), unit_cost=D(1)), supply("w", "x", 5, unit_cost=D(6))]
    assert taken(solved(problem([a], [source("v"), source("w")], stock))) == {("A", "1", "w"): 2}
    stock[1] = supply("w", "x", 5, unit_cost=D(8))
    plan = solved(problem([a], [source("v"), source("w")], stock))
    assert (taken(plan), plan.costs["lateness"]) == ({("A", "1", "v"): 2}, D(12))


def test_stock_first_then_incoming_supply_and_goods_may_wait_for_one_parcel() -> None:
    a = order([line(1, "x", 5)])
    later = TODAY + timedelta(4)
    stock = [supply("w", "x", 3), supply("w", "x", 9, on=later)]
    plan = solved(problem([a], [source("w")], stock))
    assert {one.ship_on for one in plan.assignments} == {later}
    assert plan.costs["freight"] == 5
    hurried = replace(a, need_on=TODAY, policy=Policy(late_per_day=D(1)))
    plan = solved(problem([hurried], [source("w")], stock))
    assert {(one.supply_on, one.ship_on, one.quantity) for one in plan.assignments} == {
        (TODAY, TODAY, D(3)),
        (later, later, D(2)),
    }
    whole = replace(hurried, policy=Policy(late_per_day=D(1), split_lines=False))
    plan = solved(problem([whole], [source("w")], [supply("w", "x", 3), supply("w", "x", 2, on=later)]))
    assert {one.ship_on for one in plan.assignments} == {later}
    assert sum(one.quantity for one in plan.assignments) == 5


def test_shelf_life_must_remain_at_arrival() -> None:
    a = order([line(1, "x", 1, shelf_life_days_min=10)])
    services = ways([a], [source("w")], transit_days=2)
    for days, reasons in ((12, []), (11, ["remaining shelf life too short"])):
        stock = [supply("w", "x", 5, best_before_on=TODAY + timedelta(days))]
        plan = solved(problem([a], [source("w")], stock, services=services))
        assert [one.reason for one in plan.unfilled] == reasons


@pytest.mark.parametrize(("left", "served"), [(None, "ABC"), (2, "AC"), (1, "C"), (0, "")])
def test_a_source_sends_so_many_orders_and_those_it_is_worth_most_for(left: int | None, served: str) -> None:
    orders = [
        order([line(1, "x", 1, price=D(price))], name, policy=Policy(unfilled_cost=D(price)))
        for name, price in (("A", 20), ("B", 10), ("C", 30))
    ]
    made = problem(orders, [source("s", orders_left=left)], [supply("s", "x", 99)])
    for plan in (solve(made), fallback(made)):
        assert violations(made, plan) == []
        if plan.method != "fallback":
            assert "".join(sorted(one.order_id for one in plan.assignments)) == served
        assert len({one.order_id for one in plan.assignments}) == len(served)
        assert {one.reason for one in plan.unfilled} <= {"no capacity left"}
    broken = violations(replace(made, sources=(source("s", orders_left=1),)), solve(made))
    assert bool([one for one in broken if "orders over the capacity" in one]) == (len(served) > 1)


def test_minimums_multiples_credit_and_capacity() -> None:
    a = order([line(1, "x", 10)])
    supplier = source("s", partner_id="s", order_minimum=D(40))
    plan = solved(problem([a], [supplier], [supply("s", "x", 99, unit_cost=D(3))]))
    assert [one.reason for one in plan.unfilled] == ["order minimum 40 not reached"]
    plan = solved(problem([a], [supplier], [supply("s", "x", 99, unit_cost=D(4), multiple=D(4))]))
    assert [one.reason for one in plan.unfilled] == ["sold in multiples of 4"] or plan.assignments == ()
    plan = solved(problem([a], [source("s")], [supply("s", "x", 99, minimum=D(11))]))
    assert [one.reason for one in plan.unfilled] == ["minimum quantity 11"]
    two = [source("s", partner_id="s", credit_left=D(20)), source("t", partner_id="s")]
    stock = [supply("s", "x", 5, unit_cost=D(3)), supply("t", "x", 99, unit_cost=D(3))]
    plan = solved(problem([a], two, stock))
    assert sum(taken(plan).values()) == 6
    assert [one.reason for one in plan.unfilled] == ["no credit left"]
    plan = solved(problem([a], [source("s", capacity_left=D(7))], [supply("s", "x", 99)]))
    assert (taken(plan), plan.unfilled[0].reason) == ({("A", "1", "s"): 7}, "no capacity left")


def test_complete_or_nothing() -> None:
    a = order([line(1, "x", 1), line(2, "y", 1)], policy=Policy(complete=True))
    plan = solved(problem([a], [source("w")], [supply("w", "x", 1)]))
    assert plan.assignments == ()
    assert [one.reason for one in plan.unfilled] == [
        "the order goes out complete or not at all, and something is missing",
        "no source has the item",
    ]
    assert len(solved(problem([a], [source("w")], [supply("w", "x", 1), supply("w", "y", 1)])).assignments) == 2


def test_split_cost_and_split_limit() -> None:
    lines = [line(1, "x", 1), line(2, "y", 1)]
    sources = [source("v"), source("w")]
    stock = [supply("v", "x", 1, unit_cost=D(1)), supply("w", "y", 1), supply("w", "x", 1, unit_cost=D(9))]
    free = order(lines)
    assert len({key[2] for key in taken(solved(problem([free], sources, stock)))}) == 2
    services = ways([free], sources, cost_fixed=D(0))
    dear = order(lines, policy=Policy(split_cost=D(10)))
    plan = solved(problem([dear], sources, stock, services=services))
    assert (len({key[2] for key in taken(plan)}), plan.costs["split"]) == (1, D(0))
    plan = solved(problem([order(lines)], sources, stock, services=services))
    assert len({key[2] for key in taken(plan)}) == 2
    one = order(lines, policy=Policy(split_orders_max=1))
    assert taken(solved(problem([one], sources, stock, services=services))).keys() == {
        ("A", "1", "w"),
        ("A", "2", "w"),
    }


@pytest.mark.parametrize("goal", ["speed", "vicinity", "preference", "parcels", "risk"])
def test_goals_weigh_against_money(goal: str) -> None:
    a = order([line(1, "x", 1, price=D(20))])
    slow = source("slow", confidence=D("0.5"))
    good = source("good", preferred=D(1))
    services = (
        Service(source_id="|slow", order_id="A", carrier="c", transit_days=5, distance_km=D(500)),
        Service(source_id="|good", order_id="A", carrier="c", cost_fixed=D(1), transit_days=1, distance_km=D(5)),
    )
    stock = [supply("slow", "x", 1), supply("good", "x", 1)]
    plain = replace(a, policy=Policy(weights=Weights(risk=D(0))))
    assert taken(solved(problem([plain], [slow, good], stock, services=services))) == {("A", "1", "slow"): 1}
    if goal == "parcels":
        plan = solved(
            problem([replace(a, policy=Policy(weights=Weights(parcels=D(7))))], [good], stock, services=services)
        )
        assert plan.costs["parcels"] == 7
        return
    weighed = replace(a, policy=Policy(weights=Weights(**({"risk": D(0)} | {goal: D(2)}))))
    assert taken(solved(problem([weighed], [slow, good], stock, services=services))) == {("A", "1", "good"): 1}


def test_a_wave_gives_scarce_stock_to_whom_it_serves_best_and_to_the_urgent() -> None:
    orders = [order([line(1, "x", 1)], "A"), order([line(1, "x", 1)], "B")]
    sources = [source("v"), source("w")]
    stock = [supply("v", "x", 1), supply("w", "x", 1)]
    costs = {("A", "v"): 1, ("A", "w"): 2, ("B", "v"): 1, ("B", "w"): 9}
    services = tuple(
        Service(source_id=f"|{place}", order_id=name, carrier="c", cost_fixed=D(cost))
        for (name, place), cost in costs.items()
    )
    plan = solved(problem(orders, sources, stock, services=services))
    assert taken(plan) == {("A", "1", "w"): 1, ("B", "1", "v"): 1}
    urgent = [orders[0], replace(orders[1], priority=3)]
    plan = solved(problem(urgent, sources, stock[:1], services=services))
    assert taken(plan) == {("B", "1", "v"): 1}


def test_scarcity_keeps_last_pieces_where_they_are_worth_more() -> None:
    a = order([line(1, "x", 1)])
    stock = [supply("v", "x", 1), supply("w", "x", 9, unit_cost=D(2))]
    given = problem([a], [source("v"), source("w")], stock)
    assert taken(solved(given)) == {("A", "1", "v"): 1}
    priced = replace(given, scarcity={("|v", "x"): D(3)})
    plan = solved(priced)
    assert (taken(plan), plan.costs["scarcity"]) == ({("A", "1", "w"): 1}, D(0))


ABSURD = [D("NaN"), D("sNaN"), D("Infinity"), D("-Infinity"), D(-1), D("1E+500"), D("1E-500"), D(10) ** 18]


@pytest.mark.parametrize("figure", ABSURD, ids=str)
def test_absurd_figures_raise_nothing_and_break_nothing(figure: Decimal) -> None:
    a = order([line(1, "x", 2, price=D(3)), line(2, "y", 1)])
    good = problem([a], [source("w"), source("v")], [supply("w", "x", 5), supply("v", "x", 5), supply("v", "y", 5)])

    def first(name: str, **more: Any) -> Problem:
        parts = getattr(good, name)
        changed: dict[str, Any] = {name: (replace(parts[0], **more), *parts[1:])}
        return replace(good, **changed)

    changed = [
        *(first("sources", **{name: figure}) for name in ("handling_per_order", "order_minimum", "credit_left")),
        *(first("sources", **{name: figure}) for name in ("capacity_left", "confidence", "preferred")),
        *(first("supplies", **{name: figure}) for name in ("quantity", "unit_cost", "multiple", "minimum")),
        *(first("services", **{name: figure}) for name in ("cost_fixed", "cost_per_kg", "distance_km")),
        first("orders", policy=Policy(unfilled_cost=figure)),
        first("orders", policy=Policy(distance_max_km=figure)),
        first("orders", policy=Policy(weights=Weights(cost=figure))),
        first("orders", lines=(line(1, "x", 2, weight_kg=figure), a.lines[1])),
        first("orders", lines=(line(1, "x", 2, price=figure), a.lines[1])),
        first("orders", lines=(replace(a.lines[0], quantity=figure), a.lines[1])),
        replace(good, scarcity={("|w", "x"): figure}),
    ]
    for given in changed:
        for plan in (solve(given), fallback(given)):
            assert violations(given, plan) == []
        json.dumps(explain(given, solve(given), "A"))


def test_quantities_without_steps_and_doubled_parts() -> None:
    a = order([line(1, "x", "2.5"), line(1, "y", 1)])
    stock = [supply("w", "x", "1.75", multiple=D(0)), supply("v", "x", 9, multiple=D("0.25"))]
    plan = solved(problem([a, a], [source("v"), source("w"), source("v")], stock))
    assert sum(taken(plan).values()) == D("2.5")
    assert plan.unfilled == ()


def test_the_checker_sees_what_a_plan_does_wrong() -> None:
    given = problem([order([line(1, "x", 3)])], [source("w")], [supply("w", "x", 2)])
    plan = solve(given)
    piece = plan.assignments[0]

    def wrong(*pieces: Assignment, unfilled: tuple[Unfilled, ...] = plan.unfilled) -> list[str]:
        return violations(given, replace(plan, assignments=pieces, unfilled=unfilled))

    assert violations(given, plan) == []
    assert wrong(replace(piece, quantity=D(3)), unfilled=()) == ["|w x: oversold, 3 of 2"]
    assert wrong(piece, unfilled=()) == ["A/1: 2 told of 3"]
    assert wrong(replace(piece, quantity=D("1.5"))) == ["A/1 from |w: 1.5 is no multiple of 1", "A/1: 2.5 told of 3"]
    assert wrong(replace(piece, order_id="B"))[0] == "B/1 from |w: unknown order, line or supply"
    assert wrong(replace(piece, carrier="pigeon"))[0] == "A/1 from |w: no carrier serves this way"
    assert wrong(piece, unfilled=(replace(plan.unfilled[0], reason=""),)) == ["A/1: open without a reason"]


def test_explanation_tells_every_candidate() -> None:
    a = order([line(1, "x", 2), line(2, "z", 1)], policy=Policy(strategy="near", allowed=frozenset({"|v", "|w", "|u"})))
    sources = [source("v"), source("w"), source("u"), source("t")]
    stock = [
        supply("v", "x", 2, unit_cost=D(1)),
        supply("w", "x", 2, unit_cost=D(4)),
        supply("u", "x", 0),
        supply("t", "x", 9),
    ]
    given = problem([a], sources, stock)
    plan = solved(given)
    told = explain(given, plan, "A")
    assert json.loads(json.dumps(told)) == told
    first, second = told["lines"]
    assert {one["source"]: (one["chosen"], one["why"]) for one in first["candidates"]} == {
        "|v": ("2", "part of the cheapest plan"),
        "|w": ("0", "dearer by 6.0000"),
        "|u": ("0", "no stock"),
        "|t": ("0", "excluded by rule near"),
    }
    assert second["open"] == [{"quantity": "1", "reason": "no source has the item"}]
    assert explain(given, plan, "B") == {"order": "B", "known": False, "lines": []}


def test_what_a_wave_of_complete_orders_costs_at_least_is_no_more_than_nothing_costs() -> None:
    policy = Policy(complete=True, unfilled_cost=D(1))
    orders = [order([line(1, "x", 2)], "A", policy=policy), order([line(1, "x", 3)], "B", policy=policy)]
    wave = problem(orders, [source("w")], [supply("w", "x", 4)])
    wave = replace(wave, services=ways(orders, [source("w")], cost_fixed=D(0)))
    best = solved(wave)
    assert best.cost == 2
    quick = solve(replace(wave, gap=0.05, seconds=0.0))
    assert quick.bound is not None
    assert quick.bound <= best.cost
