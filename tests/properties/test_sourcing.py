"""Sourcing against brute force: on every small problem the exact answer is the cheapest that the checker allows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.core.sourcing.check import broken_limits, violations
from node.core.sourcing.costing import Pick, settle
from node.core.sourcing.limits import index, step_of
from node.core.sourcing.problem import (
    DemandLine,
    OrderDemand,
    Policy,
    Problem,
    Service,
    Source,
    Supply,
    Weights,
)
from node.core.sourcing.solve import fallback, solve

TODAY = date(2026, 11, 2)
NEAR = Decimal("0.000001")
CHOICES_MAX = 4_000


def small(low: int, high: int) -> st.SearchStrategy[Decimal]:
    return st.integers(low, high).map(Decimal)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    return Policy(
        weights=Weights(
            speed=draw(small(0, 1)), vicinity=draw(small(0, 1)), parcels=draw(small(0, 2)), preference=draw(small(0, 2))
        ),
        split_orders_max=draw(st.sampled_from([None, None, 1, 2])),
        split_lines=draw(st.booleans()),
        allowed=draw(st.sampled_from([None, None, frozenset({"|0", "|1"})])),
        late_allowed=draw(st.booleans()),
        late_per_day=draw(small(0, 2)),
        distance_max_km=draw(st.sampled_from([None, None, Decimal(50)])),
        unfilled_cost=draw(small(0, 30)),
        complete=draw(st.sampled_from([False, False, True])),
        split_cost=draw(small(0, 4)),
    )


@st.composite
def problems(draw: st.DrawFn, orders_max: int = 2) -> Problem:
    """Few orders, lines and sources, so that every assignment can be tried."""
    names = [f"|{number}" for number in range(draw(st.integers(1, 3)))]
    sources = tuple(
        Source(
            source_id=name,
            partner_id=draw(st.sampled_from(["", "P"])),
            handling_per_order=draw(small(0, 3)),
            handling_per_line=draw(small(0, 2)),
            order_minimum=draw(st.sampled_from([Decimal(0), Decimal(0), Decimal(6)])),
            credit_left=draw(st.sampled_from([None, None, Decimal(9)])),
            capacity_left=draw(st.sampled_from([None, None, Decimal(3)])),
            orders_left=draw(st.sampled_from([None, None, None, 0, 1])),
            ship_on=TODAY + timedelta(draw(st.integers(0, 1))),
            confidence=draw(st.sampled_from([Decimal(1), Decimal("0.8")])),
            preferred=draw(small(0, 1)),
        )
        for name in names
    )
    supplies = tuple(
        Supply(
            source_id=name,
            item_key=draw(st.sampled_from("xy")),
            quantity=draw(small(1, 4)),
            on=TODAY + timedelta(draw(st.sampled_from([0, 0, 2]))),
            unit_cost=draw(small(0, 5)),
            multiple=draw(st.sampled_from([Decimal(1), Decimal(1), Decimal(2)])),
            minimum=draw(st.sampled_from([Decimal(0), Decimal(0), Decimal(2)])),
        )
        for name in draw(st.lists(st.sampled_from(names), min_size=1, max_size=4))
    )
    kit = draw(st.booleans())
    orders = tuple(
        OrderDemand(
            order_id=f"O{number}",
            priority=draw(st.integers(0, 2)),
            need_on=draw(st.sampled_from([None, TODAY + timedelta(1)])),
            lines=tuple(
                DemandLine(
                    line_id=str(at),
                    item_key=draw(st.sampled_from("xy")),
                    quantity=draw(small(1, 3)),
                    price=draw(st.sampled_from([None, Decimal(4)])),
                    splittable=draw(st.booleans()),
                    parent_line="kit" if kit and number == 0 else "",
                )
                for at in range(draw(st.integers(1, 2)))
            ),
            policy=draw(policies()),
        )
        for number in range(draw(st.integers(1, orders_max)))
    )
    services = tuple(
        Service(
            source_id=name,
            order_id=order.order_id,
            carrier=carrier,
            cost_fixed=draw(small(0, 6)),
            transit_days=draw(st.integers(0, 2)),
            distance_km=draw(st.sampled_from([Decimal(10), Decimal(90)])),
        )
        for order in orders
        for name in names
        for carrier in draw(st.sampled_from(["a", "a", "ab"]))
    )
    scarcity: dict[tuple[str, str], Any] = {("|0", "x"): draw(small(0, 3))}
    return Problem(today=TODAY, orders=orders, sources=sources, supplies=supplies, services=services, scarcity=scarcity)


def cells(problem: Problem) -> list[list[Pick | None]]:
    """By (line, supply, service, day) every quantity, none included."""
    found = index(problem)
    result: list[list[Pick | None]] = []
    for order in found.orders.values():
        for line in found.lines[order.order_id].values():
            for position in found.supplies.get(line.item_key, ()):
                supply = problem.supplies[position]
                source = found.sources[supply.source_id]
                ready = max(supply.on, source.ship_on)
                days = {max(one.on, source.ship_on) for one in problem.supplies if one.source_id == source.source_id}
                for service in found.services[order.order_id, source.source_id]:
                    for day in sorted(one for one in days if one >= ready):
                        choices: list[Pick | None] = [None]
                        quantity = step_of(supply)
                        while quantity <= min(line.quantity, supply.quantity):
                            pick = Pick(order, line, position, service, day, quantity)
                            if not [
                                one
                                for one in broken_limits(
                                    problem, found, settle(problem, found, [pick], ()).assignments, ()
                                )
                                if "leaves before" in one or "too late" in one or "excluded" in one or "farther" in one
                            ]:
                                choices.append(pick)
                            quantity += step_of(supply)
                        result.append(choices)
    return result


def everything(problem: Problem) -> Iterator[Decimal]:
    """The cost of every permitted assignment."""
    found = index(problem)
    for chosen in product(*cells(problem)):
        settled = settle(problem, found, [pick for pick in chosen if pick is not None], found.orders.values())
        if not broken_limits(problem, found, settled.assignments, found.orders.values()):
            yield settled.cost


def size(problem: Problem) -> int:
    total = 1
    for choices in cells(problem):
        total *= len(choices)
    return total


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(problems())
def test_exact_is_the_cheapest_of_all(problem: Problem) -> None:
    plan = solve(problem)
    assert violations(problem, plan) == []
    assert (plan.method, plan.status) == ("exact", "optimal")
    if size(problem) <= CHOICES_MAX:
        assert abs(min(everything(problem)) - plan.cost) <= NEAR


@settings(max_examples=200, deadline=None)
@given(problems(orders_max=4))
def test_fallback_keeps_every_limit_and_never_beats_the_optimum(problem: Problem) -> None:
    plan, best = fallback(problem), solve(problem)
    assert violations(problem, plan) == []
    assert violations(problem, best) == []
    assert best.cost <= plan.cost + NEAR


@st.composite
def tangled(draw: st.DrawFn) -> Problem:
    """One order whose lines share items, lots, order minimums, kits and few sources."""
    given = draw(problems(orders_max=1))
    order = given.orders[0]
    count = draw(st.sampled_from([1, 2]))
    kit = draw(st.booleans())
    lines = tuple(
        DemandLine(
            line_id=str(at),
            item_key=draw(st.sampled_from("xxy")),
            quantity=Decimal(count if kit else draw(st.integers(1, 3))),
            price=Decimal(4),
            parent_line="kit" if kit and at < 2 else "",
            kits=count,
        )
        for at in range(draw(st.integers(2, 3)))
    )
    policy = replace(order.policy, split_lines=draw(st.sampled_from([True, True, False])))
    return replace(given, orders=(replace(order, lines=lines, policy=policy),))


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(tangled())
def test_one_order_is_proved_by_the_search_alone(problem: Problem) -> None:
    plan = solve(problem)
    assert violations(problem, plan) == []
    assert (plan.method, plan.status, plan.seconds) == ("exact", "optimal", None)
    if size(problem) <= CHOICES_MAX:
        assert abs(min(everything(problem)) - plan.cost) <= NEAR


def one_after_another(problem: Problem) -> Decimal:
    """What the orders cost when each takes its best of what those before it have left, urgent ones first."""
    cost, last = Decimal(0), date.max
    supplies, sources = list(problem.supplies), list(problem.sources)
    for order in sorted(problem.orders, key=lambda one: (-one.priority, one.need_on or last, one.order_id)):
        plan = solve(replace(problem, orders=(order,), supplies=tuple(supplies), sources=tuple(sources)))
        cost += plan.cost
        for piece in plan.assignments:
            supply = supplies[piece.supply_index]
            supplies[piece.supply_index] = replace(supply, quantity=supply.quantity - piece.quantity)
        used = {piece.source_id for piece in plan.assignments}
        sources = [
            replace(one, orders_left=one.orders_left - 1)
            if one.orders_left is not None and one.source_id in used
            else one
            for one in sources
        ]
    return cost


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(problems(orders_max=4))
def test_a_wave_is_never_dearer_than_one_after_another(problem: Problem) -> None:
    sources = tuple(replace(one, credit_left=None, capacity_left=None) for one in problem.sources)
    wave = replace(problem, sources=sources, gap=0.05, seconds=0.0)
    plan, best = solve(wave), solve(replace(wave, gap=0.0, seconds=5.0))
    assert violations(wave, plan) == []
    assert plan.cost <= one_after_another(wave) + NEAR
    assert plan.bound is not None
    assert plan.bound <= best.cost + NEAR
    assert best.status == "optimal"
