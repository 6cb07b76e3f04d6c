"""What is agreed on: lines asked for on several days, and invoices at the price that stands; on both engines."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from node import wire
from node.app.documents.submit import Submission, submit
from node.core.document import Document
from node.errors import RefusedError
from tests.companies import Company, connect, swap
from tests.integration.test_confirmation import Desk, agree, answer, place, respond, same

TEN, TWENTY = "2026-12-10", "2026-12-20"


@pytest.fixture
def buyer(tmp_path: Path, store_url: str) -> Company:
    return Company(tmp_path / "b", "Buyer", url=store_url)


@pytest.fixture
def seller(tmp_path: Path, buyer: Company) -> Company:
    made = Company(tmp_path / "s", "Seller")
    swap(buyer, made)
    connect(buyer, made)
    return made


def piece(quantity: int, on: str = "", outcome: str = "", schedule_id: str = "") -> dict[str, Any]:
    made: dict[str, Any] = {"quantity": {"value": str(quantity), "unit": "C62"}, "schedule_id": schedule_id}
    if on:
        made["dates"] = [{"qualifier": "DELIVER", "on": on}]
    if outcome:
        made["outcome"] = outcome
    return made


def place_in_pieces(buyer: Company, seller: Company) -> None:
    """60 by the tenth, 40 by the twentieth."""
    line = {
        "line_id": "1",
        "item": {"seller_number": "A1"},
        "quantity": {"value": "100", "unit": "C62"},
        "price": {"amount": {"amount": "2.50", "currency": "EUR"}},
        "schedule": [piece(40, TWENTY, schedule_id="later"), piece(60, TEN, schedule_id="soon")],
    }
    order = wire.from_fields("Order", {"header": {"number": "PO1"}, "currency": "EUR", "lines": [line]})
    (done,) = buyer.do(submit, seller.id, [Submission(order)])
    assert done.findings == []
    connect(buyer, seller)


def answer_in_pieces(buyer: Company, *pieces: dict[str, Any], number: str = "R1") -> Document:
    return wire.from_fields(
        "OrderResponse",
        {
            "header": {"number": number},
            "order": {"issuer": buyer.id, "type": "Order", "number": "PO1"},
            "outcome": "CHANGED",
            "lines": [{"line_id": "1", "schedule": list(pieces)}],
        },
    )


@pytest.mark.parametrize(
    ("pieces", "told"),
    [
        # As asked for, in any order, and further divided.
        ([piece(60, TEN, "ACCEPTED"), piece(40, TWENTY, "ACCEPTED")], ""),
        ([piece(40, TWENTY, "ACCEPTED"), piece(30, TEN, "ACCEPTED"), piece(30, TEN, "ACCEPTED")], ""),
        # One day late is taken, two are not; whichever piece it is.
        ([piece(60, "2026-12-11", "ACCEPTED"), piece(40, TWENTY, "ACCEPTED")], ""),
        (
            [piece(60, TEN, "ACCEPTED"), piece(40, "2026-12-22", "ACCEPTED")],
            "2026-12-22 instead of 2026-12-20, 2 days late; 1 day late is agreed",
        ),
        # Between the days asked for, and late all the same.
        (
            [piece(50, TEN, "ACCEPTED"), piece(50, TWENTY, "ACCEPTED")],
            "2026-12-20 instead of 2026-12-10, 10 days late; 1 day late is agreed",
        ),
        # All at once is early for what was wanted later.
        (
            [piece(100, TEN, "ACCEPTED")],
            "2026-12-10 instead of 2026-12-20, 10 days early; 0 days early is agreed",
        ),
        # What is rejected by its name is not missing among the others.
        ([piece(60, outcome="REJECTED", schedule_id="soon"), piece(40, TWENTY, "ACCEPTED", "later")], ""),
        # What waits for stock is promised for no day.
        ([piece(60, TEN, "ACCEPTED"), piece(40, outcome="BACK_ORDERED")], ""),
    ],
)
def test_each_piece_is_compared_with_its_own_day(
    buyer: Company, seller: Company, pieces: list[dict[str, Any]], told: str
) -> None:
    agree(buyer, seller, days_early=0, days_late=1)
    place_in_pieces(buyer, seller)
    respond(seller, buyer, answer_in_pieces(buyer, *pieces))
    order = same(buyer, seller)
    assert order["lines"][0]["unconfirmed"] == told
    assert order["waits_for"] == ("buyer" if told else "")


def test_an_order_accepted_whole_is_promised_as_it_is_asked_for(
    buyer: Company, seller: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    agree(buyer, seller, days_early=0, days_late=0)
    place_in_pieces(buyer, seller)
    for company in (buyer, seller):
        Desk(company).do("order.show", order="PO1")
        said = capsys.readouterr().out
        assert "line 1: asked for in pieces: 60 by 2026-12-10, 40 by 2026-12-20" in said
        assert "asked for 2026-12-10, 2026-12-20" in said
    Desk(seller).do("order.respond", order="PO1", number="R1", accept=True)
    connect(seller, buyer)
    (line,) = same(buyer, seller)["lines"]
    assert line["asked"] == [
        {"schedule_id": "soon", "quantity": "60", "on": TEN},
        {"schedule_id": "later", "quantity": "40", "on": TWENTY},
    ]
    assert [(one["outcome"], one["quantity"], one["promised_on"]) for one in line["pieces"]] == [
        ("accepted", "60", TEN),
        ("accepted", "40", TWENTY),
    ]
    assert (line["changes"], line["confirmation"]) == ([], "")


def test_only_the_piece_whose_day_has_passed_is_late(buyer: Company, seller: Company) -> None:
    place_in_pieces(buyer, seller)
    for company in (buyer, seller):
        company.clock.move(days=225)  # the 15th of December
    (line,) = same(buyer, seller)["lines"]
    assert [(one["outcome"], one["quantity"], one["late"]) for one in line["pieces"]] == [
        ("unanswered", "60", True),
        ("unanswered", "40", False),
    ]


def test_a_change_of_price_keeps_the_pieces_and_one_of_quantity_bends_the_last(buyer: Company, seller: Company) -> None:
    place_in_pieces(buyer, seller)
    respond(seller, buyer, answer_in_pieces(buyer, piece(60, TEN, "ACCEPTED"), piece(40, TWENTY, "ACCEPTED")))
    for number, quantity, left in (("C1", "100", [60, 40]), ("C2", "70", [60, 10]), ("C3", "90", [60, 30])):
        line = {"line": "1", "quantity": quantity, "price": "2.40"}
        Desk(buyer).do("order.change", order="PO1", number=number, lines=[line])
        connect(buyer, seller)
        Desk(seller).do("order.respond", order="PO1", number=f"A{number}", accept=True)
        connect(seller, buyer)
        (told,) = same(buyer, seller)["lines"]
        assert [int(one["quantity"]) for one in told["asked"]] == left
        assert [(one["promised_on"], int(one["quantity"])) for one in told["pieces"]] == list(
            zip((TEN, TWENTY), left, strict=True)
        )
        assert (told["changes"], told["unanswered"]) == ([], "0")


# --- the price that is billed -----------------------------------------------------------------------------------------


def billed(buyer: Company, seller: Company) -> list[tuple[str, str]]:
    """(price, line amount) of every line of every invoice that the buyer has taken, the oldest first."""
    connect(seller, buyer)
    rows = buyer.read(lambda tx: tx.documents.search(type="Invoice", direction="in", state="taken", limit=100))
    found = []
    for row in reversed(rows):
        fields = wire.to_fields(wire.decode_document("Invoice", row.body or b""))
        found += [(one["price"]["amount"]["amount"], one["line_amount"]["amount"]) for one in fields["lines"]]
    return found


def invoice(seller: Company, number: str = "INV1", **arguments: Any) -> Any:
    return Desk(seller).do("order.invoice", order="PO1", number=number, tax=Decimal(19), **arguments)


def despatched(seller: Company, buyer: Company) -> None:
    Desk(seller).do("order.despatch", order="PO1", number="D1")
    connect(seller, buyer)


def test_an_answered_price_within_the_tolerances_is_billed(buyer: Company, seller: Company) -> None:
    agree(buyer, seller, price_percent=Decimal(2))
    place(buyer, seller, lines=2)
    respond(seller, buyer, answer(buyer, price="2.55"))
    despatched(seller, buyer)
    invoice(seller)
    assert billed(buyer, seller) == [("2.55", "255.00"), ("2.5", "250.00")]


def test_a_price_outside_is_billed_once_it_is_confirmed(buyer: Company, seller: Company) -> None:
    agree(buyer, seller, price_percent=Decimal(2))
    place(buyer, seller)
    respond(seller, buyer, answer(buyer, price="3"))
    despatched(seller, buyer)
    with pytest.raises(RefusedError, match="has not confirmed") as caught:
        invoice(seller)
    assert caught.value.code == "price-open"
    assert re.search(r"--line 1=QTY@PRICE", caught.value.hint)
    Desk(buyer).do("order.confirm", order="PO1")
    connect(buyer, seller)
    invoice(seller)
    assert billed(buyer, seller) == [("3", "300.00")]


def test_a_person_may_name_the_price_while_it_is_open(buyer: Company, seller: Company) -> None:
    agree(buyer, seller, price_percent=Decimal(2))
    place(buyer, seller)
    respond(seller, buyer, answer(buyer, price="3"))
    despatched(seller, buyer)
    invoice(seller, lines=[{"line": "1", "quantity": "40", "price": "2.5"}])
    Desk(buyer).do("order.confirm", order="PO1", refuse=True)
    connect(buyer, seller)
    with pytest.raises(RefusedError, match="has not confirmed"):
        invoice(seller, "INV2")
    # A better answer replaces the one that was refused.
    respond(seller, buyer, answer(buyer, "R2", price="2.50"))
    invoice(seller, "INV2")
    assert billed(buyer, seller) == [("2.5", "100.00"), ("2.5", "150.00")]


def test_a_price_for_many_is_billed_by_its_base(buyer: Company, seller: Company) -> None:
    place(buyer, seller)
    said = answer(buyer)
    fields = wire.to_fields(said)
    fields["lines"][0]["price"] = {
        "amount": {"amount": "240", "currency": "EUR"},
        "base_quantity": {"value": "100", "unit": "C62"},
    }
    respond(seller, buyer, wire.from_fields("OrderResponse", fields))
    despatched(seller, buyer)
    invoice(seller)
    assert billed(buyer, seller) == [("240", "240.00")]
