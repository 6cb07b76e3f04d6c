"""Stock holds between companies: asked for, granted from our ledger, extended, given back; all by signed documents.

As grantor we answer a request in the transaction that takes it, so no request ever waits for another one. As requester
we count a hold as ended a margin before the grantor does, and give back what is granted too late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import NamedTuple, cast

from node import wire
from node.app.context import Context
from node.app.documents.submit import Submission, submit
from node.app.stock.giving_back import release, release_part, send_release, shrink
from node.app.stock.granting import answer_requests, take_releases
from node.app.stock.hold_documents import answer_by, find, header, request_key, send, word
from node.app.stock.ledger import Ledger, expire_due, exposure, in_unit, verify
from node.app.stock.requested import Back, take_response, undo_refused, with_margin
from node.core import reservation
from node.core.document import Document
from node.core.document.common import DocumentHeader, DocumentKey, ItemRef, LocationRef
from node.core.document.reservation import (
    ReservationAction,
    ReservationMode,
    ReservationRelease,
    ReservationRequest,
    ReservationRequestLine,
    ReservationResponse,
    ReservationResponseLine,
)
from node.core.quantity import Quantity, to_scaled
from node.core.reservation_rows import ReservationRow
from node.errors import RefusedError
from node.ports import USAGES, OrderIdentity, Transaction

__all__ = [
    "Requested",
    "Wanted",
    "answer_later",
    "confirm",
    "confirm_own",
    "expire_due",
    "exposure",
    "extend",
    "find",
    "release",
    "release_part",
    "request",
    "reserve_own",
    "shrink",
    "take",
    "take_response",
    "undo_refused",
    "verify",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One line of a request of ours; `item_key` is our own key of the item, `location` the partner's code."""

    item: ItemRef
    quantity: Quantity
    piece_id: int = 0
    location: str = ""
    need_on: str = ""  # ISO date
    item_key: str = ""
    customer_order: str = ""


class Requested(NamedTuple):
    """A request that waits to be sent: its number, its document's id, and our rows in the order of the lines."""

    number: str
    document_id: int
    rows: list[ReservationRow]


# --- asking partners ---


def request(
    tx: Transaction,
    ctx: Context,
    partner_id: str,
    lines: Sequence[Wanted],
    *,
    hold_until: datetime,
    mode: str = "partial",
    root_id: str = "",
    hops_left: int = 0,
) -> Requested:
    """Ask a partner to hold stock until then; one reservation for each line. `mode` is "partial" or "complete".

    Raises RefusedError when the partner cannot be asked, or would refuse the document itself.
    """
    now = ctx.now()
    number = f"H{tx.documents.next_ids(1)}"
    ids = [ctx.random.token(16).hex() for _ in lines]
    document = ReservationRequest(
        header=header(ctx, number, min(hold_until, answer_by(ctx)), root_id, hops_left),
        action=ReservationAction.HOLD,
        mode=ReservationMode(mode.upper()),
        hold_until=hold_until,
        lines=tuple(
            ReservationRequestLine(
                line_id=str(place),
                reservation_id=ids[place - 1],
                item=line.item,
                quantity=line.quantity,
                location=LocationRef(code=line.location, owner=partner_id) if line.location else None,
                needed_on=datetime.fromisoformat(line.need_on).date() if line.need_on else None,
            )
            for place, line in enumerate(lines, start=1)
        ),
    )
    document_id = send(tx, ctx, partner_id, document)
    rows = [
        ReservationRow(
            reservation_id=ids[place],
            partner_id=partner_id,
            role="requester",
            state="requested",
            item_key=line.item_key,
            location=line.location,
            quantity=to_scaled(line.quantity.value),
            granted=0,
            unit=line.quantity.unit,
            held=0,
            covered=0,
            covered_at=0,
            request=number,
            request_document=document_id,
            expires_at=with_margin(ctx, hold_until),
            extensions=0,
            customer_order=line.customer_order,
            piece_id=line.piece_id,
            order_id=0,
            line_id=str(place + 1),
            root_id=root_id,
            reason="",
            at=wire.micros(now),
        )
        for place, line in enumerate(lines)
    ]
    tx.reservations.put(rows)
    return Requested(number, document_id, rows)


