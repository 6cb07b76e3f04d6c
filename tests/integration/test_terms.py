"""Trade terms between two real companies: minimum, credit limit, acceptance by terms."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from node import wire
from node.app.documents import orders
from node.app.documents.submit import Submission, submit
from node.config import PartnerSettings
from node.core.document import Document
from tests.companies import Company, connect, deliver, swap


def order(buyer: Company, seller: Company, number: str, pieces: str, price: str = "2.50") -> Document:
    return wire.from_fields(
        "Order",
        {
            "header": {"number": number, "parties": [{"role": "SELLER", "id": seller.id}]},
            "currency": "EUR",
            "lines": [
                {
                    "line_id": "1",
                    "item": {"seller_number": "A"},
                    "quantity": {"value": pieces, "unit": "C62"},
                    "price": {"amount": {"amount": price, "currency": "EUR"}},
                }
            ],
        },
    )


@pytest.fixture
def companies(tmp_path: Path) -> tuple[Company, Company]:
    buyer, seller = Company(tmp_path / "b", "Buyer"), Company(tmp_path / "s", "Seller")
    swap(buyer, seller)
    connect(buyer, seller)
    return buyer, seller


def agree(seller: Company, buyer: Company, terms: PartnerSettings) -> None:
    settings = replace(seller.ctx.settings, partners={buyer.id: terms})
    seller.ctx = replace(seller.ctx, settings=settings)


def states(company: Company) -> dict[str, tuple[str, str]]:
    rows = company.read(lambda tx: tx.documents.search(type="Order", limit=100))
    return {row.doc_number: (row.state, row.reasons) for row in rows}


def test_an_order_below_the_minimum_is_refused(companies: tuple[Company, Company]) -> None:
    buyer, seller = companies
    agree(seller, buyer, PartnerSettings(order_minimum="25.00 EUR"))
    small, enough = order(buyer, seller, "P1", "9"), order(buyer, seller, "P2", "10")
    buyer.do(submit, seller.id, [Submission(small), Submission(enough)])
    deliver(buyer, seller)
    found = states(buyer)
    assert found["P1"][0] == "refused"
    assert "below-minimum" in found["P1"][1]
    assert "22.50 EUR" in found["P1"][1]
    assert found["P2"][0] == "taken"


def test_orders_over_the_credit_limit_wait_for_a_human(companies: tuple[Company, Company]) -> None:
    buyer, seller = companies
    agree(seller, buyer, PartnerSettings(credit_limit="100.00 EUR"))
    both = [Submission(order(buyer, seller, "P1", "24")), Submission(order(buyer, seller, "P2", "24"))]
    buyer.do(submit, seller.id, both)
    deliver(buyer, seller)
    buyer.do(submit, seller.id, [Submission(order(buyer, seller, "P3", "16"))])
    deliver(buyer, seller)
    found = states(seller)
    assert found["P1"][0] == "taken"
    assert found["P2"][0] == "held"
    assert "120.00 EUR would be open" in found["P2"][1]
    assert found["P3"][0] == "taken"
    assert states(buyer)["P2"][0] == "held"


def test_orders_are_accepted_by_the_terms(companies: tuple[Company, Company]) -> None:
    buyer, seller = companies
    agree(seller, buyer, PartnerSettings(auto_accept=True))
    buyer.do(submit, seller.id, [Submission(order(buyer, seller, "P1", "24"))])
    deliver(buyer, seller)
    deliver(seller, buyer)
    told = buyer.do(orders.show, "P1")[0]
    assert told["lines"][0]["accepted"] == "24"
