"""Customer orders whose partners say no, less, late or nothing, and orders that change while they are under way."""

from __future__ import annotations

import pytest

from node.app.fulfilment import customer_status
from node.app.links import exchange
from node.core.document.common import (
    DocumentHeader,
    DocumentKey,
)
from node.core.document.order import (
    OrderResponse,
    ResponseOutcome,
    ScheduleOutcome,
)
from tests.companies import Company, connect
from tests.customers import (
    GTIN,
    PIECE,
    accept,
    an_order,
    answer,
    balanced,
    capture,
    deliver,
    despatch,
    key,
    lines,
    orchestration,
    pieces,
    put,
    received,
    reject,
    say,
    settle,
    state,
    want,
    work,
)
from tests.integration.order_troubles import sent_so_far

pytestmark = pytest.mark.usefixtures("linked")


# --- when partners say no, or nothing ---------------------------------------------------------------------------------


def test_a_partner_that_grants_and_then_rejects(shop: Company, meyer: Company, braun: Company) -> None:
    put(meyer, 10)
    connect(shop, meyer)
    order_id = capture(shop, an_order())
    settle(shop, meyer, braun)
    put(braun, 10)
    connect(shop, braun)
    reject(meyer, received(meyer))
    settle(shop, meyer, braun)
    assert [(p.partner_id, p.quantity // PIECE, p.state) for p in pieces(shop, order_id)] == [(braun.id, 10, "ordered")]
    accept(braun, received(braun))
    # The first one accepts after all, too late: it is told not to send, and nothing is counted twice.
    answer(meyer, received(meyer), (ScheduleOutcome.ACCEPTED, 10), number="LATE")
    settle(shop, meyer, braun)
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}
    told = received(meyer).order_id
    events = meyer.read(lambda tx: tx.orders.events([told]))
    assert [event.event for event in events if event.standing] == ["accepted", "cancel_requested"]


def test_only_what_falls_short_is_sourced_again(shop: Company, meyer: Company, braun: Company) -> None:
    put(meyer, 10)
    put(braun, 10)
    connect(shop, meyer)
    connect(shop, braun)
    order_id = capture(shop, an_order())
    settle(shop, meyer, braun)
    first, second = (meyer, braun) if meyer.read(lambda tx: tx.orders.search(limit=1)) else (braun, meyer)
    answer(first, received(first), (ScheduleOutcome.ACCEPTED, 6), (ScheduleOutcome.REJECTED, 4))
    settle(shop, meyer, braun)
    assert sorted((p.partner_id, p.quantity // PIECE, p.state) for p in pieces(shop, order_id)) == sorted(
        [(first.id, 6, "accepted"), (second.id, 4, "ordered")]
    )
    assert received(second).number == "C1.2"
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}


def test_more_is_despatched_than_was_ordered_and_confirmed_twice(shop: Company, meyer: Company, braun: Company) -> None:
    put(meyer, 20)
    connect(shop, meyer)
    order_id = capture(shop, an_order())
    settle(shop, meyer)
    row = received(meyer)
    accept(meyer, row)
    answer(meyer, row, (ScheduleOutcome.ACCEPTED, 10), number="AGAIN")
    despatch(meyer, row, 13)
    settle(shop, meyer)
    (piece,) = pieces(shop, order_id)
    assert (piece.quantity, piece.despatched, piece.state) == (10 * PIECE, 13 * PIECE, "despatched")
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}
    said = [event.event for event in shop.read(lambda tx: tx.customer_orders.events(order_id))]
    assert "surplus" in said


def test_a_silent_partner_is_not_waited_for_with_a_hold(shop: Company, meyer: Company, braun: Company) -> None:
    put(meyer, 10)
    connect(shop, meyer)
    order_id = capture(shop, an_order())
    work(shop)
    assert [p.state for p in pieces(shop, order_id)] == ["holding"]
    shop.clock.move(minutes=5)
    put(shop, 10)
    work(shop)
    assert [(p.partner_id, p.state) for p in pieces(shop, order_id)] == [("", "accepted")]
    # The grant that comes when nobody wants it any more is given back by itself.
    meyer.clock.move(minutes=5)
    connect(shop, meyer)
    settle(shop, meyer)
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}
    assert meyer.read(lambda tx: tx.reservations.differences()) == []


