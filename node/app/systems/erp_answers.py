"""Our ERP asked to keep holds, outside of any transaction, and what follows from its answers, in one for each.

The ledger decided before, so nobody else gets the pieces meanwhile. A crash asks the same question again, which an
adapter answers the same; an answer that comes too late is told back to the ERP as a release.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from adapters.base import Adapter, Hold, Reserves
from node import wire
from node.app.context import Context
from node.app.stock.granting import line_told
from node.app.stock.inventory import BASIS_SETTING
from node.app.stock.ledger import Ledger, in_unit
from node.app.stock.reservations import answer_later
from node.core import reservation
from node.core.document.inventory import StockBasis
from node.core.quantity import from_scaled
from node.core.reservation_rows import ErpHoldRow, ReservationRow
from node.errors import AdapterError
from node.ports import Store, Transaction

__all__ = ["Answered", "refuse_late", "tell_due"]

TOLD_AT_ONCE = 100
MISSES_MAX = 3
"""After so many in a row that the ERP could not answer, it is away; the rest waits."""

RETRY_MICROS = 2_000_000
RETRY_MICROS_MAX = 300_000_000

_NO_TIME = "our system did not answer in time"


class Answered(NamedTuple):
    """What the ERP's answers led to."""

    told: int = 0
    partners: frozenset[str] = frozenset()  # who has something to get


class _Question(NamedTuple):
    what: str
    hold: Hold
    order: str = ""
    taken: Decimal = Decimal(0)


def tell_due(store: Store, ctx: Context, name: str, adapter: Adapter) -> Answered:
    """Tell a system what it has to know of holds on its stock now. Never raises for what the system does."""
    told, misses, partners = 0, 0, set[str]()
    while misses < MISSES_MAX:
        due = store.read(lambda tx: tx.erp_holds.due(name, ctx.now_micros(), TOLD_AT_ONCE))
        if not due:
            break
        for one in due:
            question = store.read(partial(_question, ctx=ctx, one=one))
            if question is None:
                store.write(partial(_later, ctx=ctx, one=one))
                continue
            reference, refused, failed = _tell(adapter, question)
            if failed:
                ctx.log.warning("a hold could not be told: %s", failed, extra={"adapter": name})
                store.write(partial(_failed, ctx=ctx, one=one, text=failed))
                misses += 1
                if misses == MISSES_MAX:
                    break
                continue
            told, misses = told + 1, 0
            partners |= store.write(
                partial(_answered, ctx=ctx, one=one, question=question, reference=reference, refused=refused)
            )
    return Answered(told, frozenset(partners))


def _question(tx: Transaction, *, ctx: Context, one: ErpHoldRow) -> _Question | None:
    """What is to be asked of a hold as it stands; None while its order has not reached the ERP."""
    row = _row(tx, one)
    what = reservation.to_tell(row.state, one.told, longer=row.expires_at > one.until)
    hold = Hold(
        reservation_id=one.reservation_id,
        partner=one.partner_id,
        number=one.number,
        gtin=one.gtin,
        location=one.location,
        quantity=from_scaled(one.quantity),
        unit=one.unit,
        until=wire.instant(row.expires_at),
    )
    if what != "confirm":
        return _Question(what, hold)
    order = next(iter(tx.orders.by_ids([row.order_id])), None)
    posting = tx.handovers.get(order.document_id) if order is not None else None
    if posting is not None and posting.state == "waiting":
        return None
    taken = in_unit(row.granted, row.unit, one.unit)
    part = one.quantity if taken is None else min(taken, one.quantity)
    return _Question(what, hold, order.number if order is not None else "", from_scaled(part))


def _row(tx: Transaction, one: ErpHoldRow) -> ReservationRow:
    return next(
        row
        for row in tx.reservations.get(one.reservation_id)
        if (row.partner_id, row.role) == (one.partner_id, one.role)
    )


def _tell(adapter: Adapter, question: _Question) -> tuple[str, str, str]:
    """The system's reference, its refusal, and why it could not answer; one of them, or none where all is well."""
    try:
        if not isinstance(adapter, Reserves) or not adapter.reserves():
            return "", "the adapter keeps no holds", ""
        if question.what == "reserve":
            answer = adapter.reserve(question.hold)
            return answer.reference, answer.refused, ""
        if question.what == "confirm":
            adapter.confirm_hold(question.hold, question.order, question.taken)
        elif question.what == "release":
            adapter.release_hold(question.hold)
    except AdapterError as error:
        if error.permanent and question.what == "reserve":
            return "", error.message or "our system cannot keep it", ""
        return "", "", error.message or "the adapter gave no reason"
    except Exception as error:
        # A fault of the adapter's, which must not stop other holds.
        return "", "", f"{type(error).__name__}: {error}"
    return "", "", ""


def _current(tx: Transaction, one: ErpHoldRow) -> ErpHoldRow:
    """It may have changed while the ERP was asked."""
    return tx.erp_holds.find([one.reservation_id])[one.reservation_id, one.partner_id, one.role]


def _later(tx: Transaction, *, ctx: Context, one: ErpHoldRow) -> None:
    tx.erp_holds.put([_current(tx, one)._replace(next_at=ctx.now_micros() + RETRY_MICROS)])


def _failed(tx: Transaction, *, ctx: Context, one: ErpHoldRow, text: str) -> None:
    now = _current(tx, one)
    pause = min(RETRY_MICROS << min(now.attempts, 20), RETRY_MICROS_MAX)
    after = now._replace(attempts=now.attempts + 1, next_at=ctx.now_micros() + pause, error=text[:500])
    tx.erp_holds.put([after])


