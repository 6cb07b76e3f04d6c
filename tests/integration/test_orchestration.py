"""Customer orders over three companies and real links: sourced, held, ordered, followed, told as one; and crashes."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from decimal import Decimal

import pytest

from node import wire
from node.app.documents import orders
from node.app.documents.submit import Submission, submit
from node.app.fulfilment import customer_status
from node.app.fulfilment.advancing import advance
from node.config import PartnerSettings
from node.config.sites import SiteSettings
from node.core.document import header_of
from node.core.document.common import (
    DocumentHeader,
    ItemRef,
    Party,
    PartyRole,
)
from node.core.document.customer import CustomerOrderKind
from node.core.document.fulfilment import DeliveryEvent, DeliveryStatus
from node.core.document.order import (
    Order,
    OrderKind,
    OrderLine,
)
from node.core.quantity import Quantity
from tests.companies import Company, connect, swap
from tests.customers import (
    GTIN,
    HOME,
    PIECE,
    accept,
    an_order,
    balanced,
    capture,
    deliver,
    despatch,
    key,
    pieces,
    put,
    received,
    settings,
    settle,
    state,
)
from tests.integration.order_troubles import Crash, Fragile

pytestmark = pytest.mark.usefixtures("linked")


def test_an_order_is_split_over_our_own_stock_and_a_supplier(shop: Company, meyer: Company, braun: Company) -> None:
    put(shop, 4)
    put(meyer, 6)
    connect(shop, meyer)
    order_id = capture(shop, an_order())
    settle(shop, meyer, braun)
    assert sorted((p.partner_id, p.quantity // PIECE, p.state) for p in pieces(shop, order_id)) == [
        ("", 4, "accepted"),
        (meyer.id, 6, "ordered"),
    ]
    order = received(meyer)
    assert (order.kind, order.customer_order) == ("DROP_SHIP", "C1")
    accept(meyer, order)
    despatch(meyer, order, 6)
    deliver(meyer, order)
    settle(shop, meyer)
    own = next(row for row in shop.read(lambda tx: tx.orders.search(partner_id=shop.id)))
    assert (own.role, own.kind) == ("seller", "DESPATCH_INSTRUCTION")
    (seen,) = shop.read(lambda tx: orders.show(tx, shop.ctx, own.number))
    assert (seen["status"], seen["waits_for"]) == ("ordered", "")  # a site of ours has nothing to answer
    despatch(shop, own, 4)
    deliver(shop, own)
    settle(shop)
    assert balanced(shop, order_id) == {"ordered": 10, "delivered": 10}
    assert state(shop, order_id).state == "done"


def test_what_has_come_is_complete_on_the_day_it_came(shop: Company, meyer: Company, braun: Company) -> None:
    put(meyer, 10)
    connect(shop, meyer)
    order_id = capture(shop, an_order())
    settle(shop, meyer, braun)
    order = received(meyer)
    accept(meyer, order)
    despatch(meyer, order, 10)
    settle(shop, meyer)
    shop.do(
        lambda tx, ctx: tx.customer_orders.put_pieces([pieces(shop, order_id)[0]._replace(promised_on="2026-01-02")])
    )
    (told,) = shop.read(lambda tx: customer_status.show(tx, shop.ctx, "C1"))
    assert (told["lines"][0]["complete_on"], told["lines"][0]["pieces"][0]["came_on"]) == ("2026-01-02", None)
    for one in (shop, meyer):
        one.clock.move(days=9)
    deliver(meyer, order)
    for one in (shop, meyer):
        one.clock.move(days=1)
    settle(shop, meyer)
    (told,) = shop.read(lambda tx: customer_status.show(tx, shop.ctx, "C1"))
    (line,) = told["lines"]
    came_on = (shop.clock.now() - timedelta(days=1)).date().isoformat()
    assert (line["delivered"], line["complete_on"], line["pieces"][0]["came_on"]) == ("10", came_on, came_on)


def test_a_pick_up_lies_ready_and_is_collected(shop: Company, meyer: Company, braun: Company) -> None:
    sites = {"S1": SiteSettings(kind="store", country="DE", postal_code="20457", collect=True)}
    settings(shop, sites=sites)
    put(shop, 5, "S1")
    order_id = capture(shop, an_order(quantity=2, order_kind=CustomerOrderKind.PICK_UP, collect_at="S1"))
    settle(shop)
    ((mode, location),) = [(p.mode, p.location) for p in pieces(shop, order_id)]
    assert (mode, location) == ("collect", "S1")
    (row,) = shop.read(lambda tx: tx.orders.search(partner_id=shop.id))
    ready = DeliveryStatus(
        header=DocumentHeader(number="READY"),
        order=key(row),
        event=DeliveryEvent.READY_FOR_COLLECTION,
        occurred_at=shop.clock.now(),
    )
    (done,) = shop.do(submit, shop.id, [Submission(ready)])
    assert done.state != "refused", done.findings
    settle(shop)
    assert [p.state for p in pieces(shop, order_id)] == ["ready"]
    despatch(shop, row, 2)
    deliver(shop, row)
    settle(shop)
    assert balanced(shop, order_id) == {"ordered": 2, "delivered": 2}


# --- chains -----------------------------------------------------------------------------------------------------------


def test_a_drop_ship_over_three_companies(shop: Company, meyer: Company, braun: Company) -> None:
    swap(meyer, braun)
    connect(meyer, braun)
    settings(meyer, partners={shop.id: PartnerSettings(orders="orchestrate")})
    put(meyer, 2)
    put(braun, 20)
    connect(meyer, braun)
    connect(shop, meyer)
    # The shop orders ten of Meyer by hand, who has but two, and orders the rest of Braun.
    line = OrderLine(line_id="1", item=ItemRef(gtin=GTIN), quantity=Quantity(Decimal(10), "C62"))
    document = Order(
        header=DocumentHeader(
            number="S-77", parties=(Party(role=PartyRole.SHIP_TO, personal_key="k1"),), root_id="root", hops_left=4
        ),
        order_kind=OrderKind.DROP_SHIP,
        lines=(line,),
    )
    (done,) = shop.do(submit, meyer.id, [Submission(document, HOME)])
    assert done.state == "waiting", done.findings
    for _ in range(4):
        connect(shop, meyer)
        settle(meyer, braun)
    row = received(braun)
    assert row.customer_order.startswith("D")
    sent = braun.read(lambda tx: tx.documents.get(row.document_id))
    assert sent is not None
    assert b"S-77" not in (sent.body or b"")
    assert shop.id.encode() not in (sent.body or b"")
    order = wire.decode_document("Order", sent.body or b"")
    assert isinstance(order, Order)
    assert (header_of(order).root_id, header_of(order).hops_left) == ("root", 3)
    assert sent.personal is not None
    assert b"Way 1" in sent.personal
    accept(braun, row)
    quantity = braun.read(lambda tx: tx.orders.lines([row.order_id]))[0].quantity // PIECE
    despatch(braun, row, quantity)
    deliver(braun, row)
    for _ in range(4):
        settle(meyer, braun)
        connect(shop, meyer)
    mine = next((one for one in meyer.read(lambda tx: tx.orders.search(partner_id=meyer.id))), None)
    if mine is not None:
        despatch(meyer, mine, 10 - quantity)
        deliver(meyer, mine)
    for _ in range(4):
        settle(meyer, braun)
        connect(shop, meyer)
    (seen,) = shop.read(lambda tx: tx.orders.search(partner_id=meyer.id))
    sums: dict[str, int] = {}
    for event in shop.read(lambda tx: tx.orders.events([seen.order_id])):
        if event.standing:
            sums[event.event] = sums.get(event.event, 0) + event.quantity // PIECE
    assert (sums["accepted"], sums["despatched"], sums["delivered"]) == (10, 10, 10)
    told = shop.read(lambda tx: tx.documents.search(partner_id=meyer.id, direction="in"))
    assert all(braun.id.encode() not in (row.body or b"") for row in told)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("nth", [1, 2, 3, 4, 5, 6])
def test_a_crash_at_any_step_loses_and_doubles_nothing(
    shop: Company, meyer: Company, braun: Company, nth: int, after: bool
) -> None:
    put(shop, 4)
    put(meyer, 6)
    connect(shop, meyer)
    order_id = capture(shop, an_order())
    fragile = Fragile(shop.store, nth, after)
    with contextlib.suppress(Crash):
        for _ in range(6):
            advance(fragile, shop.ctx)  # type: ignore[arg-type]
            connect(shop, meyer)
    settle(shop, meyer)
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}
    assert sorted(p.quantity // PIECE for p in pieces(shop, order_id)) == [4, 6]
    assert len(meyer.read(lambda tx: tx.orders.search(limit=9))) == 1
    assert shop.read(lambda tx: tx.reservations.differences()) == []


def test_a_partner_never_sends_us_a_customer_order(shop: Company, meyer: Company) -> None:
    (done,) = meyer.do(submit, shop.id, [Submission(an_order())])
    assert (done.state, done.findings[0].rule) == ("refused", "not-accepted")