def test_an_order_that_is_in_doubt_is_not_sourced_twice(shop: Company, meyer: Company, braun: Company) -> None:
    put(meyer, 10)
    connect(shop, meyer)
    order_id = capture(shop, an_order())
    for _ in range(3):
        work(shop)
        if [p.state for p in pieces(shop, order_id)] == ["ordering"]:
            break
        connect(shop, meyer)
    # It leaves, and no receipt comes back.
    assert shop.do(exchange.next_batch, meyer.id, sent_so_far(shop, meyer)) is not None
    put(shop, 10)
    shop.clock.move(hours=2)
    work(shop)
    assert [(p.partner_id, p.state) for p in pieces(shop, order_id)] == [(meyer.id, "in_doubt")]
    shop.clock.move(hours=48)
    work(shop)
    assert state(shop, order_id).state == "human"
    assert [p.state for p in pieces(shop, order_id)] == ["in_doubt"]
    orchestration(shop, in_doubt_elsewhere=True)
    shop.do(lambda tx, ctx: tx.customer_orders.wake([order_id], ctx.now_micros()))
    work(shop)
    assert [(p.partner_id, p.state) for p in pieces(shop, order_id)] == [("", "accepted")]
    # When the line stands again, the partner refuses what is no longer valid: nothing ships twice.
    meyer.clock.at = shop.clock.at
    connect(shop, meyer)
    settle(shop, meyer)
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}
    assert [(p.partner_id, p.state) for p in pieces(shop, order_id)] == [("", "accepted")]
    assert meyer.read(lambda tx: tx.orders.search(limit=5)) == []


def test_an_order_that_never_left_is_taken_back(shop: Company, meyer: Company, braun: Company) -> None:
    put(meyer, 10)
    connect(shop, meyer)
    order_id = capture(shop, an_order())
    for _ in range(3):
        work(shop)
        if [p.state for p in pieces(shop, order_id)] == ["ordering"]:
            break
        connect(shop, meyer)
    put(shop, 10)
    shop.clock.move(hours=2)
    settle(shop)
    assert [(p.partner_id, p.state) for p in pieces(shop, order_id)] == [("", "accepted")]
    row = shop.read(lambda tx: tx.documents.search(type="Order", partner_id=meyer.id))[0]
    assert row.state == "withdrawn"


# --- what changes -----------------------------------------------------------------------------------------------------


def test_a_cancellation_travels_and_ends_with_the_partners_answer(
    shop: Company, meyer: Company, braun: Company
) -> None:
    put(shop, 4)
    put(meyer, 6)
    connect(shop, meyer)
    order_id = capture(shop, an_order())
    settle(shop, meyer)
    accept(meyer, received(meyer))
    settle(shop, meyer)
    want(shop, order_id, 0)
    settle(shop, meyer)
    assert [(p.partner_id, p.state) for p in pieces(shop, order_id)] == [(meyer.id, "cancelling")]
    assert balanced(shop, order_id) == {"ordered": 10, "cancelled": 4, "live": 6}
    row = received(meyer)
    say(
        meyer,
        shop.id,
        OrderResponse(
            header=DocumentHeader(number="OK"),
            order=key(row),
            outcome=ResponseOutcome.ACCEPTED,
            answers=DocumentKey(issuer=shop.id, type="OrderCancellation", number=f"{row.number}-L1-1"),
        ),
    )
    settle(shop, meyer)
    assert balanced(shop, order_id) == {"ordered": 10, "cancelled": 10}
    assert state(shop, order_id).state == "cancelled"
    assert shop.read(lambda tx: tx.reservations.differences()) == []
    counters = shop.read(lambda tx: tx.reservations.counters([f"gtin:{GTIN.zfill(14)}"]))
    assert [(row.reserved, row.allocated) for row in counters] in ([], [(0, 0)])


def test_less_is_wanted_while_it_is_on_its_way(shop: Company, meyer: Company, braun: Company) -> None:
    put(meyer, 10)
    connect(shop, meyer)
    order_id = capture(shop, an_order())
    settle(shop, meyer)
    row = received(meyer)
    accept(meyer, row)
    despatch(meyer, row, 10)
    settle(shop, meyer)
    want(shop, order_id, 3)
    settle(shop, meyer)
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}
    assert lines(shop, order_id)[0].cancel_asked == 0


