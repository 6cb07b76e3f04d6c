"""Faults that a review found: stock, replenishment, sharing and usage. Each failed before the repair."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from node.app.links import partners
from node.app.stock import inventory, ledger, replenishment
from node.config import (
    ReplenishmentRule,
    ReplenishmentSettings,
    SharingRule,
    SharingSettings,
)
from tests.companies import Company, connect, deliver, swap
from tests.integration import exchange_pair
from tests.integration.exchange_pair import PIECE, give, order, settings, states, stock

buyer, seller, linked = exchange_pair.buyer, exchange_pair.seller, exchange_pair.linked


def test_arrivals_are_counted_place_by_place(seller: Company, buyer: Company) -> None:
    rules = tuple(
        ReplenishmentRule(
            item="BEAR", partner=buyer.id, location=place, reorder_point=Decimal(20), order_up_to=Decimal(100)
        )
        for place in ("DC1", "DC2")
    )
    settings(seller, replenishment=ReplenishmentSettings(rules=rules))
    seller.do(replenishment.load_rules)
    held = {"DC1": 100, "DC2": 10}
    seller.do(inventory.put_own, [stock(seller, "BEAR", count, place) for place, count in held.items()])
    key = f"no:{seller.id}:BEAR"
    seller.do(replenishment.check_items, {key: []})

    def requested() -> list[int]:
        return [rule.requested // PIECE for rule in seller.read(lambda tx: tx.stock.rules([key]))]

    assert requested() == [0, 90]
    before = seller.read(replenishment.awaited, [key])
    seller.do(inventory.put_own, [stock(seller, "BEAR", count, place) for place, count in held.items()])
    seller.store.write(lambda tx: replenishment.arrived(tx, before))  # the same figures again: nothing has come
    assert requested() == [0, 90]
    before = seller.read(replenishment.awaited, [key])
    seller.do(inventory.put_own, [stock(seller, "BEAR", 40, "DC2")])
    seller.store.write(lambda tx: replenishment.arrived(tx, before))
    assert requested() == [0, 60]


def test_a_revised_order_draws_only_the_difference(seller: Company, buyer: Company) -> None:
    seller.do(inventory.put_own, [stock(seller, "BEAR", 50)])
    for quantity, left in ((10, 40), (12, 38), (5, 45)):
        give(buyer, seller, order(buyer, seller, "PO-1", quantity))
        connect(buyer, seller)
        figures = seller.read(lambda tx: ledger.net(tx, tx.stock.figures([f"no:{seller.id}:BEAR"])))
        assert [row.available for row in figures] == [left * PIECE]


def test_test_orders_move_no_stock_once_a_link_is_live(seller: Company, buyer: Company, tmp_path: Path) -> None:
    third = Company(tmp_path, "Spielkiste")
    swap(third, seller)
    connect(third, seller)
    for one, other in ((third, seller), (seller, third)):
        one.do(partners.go_live, other.id)
    connect(third, seller)
    seller.do(inventory.put_own, [stock(seller, "BEAR", 50)])
    give(buyer, seller, order(buyer, seller, "PO-1", 10))
    connect(buyer, seller)
    figures = seller.read(lambda tx: ledger.net(tx, tx.stock.figures([f"no:{seller.id}:BEAR"])))
    assert [row.available for row in figures] == [50 * PIECE]
    give(third, seller, order(third, seller, "PO-1", 10))
    connect(third, seller)
    figures = seller.read(lambda tx: ledger.net(tx, tx.stock.figures([f"no:{seller.id}:BEAR"])))
    assert [row.available for row in figures] == [40 * PIECE]


def test_a_rule_taken_out_of_the_settings_asks_for_nothing(seller: Company, buyer: Company) -> None:
    rule = ReplenishmentRule(item="BEAR", partner=buyer.id, reorder_point=Decimal(20), order_up_to=Decimal(100))
    settings(seller, replenishment=ReplenishmentSettings(rules=(rule,)))
    seller.do(replenishment.load_rules)
    settings(seller, replenishment=ReplenishmentSettings())
    seller.do(replenishment.load_rules)
    seller.do(inventory.put_own, [stock(seller, "BEAR", 1)])
    assert seller.do(replenishment.check_items, {f"no:{seller.id}:BEAR": []}) == set()
    settings(seller, replenishment=ReplenishmentSettings(rules=(rule,)))
    seller.do(replenishment.load_rules)
    assert seller.do(replenishment.check_items, {f"no:{seller.id}:BEAR": []}) == {buyer.id}


def test_a_rule_in_a_unit_that_does_not_convert_stops_no_order(seller: Company, buyer: Company) -> None:
    rule = ReplenishmentRule(
        item="BEAR", partner=buyer.id, reorder_point=Decimal(20), order_up_to=Decimal(100), unit="KGM"
    )
    settings(seller, replenishment=ReplenishmentSettings(rules=(rule,)))
    seller.do(replenishment.load_rules)
    seller.do(inventory.put_own, [stock(seller, "BEAR", 1)])
    give(buyer, seller, order(buyer, seller, "PO-1"))
    connect(buyer, seller)
    assert states(seller, "in") == ["taken"]


# --- sharing and usage ------------------------------------------------------------------------------------------------


def test_figures_of_the_test_do_not_count_once_the_link_is_live(seller: Company, buyer: Company) -> None:
    settings(seller, sharing=SharingSettings(rules=(SharingRule(figure="exact"),)))
    seller.do(inventory.put_own, [stock(seller, "BEAR", 5)])
    connect(seller, buyer)
    assert buyer.read(lambda tx: tx.stock.count(seller.id)) == 1
    seller.do(partners.go_live, buyer.id)
    deliver(seller, buyer)
    buyer.do(partners.go_live, seller.id)
    assert buyer.read(lambda tx: tx.stock.count(seller.id)) == 0
    connect(seller, buyer)
    assert buyer.read(lambda tx: tx.stock.count(seller.id)) == 1


def test_other_sharing_rules_are_told_anew(seller: Company, buyer: Company) -> None:
    settings(seller, sharing=SharingSettings(rules=(SharingRule(figure="exact"),)))
    seller.do(inventory.sharing_may_have_changed)
    seller.do(inventory.put_own, [stock(seller, "BEAR", 5), stock(seller, "HARE", 5)])
    connect(seller, buyer)
    assert seller.do(inventory.sharing_may_have_changed) == []
    hidden = SharingRule(item="HARE", figure="hidden")
    settings(seller, sharing=SharingSettings(rules=(hidden, SharingRule(figure="exact"))))
    assert seller.do(inventory.sharing_may_have_changed) == [buyer.id]
    connect(seller, buyer)
    assert buyer.read(lambda tx: tx.stock.count(seller.id)) == 1
