"""Back orders that rules, rates or settings hinder are sourced again once these are mended: once for each change."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from node.app.fulfilment.mended import Mended
from node.config import parse
from node.runtime.orchestrator import Orchestrator
from tests.companies import Company
from tests.customers import an_order, balanced, capture, pieces, put, settle, state, work

EVERYWHERE = '[[rules]]\nname = "n"\notherwise = true\nstrategy = "n"\n[strategies.n]\n'
NOWHERE = EVERYWHERE + 'locations = ["NOWHERE"]\n'
RATES = """
currency = "EUR"
rates = "rates.csv"
[zones.near]
areas = [{areas}]
"""


@pytest.fixture
def home(shop: Company, tmp_path: Path) -> Path:
    shop.ctx = replace(shop.ctx, settings=replace(shop.ctx.settings, home=tmp_path))
    return tmp_path


def woken(shop: Company, mended: Mended) -> bool:
    """Whether anything was woken; all of it is worked through."""
    found = False
    while mended.wake(shop.store, shop.ctx):
        found = True
        work(shop)
    return found


def test_mended_rules_wake_what_they_hindered_once(shop: Company, home: Path) -> None:
    rules = home / "rules.toml"
    rules.write_text(NOWHERE)
    put(shop, 10)
    order_id = capture(shop, an_order())
    settle(shop)
    [piece] = pieces(shop, order_id)
    assert piece.state == "back_ordered"
    assert piece.reason
    mended = Mended()
    assert woken(shop, mended)  # a node that starts may have other settings
    sourced = state(shop, order_id).sourced
    for text in (NOWHERE, NOWHERE + "# nothing else\n", NOWHERE.replace('strategy = "n"', 'strategy = "m"')):
        rules.write_text(text)
        assert not woken(shop, mended)
    assert state(shop, order_id).sourced == sourced
    rules.write_text(EVERYWHERE)
    assert woken(shop, mended)
    assert not woken(shop, mended)
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}
    assert state(shop, order_id).state == "active"


def test_what_waits_for_supply_alone_is_not_woken(shop: Company, home: Path) -> None:
    put(shop, 0)
    order_id = capture(shop, an_order())
    settle(shop)
    before = state(shop, order_id)
    assert before.state == "waiting"
    assert not woken(shop, Mended())
    assert state(shop, order_id) == before


def test_mended_rates_wake_what_they_hindered(shop: Company, home: Path) -> None:
    table = home / "parcel.toml"
    (home / "rates.csv").write_text("service,zone,weight_to,price,transit_days\nstandard,near,31.5,4.90,2\n")
    table.write_text(RATES.format(areas='"FR"'))
    shop.ctx = replace(shop.ctx, settings=parse('[carriers."parcel"]\nfile = "parcel.toml"\n', home))
    put(shop, 10)
    order_id = capture(shop, an_order())
    settle(shop)
    assert balanced(shop, order_id) == {"ordered": 10, "back_ordered": 10}
    mended = Mended()
    assert woken(shop, mended)
    table.write_text("currency = EUR\n")
    assert not woken(shop, mended)
    table.write_text(RATES.format(areas='"FR", "DE"'))
    assert woken(shop, mended)
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}


def test_a_running_node_sources_again_when_rules_are_mended(shop: Company, home: Path) -> None:
    (home / "rules.toml").write_text(NOWHERE)
    put(shop, 10)
    order_id = capture(shop, an_order())
    settle(shop)
    looked = threading.Event()
    orders = Orchestrator(shop.store, shop.ctx, lambda _partners: None, looked.set)
    orders.start()
    try:
        assert looked.wait(30)  # it has looked again at its start
        (home / "rules.toml").write_text(EVERYWHERE)
        while state(shop, order_id).state != "active":
            looked.clear()
            orders.kick()
            assert looked.wait(30)
    finally:
        assert orders.stop(30)
