"""Answers outside the buyer's tolerances: both companies' books agree at every step, and the decision is a document."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Adapter
from node import wire
from node.app import operations
from node.app.documents import orders
from node.app.documents.submit import Submission, submit
from node.cli import views
from node.cli.output import Output
from node.config import PartnerSettings
from node.core.document import Document
from node.errors import RefusedError
from tests.companies import Company, connect, deliver, swap

STRICT = {
    "quantity_under_percent": Decimal(5),
    "quantity_over_percent": Decimal(0),
    "price_percent": Decimal(2),
    "days_early": 1,
    "days_late": 2,
}


class Desk:
    """A company's host of operations, without a running node."""

    live = None

    def __init__(self, company: Company) -> None:
        self.company, self.store, self.ctx, self.keys = company, company.store, company.ctx, company.keys

    def backup(self, target: Path) -> str:
        raise NotImplementedError

    def adapter(self, name: str, start_from: str = "") -> Any:
        raise NotImplementedError(name, Adapter)

    def do(self, name: str, **arguments: Any) -> Any:
        self.ctx = self.company.ctx
        result = operations.run(self, name, arguments, lambda *_: None)
        views.VIEWS[name if name in views.VIEWS else "order.sent"](Output(json=False, color=False), result)
        return result


@pytest.fixture
def buyer(tmp_path: Path) -> Company:
    return Company(tmp_path / "b", "Buyer")


@pytest.fixture
def seller(tmp_path: Path, buyer: Company) -> Company:
    made = Company(tmp_path / "s", "Seller")
    swap(buyer, made)
    connect(buyer, made)
    return made


def agree(company: Company, other: Company, **terms: Any) -> None:
    settings = replace(company.ctx.settings, partners={other.id: PartnerSettings(**terms)})
    company.ctx = replace(company.ctx, settings=settings)


def place(buyer: Company, seller: Company, lines: int = 1) -> None:
    order = wire.from_fields(
        "Order",
        {
            "header": {"number": "PO1"},
            "currency": "EUR",
            "lines": [
                {
                    "line_id": str(number),
                    "item": {"seller_number": f"A{number}"},
                    "quantity": {"value": "100", "unit": "C62"},
                    "price": {"amount": {"amount": "2.50", "currency": "EUR"}},
                    "dates": [{"qualifier": "DELIVER", "on": "2026-12-10"}],
                }
                for number in range(1, lines + 1)
            ],
        },
    )
    buyer.do(submit, seller.id, [Submission(order)])
    connect(buyer, seller)


def answer(
    buyer: Company,
    number: str = "R1",
    *,
    line: str = "1",
    pieces: str = "100",
    price: str = "2.50",
    on: str = "2026-12-10",
    rest: str = "",
) -> Document:
    schedule: list[dict[str, Any]] = [
        {
            "quantity": {"value": pieces, "unit": "C62"},
            "outcome": "ACCEPTED",
            "dates": [{"qualifier": "DELIVER", "on": on}],
        }
    ]
    if rest:
        rejected = {"quantity": {"value": rest, "unit": "C62"}, "outcome": "REJECTED", "reason": {"text": "no more"}}
        schedule.append(rejected)
    return wire.from_fields(
        "OrderResponse",
        {
            "header": {"number": number},
            "order": {"issuer": buyer.id, "type": "Order", "number": "PO1"},
            "outcome": "CHANGED",
            "lines": [
                {
                    "line_id": line,
                    "schedule": schedule,
                    "price": {"amount": {"amount": price, "currency": "EUR"}},
                }
            ],
        },
    )


def respond(seller: Company, buyer: Company, *answers: Document) -> None:
    seller.do(submit, buyer.id, [Submission(one) for one in answers])
    connect(seller, buyer)


def told(company: Company) -> dict[str, Any]:
    (order,) = company.do(orders.show, "PO1")
    return order


def book(company: Company) -> Any:
    """The order as the book has it, without what each side numbers by itself."""

    def read(tx: Any) -> Any:
        (order,) = tx.orders.search(number="PO1", limit=10)
        lines = [line[1:-1] for line in tx.orders.lines([order.order_id])]
        events = Counter((e[1], *e[3:10]) for e in tx.orders.events([order.order_id]) if e.standing)
        return lines, events

    return company.read(read)


