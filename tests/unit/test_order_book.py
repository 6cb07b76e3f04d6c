"""Scenarios of an order between a shop and its supplier, as the supplier's book sees them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from node.core.document import Document
from node.core.document.common import (
    DateQualifier,
    DocumentHeader,
    DocumentKey,
    ItemRef,
    LineKind,
    Package,
    PackageContent,
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
    Disposition,
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
    OrderKind,
    OrderLine,
    OrderResponse,
    OrderResponseLine,
    ResponseOutcome,
    Schedule,
    ScheduleOutcome,
)
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
    undo,
)
from node.core.order_view import OrderView, view
from node.core.quantity import Quantity
from node.core.tolerance import Tolerances

SHOP = "0088:4012345000009"
SUPPLIER = "0088:4012345000016"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
PO = DocumentKey(issuer=SHOP, type="Order", number="PO-1")
KEY = OrderKey(SHOP, "", "PO-1", "", "TEST")


class Supplier:
    """The supplier's node: a book to which documents are applied."""

    def __init__(self, tolerances: Tolerances | None = None) -> None:
        self.book = Book(SUPPLIER, tolerances=tolerances)
        self.ids = count(100)
        self.orders = count(1)

    def takes(self, document: Document, document_id: int | None = None) -> Effects:
        header = document.header or DocumentHeader()
        number = next(self.ids) if document_id is None else document_id
        return apply(
            document,
            partner_id=SHOP,
            we_are_sender=header.issuer == SUPPLIER,
            document_id=number,
            at=number,
            book=self.book,
            new_order_id=lambda: next(self.orders),
        )

    @property
    def state(self) -> OrderState:
        return self.book.orders[KEY]

    @property
    def view(self) -> OrderView:
        return view(self.state.order, self.state.lines.values(), self.state.events, NOW)

    def line(self, line_id: str = "1") -> Any:
        return next(line for line in self.view.lines if line.line_id == line_id)


def qty(number: int | str, unit: str = "C62") -> Quantity:
    return Quantity(Decimal(number), unit)


def header(issuer: str, number: str, revision: int = 0, **rest: Any) -> DocumentHeader:
    return DocumentHeader(issuer=issuer, number=number, revision=revision, usage=Usage.TEST, issued_at=NOW, **rest)


def order(revision: int = 0, quantities: tuple[int, ...] = (10, 4), **rest: Any) -> Order:
    lines = tuple(
        OrderLine(
            line_id=str(place),
            item=ItemRef(gtin="4006381333931" if place == 1 else "", seller_number=f"A-{place}"),
            quantity=qty(quantity),
            price=Price(amount=Money(Decimal("2.50"), "EUR"), base_quantity=qty(1)),
            dates=(QualifiedDate(qualifier=DateQualifier.DELIVER, on=date(2026, 5, 4)),),
        )
        for place, quantity in enumerate(quantities, 1)
    )
    return Order(header=header(SHOP, "PO-1", revision), currency="EUR", lines=lines, **rest)


def response(number: str = "R-1", outcome: ResponseOutcome = ResponseOutcome.ACCEPTED, **rest: Any) -> OrderResponse:
    return OrderResponse(header=header(SUPPLIER, number), order=rest.pop("order", PO), outcome=outcome, **rest)


def piece(quantity: int, outcome: ScheduleOutcome, on: date | None = None, reason: str = "") -> Schedule:
    return Schedule(
        quantity=qty(quantity),
        outcome=outcome,
        dates=(QualifiedDate(qualifier=DateQualifier.DELIVER, on=on),) if on else (),
        reason=Reason(text=reason) if reason else None,
    )


def despatch(number: str = "D-1", quantity: int = 6, revision: int = 0, **rest: Any) -> DespatchAdvice:
    lines = rest.pop("lines", (DespatchLine(line_id="1", order_line_id="1", quantity=qty(quantity)),))
    return DespatchAdvice(
        header=header(SUPPLIER, number, revision),
        order=PO,
        despatched_at=NOW,
        carriage=Carriage(tracking="1Z999"),
        lines=lines,
        **rest,
    )


def invoice(number: str = "I-1", quantity: int = 6, revision: int = 0, **rest: Any) -> Invoice:
    lines = rest.pop("lines", (InvoiceLine(line_id="1", order_line_id="1", quantity=qty(quantity)),))
    return Invoice(
        header=rest.pop("header", header(SUPPLIER, number, revision)),
        order=rest.pop("order", PO),
        currency="EUR",
        lines=lines,
        **rest,
    )


