"""What sourcing is compared with: nearest location that has it, first by priority, greedy by cost."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from node.core.sourcing.costing import Pick, settle
from node.core.sourcing.limits import index
from node.core.sourcing.problem import Plan, Problem, Service, Source
from node.core.sourcing.reasons import open_lines
from node.core.sourcing.solve import fallback

__all__ = ["BASELINES", "first_by_priority", "greedy_by_cost", "nearest_first"]

KINDS = ("warehouse", "store", "logistics", "supplier")


def nearest_first(problem: Problem) -> Plan:
    """Each line from the nearest location that has some, the rest from the next."""
    return _in_turn(problem, lambda source, way: (way.distance_km or Decimal(0), source.source_id))


def first_by_priority(problem: Problem) -> Plan:
    """Each line from the first location of a fixed list (warehouses, stores, suppliers) that has some."""
    return _in_turn(problem, lambda source, way: (Decimal(KINDS.index(source.kind)), source.source_id))


def greedy_by_cost(problem: Problem) -> Plan:
    """Each line where it is cheapest when its turn comes, parcels that are open already counted as paid."""
    return fallback(problem)


def _in_turn(problem: Problem, rank: Callable[[Source, Service], tuple[Decimal, str]]) -> Plan:
    found = index(problem)
    left = {position: supply.quantity for position, supply in enumerate(problem.supplies)}
    picks: list[Pick] = []
    for order in problem.orders:
        ways = {
            source_id: way[0] for (order_id, source_id), way in found.services.items() if order_id == order.order_id
        }
        turn = {one: rank(found.sources[one], way) for one, way in ways.items()}
        for line in order.lines:
            need = line.quantity
            have = [at for at in found.supplies.get(line.item_key, ()) if problem.supplies[at].source_id in turn]
            for at in sorted(have, key=lambda at: turn[problem.supplies[at].source_id]):
                supply = problem.supplies[at]
                quantity = min(need, left[at])
                if quantity > 0:
                    ship_on = max(supply.on, found.sources[supply.source_id].ship_on)
                    picks.append(Pick(order, line, at, ways[supply.source_id], ship_on, quantity))
                    left[at] -= quantity
                    need -= quantity
    settled = settle(problem, found, picks, problem.orders)
    return Plan(
        assignments=settled.assignments,
        unfilled=open_lines(problem, found, settled),
        cost=settled.cost,
        costs=settled.costs,
        method="fallback",
        status="fallback",
    )


BASELINES: dict[str, Callable[[Problem], Plan]] = {
    "nearest": nearest_first,
    "priority": first_by_priority,
    "greedy": greedy_by_cost,
}
