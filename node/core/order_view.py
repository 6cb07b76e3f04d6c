"""One order as a person wants to see it: every line and piece, what has happened to it, and what is still to come.

Everything here is derived from the order's lines and standing events; nothing is stored. Quantities are in each line's
own unit, and they balance: ordered = accepted + back_ordered + rejected + cancelled + unanswered, each zero or more.
What goes beyond the order (more accepted, despatched, received or invoiced than ordered) is never counted into that
balance; it shows as a remark. Substituted pieces count as accepted.

A line's status is the first word of this table whose condition holds:

=================  ====================================================================================================
removed            nothing is ordered any more, and nothing was despatched
rejected           nothing but rejections, and nothing despatched (cancelled, closed likewise)
received           all that was to come has been received
delivered          all that was to come has been received, or delivered (to the consumer, who tells nobody of a receipt)
partly_received    some of it has been received
partly_delivered   some of it has been delivered
despatched         all that was to come has been despatched
partly_despatched  some of it
to_confirm         answered with changes that the buyer has said it must confirm, and has not
back_ordered       answered; some of it waits for stock
accepted           answered
partly_accepted    answered in part
ordered            not answered
=================  ====================================================================================================

The order has its lines' common word; else ``completed`` when each line is at its end, else the partial word of the
furthest line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal

from node.core.decimals import from_scaled
from node.core.goods_effects import ANNOUNCED
from node.core.order_pieces import AskedView, PieceView, View, asked_for, instant, pieces_of
from node.core.order_state import ANSWERS, CONFIRMATIONS, confirmation_of
from node.core.rows import LineEventRow, OrderLineRow, OrderRow
from node.core.tolerance import Difference

__all__ = ["EventView", "LineView", "OrderView", "PieceView", "view"]

_ENDED = frozenset({"removed", "rejected", "cancelled", "closed", "received", "delivered"})
_ARRIVING = frozenset({"received", "partly_received", "delivered", "partly_delivered"})
_PROGRESS = (
    *("ordered", "partly_accepted", "to_confirm", "accepted", "back_ordered", "partly_despatched", "despatched"),
)
_PARTIAL = {
    "ordered": "ordered",
    "partly_accepted": "partly_accepted",
    "to_confirm": "to_confirm",
    "accepted": "partly_accepted",
    "back_ordered": "partly_accepted",
    "partly_despatched": "partly_despatched",
    "despatched": "partly_despatched",
}


@dataclass(frozen=True, slots=True)
class EventView(View):
    """One thing that was said about a line: by which document, when, and whether it still stands."""

    event: str
    quantity: Decimal
    unit: str
    by: str  # buyer or seller
    on: str | None
    reference: str
    detail: str
    at: datetime
    standing: bool


@dataclass(frozen=True, slots=True)
class LineView(View):
    """One line in numbers, all in `unit`."""

    line_id: str
    kind: str
    gtin: str
    seller_number: str
    buyer_number: str
    description: str
    unit: str
    status: str
    late: bool
    requested_on: str | None
    asked: tuple[AskedView, ...]  # the pieces in which it is ordered, where it is several
    ordered: Decimal
    accepted: Decimal
    substituted: Decimal
    back_ordered: Decimal
    rejected: Decimal
    cancelled: Decimal
    unanswered: Decimal
    despatched: Decimal
    delivered: Decimal
    failed: Decimal
    received: Decimal
    short: Decimal
    over: Decimal
    damaged: Decimal
    wrong: Decimal
    return_announced: Decimal
    returned: Decimal
    invoiced: Decimal
    credited: Decimal
    open: Decimal
    change_requested: Decimal | None
    cancel_requested: bool
    changes: tuple[str, ...]  # what the answer says otherwise than the order
    confirmation: str  # of these changes by the buyer: "", open, due, refused or confirmed
    unconfirmed: str  # why the buyer must confirm first, while it has not
    tracking: tuple[str, ...]
    remarks: tuple[str, ...]
    pieces: tuple[PieceView, ...]
    history: tuple[EventView, ...]


@dataclass(frozen=True, slots=True)
class OrderView(View):
    """One order: its identity, status, lines and totals by unit."""

    order_id: int
    partner_id: str
    role: str
    issuer: str
    unit: str
    number: str
    series: str
    revision: int
    kind: str
    currency: str
    usage: str
    issued_at: datetime
    customer_order: str
    seller_order_number: str
    status: str
    late: bool
    waits_for: str  # buyer, seller or "": whose answer is due
    documents: tuple[str, ...]
    tracking: tuple[str, ...]
    totals: tuple[TotalView, ...]
    lines: tuple[LineView, ...]


@dataclass(frozen=True, slots=True)
class TotalView(View):
    """Sums over the lines of one unit; unlike units are never added up."""

    unit: str
    ordered: Decimal
    accepted: Decimal
    back_ordered: Decimal
    rejected: Decimal
    cancelled: Decimal
    unanswered: Decimal
    despatched: Decimal
    delivered: Decimal
    received: Decimal
    invoiced: Decimal
    open: Decimal


def view(
    order: OrderRow,
    lines: Iterable[OrderLineRow],
    events: Iterable[LineEventRow],
    now: datetime,
    *,
    internal: bool = False,
) -> OrderView:
    """The order as it stands at `now` (aware; its UTC day decides what is late). Events in the order they were stored.

    An `internal` order instructs a site of our own, which has nothing to answer: the goods are held for it.

    Raises RefusedError only for stored numbers beyond the limits.
    """
    of_line: dict[str, list[LineEventRow]] = {}
    documents: dict[str, None] = {}
    for event in events:
        of_line.setdefault(event.line_id, []).append(event)
        documents[event.reference] = None
    today = now.date()
    views = tuple(
        _line(order, line, of_line.get(line.line_id, []), today) for line in sorted(lines, key=lambda row: row.ordinal)
    )
    tracking = dict.fromkeys(name for line in views for name in line.tracking)
    asked = any(line.cancel_requested or line.change_requested is not None for line in views)
    waits = "seller" if asked or (not internal and any(line.unanswered for line in views)) else ""
    if any(line.confirmation == "due" for line in views):
        waits = "buyer"
    return OrderView(
        order_id=order.order_id,
        partner_id=order.partner_id,
        role=order.role,
        issuer=order.issuer,
        unit=order.unit,
        number=order.number,
        series=order.series,
        revision=order.revision,
        kind=order.kind,
        currency=order.currency,
        usage=order.usage,
        issued_at=instant(order.issued_at),
        customer_order=order.customer_order,
        seller_order_number=order.seller_order_number,
        status=_order_status([line.status for line in views]),
        late=any(line.late for line in views),
        waits_for=waits,
        documents=tuple(documents),
        tracking=tuple(tracking),
        totals=_totals(views),
        lines=views,
    )


def _totals(lines: Iterable[LineView]) -> tuple[TotalView, ...]:
    names = [one.name for one in fields(TotalView) if one.name != "unit"]
    sums: dict[str, list[Decimal]] = {}
    for line in lines:
        row = sums.setdefault(line.unit, [Decimal(0)] * len(names))
        for place, name in enumerate(names):
            row[place] += getattr(line, name)
    return tuple(TotalView(unit, *row) for unit, row in sums.items())


def _order_status(words: list[str]) -> str:
    """The table of the module for the order as a whole."""
    live = [word for word in words if word != "removed"] or ["removed"]
    if len(set(live)) == 1:
        return live[0]
    if _ENDED.issuperset(live):
        return "completed"
    if arriving := _ARRIVING.intersection(live):
        return "partly_delivered" if arriving <= {"delivered", "partly_delivered"} else "partly_received"
    if "to_confirm" in live and not any(word.endswith("despatched") for word in live):
        return "to_confirm"
    furthest = max((word for word in live if word in _PROGRESS), key=_PROGRESS.index)
    return _PARTIAL[furthest]


class _Line:
    """A line's sums as scaled integers, and what follows from them."""

    __slots__ = (
        *("accepted", "arrived", "back_ordered", "cancelled", "confirmation", "gone", "open", "ordered", "received"),
        *("rejected", "sums"),
    )

    def __init__(self, ordered: int, events: list[LineEventRow]) -> None:
        sums: dict[str, int] = {}
        for event in events:
            if event.standing:
                announced = event.event == "returned" and event.detail.startswith(ANNOUNCED)
                name = "return_announced" if announced else event.event
                sums[name] = sums.get(name, 0) + event.quantity
        self.sums = sums
        self.confirmation = confirmation_of(event for event in events if event.standing) if "changed" in sums else ""
        self.ordered = ordered
        left = ordered
        # Filled in this order, so that what was answered beyond the order never tips the balance.
        self.accepted = min(left, sums.get("accepted", 0) + sums.get("substituted", 0))
        left -= self.accepted
        self.back_ordered = min(left, sums.get("back_ordered", 0))
        left -= self.back_ordered
        self.rejected = min(left, sums.get("rejected", 0))
        left -= self.rejected
        self.cancelled = min(left, sums.get("cancelled", 0))
        # What a customer collected has left as well, and nothing was despatched.
        self.gone = max(sums.get("despatched", 0), sums.get("delivered", 0))
        # In whatever condition.
        self.received = sum(sums.get(name, 0) for name in ("received", "over", "damaged", "wrong"))
        self.arrived = max(self.received, sums.get("delivered", 0))
        self.open = max(0, ordered - self.rejected - self.cancelled - self.gone)

    @property
    def unanswered(self) -> int:
        return self.ordered - self.accepted - self.back_ordered - self.rejected - self.cancelled

    @property
    def expected(self) -> int:
        """What was to come at all."""
        return self.ordered - self.rejected - self.cancelled