def change(quantity: int, number: str = "C-1", revision: int = 0, line_id: str = "1") -> OrderChange:
    line = OrderLine(line_id=line_id, item=ItemRef(seller_number=f"A-{line_id}"), quantity=qty(quantity))
    return OrderChange(header=header(SHOP, number, revision), order=PO, lines=(line,))


@pytest.fixture
def supplier() -> Supplier:
    """A supplier who has taken an order of 10 and 4 pieces."""
    one = Supplier()
    assert not one.takes(order()).findings
    return one


def test_an_order_becomes_rows() -> None:
    supplier = Supplier()
    effects = supplier.takes(
        Order(
            header=header(
                SHOP,
                "PO-1",
                references=(Reference(kind=ReferenceKind.CUSTOMER_ORDER, document=DocumentKey(number="WEB-7")),),
            ),
            order_kind=OrderKind.DROP_SHIP,
            currency="EUR",
            lines=order().lines,
        )
    )
    (row,) = effects.new_orders
    assert (row.role, row.kind, row.number, row.customer_order) == ("seller", "DROP_SHIP", "PO-1", "WEB-7")
    first = effects.new_lines[0]
    assert (first.quantity, first.price, first.price_base, first.requested_on) == (
        10_000_000,
        2_500_000,
        1_000_000,
        "2026-05-04",
    )
    assert effects.events == []
    assert supplier.view.status == "ordered"


def test_six_now_four_in_may_two_rejected() -> None:
    supplier = Supplier()
    supplier.takes(order(quantities=(12,)))
    pieces = (
        piece(6, ScheduleOutcome.ACCEPTED, date(2026, 5, 2)),
        piece(4, ScheduleOutcome.BACK_ORDERED, date(2026, 5, 20)),
        piece(2, ScheduleOutcome.REJECTED, reason="discontinued"),
    )
    supplier.takes(response(outcome=ResponseOutcome.CHANGED, lines=(OrderResponseLine(line_id="1", schedule=pieces),)))
    line = supplier.line()
    assert (line.accepted, line.back_ordered, line.rejected, line.unanswered) == (6, 4, 2, 0)
    assert [(p.outcome, p.promised_on) for p in line.pieces] == [
        ("accepted", "2026-05-02"),
        ("back_ordered", "2026-05-20"),
        ("rejected", None),
    ]
    assert line.pieces[2].reason == "discontinued"
    assert line.status == "back_ordered"


@pytest.mark.parametrize(
    ("outcome", "status"), [(ResponseOutcome.ACCEPTED, "accepted"), (ResponseOutcome.REJECTED, "rejected")]
)
def test_a_response_without_lines_speaks_for_all(supplier: Supplier, outcome: ResponseOutcome, status: str) -> None:
    supplier.takes(response(outcome=outcome, seller_order_number="4711"))
    assert [line.status for line in supplier.view.lines] == [status, status]
    assert supplier.view.status == status
    assert supplier.view.seller_order_number == "4711"


def test_a_later_answer_replaces_only_the_lines_it_names(supplier: Supplier) -> None:
    supplier.takes(response())
    rejected = OrderResponseLine(line_id="2", schedule=(piece(4, ScheduleOutcome.REJECTED),))
    effects = supplier.takes(response("R-2", ResponseOutcome.CHANGED, lines=(rejected,)))
    assert supplier.line("1").accepted == 10
    assert (supplier.line("2").accepted, supplier.line("2").rejected) == (0, 4)
    # The first response is superseded whole, and what still stands of it is stated again.
    assert len(effects.supersede) == 1
    assert sorted((e.line_id, e.event, e.reference) for e in effects.events) == [
        ("1", "accepted", "R-1"),
        ("2", "rejected", "R-2"),
    ]


def test_a_change_takes_effect_when_the_seller_agrees(supplier: Supplier) -> None:
    supplier.takes(response())
    supplier.takes(change(12))
    line = supplier.line()
    assert (line.ordered, line.change_requested, line.accepted) == (10, 12, 10)
    assert supplier.view.waits_for == "seller"
    key = DocumentKey(issuer=SHOP, type="OrderChange", number="C-1")
    supplier.takes(response("R-2", answers=key))
    line = supplier.line()
    assert (line.ordered, line.change_requested, line.accepted) == (12, None, 12)
    assert supplier.line("2").accepted == 4


