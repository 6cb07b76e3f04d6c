"""Scenarios of an order in the supplier's book: despatched, delivered, received, returned, and invoiced."""

from __future__ import annotations

from node.core.document.common import (
    DocumentKey,
    ItemRef,
    LineKind,
    Package,
    PackageContent,
    Reason,
    Reference,
    ReferenceKind,
)
from node.core.document.fulfilment import (
    AdviceStatus,
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
from node.core.document.invoice import CreditNote, InvoiceLine
from node.core.document.order import (
    Order,
    OrderLine,
)
from tests.unit import order_scenes
from tests.unit.order_scenes import NOW, PO, SHOP, SUPPLIER, Supplier, despatch, header, invoice, qty, response

supplier = order_scenes.supplier


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
