"""Two companies' books of the same orders: whatever is sent, in whichever order it crosses, they agree and balance."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from node.core.document import Document
from node.core.document.common import (
    DocumentHeader,
    DocumentKey,
    ItemRef,
    Price,
    QualifiedDate,
    Reason,
    Reference,
    ReferenceKind,
    Usage,
)
from node.core.document.fulfilment import (
    AdviceStatus,
    Carriage,
    DeliveryEvent,
    DeliveryStatus,
    DespatchAdvice,
    DespatchLine,
    ReceivingAdvice,
    ReceivingLine,
    ReturnAnnouncement,
    ReturnLine,
    ReturnReceipt,
    ReturnReceiptLine,
)
from node.core.document.invoice import CreditNote, Invoice, InvoiceLine
from node.core.document.order import (
    Order,
    OrderCancellation,
    OrderChange,
    OrderLine,
    OrderResponse,
    OrderResponseLine,
    ResponseOutcome,
    Schedule,
    ScheduleOutcome,
)
from node.core.document.terms import ApplicationOutcome, ApplicationResponse, LineReason
from node.core.money import Money
from node.core.order_book import (
    Book,
    Effects,
    OrderKey,
    OrderState,
    apply,
    completed,
    keys_needed,
    merge,
    submit_findings,
)
from node.core.order_view import LineView, OrderView, TotalView, view
from node.core.quantity import Quantity
from node.core.rows import LineEventRow, OrderLineRow, OrderRow
from node.core.tolerance import Difference

BUYER = "0088:4012345000009"
SELLER = "0088:4012345000016"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
ORDERS = ("PO-1", "PO-2")
LINES = ("1", "2", "3")


class Store:
    """Rows as the store keeps them: what effects mean there, in the simplest way."""

    def __init__(self) -> None:
        self.orders: dict[int, OrderRow] = {}
        self.lines: dict[tuple[int, str], OrderLineRow] = {}
        self.events: list[LineEventRow] = []

    def write(self, effects: Effects) -> None:
        for order in (*effects.new_orders, *effects.updated_orders):
            self.orders[order.order_id] = order
        for line in effects.new_lines:
            assert (line.order_id, line.line_id) not in self.lines
            self.lines[line.order_id, line.line_id] = line
        for line in effects.changed_lines:
            assert (line.order_id, line.line_id) in self.lines
            self.lines[line.order_id, line.line_id] = line
        for order_id, documents in effects.supersede:
            self.events = [
                e._replace(standing=0) if e.order_id == order_id and e.document_id in documents else e
                for e in self.events
            ]
        self.events.extend(effects.events)


class Side:
    """One company's node: its book, its store, and the documents it has not yet sent."""

    def __init__(self, me: str, other: str) -> None:
        self.me, self.other = me, other
        self.book = Book(me)
        self.store = Store()
        self.outbox: deque[Document] = deque()
        self.ids = count(1)
        self.order_ids = count(1)
        self.applied: list[tuple[int, bool, Document]] = []

    def take(self, document: Document, *, sent: bool, document_id: int | None = None) -> Effects:
        number = next(self.ids) if document_id is None else document_id
        effects = apply(
            document,
            partner_id=self.other,
            we_are_sender=sent,
            document_id=number,
            at=number,
            book=self.book,
            new_order_id=lambda: next(self.order_ids),
        )
        if not (effects.refuse or effects.hold):
            self.store.write(effects)
            self.applied.append((number, sent, document))
        return effects

    def submit(self, document: Document) -> bool:
        """Apply our own document and queue it; what is refused at home is never sent."""
        document = completed(document, self.book, buyer=BUYER)
        if submit_findings(document, self.book):
            return False
        effects = self.take(document, sent=True)
        if effects.refuse or effects.hold:
            return False
        self.outbox.append(document)
        return True

    def views(self) -> list[OrderView]:
        return [view(s.order, s.lines.values(), s.events, NOW) for s in self.book.orders.values()]