def test_a_refused_change_leaves_the_order_as_it_was(supplier: Supplier) -> None:
    supplier.takes(response())
    supplier.takes(change(12))
    key = DocumentKey(issuer=SHOP, type="OrderChange", number="C-1")
    supplier.takes(response("R-2", ResponseOutcome.REJECTED, answers=key, reason=Reason(text="too late")))
    line = supplier.line()
    assert (line.ordered, line.change_requested, line.accepted, line.rejected) == (10, None, 10, 0)
    assert "C-1 is not agreed to: too late" in [event.detail for event in line.history]


def test_a_change_may_add_and_take_away_lines(supplier: Supplier) -> None:
    supplier.takes(change(5, line_id="3"))
    supplier.takes(change(0, "C-2", line_id="2"))
    assert supplier.line("3").ordered == 0
    for number in ("C-1", "C-2"):
        supplier.takes(response(f"R-{number}", answers=DocumentKey(issuer=SHOP, type="OrderChange", number=number)))
    assert (supplier.line("3").ordered, supplier.line("3").accepted) == (5, 5)
    assert supplier.line("2").status == "removed"


def test_a_later_revision_of_a_change_replaces_it(supplier: Supplier) -> None:
    supplier.takes(change(12))
    supplier.takes(change(14, revision=1))
    assert supplier.line().change_requested == 14
    supplier.takes(response(answers=DocumentKey(issuer=SHOP, type="OrderChange", number="C-1", revision=1)))
    assert supplier.line().ordered == 14


def test_a_cancellation_that_crosses_a_despatch_keeps_what_was_sent(supplier: Supplier) -> None:
    supplier.takes(response())
    supplier.takes(despatch(quantity=6))
    supplier.takes(OrderCancellation(header=header(SHOP, "X-1"), order=PO, reason=Reason(text="shop closes")))
    assert supplier.line().cancel_requested
    supplier.takes(response("R-2", answers=DocumentKey(issuer=SHOP, type="OrderCancellation", number="X-1")))
    line = supplier.line()
    assert (line.accepted, line.cancelled, line.despatched, line.open) == (6, 4, 6, 0)
    assert not line.cancel_requested
    assert supplier.line("2").status == "cancelled"


def test_a_refused_cancellation_changes_nothing(supplier: Supplier) -> None:
    supplier.takes(response())
    supplier.takes(OrderCancellation(header=header(SHOP, "X-1"), order=PO, line_ids=("2",)))
    key = DocumentKey(issuer=SHOP, type="OrderCancellation", number="X-1")
    supplier.takes(response("R-2", ResponseOutcome.REJECTED, answers=key))
    assert (supplier.line("2").accepted, supplier.line("2").cancel_requested) == (4, False)


def test_a_new_revision_needs_a_new_answer(supplier: Supplier) -> None:
    supplier.takes(response())
    supplier.takes(order(revision=1, quantities=(8,)))
    assert (supplier.line("1").ordered, supplier.line("1").unanswered) == (8, 8)
    assert supplier.line("2").status == "removed"
    # An answer that crossed it is kept, but does not stand.
    effects = supplier.takes(response("R-2"))
    assert [finding.rule for finding in effects.findings] == ["old-revision"]
    assert not effects.refuse
    assert supplier.line("1").unanswered == 8
    # At home it is not even submitted, and the node fills in what the ERP does not say.
    assert submit_findings(response("R-3"), supplier.book)[0].rule == "old-revision"
    filled = completed(response("R-3"), supplier.book, buyer=SHOP)
    assert submit_findings(filled, supplier.book) == []
    supplier.takes(filled)
    assert supplier.line("1").accepted == 8


def test_despatch_by_package_with_tracking_and_delivery(supplier: Supplier) -> None:
    packages = (
        Package(tracking="T-1", contents=(PackageContent(line_id="1", quantity=qty(4)),)),
        Package(sscc="340123450000000015", contents=(PackageContent(line_id="1", quantity=qty(2)),)),
    )
    supplier.takes(despatch(quantity=7, packages=packages))
    assert supplier.line().despatched == 7
    assert supplier.line().tracking == ("1Z999", "T-1", "340123450000000015")
    sent = DocumentKey(issuer=SUPPLIER, type="DespatchAdvice", number="D-1")
    status = DeliveryStatus(
        header=header(SUPPLIER, "S-1"), despatch=sent, order=PO, event=DeliveryEvent.FAILED, tracking="T-1"
    )
    supplier.takes(status)
    assert (supplier.line().failed, supplier.line().delivered) == (4, 0)
    # A second attempt succeeds: the goods are counted once.
    again = DeliveryStatus(header=header(SUPPLIER, "S-2"), despatch=sent, order=PO, event=DeliveryEvent.DELIVERED)
    supplier.takes(again)
    assert (supplier.line().failed, supplier.line().delivered) == (0, 7)


