"""Kits: sourced by their components at one site, or whole where somebody has them whole; on each engine."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

import pytest

from node.app.fulfilment import customer_status
from node.app.operations.customer_orders import order_approve
from node.app.operations.registry import Host
from node.app.stock import prices, promising
from node.core.document.catalogue import CatalogueLine, ItemCatalogue, KitComponent
from node.core.document.common import DocumentHeader, ItemRef
from node.core.document.customer import CustomerLine, CustomerOrder
from node.core.fulfilment import balance
from node.core.quantity import Quantity
from tests.companies import Company, connect
from tests.customers import (
    GTIN,
    PIECE,
    an_order,
    balanced,
    capture,
    deliver,
    despatch,
    pieces,
    put,
    received,
    settle,
    state,
)
from tests.integration.test_process_choices import Alone

pytestmark = pytest.mark.usefixtures("linked")

LEG, TOP = "4012345000030", "4012345000047"
"""A table, whose GTIN is that of every order here, is made of four legs and a top."""


BENCH, SCREW, SET = "4012345000054", "4012345000061", "4012345000078"
"""A set is two tables, two benches and four screws; a bench is four legs, a top and eight screws."""


def catalogue(company: Company, made_of: dict[str, dict[str, int]] | None = None) -> None:
    """What our own catalogue says that kits are made of: a table, or these."""
    lines = []
    for kit, each in (made_of or {GTIN: {LEG: 4, TOP: 1}}).items():
        parts = tuple(
            KitComponent(item=ItemRef(gtin=gtin), quantity=Quantity(Decimal(many), "C62"))
            for gtin, many in each.items()
        )
        lines.append(CatalogueLine(line_id=kit, item=ItemRef(gtin=kit), base_unit="C62", components=parts))
    document = ItemCatalogue(header=DocumentHeader(number="K1"), lines=tuple(lines))
    company.do(lambda tx, ctx: prices.take_catalogues(tx, ctx, "", [document]))


SETS = {
    GTIN: {LEG: 4, TOP: 1},
    BENCH: {LEG: 4, TOP: 1, SCREW: 8},
    SET: {GTIN: 2, BENCH: 2, SCREW: 4},
}


def a_set(quantity: int, number: str = "C1") -> CustomerOrder:
    line = CustomerLine(line_id="1", item=ItemRef(gtin=SET), quantity=Quantity(Decimal(quantity), "C62"))
    return an_order(number, lines=(line,))


def components(company: Company, order_id: int) -> dict[str, int]:
    """What the pieces that live come to, by item."""
    items = {line.line_id: line.gtin for line in company.read(lambda tx: tx.customer_orders.lines([order_id]))}
    found: dict[str, int] = {}
    for piece in pieces(company, order_id):
        found[items[piece.line_id]] = found.get(items[piece.line_id], 0) + piece.quantity // PIECE
    return found


def accounts(company: Company, order_id: int) -> dict[str, dict[str, int]]:
    """The account of each line, in whole numbers; each must fit."""
    lines = company.read(lambda tx: tx.customer_orders.lines([order_id]))
    rows = company.read(lambda tx: tx.customer_orders.pieces([order_id]))
    found = {}
    for line in lines:
        sums = balance(line, rows, lines)
        assert min(sums.values()) >= 0, sums
        assert sums["ordered"] == sum(sums[n] for n in ("cancelled", "delivered", "back_ordered", "live", "open"))
        found[line.line_id] = {name: count // PIECE for name, count in sums.items() if count}
    return found


def where(company: Company, order_id: int) -> list[tuple[str, str, str, int]]:
    found = [(p.line_id, p.partner_id, p.location, p.quantity // PIECE) for p in pieces(company, order_id)]
    return sorted(found)


def test_a_kit_comes_as_its_components_from_one_site(shop: Company, meyer: Company, braun: Company) -> None:
    catalogue(shop)
    put(shop, 100, "A", LEG)
    put(shop, 8, "B", LEG)
    put(shop, 2, "B", TOP)
    order_id = capture(shop, an_order(quantity=2))
    settle(shop)
    # There are legs enough at A, but no top: both come from B.
    assert where(shop, order_id) == [("1/1.1", "", "B", 8), ("1/1.2", "", "B", 2)]
    assert accounts(shop, order_id)["1"] == {"ordered": 2, "live": 2}
    (row,) = shop.read(lambda tx: tx.orders.search(partner_id=shop.id))
    despatch(shop, row, 8)
    deliver(shop, row)
    settle(shop)
    # The legs are there, the tops are not: no table is.
    assert accounts(shop, order_id) == {
        "1": {"ordered": 2, "live": 2},
        "1/1.1": {"ordered": 8, "delivered": 8},
        "1/1.2": {"ordered": 2, "live": 2},
    }
    (shown,) = shop.read(lambda tx: customer_status.show(tx, shop.ctx, "C1"))
    assert [(line["line_id"], line["delivered"], line["under_way"]) for line in shown["lines"]] == [
        ("1", "0", "2"),
        ("1/1.1", "8", "0"),
        ("1/1.2", "0", "2"),
    ]
    assert shop.read(lambda tx: tx.reservations.differences()) == []


def test_a_partner_sells_the_kit_whole(shop: Company, meyer: Company, braun: Company) -> None:
    catalogue(shop)
    put(meyer, 3)
    connect(shop, meyer)
    put(shop, 8, "B", LEG)
    put(shop, 2, "B", TOP)
    order_id = capture(shop, an_order(quantity=5))
    settle(shop, meyer)
    assert where(shop, order_id) == [("1", meyer.id, "DC1", 3), ("1/1.1", "", "B", 8), ("1/1.2", "", "B", 2)]
    assert accounts(shop, order_id)["1"] == {"ordered": 5, "live": 5}
    assert received(meyer).kind == "DROP_SHIP"


def test_kits_wait_for_the_component_that_is_missing(shop: Company, meyer: Company, braun: Company) -> None:
    catalogue(shop)
    put(shop, 12, "B", LEG)
    put(shop, 1, "B", TOP)
    order_id = capture(shop, an_order(quantity=3))
    settle(shop)
    assert accounts(shop, order_id)["1"] == {"ordered": 3, "live": 1, "back_ordered": 2}
    shop.clock.move(minutes=1)
    put(shop, 3, "B", TOP)
    settle(shop)
    assert accounts(shop, order_id)["1"] == {"ordered": 3, "live": 3}
    assert sum(count for line, _, _, count in where(shop, order_id) if line.endswith(".1")) == 12


def test_fewer_kits_are_wanted(shop: Company, meyer: Company, braun: Company) -> None:
    catalogue(shop)
    put(shop, 12, "B", LEG)
    put(shop, 3, "B", TOP)
    order_id = capture(shop, an_order(quantity=3))
    settle(shop)

    def less(tx: Any, ctx: Any) -> None:
        line = next(one for one in tx.customer_orders.lines([order_id]) if not one.parent_line)
        tx.customer_orders.put_lines([line._replace(cancel_asked=2 * PIECE)])
        tx.customer_orders.wake([order_id], ctx.now_micros())

    shop.do(less)
    settle(shop)
    assert accounts(shop, order_id) == {
        "1": {"ordered": 3, "cancelled": 2, "live": 1},
        "1/1.1": {"ordered": 12, "cancelled": 8, "live": 4},
        "1/1.2": {"ordered": 3, "cancelled": 2, "live": 1},
    }


# --- kits within kits -------------------------------------------------------------------------------------------------


def test_a_kit_of_kits_comes_by_its_components_at_the_bottom(shop: Company, meyer: Company, braun: Company) -> None:
    catalogue(shop, SETS)
    put(shop, 3, "B", BENCH)
    put(shop, 100, "B", LEG)
    put(shop, 100, "B", TOP)
    put(shop, 100, "B", SCREW)
    promised = shop.read(lambda tx: promising.promise(tx, shop.ctx, SET, Decimal(99), shop.clock.now().date())).promise
    assert promised.by_then == 6  # by its screws, of which three benches need no more
    order_id = capture(shop, a_set(3))
    settle(shop)
    # Benches as far as there are any, then what they are made of; no table is there whole.
    assert components(shop, order_id) == {BENCH: 3, LEG: 36, TOP: 9, SCREW: 36}
    assert {place for _, _, place, _ in where(shop, order_id)} == {"B"}
    assert accounts(shop, order_id)["1"] == {"ordered": 3, "live": 3}
    assert shop.read(lambda tx: tx.reservations.differences()) == []


def test_a_component_of_a_kit_within_a_kit_is_waited_for(shop: Company, meyer: Company, braun: Company) -> None:
    catalogue(shop, SETS)
    put(shop, 100, "B", LEG)
    put(shop, 6, "B", TOP)
    put(shop, 100, "B", SCREW)
    order_id = capture(shop, a_set(2))
    settle(shop)
    assert accounts(shop, order_id)["1"] == {"ordered": 2, "live": 1, "back_ordered": 1}
    assert state(shop, order_id).state == "active"
    shop.clock.move(minutes=1)
    put(shop, 8, "B", TOP)
    settle(shop)
    assert accounts(shop, order_id)["1"] == {"ordered": 2, "live": 2}
    assert components(shop, order_id) == {LEG: 32, TOP: 8, SCREW: 40}


def test_fewer_kits_of_kits_are_wanted(shop: Company, meyer: Company, braun: Company) -> None:
    catalogue(shop, SETS)
    put(shop, 2, "B", BENCH)
    for gtin in (LEG, TOP, SCREW):
        put(shop, 100, "B", gtin)
    order_id = capture(shop, a_set(3))
    settle(shop)
    assert components(shop, order_id)[BENCH] == 2

    def less(tx: Any, ctx: Any) -> None:
        line = next(one for one in tx.customer_orders.lines([order_id]) if not one.parent_line)
        tx.customer_orders.put_lines([line._replace(cancel_asked=2 * PIECE)])
        tx.customer_orders.wake([order_id], ctx.now_micros())

    shop.do(less)
    settle(shop)
    assert accounts(shop, order_id)["1"] == {"ordered": 3, "cancelled": 2, "live": 1}
    # Whole benches stay with the set that was made with them.
    assert components(shop, order_id) == {BENCH: 2, LEG: 8, TOP: 2, SCREW: 4}
    assert shop.read(lambda tx: tx.reservations.differences()) == []


def test_a_kit_of_itself_waits_for_a_human(shop: Company, meyer: Company, braun: Company) -> None:
    catalogue(shop, {GTIN: {LEG: 4, BENCH: 1}, BENCH: {GTIN: 1, TOP: 1}})
    put(shop, 1)
    put(shop, 100, "B", LEG)
    put(shop, 100, "B", TOP)
    told = shop.read(lambda tx: promising.promise(tx, shop.ctx, GTIN, Decimal(9), shop.clock.now().date()))
    assert told.promise.by_then == 1
    assert [one.rule for one in told.findings] == ["kit-circle"]
    whole = capture(shop, an_order("C0", quantity=1))
    settle(shop)
    assert balanced(shop, whole) == {"ordered": 1, "live": 1}  # it is there: nothing need be made
    order_id = capture(shop, an_order(quantity=2))
    settle(shop)
    assert (state(shop, order_id).state, balanced(shop, order_id)) == ("human", {"ordered": 2, "open": 2})
    (waits,) = [one for one in shop.read(lambda tx: customer_status.stuck(tx, shop.ctx)) if one["number"] == "C1"]
    assert "a kit is made of itself" in waits["what"]
    assert "kit-circle" in [one.event for one in shop.read(lambda tx: tx.customer_orders.events(order_id))]
    # The catalogue is mended, and a human lets the order go on.
    catalogue(shop, {GTIN: {LEG: 4, TOP: 1}, BENCH: {LEG: 4, TOP: 1}})
    order_approve(cast("Host", Alone(shop)), order="C1")
    settle(shop)
    assert components(shop, order_id) == {LEG: 8, TOP: 2}


def test_a_channels_own_components_may_be_kits(shop: Company, meyer: Company, braun: Company) -> None:
    catalogue(shop)
    put(shop, 20, "B", LEG)
    put(shop, 5, "B", TOP)
    put(shop, 5, "B", SCREW)
    lines = [("1", SET, 2, ""), ("2", GTIN, 2, "1"), ("3", SCREW, 4, "1")]
    made = tuple(
        CustomerLine(line_id=name, item=ItemRef(gtin=gtin), quantity=Quantity(Decimal(many), "C62"), parent_line=parent)
        for name, gtin, many, parent in lines
    )
    order_id = capture(shop, an_order(lines=made))
    settle(shop)
    assert components(shop, order_id) == {LEG: 8, TOP: 2, SCREW: 4}
    found = accounts(shop, order_id)
    assert (found["1"], found["2"]) == ({"ordered": 2, "live": 2}, {"ordered": 2, "live": 2})
