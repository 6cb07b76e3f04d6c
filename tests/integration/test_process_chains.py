"""Chains of companies: circles, hops, and what is corrected, refused or changed on the way; on each engine."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from node.app.documents.submit import Submission, submit
from node.config import PartnerSettings
from node.core.document.common import DocumentHeader, DocumentKey, ItemRef, Party, PartyRole
from node.core.document.fulfilment import AdviceStatus, DespatchAdvice, DespatchLine
from node.core.document.order import (
    Order,
    OrderCancellation,
    OrderChange,
    OrderKind,
    OrderLine,
    OrderResponse,
    ResponseOutcome,
)
from node.core.quantity import Quantity
from node.core.rows import OrderRow
from tests.companies import Company, connect, swap
from tests.customers import (
    GTIN,
    HOME,
    PIECE,
    accept,
    an_order,
    balanced,
    capture,
    despatch,
    key,
    lines,
    pieces,
    put,
    received,
    say,
    settings,
    settle,
    state,
    work,
)

pytestmark = pytest.mark.usefixtures("linked")


@pytest.fixture
def chain(shop: Company, meyer: Company, braun: Company) -> None:
    """The shop orders of Meyer, who orders of Braun what it has not."""
    swap(meyer, braun)
    connect(meyer, braun)
    settings(meyer, partners={shop.id: PartnerSettings(orders="orchestrate")})


def order_by_hand(company: Company, to: Company, quantity: int, root: str = "root", hops: int = 4) -> None:
    line = OrderLine(line_id="1", item=ItemRef(gtin=GTIN), quantity=Quantity(Decimal(quantity), "C62"))
    document = Order(
        header=DocumentHeader(
            number="S-77", parties=(Party(role=PartyRole.SHIP_TO, personal_key="k1"),), root_id=root, hops_left=hops
        ),
        order_kind=OrderKind.DROP_SHIP,
        lines=(line,),
    )
    (done,) = company.do(submit, to.id, [Submission(document, HOME)])
    assert done.state == "waiting", done.findings


def run(shop: Company, meyer: Company, braun: Company) -> None:
    for _ in range(4):
        connect(shop, meyer)
        settle(meyer, braun)
        work(shop)
    connect(shop, meyer)


def sums(company: Company, partner: Company) -> dict[str, int]:
    """What the order book says of the orders between two companies."""
    found: dict[str, int] = {}
    orders = company.read(lambda tx: tx.orders.search(partner_id=partner.id))
    for event in company.read(lambda tx: tx.orders.events([row.order_id for row in orders])):
        if event.standing and event.quantity:
            found[event.event] = found.get(event.event, 0) + event.quantity // PIECE
    return found


def middle(meyer: Company) -> int:
    (row,) = meyer.read(lambda tx: tx.customer_orders.search(limit=5))
    return row.customer_order_id


# --- how far it may go ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("chain")
def test_a_chain_that_goes_in_a_circle_is_refused(shop: Company, meyer: Company, braun: Company) -> None:
    """Shop -> Meyer -> Braun -> shop: the shop refuses its own order, and Braun has nowhere else to go."""
    settings(braun, partners={meyer.id: PartnerSettings(orders="orchestrate")})
    settings(shop, partners={braun.id: PartnerSettings(orders="orchestrate")})
    put(meyer, 10)
    connect(shop, meyer)
    order_id = capture(shop, an_order())
    work(shop)
    connect(shop, meyer)
    work(shop)
    put(meyer, 0)
    put(braun, 10)
    connect(meyer, braun)
    connect(shop, meyer)
    settle(meyer, braun)
    put(braun, 0)
    put(shop, 10)
    connect(shop, braun)
    for _ in range(5):
        settle(braun, meyer)
        settle(shop, meyer, braun)
    back = [row for row in shop.read(lambda tx: tx.customer_orders.search(limit=9)) if row.origin_partner]
    root = state(shop, order_id).root_id
    assert all(row.root_id == root for row in back)
    for row in back:
        assert (row.origin_partner, row.state) == (braun.id, "cancelled")
        assert "circle" in row.reason
        assert pieces(shop, row.customer_order_id) == []
    assert balanced(shop, order_id)["ordered"] == 10


def test_what_has_come_back_to_us_is_refused_by_its_root(shop: Company, meyer: Company, braun: Company) -> None:
    settings(shop, partners={braun.id: PartnerSettings(orders="orchestrate")})
    put(meyer, 10)
    connect(shop, meyer)
    order_id = capture(shop, an_order())
    settle(shop, meyer)
    mine = state(shop, order_id)
    put(shop, 10)
    # Two companies further on it comes back; by another way of like length, or once more of the same partner, it may.
    order_by_hand(braun, shop, 4, mine.root_id, mine.hops_left - 2)
    for _ in range(2):
        connect(shop, braun)
        work(shop)
    connect(shop, braun)
    (row,) = [one for one in shop.read(lambda tx: tx.customer_orders.search(limit=9)) if one.origin_partner]
    assert (row.state, row.root_id) == ("cancelled", mine.root_id)
    assert pieces(shop, row.customer_order_id) == []
    assert sums(braun, shop) == {"rejected": 4}
    (told,) = braun.read(lambda tx: tx.orders.search(partner_id=shop.id))
    details = [event.detail for event in braun.read(lambda tx: tx.orders.events([told.order_id])) if event.standing]
    assert any("circle" in detail for detail in details)


@pytest.mark.usefixtures("chain")
def test_several_orders_of_one_root_are_no_circle(shop: Company, meyer: Company, braun: Company) -> None:
    put(meyer, 4)
    put(braun, 20)
    connect(meyer, braun)
    connect(shop, meyer)
    order_by_hand(shop, meyer, 10)
    run(shop, meyer, braun)
    line = OrderLine(line_id="1", item=ItemRef(gtin=GTIN), quantity=Quantity(Decimal(3), "C62"))
    again = Order(
        header=DocumentHeader(number="S-78", root_id="root", hops_left=4),
        order_kind=OrderKind.STANDARD,
        lines=(line,),
    )
    (done,) = shop.do(submit, meyer.id, [Submission(again)])
    assert done.state == "waiting", done.findings
    run(shop, meyer, braun)
    assert {row.state for row in meyer.read(lambda tx: tx.customer_orders.search(limit=9))} == {"active"}


@pytest.mark.usefixtures("chain")
def test_where_no_hops_are_left_only_our_own_stock_counts(shop: Company, meyer: Company, braun: Company) -> None:
    put(meyer, 4)
    put(braun, 20)
    connect(meyer, braun)
    connect(shop, meyer)
    order_by_hand(shop, meyer, 10, hops=0)
    run(shop, meyer, braun)
    assert balanced(meyer, middle(meyer)) == {"ordered": 10, "live": 4, "cancelled": 6}
    assert braun.read(lambda tx: tx.orders.search(limit=5)) == []
    assert sums(shop, meyer) == {"accepted": 4, "rejected": 6}


# --- what is corrected, refused or changed on the way -----------------------------------------------------------------


@pytest.fixture
def ordered(shop: Company, meyer: Company, braun: Company, chain: None) -> OrderRow:
    """The shop's ten are all ordered of Braun, who has accepted them."""
    put(braun, 20)
    connect(meyer, braun)
    put(meyer, 0)
    connect(shop, meyer)
    order_by_hand(shop, meyer, 10)
    run(shop, meyer, braun)
    row = received(braun)
    accept(braun, row)
    run(shop, meyer, braun)
    assert sums(shop, meyer) == {"accepted": 10}
    return row


