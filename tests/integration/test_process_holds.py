"""Holds of customer orders that wait, and orders that are wanted whole or not at all; on each engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from node.app.fulfilment.advancing import advance
from node.config.rules import RULES_FILE
from tests.companies import Company, connect
from tests.customers import (
    GTIN,
    PIECE,
    an_order,
    balanced,
    capture,
    despatch,
    pieces,
    put,
    received,
    reject,
    settings,
    settle,
    state,
    want,
    work,
)

pytestmark = pytest.mark.usefixtures("linked")
ITEM = f"gtin:{GTIN.zfill(14)}"


def reserved(company: Company) -> list[tuple[int, int]]:
    counters = company.read(lambda tx: tx.reservations.counters([ITEM]))
    return [(row.reserved // PIECE, row.allocated // PIECE) for row in counters]


def hold_up(company: Company, order_id: int) -> None:
    """A human must say yes before anything goes on."""

    def stop(tx: Any, ctx: Any) -> None:
        order = tx.customer_orders.get([order_id])[order_id]
        tx.customer_orders.put([order._replace(state="human", approved=0, reason="wait", next_at=ctx.now_micros())])

    company.do(stop)


def held_at(shop: Company, meyer: Company) -> int:
    """An order with four held at our own place and six at Meyer's, that a human keeps waiting."""
    put(shop, 4)
    put(meyer, 6)
    connect(shop, meyer)
    order_id = capture(shop, an_order())
    work(shop)
    hold_up(shop, order_id)
    for _ in range(3):
        connect(shop, meyer)
        work(shop)
    assert sorted((p.partner_id, p.state) for p in pieces(shop, order_id)) == [("", "held"), (meyer.id, "held")]
    return order_id


def go_on(company: Company, order_id: int) -> None:
    def approve(tx: Any, ctx: Any) -> None:
        order = tx.customer_orders.get([order_id])[order_id]
        tx.customer_orders.put([order._replace(state="captured", approved=2, next_at=ctx.now_micros())])

    company.do(approve)


def test_what_can_follow_at_once_does(shop: Company, meyer: Company, braun: Company) -> None:
    """One turn from captured to ordered, or to a partner that is asked; nobody looks again before there is news."""
    put(shop, 8)
    put(meyer, 10)
    connect(shop, meyer)
    ours, theirs = capture(shop, an_order(quantity=8)), capture(shop, an_order("C2", 5, customer="other"))
    assert advance(shop.store, shop.ctx).orders == 2
    assert [one.state for one in pieces(shop, ours)] == ["accepted"]
    assert reserved(shop) == [(0, 8)]
    assert [one.state for one in pieces(shop, theirs)] == ["holding"]
    assert advance(shop.store, shop.ctx).orders == 0


def test_holds_are_extended_while_an_order_waits(shop: Company, meyer: Company, braun: Company) -> None:
    order_id = held_at(shop, meyer)
    ends = {p.partner_id: p.next_at for p in pieces(shop, order_id)}
    for _ in range(3):
        for one in (shop, meyer):
            one.clock.move(minutes=48)
        work(shop)
        connect(shop, meyer)
        work(shop)
    later = {p.partner_id: (p.state, p.next_at) for p in pieces(shop, order_id)}
    for partner_id, (word, until) in later.items():
        assert word == "held"
        assert until is not None
        assert until > (ends[partner_id] or 0) + 90 * 60 * 1_000_000
    go_on(shop, order_id)
    settle(shop, meyer)
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}
    assert reserved(meyer) == [(0, 6)]


def test_a_hold_is_extended_no_further_than_the_partner_allows(shop: Company, meyer: Company, braun: Company) -> None:
    settings(meyer, reservations=replace(meyer.ctx.settings.reservations, extensions_max=1))
    order_id = held_at(shop, meyer)
    for _ in range(4):
        for one in (shop, meyer):
            one.clock.move(minutes=48)
        work(shop)
        connect(shop, meyer)
        work(shop)
    found = shop.read(lambda tx: tx.customer_orders.pieces([order_id]))
    assert sorted((p.partner_id, p.state) for p in found) == [("", "held"), (meyer.id, "released")]
    assert balanced(shop, order_id) == {"ordered": 10, "live": 4, "open": 6}
    events = [event.event for event in shop.read(lambda tx: tx.customer_orders.events(order_id))]
    assert events.count("extension_asked") == 2
    put(meyer, 6)
    connect(shop, meyer)
    go_on(shop, order_id)
    settle(shop, meyer)
    assert balanced(shop, order_id)["ordered"] == 10
    assert shop.read(lambda tx: tx.reservations.differences()) == []
    assert meyer.read(lambda tx: tx.reservations.differences()) == []


def test_what_a_hold_has_too_much_is_given_back_at_once(shop: Company, meyer: Company, braun: Company) -> None:
    order_id = held_at(shop, meyer)
    assert reserved(shop) == [(4, 0)]
    want(shop, order_id, 1)
    work(shop)
    assert reserved(shop) == [(1, 0)]
    other = capture(shop, an_order("C2", 3, customer="other"))
    settle(shop)
    assert balanced(shop, other) == {"ordered": 3, "live": 3}
    go_on(shop, order_id)
    settle(shop, meyer)
    assert balanced(shop, order_id) == {"ordered": 10, "cancelled": 9, "live": 1}
    assert reserved(shop) == [(0, 4)]


