"""Orders as a batch of documents sees and changes them: `Book`, `OrderState`, `Effects`, and how effects are merged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from node.core.decimals import to_scaled
from node.core.document.common import DateQualifier, DocumentHeader, DocumentKey, ItemRef, QualifiedDate, Reason
from node.core.finding import Finding
from node.core.quantity import Quantity
from node.core.rows import LineEventRow, OrderLineRow, OrderRow
from node.core.tolerance import Tolerances
from node.core.unit_codes import PIECES
from node.core.units import convert

__all__ = [
    "ANSWERS",
    "ARRIVALS",
    "CONFIRMATIONS",
    "Book",
    "Effects",
    "Held",
    "OrderKey",
    "OrderState",
    "Refused",
    "Step",
    "confirmation_of",
    "date_of",
    "key_of",
    "merge",
    "micros",
    "reason_text",
    "reference_of",
    "scaled",
    "scaled_in",
]

ANSWERS = frozenset({"accepted", "back_ordered", "rejected", "substituted", "cancelled"})
"""Events that say what the seller will do; of each line the last answer stands alone."""

CONFIRMATIONS = frozenset({"changed", "confirmation_due", "confirmed"})
"""Events about an answer that differs from the order; they stand as long as that answer does."""

ARRIVALS = frozenset({"received", "short", "over", "damaged", "wrong"})
"""Events of a receiving advice."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Of several dates on a line, the one that says when the goods are wanted or will come.
_DATE_ORDER = (
    DateQualifier.DELIVER,
    DateQualifier.NOT_AFTER,
    DateQualifier.WINDOW,
    DateQualifier.SHIP,
    DateQualifier.UNSPECIFIED,
    DateQualifier.NOT_BEFORE,
)
_DELIVER = DateQualifier.DELIVER
scaled = lru_cache(maxsize=1 << 14)(to_scaled)
"""`to_scaled`, remembered: the same few quantities and prices come again and again."""


class OrderKey(NamedTuple):
    """The business identity of an order, whatever its revision; equal to the store's tuple of the same five.

    Orders in test and productive ones are two worlds: a number in one says nothing about the other.
    """

    issuer: str
    unit: str
    number: str
    series: str
    usage: str


class OrderState:
    """One order with its lines and everything that happened to them."""

    __slots__ = ("_by_item", "documents", "events", "lines", "order")

    def __init__(
        self, order: OrderRow, lines: Iterable[OrderLineRow] = (), events: Iterable[LineEventRow] = ()
    ) -> None:
        self.order = order
        self.lines = {line.line_id: line for line in lines}
        self.events = list(events)
        # Documents that have had their effect here: a second delivery has none.
        self.documents = {event.document_id for event in self.events}
        self.documents.add(order.document_id)
        self._by_item: dict[str, list[OrderLineRow]] | None = None

    def totals(self, kinds: frozenset[str], gone: frozenset[int] = frozenset()) -> dict[str, int]:
        """Scaled sums of the standing events of these kinds by line, leaving out those of the documents in `gone`."""
        sums: dict[str, int] = {}
        for e in self.events:
            if e.event in kinds and e.standing and e.document_id not in gone:
                sums[e.line_id] = sums.get(e.line_id, 0) + e.quantity
        return sums

    def put_line(self, line: OrderLineRow) -> None:
        """Add or replace a line."""
        self.lines[line.line_id] = line
        self._by_item = None

    def line_of_item(self, item: ItemRef) -> OrderLineRow | None:
        """The one line that orders the item, by GTIN or a party's number; None when there is none, or more than one."""
        if self._by_item is None:
            self._by_item = {}
            for line in self.lines.values():
                for name in _item_names(line.gtin, line.seller_number, line.buyer_number):
                    self._by_item.setdefault(name, []).append(line)
        found = {
            line.line_id: line
            for name in _item_names(item.gtin, item.seller_number, item.buyer_number)
            for line in self._by_item.get(name, ())
        }
        return next(iter(found.values())) if len(found) == 1 else None


def _item_names(gtin: str, seller_number: str, buyer_number: str) -> list[str]:
    """The names by which an item is found within one order."""
    names = [f"gtin {gtin.zfill(14)}"] if gtin else []
    if seller_number:
        names.append(f"seller {seller_number}")
    if buyer_number:
        names.append(f"buyer {buyer_number}")
    return names


