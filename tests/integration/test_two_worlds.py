"""A link in test and the same link live are two worlds: what was numbered, ordered and taken up in test counts no more.

Both companies' books are compared, on both engines.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from node import wire
from node.app.documents import orders
from node.app.documents.submit import Submission, Submitted, submit
from node.app.links import exchange, partners
from node.app.stock import ledger
from node.config import SharingRule, SharingSettings
from node.errors import RefusedError
from tests.companies import Company, connect, swap
from tests.integration.holding_pair import ask, free, put, wanted
from tests.integration.test_confirmation import Desk, agree


@pytest.fixture
def buyer(tmp_path: Path, store_url: str) -> Company:
    return Company(tmp_path / "b", "Buyer", url=store_url)


@pytest.fixture
def seller(tmp_path: Path, buyer: Company) -> Company:
    made = Company(tmp_path / "s", "Seller")
    swap(buyer, made)
    connect(buyer, made)
    return made


def go_live(one: Company, other: Company) -> None:
    one.do(partners.go_live, other.id)
    other.do(partners.go_live, one.id)
    connect(one, other)
    assert one.partner(other).usage == other.partner(one).usage == "PRODUCTION"


def order(quantity: str = "10", number: str = "PO1") -> dict[str, Any]:
    return {
        "header": {"number": number},
        "currency": "EUR",
        "lines": [
            {
                "line_id": "1",
                "item": {"seller_number": "BEAR"},
                "quantity": {"value": quantity, "unit": "C62"},
                "price": {"amount": {"amount": "2.50", "currency": "EUR"}},
            }
        ],
    }


def give(sender: Company, receiver: Company, kind: str, fields: dict[str, Any]) -> Submitted:
    (done,) = sender.do(submit, receiver.id, [Submission(wire.from_fields(kind, fields))])
    connect(sender, receiver)
    return done


def told(company: Company, number: str = "PO1") -> dict[str, dict[str, Any]]:
    """The orders of this number by usage."""
    found = company.do(orders.show, number)
    assert len({one["usage"] for one in found}) == len(found)
    return {one["usage"]: one for one in found}


def in_state(company: Company, kind: str, direction: str) -> list[tuple[str, str, int]]:
    rows = company.read(lambda tx: tx.documents.search(type=kind, direction=direction, limit=100))
    return [(row.usage, row.state, row.revision) for row in reversed(rows)]


def test_a_number_used_in_test_is_a_new_order_when_it_counts(buyer: Company, seller: Company) -> None:
    give(buyer, seller, "Order", order("10"))
    give(buyer, seller, "Order", order("11"))
    Desk(seller).do("order.respond", order="PO1", number="R1", accept=True)
    connect(seller, buyer)
    go_live(buyer, seller)
    # The very content of the test, and other content: neither repeats or revises what was tested.
    assert give(buyer, seller, "Order", order("11")).state == "waiting"
    assert give(buyer, seller, "Order", order("11")).state == "duplicate"
    tested = [("TEST", "taken", 0), ("TEST", "taken", 1)]
    for company, direction in ((buyer, "out"), (seller, "in")):
        assert in_state(company, "Order", direction) == [*tested, ("PRODUCTION", "taken", 0)]
        found = told(company)
        assert [(found[usage]["status"], found[usage]["revision"]) for usage in ("TEST", "PRODUCTION")] == [
            ("accepted", 1),
            ("ordered", 0),
        ]
        assert found["PRODUCTION"]["lines"][0]["ordered"] == "11"
    Desk(seller).do("order.respond", order="PO1", number="R1", reject=True, reason="sold out")
    connect(seller, buyer)
    for company in (buyer, seller):
        found = told(company)
        assert (found["TEST"]["status"], found["PRODUCTION"]["status"]) == ("accepted", "rejected")
    assert give(buyer, seller, "Order", order("12")).state == "waiting"
    assert {usage: one["revision"] for usage, one in told(seller).items()} == {"TEST": 1, "PRODUCTION": 1}


def test_a_tested_invoice_number_is_free_and_stands_once(buyer: Company, seller: Company) -> None:
    for after in (False, True):
        if after:
            go_live(buyer, seller)
        give(buyer, seller, "Order", order("10"))
        desk = Desk(seller)
        desk.do("order.despatch", order="PO1", number="D1")
        sent = desk.do("order.invoice", order="PO1", number="INV1", tax=Decimal(19))
        assert sent["state"] == "waiting"
        connect(seller, buyer)
    assert in_state(buyer, "Invoice", "in") == [("TEST", "taken", 0), ("PRODUCTION", "taken", 0)]
    for company in (buyer, seller):
        for one in told(company).values():
            assert (one["lines"][0]["despatched"], one["lines"][0]["invoiced"]) == ("10", "10")


def test_what_is_about_a_test_order_never_reaches_a_productive_one(buyer: Company, seller: Company) -> None:
    give(buyer, seller, "Order", order())
    go_live(buyer, seller)
    with pytest.raises(RefusedError) as caught:
        Desk(seller).do("order.despatch", order="PO1", number="D1")
    assert caught.value.code == "unknown-order"
    given = order()
    given["header"]["usage"] = "TEST"
    assert [one.rule for one in give(buyer, seller, "Order", given).findings] == ["usage"]
    assert in_state(seller, "Order", "in") == [("TEST", "taken", 0)]


def test_a_document_held_in_test_keeps_no_productive_one_waiting(buyer: Company, seller: Company) -> None:
    agree(seller, buyer, credit_limit="20 EUR")
    give(buyer, seller, "Order", order("10"))
    agree(seller, buyer)
    go_live(buyer, seller)
    give(buyer, seller, "Order", order("4"))
    assert in_state(seller, "Order", "in") == [("TEST", "held", 0), ("PRODUCTION", "taken", 0)]
    held = seller.read(lambda tx: tx.documents.search(state="held"))[0]
    seller.do(exchange.resolve_held, held.document_id, take=True, reason="")
    assert {usage: one["lines"][0]["ordered"] for usage, one in told(seller).items()} == {
        "TEST": "10",
        "PRODUCTION": "4",
    }


def test_tests_use_up_no_credit(buyer: Company, seller: Company) -> None:
    agree(seller, buyer, credit_limit="60 EUR")
    give(buyer, seller, "Order", order("20"))
    go_live(buyer, seller)
    give(buyer, seller, "Order", order("20"))
    give(buyer, seller, "Order", order("20", "PO2"))
    assert in_state(seller, "Order", "in") == [
        ("TEST", "taken", 0),
        ("PRODUCTION", "taken", 0),
        ("PRODUCTION", "held", 0),
    ]


def test_what_tests_took_of_our_stock_is_free_when_the_link_goes_live(buyer: Company, seller: Company) -> None:
    sharing = SharingSettings(rules=(SharingRule(figure="exact"),))
    seller.ctx = replace(seller.ctx, settings=replace(seller.ctx.settings, sharing=sharing))
    put(seller, "BEAR", 10)
    give(buyer, seller, "Order", order("4"))
    (held,) = ask(buyer, seller, wanted(3))
    assert (held.state, free(seller)) == ("granted", 3)
    go_live(buyer, seller)
    assert free(seller) == 10
    assert seller.store.read(lambda tx: ledger.verify(tx)) == []
    rows = buyer.read(lambda tx: tx.reservations.get(held.reservation_id))
    assert [row.state for row in rows] == ["released"]
    give(buyer, seller, "Order", order("4"))
    assert free(seller) == 6


def test_the_listing_says_what_was_a_test(buyer: Company, seller: Company, capsys: pytest.CaptureFixture[str]) -> None:
    give(buyer, seller, "Order", order())
    go_live(buyer, seller)
    give(buyer, seller, "Order", order("7"))
    Desk(seller).do("order.list")
    assert "PO1 (test)" in capsys.readouterr().out
    Desk(seller).do("order.show", order="PO1")
    said = capsys.readouterr().out
    assert said.index("production") < said.index("test"), "the newest first, and each says which it is"


def test_our_own_order_goes_on_as_it_began(buyer: Company, seller: Company) -> None:
    """Our own usage follows our partners'; an order to our own site does not change with it."""
    placed = order("3", "OWN1")
    (done,) = buyer.do(submit, buyer.id, [Submission(wire.from_fields("Order", placed))])
    assert done.state == "waiting"
    go_live(buyer, seller)
    Desk(buyer).do("order.despatch", order="OWN1", number="D1")
    (one,) = buyer.do(orders.show, "OWN1")
    assert (one["usage"], one["lines"][0]["despatched"]) == ("TEST", "3")
