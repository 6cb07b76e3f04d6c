"""When to ask for more: below the point, up to the level, in whole multiples, and for the same gap only once."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.document.replenishment import ReplenishmentRequest, ReplenishmentResponse, ReplenishmentResponseLine
from node.core.quantity import Quantity
from node.core.replenish import DEMAND_IDS_MAX, after_answer, after_arrival, request_lines
from node.core.rows import ReplenishmentRuleRow
from node.errors import RefusedError

MAKER = "0088:4012345000023"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
ONE = 1_000_000
PLACE = ("gtin:04006381333931", "DC1")


def rule(**rest: object) -> ReplenishmentRuleRow:
    values = {
        "item_key": PLACE[0],
        "location": "DC1",
        "partner_id": MAKER,
        "reorder_point": 20 * ONE,
        "order_up_to": 100 * ONE,
        "multiple": 12 * ONE,
        "unit": "C62",
        "gtin": "04006381333931",
        "seller_number": "M-1",
        "buyer_number": "CHEW-1",
        "requested": 0,
        "requested_at": None,
    }
    return ReplenishmentRuleRow(**(values | rest))  # type: ignore[arg-type]


def test_below_the_point_enough_is_asked_to_reach_the_level() -> None:
    (wanted,) = request_lines([rule()], {PLACE: 19 * ONE}, NOW, demand_ids={PLACE: ("a", "b", "a")})
    (line,) = wanted.lines
    assert wanted.partner_id == MAKER
    # 81 are missing: seven dozen.
    assert line.quantity == Quantity(Decimal(84), "C62")
    assert line.demand_ids == ("a", "b")
    assert (line.on_hand, line.reorder_point) == (Quantity(Decimal(19), "C62"), Quantity(Decimal(20), "C62"))
    assert wanted.rules[0].requested == 84 * ONE
    assert wanted.rules[0].requested_at == 1_777_636_800_000_000


def test_what_was_asked_for_is_not_asked_for_again() -> None:
    (wanted,) = request_lines([rule()], {PLACE: 19 * ONE}, NOW)
    assert request_lines(wanted.rules, {PLACE: 10 * ONE}, NOW) == []
    # Until even that is not enough.
    (more,) = request_lines(wanted.rules, {PLACE: -70 * ONE}, NOW)
    assert more.lines[0].quantity == Quantity(Decimal(96), "C62")
    assert more.lines[0].on_hand == Quantity(Decimal(0), "C62")


@pytest.mark.parametrize("stock", [20 * ONE, 50 * ONE, None])
def test_at_the_point_or_where_nothing_is_known_nothing_is_asked(stock: int | None) -> None:
    known = {} if stock is None else {PLACE: stock}
    assert request_lines([rule()], known, NOW) == []


def test_one_request_for_each_partner() -> None:
    rules = [rule(), rule(partner_id="0060:1"), rule(location="DC2", multiple=0)]
    stock = {PLACE: 0, (PLACE[0], "DC2"): 0}
    first, second = request_lines(rules, stock, NOW)
    assert [line.line_id for line in first.lines] == ["1", "2"]
    assert first.lines[1].quantity == Quantity(Decimal(100), "C62")
    assert [len(one.rules) for one in (first, second)] == [2, 1]


def test_demand_ids_are_bounded() -> None:
    ids = tuple(str(number) for number in range(DEMAND_IDS_MAX + 5))
    (wanted,) = request_lines([rule()], {PLACE: 0}, NOW, demand_ids={PLACE: ids})
    assert len(wanted.lines[0].demand_ids) == DEMAND_IDS_MAX


def test_what_the_partner_will_not_send_is_no_longer_awaited() -> None:
    (wanted,) = request_lines([rule()], {PLACE: 0}, NOW)
    request = ReplenishmentRequest(lines=wanted.lines)
    answers = (
        ReplenishmentResponseLine(line_id="1", request_line_id="1", quantity=Quantity(Decimal(60), "C62")),
        ReplenishmentResponseLine(line_id="2", request_line_id="1", quantity=Quantity(Decimal(1), "DZN")),
    )
    (changed,) = after_answer(request, ReplenishmentResponse(lines=answers), {PLACE: wanted.rules[0]})
    assert wanted.rules[0].requested == 108 * ONE
    assert changed.requested == 72 * ONE
    silent = ReplenishmentResponse()
    assert after_answer(request, silent, {PLACE: wanted.rules[0]}) == []


def test_what_has_arrived_is_stock() -> None:
    waiting = rule(requested=84 * ONE)
    assert after_arrival(waiting, Quantity(Decimal(2), "DZN")).requested == 60 * ONE
    assert after_arrival(waiting, Quantity(Decimal(100), "C62")).requested == 0
    with pytest.raises(RefusedError):
        after_arrival(waiting, Quantity(Decimal(1), "KGM"))


@given(st.integers(-100, 200), st.integers(0, 200), st.integers(0, 100), st.integers(0, 100), st.integers(0, 30))
def test_after_asking_the_position_is_at_the_level_and_no_multiple_beyond(
    stock: int, requested: int, point: int, level: int, multiple: int
) -> None:
    one = rule(reorder_point=point, order_up_to=level, multiple=multiple, requested=requested)
    wanted = request_lines([one], {PLACE: stock}, NOW)
    assert bool(wanted) == (stock + requested < point)
    if wanted:
        position = stock + wanted[0].rules[0].requested
        assert max(level, point) <= position < max(level, point) + max(1, multiple)
