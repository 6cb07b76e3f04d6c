"""Goods that go over our own sites: collected at a store, brought there first, sent from it, and over a dock."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from node import wire
from node.app.documents.submit import Submission, Submitted, submit
from node.app.fulfilment import collection, customer_status, failed_delivery
from node.app.stock.ledger import Ledger
from node.config.sites import SiteSettings
from node.core.customer_rows import PieceRow
from node.core.document.common import DocumentHeader, DocumentKey, LocationRef, PartyRole, Reason
from node.core.document.customer import CustomerOrderKind
from node.core.document.fulfilment import (
    DeliveryEvent,
    DeliveryStatus,
    ReceivingAdvice,
    ReceivingLine,
)
from node.core.document.order import Order, ScheduleOutcome
from node.core.finding import Finding
from node.core.piece_state import DEAD
from node.core.quantity import Quantity
from node.core.rows import OrderRow
from node.errors import RefusedError
from tests.companies import Company, connect
from tests.customers import (
    PIECE,
    accept,
    an_order,
    answer,
    balanced,
    capture,
    deliver,
    despatch,
    key,
    orchestration,
    put,
    received,
    reject,
    settings,
    settle,
    state,
    want,
)
from tests.integration.test_cli_operations import Desk

pytestmark = pytest.mark.usefixtures("linked")

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


# --- collected at a store ---------------------------------------------------------------------------------------------


def test_a_customer_collects_what_lies_ready(shop: Company) -> None:
    sites(shop, S1="store")
    put(shop, 5, "S1")
    order_id = capture(shop, an_order("P1", 3, **PICK_UP))
    settle(shop)
    assert told(shop, order_id) == [("collect", "S1", 3, "accepted")]
    assert at_store(shop, order_id, READY) == []
    settle(shop)
    assert told(shop, order_id) == [("collect", "S1", 3, "ready")]
    (piece,) = live(shop, order_id)
    assert piece.next_at == shop.ctx.now_micros() + 7 * 86_400 * PIECE
    assert at_store(shop, order_id, COLLECTED, 1) == []
    settle(shop)
    assert balanced(shop, order_id) == {"ordered": 3, "delivered": 1, "live": 2}
    assert at_store(shop, order_id, COLLECTED) == []
    settle(shop)
    assert balanced(shop, order_id) == {"ordered": 3, "delivered": 3}
    assert state(shop, order_id).state == "done"
    # The ERP's next figure has it, and nothing is taken off twice.
    shop.clock.move(minutes=1)
    put(shop, 2, "S1")
    assert free(shop, "S1") == 2
    assert shop.read(lambda tx: tx.reservations.differences()) == []


def test_the_stores_own_system_says_it(shop: Company) -> None:
    """By adapter: an order and what happened, with no lines, and a despatch advice for what leaves."""
    sites(shop, S1="store")
    put(shop, 5, "S1")
    order_id = capture(shop, an_order("P1", 3, **PICK_UP))
    settle(shop)
    status(shop, our_order(shop, "P1.1"), READY, "R1")
    settle(shop)
    assert told(shop, order_id) == [("collect", "S1", 3, "ready")]
    despatch(shop, our_order(shop, "P1.1"), 3)
    despatched = DocumentKey(issuer=shop.id, type="DespatchAdvice", number="D-P1.1")
    status(shop, our_order(shop, "P1.1"), COLLECTED, "R2", despatch=despatched)
    settle(shop)
    assert balanced(shop, order_id) == {"ordered": 3, "delivered": 3}


@pytest.mark.parametrize("how", ["deadline", "by hand", "by adapter"])
@pytest.mark.parametrize("collected", [0, 1])
def test_what_nobody_collects_goes_back_to_stock(shop: Company, how: str, collected: int) -> None:
    sites(shop, S1="store")
    orchestration(shop, collect_days=2)
    put(shop, 5, "S1")
    order_id = capture(shop, an_order("P1", 3, **PICK_UP))
    settle(shop)
    at_store(shop, order_id, READY)
    settle(shop)
    if collected:
        at_store(shop, order_id, COLLECTED, collected)
        settle(shop)
    shop.clock.move(days=1)
    settle(shop)
    assert [p.state for p in live(shop, order_id)] == ["ready"]
    if how == "deadline":
        shop.clock.move(days=1, seconds=1)
    elif how == "by hand":
        at_store(shop, order_id, DeliveryEvent.FAILED)
    else:
        status(shop, our_order(shop, "P1.1"), DeliveryEvent.RETURNED, "X")
    settle(shop)
    left = 3 - collected
    wanted = {"ordered": 3, "cancelled": left} | ({"delivered": collected} if collected else {})
    assert balanced(shop, order_id) == wanted
    assert state(shop, order_id).state == ("done" if collected else "cancelled")
    assert "not_collected" in events(shop, order_id)
    shop.clock.move(minutes=1)
    put(shop, 5 - collected, "S1")
    assert free(shop, "S1") == 5 - collected
    assert shop.read(lambda tx: tx.reservations.differences()) == []
    # Who comes later is too late for it, and that is seen.
    settle(shop)
    assert balanced(shop, order_id) == wanted


def test_more_is_collected_than_lay_ready_and_more_than_was_ordered(shop: Company) -> None:
    sites(shop, S1="store")
    put(shop, 9, "S1")
    order_id = capture(shop, an_order("P1", 3, **PICK_UP))
    settle(shop)
    at_store(shop, order_id, READY, 2)
    settle(shop)
    assert told(shop, order_id) == [("collect", "S1", 3, "accepted")]
    assert [one.rule for one in at_store(shop, order_id, COLLECTED, 5)] == ["over-collected"]
    settle(shop)
    assert balanced(shop, order_id) == {"ordered": 3, "delivered": 3}
    assert "surplus" in events(shop, order_id)
    assert [one.rule for one in at_store(shop, order_id, READY, 5)] == ["over-ready"]
    settle(shop)
    assert balanced(shop, order_id) == {"ordered": 3, "delivered": 3}


def test_collected_before_it_was_ready(shop: Company) -> None:
    sites(shop, S1="store")
    put(shop, 9, "S1")
    order_id = capture(shop, an_order("P1", 3, **PICK_UP))
    with pytest.raises(RefusedError, match="nothing of customer order P1"):
        at_store(shop, order_id, COLLECTED)
    settle(shop)
    assert [one.rule for one in at_store(shop, order_id, COLLECTED)] == ["over-collected"]
    at_store(shop, order_id, READY)
    settle(shop)
    assert balanced(shop, order_id) == {"ordered": 3, "delivered": 3}


def test_the_store_does_not_find_it(shop: Company) -> None:
    """Its figure was wrong: the pieces are brought from another site of ours."""
    sites(shop, S1="store", DC1="warehouse")
    put(shop, 3, "S1")
    put(shop, 9, "DC1")
    order_id = capture(shop, an_order("P1", 3, **PICK_UP))
    settle(shop)
    assert told(shop, order_id) == [("collect", "S1", 3, "accepted")]
    reject(shop, our_order(shop, "P1.1"))
    settle(shop)
    assert told(shop, order_id) == [("to_collect", "DC1", 3, "accepted")]


def test_what_the_store_has_not_is_brought_there_first(shop: Company, meyer: Company) -> None:
    sites(shop, S1="store", DC1="warehouse")
    put(shop, 0, "S1")
    put(shop, 3, "DC1")
    order_id = capture(shop, an_order("P1", 3, **PICK_UP))
    settle(shop)
    assert told(shop, order_id) == [("to_collect", "DC1", 3, "accepted")]
    bringing = next(p for p in live(shop, order_id) if p.mode == "to_collect")
    assert bringing.order_id is not None
    bringing_order = bringing.order_id
    (row,) = shop.read(lambda tx: tx.orders.by_ids([bringing_order]))
    order = body(shop, row)
    assert order.header is not None
    (to,) = [one for one in order.header.parties if one.role is PartyRole.SHIP_TO]
    assert to.location == LocationRef(code="S1", owner=shop.id)
    despatch(shop, row, 3)
    settle(shop)
    # Until the store has it nothing is delivered, and nothing to be collected.
    assert told(shop, order_id) == [("to_collect", "DC1", 3, "despatched")]
    assert balanced(shop, order_id) == {"ordered": 3, "live": 3}
    piece = next(p for line in shown(shop, "P1")["lines"] for p in line["pieces"] if p["mode"] == "to_collect")
    assert piece["to_do"] == f"say what arrives there: `hansa order receive {row.number}`"
    receive(shop, row, "RA", 3)
    settle(shop)
    assert told(shop, order_id) == [("collect", "S1", 3, "accepted")]
    at_store(shop, order_id, READY)
    settle(shop)
    at_store(shop, order_id, COLLECTED)
    settle(shop)
    assert balanced(shop, order_id) == {"ordered": 3, "delivered": 3}
    assert state(shop, order_id).state == "done"
    assert shop.read(lambda tx: tx.reservations.differences()) == []


def test_our_own_word_that_it_was_brought_to_the_store_is_enough(shop: Company) -> None:
    """A system of ours that counts nothing in says that it was delivered; what the store misses, it refuses."""
    sites(shop, S1="store", DC1="warehouse")
    put(shop, 0, "S1")
    put(shop, 9, "DC1")
    order_id = capture(shop, an_order("P1", 3, **PICK_UP))
    settle(shop)
    despatch(shop, our_order(shop, "P1.1"), 3)
    deliver(shop, our_order(shop, "P1.1"))
    settle(shop)
    assert told(shop, order_id) == [("collect", "S1", 3, "accepted")]
    receive(shop, our_order(shop, "P1.1"), "RA", 1, damaged=2)
    reject(shop, our_order(shop, "P1.2"))
    settle(shop)
    assert balanced(shop, order_id) == {"ordered": 3, "live": 3}
    assert told(shop, order_id) == [("to_collect", "DC1", 3, "accepted")]


def test_what_has_come_in_for_an_order_is_sold_to_nobody_else(shop: Company) -> None:
    sites(shop, S1="store", DC1="warehouse")
    put(shop, 0, "S1")
    put(shop, 2, "DC1")
    order_id = capture(shop, an_order("P1", 2, **PICK_UP))
    settle(shop)
    row = our_order(shop, "P1.1")
    despatch(shop, row, 2)
    receive(shop, row, "RA", 2)
    settle(shop)
    assert told(shop, order_id) == [("collect", "S1", 2, "accepted")]
    shop.clock.move(minutes=1)
    put(shop, 2, "S1")  # the store's system has booked it in
    put(shop, 0, "DC1")
    assert free(shop, "S1") == 0
    other = capture(shop, an_order("P2", 1, **PICK_UP))
    settle(shop)
    assert balanced(shop, other) == {"ordered": 1, "back_ordered": 1}


# --- sent from a store ------------------------------------------------------------------------------------------------


def test_it_is_sent_from_a_store(shop: Company) -> None:
    sites(shop, S1="store", DC1="warehouse")
    put(shop, 5, "S1")
    put(shop, 50, "DC1")
    kind = {"order_kind": CustomerOrderKind.SHIP_FROM_STORE}
    order_id = capture(shop, an_order("F1", 3, **kind))
    settle(shop)
    assert told(shop, order_id) == [("ship", "S1", 3, "accepted")]
    order = body(shop, our_order(shop, "F1.1"))
    assert order.header is not None
    assert [one.personal_key for one in order.header.parties if one.role is PartyRole.SHIP_TO] == ["k1"]
    # The shop assistant does not find two of them: they come from elsewhere.
    answer(shop, our_order(shop, "F1.1"), (ScheduleOutcome.ACCEPTED, 1), (ScheduleOutcome.REJECTED, 2))
    settle(shop)
    assert sorted(told(shop, order_id)) == [("ship", "DC1", 2, "accepted"), ("ship", "S1", 1, "accepted")]
    for number in ("F1.1", "F1.2"):
        row = our_order(shop, number)
        despatch(shop, row, 1 if number == "F1.1" else 2)
        deliver(shop, row)
    settle(shop)
    assert balanced(shop, order_id) == {"ordered": 3, "delivered": 3}


def test_a_store_without_stock_has_it_sent_home_from_elsewhere(shop: Company, meyer: Company) -> None:
    sites(shop, S1="store", DC1="warehouse")
    put(shop, 0, "S1")
    put(shop, 5, "DC1")
    kind = {"order_kind": CustomerOrderKind.SHIP_FROM_STORE, "channel": "store S1", "preferred_source": "S1"}
    order_id = capture(shop, an_order("F1", 5, **kind))
    settle(shop)
    assert told(shop, order_id) == [("ship", "DC1", 5, "accepted")]
    order = body(shop, our_order(shop, "F1.1"))
    assert order.header is not None
    assert [one.personal_key for one in order.header.parties if one.role is PartyRole.SHIP_TO] == ["k1"]
    # No site of ours has the next one.
    put(meyer, 9)
    connect(shop, meyer)
    another = capture(shop, an_order("F2", 5, **kind))
    settle(shop, meyer)
    assert [(p.partner_id, p.mode) for p in live(shop, another)] == [(meyer.id, "drop_ship")]


# --- over a dock ------------------------------------------------------------------------------------------------------


def over_the_dock(shop: Company, meyer: Company, quantity: int = 10) -> tuple[int, OrderRow]:
    put(meyer, 30)
    connect(shop, meyer)
    order_id = capture(shop, an_order("X1", quantity, **DOCK))
    settle(shop, meyer)
    row = received(meyer)
    accept(meyer, row)
    despatch(meyer, row, quantity)
    settle(shop, meyer)
    return order_id, row


def test_what_a_supplier_brings_to_our_dock_goes_on_to_the_customer(shop: Company, meyer: Company) -> None:
    sites(shop, DOCK="warehouse")
    order_id, row = over_the_dock(shop, meyer)
    order = body(meyer, row)
    assert (row.kind, row.customer_order) == ("STANDARD", "X1")
    assert order.header is not None
    (to,) = [one for one in order.header.parties if one.role is PartyRole.SHIP_TO]
    assert to.location == LocationRef(code="DOCK", owner=shop.id)
    stored = meyer.read(lambda tx: tx.documents.get(row.document_id))
    assert stored is not None
    assert not stored.personal  # the supplier does not learn who the customer is
    assert told(shop, order_id) == [("cross_dock", "DC1", 10, "despatched")]
    mine = our_order(shop, "X1.1")
    receive(shop, mine, "RA", 10)
    settle(shop, meyer)
    assert told(shop, order_id) == [("ship", "DOCK", 10, "accepted")]
    out = our_order(shop, "X1.2")
    order = body(shop, out)
    assert order.header is not None
    assert [one.personal_key for one in order.header.parties if one.role is PartyRole.SHIP_TO] == ["k1"]
    despatch(shop, out, 10)
    deliver(shop, out)
    settle(shop, meyer)
    assert balanced(shop, order_id) == {"ordered": 10, "delivered": 10}
    assert state(shop, order_id).state == "done"
    found = [piece for line in shown(shop, "X1")["lines"] for piece in line["pieces"]]
    assert [(p["mode"], p["state"], p["passed_on"], p["on_from"]) for p in found] == [
        ("cross_dock", "passed_on", "10", None),
        ("ship", "delivered", "0", found[0]["piece"]),
    ]


def test_what_arrives_short_or_damaged_at_the_dock_is_sourced_again(
    shop: Company, meyer: Company, braun: Company
) -> None:
    sites(shop, DOCK="warehouse")
    order_id, _ = over_the_dock(shop, meyer)
    put(braun, 30)
    connect(shop, braun)
    receive(shop, our_order(shop, "X1.1"), "RA", 6, damaged=3, short=1)
    settle(shop, meyer, braun)
    now = live(shop, order_id)
    assert sorted((p.mode, p.quantity // PIECE) for p in now) == [("cross_dock", 4), ("ship", 6)]
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}
    assert "spoilt" in events(shop, order_id)


def test_it_comes_to_the_dock_in_two_deliveries(shop: Company, meyer: Company) -> None:
    sites(shop, DOCK="warehouse")
    order_id, _ = over_the_dock(shop, meyer)
    mine = our_order(shop, "X1.1")
    receive(shop, mine, "RA1", 4)
    settle(shop, meyer)
    assert sorted(told(shop, order_id)) == [("cross_dock", "DC1", 6, "despatched"), ("ship", "DOCK", 4, "accepted")]
    receive(shop, mine, "RA2", 8)  # more than was ordered: the rest stays on the dock
    settle(shop, meyer)
    assert sorted(told(shop, order_id)) == [("ship", "DOCK", 4, "accepted"), ("ship", "DOCK", 6, "accepted")]
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}


def test_less_is_wanted_while_some_is_on_the_dock(shop: Company, meyer: Company) -> None:
    sites(shop, DOCK="warehouse")
    order_id, _ = over_the_dock(shop, meyer)
    receive(shop, our_order(shop, "X1.1"), "RA1", 4)
    settle(shop, meyer)
    want(shop, order_id, 2)
    settle(shop, meyer)
    # What lies on the dock can be kept there; what is on its way to it cannot be had back.
    assert balanced(shop, order_id) == {"ordered": 10, "cancelled": 4, "live": 6}


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


def test_a_failed_delivery_is_a_humans(shop: Company) -> None:
    order_id = failed(shop)
    assert state(shop, order_id).state == "human"
    assert "nobody was at home" in state(shop, order_id).reason
    assert "hansa order resend E1" in state(shop, order_id).reason
    assert balanced(shop, order_id) == {"ordered": 4, "live": 4}
    shop.clock.move(days=30)  # never taken as delivered
    shop.do(lambda tx, ctx: tx.customer_orders.wake([order_id], ctx.now_micros()))
    settle(shop)
    assert balanced(shop, order_id) == {"ordered": 4, "live": 4}
    (stuck,) = shop.read(lambda tx: customer_status.stuck(tx, shop.ctx))
    assert (stuck["waits_for"], stuck["number"]) == ("you", "E1")
    # The carrier tries again.
    status(shop, our_order(shop, "E1.1"), DeliveryEvent.DELIVERED, "F2")
    settle(shop)
    assert balanced(shop, order_id) == {"ordered": 4, "delivered": 4}
    assert state(shop, order_id).state == "done"


@pytest.mark.parametrize("cancel", [False, True])
def test_a_failed_delivery_is_given_up(shop: Company, cancel: bool) -> None:
    order_id = failed(shop)
    given = shop.do(failed_delivery.give_up, state(shop, order_id), cancel=cancel)
    assert given == {"1": 4 * PIECE}
    settle(shop)
    if cancel:
        assert balanced(shop, order_id) == {"ordered": 4, "cancelled": 4}
        assert state(shop, order_id).state == "cancelled"
    else:
        assert told(shop, order_id) == [("ship", "DC1", 4, "accepted")]
        assert our_order(shop, "E1.2").number == "E1.2"
    with pytest.raises(RefusedError, match="no delivery of customer order E1 has failed"):
        shop.do(failed_delivery.give_up, state(shop, order_id))
    # It arrives after all: a surplus, and nothing is counted twice.
    before = balanced(shop, order_id)
    status(shop, our_order(shop, "E1.1"), DeliveryEvent.DELIVERED, "F2")
    settle(shop)
    assert balanced(shop, order_id) == before


# --- events in odd order ----------------------------------------------------------------------------------------------


def test_delivered_before_it_was_despatched_and_twice(shop: Company, meyer: Company) -> None:
    put(meyer, 10)
    connect(shop, meyer)
    order_id = capture(shop, an_order("O1", 10))
    settle(shop, meyer)
    row = received(meyer)
    accept(meyer, row)
    deliver(meyer, row)
    settle(shop, meyer)
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}
    despatch(meyer, row, 10)
    settle(shop, meyer)
    assert balanced(shop, order_id) == {"ordered": 10, "delivered": 10}
    despatched = DocumentKey(issuer=meyer.id, type="DespatchAdvice", number=f"D-{row.number}")
    status(meyer, row, DeliveryEvent.DELIVERED, "AGAIN", despatch=despatched)
    settle(shop, meyer)
    assert balanced(shop, order_id) == {"ordered": 10, "delivered": 10}
    status(meyer, row, DeliveryEvent.RETURNED, "BACK", despatch=despatched)
    settle(shop, meyer)
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}
    assert state(shop, order_id).state == "human"


# --- by command -------------------------------------------------------------------------------------------------------


def test_people_at_the_store_say_it_by_command(shop: Company, capsys: pytest.CaptureFixture[str]) -> None:
    sites(shop, S1="store", DC1="warehouse")
    put(shop, 5, "S1")
    put(shop, 5, "DC1")
    desk = Desk(shop)
    order_id = capture(shop, an_order("P1", 3, **PICK_UP))
    settle(shop)
    assert desk.do("order.ready", order="P1")["event"] == "ready"
    settle(shop)
    desk.do("order.show", order="P1")
    text = capsys.readouterr().out
    assert "until 2026-05-11" in text
    assert "collect" in text
    said = desk.do("order.collected", order="P1", lines=[{"line": "1", "quantity": "4"}])
    assert [one["rule"] for one in said["findings"]] == ["over-collected"]
    assert "odd, but taken" in capsys.readouterr().err
    settle(shop)
    assert balanced(shop, order_id) == {"ordered": 3, "delivered": 3}
    other = capture(shop, an_order("P2", 2, **PICK_UP))
    settle(shop)
    desk.do("order.ready", order="P2")
    settle(shop)
    desk.do("order.not_collected", order="P2", lines=[{"line": "1", "quantity": "2"}], reason="moved away")
    settle(shop)
    assert balanced(shop, other) == {"ordered": 2, "cancelled": 2}
    failed(shop)
    capsys.readouterr()
    desk.do("orders.stuck")
    assert "hansa order resend E1" in capsys.readouterr().out.replace("\n", " ")
    assert desk.do("order.resend", order="E1", lines=["1"])["moved"] == [
        {"line_id": "1", "quantity": "4", "unit": "C62"}
    ]
    for name, wrong in (
        ("order.ready", {"order": "NO-SUCH"}),
        ("order.ready", {"order": "P2"}),
        ("order.collected", {"order": "P1", "lines": [{"line": "9", "quantity": "1"}]}),
        ("order.collected", {"order": "P1", "lines": [{"line": "1", "quantity": "-1"}]}),
        ("order.resend", {"order": "E1", "lines": ["9"]}),
    ):
        with pytest.raises(RefusedError):
            desk.do(name, **wrong)


def test_show_tells_the_way_of_goods_over_a_dock(
    shop: Company, meyer: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    sites(shop, DOCK="warehouse")
    over_the_dock(shop, meyer)
    desk = Desk(shop)
    desk.do("order.receive", order="X1.1", number="RA-1", lines=[{"line": "1", "quantity": "6"}])
    settle(shop, meyer)
    desk.do("order.show", order="X1")
    text = capsys.readouterr().out
    for words in ("cross dock", "6 passed on", "takes piece 1 on"):
        assert words in text, text


def test_what_is_brought_to_a_store_is_sent_there_and_not_to_the_customer(shop: Company, tmp_path: Path) -> None:
    """Freight is reckoned to the store; the customer may live anywhere."""
    near = SiteSettings(kind="warehouse", country="DE", postal_code="20457")
    far = SiteSettings(kind="warehouse", country="DE", postal_code="80331")
    store = SiteSettings(kind="store", country="DE", postal_code="80335", collect=True)
    table = tmp_path / "places.txt"
    rows = [("20457", "53.54", "9.99"), ("80331", "48.14", "11.57"), ("80335", "48.15", "11.55")]
    table.write_text("".join(f"DE\t{code}\tTown\t\t\t\t\t\t\t{lat}\t{lon}\t4\n" for code, lat, lon in rows))
    freight = replace(shop.ctx.settings.freight, cost_per_km=Decimal("0.1"), postal_codes=(str(table),))
    settings(shop, sites={"NORTH": near, "SOUTH": far, "S1": store}, freight=freight)
    put(shop, 0, "S1")
    put(shop, 5, "NORTH")
    put(shop, 5, "SOUTH")
    order_id = capture(shop, an_order("P1", 3, **PICK_UP))  # of somebody in Hamburg
    settle(shop)
    assert told(shop, order_id) == [("to_collect", "SOUTH", 3, "accepted")]


def test_what_was_sent_to_the_dock_long_ago_is_a_humans(shop: Company, meyer: Company) -> None:
    sites(shop, DOCK="warehouse")
    order_id, row = over_the_dock(shop, meyer)
    deliver(meyer, row)
    settle(shop, meyer)
    shop.clock.move(days=15)
    shop.do(lambda tx, ctx: tx.customer_orders.wake([order_id], ctx.now_micros()))
    settle(shop)
    assert state(shop, order_id).state == "human"
    assert "nobody has counted it in" in state(shop, order_id).reason
    receive(shop, our_order(shop, "X1.1"), "RA", 10)
    settle(shop)
    assert told(shop, order_id) == [("ship", "DOCK", 10, "accepted")]
    assert state(shop, order_id).state == "active"


def test_less_was_wanted_before_nobody_came(shop: Company) -> None:
    """The deadline holds after a change as well, and is looked at once."""
    sites(shop, S1="store")
    put(shop, 5, "S1")
    order_id = capture(shop, an_order("P1", 3, **PICK_UP))
    settle(shop)
    want(shop, order_id, 2)
    settle(shop)
    at_store(shop, order_id, READY)
    settle(shop)
    assert told(shop, order_id) == [("collect", "S1", 2, "ready")]
    shop.clock.move(days=8)
    settle(shop)
    assert balanced(shop, order_id) == {"ordered": 3, "cancelled": 3}


def test_a_parcel_that_is_ready_at_the_carriers_shop_is_still_on_its_way(shop: Company) -> None:
    put(shop, 5)
    order_id = capture(shop, an_order("H1", 3))
    settle(shop)
    status(shop, our_order(shop, "H1.1"), READY, "R1")
    settle(shop)
    assert told(shop, order_id) == [("ship", "DC1", 3, "accepted")]
