"""Goods that have arrived where they go on: a piece that brought them ends, and another takes them to the customer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from node.app.context import Context
from node.app.stock import reservations
from node.core.allotment import blank_piece
from node.core.movements import PassOn, place_of
from node.core.piece_state import step_to
from node.ports import Transaction

if TYPE_CHECKING:
    from node.app.fulfilment.orchestration_state import State

__all__ = ["pass_on"]

SECOND = 1_000_000


def pass_on(tx: Transaction, ctx: Context, state: State, step: PassOn, now: int) -> None:
    """Let a new piece hold what has arrived: it is ordered of the place where it is with the order's next step."""
    piece = state.pieces[step.piece_id]
    quantity = min(step.quantity, piece.quantity)
    partner_id, location = place_of(state.order.collect_at)
    blank = blank_piece(
        tx.customer_orders.next_piece_ids(1), piece.customer_order_id, piece.line_id, quantity, piece.unit, now
    )
    mode = "collect" if piece.mode == "to_collect" else "third_party" if partner_id else "ship"
    onward = blank._replace(
        partner_id=partner_id,
        location=location,
        mode=mode,
        state="planned",
        decision_id=piece.decision_id,
        promised_on=piece.promised_on,
        inbound_id=piece.piece_id,
    )
    if not partner_id:
        # It is kept for this order from now on, even before our figures know that it has come in.
        held = reservations.reserve_own(
            tx,
            ctx,
            item_key=state.lines[piece.line_id].item_key,
            location=location,
            quantity=quantity,
            unit=piece.unit,
            customer_order=state.order.number,
            piece_id=onward.piece_id,
            until=now + ctx.settings.orchestration.hold_minutes * 60 * SECOND,
            root_id=state.order.root_id,
            arrived=True,
        )
        if held is not None:
            onward = onward._replace(
                state=step_to(onward.state, "held"), reservation_id=held.reservation_id, next_at=held.expires_at
            )
    left = piece.quantity - quantity
    state.put(
        piece._replace(
            quantity=left,
            wanted=min(piece.wanted, left),
            passed=piece.passed + quantity,
            despatched=max(0, piece.despatched - quantity),
            state=piece.state if left else step_to(piece.state, "passed_on"),
            next_at=piece.next_at if left else None,
            at=now,
        )
    )
    state.put(onward)
    state.tell(now, "arrived_there", piece, quantity, state.order.collect_at)
