"""What people read of customers' orders, rules and notices: words, units and names instead of codes, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.companies import Company
from tests.customers import an_order, capture, put, settle
from tests.integration.test_cli_operations import Desk

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
    nothing = '[[rules]]\nname = "n"\notherwise = true\nstrategy = "n"\n[strategies.n]\nlocations = ["NOWHERE"]\n'
    told = Desk(shop).do("rules.simulate", rules=nothing, file="new.toml")
    assert {one["order"] for one in told["differences"]} == {"C1"}
    assert "4 from our own DC1" in capsys.readouterr().out


def test_a_notice_names_who_was_told(shop: Company, meyer: Company, linked: None, capsys: Captured) -> None:
    put(shop, 4)
    sent = Desk(shop).do("disruption.send", kind="closure", partners=[meyer.id])
    assert sent["sent_to"] == [meyer.id]
    name = sent["names"][meyer.id]
    assert f"told to: {name}" in capsys.readouterr().err
