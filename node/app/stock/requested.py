"""As requester: what grantors say of our requests for stock, and what they refuse to hear."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from node import wire
from node.app.context import Context
from node.app.stock.ledger import in_unit
from node.core import reservation
from node.core.document.reservation import (
    ReservationAction,
    ReservationOutcome,
    ReservationRequest,
    ReservationResponse,
    ReservationResponseLine,
)
from node.core.quantity import to_scaled
from node.core.reservation_rows import ReservationRow
from node.core.rows import DocumentRow
from node.ports import Transaction

__all__ = ["Back", "take_response", "undo_refused", "with_margin"]

_HELD = (ReservationOutcome.GRANTED, ReservationOutcome.PARTLY_GRANTED)
_NOT_EXTENDED = "it was not extended: "
_EVENT_OF = {
    ReservationOutcome.GRANTED: "grant",
    ReservationOutcome.PARTLY_GRANTED: "grant_partly",
    ReservationOutcome.REFUSED: "refuse",
    ReservationOutcome.EXPIRED: "expire",
    ReservationOutcome.RELEASED: "release",
}


class Back(NamedTuple):
    """What a grantor is told of one hold: so much of it (scaled, in its unit) is needed no more; None: nothing is."""

    row: ReservationRow
    quantity: int | None = None


def with_margin(ctx: Context, until: datetime) -> int:
    """When a hold counts as ended here, that the grantor ends then (microseconds)."""
    return wire.micros(until) - ctx.settings.reservations.margin_seconds * 1_000_000


def take_response(tx: Transaction, ctx: Context, partner_id: str, response: ReservationResponse) -> list[Back]:
    """What a grantor says of our requests; returns what it gave and nobody wants any more, of parts how much."""
    rows = tx.reservations.find(partner_id, "requester", [line.reservation_id for line in response.lines])
    now = ctx.now_micros()
    changed: list[ReservationRow] = []
    back: list[Back] = []
    for line in response.lines:
        row = rows.get(line.reservation_id)
        if row is None:
            ctx.log.warning("an answer to a hold that we never asked for", extra={"partner": partner_id})
            continue
        after = _heard(ctx, row, line, now)
        if after != row:
            changed.append(after)
            rows[line.reservation_id] = after
        if line.outcome in _HELD and after.state in reservation.UNWANTED:
            back.append(Back(after))
        elif row.state == "requested" and after.state in reservation.LIVE:
            surplus = _granted(row, line) - after.granted
            back += [Back(after, surplus)] if surplus > 0 else []
    tx.reservations.put(changed)
    return back


def _heard(ctx: Context, row: ReservationRow, line: ReservationResponseLine, now: int) -> ReservationRow:
    event = _EVENT_OF.get(line.outcome)
    if event is None:
        return row
    reason = (line.reason.text or line.reason.code)[:500] if line.reason else ""
    if line.outcome not in _HELD or line.expires_at is None or line.quantity is None:
        state = reservation.after(row.state, event)
        if state == row.state:
            return row._replace(reason=_NOT_EXTENDED + reason) if row.state in reservation.LIVE and reason else row
        return row._replace(state=state, granted=0, reason=reason, at=now)
    expires_at = with_margin(ctx, line.expires_at)
    if row.state in reservation.LIVE:
        # The answer to an extension, or the same answer again: only the end may have changed.
        longer = expires_at > row.expires_at
        return row._replace(
            expires_at=expires_at, extensions=row.extensions + longer, reason=reason, at=now if longer else row.at
        )
    if row.state != "requested":
        return row
    if expires_at <= now:
        return row._replace(state=reservation.after(row.state, "expire"), reason="granted too late", at=now)
    granted = min(_granted(row, line), row.quantity)
    return row._replace(
        state=reservation.after(row.state, "grant" if granted == row.quantity else "grant_partly"),
        granted=granted,
        location=line.location.code if line.location else row.location,
        expires_at=expires_at,
        reason=reason,
        at=now,
    )


def _granted(row: ReservationRow, line: ReservationResponseLine) -> int:
    """What the grantor holds, scaled, in the unit that we asked in."""
    if line.quantity is None:
        return 0
    return in_unit(to_scaled(line.quantity.value), line.quantity.unit, row.unit) or 0


def undo_refused(tx: Transaction, ctx: Context, partner_id: str, refused: Sequence[DocumentRow]) -> None:
    """The partner refused requests of ours as documents, stale ones among them: nothing is held, or longer, by them."""
    now = ctx.now_micros()
    for document in refused:
        if document.type != "ReservationRequest" or document.body is None:
            continue
        asked = wire.decode_document(document.type, document.body)
        if not isinstance(asked, ReservationRequest):
            continue
        rows = tx.reservations.find(partner_id, "requester", [line.reservation_id for line in asked.lines])
        reasons = json.loads(document.reasons) if document.reasons else []
        reason = str(reasons[0]["text"])[:500] if reasons else document.state
        if asked.action is ReservationAction.EXTEND:
            live = [row for row in rows.values() if row.state in reservation.LIVE]
            tx.reservations.put([row._replace(reason=_NOT_EXTENDED + reason) for row in live])
        if asked.action is not ReservationAction.HOLD:
            continue
        tx.reservations.put(
            [
                row._replace(state=reservation.after(row.state, "refuse"), reason=reason, at=now)
                for row in rows.values()
                if row.state == "requested"
            ]
        )