def extend(
    tx: Transaction, ctx: Context, reservation_id: str, until: datetime, *, partner_id: str | None = None
) -> ReservationRow:
    """Ask the grantor for a later end of a hold, or set that of our own. Raises RefusedError."""
    row = find(tx, reservation_id, partner_id=partner_id, roles=("requester", "own"))
    if row.state not in reservation.LIVE or row.expires_at <= ctx.now_micros():
        raise RefusedError(f"reservation {reservation_id} is {word(ctx, row)}", code="not-held")
    if row.role == "own":
        ledger = Ledger(tx, ctx, [row.item_key])
        at = wire.micros(until)
        longer = ledger.change(row, row._replace(expires_at=at, extensions=row.extensions + 1, at=ledger.now))
        ledger.write()
        return longer
    number = f"H{tx.documents.next_ids(1)}"
    document = ReservationRequest(
        header=header(ctx, number, answer_by(ctx), row.root_id, 0),
        action=ReservationAction.EXTEND,
        mode=ReservationMode.PARTIAL,
        hold_until=until,
        lines=(ReservationRequestLine(line_id=row.line_id, reservation_id=reservation_id),),
    )
    send(tx, ctx, row.partner_id, document)
    return row


# --- our own stock ---


def reserve_own(
    tx: Transaction,
    ctx: Context,
    *,
    item_key: str,
    location: str,
    quantity: int,
    unit: str,
    customer_order: str,
    piece_id: int,
    until: int,
    root_id: str = "",
    arrived: bool = False,
    ledger: Ledger | None = None,
) -> ReservationRow | None:
    """Hold our own stock for a customer order until then (microseconds); None when that place has not enough.

    `quantity` is scaled and in `unit`. The decision and the hold are one transaction. Goods that have just `arrived`
    there for it are held whether or not a figure shows them yet. With a `ledger` that has the item the caller holds
    several things at once, and writes it.
    """
    place = (item_key, location)
    books = Ledger(tx, ctx, [item_key]) if ledger is None else ledger
    figure = books.figures.get(place)
    held = in_unit(quantity, unit, figure.unit) if figure is not None else None
    if held is None or quantity <= 0 or (held > books.free(place) and not arrived):
        if ledger is None:
            books.write()
        return None
    row = ReservationRow(
        reservation_id=ctx.random.token(16).hex(),
        partner_id="",
        role="own",
        state="granted",
        item_key=item_key,
        location=location,
        quantity=quantity,
        granted=quantity,
        unit=unit,
        held=held,
        covered=0,
        covered_at=0,
        request="",
        request_document=0,
        expires_at=until,
        extensions=0,
        customer_order=customer_order,
        piece_id=piece_id,
        order_id=0,
        line_id="",
        root_id=root_id,
        reason="",
        at=books.now,
    )
    books.change(None, row)
    if ledger is None:
        books.write()
    return row


def confirm(
    tx: Transaction,
    ctx: Context,
    reservation_id: str,
    order: DocumentKey,
    *,
    line_id: str = "",
    partner_id: str | None = None,
) -> ReservationRow:
    """An order of ours has taken a hold up: a partner's, or one on our own stock. Twice has no second effect.

    Raises RefusedError ``unknown-reservation``, or ``not-held`` when it has ended.
    """
    row = find(tx, reservation_id, partner_id=partner_id, roles=("requester", "own"))
    partner_id = row.partner_id or tx.partners.own().partner_id
    named = [OrderIdentity(order.issuer, order.unit, order.number, order.series, usage) for usage in USAGES]
    found = max(tx.orders.find(partner_id, named).values(), key=lambda one: one.order_id, default=None)
    taken = {"order_id": found.order_id if found else row.order_id, "line_id": line_id or row.line_id}
    if row.state == "confirmed":
        again = row._replace(**taken)  # type: ignore[arg-type]
        tx.reservations.put([again])
        return again
    if row.state not in reservation.LIVE or row.expires_at <= ctx.now_micros():
        raise RefusedError(f"reservation {reservation_id} is {word(ctx, row)}", code="not-held")
    ledger = Ledger(tx, ctx, [row.item_key] if row.held else [])
    state = reservation.after(row.state, "confirm")
    confirmed = ledger.change(row, row._replace(state=state, at=ledger.now, **taken))  # type: ignore[arg-type]
    ledger.write()
    return confirmed


