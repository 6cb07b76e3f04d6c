"""Chains over several companies: what a partner whose order we source ourselves is told of it.

Its order is answered when every unit has its place; what our sources despatch and deliver counts as despatched and
delivered by us, under numbers of our own: who else is involved stays with us.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from node.app.context import Context
from node.app.documents.submit import Submission, submit
from node.core.customer_order import CIRCLE, HOPS
from node.core.customer_rows import CustomerLineRow, CustomerOrderRow, PieceRow
from node.core.document import Document
from node.core.document.common import DateQualifier, DocumentHeader, DocumentKey, ItemRef, QualifiedDate, Reason
from node.core.document.fulfilment import (
    AdviceStatus,
    Carriage,
    DeliveryEvent,
    DeliveryStatus,
    DespatchAdvice,
    DespatchLine,
)
from node.core.document.order import (
    OrderResponse,
    OrderResponseLine,
    ResponseOutcome,
    Schedule,
    ScheduleOutcome,
)
from node.core.fulfilment import remainders
from node.core.kit_pieces import KitPiece, kit_pieces
from node.core.kits import cancelled_kits
from node.core.piece_state import DEAD, INBOUND, PieceFact, net
from node.core.quantity import Quantity, from_scaled
from node.core.rows import LineEventRow, OrderLineRow, OrderRow
from node.errors import RefusedError
from node.ports import Transaction
from node.wire import instant

__all__ = ["tell_origin"]

_AGREED = frozenset({"accepted", "ready", "despatched", "delivered"})


def tell_origin(
    tx: Transaction,
    ctx: Context,
    order: CustomerOrderRow,
    lines: Sequence[CustomerLineRow],
    pieces: Sequence[PieceRow],
    facts: Mapping[int, PieceFact],
) -> set[str]:
    """Tell the partner whose order this is what it does not know yet; returns whom something waits for now."""
    if not order.origin_partner or order.origin_order_id is None:
        return set()
    (origin,) = tx.orders.by_ids([order.origin_order_id])
    theirs = {line.line_id: line for line in tx.orders.lines([origin.order_id])}
    events = tx.orders.events([origin.order_id])
    told: list[Document] = []
    failed = {piece.piece_id: net(piece, facts[piece.piece_id]).failed for piece in pieces if piece.piece_id in facts}
    # What is made of components is told in kits: the partner knows of no others.
    kits = [made for line in lines if line.line_id in theirs for made in kit_pieces(line, lines, pieces, failed)]
    answer = _answer(order, origin, theirs, lines, pieces, kits, events)
    if answer is not None:
        told.append(answer)
    for piece in pieces:
        if piece.line_id in theirs:
            told += _goods(ctx, order, origin, piece, events, failed.get(piece.piece_id, 0))
    for kit in kits:
        told += _goods(ctx, order, origin, kit.piece, events, kit.failed)
    if not told:
        return set()
    try:
        results = submit(tx, ctx, origin.partner_id, [Submission(one) for one in told])
    except RefusedError as error:
        ctx.log.warning("an order's partner was not told: %s", error.message, extra={"partner": origin.partner_id})
        return set()
    for one in results:
        if one.state == "refused":
            ctx.log.warning("an order's partner was not told: %s", one.findings[0].text)
    return {origin.partner_id} if any(one.state == "waiting" for one in results) else set()


def _key(origin: OrderRow) -> DocumentKey:
    return DocumentKey(
        issuer=origin.issuer,
        unit=origin.unit,
        type="Order",
        number=origin.number,
        series=origin.series,
        revision=origin.revision,
    )


def _answer(
    order: CustomerOrderRow,
    origin: OrderRow,
    theirs: dict[str, OrderLineRow],
    lines: Sequence[CustomerLineRow],
    pieces: Sequence[PieceRow],
    kits: Sequence[KitPiece],
    events: Sequence[LineEventRow],
) -> OrderResponse | None:
    """The answer to the partner's order, or to its request for less, once every unit has its place."""
    live = [piece for piece in pieces if piece.state not in DEAD]
    decided = all(piece.state in _AGREED or piece.state == "back_ordered" for piece in live)
    if not decided or remainders(lines, pieces) or any(line.cancel_asked for line in lines):
        return None
    asked = [e for e in events if e.standing and e.event in ("cancel_requested", "change_requested")]
    if not live and not any(line.cancelled for line in lines):
        return None
    why = Reason(code="not-available", text="not available", language="en")
    if order.reason == CIRCLE:
        why = Reason(code="circle", text=CIRCLE, language="en")
    elif order.hops_left <= 0:
        why = Reason(code="hop-limit", text=HOPS, language="en")
    # A kit is given up with any of its components.
    gone = {one.line_id: one.cancelled + cancelled_kits(one, lines) for one in lines if one.line_id in theirs}
    # What was taken off the order before, by a change that we agreed to or a newer revision, is not refused again.
    wanted = {line_id: row.quantity for line_id, row in theirs.items()}
    wanted |= {event.line_id: event.quantity for event in asked if event.event == "change_requested"}
    refused = {
        line.line_id: max(0, wanted[line.line_id] - (line.quantity - gone[line.line_id]))
        for line in lines
        if line.line_id in gone
    }
    answered = tuple(
        _answered(theirs[line.line_id], line, refused[line.line_id], live, kits, why)
        for line in lines
        if line.line_id in refused
    )
    whole = not any(refused.values())
    none = all(gone[line.line_id] == line.quantity for line in lines if line.line_id in gone)
    outcome = ResponseOutcome.ACCEPTED if whole else ResponseOutcome.CHANGED
    if none and not asked:
        outcome = ResponseOutcome.REJECTED
    answers = None
    if asked:
        kind = "OrderCancellation" if asked[-1].event == "cancel_requested" else "OrderChange"
        answers = DocumentKey(issuer=origin.issuer, type=kind, number=asked[-1].reference)
        outcome = ResponseOutcome.CHANGED
        if _as_before(theirs, lines, gone, events):
            outcome, answered = ResponseOutcome.REJECTED, ()
    number = f"{order.number}-A" if answers is None else f"{order.number}-A-{answers.number}"
    return OrderResponse(
        header=DocumentHeader(number=number, root_id=order.root_id),
        order=_key(origin),
        outcome=outcome,
        lines=answered,
        seller_order_number=order.number,
        answers=answers,
    )


