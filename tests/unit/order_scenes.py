"""An order between a shop and its supplier: the documents of the scenes, and the supplier's book."""

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
    Price,
    QualifiedDate,
    Reason,
    Usage,
)
from node.core.document.fulfilment import (
    Carriage,
    DespatchAdvice,
    DespatchLine,
)
from node.core.document.invoice import Invoice, InvoiceLine
from node.core.document.order import (
    Order,
    OrderChange,
    OrderLine,
    OrderResponse,
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
