"""What a plan decided on one order as plain values and back: small, and enough to explain the decision by its problem.

Costs of nothing are left out; numbers are decimal texts, days ISO dates. A plan of several orders is not kept so: what
the others took of the same stock belongs to its explanation.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from node.core.sourcing.problem import Assignment, Plan, Unfilled
from node.errors import RefusedError

__all__ = ["plan_fields", "plan_of"]

_MADE_OF = "pieces"
"""The field by which what `plan_fields` gives is told from an explanation."""


def plan_fields(plan: Plan, order_id: str) -> dict[str, Any]:
    """The pieces of one order, and what of it stays open."""
    return {
        "order": order_id,
        "method": plan.method,
        "status": plan.status,
        "gap": plan.gap,
        _MADE_OF: [_piece(one) for one in plan.assignments if one.order_id == order_id],
        "open": [
            {"line": one.line_id, "quantity": str(one.quantity), "reason": one.reason}
            for one in plan.unfilled
            if one.order_id == order_id
        ],
    }


def _piece(one: Assignment) -> dict[str, Any]:
    return {
        "line": one.line_id,
        "source": one.source_id,
        "item": one.item_key,
        "quantity": str(one.quantity),
        "from": one.supply_on.isoformat(),
        "ships": one.ship_on.isoformat(),
        "arrives": one.arrive_on.isoformat(),
        "carrier": one.carrier,
        "service": one.service,
        "costs": {part: str(cost) for part, cost in one.costs.items() if cost},
        "supply": one.supply_index,
    }


def plan_of(fields: Mapping[str, Any]) -> Plan | None:
    """The plan in these fields; None where they are something else, such as an explanation.

    Raises RefusedError ``bad-plan`` when they are broken.
    """
    if _MADE_OF not in fields:
        return None
    try:
        return _plan_of(fields)
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        hint = "it was not written by this version of the node"
        raise RefusedError(f"this is no plan: {str(error)[:200]}", code="bad-plan", hint=hint) from None


def _plan_of(fields: Mapping[str, Any]) -> Plan:
    order_id = str(fields["order"])
    pieces = tuple(
        Assignment(
            order_id=order_id,
            line_id=_text(one["line"]),
            source_id=_text(one["source"]),
            item_key=_text(one["item"]),
            quantity=_number(one["quantity"]),
            supply_on=date.fromisoformat(one["from"]),
            ship_on=date.fromisoformat(one["ships"]),
            arrive_on=date.fromisoformat(one["arrives"]),
            carrier=_text(one["carrier"]),
            service=_text(one["service"]),
            costs={part: _number(cost) for part, cost in one["costs"].items()},
            supply_index=int(one["supply"]),
        )
        for one in fields[_MADE_OF]
    )
    unfilled = tuple(
        Unfilled(
            order_id=order_id,
            line_id=_text(one["line"]),
            quantity=_number(one["quantity"]),
            reason=_text(one["reason"]),
        )
        for one in fields["open"]
    )
    costs: dict[str, Decimal] = {}
    for piece in pieces:
        for part, cost in piece.costs.items():
            costs[part] = costs.get(part, Decimal(0)) + cost
    return Plan(
        assignments=pieces,
        unfilled=unfilled,
        cost=sum(costs.values(), Decimal(0)),
        costs=costs,
        method=_text(fields["method"]),
        status=_text(fields["status"]),
        gap=float(fields["gap"]),
        bound=None,
        seconds=None,
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text is expected, not {value!r:.40}")
    return value


def _number(value: Any) -> Decimal:
    number = Decimal(_text(value))
    if not number.is_finite():
        raise ValueError(f"a number is expected, not {value!r:.40}")
    return number
