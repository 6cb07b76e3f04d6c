"""What every document on a hold needs: the reservation that it is about, a header, and sending it at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from node.app.context import Context
from node.app.documents.submit import Submission, submit
from node.core import reservation
from node.core.document import Document
from node.core.document.common import DocumentHeader, DocumentKey
from node.core.reservation_rows import ReservationRow
from node.errors import RefusedError
from node.ports import Transaction

__all__ = ["answer_by", "find", "header", "request_key", "send", "try_to_send", "word"]


def header(ctx: Context, number: str, valid_until: datetime | None, root_id: str, hops_left: int) -> DocumentHeader:
    """The header of a document on holds."""
    return DocumentHeader(number=number, valid_until=valid_until, root_id=root_id, hops_left=hops_left)


def answer_by(ctx: Context) -> datetime:
    """When a request that is sent now is stale."""
    return ctx.now() + timedelta(seconds=ctx.settings.reservations.answer_seconds)


def request_key(issuer: str, number: str) -> DocumentKey:
    """What names a request for holds."""
    return DocumentKey(issuer=issuer, type="ReservationRequest", number=number)


def send(tx: Transaction, ctx: Context, partner_id: str, document: Document) -> int:
    """Submit a document and return its id. Raises RefusedError when the partner cannot be asked, or would refuse it."""
    done = submit(tx, ctx, partner_id, [Submission(document)])[0]
    if done.document_id is None or done.state != "waiting":
        first = done.findings[0] if done.findings else None
        text = f"{first.path}: {first.text}".removeprefix(": ") if first else "it was sent before"
        raise RefusedError(f"the partner cannot be asked: {text}", code=first.rule if first else "duplicate")
    return done.document_id


def try_to_send(tx: Transaction, ctx: Context, partner_id: str, document: Document, failed: str) -> None:
    """Submit what the partner's clock makes up for where it cannot be told; the log says what `failed`."""
    try:
        send(tx, ctx, partner_id, document)
    except RefusedError as error:
        ctx.log.warning("%s: %s", failed, error.message, extra={"partner": partner_id})


def find(
    tx: Transaction, reservation_id: str, *, partner_id: str | None = None, roles: Sequence[str] = ()
) -> ReservationRow:
    """The one reservation of this id. Raises RefusedError ``unknown-reservation`` or ``ambiguous``."""
    rows = [
        row
        for row in tx.reservations.get(reservation_id)
        if (partner_id is None or row.partner_id == partner_id) and (not roles or row.role in roles)
    ]
    if not rows:
        hint = "`hansa reservation list` shows those that there are."
        raise RefusedError(f"there is no reservation {reservation_id!r}", code="unknown-reservation", hint=hint)
    if len(rows) > 1:
        names = ", ".join(sorted(row.partner_id or "our own" for row in rows))
        raise RefusedError(f"several have chosen this id: {names}", code="ambiguous", hint="Name the partner.")
    return rows[0]


def word(ctx: Context, row: ReservationRow) -> str:
    """How a hold stands, for people; one whose time is up is expired, whether or not that was put down yet."""
    run_out = row.state in reservation.OPEN and row.expires_at <= ctx.now_micros()
    return "expired" if run_out else row.state.replace("_", " ")
