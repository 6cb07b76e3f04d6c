"""Deliveries that failed and are given up by a human: the goods are sent again, or wanted no more."""

from __future__ import annotations

from collections.abc import Collection

from node.app.context import Context
from node.app.fulfilment.orchestration_state import State, read_state
from node.core.customer_rows import CustomerOrderRow, PieceRow
from node.core.piece_state import DEAD, net, step_to
from node.errors import RefusedError
from node.ports import Transaction

__all__ = ["give_up"]


def give_up(
    tx: Transaction,
    ctx: Context,
    order: CustomerOrderRow,
    line_ids: Collection[str] = (),
    *,
    cancel: bool = False,
    reason: str = "",
) -> dict[str, int]:
    """Take failed deliveries off their pieces: the units are sourced again, or with `cancel` taken off the order.

    Returns them by line, scaled. What arrives of them after all is a surplus. Raises RefusedError where none failed.
    """
    state = read_state(tx, order.customer_order_id)
    now = ctx.now_micros()
    given: dict[str, int] = {}
    for piece in list(state.pieces.values()):
        fact = state.facts.get(piece.piece_id)
        if piece.state in DEAD or fact is None or (line_ids and piece.line_id not in line_ids):
            continue
        units = min(net(piece, fact).failed, piece.quantity - piece.delivered)
        if units <= 0:
            continue
        given[piece.line_id] = given.get(piece.line_id, 0) + units
        state.put(_without(piece, units, now))
        why = reason or ("wanted no more" if cancel else "it is sent again")
        state.tell(now, "given_up", piece, units, f"the delivery failed: {why}")
    if not given:
        hint = f"`hansa order show {order.number}` tells how it stands."
        raise RefusedError(f"no delivery of customer order {order.number} has failed", code="not-failed", hint=hint)
    if cancel:
        _cancel(state, given)
    state.order = state.order._replace(next_at=now, at=now)
    state.save(tx)
    return given


def _without(piece: PieceRow, units: int, now: int) -> PieceRow:
    left = piece.quantity - units
    less = piece._replace(
        lost=piece.lost + units, despatched=max(0, piece.despatched - units), reason="the delivery failed", at=now
    )
    if left:
        return less._replace(quantity=left, wanted=min(piece.wanted, left))
    return less._replace(state=step_to(piece.state, "lost"), next_at=None)


def _cancel(state: State, given: dict[str, int]) -> None:
    for line_id, units in given.items():
        line = state.lines[line_id]
        asked = max(0, line.cancel_asked - units)
        state.put_line(line._replace(cancelled=line.cancelled + units, cancel_asked=asked))
