"""What tests of goods over our own sites share: sites, and what stores, docks and carriers say."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from node import wire
from node.app.documents.submit import Submission, Submitted, submit
from node.app.fulfilment import collection, customer_status
from node.app.stock.ledger import Ledger
from node.config.sites import SiteSettings
from node.core.customer_rows import PieceRow
from node.core.document.common import DocumentHeader, Reason
from node.core.document.customer import CustomerOrderKind
from node.core.document.fulfilment import (
    DeliveryEvent,
    DeliveryStatus,
    ReceivingAdvice,
    ReceivingLine,
)
from node.core.document.order import Order
from node.core.finding import Finding
from node.core.piece_state import DEAD
from node.core.quantity import Quantity
from node.core.rows import OrderRow
from tests.companies import Company
from tests.customers import (
    PIECE,
    an_order,
    capture,
    despatch,
    key,
    put,
    settings,
    settle,
    state,
)

PICK_UP = {"order_kind": CustomerOrderKind.PICK_UP, "collect_at": "S1"}
DOCK = {"order_kind": CustomerOrderKind.CROSS_DOCK, "collect_at": "DOCK"}
READY, COLLECTED = DeliveryEvent.READY_FOR_COLLECTION, DeliveryEvent.COLLECTED


def sites(company: Company, **kinds: str) -> None:
    found = {
        name: SiteSettings(kind=kind, collect=kind == "store", weekdays=(1, 2, 3, 4, 5, 6, 7))
        for name, kind in kinds.items()
    }
    settings(company, sites=found)


def live(company: Company, order_id: int) -> list[PieceRow]:
    rows = company.read(lambda tx: tx.customer_orders.pieces([order_id]))
    return [row for row in rows if row.state not in DEAD]


def told(company: Company, order_id: int) -> list[tuple[str, str, int, str]]:
    return [(p.mode, p.location, p.quantity // PIECE, p.state) for p in live(company, order_id)]


def at_store(company: Company, order_id: int, event: DeliveryEvent, quantity: int | None = None) -> list[Finding]:
    """What a person at the store says of line 1, or of everything."""
    wanted = None if quantity is None else {"1": quantity * PIECE}
    return company.do(collection.say, state(company, order_id), event, wanted)


def our_order(company: Company, number: str) -> OrderRow:
    rows = company.read(lambda tx: tx.orders.search(number=number, limit=10))
    return next(row for row in rows if row.number == number)


def status(company: Company, row: OrderRow, event: DeliveryEvent, number: str, **more: Any) -> Submitted:
    """What a system says by its adapter: an order, and what happened."""
    document = DeliveryStatus(
        header=DocumentHeader(number=number),
        order=key(row),
        event=event,
        occurred_at=company.clock.now(),
        **more,
    )
    (done,) = company.do(submit, row.partner_id, [Submission(document)])
    assert done.state != "refused", done.findings
    return done


def receive(company: Company, row: OrderRow, number: str, good: int, **bad: int) -> None:
    """The dock counts in what came."""
    line = ReceivingLine(
        line_id="1",
        order_line_id="1",
        accepted=Quantity(Decimal(good), "C62"),
        **{name: Quantity(Decimal(quantity), "C62") for name, quantity in bad.items()},  # type: ignore[arg-type]
    )
    document = ReceivingAdvice(
        header=DocumentHeader(number=number), order=key(row), received_at=company.clock.now(), lines=(line,)
    )
    (done,) = company.do(submit, row.partner_id, [Submission(document)])
    assert done.state != "refused", done.findings


def events(company: Company, order_id: int) -> list[str]:
    return [one.event for one in company.read(lambda tx: tx.customer_orders.events(order_id))]


def free(company: Company, location: str) -> int:
    """What can still be promised of our own at a place."""
    item = "gtin:04012345678901"
    return company.read(lambda tx: Ledger(tx, company.ctx, [item]).free((item, location))) // PIECE


def body(company: Company, row: OrderRow) -> Order:
    stored = company.read(lambda tx: tx.documents.get(row.document_id))
    assert stored is not None
    order = wire.decode_document("Order", stored.body or b"")
    assert isinstance(order, Order)
    return order


def shown(company: Company, number: str) -> dict[str, Any]:
    (one,) = company.read(lambda tx: customer_status.show(tx, company.ctx, number))
    return one


# --- deliveries that fail ---------------------------------------------------------------------------------------------


def failed(shop: Company, quantity: int = 4) -> int:
    put(shop, 9, "DC1")
    order_id = capture(shop, an_order("E1", quantity))
    settle(shop)
    row = our_order(shop, "E1.1")
    despatch(shop, row, quantity)
    settle(shop)
    why = Reason(code="nobody", text="nobody was at home")
    status(shop, row, DeliveryEvent.FAILED, "F1", reason=why)
    settle(shop)
    return order_id