def correct(company: Company, row: OrderRow, quantity: int, status: AdviceStatus, number: str) -> None:
    line = DespatchLine(line_id="1", order_line_id="1", quantity=Quantity(Decimal(quantity), "C62"))
    document = DespatchAdvice(
        header=DocumentHeader(number=number, revision=2),
        status=status,
        order=key(row),
        despatched_at=company.clock.now(),
        lines=(line,),
    )
    (done,) = company.do(submit, row.partner_id, [Submission(document)])
    assert done.state != "refused", done.findings


def test_a_corrected_despatch_is_corrected_upstream(
    shop: Company, meyer: Company, braun: Company, ordered: OrderRow
) -> None:
    despatch(braun, ordered, 10, "D1")
    run(shop, meyer, braun)
    assert sums(shop, meyer)["despatched"] == 10
    correct(braun, ordered, 7, AdviceStatus.CORRECTED, "D1")
    run(shop, meyer, braun)
    assert sums(meyer, braun)["despatched"] == 7
    assert sums(shop, meyer)["despatched"] == 7
    despatch(braun, ordered, 3, "D2")
    run(shop, meyer, braun)
    assert sums(shop, meyer)["despatched"] == 10
    assert balanced(meyer, middle(meyer)) == {"ordered": 10, "live": 10}


