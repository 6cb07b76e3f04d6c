"""Customer orders that wait: for supply, for their launch or their day, for each other, and for a human in doubt."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from node.app.fulfilment import customer_orders, customer_status, recurring
from node.config.sites import SiteSettings
from node.core.document.common import (
    Address,
    DateQualifier,
    PersonalData,
    PersonalEntry,
    QualifiedDate,
)
from node.core.document.customer import CustomerOrderKind, Interval, Recurrence
from tests.companies import Company, connect
from tests.customers import (
    an_order,
    balanced,
    capture,
    orchestration,
    pieces,
    put,
    settings,
    settle,
    state,
    work,
)
from tests.integration.order_troubles import an_item, in_doubt, pick_up

pytestmark = pytest.mark.usefixtures("linked")


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
