"""What people read of customers' orders, rules and notices: words, units and names instead of codes, and what to do."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from node.core.document.common import DocumentHeader, DocumentKey
from node.core.document.order import OrderResponse, ResponseOutcome
from node.core.problem_rows import ProblemRow
from tests.companies import Company, connect
from tests.customers import accept, an_order, capture, key, orchestration, put, received, say, settle, want
from tests.integration.test_cli_operations import Desk

NOWHERE = '[[rules]]\nname = "n"\notherwise = true\nstrategy = "n"\n[strategies.n]\nlocations = ["NOWHERE"]\n'
Captured = pytest.CaptureFixture[str]


def test_a_cost_has_its_currency_or_says_why_it_has_none(shop: Company, capsys: Captured) -> None:
    put(shop, 20)
    capture(shop, an_order("C1", 3))
    capture(shop, an_order("C2", 3, currency="", customer="other"))
    settle(shop)
    Desk(shop).do("order.why", order="C1")
    said = capsys.readouterr().out
    assert " EUR" in said.split("COST")[0]
    assert "part of the cheapest plan" in said
    for command in ({"name": "order.why", "order": "C2"}, {"name": "order.show", "order": "C2"}):
        Desk(shop).do(**command)
        assert "the order has no currency" in capsys.readouterr().out


def test_orders_are_told_in_words(shop: Company, capsys: Captured) -> None:
    put(shop, 4)
    capture(shop, an_order("C1", 10))
    settle(shop)
    desk = Desk(shop)
    desk.do("order.find")
    desk.do("order.show", order="C1")
    desk.do("orders.stuck")
    said = capsys.readouterr().out
    assert "pcs" in said
    assert "C62" not in said
    assert "T00:" not in said
    assert "nobody can send it now" in said


def test_less_that_a_partner_is_asked_for_is_told_until_it_answers(
    shop: Company, meyer: Company, braun: Company, linked: None, capsys: Captured
) -> None:
    put(meyer, 48)
    connect(shop, meyer)
    order_id = capture(shop, an_order(quantity=48))
    settle(shop, meyer)
    row = received(meyer)
    accept(meyer, row)
    settle(shop, meyer)
    desk, hours = Desk(shop), shop.ctx.settings.orchestration.order_answer_hours
    assert desk.do("orders.stuck")["waiting"] == []
    asked_at = shop.clock.now()
    want(shop, order_id, 10)
    settle(shop, meyer)
    capsys.readouterr()
    [piece] = desk.do("order.show", order="C1")["customer_orders"][0]["lines"][0]["pieces"]
    assert (piece["state"], piece["quantity"], piece["less_asked"]) == ("accepted", "48", "38")
    said = " ".join(capsys.readouterr().out.split())
    assert f"38 pcs less asked for, no answer since {asked_at:%Y-%m-%d %H:%M}" in said
    [told] = desk.do("orders.stuck")["waiting"]
    assert (told["waits_for"], told["what"]) == ("Meyer", "38 less is asked for, and not answered")
    assert told["until"] == (asked_at + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")
    asked = DocumentKey(issuer=shop.id, type="OrderChange", number=f"{row.number}-L1-1")
    yes = OrderResponse(
        header=DocumentHeader(number="YES"), order=key(row), outcome=ResponseOutcome.ACCEPTED, answers=asked
    )
    say(meyer, shop.id, yes)
    settle(shop, meyer)
    [piece] = desk.do("order.show", order="C1")["customer_orders"][0]["lines"][0]["pieces"]
    assert (piece["quantity"], piece["less_asked"], piece["less_asked_at"]) == ("10", "", "")
    assert desk.do("orders.stuck")["waiting"] == []


def test_what_waits_says_until_when(
    shop: Company, meyer: Company, braun: Company, linked: None, capsys: Captured
) -> None:
    desk, settings = Desk(shop), shop.ctx.settings.orchestration
    put(meyer, 10)
    connect(shop, meyer)
    capture(shop, an_order())
    settle(shop, meyer)
    now = shop.clock.now()
    [told] = desk.do("orders.stuck")["waiting"]
    assert (told["state"], told["waits_for"]) == ("ordered", "Meyer")
    due = now + timedelta(hours=settings.order_answer_hours)
    assert told["until"] == due.isoformat().replace("+00:00", "Z")
    assert f"{due:%Y-%m-%d %H:%M:%S}" in " ".join(capsys.readouterr().out.split())


def test_an_order_that_waits_for_others_of_its_customer_says_until_when(shop: Company, capsys: Captured) -> None:
    orchestration(shop, merge_minutes=10)
    put(shop, 20)
    desk, due = Desk(shop), shop.clock.now() + timedelta(minutes=10)
    capture(shop, an_order())
    waits = f"waits until {due:%H:%M} for more orders of the customer"
    [told] = desk.do("orders.stuck")["waiting"]
    assert (told["state"], told["waits_for"], told["what"]) == ("captured", "the customer", waits)
    assert told["until"] == due.isoformat().replace("+00:00", "Z")
    capsys.readouterr()
    desk.do("order.show", order="C1")
    assert f"captured: {waits}" in capsys.readouterr().out
    # Until the next day it says on which.
    orchestration(shop, merge_minutes=24 * 60)
    capture(shop, an_order("C2", customer="other"))
    due = shop.clock.now() + timedelta(days=1)
    assert f"waits until {due:%Y-%m-%d %H:%M} for" in desk.do("order.show", order="C2")["customer_orders"][0]["reason"]
    shop.clock.move(minutes=10)
    settle(shop)
    assert "captured" not in [one["state"] for one in desk.do("orders.stuck")["waiting"] if one["number"] == "C1"]


def test_rules_are_compared_by_order_numbers_and_names(shop: Company, tmp_path: Path, capsys: Captured) -> None:
    put(shop, 4)
    capture(shop, an_order("C1", 10))
    settle(shop)
    told = Desk(shop).do("rules.simulate", rules=NOWHERE, file="new.toml")
    assert {one["order"] for one in told["differences"]} == {"C1"}
    assert "4 from our own DC1" in capsys.readouterr().out


@pytest.mark.parametrize("kept", ["", '{"version":0}'])
def test_a_decision_is_told_when_its_problem_is_gone_or_another_versions(
    shop: Company, kept: str, capsys: Captured
) -> None:
    put(shop, 20)
    order_id = capture(shop, an_order("C1", 3))
    settle(shop)
    [decision] = shop.read(lambda tx: tx.customer_orders.decisions(order_id))
    shop.store.write(lambda tx: tx.problems.drop(shop.ctx.now_micros() + 1, 100))
    if kept:
        row = ProblemRow(decision.decision_id, shop.ctx.now_micros(), kept)
        shop.store.write(lambda tx: tx.problems.add([row]))
    Desk(shop).do("order.why", order="C1")
    said = capsys.readouterr().out
    assert "what else could have been chosen is kept no longer" in said
    assert "our own DC1" in said
    simulated = Desk(shop).do("rules.simulate", rules=NOWHERE, file="new.toml")
    assert simulated["orders"] == 0


def test_a_notice_names_who_was_told(shop: Company, meyer: Company, linked: None, capsys: Captured) -> None:
    put(shop, 4)
    sent = Desk(shop).do("disruption.send", kind="closure", partners=[meyer.id])
    assert sent["sent_to"] == [meyer.id]
    name = sent["names"][meyer.id]
    assert f"told to: {name}" in capsys.readouterr().err
