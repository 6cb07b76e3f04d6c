"""What people read of customers' orders, rules and notices: words, units and names instead of codes, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.core.problem_rows import ProblemRow
from tests.companies import Company
from tests.customers import an_order, capture, put, settle
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