def same(buyer: Company, seller: Company) -> dict[str, Any]:
    """Both books are equal, and both tell the same of every line; returns the buyer's view."""
    assert book(buyer) == book(seller)
    ours, theirs = told(buyer), told(seller)
    for name in ("status", "waits_for"):
        assert ours[name] == theirs[name]
    for mine, other in zip(ours["lines"], theirs["lines"], strict=True):
        for name in ("status", "confirmation", "unconfirmed", "changes", "accepted", "open"):
            assert mine[name] == other[name]
    return ours


def sent(company: Company, kind: str) -> list[str]:
    return [row.state for row in company.read(lambda tx: tx.documents.search(type=kind, direction="out", limit=100))]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pieces": "94", "rest": "6"}, "94 C62 instead of 100, 6 % less; 5 % less is agreed"),
        ({"pieces": "101"}, "101 C62 instead of 100, 1 % more; 0 % more is agreed"),
        ({"price": "2.56"}, "a price of 2.56 EUR instead of 2.5, 2.4 % more; 2 % more is agreed"),
        ({"on": "2026-12-13"}, "2026-12-13 instead of 2026-12-10, 3 days late; 2 days late is agreed"),
        ({"on": "2026-12-08"}, "2026-12-08 instead of 2026-12-10, 2 days early; 1 day early is agreed"),
    ],
)
def test_outside_the_tolerances_both_sides_wait_for_the_buyer(
    buyer: Company, seller: Company, changes: dict[str, str], words: str
) -> None:
    agree(buyer, seller, **STRICT)
    place(buyer, seller)
    respond(seller, buyer, answer(buyer, **changes))
    order = same(buyer, seller)
    assert (order["status"], order["waits_for"]) == ("to_confirm", "buyer")
    assert order["lines"][0]["unconfirmed"] == words
    Desk(buyer).do("order.confirm", order="PO1", reason="as agreed by telephone")
    connect(buyer, seller)
    order = same(buyer, seller)
    assert order["waits_for"] == ""
    assert order["lines"][0]["confirmation"] == "confirmed"
    assert sent(buyer, "ApplicationResponse") == ["taken", "taken"]


@pytest.mark.parametrize(
    "changes", [{"pieces": "95", "rest": "5"}, {"price": "2.55"}, {"price": "1"}, {"on": "2026-12-12"}, {}]
)
def test_inside_the_tolerances_everything_goes_on(buyer: Company, seller: Company, changes: dict[str, str]) -> None:
    agree(buyer, seller, **STRICT)
    place(buyer, seller)
    respond(seller, buyer, answer(buyer, **changes))
    order = same(buyer, seller)
    assert order["waits_for"] == ""
    assert order["lines"][0]["confirmation"] == ("open" if changes else "")
    assert sent(buyer, "ApplicationResponse") == []


def test_without_tolerances_any_change_is_taken_and_shown(buyer: Company, seller: Company) -> None:
    place(buyer, seller)
    respond(seller, buyer, answer(buyer, pieces="10", rest="90", price="9", on="2027-12-12"))
    order = same(buyer, seller)
    assert (order["waits_for"], order["status"]) == ("", "accepted")
    assert order["lines"][0]["changes"] == [
        "10 C62 instead of 100",
        "a price of 9 EUR instead of 2.5",
        "2027-12-12 instead of 2026-12-10",
    ]
    assert sent(buyer, "ApplicationResponse") == []


def test_a_line_refused_whole_waits_for_nobody(buyer: Company, seller: Company) -> None:
    agree(buyer, seller, **STRICT)
    place(buyer, seller)
    desk = Desk(seller)
    desk.do("order.respond", order="PO1", number="R1", reject=True, reason="sold out")
    connect(seller, buyer)
    order = same(buyer, seller)
    assert (order["status"], order["waits_for"]) == ("rejected", "")


def test_people_read_what_waits_and_why(buyer: Company, seller: Company, capsys: pytest.CaptureFixture[str]) -> None:
    agree(buyer, seller, **STRICT)
    place(buyer, seller)
    respond(seller, buyer, answer(buyer, price="3", on="2026-12-11"))
    Desk(buyer).do("order.show", order="PO1")
    said = capsys.readouterr().out
    assert "to confirm; the buyer's confirmation is due: hansa order confirm PO1" in said
    price = "a price of 3 EUR instead of 2.5"
    assert f"line 1: accepted with changes, waits for the buyer's confirmation: {price}, 20 % more" in said
    Desk(seller).do("order.show", order="PO1")
    said = capsys.readouterr().out
    assert "to confirm; the buyer's confirmation is due\n" in said
    Desk(buyer).do("order.confirm", order="PO1")
    assert "ApplicationResponse C" in capsys.readouterr().out
    connect(buyer, seller)
    Desk(seller).do("order.show", order="PO1")
    said = capsys.readouterr().out
    assert f"line 1: accepted with changes, confirmed by the buyer ({price}; 2026-12-11 instead of 2026-12-10)" in said


