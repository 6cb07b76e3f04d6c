"""Goods that go over our own stores: collected there, brought there first, and sent from there."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from node.config.sites import SiteSettings
from node.core.document.common import DocumentKey, LocationRef, PartyRole
from node.core.document.customer import CustomerOrderKind
from node.core.document.fulfilment import (
    DeliveryEvent,
)
from node.core.document.order import ScheduleOutcome
from node.errors import RefusedError
from tests.companies import Company, connect
from tests.customers import (
    PIECE,
    an_order,
    answer,
    balanced,
    capture,
    deliver,
    despatch,
    orchestration,
    put,
    reject,
    settings,
    settle,
    state,
    want,
)
from tests.integration.own_sites import (
    COLLECTED,
    PICK_UP,
    READY,
    at_store,
    body,
    events,
    failed,
    free,
    live,
    our_order,
    receive,
    shown,
    sites,
    status,
    told,
)
from tests.integration.test_cli_operations import Desk

pytestmark = pytest.mark.usefixtures("linked")


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
