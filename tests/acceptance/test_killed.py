"""Nodes are killed and lines are cut while two companies trade: nothing is lost, and nothing comes twice."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from node import keyring
from node.app.links import evidence
from node.core.evidence import Report
from tests.acceptance.processes import PATIENCE_SECONDS, Company, Line, acquainted, meet

ORDERS = 40
"""Orders in each direction."""

ACCIDENTS = 4


class Traffic:
    """Two companies order from each other and answer each order, each at its own pace, until told how many there were.

    Whoever gets no answer from its node says the same again, as an ERP does.
    """

    def __init__(self, one: Company, other: Company) -> None:
        self._counted = threading.Condition()
        self._count = 0
        self._failed: list[BaseException] = []
        self.submitted: dict[str, list[str]] = {one.id: [], other.id: []}
        works: list[Callable[[], None]] = []
        for buyer, seller in ((one, other), (other, one)):
            works.append(lambda buyer=buyer, seller=seller: self._buy(buyer, seller))  # type: ignore[misc]
            works.append(lambda buyer=buyer, seller=seller: self._answer(seller, buyer))  # type: ignore[misc]
        self._threads = [threading.Thread(target=self._kept, args=(work,), daemon=True) for work in works]
        for thread in self._threads:
            thread.start()

    def _kept(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            with self._counted:
                self._failed.append(error)
                self._counted.notify_all()

    def _buy(self, buyer: Company, seller: Company) -> None:
        for count in range(ORDERS):
            number = f"{buyer.name}-{count}"
            line = {"line": "4012345000009", "quantity": str(count + 1), "price": "2.50"}
            buyer.insist("order.place", partner=seller.id, number=number, lines=[line], currency="EUR")
            with self._counted:
                self.submitted[buyer.id].append(number)
                self._count += 1
                self._counted.notify_all()

    def _answer(self, seller: Company, buyer: Company) -> None:
        answered: set[str] = set()
        while len(answered) < ORDERS:
            found = seller.insist("documents.list", partner=buyer.id, direction="in", type="Order", limit=1000)
            fresh = [one["number"] for one in found["documents"] if one["number"] not in answered]
            for number in reversed(fresh):
                seller.insist("order.respond", order=number, number=f"A-{number}", accept=True)
                answered.add(number)
            if not fresh and (process := seller.process) is not None:
                process.look_again()
            with self._counted:
                if self._failed:
                    return

    def until(self, count: int) -> None:
        """Wait until so many orders were submitted, both directions together."""
        with self._counted:
            assert self._counted.wait_for(lambda: self._count >= count or self._failed, PATIENCE_SECONDS)
            assert not self._failed, self._failed

    def finish(self) -> None:
        """Wait for the last order and the last answer."""
        for thread in self._threads:
            thread.join(2 * PATIENCE_SECONDS)
        assert not self._failed, self._failed
        assert not any(thread.is_alive() for thread in self._threads)


@pytest.fixture
def line() -> Iterator[Line]:
    opened = Line()
    yield opened
    opened.close()


def test_traffic_survives_kills_of_both_nodes(tmp_path: Path, line: Line) -> None:
    """Both processes are killed twice in the middle of the traffic, at moments that the seed chooses."""
    shop, maker = two_companies(tmp_path, line)
    chance = random.Random(20260504)
    victims = [shop, maker] * (ACCIDENTS // 2)
    chance.shuffle(victims)

    def accident(count: int) -> None:
        victims[count].kill()
        victims[count].start()

    trade(shop, maker, chance, accident)
    audit(shop, maker, tmp_path)


def test_traffic_survives_cut_lines(tmp_path: Path, line: Line) -> None:
    """The line breaks in the middle of a frame, at any byte."""
    shop, maker = two_companies(tmp_path, line)
    chance = random.Random(7)

    def accident(count: int) -> None:
        before = line.cuts
        line.cut_after(chance.randrange(1, 6_000))
        maker.until(lambda: line.cuts > before, "the cut")
        if count % 2:
            line.cut()  # and once more, perhaps in the middle of a handshake

    trade(shop, maker, chance, accident)
    audit(shop, maker, tmp_path)


def test_traffic_survives_kills_of_a_node_on_postgresql(tmp_path: Path, line: Line, postgres_url: str) -> None:
    """A node on PostgreSQL trades with one on SQLite; both are killed."""
    shop, maker = two_companies(tmp_path, line, maker=f'[database]\nurl = "{postgres_url}"\n')
    chance = random.Random(3)

    def accident(count: int) -> None:
        victim = shop if count % 2 else maker
        victim.kill()
        victim.start()

    trade(shop, maker, chance, accident, accidents=ACCIDENTS // 2)
    audit(shop, maker, tmp_path)


def two_companies(folder: Path, line: Line, maker: str = "") -> tuple[Company, Company]:
    """A shop that can be called, and a maker that dials out. Small batches, so that there are many."""
    limits = "batch_documents = 3"
    one = Company(folder, "Shop", "0088:4012345000009", line=line, limits=limits)
    other = Company(folder, "Maker", "0088:4012345000016", limits=limits, settings=maker)
    meet(one, other)
    for company in (one, other):
        company.start()
    acquainted(one, other)
    return one, other


def trade(
    one: Company,
    other: Company,
    chance: random.Random,
    accident: Callable[[int], None],
    accidents: int = ACCIDENTS,
) -> None:
    """Let both trade while accidents happen, then let everything arrive."""
    traffic = Traffic(one, other)
    moments = sorted(chance.sample(range(5, 2 * ORDERS - 5), accidents))
    for count, moment in enumerate(moments):
        traffic.until(moment)
        accident(count)
    traffic.finish()
    for company in (one, other):
        company.until(company.idle, "the last receipt")
    for company, partner in ((one, other), (other, one)):
        assert traffic.submitted[company.id] == [f"{company.name}-{count}" for count in range(ORDERS)]
        assert company.connected(partner.id)


def audit(one: Company, other: Company, folder: Path) -> None:
    """What must be true afterwards, whatever happened, asked of both companies and of the files that prove it."""
    for company in (one, other):
        company.stop()
    for buyer, seller in ((one, other), (other, one)):
        once_each(buyer, seller)
        assert books_of(buyer, seller) == books_of(seller, buyer)
        links_equal(buyer, seller)
    reports = [proved(company, partner, folder) for company, partner in ((one, other), (other, one))]
    assert said_by(reports[0]) == said_by(reports[1])


def once_each(buyer: Company, seller: Company) -> None:
    """Every order and every answer is at the other side exactly once, and was taken."""
    numbers = [f"{buyer.name}-{count}" for count in range(ORDERS)]
    for sender, receiver, kind, expected in (
        (buyer, seller, "Order", numbers),
        (seller, buyer, "OrderResponse", [f"A-{number}" for number in numbers]),
    ):
        for company, partner, direction in ((sender, receiver, "out"), (receiver, sender, "in")):
            found = company.documents(partner=partner.id, direction=direction, type=kind)
            assert sorted(one["number"] for one in found) == sorted(expected)
            assert {one["state"] for one in found} == {"taken"}
            assert {one["duplicate_of"] for one in found} == {None}


def books_of(company: Company, partner: Company) -> dict[str, Any]:
    """The orders that the first of the two has placed or got, without what each side may call its own."""
    told = company.do("order.list", partner=partner.id, limit=1000)["orders"]
    assert len(told) == 2 * ORDERS
    books = {}
    for order in told:
        assert order["status"] == "accepted", order
        (line,) = order["lines"]
        assert line["accepted"] == line["ordered"] == str(int(order["number"].partition("-")[2]) + 1)
        figures = {name: value for name, value in line.items() if isinstance(value, str)}
        books[order["number"]] = (order["status"], order["documents"], figures)
    return books


def links_equal(sender: Company, receiver: Company) -> None:
    """Both hold the same chain up to the same number, all of it receipted."""
    out, into = (
        next(one for one in company.do("partner.show", partner=partner.id)["links"] if one["direction"] == direction)
        for company, partner, direction in ((sender, receiver, "out"), (receiver, sender, "in"))
    )
    for link in (out, into):
        assert link.pop("direction")
        assert link["state"] == "open"
        assert link["receipted_number"] == link["number"] >= 2 * ORDERS
    assert out == into


def proved(company: Company, partner: Company, folder: Path) -> Report:
    """The company's evidence, which proves everything to somebody who knows the fingerprints."""
    path = folder / f"{company.name}.evidence"
    company.do("evidence.export", partner=partner.id, out=str(path))
    expected = {one.id: one.fingerprint for one in (company, partner)}
    report = evidence.verify(path.read_bytes(), expected, keyring.verify)
    assert report.sound, report.findings
    assert all(one.expected for one in report.companies)
    return report


def said_by(report: Report) -> set[tuple[Any, ...]]:
    """What the evidence proves of each link, whoever wrote it."""
    return {
        (one.sender, one.receiver, one.epoch, one.last, tuple((each.number, each.type) for each in one.documents))
        for one in report.links
    }
