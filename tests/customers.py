"""Customer orders in tests: three companies with real links, what their people say, and the account of an order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from node import wire
from node.app.documents.submit import Submission, Submitted, submit
from node.app.fulfilment import customer_orders
from node.app.fulfilment.advancing import Advanced, advance
from node.app.fulfilment.taking_over import rewanted
from node.app.stock import inventory
from node.config import SharingRule, SharingSettings
from node.core.customer_rows import CustomerLineRow, CustomerOrderRow, PieceRow
from node.core.document import Document
from node.core.document.common import (
    Address,
    DocumentHeader,
    DocumentKey,
    ItemRef,
    PersonalData,
    PersonalEntry,
)
from node.core.document.customer import CustomerLine, CustomerOrder, CustomerOrderKind
from node.core.document.fulfilment import DeliveryEvent, DeliveryStatus, DespatchAdvice, DespatchLine
from node.core.document.order import (
    OrderResponse,
    OrderResponseLine,
    ResponseOutcome,
    Schedule,
    ScheduleOutcome,
)
from node.core.fulfilment import balance
from node.core.quantity import Quantity
from node.core.rows import OrderRow, StockRow
from tests.companies import Company, connect, swap

__all__ = [
    "GTIN",
    "HOME",
    "PIECE",
    "accept",
    "an_order",
    "answer",
    "balanced",
    "braun",
    "capture",
    "deliver",
    "despatch",
    "key",
    "lines",
    "linked",
    "meyer",
    "orchestration",
    "pieces",
    "put",
    "put_figures",
    "received",
    "reject",
    "say",
    "settings",
    "settle",
    "shop",
    "state",
    "want",
    "work",
]

PIECE = 1_000_000
GTIN = "4012345678901"
HOME = PersonalData(entries=(PersonalEntry(key="k1", name="Ada", address=Address(street="Way 1", city="Hamburg")),))


@pytest.fixture
def shop(tmp_path: Path, store_url: str) -> Iterator[Company]:
    made = Company(tmp_path, "Shop", "0088:4012345000009", store_url)
    yield made
    made.store.close()


@pytest.fixture
def meyer(tmp_path: Path) -> Iterator[Company]:
    made = Company(tmp_path, "Meyer", "0088:4012345000016")
    yield made
    made.store.close()


@pytest.fixture
def braun(tmp_path: Path) -> Iterator[Company]:
    made = Company(tmp_path, "Braun", "0088:4012345000023")
    yield made
    made.store.close()


@pytest.fixture
def linked(shop: Company, meyer: Company, braun: Company) -> None:
    for supplier in (meyer, braun):
        swap(shop, supplier)
        connect(shop, supplier)
        settings(supplier, sharing=SharingSettings(rules=(SharingRule(figure="exact"),)))
    settings(shop, sharing=SharingSettings(rules=(SharingRule(figure="exact"),)))


def settings(company: Company, **changes: Any) -> None:
    company.ctx = replace(company.ctx, settings=replace(company.ctx.settings, **changes))


def orchestration(company: Company, **changes: Any) -> None:
    settings(company, orchestration=replace(company.ctx.settings.orchestration, **changes))


def put(company: Company, available: int, location: str = "DC1", gtin: str = GTIN, pool: str = "") -> None:
    """The ERP tells a figure, as of now."""
    row = StockRow(
        item_key=f"gtin:{gtin.zfill(14)}",
        partner_id="",
        snapshot=0,
        location=location,
        pool=pool,
        status="AVAILABLE",
        figure="EXACT",
        on_hand=available * PIECE,
        available=available * PIECE,
        band_end=None,
        unit="C62",
        gtin=gtin,
        number="BEAR" if gtin == GTIN else gtin,
        expected="",
        as_of=wire.micros(company.clock.now()),
        change=0,
    )
    company.do(put_figures, [row])


def put_figures(tx: Any, ctx: Any, rows: list[StockRow]) -> None:
    from node.app.fulfilment import notices

    notices.supply_changed(tx, ctx, inventory.put_own(tx, ctx, rows, ""))


def an_order(number: str = "C1", quantity: int = 10, **changes: Any) -> CustomerOrder:
    line = CustomerLine(line_id="1", item=ItemRef(gtin=GTIN), quantity=Quantity(Decimal(quantity), "C62"))
    made = CustomerOrder(
        header=DocumentHeader(number=number),
        order_kind=CustomerOrderKind.SHIP_TO_HOME,
        channel="web",
        customer="cust-1",
        country="DE",
        postal_code="20457",
        currency="EUR",
        lines=(line,),
    )
    return replace(made, **changes)


def capture(company: Company, order: CustomerOrder, personal: PersonalData | None = HOME) -> int:
    done = company.do(customer_orders.capture, order, personal)
    assert done.state == "captured", done.findings
    assert done.customer_order_id is not None
    return done.customer_order_id


def work(company: Company) -> Advanced:
    """Advance until nothing is due."""
    last = Advanced()
    for _ in range(50):
        done = advance(company.store, company.ctx)
        if not done.orders:
            return last
        last = done
    raise AssertionError("it never comes to rest")


def settle(shop: Company, *others: Company) -> None:
    """Work and links in turn until nothing happens any more."""
    for _ in range(8):
        for one in (shop, *others):
            work(one)
        for other in others:
            connect(shop, other)


def state(company: Company, order_id: int) -> CustomerOrderRow:
    return company.read(lambda tx: tx.customer_orders.get([order_id]))[order_id]


def pieces(company: Company, order_id: int) -> list[PieceRow]:
    rows = company.read(lambda tx: tx.customer_orders.pieces([order_id]))
    return [row for row in rows if row.state not in ("rejected", "released", "cancelled")]


def lines(company: Company, order_id: int) -> list[CustomerLineRow]:
    return company.read(lambda tx: tx.customer_orders.lines([order_id]))


def balanced(company: Company, order_id: int) -> dict[str, int]:
    """The account of the order, in pieces; it must fit."""
    rows = company.read(lambda tx: tx.customer_orders.pieces([order_id]))
    total: dict[str, int] = {}
    for line in lines(company, order_id):
        sums = balance(line, rows)
        assert min(sums.values()) >= 0
        assert sums["ordered"] == sum(sums[n] for n in ("cancelled", "delivered", "back_ordered", "live", "open"))
        for name, quantity in sums.items():
            total[name] = total.get(name, 0) + quantity // PIECE
    return {name: quantity for name, quantity in total.items() if quantity}


def received(company: Company) -> OrderRow:
    (row,) = company.read(lambda tx: tx.orders.search(limit=1))
    return row


def say(company: Company, to: str, document: Document) -> Submitted:
    (done,) = company.do(submit, to, [Submission(document)])
    assert done.state == "waiting", done.findings
    return done


def key(row: OrderRow) -> DocumentKey:
    return DocumentKey(issuer=row.issuer, type="Order", number=row.number)


def accept(company: Company, row: OrderRow) -> None:
    say(
        company,
        row.partner_id,
        OrderResponse(
            header=DocumentHeader(number=f"A-{row.number}"), order=key(row), outcome=ResponseOutcome.ACCEPTED
        ),
    )


def despatch(company: Company, row: OrderRow, quantity: int, number: str = "") -> None:
    line = DespatchLine(line_id="1", order_line_id="1", quantity=Quantity(Decimal(quantity), "C62"))
    document = DespatchAdvice(
        header=DocumentHeader(number=number or f"D-{row.number}"),
        order=key(row),
        despatched_at=company.clock.now(),
        lines=(line,),
    )
    (done,) = company.do(submit, row.partner_id, [Submission(document)])
    assert done.state != "refused", done.findings


def deliver(company: Company, row: OrderRow, number: str = "") -> None:
    document = DeliveryStatus(
        header=DocumentHeader(number=f"S-{row.number}"),
        despatch=DocumentKey(issuer=company.id, type="DespatchAdvice", number=number or f"D-{row.number}"),
        order=key(row),
        event=DeliveryEvent.DELIVERED,
        occurred_at=company.clock.now(),
    )
    (done,) = company.do(submit, row.partner_id, [Submission(document)])
    assert done.state != "refused", done.findings


def reject(company: Company, row: OrderRow) -> None:
    document = OrderResponse(
        header=DocumentHeader(number=f"R-{row.number}"), order=key(row), outcome=ResponseOutcome.REJECTED
    )
    (done,) = company.do(submit, row.partner_id, [Submission(document)])
    assert done.state != "refused", done.findings


def answer(company: Company, row: OrderRow, *parts: tuple[ScheduleOutcome, int], number: str = "P") -> None:
    schedule = tuple(
        Schedule(schedule_id=str(place), quantity=Quantity(Decimal(count), "C62"), outcome=outcome)
        for place, (outcome, count) in enumerate(parts, 1)
    )
    line = OrderResponseLine(line_id="1", item=ItemRef(gtin=GTIN), schedule=schedule)
    document = OrderResponse(
        header=DocumentHeader(number=f"{number}-{row.number}"),
        order=key(row),
        outcome=ResponseOutcome.CHANGED,
        lines=(line,),
    )
    say(company, row.partner_id, document)


def want(company: Company, order_id: int, quantity: int) -> None:
    def change(tx: Any, ctx: Any) -> None:
        (line,) = tx.customer_orders.lines([order_id])
        tx.customer_orders.put_lines([rewanted(line, quantity * PIECE)])
        tx.customer_orders.wake([order_id], ctx.now_micros())

    company.do(change)