def test_a_delivery_of_unknown_goods_is_only_remarked(supplier: Supplier) -> None:
    status = DeliveryStatus(header=header(SUPPLIER, "S-1"), order=PO, event=DeliveryEvent.DELIVERED)
    effects = supplier.takes(status)
    assert [finding.rule for finding in effects.findings] == ["unknown-despatch"]
    assert supplier.line().delivered == 0
    assert not supplier.takes(
        DeliveryStatus(header=header(SUPPLIER, "S-2"), order=PO, event=DeliveryEvent.IN_TRANSIT)
    ).events


def test_a_despatch_is_corrected_and_cancelled(supplier: Supplier) -> None:
    supplier.takes(despatch(quantity=6))
    supplier.takes(despatch(quantity=5, revision=1, status=AdviceStatus.CORRECTED))
    assert supplier.line().despatched == 5
    supplier.takes(despatch(revision=2, status=AdviceStatus.CANCELLED, lines=()))
    assert supplier.line().despatched == 0
    held = supplier.takes(despatch("D-2", 3))
    assert not held.hold
    held = supplier.takes(despatch("D-2", 4))
    assert held.hold
    assert held.findings[0].rule == "other-content"
    assert supplier.line().despatched == 3


def test_the_same_number_of_another_year_is_another_despatch(supplier: Supplier) -> None:
    supplier.takes(despatch("1", 2))
    other = DespatchAdvice(
        header=header(SUPPLIER, "1", series="2027"),
        order=PO,
        lines=(DespatchLine(line_id="1", order_line_id="1", quantity=qty(3)),),
    )
    assert not supplier.takes(other).hold
    assert supplier.line().despatched == 5


def test_goods_arrive_short_and_damaged(supplier: Supplier) -> None:
    supplier.takes(response())
    supplier.takes(despatch(quantity=10))
    line = ReceivingLine(
        line_id="1",
        order_line_id="1",
        accepted=qty(7),
        short=qty(2),
        damaged=qty(1),
        reason=Reason(text="wet"),
    )
    supplier.takes(ReceivingAdvice(header=header(SHOP, "W-1"), order=PO, received_at=NOW, lines=(line,)))
    seen = supplier.line()
    assert (seen.received, seen.short, seen.damaged) == (7, 2, 1)
    assert seen.status == "partly_received"
    assert "some did not arrive" in seen.remarks
    corrected = ReceivingLine(line_id="1", order_line_id="1", accepted=qty(10))
    supplier.takes(ReceivingAdvice(header=header(SHOP, "W-1", 1), order=PO, lines=(corrected,)))
    assert (supplier.line().received, supplier.line().short) == (10, 0)
    assert supplier.line().status == "received"


def test_a_return_is_announced_and_then_received(supplier: Supplier) -> None:
    supplier.takes(despatch(quantity=6))
    back = ReturnLine(line_id="r1", order_line_id="1", quantity=qty(3), reason=Reason(text="wrong colour"))
    other = ReturnLine(line_id="r2", order_line_id="2", quantity=qty(1))
    supplier.takes(ReturnAnnouncement(header=header(SHOP, "B-1"), order=PO, lines=(back, other)))
    assert (supplier.line().return_announced, supplier.line().returned) == (3, 0)
    arrived = ReturnReceiptLine(
        line_id="1", return_line_id="r1", quantity=qty(2), disposition=Disposition.RETURN_TO_MAKER
    )
    supplier.takes(
        ReturnReceipt(
            header=header(SUPPLIER, "A-1"),
            order=PO,
            announcement=DocumentKey(issuer=SHOP, number="B-1"),
            lines=(arrived,),
        )
    )
    assert (supplier.line().return_announced, supplier.line().returned) == (0, 2)
    assert supplier.line("2").return_announced == 1
    assert supplier.line().history[-1].detail == "return to maker"