def _as_before(
    theirs: Mapping[str, OrderLineRow],
    lines: Sequence[CustomerLineRow],
    gone: Mapping[str, int],
    events: Sequence[LineEventRow],
) -> bool:
    """Whether as much comes of every line as the book says already: nothing of what was asked for could be done."""
    stands = {line_id: row.quantity for line_id, row in theirs.items()}
    for event in events:
        if event.standing and event.event in ("rejected", "cancelled") and event.line_id in stands:
            stands[event.line_id] -= event.quantity
    return all(line.quantity - gone[line.line_id] == stands[line.line_id] for line in lines if line.line_id in gone)


def _answered(
    theirs: OrderLineRow,
    line: CustomerLineRow,
    refused: int,
    live: Sequence[PieceRow],
    kits: Sequence[KitPiece],
    why: Reason,
) -> OrderResponseLine:
    """One line, in pieces by what becomes of them and by day; `refused` is what of it does not come."""
    parts: dict[tuple[ScheduleOutcome, str], int] = {}
    for piece in live:
        if piece.line_id == line.line_id:
            outcome = ScheduleOutcome.BACK_ORDERED if piece.state == "back_ordered" else ScheduleOutcome.ACCEPTED
            place = (outcome, piece.promised_on or "")
            parts[place] = parts.get(place, 0) + piece.quantity
    for one in kits:
        if one.piece.line_id == line.line_id:
            for outcome, on, quantity in (
                (ScheduleOutcome.BACK_ORDERED, one.back_ordered_on, one.back_ordered),
                (ScheduleOutcome.ACCEPTED, one.promised_on, one.piece.quantity - one.back_ordered),
            ):
                if quantity:
                    parts[outcome, on] = parts.get((outcome, on), 0) + quantity
    if refused:
        parts[ScheduleOutcome.REJECTED, ""] = refused
    schedule = tuple(
        Schedule(
            schedule_id=str(place),
            quantity=Quantity(from_scaled(quantity), line.unit),
            outcome=outcome,
            dates=_dates(on) if on and outcome is not ScheduleOutcome.REJECTED else (),
            reason=why if outcome is ScheduleOutcome.REJECTED else None,
        )
        for place, ((outcome, on), quantity) in enumerate(sorted(parts.items()), 1)
    )
    item = ItemRef(gtin=theirs.gtin, seller_number=theirs.seller_number, buyer_number=theirs.buyer_number)
    return OrderResponseLine(line_id=line.line_id, item=item, schedule=schedule)


def _dates(on: str) -> tuple[QualifiedDate, ...]:
    from datetime import date

    return (QualifiedDate(qualifier=DateQualifier.DELIVER, on=date.fromisoformat(on)),)