def test_a_cancelled_despatch_is_cancelled_upstream(
    shop: Company, meyer: Company, braun: Company, ordered: OrderRow
) -> None:
    despatch(braun, ordered, 10, "D1")
    run(shop, meyer, braun)
    correct(braun, ordered, 10, AdviceStatus.CANCELLED, "D1")
    run(shop, meyer, braun)
    assert sums(shop, meyer).get("despatched", 0) == 0
    despatch(braun, ordered, 10, "D2")
    run(shop, meyer, braun)
    assert sums(shop, meyer)["despatched"] == 10


def test_a_refused_cancellation_is_refused_upstream(
    shop: Company, meyer: Company, braun: Company, ordered: OrderRow
) -> None:
    (mine,) = shop.read(lambda tx: tx.orders.search(partner_id=meyer.id))
    say(shop, meyer.id, OrderCancellation(header=DocumentHeader(number="X1"), order=key(mine)))
    run(shop, meyer, braun)
    assert [piece.state for piece in pieces(meyer, middle(meyer))] == ["cancelling"]
    asked = f"{ordered.number}-L1-1"
    say(
        braun,
        meyer.id,
        OrderResponse(
            header=DocumentHeader(number="NO"),
            order=key(ordered),
            outcome=ResponseOutcome.REJECTED,
            answers=DocumentKey(issuer=meyer.id, type="OrderCancellation", number=asked),
        ),
    )
    run(shop, meyer, braun)
    assert balanced(meyer, middle(meyer)) == {"ordered": 10, "live": 10}
    assert sums(shop, meyer) == {"accepted": 10}
    answers = [
        document
        for row in shop.read(lambda tx: tx.documents.search(partner_id=meyer.id, direction="in", type="OrderResponse"))
        for document in [_decoded(row)]
        if document.answers is not None
    ]
    assert [one.outcome for one in answers] == [ResponseOutcome.REJECTED]


def _decoded(row: Any) -> OrderResponse:
    from node import wire

    found = wire.decode_document(row.type, row.body)
    assert isinstance(found, OrderResponse)
    return found


def test_a_change_travels_down_while_it_is_under_way(
    shop: Company, meyer: Company, braun: Company, ordered: OrderRow
) -> None:
    despatch(braun, ordered, 4, "D1")
    run(shop, meyer, braun)
    (mine,) = shop.read(lambda tx: tx.orders.search(partner_id=meyer.id))
    less = OrderLine(line_id="1", item=ItemRef(gtin=GTIN), quantity=Quantity(Decimal(6), "C62"))
    say(shop, meyer.id, OrderChange(header=DocumentHeader(number="X1"), order=key(mine), lines=(less,)))
    run(shop, meyer, braun)
    assert [(p.quantity // PIECE, p.wanted // PIECE) for p in pieces(meyer, middle(meyer))] == [(10, 6)]
    asked = f"{ordered.number}-L1-1"
    say(
        braun,
        meyer.id,
        OrderResponse(
            header=DocumentHeader(number="OK"),
            order=key(ordered),
            outcome=ResponseOutcome.ACCEPTED,
            answers=DocumentKey(issuer=meyer.id, type="OrderChange", number=asked),
        ),
    )
    run(shop, meyer, braun)
    assert balanced(meyer, middle(meyer)) == {"ordered": 10, "live": 6, "cancelled": 4}
    despatch(braun, ordered, 2, "D2")
    run(shop, meyer, braun)
    found = sums(shop, meyer)
    assert (found["despatched"], found["accepted"]) == (6, 6)
    assert lines(meyer, middle(meyer))[0].cancel_asked == 0
