"""Holds given back, whole or in part: to the grantor, to our own stock; and holds that we gave, taken back.

A part goes back at once, while the goods are only held. What is asked for and not answered yet is wanted less of, and
given back as soon as the grantor has held more than that (`node.app.stock.requested`).
"""

from __future__ import annotations

from collections.abc import Sequence

from node.app.context import Context
from node.app.stock.hold_documents import find, request_key, try_to_send, word
from node.app.stock.ledger import Ledger
from node.app.stock.requested import Back
from node.core import reservation
from node.core.document.common import DocumentHeader, Reason
from node.core.document.reservation import (
    ReservationOutcome,
    ReservationRelease,
    ReservationReleaseLine,
    ReservationResponse,
    ReservationResponseLine,
)
from node.core.quantity import Quantity, from_scaled
from node.core.reservation_rows import ReservationRow
from node.errors import RefusedError
from node.ports import Transaction

__all__ = ["release", "release_part", "send_release", "shrink"]


def release(
    tx: Transaction, ctx: Context, reservation_id: str, reason: str = "", *, partner_id: str | None = None
) -> ReservationRow:
    """Give a hold back: to its grantor, to our own stock, or take back one that we gave. Twice has no second effect.

    Raises RefusedError ``unknown-reservation``, or ``too-late`` when an order has taken it up.
    """
    row = find(tx, reservation_id, partner_id=partner_id)
    _not_taken_up(row)
    if row.state in reservation.UNWANTED:
        return row
    event = "withdraw" if row.state == "requested" else "release"
    if row.role == "requester":
        ended = row._replace(state=reservation.after(row.state, event), reason=reason[:500], at=ctx.now_micros())
        tx.reservations.put([ended])
        send_release(tx, ctx, row.partner_id, [Back(ended)])
        return ended
    ledger = Ledger(tx, ctx, [row.item_key])
    row = ledger.known((row.reservation_id, row.partner_id, row.role)) or row
    ended = ledger.change(row, ledger.ended(row, event, reason))
    ledger.write()
    if row.role == "grantor" and row.state in reservation.STANDING:
        _tell_released(tx, ctx, ended)
    return ended


def _not_taken_up(row: ReservationRow) -> None:
    if row.state in ("confirmed", "reflected"):
        text = f"an order has taken up reservation {row.reservation_id}"
        raise RefusedError(text, code="too-late", hint="Cancel the order instead.")


def release_part(
    tx: Transaction,
    ctx: Context,
    reservation_id: str,
    quantity: int,
    reason: str = "",
    *,
    partner_id: str | None = None,
) -> ReservationRow:
    """Give so much of a hold back (scaled, in its unit), and keep the rest; all of it is a release.

    Raises RefusedError ``unknown-reservation``, ``too-late``, ``not-held`` when it has ended, ``quantity`` for nothing
    or less, ``more-than-held``, or ``whole-only`` for one that we gave: whoever holds it would not know what is left.
    """
    row = find(tx, reservation_id, partner_id=partner_id)
    _not_taken_up(row)
    if row.state in reservation.UNWANTED or row.expires_at <= ctx.now_micros():
        raise RefusedError(f"reservation {reservation_id} is {word(ctx, row)}", code="not-held")
    if quantity <= 0:
        raise RefusedError(f"{_shown(quantity, row)} was given, more than nothing is expected", code="quantity")
    there = row.quantity if row.state == "requested" else row.granted
    if quantity > there:
        text = f"{_shown(quantity, row)} cannot be given back: {_shown(there, row)} is held"
        raise RefusedError(text, code="more-than-held", hint="Without a quantity all of it is given back.")
    if quantity == there:
        return release(tx, ctx, reservation_id, reason, partner_id=row.partner_id)
    if row.role == "grantor":
        text = "a hold that we gave is taken back whole or not at all"
        raise RefusedError(text, code="whole-only", hint="Without a quantity all of it is taken back.")
    return shrink(tx, ctx, reservation_id, there - quantity, reason, partner_id=row.partner_id)


def _shown(quantity: int, row: ReservationRow) -> str:
    return str(Quantity(from_scaled(quantity), row.unit))


def shrink(
    tx: Transaction,
    ctx: Context,
    reservation_id: str,
    keep: int,
    reason: str = "",
    *,
    partner_id: str | None = None,
) -> ReservationRow:
    """Give back at once what a hold has beyond `keep` (scaled, in its unit, above zero): to the partner, or our stock.

    One that has no more, or has ended, stays as it is. Raises RefusedError ``unknown-reservation``.
    """
    row = find(tx, reservation_id, partner_id=partner_id, roles=("requester", "own"))
    if keep <= 0:
        raise ValueError("nothing kept is a release")
    if row.role == "own":
        return _shrink_own(tx, ctx, row, keep)
    now = ctx.now_micros()
    state = reservation.after(row.state, "shrink")
    if row.state == "requested" and keep < row.quantity:
        less = row._replace(state=state, quantity=keep)
        tx.reservations.put([less])
        return less
    if row.state not in reservation.LIVE or row.expires_at <= now or keep >= row.granted:
        return row
    less = row._replace(state=state, granted=keep)
    tx.reservations.put([less])
    send_release(tx, ctx, row.partner_id, [Back(less._replace(reason=reason[:500]), row.granted - keep)])
    return less


def _shrink_own(tx: Transaction, ctx: Context, row: ReservationRow, keep: int) -> ReservationRow:
    if row.state not in reservation.LIVE or keep >= row.granted:
        return row
    ledger = Ledger(tx, ctx, [row.item_key])
    row = ledger.known((row.reservation_id, row.partner_id, row.role)) or row
    if row.state in reservation.LIVE:
        row = ledger.change(row, ledger.shrunk(row, keep))
    ledger.write()
    return row


def send_release(tx: Transaction, ctx: Context, partner_id: str, holds: Sequence[Back]) -> None:
    """Tell the grantor that holds are needed no more; where it cannot be told, its clock ends them."""
    own = tx.partners.own().partner_id
    first = holds[0].row
    document = ReservationRelease(
        header=DocumentHeader(number=f"H{tx.documents.next_ids(1)}", root_id=first.root_id),
        request=request_key(own, first.request),
        lines=tuple(
            ReservationReleaseLine(
                line_id=row.line_id,
                reservation_id=row.reservation_id,
                reason=Reason(code="surplus" if part is not None else row.state, text=row.reason),
                quantity=Quantity(from_scaled(part), row.unit) if part is not None else None,
            )
            for row, part in holds
        ),
    )
    try_to_send(tx, ctx, partner_id, document, "a hold was not given back")


def _tell_released(tx: Transaction, ctx: Context, row: ReservationRow) -> None:
    """Tell the requester that we took its hold back."""
    line = ReservationResponseLine(
        line_id=row.line_id,
        reservation_id=row.reservation_id,
        outcome=ReservationOutcome.RELEASED,
        quantity=Quantity.zero(row.unit),
        reason=Reason(code="taken-back", text=row.reason, language="en"),
    )
    document = ReservationResponse(
        header=DocumentHeader(number=f"A{tx.documents.next_ids(1)}", root_id=row.root_id),
        request=request_key(row.partner_id, row.request),
        lines=(line,),
    )
    try_to_send(tx, ctx, row.partner_id, document, "the partner was not told that its hold was taken back")
