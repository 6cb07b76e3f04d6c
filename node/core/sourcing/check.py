"""Whether a plan keeps every hard limit: checked apart from how it was found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

from node.core.sourcing.limits import Index, index, line_fault, refusal, step_of
from node.core.sourcing.problem import ZERO, Assignment, DemandLine, OrderDemand, Plan, Problem

__all__ = ["broken_limits", "violations"]


def violations(problem: Problem, plan: Plan) -> list[str]:
    """What the plan does that it may not do, or leaves unsaid; none for a plan that may be carried out."""
    found = index(problem)
    broken = broken_limits(problem, found, plan.assignments, found.orders.values())
    told: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for piece in plan.assignments:
        told[piece.order_id, piece.line_id] += piece.quantity
    for rest in plan.unfilled:
        told[rest.order_id, rest.line_id] += rest.quantity
        if not rest.reason:
            broken.append(f"{rest.order_id}/{rest.line_id}: open without a reason")
    for order_id, lines in found.lines.items():
        for line in lines.values():
            if not line_fault(line) and told[order_id, line.line_id] != line.quantity:
                broken.append(f"{order_id}/{line.line_id}: {told[order_id, line.line_id]} told of {line.quantity}")
    if sum(plan.costs.values(), ZERO) != plan.cost:
        broken.append(f"costs sum up to {sum(plan.costs.values(), ZERO)}, not {plan.cost}")
    return broken


def broken_limits(
    problem: Problem, found: Index, given: Iterable[Assignment], orders: Iterable[OrderDemand]
) -> list[str]:
    """The hard limits that the pieces break, which are of these orders."""
    pieces = list(given)
    of_order: dict[str, list[Assignment]] = defaultdict(list)
    for piece in pieces:
        of_order[piece.order_id].append(piece)
    broken = [fault for piece in pieces if (fault := _piece_fault(problem, found, piece))]
    if broken:
        return broken
    return [
        *_pools(problem, found, pieces),
        *_minimums(problem, found, pieces),
        *(fault for order in orders for fault in _order_faults(found, order, of_order[order.order_id])),
    ]


def _piece_fault(problem: Problem, found: Index, piece: Assignment) -> str:
    name = f"{piece.order_id}/{piece.line_id} from {piece.source_id}"
    order, line = found.orders.get(piece.order_id), found.lines.get(piece.order_id, {}).get(piece.line_id)
    if order is None or line is None or not 0 <= piece.supply_index < len(problem.supplies):
        return f"{name}: unknown order, line or supply"
    supply = problem.supplies[piece.supply_index]
    if (supply.source_id, supply.item_key, supply.on) != (piece.source_id, line.item_key, piece.supply_on):
        return f"{name}: not its supply"
    if not piece.quantity > 0 or piece.quantity % step_of(supply):
        return f"{name}: {piece.quantity} is no multiple of {step_of(supply)}"
    services = found.services[piece.order_id, piece.source_id]
    service = next((one for one in services if (one.carrier, one.service) == (piece.carrier, piece.service)), None)
    fault = refusal(problem, order, line, found.sources.get(piece.source_id), supply, service, piece.ship_on)
    return f"{name}: {fault}" if fault else ""


def _pools(problem: Problem, found: Index, pieces: list[Assignment]) -> list[str]:
    """Supplies, credits and capacities, which all pieces share."""
    taken: dict[int, Decimal] = defaultdict(Decimal)
    units: dict[str, Decimal] = defaultdict(Decimal)
    worth: dict[str, Decimal] = defaultdict(Decimal)
    orders: dict[str, set[str]] = defaultdict(set)
    for piece in pieces:
        orders[piece.source_id].add(piece.order_id)
        taken[piece.supply_index] += piece.quantity
        units[piece.source_id] += piece.quantity
        worth[found.sources[piece.source_id].partner_id] += (
            piece.quantity * problem.supplies[piece.supply_index].unit_cost
        )
    broken = [
        f"{problem.supplies[at].source_id} {problem.supplies[at].item_key}: oversold, {sold} of"
        f" {problem.supplies[at].quantity}"
        for at, sold in taken.items()
        if sold > problem.supplies[at].quantity
    ]
    for source in found.sources.values():
        used = units[source.source_id]
        if source.capacity_left is not None and used > 0 and used > source.capacity_left:
            broken.append(f"{source.source_id}: {used} over the capacity of {source.capacity_left}")
        count = len(orders[source.source_id])
        if source.orders_left is not None and count > source.orders_left:
            broken.append(f"{source.source_id}: {count} orders over the capacity of {source.orders_left}")
    for partner_id, credit in found.credit.items():
        if worth[partner_id] > credit:
            broken.append(f"{partner_id}: {worth[partner_id]} over the credit of {credit}")
    return broken


def _minimums(problem: Problem, found: Index, pieces: list[Assignment]) -> list[str]:
    """Order minimums by order and source, minimum quantities by line and source."""
    worth: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    units: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    least: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for piece in pieces:
        supply = problem.supplies[piece.supply_index]
        worth[piece.order_id, piece.source_id] += piece.quantity * supply.unit_cost
        key = (piece.order_id, piece.line_id, piece.source_id)
        units[key] += piece.quantity
        least[key] = max(least[key], supply.minimum)
    broken = [
        f"{order_id} from {source_id}: {value} below the order minimum"
        for (order_id, source_id), value in worth.items()
        if value < found.sources[source_id].order_minimum
    ]
    return broken + [f"{'/'.join(key)}: {units[key]} below the minimum" for key in units if units[key] < least[key]]


def _order_faults(found: Index, order: OrderDemand, pieces: list[Assignment]) -> list[str]:
    """Splits, whole lines, kits, and all or nothing."""
    broken = []
    policy, lines = order.policy, found.lines[order.order_id]
    used = {piece.source_id for piece in pieces}
    if policy.split_orders_max is not None and len(used) > policy.split_orders_max:
        broken.append(f"{order.order_id}: {len(used)} sources, {policy.split_orders_max} allowed")
    served: dict[str, Decimal] = defaultdict(Decimal)
    parcels: dict[str, set[tuple[object, ...]]] = defaultdict(set)
    for piece in pieces:
        line = lines[piece.line_id]
        served[piece.line_id] += piece.quantity
        parcels[together(order, line)].add((piece.source_id, piece.carrier, piece.service, piece.ship_on))
    for line in lines.values():
        if line_fault(line):
            continue
        name, got = f"{order.order_id}/{line.line_id}", served[line.line_id]
        if got > line.quantity:
            broken.append(f"{name}: {got} assigned, {line.quantity} ordered")
        if is_whole(order, line) and (0 < got < line.quantity or len(parcels[together(order, line)]) > 1):
            broken.append(f"{name}: split, which it may not be")
        if policy.complete and pieces and got != line.quantity:
            broken.append(f"{name}: not complete")
    return broken + _kit_faults(order, lines, served)


def is_whole(order: OrderDemand, line: DemandLine) -> bool:
    """Whether the line comes whole in one parcel or not at all."""
    return not (line.splittable and order.policy.split_lines)


def together(order: OrderDemand, line: DemandLine) -> str:
    """The name of what comes in one parcel when it may not be split: the kit, or the line."""
    return f"kit {line.parent_line}" if line.parent_line else f"line {line.line_id}"


def _kit_faults(order: OrderDemand, lines: dict[str, DemandLine], served: dict[str, Decimal]) -> list[str]:
    """Kits of which some components come more often than others, or not whole."""
    made: dict[str, set[Decimal]] = defaultdict(set)
    for line in lines.values():
        if line.parent_line:
            count = 0 if line_fault(line) else served[line.line_id] * max(1, line.kits) / line.quantity
            made[line.parent_line].add(Decimal(count))
    return [
        f"{order.order_id}: kit {kit} in parts"
        for kit, counts in made.items()
        if len(counts) > 1 or any(count % 1 for count in counts)
    ]
