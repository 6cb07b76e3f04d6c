"""Exact costs: what a set of pieces costs to the last digit, part by part, and what stays open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from node.core.sourcing.limits import Index, arrival, fair_price, line_fault, policy_fault, sane
from node.core.sourcing.problem import (
    COST_PARTS,
    ONE,
    ZERO,
    Assignment,
    DemandLine,
    OrderDemand,
    Problem,
    Service,
    Source,
    Supply,
)

__all__ = ["Pick", "Settled", "goods_value", "settle", "unfilled_unit_cost", "unit_costs", "urgency"]

HUNDRED = Decimal(100)
DISTANCE_UNKNOWN = Decimal(10)
"""In hundreds of km."""
PRIORITY_MAX = 100


@dataclass(frozen=True, slots=True)
class Pick:
    """A piece before it is priced."""

    order: OrderDemand
    line: DemandLine
    supply_index: int
    service: Service
    ship_on: date
    quantity: Decimal


@dataclass(slots=True)
class Settled:
    """Priced pieces, what stays open, and the sums."""

    assignments: tuple[Assignment, ...]
    open: list[tuple[OrderDemand, DemandLine, Decimal]]
    costs: dict[str, Decimal]
    cost: Decimal


def urgency(order: OrderDemand) -> int:
    """The factor on what it costs to be late or to leave open."""
    return 1 + min(max(order.priority, 0), PRIORITY_MAX)


def goods_value(problem: Problem, found: Index, line: DemandLine) -> Decimal:
    """What a unit is worth: its price, or else the least unit cost at which anybody has it."""
    price = fair_price(line)
    if price is not None:
        return price
    costs = (problem.supplies[position].unit_cost for position in found.supplies.get(line.item_key, ()))
    return min((cost for cost in costs if sane(cost)), default=ZERO)


def unfilled_unit_cost(problem: Problem, found: Index, order: OrderDemand, line: DemandLine) -> Decimal:
    """What it costs to leave a unit open: its value, so that goods are not left away for what they cost, and more."""
    if policy_fault(order.policy):
        return ZERO
    return order.policy.unfilled_cost * urgency(order) + goods_value(problem, found, line) * order.policy.weights.cost


def confidence(order: OrderDemand, source: Source, supply: Supply) -> Decimal:
    """How sure the promise is, 0 to 1."""
    sure = min(ONE, source.confidence) * min(ONE, supply.confidence)
    half = order.policy.age_half_seconds
    return sure * half / (half + max(0, supply.age_seconds)) if half > 0 else sure


def unit_costs(
    problem: Problem, order: OrderDemand, line: DemandLine, source: Source, supply: Supply, service: Service, on: date
) -> dict[str, Decimal]:
    """What a unit costs, part by part, without what is fixed per order, parcel or line; `on` is when it leaves."""
    policy, weights = order.policy, order.policy.weights
    arrive_on = arrival(on, service.transit_days)
    late = max(0, (arrive_on - order.need_on).days) if order.need_on is not None else 0
    loss = policy.loss_per_unit
    if loss is None:
        price = fair_price(line)
        loss = supply.unit_cost if price is None else price
    hundreds = service.distance_km / HUNDRED if service.distance_km is not None else DISTANCE_UNKNOWN
    return {
        "goods": supply.unit_cost * weights.cost,
        "freight": service.cost_per_kg * line.weight_kg * weights.cost,
        "handling": source.handling_per_unit * weights.cost,
        "lateness": policy.late_per_day * late * urgency(order),
        "risk": (ONE - confidence(order, source, supply)) * loss * weights.risk,
        "scarcity": problem.scarcity.get((supply.source_id, supply.item_key), ZERO),
        "speed": weights.speed * max(0, (arrive_on - problem.today).days) / line.quantity,
        "vicinity": weights.vicinity * hundreds / line.quantity,
        "preference": weights.preference * (ONE - min(ONE, source.preferred)) / line.quantity,
    }


def settle(problem: Problem, found: Index, picks: Iterable[Pick], orders: Iterable[OrderDemand]) -> Settled:
    """Price the pieces and say what stays open. Fixed costs are on the first piece that they belong to."""
    once: set[tuple[str, ...]] = set()
    served: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    assignments = []
    for pick in sorted(picks, key=_place):
        supply = problem.supplies[pick.supply_index]
        source = found.sources[supply.source_id]
        assignment = _assignment(problem, pick, source, supply, once)
        served[pick.order.order_id, pick.line.line_id] += pick.quantity
        assignments.append(assignment)
    totals = {part: sum((one.costs.get(part, ZERO) for one in assignments), ZERO) for part in COST_PARTS}
    totals["unfilled"] = ZERO
    open_lines = []
    for order in orders:
        for line in found.lines[order.order_id].values():
            if line_fault(line):
                open_lines.append((order, line, ZERO if not line.quantity.is_finite() else max(ZERO, line.quantity)))
                continue
            left = line.quantity - served[order.order_id, line.line_id]
            if left > 0:
                open_lines.append((order, line, left))
                totals["unfilled"] += left * unfilled_unit_cost(problem, found, order, line)
    return Settled(tuple(assignments), open_lines, totals, sum(totals.values(), ZERO))


def _place(pick: Pick) -> tuple[str, date, str, str, str, int]:
    service = pick.service
    name = f"{service.carrier}|{service.service}"
    return pick.order.order_id, pick.ship_on, service.source_id, name, pick.line.line_id, pick.supply_index


def _assignment(problem: Problem, pick: Pick, source: Source, supply: Supply, once: set[tuple[str, ...]]) -> Assignment:
    order, line, service = pick.order, pick.line, pick.service
    weights = order.policy.weights

    def first(*key: str) -> bool:
        new = key not in once
        once.add(key)
        return new

    costs = {
        part: cost * pick.quantity
        for part, cost in unit_costs(problem, order, line, source, supply, service, pick.ship_on).items()
    }
    costs |= {"split": ZERO, "parcels": ZERO}
    parcel = (order.order_id, source.source_id, service.carrier, service.service, pick.ship_on.isoformat())
    if first("parcel", *parcel):
        costs["freight"] += service.cost_fixed * weights.cost
        costs["parcels"] += weights.parcels
    if first("line", *parcel, line.line_id):
        costs["handling"] += source.handling_per_line * weights.cost
    if first("source", order.order_id, source.source_id):
        costs["handling"] += source.handling_per_order * weights.cost
        if not first("order", order.order_id):
            costs["split"] += order.policy.split_cost * weights.cost
    return Assignment(
        order_id=order.order_id,
        line_id=line.line_id,
        source_id=source.source_id,
        item_key=line.item_key,
        quantity=pick.quantity,
        supply_on=supply.on,
        ship_on=pick.ship_on,
        arrive_on=arrival(pick.ship_on, service.transit_days),
        carrier=service.carrier,
        service=service.service,
        costs=costs,
        supply_index=pick.supply_index,
    )
