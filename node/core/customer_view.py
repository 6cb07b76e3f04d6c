"""One customer order as a person wants to see it: every line's pieces, from whom, when, what came, what is to come.

Everything is derived from rows; quantities are decimal text in each line's unit. A line's account balances:
ordered = cancelled + delivered + under way + back-ordered + open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from node.core.customer_rows import CustomerLineRow, CustomerOrderRow, DecisionRow, PieceRow, ProcessEventRow
from node.core.decimals import format_decimal, from_scaled
from node.core.fulfilment import balance
from node.core.piece_state import DEAD, INBOUND

__all__ = [
    "TO_DO",
    "decision_fields",
    "event_fields",
    "is_hindered",
    "merge_wait",
    "order_fields",
    "order_to_do",
    "to_do",
    "told",
    "when",
]

TO_DO = {
    "human": "see `hansa order why`, then `hansa order approve`, `change` or `cancel`",
    "approval": "`hansa order approve` or `hansa order cancel`",
    "in_doubt": "ask the partner; `hansa documents list --number` shows the order on its link",
    "waiting_human": "ask the partner; `hansa order confirm` or `hansa order cancel` with its order's number",
    "holding": "nothing: without an answer it is sourced elsewhere",
    "ordering": "nothing: `hansa status` shows whether the partner is connected",
    "ordered": "nothing yet: the partner has the order, and has not answered",
    "cancelling": "nothing: the partner has been asked, and has not answered",
    "back_ordered": "nothing: it is sourced when there is supply",
    "ready": "the customer collects it: `hansa order collected`, or `not-collected`",
    "despatched": "nothing: it is on its way",
    "held": "nothing: it is ordered when the rest is found",
    "planned": "nothing: it is ordered when the rest is found",
    "accepted": "nothing: it will be sent",
}
"""What a person can do about what waits in a state."""


def when(micros: int | None) -> str:
    """An instant of the store as text; "" for none."""
    if micros is None:
        return ""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def told(scaled: int) -> str:
    """A scaled quantity as decimal text."""
    return format_decimal(from_scaled(scaled))


def order_fields(
    order: CustomerOrderRow,
    lines: Sequence[CustomerLineRow],
    pieces: Sequence[PieceRow],
    names: Mapping[str, str],
    numbers: Mapping[int, str],
    asked: Mapping[int, int] = MappingProxyType({}),
    came: Mapping[int, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """The order with its lines and pieces. `names` are partners' names by id, `numbers` partner orders' by id.

    `asked` is since when, by piece id, a request to send less waits for its answer; `came` the day on which what was
    delivered came.
    """
    return {
        "number": order.number,
        "channel": order.channel,
        "kind": order.kind,
        "customer": order.customer,
        "state": order.state,
        "reason": order.reason,
        "to_do": order_to_do(order),
        "usage": order.usage,
        "currency": order.currency,
        "priority": order.priority,
        "country": order.country,
        "postal_code": order.postal_code,
        "collect_at": order.collect_at,
        "need_on": order.need_on,
        "not_after": order.not_after,
        "launch_on": order.launch_on,
        "origin_partner": order.origin_partner,
        "origin_partner_name": names.get(order.origin_partner, ""),
        "root_id": order.root_id,
        "hops_left": order.hops_left,
        "recurs_on": order.recurs_on,
        "captured_at": when(order.captured_at),
        "next_at": when(order.next_at),
        "sourced": order.sourced,
        "lines": [_line(line, lines, pieces, names, numbers, asked, came) for line in lines],
    }


def _line(
    line: CustomerLineRow,
    lines: Sequence[CustomerLineRow],
    pieces: Iterable[PieceRow],
    names: Mapping[str, str],
    numbers: Mapping[int, str],
    asked: Mapping[int, int],
    came: Mapping[int, str],
) -> dict[str, Any]:
    own = [piece for piece in pieces if piece.line_id == line.line_id]
    parts = {one.line_id for one in lines if one.parent_line == line.line_id}
    parts |= {one.line_id for one in lines if one.parent_line in parts}
    below = [piece for piece in pieces if piece.line_id in parts]
    sums = balance(line, [*own, *below], lines)
    live = [piece for piece in [*own, *below] if piece.state not in DEAD]
    days = sorted(day for piece in live if (day := came.get(piece.piece_id) or piece.promised_on))
    agreed = sorted(day for piece in live if (day := piece.agreed_on or piece.promised_on))
    all_promised = all(piece.promised_on for piece in [*own, *below] if piece.state == "back_ordered")
    return {
        "line_id": line.line_id,
        "item": line.gtin or line.seller_number or line.buyer_number or line.description,
        "description": line.description or (f"component of line {line.parent_line}" if line.parent_line else ""),
        "unit": line.unit,
        "parent_line": line.parent_line,
        "need_on": line.need_on,
        "ordered": told(sums["ordered"]),
        "delivered": told(sums["delivered"]),
        "under_way": told(sums["live"]),
        "back_ordered": told(sums["back_ordered"]),
        "cancelled": told(sums["cancelled"]),
        "open": told(sums["open"]),
        "cancel_asked": told(line.cancel_asked),
        # Of what has come the day on which it came, of the rest the promised one.
        "complete_on": days[-1] if days and all_promised and not sums["open"] else None,
        # The day that was agreed on before notices of disruption moved pieces; None where none has.
        "agreed_on": agreed[-1] if agreed and any(piece.agreed_on for piece in live) else None,
        "pieces": [
            {**_piece(piece, names, numbers, asked.get(piece.piece_id)), "came_on": came.get(piece.piece_id)}
            for piece in own
        ],
    }


def _piece(
    piece: PieceRow, names: Mapping[str, str], numbers: Mapping[int, str], asked_at: int | None
) -> dict[str, Any]:
    source = names.get(piece.partner_id, piece.partner_id) if piece.partner_id else "our own"
    return {
        "piece": piece.piece_id,
        "quantity": told(piece.quantity),
        "from": source if piece.partner_id or piece.location else "",
        "partner_id": piece.partner_id,
        "location": piece.location,
        "mode": piece.mode,
        "state": piece.state,
        "dead": piece.state in DEAD,
        "on_from": piece.inbound_id,
        "passed_on": told(piece.passed),
        "lost": told(piece.lost),
        "promised_on": piece.promised_on,
        "agreed_on": piece.agreed_on,
        "despatched": told(piece.despatched),
        "delivered": told(piece.delivered),
        "surplus": told(max(0, piece.despatched - (0 if piece.state in DEAD else piece.quantity))),
        "carrier": piece.carrier,
        "service": piece.service,
        "tracking": piece.tracking,
        "order": numbers.get(piece.order_id, "") if piece.order_id is not None else "",
        "decision": piece.decision_id,
        "reason": piece.reason,
        # How much less the source is asked to send, and since when that waits for its answer; "" for nothing.
        "less_asked": told(piece.quantity - piece.wanted) if asked_at is not None else "",
        "less_asked_at": when(asked_at),
        "since": when(piece.at),
        "next_at": when(piece.next_at),
        "to_do": to_do(piece, numbers.get(piece.order_id, "") if piece.order_id is not None else ""),
    }


def merge_wait(order: CustomerOrderRow, now: int) -> str:
    """Until when an order waits for more orders of its customer, to be put together with them; "" where it does not.

    Of the orders that nothing was done for yet only these are not due at once. The time is in UTC.
    """
    if order.state != "captured" or order.sourced or order.next_at is None or order.next_at <= now:
        return ""
    until, today = when(order.next_at), when(now)
    same_day = until[:10] == today[:10]
    at = until[11:16] if same_day else until[:16].replace("T", " ")
    return f"waits until {at} for more orders of the customer"


def order_to_do(order: CustomerOrderRow) -> str:
    """What a person can do about an order that waits; "" where its reason says it."""
    return "" if "`hansa" in order.reason else TO_DO.get(order.state, "")


def is_hindered(piece: PieceRow) -> bool:
    """Whether a back-ordered piece waits for something other than supply, which is its reason."""
    return piece.state == "back_ordered" and bool(piece.reason) and not piece.promised_on


def to_do(piece: PieceRow, number: str = "") -> str:
    """What a person can do about a piece; `number` is that of the order behind it."""
    if piece.mode in INBOUND and piece.state == "despatched":
        return f"say what arrives there: `hansa order receive {number or 'ORDER'}`"
    if is_hindered(piece):
        return (
            "see `hansa order why`; a running node looks again when rules or rates are mended, and when it starts, "
            "for settings; `hansa order approve` at once"
        )
    return TO_DO.get(piece.state, "")


def event_fields(event: ProcessEventRow) -> dict[str, Any]:
    """One entry of the record."""
    return {
        "at": when(event.at),
        "event": event.event,
        "line_id": event.line_id,
        "piece": event.piece_id,
        "quantity": told(event.quantity),
        "detail": event.detail,
    }


def decision_fields(decision: DecisionRow, explanation: Mapping[str, Any]) -> dict[str, Any]:
    """One stored decision with why."""
    return {
        "decision": decision.decision_id,
        "at": when(decision.at),
        "strategy": decision.strategy,
        "method": decision.method,
        "status": decision.status,
        "gap": decision.gap,
        "cost": told(decision.cost),
        "currency": decision.currency,
        "why": dict(explanation),
    }