def test_invoice_credit_and_correction(supplier: Supplier) -> None:
    supplier.takes(despatch(quantity=6))
    supplier.takes(invoice(quantity=6))
    assert supplier.line().invoiced == 6
    supplier.takes(invoice("I-0", 99, type_code="386"))
    assert supplier.line().invoiced == 6
    preceding = Reference(kind=ReferenceKind.PRECEDING_INVOICE, document=DocumentKey(number="I-1"))
    supplier.takes(invoice(header=header(SUPPLIER, "I-2", references=(preceding,)), type_code="384", quantity=5))
    assert supplier.line().invoiced == 5
    credit = CreditNote(
        header=header(SUPPLIER, "N-1"),
        order=PO,
        lines=(InvoiceLine(line_id="1", order_line_id="1", quantity=qty(1)),),
    )
    supplier.takes(credit)
    assert (supplier.line().invoiced, supplier.line().credited) == (5, 1)


def test_freight_is_billed_beside_the_order(supplier: Supplier) -> None:
    freight = InvoiceLine(line_id="2", line_kind=LineKind.FREIGHT, item=ItemRef(description="Freight"), quantity=qty(1))
    goods = InvoiceLine(line_id="1", item=ItemRef(seller_number="A-2"), quantity=qty(4))
    effects = supplier.takes(invoice(lines=(goods, freight)))
    assert not effects.refuse
    assert [(e.line_id, e.quantity) for e in effects.events] == [("2", 4_000_000)]


def test_catch_weight_is_counted_as_ordered(supplier: Supplier) -> None:
    line = InvoiceLine(line_id="1", order_line_id="1", quantity=qty("12.345", "KGM"), delivered_quantity=qty(10))
    supplier.takes(invoice(lines=(line,)))
    assert supplier.line().invoiced == 10


def test_units_are_converted_or_refused_and_never_summed(supplier: Supplier) -> None:
    dozen = DespatchLine(line_id="1", order_line_id="1", quantity=qty("0.5", "DZN"))
    supplier.takes(despatch(lines=(dozen,)))
    assert supplier.line().despatched == 6
    box = DespatchLine(line_id="1", order_line_id="1", quantity=qty(1, "XBX"))
    effects = supplier.takes(despatch("D-2", lines=(box,)))
    assert effects.refuse
    assert effects.findings[0].rule == "unlike-units"
    assert effects.findings[0].path == "lines[0].quantity"
    assert supplier.line().despatched == 6


def test_two_lines_of_one_item_are_told_apart() -> None:
    supplier = Supplier()
    lines = tuple(OrderLine(line_id=i, item=ItemRef(seller_number="A"), quantity=qty(5)) for i in ("1", "2"))
    supplier.takes(Order(header=header(SHOP, "PO-1"), currency="EUR", lines=lines))
    unnamed = DespatchLine(line_id="1", item=ItemRef(seller_number="A"), quantity=qty(5))
    effects = supplier.takes(despatch(lines=(unnamed,)))
    assert effects.refuse
    assert effects.findings[0].rule == "unknown-line"


@pytest.mark.parametrize(
    ("document", "rule"),
    [
        (response(order=DocumentKey(issuer=SHOP, number="PO-9")), "unknown-order"),
        (response(order=DocumentKey(issuer=SHOP, number="PO-1", series="2025")), "unknown-order"),
        (response(order=DocumentKey(issuer=SHOP, number="PO-1", revision=7)), "unknown-revision"),
        (response(lines=(OrderResponseLine(line_id="9"),)), "unknown-line"),
        (response(answers=DocumentKey(issuer=SHOP, type="OrderChange", number="C-9")), "unknown-request"),
        (OrderCancellation(header=header(SHOP, "X"), order=PO, line_ids=("9",)), "unknown-line"),
        (OrderCancellation(header=header(SUPPLIER, "X"), order=PO), "wrong-role"),
        (OrderChange(header=header(SHOP, "C"), order=PO, order_revision=3), "unknown-revision"),
        (OrderChange(header=header(SHOP, "C"), order=PO, currency="USD"), "other-currency"),
        (OrderChange(header=header(SHOP, "C"), order=None), "unknown-order"),
        (
            OrderChange(header=header(SHOP, "C"), order=PO, lines=(OrderLine(line_id="1", quantity=qty(1, "KGM")),)),
            "unlike-units",
        ),
    ],
)
def test_what_the_partner_must_change_is_refused(supplier: Supplier, document: Document, rule: str) -> None:
    before = (dict(supplier.state.lines), list(supplier.state.events), supplier.state.order)
    effects = supplier.takes(document)
    assert effects.refuse
    assert effects.findings[0].rule == rule
    assert (dict(supplier.state.lines), list(supplier.state.events), supplier.state.order) == before