def _goods(
    ctx: Context,
    order: CustomerOrderRow,
    origin: OrderRow,
    piece: PieceRow,
    events: Sequence[LineEventRow],
    failed: int,
) -> list[Document]:
    """What of a piece is on its way and the partner has not been told, or no more; then that it arrived, or did not.

    Each advice is numbered by the piece and how far it had come, so that the same one is never sent twice; what was
    taken back of the source's despatch is taken back of ours, the last advice first.
    """
    if piece.mode in INBOUND:
        return []  # it comes to us first: what goes on to the partner is told when it does
    name = f"{order.number}-D{piece.piece_id}-" if piece.piece_id > 0 else f"{order.number}-K{-piece.piece_id}-"
    ours = [e for e in events if e.event == "despatched" and e.reference.startswith(name)]
    told: dict[str, int] = {}
    for event in ours:
        if event.standing:
            told[event.reference] = told.get(event.reference, 0) + event.quantity
    made: list[Document] = []
    settled = {e.schedule_id for e in events if e.standing and e.event in ("delivered", "failed")}
    told = dict(sorted(told.items(), key=lambda one: one[0] not in settled))
    divided = _divided(told, settled, piece.delivered)
    if divided:
        made.append(_despatch(ctx, order, origin, piece, divided, told[divided], AdviceStatus.CORRECTED))
    sent = min(piece.despatched, piece.quantity) if piece.state not in DEAD else 0
    new = sent - sum(told.values())
    while new > 0:
        # What has arrived by now is told apart from what has not.
        reach = sum(told.values())
        part = piece.delivered - reach if 0 < piece.delivered - reach < new else new
        number = _unused(f"{name}{reach + part}", {*told, *(event.reference for event in ours)})
        told[number] = part
        new -= part
        made.append(_despatch(ctx, order, origin, piece, number, part, AdviceStatus.ORIGINAL))
    for number in reversed(list(told)):
        if new >= 0 or not told[number]:
            continue
        back = min(-new, told[number])
        new += back
        left = told[number] - back
        status = AdviceStatus.CORRECTED if left else AdviceStatus.CANCELLED
        made.append(_despatch(ctx, order, origin, piece, number, left or told[number], status))
    made += _arrivals(ctx, order, origin, events, told, piece.delivered, sent - failed)
    return made


def _divided(told: dict[str, int], settled: Collection[str], delivered: int) -> str:
    """The advice of which a part has arrived, cut to that part in `told`; "" for none.

    What our sources sent in several goes may be told as one; the rest is then told by an advice of its own, so that
    what has arrived shows at once.
    """
    reach = 0
    for number, quantity in told.items():
        arrived = delivered - reach
        reach += quantity
        if 0 < arrived < quantity and number not in settled:
            told[number] = arrived
            return number
    return ""


def _arrivals(
    ctx: Context,
    order: CustomerOrderRow,
    origin: OrderRow,
    events: Sequence[LineEventRow],
    told: Mapping[str, int],
    delivered: int,
    underway: int,
) -> list[Document]:
    """What has become of the despatches that were told, the first of them first: so many units are `delivered`, and
    those beyond `underway` have failed to be."""
    made: list[Document] = []
    used = {e.reference for e in events}
    stands = {(e.schedule_id, e.event) for e in events if e.standing and e.event in ("delivered", "failed")}
    reach = 0
    for number, quantity in told.items():
        reach += quantity
        event = "delivered" if reach <= delivered else "failed" if reach > underway else ""
        if quantity and event and (number, event) not in stands:
            reference = _unused(f"{event[0].upper()}-{number}", used)
            made.append(_status(ctx, order, origin, number, reference, DeliveryEvent[event.upper()]))
    return made


def _unused(number: str, used: Collection[str]) -> str:
    """The number, or with the first suffix that no advice had yet: a piece may be taken back and sent again."""
    return next(name for n in range(len(used) + 1) if (name := f"{number}.{n + 1}" if n else number) not in used)


def _despatch(
    ctx: Context,
    order: CustomerOrderRow,
    origin: OrderRow,
    piece: PieceRow,
    number: str,
    quantity: int,
    status: AdviceStatus,
) -> DespatchAdvice:
    line = DespatchLine(line_id="1", order_line_id=piece.line_id, quantity=Quantity(from_scaled(quantity), piece.unit))
    return DespatchAdvice(
        header=DocumentHeader(number=number, root_id=order.root_id),
        status=status,
        order=_key(origin),
        despatched_at=instant(piece.at),
        carriage=Carriage(carrier=piece.carrier, service=piece.service, tracking=piece.tracking),
        lines=(line,),
    )


def _status(
    ctx: Context, order: CustomerOrderRow, origin: OrderRow, despatch: str, number: str, event: DeliveryEvent
) -> DeliveryStatus:
    """What the carrier said, without its words: they may name who sends."""
    why = Reason(code="failed", text="the carrier could not deliver it", language="en")
    return DeliveryStatus(
        header=DocumentHeader(number=number, root_id=order.root_id),
        despatch=DocumentKey(type="DespatchAdvice", number=despatch),
        order=_key(origin),
        event=event,
        occurred_at=ctx.now(),
        reason=why if event is DeliveryEvent.FAILED else None,
    )
