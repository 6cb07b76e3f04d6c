"""The process of customer orders at work: facts are absorbed, due steps done, plans become pieces, holds and orders.

Everything of one look at an order is one transaction. Only the choice of sources is made between two transactions, on a
snapshot; the second one takes it up only as far as it still fits, so that a crash, or news that came meanwhile, costs a
second try and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from node.app.context import Context
from node.app.documents.submit import withdraw
from node.app.fulfilment import collection, onward
from node.app.fulfilment import orchestration_documents as documents
from node.app.fulfilment.chain import tell_origin
from node.app.fulfilment.disrupted_pieces import notices_in_force, with_notices
from node.app.fulfilment.doubts import cleared_up
from node.app.fulfilment.notices import notice, notice_rows, supply_changed
from node.app.fulfilment.orchestration_facts import facts_of
from node.app.fulfilment.orchestration_state import State, launch_of, policy_of, read_state
from node.app.fulfilment.taking_apart import take_apart
from node.app.stock import reservations
from node.config.orchestration import OrchestrationSettings
from node.core import fulfilment, kits, movements
from node.core.allotment import drop
from node.core.customer_rows import PieceRow
from node.core.piece_state import DEAD, EXTENDING, absorb, step_to
from node.core.promise_rows import DisruptionRow
from node.errors import RefusedError
from node.ports import Transaction

__all__ = ["Looked", "go_on", "look", "notice", "notice_rows", "perform", "supply_changed"]

SECOND = 1_000_000
ROUNDS_MAX = 30
"""Looks in one transaction: each decides on what the one before has done."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look came to: what is to be sourced, if anything, and which partners have something to get."""

    source: fulfilment.Source | None
    wake: frozenset[str]


def look(
    tx: Transaction, ctx: Context, customer_order_id: int, notices: Sequence[DisruptionRow] | None = None
) -> Looked:
    """Absorb what happened, perform what is due, and say whether sources must be found.

    `notices` are those in force, where many orders are looked at in one transaction.
    """
    return go_on(tx, ctx, read_state(tx, customer_order_id), notices)


def go_on(tx: Transaction, ctx: Context, state: State, notices: Sequence[DisruptionRow] | None = None) -> Looked:
    """A look at an order as this transaction has read or left it; what was changed is saved."""
    notices = notices_in_force(tx, ctx) if notices is None else notices
    now, policy = ctx.now_micros(), policy_of(ctx, state.order)
    state.order = cleared_up(tx, ctx, state.order, list(state.lines.values()), state.pieces)
    source = None
    for _ in range(ROUNDS_MAX):
        state.facts = with_notices(tx, ctx, state.order, state.lines, state.pieces.values(), state.facts, notices)
        _absorb(state, now, ctx.settings.orchestration)
        steps = fulfilment.next_steps(
            state.order,
            list(state.lines.values()),
            list(state.pieces.values()),
            state.facts,
            now,
            policy,
            launch_of(state.order),
        )
        source = next((step for step in steps if isinstance(step, fulfilment.Source)), None)
        apart = take_apart(tx, ctx, state.lines, source.lines if source is not None else {})
        for one in apart.findings:
            if one.text not in state.order.reason:
                state.tell(now, one.rule, None, 0, one.text)
        if apart.lines:
            for line in apart.lines:
                state.put_line(line)
            state.tell(now, "taken_apart", None, 0, ", ".join(line.line_id for line in apart.lines))
            state.save(tx)
            continue
        if apart.findings and state.order.approved < 2:
            why = fulfilment.AskHuman("; ".join(f"{one.path}: {one.text}" for one in apart.findings))
            source, steps = None, [*(step for step in steps if not isinstance(step, fulfilment.Source)), why]
        asked = False
        for step in steps:
            asked |= isinstance(step, fulfilment.AskHuman)
            perform(tx, ctx, state, step, now)
        _settle(state, steps, asked, now)
        if not steps or source is not None or _at_rest(steps):
            break
        state.save(tx)
        state.facts = facts_of(tx, list(state.pieces.values()))
    else:
        _ask(tx, ctx, state, fulfilment.AskHuman("the process does not come to rest"), now)
    state.wake |= tell_origin(
        tx, ctx, state.order, list(state.lines.values()), list(state.pieces.values()), state.facts
    )
    state.save(tx)
    return Looked(source, frozenset(state.wake))


def _at_rest(steps: Sequence[fulfilment.Step]) -> bool:
    return isinstance(steps[-1], fulfilment.Wait | fulfilment.MarkDone | fulfilment.MarkCancelled)