class Book:
    """What is known of the orders that a batch touches, prefetched, and kept up to date while documents are applied.

    `own_id` is our participant id, `tolerances` are those that we set for this partner, and `told` those that it told
    us; both only for remarks, because the two sides may know different ones.
    """

    __slots__ = ("by_id", "orders", "own_id", "told", "tolerances")

    def __init__(
        self,
        own_id: str,
        states: Iterable[OrderState] = (),
        tolerances: Tolerances | None = None,
        told: Tolerances | None = None,
    ) -> None:
        self.own_id = own_id
        self.tolerances = tolerances or Tolerances()
        self.told = told or Tolerances()
        self.orders: dict[OrderKey, OrderState] = {}
        self.by_id: dict[int, OrderState] = {}
        for state in states:
            self.put(state)

    @classmethod
    def of_rows(
        cls,
        own_id: str,
        orders: Iterable[OrderRow],
        lines: Iterable[OrderLineRow],
        events: Iterable[LineEventRow],
        tolerances: Tolerances | None = None,
        told: Tolerances | None = None,
    ) -> Book:
        """A book from three queries of the store, in any order of rows."""
        lines_of: dict[int, list[OrderLineRow]] = {}
        events_of: dict[int, list[LineEventRow]] = {}
        for line in lines:
            lines_of.setdefault(line.order_id, []).append(line)
        for event in events:
            events_of.setdefault(event.order_id, []).append(event)
        states = (OrderState(o, lines_of.get(o.order_id, ()), events_of.get(o.order_id, ())) for o in orders)
        return cls(own_id, states, tolerances, told)

    def put(self, state: OrderState) -> None:
        """Add an order to the book."""
        order = state.order
        self.orders[OrderKey(order.issuer, order.unit, order.number, order.series, order.usage)] = state
        self.by_id[order.order_id] = state

    def enact(self, effects: Effects, document_id: int) -> None:
        """Let what follows in the batch see `effects`."""
        for order in effects.new_orders:
            self.put(OrderState(order))
        for order in effects.updated_orders:
            self.by_id[order.order_id].order = order
        for line in effects.new_lines:
            self.by_id[line.order_id].put_line(line)
        for line in effects.changed_lines:
            self.by_id[line.order_id].put_line(line)
        for order_id, gone in effects.supersede:
            state = self.by_id[order_id]
            documents = set(gone)
            state.events = [
                e._replace(standing=0) if e.standing and e.document_id in documents else e for e in state.events
            ]
        for event in effects.events:
            state = self.by_id[event.order_id]
            state.events.append(event)
            state.documents.add(event.document_id)
        for order in effects.updated_orders:
            self.by_id[order.order_id].documents.add(document_id)


