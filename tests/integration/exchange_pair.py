"""A buyer and a seller on one link, with documents to give and a system to hand them to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Finding, PullBatch
from node.app.documents.submit import Submission, Submitted, submit
from node.app.systems import erp
from node.config import (
    AdapterSettings,
    Settings,
)
from node.core import order_book
from node.core.document import Document
from node.core.document.common import (
    DocumentHeader,
    DocumentKey,
    ItemRef,
    LineKind,
    Party,
    PartyRole,
    PersonalData,
)
from node.core.document.order import Order, OrderCancellation, OrderLine
from node.core.quantity import Quantity
from node.core.rows import DocumentRow, HandoverRow, StockRow
from node.ports import Transaction
from tests.companies import Company, connect, swap

PIECE = 1_000_000
TAKEN = ("DespatchAdvice", "Order", "OrderCancellation")


class Erp:
    """Posts what it is given, but for the numbers in `refuses` (and how it refuses them)."""

    def __init__(self) -> None:
        self.posted: list[str] = []
        self.fields: list[dict[str, Any]] = []
        self.refuses: dict[str, Exception] = {}

    def check(self) -> list[Finding]:
        return []

    def pull(self, cursor: str | None) -> Iterator[PullBatch]:
        return iter(())

    def preview(self) -> Iterator[PullBatch]:
        return iter(())

    def push(self, document_type: str, fields: dict[str, Any], identity: str) -> str:
        number = fields["header"]["number"]
        if error := self.refuses.get(number):
            raise error
        self.posted.append(f"{document_type} {number}")
        self.fields.append(fields)
        return f"ERP-{len(self.posted)}"

    def accepts(self) -> frozenset[str]:
        return frozenset(TAKEN)

    def forget(self, before: datetime) -> int:
        return 0

    def close(self) -> None:
        pass


@pytest.fixture
def buyer(tmp_path: Path) -> Company:
    return Company(tmp_path, "Toys and More")


@pytest.fixture
def seller(tmp_path: Path) -> Company:
    return Company(tmp_path, "Meyer Spielwaren", "0088:4012345000009")


@pytest.fixture(autouse=True)
def linked(buyer: Company, seller: Company) -> None:
    swap(buyer, seller)
    connect(buyer, seller)
    for company in (buyer, seller):
        settings(company, adapters=(AdapterSettings(name="erp", kind="jsonl", usage="test", documents=TAKEN),))


def settings(company: Company, **changes: Any) -> Settings:
    company.ctx = replace(company.ctx, settings=replace(company.ctx.settings, **changes))
    return company.ctx.settings


def order(buyer: Company, seller: Company, number: str, quantity: int = 1, item: str = "BEAR", **header: Any) -> Order:
    return Order(
        header=DocumentHeader(
            number=number,
            parties=(Party(role=PartyRole.BUYER, id=buyer.id), Party(role=PartyRole.SELLER, id=seller.id)),
            **header,
        ),
        currency="EUR",
        lines=(
            OrderLine(
                line_id="1",
                line_kind=LineKind.GOODS,
                item=ItemRef(seller_number=item),
                quantity=Quantity(Decimal(quantity), "C62"),
            ),
        ),
    )


def cancellation(buyer: Company, number: str) -> OrderCancellation:
    return OrderCancellation(
        header=DocumentHeader(number=f"{number}-X"), order=DocumentKey(issuer=buyer.id, type="Order", number=number)
    )


def give(company: Company, to: Company, document: Document, personal: PersonalData | None = None) -> Submitted:
    return company.do(submit, to.id, [Submission(document, personal)])[0]


def rows(company: Company, direction: str, kind: str = "Order") -> list[DocumentRow]:
    """Documents, oldest first."""
    found = company.read(lambda tx: tx.documents.search(direction=direction, type=kind))
    return sorted(found, key=lambda row: row.document_id)


def states(company: Company, direction: str, kind: str = "Order") -> list[str]:
    return [row.state for row in rows(company, direction, kind)]


def handed(company: Company) -> list[HandoverRow]:
    def found(tx: Transaction) -> list[HandoverRow]:
        arrived = tx.documents.search(direction="in", limit=500)
        return [row for one in reversed(arrived) if (row := tx.handovers.get(one.document_id)) is not None]

    return company.store.read(found)


def push(company: Company, system: Erp) -> int:
    return erp.push_due(company.store, company.ctx, company.ctx.settings.adapters[0], system)


def failing(monkeypatch: pytest.MonkeyPatch, *numbers: str) -> set[str]:
    """A bug that the receiver meets with these documents; returns the set, to be emptied once it is mended."""
    broken, apply = set(numbers), order_book.apply

    def apply_or_fail(document: Any, **given: Any) -> Any:
        if not given["we_are_sender"] and document.header.number in broken:
            raise ValueError("a bug that only this document meets")
        return apply(document, **given)

    monkeypatch.setattr(order_book, "apply", apply_or_fail)
    return broken


def forget(company: Company, row: DocumentRow) -> None:
    """As if this company's software did not know that it has sent this before."""
    company.store.write(lambda tx: tx.documents.set_outcomes([("refused", "", row.document_id)]))


# --- stock and replenishment ------------------------------------------------------------------------------------------


def stock(company: Company, number: str, on_hand: int, location: str = "DC1") -> StockRow:
    scaled = on_hand * PIECE
    key = f"no:{company.id}:{number}"
    at = company.ctx.now_micros()
    return StockRow(key, "", 0, location, "", "AVAILABLE", "EXACT", scaled, scaled, None, "C62", "", number, "", at, 0)