def test_what_a_partner_holds_too_much_is_given_back_at_once(shop: Company, meyer: Company, braun: Company) -> None:
    order_id = held_at(shop, meyer)
    assert reserved(meyer) == [(6, 0)]
    want(shop, order_id, 7)
    work(shop)
    kept = {p.partner_id: p.quantity // PIECE for p in pieces(shop, order_id)}
    assert sum(kept.values()) == 7
    (hold,) = shop.read(lambda tx: tx.reservations.search(role="requester"))
    assert (hold.state, hold.granted) == ("granted", kept[meyer.id] * PIECE)
    connect(shop, meyer)
    assert reserved(meyer) == [(kept[meyer.id], 0)]
    assert reserved(shop) == [(kept[""], 0)]
    go_on(shop, order_id)
    settle(shop, meyer)
    assert balanced(shop, order_id) == {"ordered": 10, "cancelled": 3, "live": 7}
    assert reserved(meyer) == [(0, kept[meyer.id])]
    assert meyer.read(lambda tx: tx.reservations.differences()) == []


def test_what_is_wanted_less_while_a_partner_is_asked_goes_back_with_its_answer(
    shop: Company, meyer: Company, braun: Company
) -> None:
    put(meyer, 10)
    connect(shop, meyer)
    order_id = capture(shop, an_order())
    work(shop)
    hold_up(shop, order_id)
    assert [p.state for p in pieces(shop, order_id)] == ["holding"]
    want(shop, order_id, 4)
    work(shop)
    connect(shop, meyer)
    work(shop)
    assert [(p.state, p.quantity // PIECE) for p in pieces(shop, order_id)] == [("held", 4)]
    assert reserved(meyer) == [(4, 0)]
    go_on(shop, order_id)
    settle(shop, meyer)
    assert balanced(shop, order_id) == {"ordered": 10, "cancelled": 6, "live": 4}
    assert reserved(meyer) == [(0, 4)]


# --- whole or not at all ----------------------------------------------------------------------------------------------

WHOLE = """
[[rules]]
name = "all"
otherwise = true
strategy = "whole"
[strategies.whole]
complete = true
on_failure = "{}"
"""


def ordered_whole(shop: Company, meyer: Company, home: Path, on_failure: str) -> int:
    """Four of our own and six of Meyer's, all ordered."""
    folder = home / "rules"
    folder.mkdir()
    (folder / RULES_FILE).write_text(WHOLE.format(on_failure))
    settings(shop, home=folder)
    put(shop, 4)
    put(meyer, 6)
    connect(shop, meyer)
    order_id = capture(shop, an_order())
    settle(shop, meyer)
    assert sorted((p.quantity // PIECE, p.state) for p in pieces(shop, order_id)) == [(4, "accepted"), (6, "ordered")]
    return order_id


def test_what_is_wanted_whole_waits_whole_when_a_part_is_rejected_later(
    shop: Company, meyer: Company, braun: Company, tmp_path: Path
) -> None:
    order_id = ordered_whole(shop, meyer, tmp_path, "back_order")
    put(meyer, 0)
    reject(meyer, received(meyer))
    settle(shop, meyer)
    assert balanced(shop, order_id) == {"ordered": 10, "back_ordered": 10}
    assert reserved(shop) in ([], [(0, 0)])
    # Too little brings nothing on its way; enough brings all of it.
    shop.clock.move(minutes=1)
    put(shop, 9)
    settle(shop, meyer)
    assert balanced(shop, order_id) == {"ordered": 10, "back_ordered": 10}
    shop.clock.move(minutes=1)
    put(shop, 10)
    settle(shop, meyer)
    assert balanced(shop, order_id) == {"ordered": 10, "live": 10}
    assert reserved(shop) == [(0, 10)]


def test_what_is_wanted_whole_is_cancelled_whole_by_rule(
    shop: Company, meyer: Company, braun: Company, tmp_path: Path
) -> None:
    order_id = ordered_whole(shop, meyer, tmp_path, "cancel")
    put(meyer, 0)
    reject(meyer, received(meyer))
    settle(shop, meyer)
    assert balanced(shop, order_id) == {"ordered": 10, "cancelled": 10}
    assert state(shop, order_id).state == "cancelled"
    assert reserved(shop) in ([], [(0, 0)])


def test_what_has_left_of_an_order_that_was_wanted_whole_comes(
    shop: Company, meyer: Company, braun: Company, tmp_path: Path
) -> None:
    order_id = ordered_whole(shop, meyer, tmp_path, "cancel")
    (own,) = shop.read(lambda tx: tx.orders.search(partner_id=shop.id))
    despatch(shop, own, 4)
    settle(shop, meyer)
    put(meyer, 0)
    reject(meyer, received(meyer))
    settle(shop, meyer)
    assert balanced(shop, order_id) == {"ordered": 10, "cancelled": 6, "live": 4}


def test_a_human_is_asked_by_rule_when_an_order_is_whole_no_more(
    shop: Company, meyer: Company, braun: Company, tmp_path: Path
) -> None:
    order_id = ordered_whole(shop, meyer, tmp_path, "human")
    put(meyer, 0)
    reject(meyer, received(meyer))
    settle(shop, meyer)
    assert state(shop, order_id).state == "human"
    assert balanced(shop, order_id) == {"ordered": 10, "live": 4, "open": 6}
