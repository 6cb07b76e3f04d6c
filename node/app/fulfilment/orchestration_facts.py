"""What the ledger and the order book say of the pieces of customer orders, read together for many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from node.core.customer_rows import PieceRow
from node.core.delivery_effects import why_of
from node.core.order_state import confirmation_of
from node.core.piece_state import PieceFact
from node.core.reservation_rows import ReservationRow
from node.core.rows import DocumentRow, LineEventRow, OrderLineRow, OrderRow
from node.core.tolerance import Difference
from node.ports import Transaction

__all__ = ["facts_of"]

_COMES = frozenset({"accepted", "substituted", "back_ordered"})
_ASKED = frozenset({"cancel_requested", "change_requested"})


def facts_of(tx: Transaction, pieces: Sequence[PieceRow]) -> dict[int, PieceFact]:
    """By piece id; what nobody has said anything of is not in it."""
    ids = sorted({piece.order_id for piece in pieces if piece.order_id is not None})
    orders = {order.order_id: order for order in tx.orders.by_ids(ids)} if ids else {}
    lines = {(line.order_id, line.line_id): line for line in tx.orders.lines(ids)} if ids else {}
    events: dict[tuple[int, str], list[LineEventRow]] = {}
    for event in tx.orders.events(ids) if ids else ():
        events.setdefault((event.order_id, event.line_id), []).append(event)
    documents = {row.document_id: row for row in _documents(tx, orders.values())}
    ours = {piece.order_id for piece in pieces if piece.order_id is not None and not piece.partner_id}
    systems = {order_id: _in_our_system(tx, orders[order_id]) for order_id in sorted(ours)}
    named = [piece.piece_id for piece in pieces if piece.reservation_id]
    holds = {row.reservation_id: row for row in tx.reservations.of_pieces(named)} if named else {}
    found: dict[int, PieceFact] = {}
    for piece in pieces:
        hold = holds.get(piece.reservation_id)
        if piece.order_id is None:
            if hold is not None:
                found[piece.piece_id] = _held(hold, piece)
            continue
        order, place = orders[piece.order_id], (piece.order_id, piece.order_line_id)
        found[piece.piece_id] = _ordered(
            piece, order, lines.get(place), events.get(place, []), documents.get(order.document_id), systems
        )
    return found


def _documents(tx: Transaction, orders: Iterable[OrderRow]) -> list[DocumentRow]:
    rows = [tx.documents.get(order.document_id) for order in orders]
    return [row for row in rows if row is not None]


def _held(hold: ReservationRow, piece: PieceRow) -> PieceFact:
    # The ledger counts in the unit that was asked for, which is the piece's.
    return PieceFact(
        hold=hold.state,
        granted=hold.granted,
        hold_until=hold.expires_at,
        # The last quarter of its time is left for the answer.
        extend_at=hold.expires_at - max(0, hold.expires_at - hold.at) // 4,
        extensions=hold.extensions,
        reason=hold.reason,
    )


def _ordered(
    piece: PieceRow,
    order: OrderRow,
    line: OrderLineRow | None,
    events: Sequence[LineEventRow],
    document: DocumentRow | None,
    systems: Mapping[int, str],
) -> PieceFact:
    standing = [event for event in events if event.standing]
    sums: dict[str, int] = {}
    for event in standing:
        sums[event.event] = sums.get(event.event, 0) + event.quantity
    ordered = line.quantity if line is not None else piece.quantity
    accepted = sum(sums.get(name, 0) for name in _COMES)
    refused, cancelled = sums.get("rejected", 0), sums.get("cancelled", 0)
    state = document.state if document is not None else "taken"
    if not piece.partner_id and state == "taken":
        state = systems[order.order_id]
        # Our own site has nothing to answer: the goods are held for it.
        accepted = max(0, ordered - refused - cancelled)
    despatched = sums.get("despatched", 0)
    delivered = max(sums.get("delivered", 0), sums.get("received", 0))
    promised = sorted(event.on for event in standing if event.event in _COMES and event.on)
    tracking = dict.fromkeys(
        name for event in standing if event.event == "despatched" and event.quantity for name in event.detail.split()
    )
    asked = [event.at for event in standing if event.event in _ASKED]
    reasons = [event.detail for event in standing if event.event in ("rejected", "cancelled") and event.detail]
    return PieceFact(
        hold="confirmed" if piece.reservation_id else "",
        document=state,
        valid_until=document.valid_until if document is not None else None,
        unanswered=max(0, ordered - accepted - refused - cancelled),
        accepted=accepted,
        later=sum(event.quantity for event in standing if event.event == "back_ordered" and not event.on),
        refused=refused,
        cancelled=cancelled,
        cancel_open=bool(asked),
        cancel_since=min(asked, default=None),
        cancel_ever=any(event.event in _ASKED for event in events),
        outside=_outside(standing) if order.role == "buyer" else "",
        despatched=despatched,
        delivered=delivered,
        failed=sums.get("failed", 0),
        failed_why="; ".join(dict.fromkeys(why for e in standing if e.event == "failed" and (why := why_of(e.detail)))),
        ready=sums.get("ready", 0),
        received=sums.get("received", 0),
        spoilt=sum(sums.get(name, 0) for name in ("short", "damaged", "wrong")),
        promised_on=promised[-1] if promised else None,
        tracking=" ".join(tracking),
        reason="; ".join(dict.fromkeys(reasons)),
    )


def _in_our_system(tx: Transaction, order: OrderRow) -> str:
    """Whether our own system has given the instruction up."""
    handover = tx.handovers.get(order.document_id)
    return "refused" if handover is not None and handover.state == "refused" else "taken"


def _outside(standing: Sequence[LineEventRow]) -> str:
    """What of the partner's answer waits for our confirmation, in words; "" where nothing does."""
    if confirmation_of(standing) != "due":
        return ""
    words = [Difference.of_text(e.detail).words() for e in standing if e.event == "changed" and e.detail]
    return "; ".join(word for one in words for word in one) or "it differs from the order"