def test_refusing_asks_to_cancel_and_the_seller_decides(buyer: Company, seller: Company) -> None:
    agree(buyer, seller, **STRICT)
    place(buyer, seller, lines=2)
    respond(seller, buyer, answer(buyer, price="3"), answer(buyer, "R2", line="2"))
    desk = Desk(buyer)
    desk.do("order.confirm", order="PO1", refuse=True)
    connect(buyer, seller)
    order = same(buyer, seller)
    assert order["waits_for"] == "seller"
    assert [line["confirmation"] for line in order["lines"]] == ["refused", ""]
    for refuse in (True, False):
        with pytest.raises(RefusedError, match="it was refused") as caught:
            desk.do("order.confirm", order="PO1", refuse=refuse)
        assert caught.value.code == "not-waiting"
    Desk(seller).do("order.respond", order="PO1", number="R3", accept=True)
    connect(seller, buyer)
    order = same(buyer, seller)
    assert [line["status"] for line in order["lines"]] == ["cancelled", "accepted"]
    assert order["waits_for"] == ""


def test_when_the_seller_does_not_cancel_the_buyer_is_asked_again(buyer: Company, seller: Company) -> None:
    agree(buyer, seller, **STRICT)
    place(buyer, seller)
    respond(seller, buyer, answer(buyer, price="3"))
    desk = Desk(buyer)
    desk.do("order.confirm", order="PO1", refuse=True)
    connect(buyer, seller)
    Desk(seller).do("order.respond", order="PO1", number="R2", reject=True, reason="it is made already")
    connect(seller, buyer)
    assert same(buyer, seller)["waits_for"] == "buyer"
    desk.do("order.confirm", order="PO1")
    connect(buyer, seller)
    assert same(buyer, seller)["lines"][0]["confirmation"] == "confirmed"


def test_what_is_despatched_before_is_shown_and_counts(buyer: Company, seller: Company) -> None:
    agree(buyer, seller, **STRICT)
    place(buyer, seller)
    respond(seller, buyer, answer(buyer, price="3"))
    made = Desk(seller).do("order.despatch", order="PO1", number="D1")
    assert [one["rule"] for one in made["findings"]] == ["unconfirmed"]
    connect(seller, buyer)
    order = same(buyer, seller)
    (line,) = order["lines"]
    assert (line["status"], line["despatched"], order["waits_for"]) == ("despatched", "100", "buyer")
    assert line["remarks"] == ["despatched before the buyer has confirmed the changes"]
    Desk(buyer).do("order.confirm", order="PO1")
    connect(buyer, seller)
    assert same(buyer, seller)["lines"][0]["remarks"] == []


def test_a_better_answer_ends_the_wait_whichever_arrives_first(buyer: Company, seller: Company) -> None:
    agree(buyer, seller, **STRICT)
    place(buyer, seller)
    seller.do(submit, buyer.id, [Submission(answer(buyer, price="3"))])
    deliver(seller, buyer)
    # The buyer's confirmation and a better answer cross on the way.
    Desk(buyer).do("order.confirm", order="PO1")
    seller.do(submit, buyer.id, [Submission(answer(buyer, price="2.50", on="2026-12-11"))])
    deliver(buyer, seller)
    deliver(seller, buyer)
    order = same(buyer, seller)
    assert (order["waits_for"], order["lines"][0]["confirmation"]) == ("", "open")


def test_a_worse_answer_asks_again(buyer: Company, seller: Company) -> None:
    agree(buyer, seller, **STRICT)
    place(buyer, seller)
    respond(seller, buyer, answer(buyer, price="3"))
    Desk(buyer).do("order.confirm", order="PO1")
    connect(buyer, seller)
    respond(seller, buyer, answer(buyer, price="4"))
    order = same(buyer, seller)
    assert order["waits_for"] == "buyer"
    Desk(buyer).do("order.confirm", order="PO1")
    connect(buyer, seller)
    assert same(buyer, seller)["waits_for"] == ""