# The first word whose condition holds; see the table of the module.
_STATUS: tuple[tuple[str, Callable[[_Line], bool]], ...] = (
    ("removed", lambda x: not x.ordered and not x.gone),
    ("rejected", lambda x: not x.gone and x.rejected == x.ordered),
    ("cancelled", lambda x: not x.gone and x.cancelled == x.ordered),
    ("closed", lambda x: not x.gone and not x.expected),
    ("received", lambda x: x.received > 0 and x.received >= x.expected),
    ("delivered", lambda x: x.arrived > 0 and x.arrived >= x.expected),
    ("partly_received", lambda x: x.received > 0),
    ("partly_delivered", lambda x: x.arrived > 0),
    ("despatched", lambda x: x.gone > 0 and not x.open),
    ("partly_despatched", lambda x: x.gone > 0),
    ("to_confirm", lambda x: x.confirmation in ("due", "refused")),
    ("back_ordered", lambda x: not x.unanswered and x.back_ordered > 0),
    ("accepted", lambda x: not x.unanswered),
    ("partly_accepted", lambda x: x.unanswered < x.ordered),
    ("ordered", lambda x: True),
)


def _line(order: OrderRow, row: OrderLineRow, events: list[LineEventRow], today: date) -> LineView:
    """One line with its pieces."""
    sums = _Line(row.quantity, events)
    said = sums.sums
    pieces = pieces_of(row, sums, [e for e in events if e.standing and e.event in ANSWERS and e.quantity], today)
    standing = [e for e in events if e.standing]
    changes = [e for e in standing if e.event == "change_requested"]
    despatched = [e for e in standing if e.event == "despatched" and e.quantity]
    tracking = dict.fromkeys(name for e in despatched for name in e.detail.split())
    changed = next((Difference.of_text(e.detail).words() for e in standing if e.event == "changed"), [])
    waits = sums.confirmation in ("due", "refused")
    return LineView(
        line_id=row.line_id,
        kind=row.kind,
        gtin=row.gtin,
        seller_number=row.seller_number,
        buyer_number=row.buyer_number,
        description=row.description,
        unit=row.unit,
        status=next(word for word, holds in _STATUS if holds(sums)),
        late=any(piece.late for piece in pieces),
        requested_on=row.requested_on,
        asked=asked_for(row),
        ordered=from_scaled(sums.ordered),
        accepted=from_scaled(sums.accepted),
        back_ordered=from_scaled(sums.back_ordered),
        rejected=from_scaled(sums.rejected),
        cancelled=from_scaled(sums.cancelled),
        unanswered=from_scaled(sums.unanswered),
        open=from_scaled(sums.open),
        change_requested=from_scaled(changes[-1].quantity) if changes else None,
        cancel_requested=any(e.event == "cancel_requested" for e in standing),
        changes=tuple(changed),
        confirmation=sums.confirmation,
        unconfirmed=next((e.detail for e in reversed(standing) if waits and e.event == "confirmation_due"), ""),
        tracking=tuple(tracking),
        remarks=tuple(_remarks(sums)),
        pieces=pieces,
        history=tuple(_event(order, event) for event in events),
        **{name: from_scaled(said.get(name, 0)) for name in _SUMMED},
    )