def standing(book: Book) -> dict[OrderKey, Any]:
    """What a book says, without the numbers that each node gives by itself."""
    said: dict[OrderKey, Any] = {}
    for key, state in book.orders.items():
        lines = {line.line_id: line[1:-1] for line in state.lines.values()}
        events = Counter((e[1], *e[3:10]) for e in state.events if e.standing)
        order = state.order._replace(order_id=0, partner_id="", role="", document_id=0)
        said[key] = (order, lines, events)
    return said


def check_balance(views: list[OrderView]) -> None:
    for one in views:
        sums: list[LineView | TotalView] = [*one.lines, *one.totals]
        for line in sums:
            parts = (line.accepted, line.back_ordered, line.rejected, line.cancelled, line.unanswered)
            assert min(parts) >= 0
            assert sum(parts) == line.ordered
            assert line.open >= 0
        for row in one.lines:
            for name in ("despatched", "invoiced"):
                assert sum(getattr(piece, name) for piece in row.pieces) == getattr(row, name)
        one.as_fields()


def qty(number: int, unit: str = "C62") -> Quantity:
    return Quantity(Decimal(number), unit)


def header(side: Side, number: str, revision: int = 0) -> DocumentHeader:
    return DocumentHeader(issuer=side.me, number=number, revision=revision, usage=Usage.TEST, issued_at=NOW)


quantities = st.integers(1, 12)
numbers = st.integers(1, 3).map(str)
revisions = st.integers(0, 2)
dates = st.sampled_from([(), (QualifiedDate(on=date(2026, 4, 1)),), (QualifiedDate(on=date(2026, 6, 1)),)])
units = st.sampled_from(["C62", "EA", "C62", "C62", "PR"])
prices = st.sampled_from(["2.50", "2.50", "2.60", "3"]).map(lambda text: Price(amount=Money(Decimal(text), "EUR")))
chosen_lines = st.lists(st.sampled_from(LINES), unique=True, max_size=3)


@st.composite
def order_lines(draw: st.DrawFn, least: int = 0, most: int = 12) -> tuple[OrderLine, ...]:
    ids = draw(st.lists(st.sampled_from(LINES), unique=True, min_size=1, max_size=3))
    return tuple(
        OrderLine(
            line_id=i,
            item=ItemRef(seller_number=f"A{i}"),
            quantity=qty(draw(st.integers(least, most)), draw(units)),
            dates=draw(dates),
            price=draw(prices),
        )
        for i in ids
    )


@st.composite
def schedule(draw: st.DrawFn) -> tuple[Schedule, ...]:
    return tuple(
        Schedule(
            schedule_id=str(place),
            quantity=qty(draw(quantities), draw(units)),
            outcome=draw(st.sampled_from(list(ScheduleOutcome))),
            dates=draw(dates),
            reason=Reason(text="late harvest"),
        )
        for place in range(draw(st.integers(0, 3)))
    )


@st.composite
def buyer_documents(draw: st.DrawFn, side: Side) -> Document:
    kind = draw(st.sampled_from("order order change change cancel receive return verdict verdict verdict".split()))
    order = DocumentKey(type="Order", number=draw(st.sampled_from(ORDERS)))
    number, revision = draw(numbers), draw(revisions)
    if kind == "order":
        return Order(header=header(side, order.number, revision), currency="EUR", lines=draw(order_lines(1)))
    if kind == "change":
        lines = draw(order_lines())
        return OrderChange(header=header(side, f"C{number}", revision), order=order, lines=lines)
    if kind == "cancel":
        ids = tuple(draw(chosen_lines))
        return OrderCancellation(header=header(side, f"X{number}", revision), order=order, line_ids=ids)
    if kind == "verdict":
        return draw(verdicts(side, order, f"V{number}", revision))
    status = draw(st.sampled_from(list(AdviceStatus)))
    ids = tuple(draw(chosen_lines))
    if kind == "return":
        parts = tuple(ReturnLine(line_id=f"r{i}", order_line_id=i, quantity=qty(draw(quantities))) for i in ids)
        return ReturnAnnouncement(header=header(side, f"B{number}", revision), order=order, lines=parts)
    received = tuple(
        ReceivingLine(line_id=i, order_line_id=i, accepted=qty(draw(quantities)), damaged=qty(draw(quantities)))
        for i in ids
    )
    return ReceivingAdvice(header=header(side, f"W{number}", revision), status=status, order=order, lines=received)