def test_the_wrong_party_cannot_despatch(supplier: Supplier) -> None:
    advice = DespatchAdvice(
        header=header(SHOP, "D-1"),
        order=PO,
        lines=(DespatchLine(line_id="1", order_line_id="1", quantity=qty(1)),),
    )
    assert supplier.takes(advice).findings[0].rule == "wrong-role"


def test_an_invoice_without_an_order_has_no_effect_and_is_no_fault(supplier: Supplier) -> None:
    line = InvoiceLine(line_id="1", item=ItemRef(description="Consulting"), quantity=qty(3))
    effects = supplier.takes(invoice(order=None, lines=(line,)))
    assert (effects.events, effects.findings, effects.refuse) == ([], [], False)


def test_more_than_ordered_is_taken_and_remarked(supplier: Supplier) -> None:
    assert [f.rule for f in supplier.takes(despatch(quantity=11)).findings] == ["over-despatched"]
    assert [f.rule for f in supplier.takes(invoice(quantity=12)).findings] == ["over-invoiced"]
    line = supplier.line()
    assert (line.ordered, line.despatched, line.open) == (10, 11, 0)
    assert "more was despatched than is ordered" in line.remarks
    tolerant = Supplier(Tolerances(quantity_over=Decimal(10)))
    tolerant.takes(order())
    assert tolerant.takes(despatch(quantity=11)).findings == []
    assert [f.rule for f in tolerant.takes(despatch("D-2", 1)).findings] == ["over-despatched"]


def test_the_same_revision_with_other_values_waits_for_a_human(supplier: Supplier) -> None:
    assert not supplier.takes(order()).hold
    effects = supplier.takes(order(quantities=(11, 4)))
    assert effects.hold
    assert effects.findings[0].rule == "other-content"
    assert supplier.takes(order(revision=1, quantities=(11, 4))).updated_orders
    assert supplier.takes(order()).findings[0].rule == "old-revision"


def test_a_replay_has_no_effect(supplier: Supplier) -> None:
    supplier.takes(despatch(), document_id=500)
    effects = supplier.takes(despatch(), document_id=500)
    assert effects == Effects()
    assert supplier.line().despatched == 6


def test_an_order_and_what_follows_in_one_batch_are_one_write() -> None:
    supplier = Supplier()
    batch = [
        supplier.takes(order()),
        supplier.takes(response()),
        supplier.takes(response("R-9", order=DocumentKey(issuer=SHOP, number="PO-9"))),
        supplier.takes(order(revision=1, quantities=(3,))),
    ]
    merged = merge(batch)
    assert [row.revision for row in merged.new_orders] == [1]
    assert merged.updated_orders == []
    assert {line.line_id: line.quantity for line in merged.new_lines} == {"1": 3_000_000, "2": 0}
    assert merged.changed_lines == []
    assert [event.standing for event in merged.events] == [0, 0]
    assert [finding.rule for finding in merged.findings] == ["unknown-order"]


def test_keys_needed_names_every_order_once() -> None:
    named = DespatchAdvice(
        header=header(SUPPLIER, "D", references=(Reference(kind=ReferenceKind.ORDER, document=PO),)),
        lines=(
            DespatchLine(line_id="1", order=DocumentKey(number="PO-2")),
            DespatchLine(line_id="2", order=DocumentKey(issuer=SHOP, number="PO-3", series="26", revision=4)),
        ),
    )
    assert keys_needed([order(), named], sender=SUPPLIER, receiver=SHOP) == {
        KEY,
        OrderKey(SHOP, "", "PO-2", "", "TEST"),
        OrderKey(SUPPLIER, "", "PO-2", "", "TEST"),
        OrderKey(SHOP, "", "PO-3", "26", "TEST"),
    }


def test_a_refusal_by_the_partner_undoes_our_document(supplier: Supplier) -> None:
    supplier.takes(despatch(), document_id=500)
    undo(despatch(), document_id=500, at=1, reason="no such line", book=supplier.book)
    assert supplier.line().despatched == 0
    shop = Supplier()
    shop.takes(order(), document_id=7)
    undo(order(), document_id=7, at=1, reason="expired", book=shop.book)
    assert shop.view.status == "rejected"
    assert shop.line().pieces[0].reason == "expired"
