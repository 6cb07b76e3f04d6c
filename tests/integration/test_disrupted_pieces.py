"""Pieces of customer orders under notices of disruption: told, sourced again where that is sooner, never sent twice."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from node.app.fulfilment import customer_status
from node.app.stock import disruptions
from node.core.document.common import (
    DateQualifier,
    DocumentHeader,
    DocumentKey,
    ItemRef,
    LocationRef,
    Period,
    QualifiedDate,
)
from node.core.document.disruption import DisruptionKind, DisruptionLine, DisruptionNotice
from node.core.document.order import OrderResponse, OrderResponseLine, ResponseOutcome, Schedule, ScheduleOutcome
from node.core.quantity import Quantity
from tests.companies import Company, connect
from tests.customers import (
    GTIN,
    PIECE,
    accept,
    an_order,
    balanced,
    capture,
    despatch,
    key,
    orchestration,
    pieces,
    put,
    received,
    say,
    settle,
    state,
    work,
)

TODAY = date(2026, 5, 4)
pytestmark = pytest.mark.usefixtures("linked")

NEED = (QualifiedDate(qualifier=DateQualifier.DELIVER, on=date(2026, 5, 8)),)


def warn(sender: Company, to: Company, number: str = "N1", kind: str = "DELAY", **line: Any) -> None:
    """A notice about the item, from now on; links carry it."""
    for one in (sender, to):
        one.clock.move(seconds=5)
    given: dict[str, Any] = {"line_id": "1", "item": ItemRef(gtin=GTIN), "days_late": 7 if kind == "DELAY" else 0}
    end = line.pop("end_on", None)
    notice = DisruptionNotice(
        header=DocumentHeader(number=number),
        kind=DisruptionKind(kind),
        period=Period(start_on=TODAY, end_on=end),
        lines=(DisruptionLine(**(given | line)),),
    )
    sender.do(disruptions.send, notice, [to.id])
    connect(sender, to)


def ordered_at(shop: Company, meyer: Company, quantity: int = 10) -> int:
    """An order that one supplier has accepted whole."""
    put(meyer, quantity)
    connect(shop, meyer)
    order_id = capture(shop, an_order(quantity=quantity, dates=NEED))
    settle(shop, meyer)
    accept(meyer, received(meyer))
    settle(shop, meyer)
    assert told(shop, order_id) == [(meyer.id, quantity, "accepted")]
    return order_id


def told(shop: Company, order_id: int) -> list[tuple[str, int, str]]:
    return sorted((row.partner_id, row.quantity // PIECE, row.state) for row in pieces(shop, order_id))


def events(shop: Company, order_id: int) -> list[str]:
    return [row.event for row in shop.read(lambda tx: tx.customer_orders.events(order_id))]


def test_a_delay_is_told_once_and_ends_with_the_notice(shop: Company, meyer: Company, braun: Company) -> None:
    order_id = ordered_at(shop, meyer)
    (before,) = pieces(shop, order_id)
    assert before.promised_on is not None
    warn(meyer, shop)
    settle(shop, meyer)
    (late,) = pieces(shop, order_id)
    assert late.promised_on is not None
    assert late.agreed_on == before.promised_on
    assert (date.fromisoformat(late.promised_on) - date.fromisoformat(before.promised_on)).days == 7
    assert late.notice == late.reason == "delay of 7 days"
    [line] = shop.read(lambda tx: customer_status.show(tx, shop.ctx, "C1"))[0]["lines"]
    for told in (line, line["pieces"][0]):
        assert told["agreed_on"] == before.promised_on
    assert (line["complete_on"], line["pieces"][0]["promised_on"]) == (late.promised_on, late.promised_on)
    # Nobody else has it: it stays where it is. The same news again changes nothing.
    assert late.state == "accepted"
    shop.do(wake, order_id)
    work(shop)
    assert events(shop, order_id).count("disrupted") == 1
    assert pieces(shop, order_id) == [late]
    # A correction replaces it, the end of it ends it.
    warn(meyer, shop, days_late=3)
    work(shop)
    (less,) = pieces(shop, order_id)
    assert less.promised_on is not None
    assert (date.fromisoformat(less.promised_on) - date.fromisoformat(before.promised_on)).days == 3
    meyer.do(disruptions.end, "N1")
    settle(shop, meyer)
    (again,) = pieces(shop, order_id)
    assert (again.promised_on, again.notice, again.agreed_on) == (before.promised_on, "", None)
    assert events(shop, order_id)[-1] == "as_agreed_again"
    [line] = shop.read(lambda tx: customer_status.show(tx, shop.ctx, "C1"))[0]["lines"]
    assert (line["agreed_on"], line["pieces"][0]["agreed_on"]) == (None, None)


def wake(tx: Any, ctx: Any, order_id: int) -> None:
    tx.customer_orders.wake([order_id], ctx.now_micros())


def test_what_comes_too_late_is_sourced_elsewhere_when_its_partner_agrees(
    shop: Company, meyer: Company, braun: Company
) -> None:
    order_id = ordered_at(shop, meyer)
    put(braun, 10)
    connect(shop, braun)
    warn(meyer, shop)
    work(shop)
    # Asked to do without it, and not sourced again before the partner has answered: nothing comes twice.
    assert told(shop, order_id) == [(meyer.id, 10, "cancelling")]
    settle(shop, braun)
    assert told(shop, order_id) == [(meyer.id, 10, "cancelling")]
    connect(shop, meyer)
    agree(meyer)
    settle(shop, meyer, braun)
    assert told(shop, order_id) == [(braun.id, 10, "ordered")]
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}


def test_a_partner_that_sends_it_all_the_same_is_not_asked_twice(shop: Company, meyer: Company, braun: Company) -> None:
    order_id = ordered_at(shop, meyer)
    put(braun, 10)
    connect(shop, braun)
    warn(meyer, shop)
    work(shop)
    despatch(meyer, received(meyer), 10)
    settle(shop, meyer, braun)
    assert told(shop, order_id) == [(meyer.id, 10, "despatched")]
    assert events(shop, order_id).count("cancel_asked") == 1
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}


def test_a_hold_is_released_and_what_is_short_sourced_elsewhere(shop: Company, meyer: Company, braun: Company) -> None:
    """Eight of ten are left: two are sourced elsewhere, and only these."""
    order_id = ordered_at(shop, meyer)
    put(braun, 10)
    connect(shop, braun)
    warn(meyer, shop, kind="SHORTAGE", quantity_left=Quantity(Decimal(8), "C62"))
    work(shop)
    assert [(row.quantity // PIECE, row.wanted // PIECE) for row in pieces(shop, order_id)] == [(10, 8)]
    connect(shop, meyer)
    agree(meyer)
    settle(shop, meyer, braun)
    assert told(shop, order_id) == [(meyer.id, 8, "accepted"), (braun.id, 2, "ordered")]
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}


def test_what_is_only_held_is_let_go_at_once(shop: Company, meyer: Company, braun: Company) -> None:
    put(shop, 4)
    put(meyer, 6)
    put(braun, 4)
    connect(shop, meyer)
    connect(shop, braun)
    order_id = capture(shop, an_order(quantity=14, dates=NEED))
    work(shop)
    connect(shop, meyer)
    work(shop)
    # One has granted, the other has not answered yet; then the first one closes the place.
    assert told(shop, order_id) == [("", 4, "held"), (meyer.id, 6, "held"), (braun.id, 4, "holding")]
    put(braun, 20)
    warn(meyer, shop, kind="CLOSURE", item=None, location=LocationRef(code="DC1"))
    settle(shop, meyer, braun)
    assert {(partner_id, state) for partner_id, _, state in told(shop, order_id)} == {
        ("", "accepted"),
        (braun.id, "ordered"),
    }
    assert balanced(shop, order_id) == {"ordered": 14, "live": 14}
    held = meyer.read(lambda tx: tx.reservations.search(role="grantor", which="open", limit=10))
    assert held == []


def test_by_the_settings_it_is_only_told(shop: Company, meyer: Company, braun: Company) -> None:
    orchestration(shop, on_disruption="tell")
    order_id = ordered_at(shop, meyer)
    put(braun, 10)
    connect(shop, braun)
    warn(meyer, shop, kind="CLOSURE", end_on=date(2026, 5, 20))
    settle(shop, meyer, braun)
    (row,) = pieces(shop, order_id)
    assert (row.state, row.promised_on, row.notice) == ("accepted", "2026-05-21", "closure until 2026-05-20")
    assert state(shop, order_id).state == "active"


def test_what_its_partner_confirmed_after_the_notice_counts(shop: Company, meyer: Company, braun: Company) -> None:
    put(meyer, 10)
    connect(shop, meyer)
    order_id = capture(shop, an_order(dates=NEED))
    settle(shop, meyer)
    warn(meyer, shop, kind="CLOSURE", end_on=date(2026, 5, 20))
    settle(shop, meyer)
    assert [row.promised_on for row in pieces(shop, order_id)] == ["2026-05-21"]
    for one in (shop, meyer):
        one.clock.move(seconds=5)
    row = received(meyer)
    dates = (QualifiedDate(qualifier=DateQualifier.DELIVER, on=date(2026, 5, 7)),)
    part = Schedule(
        schedule_id="1", quantity=Quantity(Decimal(10), "C62"), outcome=ScheduleOutcome.ACCEPTED, dates=dates
    )
    line = OrderResponseLine(line_id="1", item=ItemRef(gtin=GTIN), schedule=(part,))
    header = DocumentHeader(number="A1")
    say(meyer, shop.id, OrderResponse(header=header, order=key(row), outcome=ResponseOutcome.CHANGED, lines=(line,)))
    settle(shop, meyer)
    (piece,) = pieces(shop, order_id)
    assert (piece.notice, piece.promised_on, piece.state) == ("", "2026-05-07", "accepted")


def agree(company: Company) -> None:
    """The seller agrees to whatever it was asked for last."""
    (row,) = company.read(lambda tx: tx.orders.search(limit=1))
    last = [e for e in company.read(lambda tx: tx.orders.events([row.order_id])) if e.event.endswith("_requested")][-1]
    kind = "OrderCancellation" if last.event == "cancel_requested" else "OrderChange"
    say(company, row.partner_id, agreement(company, row, kind, last.reference))


def agreement(company: Company, row: Any, kind: str, number: str) -> Any:
    answers = DocumentKey(issuer=row.issuer, type=kind, number=number)
    header = DocumentHeader(number=f"AGREED-{number}")
    return OrderResponse(header=header, order=key(row), outcome=ResponseOutcome.ACCEPTED, answers=answers)