def _absorb(state: State, now: int, settings: OrchestrationSettings) -> None:
    for piece_id, piece in list(state.pieces.items()):
        fact = state.facts.get(piece_id)
        if fact is None:
            continue
        after, said = absorb(piece, fact, now)
        if after.state == "ordered" and after.next_at is None and after.partner_id:
            after = after._replace(next_at=now + settings.order_answer_hours * 3600 * SECOND)
        elif after.state == "ready" and after.state != piece.state and settings.collect_days:
            after = after._replace(next_at=now + settings.collect_days * 86_400 * SECOND)
        for one in said:
            state.tell(now, one.event, piece, one.quantity, one.detail)
        line = state.lines[piece.line_id]
        if (settled := fulfilment.not_given_back(line, said)) != line:
            state.put_line(settled)
        state.put(after)
    live = [piece for piece in state.pieces.values() if piece.state not in DEAD]
    if state.order.state == "done" and any(piece.state != "delivered" for piece in live):
        state.tell(now, "opened_again", None, 0, "a delivery that was told did not happen after all")
        state.order = state.order._replace(state="active")


def _settle(state: State, steps: Sequence[fulfilment.Step], asked: bool, now: int) -> None:
    """The order's own state, once the steps are done."""
    order = state.order
    if order.state in ("done", "cancelled"):
        state.order = order._replace(next_at=None)
        return
    if not asked and order.state in ("human", "approval", "captured", "waiting") and order.approved:
        waits = all(piece.state == "back_ordered" for piece in state.pieces.values()) and bool(state.pieces)
        order = order._replace(state="waiting" if waits else "active", reason="")
    elif not asked and order.state == "active" and state.pieces and order.approved:
        live = [piece for piece in state.pieces.values() if piece.state not in ("rejected", "released", "cancelled")]
        if live and all(piece.state == "back_ordered" for piece in live):
            order = order._replace(state="waiting")
    until = next((step.until for step in steps if isinstance(step, fulfilment.Wait)), None)
    # What is to be sourced stays due: should the node end before sources are found, it begins with that again.
    source = any(isinstance(step, fulfilment.Source) for step in steps)
    state.order = order._replace(next_at=now if source else until, at=now)


def perform(tx: Transaction, ctx: Context, state: State, step: fulfilment.Step, now: int) -> None:
    """Do one step to the order; the caller saves it."""
    _PERFORM[type(step)](tx, ctx, state, step, now)


# --- performing -------------------------------------------------------------------------------------------------------


def _source(tx: Transaction, ctx: Context, state: State, step: fulfilment.Source, now: int) -> None:
    """Nothing here: sources are found outside the transaction."""


def _confirm(tx: Transaction, ctx: Context, state: State, step: fulfilment.ConfirmHeld, now: int) -> None:
    """One partner order for each source and mode; what cannot go is given back and sourced elsewhere."""
    groups: dict[tuple[str, str, str], list[PieceRow]] = {}
    for piece_id in step.piece_ids:
        piece = state.pieces[piece_id]
        groups.setdefault((piece.partner_id, piece.location, piece.mode), []).append(piece)
    for pieces in groups.values():
        count = state.order.partner_orders + 1
        state.order = state.order._replace(partner_orders=count)
        number = documents.number_of(tx, state.order, count)
        try:
            with tx.savepoint():
                _order_group(tx, ctx, state, number, pieces, now)
        except RefusedError as error:
            for piece in pieces:
                _give_hold_back(tx, ctx, piece, error.message)
                state.tell(now, "not_ordered", piece, piece.quantity, error.message)
                state.put(drop(piece, piece.quantity, error.message, now))


def _order_group(
    tx: Transaction, ctx: Context, state: State, number: str, pieces: Sequence[PieceRow], now: int
) -> None:
    settings = ctx.settings.orchestration
    placed = documents.place_order(tx, ctx, state.order, number, pieces, state.lines)
    held = {
        piece.reservation_id: str(place)
        for place, piece in enumerate(pieces, 1)
        if piece.reservation_id and not piece.partner_id
    }
    if held:
        reservations.confirm_own(tx, ctx, held, placed.order_id)
    for place, piece in enumerate(pieces, 1):
        following = piece._replace(
            state=step_to(piece.state, "order_sent"),
            order_id=placed.order_id,
            order_line_id=str(place),
            next_at=now + settings.order_receipt_minutes * 60 * SECOND if piece.partner_id else None,
            at=now,
        )
        state.tell(now, "order_sent", piece, piece.quantity, number)
        state.put(following)
    if pieces[0].partner_id:
        state.wake.add(pieces[0].partner_id)