def _answered(
    tx: Transaction, *, ctx: Context, one: ErpHoldRow, question: _Question, reference: str, refused: str
) -> set[str]:
    """One answer of the ERP's: remember it, and let what waits for it go on; returns who has something to get."""
    now = _current(tx, one)
    if not question.what:
        tx.erp_holds.put([now._replace(next_at=0)])
        return set()
    if question.what != "reserve":
        tx.erp_holds.put([now._replace(told="ended", next_at=0, answer_by=0, error="")])
        return set()
    row = _row(tx, one)
    told = "held" if not refused or now.told == "held" else "refused"  # what it keeps, it only cannot keep longer
    until = wire.micros(question.hold.until)
    more = reservation.to_tell(row.state, told, longer=row.expires_at > until)
    after = now._replace(
        told=told,
        reference=reference or now.reference,
        error=refused[:500],
        until=until,
        answer_by=0,
        next_at=ctx.now_micros() if more else 0,
        attempts=0,
    )
    tx.erp_holds.put([after])
    return _follow(tx, ctx, after, row)


def _follow(tx: Transaction, ctx: Context, one: ErpHoldRow, row: ReservationRow) -> set[str]:
    if row.role == "own":
        if one.told == "refused" and row.state in reservation.LIVE:
            _take_back(tx, ctx, row, one.error)
        elif one.told == "held":
            _covered(tx, ctx, [row])
        return set()
    if row.state != "pending":
        return set()
    return _decide(tx, ctx, row.partner_id, one)


def _bound(one: ErpHoldRow) -> list[str]:
    """The reservation ids that stand or fall with this one, itself among them."""
    return [str(name) for name in json.loads(one.bound)] if one.bound else [one.reservation_id]


def _decide(tx: Transaction, ctx: Context, partner_id: str, one: ErpHoldRow) -> set[str]:
    """Grant or refuse what stands or falls with this hold, once every answer is there that counts."""
    ids = _bound(one)
    rows = tx.reservations.find(partner_id, "grantor", ids)
    asked = tx.erp_holds.find(ids)
    told = {}
    for name in ids:
        at_erp = asked.get((name, partner_id, "grantor"))
        gone = name not in rows or rows[name].state != "pending"
        told[name] = "ended" if gone else at_erp.told if at_erp is not None else "held"
    verdict = reservation.together(list(told.values()))
    if not verdict:
        return set()
    reasons = {name: "incomplete" if one == "held" else "not-enough" for name, one in told.items()}
    return _end(tx, ctx, list(rows.values()), {} if verdict == "grant" else reasons)


def _end(tx: Transaction, ctx: Context, rows: Sequence[ReservationRow], refused: Mapping[str, str]) -> set[str]:
    """Grant pending holds of one request, or refuse them for these reasons, and answer; returns who is answered."""
    pending = [row for row in rows if row.state == "pending"]
    ledger = Ledger(tx, ctx, [row.item_key for row in pending])
    decided = []
    for before in pending:
        row = ledger.known((before.reservation_id, before.partner_id, before.role)) or before
        if row.state != "pending":
            continue  # its time was up just now
        if row.reservation_id in refused:
            decided.append(ledger.change(row, ledger.ended(row, "refuse", refused[row.reservation_id])))
            continue
        state = reservation.after(row.state, "grant" if row.granted == row.quantity else "grant_partly")
        decided.append(ledger.change(row, row._replace(state=state, at=ledger.now)))
    ledger.write()
    if not decided:
        return set()
    if not refused:
        _covered(tx, ctx, decided)
    first = decided[0]
    answer_later(tx, ctx, first, [line_told(row.line_id, row) for row in decided])
    return {first.partner_id}


def _covered(tx: Transaction, ctx: Context, rows: Sequence[ReservationRow]) -> None:
    """The ERP keeps these: where its figures are net, those from now on have taken them off themselves."""
    if tx.settings.get(BASIS_SETTING) == StockBasis.NET.value:
        now = ctx.now_micros()
        tx.reservations.put([row._replace(covered=row.held, covered_at=now) for row in rows if row.held])


def _take_back(tx: Transaction, ctx: Context, row: ReservationRow, reason: str) -> None:
    """Our own hold that the ERP does not keep: whoever counted on it looks for another source."""
    ledger = Ledger(tx, ctx, [row.item_key])
    row = ledger.known((row.reservation_id, row.partner_id, row.role)) or row
    ledger.change(row, ledger.ended(row, "withdraw", reason))
    ledger.write()
    orders = {piece.customer_order_id for piece in tx.customer_orders.pieces_named([row.piece_id])}
    tx.customer_orders.wake(sorted(orders), ctx.now_micros())


def refuse_late(tx: Transaction, ctx: Context, limit: int = TOLD_AT_ONCE) -> set[str]:
    """Refuse requests that our ERP has not answered in time; returns the partners that have an answer to get."""
    partners: set[str] = set()
    for one in tx.erp_holds.late(ctx.now_micros(), limit):
        now = _current(tx, one)
        if not now.answer_by:
            continue  # refused with another one
        tx.erp_holds.put([now._replace(answer_by=0, error=now.error or _NO_TIME)])
        ids = _bound(one)
        rows = tx.reservations.find(one.partner_id, "grantor", ids)
        partners |= _end(tx, ctx, list(rows.values()), dict.fromkeys(ids, "no-answer"))
    return partners