@st.composite
def verdicts(draw: st.DrawFn, side: Side, order: DocumentKey, number: str, revision: int) -> Document:
    """The buyer's word on an answer that it has, or has not."""
    known = [
        (e.reference, Difference.of_text(e.detail).revision)
        for state in side.book.orders.values()
        for e in state.events
        if e.event == "changed" and state.order.number == order.number
    ]
    reference, of_revision = draw(st.sampled_from(known or [("R1", 0)]))
    answer = DocumentKey(issuer=SELLER, type="OrderResponse", number=reference, revision=of_revision)
    return ApplicationResponse(
        header=replace(
            header(side, number, revision), references=(Reference(kind=ReferenceKind.ORDER, document=order),)
        ),
        document=answer,
        outcome=draw(st.sampled_from([ApplicationOutcome.UNDER_QUERY, ApplicationOutcome.ACCEPTED])),
        line_reasons=tuple(
            LineReason(line_id=i, reason=Reason(text="too late"))
            for i in draw(st.sampled_from([(), (), ("1",), ("2",)]))
        ),
    )


@st.composite
def seller_documents(draw: st.DrawFn, side: Side) -> Document:
    kinds = "response response response despatch despatch delivery invoice credit returned"
    kind = draw(st.sampled_from(kinds.split()))
    order = DocumentKey(type="Order", number=draw(st.sampled_from(ORDERS)))
    number, revision, lines = draw(numbers), draw(revisions), draw(chosen_lines)
    if kind == "response":
        answers = None
        if draw(st.booleans()):
            asked = draw(st.sampled_from(["OrderChange", "OrderCancellation"]))
            name = ("C" if asked == "OrderChange" else "X") + draw(numbers)
            answers = DocumentKey(issuer=BUYER, type=asked, number=name, revision=draw(revisions))
        parts = tuple(OrderResponseLine(line_id=i, schedule=draw(schedule()), price=draw(prices)) for i in lines)
        return OrderResponse(
            header=header(side, f"R{number}", revision),
            order=order,
            outcome=draw(st.sampled_from(list(ResponseOutcome))),
            lines=parts,
            answers=answers,
            dates=draw(dates),
            seller_order_number=draw(st.sampled_from(["", "4711", "4712"])),
        )
    if kind == "despatch":
        sent = tuple(
            DespatchLine(line_id=i, order_line_id=i, quantity=qty(draw(quantities), draw(units))) for i in lines
        )
        return DespatchAdvice(
            header=header(side, f"D{number}", revision),
            status=draw(st.sampled_from(list(AdviceStatus))),
            order=order,
            carriage=Carriage(tracking=f"1Z{number}"),
            lines=sent,
        )
    if kind == "delivery":
        return DeliveryStatus(
            header=header(side, f"T{number}", revision),
            order=order,
            despatch=DocumentKey(type="DespatchAdvice", number=f"D{draw(numbers)}"),
            event=draw(st.sampled_from(list(DeliveryEvent))),
        )
    if kind == "returned":
        back = tuple(
            ReturnReceiptLine(line_id=i, return_line_id=f"r{i}", item=ItemRef(seller_number=f"A{i}"), quantity=qty(2))
            for i in lines
        )
        announcement = DocumentKey(type="ReturnAnnouncement", number=f"B{draw(numbers)}")
        return ReturnReceipt(
            header=header(side, f"A{number}", revision), order=order, announcement=announcement, lines=back
        )
    billed = tuple(InvoiceLine(line_id=i, order_line_id=i, quantity=qty(draw(quantities))) for i in lines)
    if kind == "credit":
        return CreditNote(header=header(side, f"N{number}", revision), order=order, lines=billed)
    return Invoice(header=header(side, f"I{number}", revision), order=order, lines=billed)


def deliver(sender: Side, receiver: Side) -> None:
    """The oldest waiting document arrives. What its sender could say knowing less, the receiver can always take."""
    effects = receiver.take(sender.outbox.popleft(), sent=False)
    assert not effects.refuse, effects.findings
    assert not effects.hold, effects.findings