_SUMMED = (
    *("substituted", "despatched", "delivered", "failed", "received", "short", "over", "damaged", "wrong"),
    *("return_announced", "returned", "invoiced", "credited"),
)
_BY_BUYER = frozenset(
    {"cancel_requested", "change_requested", "received", "short", "over", "damaged", "wrong"}
    | {"confirmation_due", "confirmed"}
)


def _event(order: OrderRow, event: LineEventRow) -> EventView:
    """An event with who said it, and a request's reason without what is only for programs."""
    announced = event.event == "returned" and event.detail.startswith(ANNOUNCED)
    by_buyer = event.event in _BY_BUYER or announced
    detail = event.detail
    if event.event in ("change_requested", "cancel_requested") and detail.startswith("{"):
        detail = str(json.loads(detail).get("reason", ""))
    elif event.event == "failed":
        detail = detail.removeprefix(": ")
    elif event.event == "changed":
        detail = "; ".join(Difference.of_text(detail).words())
    return EventView(
        event=event.event,
        quantity=from_scaled(event.quantity),
        unit=event.unit,
        # In a return order the goods go the other way, and so do the words about them.
        by="buyer" if by_buyer != (order.kind == "RETURN" and event.event not in ANSWERS | CONFIRMATIONS) else "seller",
        on=event.on,
        reference=event.reference,
        detail=detail,
        at=instant(event.at),
        standing=bool(event.standing),
    )


def _remarks(sums: _Line) -> list[str]:
    """What does not fit, in words."""
    said = sums.sums
    answered = sum(said.get(name, 0) for name in ANSWERS)
    found = []
    if answered > sums.ordered:
        found.append("more was answered than is ordered")
    if sums.gone > sums.ordered:
        found.append("more was despatched than is ordered")
    elif sums.gone > sums.expected:
        found.append("more was despatched than is still wanted")
    if sums.gone and sums.confirmation in ("due", "refused"):
        found.append("despatched before the buyer has confirmed the changes")
    if said.get("received", 0) + said.get("over", 0) > sums.gone:
        found.append("more was received than was despatched")
    if said.get("invoiced", 0) - said.get("credited", 0) > max(sums.gone, sums.arrived):
        found.append("more is invoiced than was despatched")
    for name, words in (
        ("short", "some did not arrive"),
        ("damaged", "some arrived damaged"),
        ("wrong", "something else arrived"),
    ):
        if said.get(name, 0):
            found.append(words)
    if said.get("failed", 0):
        found.append("a delivery failed")
    return found
