"""Customer orders over three companies and real links: sourced, held, ordered, followed, told as one; each engine."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from node import wire
from node.app.documents import orders
from node.app.documents.submit import Submission, submit
from node.app.fulfilment import customer_orders, customer_status, recurring
from node.app.fulfilment.advancing import advance
from node.app.links import exchange
from node.config import PartnerSettings
from node.config.sites import SiteSettings
from node.core.document import header_of
from node.core.document.common import (
    Address,
    DateQualifier,
    DocumentHeader,
    DocumentKey,
    ItemRef,
    Party,
    PartyRole,
    PersonalData,
    PersonalEntry,
    QualifiedDate,
)
from node.core.document.customer import CustomerLine, CustomerOrder, CustomerOrderKind, Interval, Recurrence
from node.core.document.fulfilment import DeliveryEvent, DeliveryStatus
from node.core.document.order import (
    Order,
    OrderKind,
    OrderLine,
    OrderResponse,
    ResponseOutcome,
    ScheduleOutcome,
)
from node.core.quantity import Quantity
from tests.companies import Company, connect, swap
from tests.customers import (
    GTIN,
    HOME,
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
    settings,
    settle,
    state,
    want,
    work,
)

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
    assert shop.do(exchange.next_batch, meyer.id, _after(shop, meyer)) is not None
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


def _after(shop: Company, meyer: Company) -> int:
    return shop.link(meyer, "out").number


# --- what waits -------------------------------------------------------------------------------------------------------


def test_back_orders_are_promised_new_supply_by_priority_then_age(
    shop: Company, meyer: Company, braun: Company
) -> None:
    put(shop, 0)
    first = capture(shop, an_order("C1", 5))
    shop.clock.move(seconds=1)
    second = capture(shop, an_order("C2", 5))
    shop.clock.move(seconds=1)
    urgent = capture(shop, an_order("C3", 5, priority=9))
    settle(shop)
    assert [state(shop, one).state for one in (first, second, urgent)] == ["waiting"] * 3
    assert balanced(shop, first) == {"ordered": 5, "back_ordered": 5}
    shop.clock.move(hours=1)
    put(shop, 12)
    settle(shop)
    assert balanced(shop, urgent) == {"ordered": 5, "live": 5}
    assert balanced(shop, first) == {"ordered": 5, "live": 5}
    assert balanced(shop, second) == {"ordered": 5, "live": 2, "back_ordered": 3}


def test_a_queue_is_served_in_order_where_new_orders_are_sourced_in_waves(
    shop: Company, meyer: Company, braun: Company
) -> None:
    orchestration(shop, wave_orders=10)
    put(shop, 0)
    far = capture(shop, an_order("C1", 5, postal_code="80331"))
    shop.clock.move(seconds=1)
    near = capture(shop, an_order("C2", 5))
    settle(shop)
    put(shop, 5, "DC2")
    settle(shop)
    assert balanced(shop, far) == {"ordered": 5, "live": 5}
    assert balanced(shop, near) == {"ordered": 5, "back_ordered": 5}


def test_a_pre_order_waits_for_its_launch(shop: Company, meyer: Company, braun: Company) -> None:
    put(shop, 10)
    launch = shop.clock.now().date() + timedelta(days=3)
    order_id = capture(shop, an_order(order_kind=CustomerOrderKind.PRE_ORDER, launch_on=launch))
    settle(shop)
    assert pieces(shop, order_id) == []
    shop.clock.move(days=3)
    put(shop, 10)
    settle(shop)
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}


def test_orders_to_one_address_are_put_together_and_others_never(shop: Company, meyer: Company, braun: Company) -> None:
    orchestration(shop, merge_minutes=10)
    put(shop, 100)
    elsewhere = PersonalData(entries=(PersonalEntry(key="k1", name="Ada", address=Address(street="Other 2")),))
    one = capture(shop, an_order("C1", 2))
    two = capture(shop, an_order("C2", 3))
    three = capture(shop, an_order("C3", 4), elsewhere)
    work(shop)
    assert pieces(shop, one) == []
    shop.clock.move(minutes=10)
    settle(shop)
    assert state(shop, two).state == "merged"
    assert state(shop, three).state == "active"
    assert balanced(shop, one) == {"ordered": 5, "live": 5}
    assert balanced(shop, three) == {"ordered": 4, "live": 4}
    assert len(shop.read(lambda tx: tx.orders.search(partner_id=shop.id))) == 2


def test_a_recurring_order_comes_once_for_each_day(shop: Company, meyer: Company, braun: Company) -> None:
    put(shop, 100)
    today = shop.clock.now().date()
    again = Recurrence(interval=Interval.WEEK, first_on=today, last_on=today + timedelta(days=20))
    template = capture(shop, an_order("SUB", 1, order_kind=CustomerOrderKind.RECURRING, recurrence=again))
    for _ in range(2):
        recurring.make_due(shop.store, shop.ctx)
    shop.clock.move(days=15)
    recurring.make_due(shop.store, shop.ctx)
    recurring.make_due(shop.store, shop.ctx)
    found = shop.read(lambda tx: tx.customer_orders.search(customer="cust-1"))
    numbers = sorted(row.number for row in found if row.customer_order_id != template)
    assert numbers == [f"SUB/{today + timedelta(days=days)}" for days in (0, 7, 14)]
    shop.clock.move(days=30)
    recurring.make_due(shop.store, shop.ctx)
    assert state(shop, template).recurs_on is None


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


# --- crashes ----------------------------------------------------------------------------------------------------------


class Crash(Exception):
    """The process ends here."""


class Fragile:
    """A store whose process ends at the nth transaction, before or after its commit."""

    def __init__(self, store: Any, nth: int, after: bool) -> None:
        self._store, self.left, self._after = store, nth, after

    def read(self, use_case: Any) -> Any:
        return self._store.read(use_case)

    def write(self, use_case: Any) -> Any:
        self.left -= 1
        if self.left == 0 and not self._after:
            raise Crash
        result = self._store.write(use_case)
        if self.left == 0:
            raise Crash
        return result


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


# --- bad input --------------------------------------------------------------------------------------------------------


def test_what_is_wrong_in_itself_is_refused(shop: Company) -> None:
    day = shop.clock.now().date()
    bad = [
        (an_order(quantity=0), "quantity"),
        (an_order(quantity=10**12), "quantity"),
        (an_order(lines=()), "no-lines"),
        (an_order(country="XX"), "country"),
        (an_order(currency="EURO"), "currency"),
        (an_order(order_kind=CustomerOrderKind.PICK_UP), "collect-at"),
        (an_order(dates=(QualifiedDate(qualifier=DateQualifier.DELIVER, on=day - timedelta(days=9)),)), "date"),
        (
            an_order(
                dates=(
                    QualifiedDate(qualifier=DateQualifier.DELIVER, on=day + timedelta(days=9)),
                    QualifiedDate(qualifier=DateQualifier.NOT_AFTER, on=day + timedelta(days=2)),
                )
            ),
            "date",
        ),
    ]
    for order, rule in bad:
        done = shop.do(customer_orders.capture, order)
        assert (done.state, done.findings[0].rule) == ("refused", rule)
    assert shop.read(lambda tx: tx.customer_orders.search(limit=9)) == []


def test_an_unknown_item_waits_for_a_human(shop: Company) -> None:
    done = shop.do(customer_orders.capture, an_order())
    assert [finding.rule for finding in done.findings] == ["unknown-item"]
    assert done.customer_order_id is not None
    settle(shop)
    assert state(shop, done.customer_order_id).state == "human"
    assert balanced(shop, done.customer_order_id) == {"ordered": 10, "open": 10}
    (told,) = shop.read(lambda tx: customer_status.stuck(tx, shop.ctx))
    assert told["waits_for"] == "you"
    assert shop.do(customer_orders.capture, an_order()).state == "duplicate"


def pick_up(number: str, place: str, quantity: int = 2) -> CustomerOrder:
    return an_order(number, quantity, order_kind=CustomerOrderKind.PICK_UP, collect_at=place)


def in_doubt(shop: Company, number: str, place: str) -> int:
    """A pick-up at a place that nobody knows: it waits for a human, and nothing is promised."""
    done = shop.do(customer_orders.capture, pick_up(number, place))
    assert [(one.rule, one.path) for one in done.findings] == [("unknown-location", "collect_at")]
    assert done.customer_order_id is not None
    settle(shop)
    assert state(shop, done.customer_order_id).state == "human"
    assert balanced(shop, done.customer_order_id) == {"ordered": 2, "open": 2}
    return done.customer_order_id


def test_a_pick_up_at_an_unknown_place_waits_for_a_human(shop: Company, meyer: Company, braun: Company) -> None:
    put(shop, 20, "STORE")
    put(shop, 20, "OTHER", "4012345000030")
    put(meyer, 20, "YARD")
    connect(shop, meyer)
    in_doubt(shop, "P1", "NOWHERE")
    in_doubt(shop, "P2", "YARD")  # a partner has a place of that name, and we have none
    told = shop.read(lambda tx: customer_status.stuck(tx, shop.ctx))
    assert {one["waits_for"] for one in told} == {"you"}
    assert "nobody knows the place 'NOWHERE'" in next(one["what"] for one in told if one["number"] == "P1")
    settings(shop, sites={"HARBOUR": SiteSettings(collect=True)})
    # One with figures of the item or of others, one of the settings, and one of a partner's.
    for number, place in (("P3", "STORE"), ("P4", "OTHER"), ("P5", "HARBOUR"), ("P6", f"{meyer.id}|YARD")):
        assert shop.do(customer_orders.capture, pick_up(number, place)).findings == []


def test_what_was_unknown_goes_on_when_it_is_known(shop: Company, meyer: Company, braun: Company) -> None:
    put(shop, 20, "STORE")
    place, item = in_doubt(shop, "P1", "S9"), capture(shop, an_order("P2", 1, lines=(an_item("4012345000047"),)))
    settings(shop, sites={"S9": SiteSettings(kind="store", collect=True)})
    put(shop, 5, "STORE", "4012345000047")
    settle(shop)
    assert {state(shop, one).state for one in (place, item)} == {"human"}
    shop.clock.move(minutes=shop.ctx.settings.orchestration.retry_minutes, seconds=1)
    settle(shop)
    assert {state(shop, one).state for one in (place, item)} == {"active"}
    assert balanced(shop, place) == {"ordered": 2, "live": 2}
    assert balanced(shop, item) == {"ordered": 1, "live": 1}


def an_item(gtin: str, line_id: str = "1") -> CustomerLine:
    return CustomerLine(line_id=line_id, item=ItemRef(gtin=gtin), quantity=Quantity(Decimal(1), "C62"))


def test_an_order_in_doubt_is_corrected_by_its_channel(shop: Company, meyer: Company, braun: Company) -> None:
    put(shop, 20, "STORE")
    order_id = in_doubt(shop, "P1", "STROE")
    many = replace(pick_up("P1", "SOTRE"), lines=(*pick_up("P1", "SOTRE").lines, an_item("4012345000047", "2")))
    still = shop.do(customer_orders.capture, many)
    assert (still.state, still.customer_order_id) == ("captured", order_id)
    assert [one.rule for one in still.findings] == ["unknown-item", "unknown-location"]
    bad = shop.do(customer_orders.capture, pick_up("P1", "STORE", 0))
    assert bad.state == "refused"
    done = shop.do(customer_orders.capture, pick_up("P1", "STORE", 3))
    assert (done.state, done.customer_order_id, done.findings) == ("captured", order_id, [])
    settle(shop)
    assert balanced(shop, order_id) == {"ordered": 4, "live": 3, "cancelled": 1}
    assert {(p.location, p.mode) for p in pieces(shop, order_id)} == {("STORE", "collect")}
    # Now that it is sourced, other content is asked for as a change.
    assert shop.do(customer_orders.capture, pick_up("P1", "STORE", 3)).state == "duplicate"
    assert shop.do(customer_orders.capture, pick_up("P1", "STORE", 4)).state == "refused"


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


def test_a_partner_never_sends_us_a_customer_order(shop: Company, meyer: Company) -> None:
    (done,) = meyer.do(submit, shop.id, [Submission(an_order())])
    assert (done.state, done.findings[0].rule) == ("refused", "not-accepted")
