"""A buyer that asks for holds and a seller that grants them, over real links, the seller on each engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from node import wire
from node.app.documents.submit import Submission, Submitted, submit
from node.app.stock import availability, inventory, ledger, reservations
from node.app.stock.reservations import Wanted
from node.config import (
    SharingRule,
    SharingSettings,
)
from node.core import link
from node.core.document import Document
from node.core.document.common import DocumentHeader, DocumentKey, ItemRef, LineKind, Usage
from node.core.document.fulfilment import DespatchAdvice, DespatchLine
from node.core.document.order import Order, OrderLine
from node.core.document.reservation import (
    ReservationAction,
    ReservationMode,
    ReservationRequest,
    ReservationRequestLine,
)
from node.core.quantity import Quantity
from node.core.reservation_rows import ReservationRow
from node.core.rows import StockRow
from tests.companies import Company, connect, swap

PIECE = 1_000_000
BEAR = ItemRef(seller_number="BEAR")


@pytest.fixture
def buyer(tmp_path: Path) -> Iterator[Company]:
    made = Company(tmp_path, "Toys and More")
    yield made
    made.store.close()


@pytest.fixture
def seller(tmp_path: Path, store_url: str) -> Iterator[Company]:
    made = Company(tmp_path, "Meyer Spielwaren", "0088:4012345000009", store_url)
    yield made
    made.store.close()


@pytest.fixture(autouse=True)
def linked(buyer: Company, seller: Company) -> None:
    swap(buyer, seller)
    connect(buyer, seller)
    settings(seller, sharing=SharingSettings(rules=(SharingRule(figure="exact"),)))
    put(seller, "BEAR", 10)


def settings(company: Company, **changes: Any) -> None:
    company.ctx = replace(company.ctx, settings=replace(company.ctx.settings, **changes))


def own_figure(owner: str, item: str, available: int, location: str, as_of: int) -> StockRow:
    return StockRow(
        item_key=f"no:{owner}:{item}",
        partner_id="",
        snapshot=0,
        location=location,
        pool="",
        status="AVAILABLE",
        figure="EXACT",
        on_hand=available * PIECE,
        available=available * PIECE,
        band_end=None,
        unit="C62",
        gtin="",
        number=item,
        expected="",
        as_of=as_of,
    )


def put(company: Company, item: str, available: int, location: str = "DC1", basis: str = "") -> None:
    """The ERP tells a figure, as of now."""
    figure = own_figure(company.id, item, available, location, wire.micros(company.clock.now()))
    company.do(inventory.put_own, [figure], basis)


def wanted(count: int, item: ItemRef = BEAR, location: str = "", unit: str = "C62") -> Wanted:
    return Wanted(item=item, quantity=Quantity(Decimal(count), unit), location=location, piece_id=7, item_key="ours")


def ask(
    buyer: Company, seller: Company, *lines: Wanted, mode: str = "partial", seconds: float = 600
) -> list[ReservationRow]:
    """Request, let it travel, and return our rows as they are then."""
    until = buyer.clock.now() + timedelta(seconds=seconds)
    made = buyer.do(reservations.request, seller.id, list(lines), hold_until=until, mode=mode)
    connect(buyer, seller)
    return [held(buyer, row.reservation_id) for row in made.rows]


def held(company: Company, reservation_id: str) -> ReservationRow:
    rows = company.read(lambda tx: tx.reservations.get(reservation_id))
    assert len(rows) == 1
    return rows[0]


def free(seller: Company, item: str = "BEAR") -> int:
    """What is left of the figure, in pieces; the books agree every time somebody looks."""
    assert seller.read(lambda tx: ledger.verify(tx)) == []
    rows = seller.read(lambda tx: ledger.net(tx, tx.stock.figures([f"no:{seller.id}:{item}"])))
    return sum(row.available or 0 for row in rows if row.partner_id == "") // PIECE


def order(number: str, count: int, reservation_id: str = "", line_id: str = "1", revision: int = 0) -> Order:
    line = OrderLine(
        line_id=line_id,
        line_kind=LineKind.GOODS,
        item=BEAR,
        quantity=Quantity(Decimal(count), "C62"),
        reservation_id=reservation_id,
    )
    return Order(header=DocumentHeader(number=number, revision=revision), currency="EUR", lines=(line,))


def give(sender: Company, receiver: Company, document: Document) -> Submitted:
    done = sender.do(submit, receiver.id, [Submission(document)])[0]
    assert done.state == "waiting", done
    connect(sender, receiver)
    return done


def raw_request(number: str, ids: list[str], count: int = 2, **changes: Any) -> ReservationRequest:
    lines = tuple(
        ReservationRequestLine(
            line_id=str(place), reservation_id=one, item=BEAR, quantity=Quantity(Decimal(count), "C62")
        )
        for place, one in enumerate(ids)
    )
    made = ReservationRequest(
        header=DocumentHeader(number=number),
        action=ReservationAction.HOLD,
        mode=ReservationMode.PARTIAL,
        hold_until=datetime(2026, 5, 4, 9, tzinfo=wire.instant(0).tzinfo),
        lines=lines,
    )
    return replace(made, **changes)


def figure_told(buyer: Company, seller: Company) -> list[int | None]:
    question = link.AvailabilityQuery(items=(ItemRef(seller_number="BEAR"),))
    answer = seller.do(availability.answer, buyer.id, question)
    return [int(line.available) if line.available is not None else None for line in answer.lines]


def replace_issuer(made: Order, company: Company) -> Order:
    return replace(made, header=replace(made.header or DocumentHeader(), issuer=company.id, usage=Usage.TEST))


def despatch(number: str, buyer: Company, count: int) -> DespatchAdvice:
    key = DocumentKey(issuer=buyer.id, type="Order", number="PO-1")
    line = DespatchLine(line_id="1", order=key, order_line_id="1", item=BEAR, quantity=Quantity(Decimal(count), "C62"))
    return DespatchAdvice(header=DocumentHeader(number=number), lines=(line,))