def _give_hold_back(tx: Transaction, ctx: Context, piece: PieceRow, reason: str) -> None:
    """Release a piece's hold, where there is one that nobody has taken up."""
    if not piece.reservation_id:
        return
    try:
        reservations.release(tx, ctx, piece.reservation_id, reason, partner_id=piece.partner_id)
    except RefusedError as error:
        ctx.log.warning("a hold was not given back: %s", error.message, extra={"partner": piece.partner_id})


def _drop(tx: Transaction, ctx: Context, state: State, step: fulfilment.DropPiece, now: int) -> None:
    piece = state.pieces[step.piece_id]
    after = drop(piece, step.quantity, step.reason, now)
    if after.state == "released":
        _give_hold_back(tx, ctx, piece, step.reason)
    elif piece.reservation_id:
        reservations.shrink(tx, ctx, piece.reservation_id, after.quantity, step.reason, partner_id=piece.partner_id)
    if piece.partner_id:
        state.wake.add(piece.partner_id)
    state.tell(now, "dropped", piece, min(step.quantity, piece.quantity), step.reason)
    state.put(after)


def _extend(tx: Transaction, ctx: Context, state: State, step: fulfilment.ExtendHold, now: int) -> None:
    """As long again as we hold goods; the partner's limits decide, and what it does not extend runs out."""
    piece = state.pieces[step.piece_id]
    until = (ctx.now() + timedelta(minutes=ctx.settings.orchestration.hold_minutes)).replace(microsecond=0)
    try:
        held = reservations.extend(tx, ctx, piece.reservation_id, until, partner_id=piece.partner_id)
    except RefusedError as error:
        ctx.log.warning("a hold was not extended: %s", error.message, extra={"partner": piece.partner_id})
        state.tell(now, "not_extended", piece, piece.quantity, error.message)
        state.put(piece._replace(reason=EXTENDING))
        return
    if piece.partner_id:
        state.wake.add(piece.partner_id)
        state.put(piece._replace(reason=EXTENDING))
        state.tell(now, "extension_asked", piece, piece.quantity, "")
    else:
        state.put(piece._replace(next_at=held.expires_at))
        state.tell(now, "hold_extended", piece, piece.quantity, "")


def _withdraw(tx: Transaction, ctx: Context, state: State, step: fulfilment.Withdraw, now: int) -> None:
    """Take the order document back. All its pieces lose it, and each is told so by the facts."""
    piece = state.pieces[step.piece_id]
    assert piece.order_id is not None
    (order,) = tx.orders.by_ids([piece.order_id])
    row = tx.documents.get(order.document_id)
    if row is not None and row.state == "waiting":
        withdraw(tx, ctx, order.document_id)
        _release_of(tx, ctx, state, piece.order_id, step.reason)
    state.tell(now, "withdrawn", piece, piece.quantity, step.reason)
    state.put(piece._replace(state=step_to(piece.state, "dropped"), reason=step.reason, next_at=None, at=now))


def _release_of(tx: Transaction, ctx: Context, state: State, order_id: int, reason: str) -> None:
    """Give the holds back that an order would have taken up."""
    for piece in state.pieces.values():
        if piece.order_id == order_id and piece.reservation_id:
            _give_hold_back(tx, ctx, piece, reason)


def _doubt(tx: Transaction, ctx: Context, state: State, step: fulfilment.Doubt, now: int) -> None:
    piece = state.pieces[step.piece_id]
    state.tell(now, "doubted", piece, piece.quantity, "the order has left and is not receipted")
    state.put(piece._replace(state=step_to(piece.state, "doubted"), next_at=None, at=now))


def _give_up(tx: Transaction, ctx: Context, state: State, step: fulfilment.GiveUp, now: int) -> None:
    """A cancellation goes after the order: should it arrive after all, it is not to be sent."""
    piece = state.pieces[step.piece_id]
    _ask_less(tx, ctx, state, piece, 0, step.reason)
    state.tell(now, "given_up", piece, piece.quantity, step.reason)
    state.put(piece._replace(state=step_to(piece.state, "given_up"), reason=step.reason, next_at=None, at=now))


def _cancel(tx: Transaction, ctx: Context, state: State, step: fulfilment.CancelPiece, now: int) -> None:
    piece = state.pieces[step.piece_id]
    _ask_less(tx, ctx, state, piece, step.keep, step.reason)
    state.tell(now, "cancel_asked", piece, piece.quantity - step.keep, step.reason)
    if piece.state in ("rejected", "released", "cancelled"):
        return
    following = step_to(piece.state, "cancel_asked") if not step.keep else piece.state
    state.put(piece._replace(state=following, wanted=step.keep, reason=step.reason, next_at=None, at=now))


