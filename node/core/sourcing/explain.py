"""Explain a decision: every candidate per line with its costs, whether it was chosen, and if not, why."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from node.core.sourcing.check import is_whole
from node.core.sourcing.costing import unit_costs
from node.core.sourcing.limits import Index, arrival, index, refusal
from node.core.sourcing.problem import (
    ZERO,
    Assignment,
    DemandLine,
    OrderDemand,
    Plan,
    Problem,
    Service,
    Source,
    Supply,
)
from node.core.sourcing.reasons import Taken, not_taken, services_of, tally

__all__ = ["explain"]

CENT = Decimal("0.0001")


def explain(problem: Problem, plan: Plan, order_id: str) -> dict[str, Any]:
    """The decision on one order as JSON-able values; quantities and money as texts, money to four places.

    An order that the problem does not have is told as such, with no lines.
    """
    found = index(problem)
    order = found.orders.get(order_id)
    if order is None:
        return {"order": order_id, "known": False, "lines": []}
    taken = tally(problem, found, plan.assignments)
    pieces = [piece for piece in plan.assignments if piece.order_id == order_id]
    total = sum((sum(piece.costs.values(), ZERO) for piece in pieces), ZERO)
    return {
        "order": order_id,
        "known": True,
        "strategy": order.policy.strategy,
        "method": plan.method,
        "status": plan.status,
        "gap": plan.gap,
        "orders_together": len(found.orders),
        "cost": _money(total),
        "sources": sorted({piece.source_id for piece in pieces}),
        "lines": [
            _line(problem, found, order, line, plan, taken, [one for one in pieces if one.line_id == line.line_id])
            for line in found.lines[order_id].values()
        ],
    }


def _money(amount: Decimal) -> str:
    return str(amount.quantize(CENT)) if amount.is_finite() and abs(amount) < Decimal(10) ** 20 else str(amount)


def _parts(costs: Iterable[tuple[str, Decimal]]) -> dict[str, str]:
    return {part: _money(cost) for part, cost in costs if cost}


def _line(
    problem: Problem,
    found: Index,
    order: OrderDemand,
    line: DemandLine,
    plan: Plan,
    taken: Taken,
    pieces: list[Assignment],
) -> dict[str, Any]:
    open_parts = [one for one in plan.unfilled if (one.order_id, one.line_id) == (order.order_id, line.line_id)]
    candidates = []
    for position in found.supplies.get(line.item_key, ()):
        supply = problem.supplies[position]
        for service in services_of(found, order, supply.source_id):
            candidates.append(_candidate(problem, found, order, line, position, service, taken, pieces))
    return {
        "line": line.line_id,
        "item": line.item_key,
        "quantity": str(line.quantity),
        "open": [{"quantity": str(one.quantity), "reason": one.reason} for one in open_parts],
        "candidates": candidates,
    }


def _candidate(
    problem: Problem,
    found: Index,
    order: OrderDemand,
    line: DemandLine,
    position: int,
    service: Service | None,
    taken: Taken,
    pieces: list[Assignment],
) -> dict[str, Any]:
    supply = problem.supplies[position]
    source = found.sources.get(supply.source_id)
    told: dict[str, Any] = {
        "source": supply.source_id,
        "available": str(supply.quantity),
        "from": supply.on.isoformat(),
        "basis": supply.basis,
        "age_seconds": supply.age_seconds,
        "confidence": str(supply.confidence),
    }
    if service is not None:
        told |= {"carrier": service.carrier, "service": service.service}
    ship_on = supply.on if source is None else max(supply.on, source.ship_on)
    fault = refusal(problem, order, line, source, supply, service, ship_on)
    if fault or service is None or source is None:
        return told | {"chosen": "0", "why": fault}
    mine = [
        piece
        for piece in pieces
        if (piece.supply_index, piece.carrier, piece.service) == (position, service.carrier, service.service)
    ]
    told["ships"] = ship_on.isoformat()
    told["arrives"] = arrival(ship_on, service.transit_days).isoformat()
    told["unit_costs"] = _parts(unit_costs(problem, order, line, source, supply, service, ship_on).items())
    if mine:
        told["ships"] = ", ".join(sorted({piece.ship_on.isoformat() for piece in mine}))
        told["arrives"] = ", ".join(sorted({piece.arrive_on.isoformat() for piece in mine}))
        told["costs"] = _parts(
            (part, sum((piece.costs.get(part, ZERO) for piece in mine), ZERO))
            for part in dict.fromkeys(part for piece in mine for part in piece.costs)
        )
        return told | {"chosen": str(sum((piece.quantity for piece in mine), ZERO)), "why": "part of the cheapest plan"}
    why = not_taken(problem, found, order, line, position, taken, line.quantity)
    return told | {"chosen": "0", "why": why or _dearer(problem, order, line, source, supply, service, taken, pieces)}


def _dearer(
    problem: Problem,
    order: OrderDemand,
    line: DemandLine,
    source: Source,
    supply: Supply,
    service: Service,
    taken: Taken,
    pieces: list[Assignment],
) -> str:
    """By how much the line would be dearer from here: its own costs, and what would have to be opened for it."""
    if not pieces:
        return "not worth its cost"
    quantity = line.quantity if is_whole(order, line) else min(line.quantity, supply.quantity)
    served = sum((piece.quantity for piece in pieces), ZERO)
    ship_on = max(supply.on, source.ship_on)
    weights = order.policy.weights
    here = sum(unit_costs(problem, order, line, source, supply, service, ship_on).values(), ZERO) * quantity
    here += source.handling_per_line * weights.cost
    used = taken.sources.get(order.order_id, set())
    if source.source_id not in used:
        here += (service.cost_fixed + source.handling_per_order) * weights.cost + weights.parcels
        here += order.policy.split_cost * weights.cost if used else ZERO
    now = sum((sum(piece.costs.values(), ZERO) for piece in pieces), ZERO) * quantity / served
    if here > now:
        return f"dearer by {_money(here - now)}"
    return "the order as a whole is dearer with it"
