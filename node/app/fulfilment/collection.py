"""Goods that a customer collects at a store: they lie ready, are collected, or go back to stock when nobody comes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from node.app.context import Context
from node.app.documents.submit import Submission, submit
from node.app.fulfilment import orchestration_documents as documents
from node.core.customer_rows import CustomerOrderRow, PieceRow
from node.core.document.common import DocumentHeader, LocationRef, Reason
from node.core.document.fulfilment import DeliveryEvent, DeliveryLine, DeliveryStatus
from node.core.finding import Finding
from node.core.movements import NotCollected
from node.core.piece_state import step_to
from node.core.quantity import Quantity, from_scaled
from node.errors import RefusedError
from node.ports import Transaction

if TYPE_CHECKING:
    from node.app.fulfilment.orchestration_state import State

__all__ = ["not_collected", "say"]

_AT_STORE = frozenset({"ordered", "accepted", "ready", "despatched", "delivered", "waiting_human"})


def not_collected(tx: Transaction, ctx: Context, state: State, step: NotCollected, now: int) -> None:
    """Ask the store to keep the rest of a piece, and take it off the order."""
    piece = state.pieces[step.piece_id]
    line, left = state.lines[piece.line_id], piece.quantity - piece.delivered
    room = line.quantity - line.cancelled - line.cancel_asked
    state.put_line(line._replace(cancel_asked=line.cancel_asked + min(left, room)))
    documents.ask_piece(tx, ctx, piece, piece.delivered, step.reason)
    state.tell(now, "not_collected", piece, left, step.reason)
    following = piece.state if piece.delivered else step_to(piece.state, "cancel_asked")
    state.put(piece._replace(state=following, wanted=piece.delivered, reason=step.reason, next_at=None, at=now))


def say(
    tx: Transaction,
    ctx: Context,
    order: CustomerOrderRow,
    event: DeliveryEvent,
    wanted: Mapping[str, int] | None = None,
    *,
    number: str = "",
    reason: str = "",
) -> list[Finding]:
    """What the store does with an order that is collected there: all of it, or so much (scaled) of these lines.

    Returns what is odd about it; it counts all the same. Raises RefusedError where nothing is to be collected.
    """
    pieces = [
        piece
        for piece in tx.customer_orders.pieces([order.customer_order_id])
        if piece.mode == "collect" and piece.order_id is not None and piece.state in _AT_STORE
        if wanted is None or piece.line_id in wanted
    ]
    if not pieces:
        raise RefusedError(
            f"nothing of customer order {order.number} is at its store to be collected",
            code="nothing-to-collect",
            hint=f"`hansa order show {order.number}` tells where it is.",
        )
    said = _shares(pieces, wanted, event)
    found: list[Finding] = []
    own = documents.order_owner(tx)
    by_order: dict[int, list[PieceRow]] = {}
    for piece in pieces:
        if piece.piece_id in said and piece.order_id is not None:
            by_order.setdefault(piece.order_id, []).append(piece)
    for row in tx.orders.by_ids(sorted(by_order)):
        own_pieces = by_order[row.order_id]
        count = len({one.document_id for one in tx.orders.events([row.order_id])})
        status = DeliveryStatus(
            header=DocumentHeader(number=number or f"{row.number}-{event.value}-{count + 1}"),
            order=documents.key_of(row),
            event=event,
            occurred_at=ctx.now(),
            location=LocationRef(code=own_pieces[0].location, owner=own),
            reason=Reason(code="by-hand", text=reason) if reason else None,
            lines=tuple(
                DeliveryLine(
                    order_line_id=piece.order_line_id, quantity=Quantity(from_scaled(said[piece.piece_id]), piece.unit)
                )
                for piece in own_pieces
            ),
        )
        (done,) = submit(tx, ctx, own, [Submission(status)])
        if done.state == "refused":
            raise RefusedError(done.findings[0].text, code=done.findings[0].rule)
        found += done.findings
    return found


def _shares(pieces: list[PieceRow], wanted: Mapping[str, int] | None, event: DeliveryEvent) -> dict[int, int]:
    """How much of each piece is meant; what is beyond all pieces of a line is said of its last one."""
    said: dict[int, int] = {}
    left = dict(wanted or {})
    last = {piece.line_id: piece.piece_id for piece in pieces}
    for piece in pieces:
        # What is ready is told in all; what is collected, or not, piece for piece.
        room = piece.quantity if event is DeliveryEvent.READY_FOR_COLLECTION else piece.quantity - piece.delivered
        share = room if wanted is None else min(room, left[piece.line_id])
        if wanted is not None:
            left[piece.line_id] -= share
            if last[piece.line_id] == piece.piece_id:
                share += left[piece.line_id]
        if share > 0 or (wanted is not None and not wanted[piece.line_id]):
            said[piece.piece_id] = share
    return said