@given(st.data())
def test_both_sides_agree_in_the_end_and_every_step_balances(data: st.DataObject) -> None:
    buyer, seller = Side(BUYER, SELLER), Side(SELLER, BUYER)
    for number in ORDERS:
        lines = data.draw(order_lines(1))
        buyer.submit(Order(header=header(buyer, number), currency="EUR", lines=lines))
        deliver(buyer, seller)
    for action in data.draw(st.lists(st.sampled_from("bsbsBS"), max_size=24)):
        if action == "b":
            buyer.submit(data.draw(buyer_documents(buyer)))
        elif action == "s":
            seller.submit(data.draw(seller_documents(seller)))
        elif action == "B" and buyer.outbox:
            deliver(buyer, seller)
        elif action == "S" and seller.outbox:
            deliver(seller, buyer)
        check_balance(buyer.views())
        check_balance(seller.views())
    while buyer.outbox:
        deliver(buyer, seller)
    while seller.outbox:
        deliver(seller, buyer)
    assert standing(buyer.book) == standing(seller.book)
    for side in (buyer, seller):
        check_stored(side)
        check_replay(side)


def check_stored(side: Side) -> None:
    """The store holds what the book holds, document by document and as one batch alike."""
    book = Book.of_rows(side.me, side.store.orders.values(), side.store.lines.values(), side.store.events)
    assert standing(book) == standing(side.book)
    again = Side(side.me, side.other)
    effects = []
    for number, sent, document in side.applied:
        effects.append(
            apply(
                document,
                partner_id=side.other,
                we_are_sender=sent,
                document_id=number,
                at=number,
                book=again.book,
                new_order_id=lambda: next(again.order_ids),
            )
        )
    batch = Store()
    batch.write(merge(effects))
    book = Book.of_rows(side.me, batch.orders.values(), batch.lines.values(), batch.events)
    assert standing(book) == standing(side.book)


def check_replay(side: Side) -> None:
    """A second delivery of everything, in the old order, changes nothing."""
    before = standing(side.book)
    for number, sent, document in list(side.applied):
        side.take(document, sent=sent, document_id=number)
    assert standing(side.book) == before


@given(st.data())
def test_any_documents_in_any_order_leave_the_book_whole(data: st.DataObject) -> None:
    side = Side(SELLER, BUYER)
    for _ in range(data.draw(st.integers(0, 15))):
        ours = data.draw(st.booleans())
        author = Side(SELLER, BUYER) if ours else Side(BUYER, SELLER)
        maker = seller_documents if data.draw(st.booleans()) else buyer_documents
        document = data.draw(maker(author))
        before = standing(side.book)
        effects = side.take(document, sent=ours)
        if effects.refuse or effects.hold:
            assert effects.findings
            assert standing(side.book) == before
        check_balance(side.views())


@given(st.data())
def test_every_order_that_a_document_touches_is_prefetched(data: st.DataObject) -> None:
    buyer, seller = Side(BUYER, SELLER), Side(SELLER, BUYER)
    for number in ORDERS:
        buyer.submit(Order(header=header(buyer, number), currency="EUR", lines=data.draw(order_lines(1))))
        deliver(buyer, seller)
    document = data.draw(seller_documents(seller))
    needed = keys_needed([document], sender=SELLER, receiver=BUYER)
    part = Book(SELLER, [_copy(seller.book.orders[key]) for key in needed if key in seller.book.orders])
    effects = apply(
        completed(document, part, buyer=BUYER),
        partner_id=BUYER,
        we_are_sender=True,
        document_id=99,
        at=99,
        book=part,
        new_order_id=lambda: 99,
    )
    whole = seller.take(completed(document, seller.book, buyer=BUYER), sent=True, document_id=99)
    assert replace(effects, events=[]) == replace(whole, events=[])
    assert [e[:10] for e in effects.events] == [e[:10] for e in whole.events]


def _copy(state: OrderState) -> OrderState:
    return OrderState(state.order, state.lines.values(), state.events)