def test_a_short_answer_that_crosses_our_change_is_not_the_last_word(
    shop: Company, meyer: Company, braun: Company
) -> None:
    """Whoever agrees to a change sends what it asks for, whatever was said before: nothing of it is sourced twice."""
    put(meyer, 15)
    put(braun, 15)
    connect(shop, meyer)
    connect(shop, braun)
    order_id = capture(shop, an_order(quantity=15))
    settle(shop, meyer)
    (ours,) = pieces(shop, order_id)
    (first, other) = (meyer, braun) if ours.partner_id == meyer.id else (braun, meyer)
    row = received(first)
    # Said before the change arrives.
    answer(first, row, (ScheduleOutcome.ACCEPTED, 2), (ScheduleOutcome.REJECTED, 13))
    want(shop, order_id, 9)
    settle(shop, meyer, braun)
    assert [(p.partner_id, p.quantity // PIECE) for p in pieces(shop, order_id)] == [(first.id, 9)]
    yes = OrderResponse(
        header=DocumentHeader(number="YES"),
        order=key(row),
        outcome=ResponseOutcome.ACCEPTED,
        answers=DocumentKey(issuer=shop.id, type="OrderChange", number=f"{row.number}-L1-1"),
    )
    say(first, shop.id, yes)
    despatch(first, row, 9)
    deliver(first, row)
    settle(shop, meyer, braun)
    assert balanced(shop, order_id) == {"ordered": 15, "cancelled": 6, "delivered": 9}
    assert not other.read(lambda tx: tx.orders.search(limit=10))


@pytest.mark.parametrize("left", [0, 4])
def test_a_cancellation_that_is_never_answered_comes_to_a_human(
    shop: Company, meyer: Company, braun: Company, left: int
) -> None:
    put(meyer, 10)
    connect(shop, meyer)
    order_id = capture(shop, an_order())
    settle(shop, meyer)
    accept(meyer, received(meyer))
    settle(shop, meyer)
    want(shop, order_id, left)
    settle(shop, meyer)
    assert [p.state for p in pieces(shop, order_id)] == ["accepted" if left else "cancelling"]
    assert state(shop, order_id).state == "active"
    for one in (shop, meyer):
        one.clock.move(hours=shop.ctx.settings.orchestration.order_answer_hours, minutes=1)
    settle(shop, meyer)
    told = shop.read(lambda tx: customer_status.stuck(tx, shop.ctx))[0]
    assert (told["state"], told["waits_for"]) == ("human", "you")
    assert "has not answered in time that less is wanted" in told["what"]
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}
    # The answer comes after all: it goes on by itself.
    row = received(meyer)
    asked = DocumentKey(
        issuer=shop.id, type="OrderChange" if left else "OrderCancellation", number=f"{row.number}-L1-1"
    )
    agreed = OrderResponse(
        header=DocumentHeader(number="AGREED"), order=key(row), outcome=ResponseOutcome.ACCEPTED, answers=asked
    )
    say(meyer, shop.id, agreed)
    settle(shop, meyer)
    assert balanced(shop, order_id).get("live", 0) == left
    assert state(shop, order_id).state == ("active" if left else "cancelled")


@pytest.mark.parametrize("left", [0, 4])
def test_a_request_for_less_is_refused_before_the_order_is_answered(
    shop: Company, meyer: Company, braun: Company, left: int
) -> None:
    """The partner still owes the answer to the order: it is waited for, and what was refused is told."""
    put(meyer, 10)
    connect(shop, meyer)
    order_id = capture(shop, an_order())
    settle(shop, meyer)
    want(shop, order_id, left)
    settle(shop, meyer)
    row = received(meyer)
    asked = DocumentKey(
        issuer=shop.id, type="OrderChange" if left else "OrderCancellation", number=f"{row.number}-L1-1"
    )
    no = OrderResponse(
        header=DocumentHeader(number="NO"), order=key(row), outcome=ResponseOutcome.REJECTED, answers=asked
    )
    say(meyer, shop.id, no)
    settle(shop, meyer)
    (ours,) = pieces(shop, order_id)
    assert (ours.state, ours.wanted, ours.quantity) == ("ordered", 10 * PIECE, 10 * PIECE)
    assert ours.next_at is not None  # its answer is waited for until then
    assert lines(shop, order_id)[0].cancel_asked == 0
    events = [one.event for one in shop.read(lambda tx: tx.customer_orders.events(order_id))]
    assert events.count("change_refused" if left else "cancel_refused") == 1
    (told,) = [one for one in shop.read(lambda tx: customer_status.stuck(tx, shop.ctx)) if one["number"] == "C1"]
    assert told["state"] == "ordered"
    if not left:
        assert told["what"] == "the partner has refused to cancel it"
    accept(meyer, row)
    settle(shop, meyer)
    assert [(p.state, p.reason) for p in pieces(shop, order_id)] == [("accepted", "")]
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}


def test_silence_after_a_refused_cancellation_comes_to_a_human(shop: Company, meyer: Company, braun: Company) -> None:
    """It is not asked to cancel again and again: it has said that it will not."""
    orchestration(shop, on_silence="cancel")
    put(meyer, 10)
    connect(shop, meyer)
    order_id = capture(shop, an_order())
    settle(shop, meyer)
    want(shop, order_id, 0)
    settle(shop, meyer)
    row = received(meyer)
    asked = DocumentKey(issuer=shop.id, type="OrderCancellation", number=f"{row.number}-L1-1")
    no = OrderResponse(
        header=DocumentHeader(number="NO"), order=key(row), outcome=ResponseOutcome.REJECTED, answers=asked
    )
    say(meyer, shop.id, no)
    settle(shop, meyer)
    for one in (shop, meyer):
        one.clock.move(hours=shop.ctx.settings.orchestration.order_answer_hours, minutes=1)
    settle(shop, meyer)
    assert (state(shop, order_id).state, [p.state for p in pieces(shop, order_id)]) == ("human", ["waiting_human"])
    cancellations = shop.read(lambda tx: tx.documents.search(type="OrderCancellation", partner_id=meyer.id))
    assert len(cancellations) == 1
