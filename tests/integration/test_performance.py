"""Partners' performance is counted with the documents that show it, on both engines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from node import wire
from node.app.context import Context
from node.app.documents.submit import Submission, submit
from node.app.links import partners
from node.app.stock import inventory, performance
from node.config import Settings
from node.core.confidence import confidence
from node.core.document import Document
from node.core.rows import StockRow
from node.keyring import Keyring, verify
from node.store.database import Database
from tests.companies import Company, CountedRandom, HandClock, connect, deliver, swap

ONE = 10**6


class Kept(Company):
    """A company whose store is on the engine that the test runs on."""

    def __init__(self, home: Path, name: str, store: Database) -> None:
        self.name = name
        self.clock = HandClock()
        self.keys = Keyring(home / name / "keys")
        random = CountedRandom(name)
        self.ctx = Context(
            clock=self.clock, random=random, keyring=self.keys, verify=verify, settings=Settings(home=home)
        )
        self.store = store
        made = self.do(partners.init, self.keys, name=name)
        self.id, self.fingerprint, self.recovery = made.partner_id, made.fingerprint, made.recovery


@pytest.fixture
def pair(tmp_path: Path, store: Database) -> tuple[Company, Company]:
    buyer, seller = Kept(tmp_path / "b", "Buyer", store), Company(tmp_path / "s", "Seller")
    swap(buyer, seller)
    go_live(buyer, seller)
    return buyer, seller


def go_live(one: Company, other: Company) -> None:
    connect(one, other)
    one.do(partners.go_live, other.id)
    other.do(partners.go_live, one.id)
    connect(one, other)


def document(kind: str, number: str, **fields: Any) -> Document:
    return wire.from_fields(kind, {"header": {"number": number}, **fields})


def pieces(count: int) -> dict[str, str]:
    return {"value": str(count), "unit": "C62"}


def order(number: str, *counts: int, on: str = "2026-05-20") -> Document:
    lines = [
        {"line_id": str(place), "item": {"seller_number": f"A{place}"}, "quantity": pieces(count)}
        for place, count in enumerate(counts, 1)
    ]
    return document("Order", number, lines=lines, dates=[{"qualifier": "DELIVER", "on": on}])


def answer(number: str, of: str, *lines: tuple[str, int]) -> Document:
    """Each line accepted with so many pieces, the rest of what it orders rejected."""
    told = []
    for place, (outcome, count) in enumerate(lines, 1):
        told.append({"line_id": str(place), "schedule": [{"quantity": pieces(count), "outcome": outcome}]})
    return document("OrderResponse", number, order={"number": of}, outcome="CHANGED", lines=told)


def send(sender: Company, receiver: Company, one: Document) -> None:
    result = sender.do(submit, receiver.id, [Submission(one)])[0]
    assert result.state == "waiting", result.findings
    deliver(sender, receiver)


def counted(company: Company, other: Company) -> dict[str, tuple[int, int]]:
    told = company.do(performance.told, other.id)[0]
    return {name: (one["good"], one["bad"]) for name, one in told["measures"].items() if one["seen"]}


def test_answers_are_counted_once_per_line(pair: tuple[Company, Company]) -> None:
    buyer, seller = pair
    send(buyer, seller, order("P1", 5, 5, 5))
    send(seller, buyer, answer("R1", "P1", ("ACCEPTED", 5), ("REJECTED", 5), ("BACK_ORDERED", 5)))
    assert counted(buyer, seller)["line_accepted"] == (1, 2)
    # A better answer later is not a better answer at first, and nothing is counted twice.
    send(seller, buyer, answer("R2", "P1", ("ACCEPTED", 5), ("ACCEPTED", 5), ("ACCEPTED", 5)))
    assert counted(buyer, seller)["line_accepted"] == (1, 2)
    # The seller has no record of itself, nor one of the buyer.
    assert counted(seller, buyer) == {}


def test_what_happens_in_test_is_no_part_of_the_record(tmp_path: Path, store: Database) -> None:
    buyer, seller = Kept(tmp_path / "b", "Buyer", store), Company(tmp_path / "s", "Seller")
    swap(buyer, seller)
    connect(buyer, seller)
    send(buyer, seller, order("P1", 5, 5))
    send(seller, buyer, answer("R1", "P1", ("REJECTED", 5), ("REJECTED", 5)))
    assert counted(buyer, seller) == {}
    go_live(buyer, seller)
    send(buyer, seller, order("P2", 5))
    send(seller, buyer, answer("R2", "P2", ("ACCEPTED", 5)))
    assert counted(buyer, seller) == {"line_accepted": (1, 0)}


def test_a_figure_that_did_not_hold_counts_against_the_figures(pair: tuple[Company, Company]) -> None:
    buyer, seller = pair
    rows = [
        StockRow(
            *(f"no:{seller.id}:A{place}", "", 0, "W", "", "AVAILABLE", "EXACT", 9 * ONE, 9 * ONE, None),
            *("C62", "", f"A{place}", "", 1, 0),
        )
        for place in (1, 2)
    ]
    report = inventory.StockReport(
        wire.from_fields("InventoryReport", {"as_of": "2026-05-04T08:00:00Z"}),  # type: ignore[arg-type]
        [row._replace(partner_id=seller.id) for row in rows],
        [],
    )
    buyer.do(inventory.take_report, seller.id, report)
    before = confidence(buyer.do(performance.partner_record, seller.id), 0)
    send(buyer, seller, order("P1", 5, 50, 5))
    send(seller, buyer, answer("R1", "P1", ("REJECTED", 5), ("REJECTED", 50), ("REJECTED", 5)))
    # Of the second line the figure showed too little, and of the third none.
    assert counted(buyer, seller) == {"figure_fresh": (0, 1), "line_accepted": (0, 3)}
    after = confidence(buyer.do(performance.partner_record, seller.id), 0)
    assert after < before


def test_late_and_short_deliveries_are_counted_with_their_lead_times(pair: tuple[Company, Company]) -> None:
    buyer, seller = pair
    send(buyer, seller, order("P1", 5, 5, on="2026-05-10"))
    for company in pair:
        company.clock.move(days=4)
    connect(buyer, seller)
    advice = document(
        "DespatchAdvice",
        "D1",
        order={"number": "P1"},
        despatched_at="2026-05-08T10:00:00Z",
        dates=[{"qualifier": "DELIVER", "on": "2026-05-12"}],
        lines=[
            {"line_id": "1", "order_line_id": "1", "quantity": pieces(5)},
            {"line_id": "2", "order_line_id": "2", "quantity": pieces(5)},
        ],
    )
    send(seller, buyer, advice)
    assert counted(buyer, seller) == {"delivered_on_time": (0, 2)}
    came = document(
        "ReceivingAdvice",
        "W1",
        order={"number": "P1"},
        received_at="2026-05-08T18:00:00Z",
        lines=[
            {"line_id": "1", "order_line_id": "1", "accepted": pieces(5)},
            {"line_id": "2", "order_line_id": "2", "accepted": pieces(3), "short": pieces(2)},
        ],
    )
    send(buyer, seller, came)
    assert counted(buyer, seller) == {"delivered_on_time": (0, 2), "despatch_complete": (1, 1)}
    told = buyer.do(performance.told, seller.id)[0]
    assert told["lead_days"]["despatch"] == {"median": 4, "p90": 4, "seen": 2}
    assert told["lead_days"]["delivery"] == {"median": 4, "p90": 4, "seen": 2}
    days = buyer.do(performance.history, seller.id)
    assert {(one["day"], one["measure"], one["good"], one["bad"]) for one in days} == {
        ("2026-05-08", "delivered_on_time", 0, 2),
        ("2026-05-08", "despatch_complete", 1, 1),
    }


def test_what_is_refused_or_sent_twice_counts_nothing(pair: tuple[Company, Company]) -> None:
    buyer, seller = pair
    send(buyer, seller, order("P1", 5))
    one = answer("R1", "P1", ("ACCEPTED", 5))
    send(seller, buyer, one)
    assert seller.do(submit, buyer.id, [Submission(one)])[0].state == "duplicate"
    assert counted(buyer, seller)["line_accepted"] == (1, 0)


def test_only_known_measures_are_counted(pair: tuple[Company, Company]) -> None:
    buyer, seller = pair
    buyer.store.write(lambda tx: performance.note(tx, seller.id, "hold_granted", 3, 1, 0))
    assert counted(buyer, seller)["hold_granted"] == (3, 1)
    with pytest.raises(ValueError, match="not measured"):
        buyer.store.write(lambda tx: performance.note(tx, seller.id, "kindness", 1, 0, 0))
