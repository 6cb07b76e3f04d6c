"""Why part of a line stays open, and why a candidate was not taken, in words for people."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from node.core.sourcing.check import is_whole
from node.core.sourcing.costing import Settled
from node.core.sourcing.limits import Index, line_fault, policy_fault, refusal, step_of
from node.core.sourcing.problem import Assignment, DemandLine, OrderDemand, Problem, Service, Supply, Unfilled

__all__ = ["FOR_SUPPLY", "Taken", "first_refusal", "not_taken", "open_lines", "services_of", "tally"]

NOBODY_HAS_IT = "no source has the item"
NO_STOCK_LEFT = "no stock left"
FOR_SUPPLY = frozenset({NOBODY_HAS_IT, NO_STOCK_LEFT})
"""Reasons that end by themselves when there is supply; for every other one somebody has to change something."""


@dataclass(slots=True)
class Taken:
    """What the pieces of a plan use up."""

    stock: dict[int, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    units: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    worth: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    """By partner."""
    sources: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """By order."""


def tally(problem: Problem, found: Index, pieces: Iterable[Assignment]) -> Taken:
    """Sum up what the pieces use."""
    taken = Taken()
    for piece in pieces:
        source = found.sources[piece.source_id]
        taken.stock[piece.supply_index] += piece.quantity
        taken.units[piece.source_id] += piece.quantity
        taken.worth[source.partner_id] += piece.quantity * problem.supplies[piece.supply_index].unit_cost
        taken.sources[piece.order_id].add(piece.source_id)
    return taken


def open_lines(problem: Problem, found: Index, settled: Settled) -> tuple[Unfilled, ...]:
    """What stays open, each with its reason."""
    if not settled.open:
        return ()
    taken = tally(problem, found, settled.assignments)
    return tuple(
        Unfilled(
            order_id=order.order_id,
            line_id=line.line_id,
            quantity=quantity,
            reason=_why_open(problem, found, order, line, taken, quantity),
        )
        for order, line, quantity in settled.open
    )


def services_of(found: Index, order: OrderDemand, source_id: str) -> list[Service | None]:
    """The services from a source to an order; a lone None where there is none."""
    return [*found.services.get((order.order_id, source_id), ())] or [None]


def first_refusal(problem: Problem, found: Index, order: OrderDemand, line: DemandLine, supply: Supply) -> str:
    """Why a supply may not serve a line by any of its services, or "" when it may by one of them."""
    source = found.sources.get(supply.source_id)
    fault = ""
    for service in services_of(found, order, supply.source_id):
        day = supply.on if source is None else max(supply.on, source.ship_on)
        fault = refusal(problem, order, line, source, supply, service, day)
        if not fault:
            return ""
    return fault


def _why_open(
    problem: Problem, found: Index, order: OrderDemand, line: DemandLine, taken: Taken, quantity: Decimal
) -> str:
    fault = line_fault(line) or policy_fault(order.policy)
    if fault:
        return fault
    positions = found.supplies.get(line.item_key, ())
    if not positions:
        return NOBODY_HAS_IT
    faults: Counter[str] = Counter()
    hindered: Counter[str] = Counter()
    for position in positions:
        supply = problem.supplies[position]
        fault = first_refusal(problem, found, order, line, supply)
        if fault:
            faults[fault] += 1
        else:
            hindered[not_taken(problem, found, order, line, position, taken, quantity)] += 1
    if not hindered:
        return faults.most_common(1)[0][0]
    if order.policy.complete and order.order_id not in taken.sources:
        return "the order goes out complete or not at all, and something is missing"
    if line.parent_line and hindered.keys() - {NO_STOCK_LEFT}:
        return f"kit {line.parent_line} cannot be made whole"
    others = [why for why, _ in hindered.most_common() if why and why != NO_STOCK_LEFT]
    if others:
        return others[0]
    return NO_STOCK_LEFT if hindered[NO_STOCK_LEFT] else "dearer than to leave it open"


def not_taken(
    problem: Problem,
    found: Index,
    order: OrderDemand,
    line: DemandLine,
    position: int,
    taken: Taken,
    quantity: Decimal,
) -> str:
    """What keeps a permitted supply from giving (more of) a quantity to a line; "" when only its cost does."""
    supply = problem.supplies[position]
    source, policy = found.sources[supply.source_id], order.policy
    left = supply.quantity - taken.stock[position]
    if left <= 0:
        return NO_STOCK_LEFT
    if left < step_of(supply) or quantity < step_of(supply):
        return f"sold in multiples of {step_of(supply)}"
    if min(left, quantity) < supply.minimum and source.source_id not in taken.sources.get(order.order_id, ()):
        return f"minimum quantity {supply.minimum}"
    used = taken.sources.get(order.order_id, set())
    if policy.split_orders_max is not None and source.source_id not in used and len(used) >= policy.split_orders_max:
        return f"split limit: {policy.split_orders_max} sources"
    if is_whole(order, line) and left < line.quantity:
        return "the line may not be split, and this source has not all of it"
    if source.capacity_left is not None and taken.units[source.source_id] + step_of(supply) > source.capacity_left:
        return "no capacity left"
    sent = sum(source.source_id in others for others in taken.sources.values()) if source.orders_left else 0
    if source.orders_left is not None and source.source_id not in used and sent >= source.orders_left:
        return "no capacity left"
    credit = found.credit.get(source.partner_id)
    if credit is not None and taken.worth[source.partner_id] + step_of(supply) * supply.unit_cost > credit:
        return "no credit left"
    if source.source_id not in used and min(left, quantity) * supply.unit_cost < source.order_minimum:
        return f"order minimum {source.order_minimum} not reached"
    return ""