def _ask_less(tx: Transaction, ctx: Context, state: State, piece: PieceRow, keep: int, reason: str) -> None:
    try:
        documents.ask_piece(tx, ctx, piece, keep, reason)
    except RefusedError as error:
        ctx.log.warning("a partner was not asked for less: %s", error.message, extra={"partner": piece.partner_id})
        state.tell(ctx.now_micros(), "not_asked", piece, 0, error.message)
    state.wake.add(piece.partner_id)


def _accept(tx: Transaction, ctx: Context, state: State, step: fulfilment.AcceptChanges, now: int) -> None:
    piece = state.pieces[step.piece_id]
    assert piece.order_id is not None
    (order,) = tx.orders.by_ids([piece.order_id])
    documents.accept_changes(tx, ctx, order, piece.order_line_id)
    state.tell(now, "changes_accepted", piece)
    state.wake.add(piece.partner_id)


def _cancel_units(tx: Transaction, ctx: Context, state: State, step: fulfilment.CancelUnits, now: int) -> None:
    line = state.lines[step.line_id]
    state.put_line(
        line._replace(cancelled=line.cancelled + step.quantity, cancel_asked=line.cancel_asked - step.quantity)
    )
    state.tell(now, "units_cancelled", None, step.quantity, f"line {step.line_id}")


def _cancel_kits(tx: Transaction, ctx: Context, state: State, step: fulfilment.CancelKits, now: int) -> None:
    line = state.lines[step.line_id]
    given, changed = kits.give_up(line, step.kits, list(state.lines.values()))
    for part in changed:
        state.put_line(part)
    state.put_line(line._replace(cancel_asked=line.cancel_asked - given))
    state.tell(now, "kits_given_up", None, given, f"line {step.line_id}")


def _refuse_cancel(tx: Transaction, ctx: Context, state: State, step: fulfilment.RefuseCancel, now: int) -> None:
    line = state.lines[step.line_id]
    state.put_line(line._replace(cancel_asked=line.cancel_asked - step.quantity))
    state.tell(now, "cancel_refused", None, step.quantity, f"line {step.line_id}: it is on its way, or agreed to come")


def _delivered(tx: Transaction, ctx: Context, state: State, step: fulfilment.Delivered, now: int) -> None:
    piece = state.pieces[step.piece_id]
    state.tell(now, "taken_as_delivered", piece, piece.quantity - piece.delivered, "no news since it was despatched")
    state.put(piece._replace(state=step_to(piece.state, "delivered"), delivered=piece.quantity, next_at=None, at=now))


def _ask(tx: Transaction, ctx: Context, state: State, step: fulfilment.AskHuman, now: int) -> None:
    if state.order.reason != step.reason:
        piece = state.pieces.get(step.piece_id) if step.piece_id else None
        state.tell(now, "asked_human", piece, 0, step.reason)
    approved = 0 if step.piece_id is None else state.order.approved
    state.order = state.order._replace(state="human", reason=step.reason, approved=approved)
    if step.piece_id is not None:
        piece = state.pieces[step.piece_id]
        if piece.state == "ordered":
            waiting = step_to(piece.state, "asked_human")
            state.put(piece._replace(state=waiting, next_at=None, reason=step.reason, at=now))


def _done(tx: Transaction, ctx: Context, state: State, step: fulfilment.MarkDone, now: int) -> None:
    state.order = state.order._replace(state="done", reason="", next_at=None)
    state.tell(now, "done")


def _cancelled(tx: Transaction, ctx: Context, state: State, step: fulfilment.MarkCancelled, now: int) -> None:
    state.order = state.order._replace(state="cancelled", next_at=None)
    state.tell(now, "cancelled")


def _wait(tx: Transaction, ctx: Context, state: State, step: fulfilment.Wait, now: int) -> None:
    """Nothing here: `_settle` sets the instant."""


_PERFORM: dict[type, Callable[..., None]] = {
    fulfilment.Source: _source,
    fulfilment.ConfirmHeld: _confirm,
    fulfilment.DropPiece: _drop,
    fulfilment.ExtendHold: _extend,
    fulfilment.Withdraw: _withdraw,
    fulfilment.Doubt: _doubt,
    fulfilment.GiveUp: _give_up,
    fulfilment.CancelPiece: _cancel,
    fulfilment.AcceptChanges: _accept,
    fulfilment.CancelUnits: _cancel_units,
    fulfilment.CancelKits: _cancel_kits,
    fulfilment.RefuseCancel: _refuse_cancel,
    fulfilment.Delivered: _delivered,
    fulfilment.AskHuman: _ask,
    fulfilment.MarkDone: _done,
    fulfilment.MarkCancelled: _cancelled,
    fulfilment.Wait: _wait,
    movements.PassOn: onward.pass_on,
    movements.NotCollected: collection.not_collected,
}
