"""What a receiver finds in a document before it takes it: one clean document, spoilt in one place at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest

from node.core.document import DOCUMENTS, Document
from node.core.document.catalogue import CatalogueLine, ItemCatalogue
from node.core.document.common import (
    Address,
    AllowanceCharge,
    Attachment,
    DateQualifier,
    DocumentHeader,
    DocumentKey,
    ItemRef,
    LocationRef,
    Package,
    Party,
    PartyRole,
    Price,
    QualifiedDate,
    Reason,
    Tax,
    TaxSubtotal,
    Trace,
    Usage,
)
from node.core.document.fulfilment import DespatchAdvice, DespatchLine, ReceivingAdvice, ReceivingLine
from node.core.document.inventory import InventoryReport, Snapshot, StockLine
from node.core.document.invoice import CreditNote, Invoice, InvoiceLine, InvoiceTotals, RemittanceAdvice, RemittanceLine
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
from node.core.document.terms import CutOff, Tolerance, TradeTerms
from node.core.line_checks import FINDINGS_MAX
from node.core.money import Money
from node.core.quantity import Quantity
from node.core.validation import LINES_MAX, findings

SHOP = "0088:4012345000009"
SUPPLIER = "0088:4012345000016"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
PO = DocumentKey(issuer=SHOP, type="Order", number="PO-1")


def eur(amount: str) -> Money:
    return Money(Decimal(amount), "EUR")


def qty(number: str, unit: str = "C62") -> Quantity:
    return Quantity(Decimal(number), unit)


def header(issuer: str = SHOP, **rest: Any) -> DocumentHeader:
    values: dict[str, Any] = {"issuer": issuer, "number": "N-1", "usage": Usage.TEST, "issued_at": NOW} | rest
    return DocumentHeader(**values)


def line(**rest: Any) -> OrderLine:
    values: dict[str, Any] = {
        "line_id": "1",
        "item": ItemRef(gtin="4006381333931"),
        "quantity": qty("10"),
        "price": Price(amount=eur("2.50"), base_quantity=qty("1")),
        "line_amount": eur("25.00"),
        "dates": (QualifiedDate(qualifier=DateQualifier.DELIVER, on=date(2026, 5, 4)),),
        "tax": Tax(category="S", rate=Decimal(19)),
    }
    return OrderLine(**(values | rest))


def order(*lines: OrderLine, **rest: Any) -> Order:
    values: dict[str, Any] = {"header": header(), "currency": "EUR", "lines": lines or (line(),)}
    return Order(**(values | rest))


def rules(document: Document, *, receiver: str = SUPPLIER, usage: str = "TEST", **rest: Any) -> list[tuple[str, str]]:
    """(rule, path) of each finding; the issuer is the sender where it is not given."""
    sender = rest.get("sender", SHOP if receiver == SUPPLIER else SUPPLIER)
    found = findings(
        document,
        sender=sender,
        receiver=receiver,
        usage=usage,
        now=NOW,
        understands=frozenset({"catch-weight"}),
    )
    assert all(finding.text for finding in found)
    return [(finding.rule, finding.path) for finding in found]


def test_a_clean_order_has_no_findings() -> None:
    parties = (Party(role=PartyRole.BUYER, id=SHOP), Party(role=PartyRole.SELLER, id=SUPPLIER))
    content = b"%PDF"
    attachment = Attachment(content=content, sha256=sha256(content).digest())
    full = header(parties=parties, attachments=(attachment,), requires=("catch-weight",), valid_until=NOW)
    pieces = (Schedule(quantity=qty("6")), Schedule(quantity=qty("0.25", "DZN")))
    lots = (Trace(lot="L1", quantity=qty("4")), Trace(lot="L2", quantity=qty("6")))
    rich = line(line_id="2", schedule=pieces, trace=lots, ship_to=LocationRef(gln="4012345000009"))
    assert rules(order(line(), rich, header=full)) == []


@pytest.mark.parametrize(
    ("spoilt", "expected"),
    [
        ({"issuer": SUPPLIER}, ("issuer", "header.issuer")),
        ({"number": ""}, ("number", "header.number")),
        ({"number": "x" * 101}, ("number", "header.number")),
        ({"number": "a\nb"}, ("number", "header.number")),
        ({"series": "x" * 101}, ("number", "header.series")),
        ({"issued_at": None}, ("issued-at", "header.issued_at")),
        ({"issued_at": NOW + timedelta(days=1, seconds=1)}, ("issued-at", "header.issued_at")),
        ({"issued_at": datetime(1970, 1, 1, tzinfo=UTC)}, ("issued-at", "header.issued_at")),
        ({"valid_until": NOW - timedelta(seconds=1)}, ("expired", "header.valid_until")),
        ({"usage": Usage.PRODUCTION}, ("usage", "header.usage")),
        ({"requires": ("catch-weight", "teleport")}, ("not-understood", "header.requires[1]")),
        ({"parties": (Party(role=PartyRole.BUYER, id=SUPPLIER),)}, ("party", "header.parties[0].id")),
        ({"parties": (Party(role=PartyRole.SELLER, id="0088:0000000000000"),)}, ("party", "header.parties[0].id")),
        (
            {"parties": (Party(role=PartyRole.END_CUSTOMER, personal_key="a", name="Erika Mustermann"),)},
            ("personal-data", "header.parties[0]"),
        ),
        (
            {"parties": (Party(role=PartyRole.END_CUSTOMER, personal_key="a"),)},
            ("personal-data", "header.personal_sha256"),
        ),
        (
            {"attachments": (Attachment(content=b"a", sha256=bytes(32)),)},
            ("attachment", "header.attachments[0].sha256"),
        ),
        (
            {"attachments": (Attachment(uri="https://a.example/b", sha256=b"a"),)},
            ("attachment", "header.attachments[0].sha256"),
        ),
    ],
)
def test_a_spoilt_header_is_found(spoilt: dict[str, Any], expected: tuple[str, str]) -> None:
    assert rules(order(header=header(**spoilt))) == [expected]


def test_a_consumer_is_named_by_a_key_only() -> None:
    known = Party(role=PartyRole.END_CUSTOMER, personal_key="a")
    assert rules(order(header=header(parties=(known,), personal_sha256=bytes(32)))) == []
    told = replace(known, address=Address(city="Lübeck"))
    assert rules(order(header=header(parties=(told,), personal_sha256=bytes(32)))) == [
        ("personal-data", "header.parties[0]")
    ]


@pytest.mark.parametrize(
    ("spoilt", "expected"),
    [
        ({"line_id": ""}, ("line-id", "lines[0].line_id")),
        ({"item": None}, ("item-missing", "lines[0].item")),
        ({"item": ItemRef()}, ("item-unnamed", "lines[0].item")),
        ({"item": ItemRef(gtin="4006381333932")}, ("gtin", "lines[0].item.gtin")),
        ({"item": ItemRef(seller_number="A\x1b[2J")}, ("item-number", "lines[0].item.seller_number")),
        ({"item": ItemRef(buyer_number="A\n1")}, ("item-number", "lines[0].item.buyer_number")),
        ({"item": ItemRef(manufacturer_number="\x07")}, ("item-number", "lines[0].item.manufacturer_number")),
        ({"item": ItemRef(gtin="400638133393A")}, ("gtin", "lines[0].item.gtin")),
        ({"quantity": None}, ("quantity-missing", "lines[0].quantity")),
        ({"quantity": qty("0")}, ("quantity", "lines[0].quantity")),
        ({"quantity": qty("-1")}, ("quantity", "lines[0].quantity")),
        ({"quantity": qty("1000000000.1")}, ("quantity", "lines[0].quantity")),
        ({"price": Price(amount=Money(Decimal(1), "USD"))}, ("currency", "lines[0].price.amount")),
        ({"price": Price(amount=eur("-1"))}, ("price-negative", "lines[0].price.amount")),
        ({"price": Price(amount=eur("1"), base_quantity=qty("0"))}, ("quantity", "lines[0].price.base_quantity")),
        ({"line_amount": Money(Decimal(25), "CHF")}, ("currency", "lines[0].line_amount")),
        ({"dates": (QualifiedDate(on=date(1989, 12, 31)),)}, ("date", "lines[0].dates[0].on")),
        ({"dates": (QualifiedDate(),)}, ("date-missing", "lines[0].dates[0]")),
        (
            {"dates": (QualifiedDate(from_at=NOW, until_at=NOW - timedelta(hours=1)),)},
            ("date", "lines[0].dates[0].until_at"),
        ),
        ({"tax": Tax(category="S", rate=Decimal("100.5"))}, ("percent", "lines[0].tax.rate")),
        ({"schedule": (Schedule(quantity=qty("11")),)}, ("schedule-exceeds", "lines[0].schedule")),
        ({"schedule": (Schedule(quantity=qty("1", "KGM")),)}, ("unlike-units", "lines[0].schedule")),
        (
            {"trace": (Trace(lot="A", quantity=qty("6")), Trace(lot="B", quantity=qty("5")))},
            ("trace-exceeds", "lines[0].trace"),
        ),
        ({"ship_to": LocationRef(gln="4012345000001")}, ("gln", "lines[0].ship_to.gln")),
        (
            {"allowances_charges": (AllowanceCharge(amount=eur("1"), percent=Decimal(-1)),)},
            ("percent", "lines[0].allowances_charges[0].percent"),
        ),
        ({"allowances_charges": (AllowanceCharge(),)}, ("amount-missing", "lines[0].allowances_charges[0].amount")),
    ],
)
def test_a_spoilt_line_is_found(spoilt: dict[str, Any], expected: tuple[str, str]) -> None:
    assert rules(order(line(**spoilt))) == [expected]


def test_line_ids_are_unique_and_lines_are_limited() -> None:
    assert rules(order(line(), line())) == [("line-id-twice", "lines[1].line_id")]
    assert rules(Order(header=header(), currency="EUR")) == [("no-lines", "lines")]
    many = tuple(line(line_id=str(number)) for number in range(LINES_MAX + 1))
    assert rules(order(*many)) == [("too-many-lines", "lines")]
    assert rules(order(*many[:-1])) == []
    bad = tuple(line(line_id=str(number), quantity=None) for number in range(500))
    assert len(rules(order(*bad))) == FINDINGS_MAX


def test_a_currency_is_known_and_the_same_throughout() -> None:
    assert rules(order(currency="EURO")) == [("currency", "currency")]
    other = line(line_id="2", price=Price(amount=Money(Decimal(1), "USD")), line_amount=None)
    assert rules(order(line(), other, currency="")) == [("currency", "lines[1].price.amount")]


def test_a_change_may_take_a_line_away() -> None:
    change = OrderChange(header=header(), order=PO, lines=(line(quantity=qty("0")),), currency="EUR")
    assert rules(change) == []
    assert rules(OrderChange(header=header(), order=PO)) == [("no-lines", "lines")]
    assert rules(replace(change, order=None)) == [("order-missing", "order.number")]
    assert rules(OrderCancellation(header=header(), order=PO, line_ids=("1", "1"))) == [("line-id", "line_ids")]


def response(outcome: ResponseOutcome, *pieces: Schedule, **rest: Any) -> OrderResponse:
    lines = (OrderResponseLine(line_id="1", schedule=pieces, **rest),) if pieces else ()
    return OrderResponse(header=header(SUPPLIER), order=PO, outcome=outcome, lines=lines)


ACCEPTED = Schedule(quantity=qty("6"), outcome=ScheduleOutcome.ACCEPTED)
REJECTED = Schedule(quantity=qty("4"), outcome=ScheduleOutcome.REJECTED, reason=Reason(code="none-left"))


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (response(ResponseOutcome.ACCEPTED), []),
        (response(ResponseOutcome.CHANGED, ACCEPTED, REJECTED), []),
        (response(ResponseOutcome.CHANGED, ACCEPTED, REJECTED, quantity=qty("6")), []),
        (response(ResponseOutcome.CHANGED, ACCEPTED, quantity=qty("5")), [("schedule-exceeds", "lines[0].schedule")]),
        (response(ResponseOutcome.UNSPECIFIED), [("outcome-missing", "outcome")]),
        (response(ResponseOutcome.CHANGED), [("outcome", "lines")]),
        (response(ResponseOutcome.ACCEPTED, REJECTED), [("outcome", "lines[0].schedule")]),
        (response(ResponseOutcome.REJECTED, ACCEPTED), [("outcome", "lines[0].schedule")]),
        (
            replace(
                response(ResponseOutcome.ACCEPTED, REJECTED),
                answers=DocumentKey(type="OrderCancellation", number="X-1"),
            ),
            [],
        ),
    ],
)
def test_a_response_says_one_thing(document: OrderResponse, expected: list[tuple[str, str]]) -> None:
    assert rules(document, receiver=SHOP) == expected


def test_parties_are_the_right_way_round_for_each_type() -> None:
    parties = (Party(role=PartyRole.BUYER, id=SHOP), Party(role=PartyRole.SELLER, id=SUPPLIER))
    answer = response(ResponseOutcome.ACCEPTED)
    assert rules(replace(answer, header=header(SUPPLIER, parties=parties)), receiver=SHOP) == []
    swapped = (Party(role=PartyRole.BUYER, id=SUPPLIER),)
    assert rules(replace(answer, header=header(SUPPLIER, parties=swapped)), receiver=SHOP) == [
        ("party", "header.parties[0].id")
    ]


def test_goods_on_their_way() -> None:
    advice = DespatchAdvice(
        header=header(SUPPLIER),
        order=PO,
        lines=(
            DespatchLine(line_id="1", order_line_id="1", quantity=qty("6")),
            DespatchLine(line_id="2", order_line_id="2", quantity=qty("0"), outstanding_quantity=qty("4")),
        ),
        packages=(Package(sscc="340123450000000015"),),
    )
    assert rules(advice, receiver=SHOP) == [("sscc", "packages[0].sscc")]
    nothing = replace(advice, packages=(), lines=(DespatchLine(line_id="1", item=ItemRef(), quantity=qty("0")),))
    assert rules(nothing, receiver=SHOP) == [("item-unnamed", "lines[0].item"), ("quantity", "lines[0].quantity")]
    arrived = ReceivingAdvice(header=header(), lines=(ReceivingLine(line_id="1", order_line_id="1"),))
    assert rules(arrived) == [("quantity-missing", "lines[0]")]


def invoice(**rest: Any) -> Invoice:
    """Two lines at 19 and 7 percent, an allowance and freight: 61.00 net, 10.39 tax, 70.00 due."""
    standard, reduced = Tax(category="S", rate=Decimal(19)), Tax(category="S", rate=Decimal("7.00"))
    lines = (
        InvoiceLine(
            line_id="1",
            item=ItemRef(description="Chew toy"),
            quantity=qty("10"),
            price=Price(amount=eur("12.345"), base_quantity=qty("2")),
            allowances_charges=(AllowanceCharge(amount=eur("11.73")),),
            line_amount=eur("50.00"),
            tax=standard,
        ),
        InvoiceLine(
            line_id="2",
            item=ItemRef(gtin="4006381333931"),
            quantity=qty("-1"),
            price=Price(amount=eur("1")),
            line_amount=eur("-1.00"),
            tax=standard,
        ),
        InvoiceLine(
            line_id="3",
            item=ItemRef(description="Book"),
            quantity=qty("1"),
            price=Price(amount=eur("10")),
            line_amount=eur("10.00"),
            tax=reduced,
        ),
    )
    charges = (
        AllowanceCharge(amount=eur("3"), tax=standard),
        AllowanceCharge(charge=True, amount=eur("5"), tax=standard),
    )
    values: dict[str, Any] = {
        "header": header(SUPPLIER),
        "type_code": "380",
        "currency": "EUR",
        "lines": lines,
        "allowances_charges": charges,
        "tax_subtotals": (
            TaxSubtotal(tax=standard, taxable=eur("51.00"), amount=eur("9.69")),
            TaxSubtotal(tax=replace(reduced, rate=Decimal(7)), taxable=eur("10.00"), amount=eur("0.70")),
        ),
        "totals": totals(),
    }
    return Invoice(**(values | rest))


def totals(**rest: Any) -> InvoiceTotals:
    values: dict[str, Any] = {
        "lines": eur("59.00"),
        "allowances": eur("3.00"),
        "charges": eur("5.00"),
        "without_tax": eur("61.00"),
        "tax": eur("10.39"),
        "with_tax": eur("71.39"),
        "prepaid": eur("1.40"),
        "rounding": eur("0.01"),
        "payable": eur("70.00"),
    }
    return InvoiceTotals(**(values | rest))


def test_a_clean_invoice_adds_up() -> None:
    assert rules(invoice(), receiver=SHOP) == []
    # What is not stated is computed, and the rest is still checked.
    assert rules(invoice(totals=InvoiceTotals(payable=eur("71.39"))), receiver=SHOP) == []


@pytest.mark.parametrize(
    ("spoilt", "rule"),
    [
        ({"lines": eur("59.01")}, "br-co-10"),
        ({"allowances": eur("3.01")}, "br-co-11"),
        ({"charges": eur("4.99")}, "br-co-12"),
        ({"without_tax": eur("61.01")}, "br-co-13"),
        ({"tax": eur("10.40")}, "br-co-14"),
        ({"with_tax": eur("71.38")}, "br-co-15"),
        ({"payable": eur("70.01")}, "br-co-16"),
    ],
)
def test_a_cent_too_much_is_found(spoilt: dict[str, Any], rule: str) -> None:
    assert rule in [found for found, _ in rules(invoice(totals=totals(**spoilt)), receiver=SHOP)]


def test_the_parts_of_an_invoice_are_checked() -> None:
    clean = invoice()
    dear = replace(clean.lines[0], line_amount=eur("50.01"))
    assert rules(replace(clean, lines=(dear, *clean.lines[1:])), receiver=SHOP) == [
        ("line-amount", "lines[0].line_amount")
    ]
    first, second = clean.tax_subtotals
    wrong_tax = replace(first, amount=eur("9.70"))
    found = [rule for rule, _ in rules(replace(clean, tax_subtotals=(wrong_tax, second)), receiver=SHOP)]
    assert "br-co-17" in found
    assert ("vat-breakdown", "tax_subtotals") in rules(replace(clean, tax_subtotals=(first,)), receiver=SHOP)
    assert ("vat-breakdown", "tax_subtotals[0].taxable") in rules(
        replace(clean, tax_subtotals=(replace(first, taxable=eur("50.99")), second)), receiver=SHOP
    )
    assert rules(invoice(totals=None), receiver=SHOP) == [("totals-missing", "totals.payable")]
    assert ("currency-missing", "currency") in rules(invoice(currency=""), receiver=SHOP)


def test_halves_are_rounded_up_and_units_of_prices_are_converted() -> None:
    priced = InvoiceLine(
        line_id="1",
        item=ItemRef(description="Rope"),
        quantity=qty("1", "DZN"),
        price=Price(amount=eur("0.16875"), base_quantity=qty("6")),
        line_amount=eur("0.34"),
    )
    plain: dict[str, Any] = {"tax_subtotals": (), "allowances_charges": ()}
    assert rules(invoice(lines=(priced,), totals=InvoiceTotals(payable=eur("0.34")), **plain), receiver=SHOP) == []
    half = replace(priced, quantity=qty("1"), price=Price(amount=eur("2.345")), line_amount=eur("2.35"))
    assert rules(invoice(lines=(half,), totals=InvoiceTotals(payable=eur("2.35")), **plain), receiver=SHOP) == []
    yen = Money(Decimal(235), "JPY")
    whole = replace(half, price=Price(amount=Money(Decimal("234.5"), "JPY")), line_amount=yen)
    document = invoice(currency="JPY", lines=(whole,), totals=InvoiceTotals(payable=yen), **plain)
    assert rules(document, receiver=SHOP) == []


def test_a_credit_note_is_checked_like_an_invoice() -> None:
    clean = invoice()
    note = CreditNote(header=header(SUPPLIER), currency="EUR", lines=clean.lines, totals=totals())
    assert ("br-co-11", "totals.allowances") in rules(note, receiver=SHOP)


def test_a_remittance_adds_up() -> None:
    advice = RemittanceAdvice(header=header(), total=eur("10"), lines=(RemittanceLine(line_id="1", paid=eur("9")),))
    assert rules(advice) == [("total", "total")]


def test_shared_data() -> None:
    good = StockLine(item=ItemRef(seller_number="A"), location="DC1", on_hand=Decimal(-3), unit="C62")
    report = InventoryReport(
        header=header(), locations=(LocationRef(code="DC1"),), lines=(good,), snapshot=Snapshot(id="s", part=1, parts=2)
    )
    assert rules(report) == []
    bad = replace(good, unit="PIECES", location="DC2", on_hand=None)
    assert rules(replace(report, lines=(good, bad))) == [
        ("unknown-unit", "lines[1].unit"),
        ("location", "lines[1].location"),
        ("quantity-missing", "lines[1]"),
    ]
    assert rules(replace(report, snapshot=Snapshot(id="s", part=3, parts=2))) == [("snapshot", "snapshot.part")]
    item = CatalogueLine(line_id="1", item=ItemRef(gtin="123"), base_unit="C62")
    assert rules(ItemCatalogue(header=header(), lines=(item,))) == [("gtin", "lines[0].item.gtin")]
    terms = TradeTerms(header=header(), tolerance=Tolerance(price=Decimal(101)), cut_offs=(CutOff(time="24:00"),))
    assert rules(terms) == [("percent", "tolerance.price"), ("time", "cut_offs[0].time")]


@pytest.mark.parametrize("kind", DOCUMENTS.values(), ids=DOCUMENTS)
def test_every_type_is_checked_even_when_it_is_empty(kind: type[Document]) -> None:
    assert rules(kind()) == [("header-missing", "header")]
    rules(kind(header=header()))