def test_line_by_line_confirmed_and_refused(buyer: Company, seller: Company) -> None:
    agree(buyer, seller, **STRICT)
    place(buyer, seller, lines=3)
    respond(seller, buyer, *(answer(buyer, f"R{n}", line=str(n), price="3") for n in (1, 2, 3)))
    desk = Desk(buyer)
    desk.do("order.confirm", order="PO1", lines=["1"])
    desk.do("order.confirm", order="PO1", lines=["2"], refuse=True)
    made = desk.do("order.confirm", order="PO1")
    assert len(made["sent"]) == 1
    connect(buyer, seller)
    order = same(buyer, seller)
    assert [line["confirmation"] for line in order["lines"]] == ["confirmed", "refused", "confirmed"]
    with pytest.raises(RefusedError, match="line 1 of order PO1 does not wait"):
        desk.do("order.confirm", order="PO1", lines=["1"])
    with pytest.raises(RefusedError, match="no line '9'"):
        desk.do("order.confirm", order="PO1", lines=["9"])


def test_what_does_not_wait_is_not_confirmed(buyer: Company, seller: Company) -> None:
    agree(buyer, seller, **STRICT)
    place(buyer, seller)
    desk = Desk(buyer)
    for order, code in (("PO1", "not-waiting"), ("PO9", "unknown-order")):
        with pytest.raises(RefusedError) as caught:
            desk.do("order.confirm", order=order)
        assert caught.value.code == code
    respond(seller, buyer, answer(buyer, price="3"))
    with pytest.raises(RefusedError) as caught:
        Desk(seller).do("order.confirm", order="PO1")
    assert caught.value.code == "wrong-role"
    desk.do("order.confirm", order="PO1", number="OK-1")
    with pytest.raises(RefusedError, match="it was confirmed before"):
        desk.do("order.confirm", order="PO1")


def test_the_seller_is_warned_by_the_terms_that_it_was_told(buyer: Company, seller: Company) -> None:
    agree(buyer, seller, **STRICT, incoterms="DAP", incoterms_place="Hamburg", payment_days=30)
    made = Desk(buyer).do("partner.terms", partner=seller.id, send=True, number="T1")
    assert made["sent"]["state"] == "waiting"
    connect(buyer, seller)
    theirs = Desk(seller).do("partner.terms", partner=buyer.id)["theirs"]
    assert theirs["delivery_terms"] == {"incoterms": "DAP", "place": "Hamburg"}
    assert theirs["payment_terms"] == {"net_days": 30}
    place(buyer, seller)
    (done,) = seller.do(submit, buyer.id, [Submission(answer(buyer, price="3"))])
    assert [one.rule for one in done.findings] == ["outside-tolerance"]
    assert "2 % more is agreed" in done.findings[0].text


@pytest.mark.parametrize(
    ("ours", "told_to_us", "given", "carried"),
    [
        ({"incoterms": "FCA", "incoterms_place": "Bremen"}, {"incoterms": "DAP"}, None, {"incoterms": "FCA"}),
        ({}, {"incoterms": "DAP", "incoterms_place": "Hamburg"}, None, {"incoterms": "DAP", "place": "Hamburg"}),
        ({"incoterms": "FCA"}, {}, "EXW Werk 3", {"incoterms": "EXW", "place": "Werk 3"}),
        ({"incoterms": "FCA"}, {}, "", None),
        ({}, {}, None, None),
    ],
)
def test_an_order_by_hand_carries_the_agreed_incoterm(
    buyer: Company, seller: Company, ours: Any, told_to_us: Any, given: str | None, carried: dict[str, str] | None
) -> None:
    if told_to_us:
        agree(seller, buyer, **told_to_us)
        Desk(seller).do("partner.terms", partner=buyer.id, send=True, number="T1")
        connect(seller, buyer)
    agree(buyer, seller, **ours)
    made = Desk(buyer).do(
        "order.place",
        partner=seller.id,
        number="PO1",
        lines=[{"line": "A1", "quantity": "1"}],
        **({} if given is None else {"incoterms": given}),
    )
    row = buyer.read(lambda tx: tx.documents.get(made["document"]))
    assert row is not None
    fields = wire.to_fields(wire.decode_document("Order", row.body or b""))
    if carried and "incoterms_place" in ours:
        carried = {**carried, "place": ours["incoterms_place"]}
    assert fields.get("delivery_terms") == carried


def test_an_order_by_hand_names_a_rule_that_there_is(buyer: Company, seller: Company) -> None:
    with pytest.raises(RefusedError, match="no rule of the Incoterms"):
        Desk(buyer).do(
            "order.place",
            partner=seller.id,
            number="PO1",
            lines=[{"line": "A1", "quantity": "1"}],
            incoterms="FOT Hamburg",
        )