def confirm_own(tx: Transaction, ctx: Context, lines: Mapping[str, str], order_id: int) -> None:
    """An order to our own site takes up holds on our own stock: its line ids by reservation id. Twice changes nothing.

    Raises RefusedError ``unknown-reservation``, or ``not-held`` when one has ended.
    """
    rows = tx.reservations.find("", "own", list(lines))
    ledger = Ledger(tx, ctx, [row.item_key for row in rows.values()])
    for reservation_id, line_id in lines.items():
        if reservation_id not in rows:
            raise RefusedError(f"there is no reservation {reservation_id!r} of ours", code="unknown-reservation")
        row = ledger.known((reservation_id, "", "own")) or rows[reservation_id]
        if row.state != "confirmed":
            if row.state not in reservation.LIVE or row.expires_at <= ledger.now:
                raise RefusedError(f"reservation {reservation_id} is {word(ctx, row)}", code="not-held")
            row = ledger.change(row, row._replace(state=reservation.after(row.state, "confirm"), at=ledger.now))
        ledger.change(row, row._replace(order_id=order_id, line_id=line_id))
    ledger.write()


# --- what partners say ---


def take(tx: Transaction, ctx: Context, partner_id: str, documents: Sequence[Document]) -> bool:
    """Received documents on holds, in their order: requests are answered at once.

    Returns whether anything waits for the partner now.
    """
    answers: list[ReservationResponse] = []
    back: list[Back] = []
    for kind, group in groupby(documents, key=type):
        if kind is ReservationRequest:
            answers += answer_requests(tx, ctx, partner_id, cast("list[ReservationRequest]", [*group]))
        elif kind is ReservationRelease:
            take_releases(tx, ctx, partner_id, cast("list[ReservationRelease]", [*group]))
        elif kind is ReservationResponse:
            for one in cast("list[ReservationResponse]", [*group]):
                back += take_response(tx, ctx, partner_id, one)
    if answers:
        _answer(tx, ctx, partner_id, answers)
    if back:
        send_release(tx, ctx, partner_id, back)
    return bool(answers or back)


def answer_later(tx: Transaction, ctx: Context, row: ReservationRow, lines: Sequence[ReservationResponseLine]) -> None:
    """Answer lines of a request that waited for our ERP; `row` is one of its reservations."""
    header = DocumentHeader(root_id=row.root_id)
    request = request_key(row.partner_id, row.request)
    _answer(tx, ctx, row.partner_id, [ReservationResponse(header=header, request=request, lines=tuple(lines))])


def _answer(tx: Transaction, ctx: Context, partner_id: str, answers: Sequence[ReservationResponse]) -> None:
    first = tx.documents.next_ids(len(answers))
    submissions = [
        Submission(replace(one, header=replace(one.header or DocumentHeader(), number=f"A{first + place}")))
        for place, one in enumerate(answers)
    ]
    try:
        results = submit(tx, ctx, partner_id, submissions)
    except RefusedError as error:
        ctx.log.warning("a request for stock was not answered: %s", error.message, extra={"partner": partner_id})
        return
    for result in results:
        if result.state == "refused":
            text = result.findings[0].text
            ctx.log.warning("a request for stock was not answered: %s", text, extra={"partner": partner_id})
