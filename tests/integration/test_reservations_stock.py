"""Holds and our own stock: the ERP's figures take over, safety stock and its own sales are kept back."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from node import wire
from node.app.stock import allocation, availability, ledger, reservations
from node.config import (
    PromisingSettings,
    ReservationSettings,
    SafetyRule,
    SharingRule,
    SharingSettings,
)
from node.core import link
from node.core.document.common import DocumentHeader, DocumentKey
from node.core.document.order import OrderResponse, ResponseOutcome
from node.errors import RefusedError
from tests.companies import Company, connect
from tests.integration import holding_pair
from tests.integration.holding_pair import (
    BEAR,
    PIECE,
    ask,
    despatch,
    figure_told,
    free,
    give,
    order,
    put,
    replace_issuer,
    settings,
    wanted,
)

buyer, seller, linked = holding_pair.buyer, holding_pair.seller, holding_pair.linked


def test_net_figures_take_over_what_the_erp_has_posted(buyer: Company, seller: Company) -> None:
    put(seller, "BEAR", 10, basis="NET")
    give(buyer, seller, order("PO-1", 4))
    put(seller, "BEAR", 10)  # told before the ERP has the order
    assert free(seller) == 6
    seller.clock.move(seconds=1)
    seller.do(allocation.posted, buyer.id, replace_issuer(order("PO-1", 4), buyer))
    assert free(seller) == 6
    seller.clock.move(seconds=1)
    put(seller, "BEAR", 6)
    assert free(seller) == 6


def test_gross_figures_take_over_what_has_left(buyer: Company, seller: Company) -> None:
    put(seller, "BEAR", 10, basis="GROSS")
    give(buyer, seller, order("PO-1", 4))
    seller.clock.move(seconds=1)
    put(seller, "BEAR", 10)
    assert free(seller) == 6
    give(seller, buyer, despatch("D-1", buyer, 3))
    assert free(seller) == 6
    seller.clock.move(seconds=1)
    put(seller, "BEAR", 7)
    assert free(seller) == 6
    give(seller, buyer, despatch("D-2", buyer, 1))
    seller.clock.move(seconds=1)
    put(seller, "BEAR", 6)
    assert free(seller) == 6
    (row,) = seller.read(lambda tx: tx.reservations.search(state="reflected"))
    assert row.held == 0


def test_what_is_rejected_is_free_again(buyer: Company, seller: Company) -> None:
    give(buyer, seller, order("PO-1", 4))
    assert free(seller) == 6
    key = DocumentKey(issuer=buyer.id, type="Order", number="PO-1")
    no = OrderResponse(header=DocumentHeader(number="R-1"), order=key, outcome=ResponseOutcome.REJECTED)
    give(seller, buyer, no)
    assert free(seller) == 10


def test_safety_stock_is_given_to_nobody(buyer: Company, seller: Company) -> None:
    settings(seller, reservations=ReservationSettings(safety_stock=Decimal(4)))
    assert figure_told(buyer, seller) == [6]
    (row,) = ask(buyer, seller, wanted(10))
    assert row.granted == 6 * PIECE


def test_a_safety_rule_keeps_back_what_it_names(buyer: Company, seller: Company) -> None:
    rules = (SafetyRule(item="BE*", location="DC1", quantity=Decimal(7)), SafetyRule(quantity=Decimal(9)))
    settings(seller, promising=PromisingSettings(safety=rules))
    assert figure_told(buyer, seller) == [3]
    (row,) = ask(buyer, seller, wanted(10))
    assert row.granted == 3 * PIECE
    assert figure_told(buyer, seller) == [0]


def test_what_the_erp_sells_itself_is_measured_and_kept_back(buyer: Company, seller: Company) -> None:
    settings(seller, reservations=ReservationSettings(exposure="measured"))
    put(seller, "BEAR", 10, basis="NET")
    for figure in (9, 6, 5):
        for company in (buyer, seller):
            company.clock.move(seconds=60)
        put(seller, "BEAR", figure)
    place = (f"no:{seller.id}:BEAR", "DC1")
    assert seller.do(reservations.exposure, *place) == 3 * PIECE
    assert figure_told(buyer, seller) == [2]
    (row,) = ask(buyer, seller, wanted(5))
    assert row.granted == 2 * PIECE
    seller.clock.move(days=2)
    assert seller.do(reservations.exposure, *place) == 0


@pytest.mark.parametrize(("figure", "told"), [("exact", 3 * PIECE), ("capped", 0), ("yes_no", 0)])
def test_what_the_erp_may_sell_at_once_is_told_with_exact_figures_only(
    buyer: Company, seller: Company, figure: str, told: int
) -> None:
    rule = SharingRule(figure=figure, cap=50)
    settings(
        seller,
        reservations=ReservationSettings(exposure="measured"),
        sharing=SharingSettings(rules=(rule,)),
    )
    for left in (9, 6):
        for company in (buyer, seller):
            company.clock.move(seconds=60)
        put(seller, "BEAR", left)
    connect(buyer, seller)
    key = f"no:{seller.id}:BEAR"
    (known,) = buyer.read(lambda tx: availability.figures(tx, buyer.ctx, [key]))
    assert (known.exposed, known.reserved, known.allocated) == (told, 0, 0)
    assert [row.exposed for row in buyer.read(lambda tx: tx.stock.figures([key]))] == [told]
    question = link.AvailabilityQuery(items=(BEAR,))
    live = seller.do(availability.answer, buyer.id, question)
    assert [line.exposed for line in live.lines] == [Decimal(3) if told else None]
    (ours,) = seller.read(lambda tx: availability.figures(tx, seller.ctx, ["BEAR"]))
    assert ours.exposed == 3 * PIECE


def test_our_own_stock_is_held_confirmed_and_never_twice(seller: Company) -> None:
    place = {"item_key": f"no:{seller.id}:BEAR", "location": "DC1"}
    until = wire.micros(seller.clock.now() + timedelta(hours=1))
    own: dict[str, Any] = {**place, "unit": "C62", "customer_order": "C-1", "piece_id": 1, "until": until}
    row = seller.do(reservations.reserve_own, quantity=7 * PIECE, **own)
    assert row is not None
    assert seller.do(reservations.reserve_own, quantity=4 * PIECE, **own) is None
    key = DocumentKey(issuer=seller.id, type="Order", number="C-1")
    for _ in range(2):
        assert seller.do(reservations.confirm, row.reservation_id, key).state == "confirmed"
    assert free(seller) == 3
    with pytest.raises(RefusedError, match="taken up"):
        seller.do(reservations.release, row.reservation_id)


def test_verify_finds_a_counter_that_is_not_the_sum(buyer: Company, seller: Company) -> None:
    ask(buyer, seller, wanted(5))
    key = f"no:{seller.id}:BEAR"
    counter = seller.read(lambda tx: tx.reservations.counters([key]))[0]
    seller.store.write(lambda tx: tx.reservations.put_counters([counter._replace(reserved=4 * PIECE)]))
    (found,) = seller.read(lambda tx: ledger.verify(tx))
    assert found[:4] == (key, "DC1", 4 * PIECE, 5 * PIECE)