@dataclass(slots=True)
class Effects:
    """What a document changes, as rows for the store. Apply `supersede` before `events`: a document whose events are
    only partly replaced is superseded whole, and what still stands of it is stated again."""

    new_orders: list[OrderRow] = field(default_factory=list)
    updated_orders: list[OrderRow] = field(default_factory=list)
    new_lines: list[OrderLineRow] = field(default_factory=list)
    changed_lines: list[OrderLineRow] = field(default_factory=list)
    events: list[LineEventRow] = field(default_factory=list)
    supersede: list[tuple[int, list[int]]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    refuse: bool = False
    hold: bool = False

    def replace_where(self, state: OrderState, replaced: Callable[[LineEventRow], bool]) -> None:
        """Make the standing events that are `replaced` stand no longer; their documents' other events go on."""
        gone = {e.document_id for e in state.events if e.standing and replaced(e)}
        if not gone:
            return
        self.supersede.append((state.order.order_id, sorted(gone)))
        self.events.extend(e for e in state.events if e.standing and e.document_id in gone and not replaced(e))


class Refused(Exception):
    """The partner must change something; carries the finding."""

    def __init__(self, rule: str, path: str, text: str) -> None:
        super().__init__(text)
        self.finding = Finding(rule, path, text)


class Held(Refused):
    """A human must decide."""


@dataclass(slots=True)
class Step:
    """One document on its way into the book."""

    book: Book
    partner_id: str
    we_are_sender: bool
    document_id: int
    at: int
    new_order_id: Callable[[], int]
    effects: Effects
    header: DocumentHeader

    def remark(self, rule: str, path: str, text: str) -> None:
        """Take the document, and say what is odd about it."""
        self.effects.findings.append(Finding(rule, path, text))


def merge(effects: Iterable[Effects]) -> Effects:
    """The effects of a batch's documents, in their order, as one write for each table.

    Refused and held documents add nothing but their findings. Lines and orders appear once, as they are at the end;
    events that a later document of the batch replaced are stored as no longer standing.
    """
    merged = Effects()
    orders: dict[int, OrderRow] = {}
    fresh: set[int] = set()
    lines: dict[tuple[int, str], OrderLineRow] = {}
    new_lines: set[tuple[int, str]] = set()
    superseded: dict[int, set[int]] = {}
    # Where each order's events are among those of the batch.
    places: dict[int, list[int]] = {}
    for one in effects:
        merged.findings.extend(one.findings)
        if one.refuse or one.hold:
            continue
        for order in one.new_orders:
            orders[order.order_id] = order
            fresh.add(order.order_id)
        for order in one.updated_orders:
            orders[order.order_id] = order
        for line in one.new_lines:
            lines[line.order_id, line.line_id] = line
            new_lines.add((line.order_id, line.line_id))
        for line in one.changed_lines:
            lines[line.order_id, line.line_id] = line
        for order_id, documents in one.supersede:
            superseded.setdefault(order_id, set()).update(documents)
            gone = set(documents)
            for place in places.get(order_id, ()):
                event = merged.events[place]
                if event.standing and event.document_id in gone:
                    merged.events[place] = event._replace(standing=0)
        for event in one.events:
            places.setdefault(event.order_id, []).append(len(merged.events))
            merged.events.append(event)
    for order_id, order in orders.items():
        (merged.new_orders if order_id in fresh else merged.updated_orders).append(order)
    for key, line in lines.items():
        (merged.new_lines if key in new_lines else merged.changed_lines).append(line)
    merged.supersede.extend((order_id, sorted(ended)) for order_id, ended in superseded.items())
    return merged


def confirmation_of(standing: Iterable[LineEventRow]) -> str:
    """Where the buyer's confirmation of an answer with changes stands, from one line's standing events.

    "" without changes; "open" while the buyer has said nothing; "due" when it has said that it must confirm first;
    "refused" when it asks for a change or cancellation instead, and the seller has not answered; "confirmed".
    """
    said = {event.event for event in standing}
    if "changed" not in said:
        return ""
    if "confirmed" in said:
        return "confirmed"
    if "confirmation_due" not in said:
        return "open"
    return "refused" if said & {"change_requested", "cancel_requested"} else "due"


def key_of(key: DocumentKey, buyer: str, header: DocumentHeader) -> OrderKey:
    """The order that the reference of a document with this header names, in the header's usage.

    A reference without an issuer means the buyer's number.
    """
    return OrderKey(key.issuer or buyer, key.unit, key.number, key.series, header.usage._value_)


def reference_of(header: DocumentHeader | DocumentKey) -> str:
    """How events name a document: its number, with unit and series where the issuer has them, so that numbers that
    are used again in another year or branch stay apart."""
    if header.unit or header.series:
        return f"{header.number} ({header.unit}/{header.series})"
    return header.number


def micros(instant: datetime) -> int:
    """Microseconds since 1970-01-01 UTC of an aware datetime."""
    return (instant - _EPOCH) // _MICROSECOND


def scaled_in(quantity: Quantity, unit: str) -> int:
    """The quantity in `unit` as a scaled integer; raises RefusedError where it does not convert exactly."""
    if quantity.unit == unit or (unit in PIECES and quantity.unit in PIECES):
        return scaled(quantity.value)
    return to_scaled(convert(quantity, unit).value)


def date_of(dates: tuple[QualifiedDate, ...]) -> str | None:
    """The day (ISO text) that counts among a line's or document's dates, or None."""
    if dates and dates[0].qualifier is _DELIVER and dates[0].on:
        return dates[0].on.isoformat()
    best: date | None = None
    rank = len(_DATE_ORDER)
    for one in dates:
        on = one.on or (one.until_at.date() if one.until_at else one.from_at.date() if one.from_at else None)
        if on is None or one.qualifier not in _DATE_ORDER:
            continue
        place = _DATE_ORDER.index(one.qualifier)
        if place < rank:
            best, rank = on, place
    return None if best is None else best.isoformat()


def reason_text(reason: Reason | None) -> str:
    """A reason in one line: its text, or its code where it has none."""
    if reason is None:
        return ""
    return reason.text or reason.code
