"""What an ERP gives too early, or wrong, is kept with its reasons and goes when it can."""

from __future__ import annotations

import csv
import random
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Change, Finding, PullBatch, StockColumns, next_cursor
from adapters.files import FilesAdapter
from adapters.targets import SchemaTargets
from node import wire
from node.app.documents.submit import Submission, submit, withdraw
from node.app.systems import erp, refusals
from node.app.systems.rehearsal import rehearse
from node.config import AdapterSettings, LimitSettings
from node.core.rows import CursorRow
from node.errors import RefusedError
from tests.companies import Company, connect, swap

ERP = AdapterSettings(name="erp", kind="jsonl")


class Erp:
    """A system that gives its changes once."""

    def __init__(self, *changes: Change) -> None:
        self.changes = list(changes)

    def pull(self, cursor: str | None) -> Iterator[PullBatch]:
        first = int(cursor or 0)
        for number, change in enumerate(self.changes[first:], start=first + 1):
            yield PullBatch(next_cursor(number), [change])

    def check(self) -> list[Finding]:
        return []

    def preview(self) -> Iterator[PullBatch]:
        return self.pull(None)

    def push(self, document_type: str, fields: dict[str, Any], identity: str) -> str:
        raise AssertionError("nothing is handed over here")

    def accepts(self) -> frozenset[str]:
        return frozenset()

    def forget(self, before: datetime) -> int:
        return 0

    def close(self) -> None:
        pass


def order(number: str, pieces: str) -> Change:
    fields = {
        "header": {"number": number},
        "currency": "EUR",
        "lines": [
            {"line_id": "1", "item": {"seller_number": "A"}, "quantity": {"value": pieces, "unit": "C62"}},
        ],
    }
    return Change("Order", fields, number, f"orders.csv {number}")


def cancellation(number: str, of: str) -> Change:
    return Change("OrderCancellation", {"header": {"number": number}, "order": {"number": of}}, number, "cancels.csv")


@pytest.fixture
def buyer(tmp_path: Path) -> Company:
    ours, theirs = Company(tmp_path / "b", "Buyer"), Company(tmp_path / "s", "Seller")
    swap(ours, theirs)
    connect(ours, theirs)
    ours.store.write(lambda tx: tx.settings.put_cursor(CursorRow("erp", "", 1, 0)))
    return ours


def waiting(company: Company) -> list[str]:
    rows = company.read(lambda tx: tx.documents.search(state="waiting", limit=100))
    return sorted(row.doc_number for row in rows)


def test_a_cancellation_that_comes_before_its_order_goes_after_it(buyer: Company) -> None:
    system = Erp(cancellation("C1", "P1"))
    first = erp.pull_once(buyer.store, buyer.ctx, ERP, system)
    assert first.refused == 1
    assert buyer.read(refusals.kept, "erp")[0].findings[0].rule == "unknown-order"
    system.changes.append(order("P1", "5"))
    erp.pull_once(buyer.store, buyer.ctx, ERP, system)
    erp.pull_once(buyer.store, buyer.ctx, ERP, system)
    assert waiting(buyer) == ["C1", "P1"]
    assert buyer.read(refusals.kept, "erp") == []


def test_a_wrong_document_is_kept_until_it_is_exported_anew(buyer: Company) -> None:
    system = Erp(order("P1", "-5"), order("P2", "5"))
    pulled = erp.pull_once(buyer.store, buyer.ctx, ERP, system)
    assert (pulled.refused, pulled.documents) == (1, 1)
    again = erp.pull_once(buyer.store, buyer.ctx, ERP, system)
    assert again.refused == 0, "it cannot succeed by itself, and is not tried"
    assert [one.change.key for one in buyer.read(refusals.kept, "erp")] == ["P1"]
    assert erp.pull_once(buyer.store, buyer.ctx, ERP, system, retry_all=True).refused == 1
    system.changes.append(order("P1", "6"))
    erp.pull_once(buyer.store, buyer.ctx, ERP, system)
    assert waiting(buyer) == ["P1", "P2"]
    assert buyer.read(refusals.kept, "erp") == []


def limit_waiting(company: Company, most: int) -> None:
    settings = replace(company.ctx.settings, limits=LimitSettings(waiting_documents=most))
    company.ctx = replace(company.ctx, settings=settings)


def submit_orders(company: Company, *numbers: str) -> list[str]:
    (seller,) = company.read(lambda tx: tx.partners.all())
    given = [Submission(wire.from_fields("Order", order(number, "1").fields)) for number in numbers]
    return [one.state for one in company.do(submit, seller.partner_id, given)]


def test_no_more_documents_wait_for_a_partner_than_the_limit(buyer: Company) -> None:
    limit_waiting(buyer, 3)
    assert submit_orders(buyer, "P1", "P2") == ["waiting"] * 2
    with pytest.raises(RefusedError, match="over 3 documents would wait for Seller") as caught:
        submit_orders(buyer, "P3", "P4")
    assert caught.value.code == "too-many-waiting"
    assert "limits.waiting_documents" in caught.value.hint
    assert waiting(buyer) == ["P1", "P2"]
    assert submit_orders(buyer, "P3") == ["waiting"]
    assert submit_orders(buyer, "P1", "P3") == ["duplicate"] * 2
    with pytest.raises(RefusedError):
        submit_orders(buyer, "P4")
    limit_waiting(buyer, 4)
    assert submit_orders(buyer, "P1", "P4") == ["duplicate", "waiting"]


def test_what_waits_for_room_is_never_lost(buyer: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "KEPT_MAX", 2)
    limit_waiting(buyer, 1)
    system = Erp(*(order(f"P{number}", "1") for number in range(1, 6)))
    for _ in range(2):
        with pytest.raises(RefusedError, match="nothing more is pulled") as caught:
            erp.pull_once(buyer.store, buyer.ctx, ERP, system)
        assert caught.value.code == "too-many-waiting"
    assert waiting(buyer) == ["P1"]
    assert [one.change.key for one in buyer.read(refusals.kept, "erp")] == ["P2", "P3"]
    limit_waiting(buyer, 9)
    erp.pull_once(buyer.store, buyer.ctx, ERP, system)
    assert waiting(buyer) == ["P1", "P2", "P3", "P4", "P5"]


def test_the_limit_holds_when_ids_do_not_tell_how_many_wait(buyer: Company) -> None:
    limit_waiting(buyer, 6)
    chance = random.Random(7)
    given: list[str] = []
    refused = 0
    for step in range(60):
        buyer.store.write(lambda tx: tx.documents.next_ids(chance.choice([1, 5, 40])))
        numbers = [f"P{step}.{place}" for place in range(chance.randint(1, 3))]
        if len(given) + len(numbers) <= 6:
            assert submit_orders(buyer, *numbers) == ["waiting"] * len(numbers)
            given += numbers
        else:
            with pytest.raises(RefusedError):
                submit_orders(buyer, *numbers)
            refused += 1
        for _ in range(chance.choice([0, 0, 2])):
            if given:
                number = given.pop(chance.randrange(len(given)))
                (row,) = buyer.read(lambda tx, one: tx.documents.search(number=one), number)
                buyer.do(withdraw, row.document_id)
        assert waiting(buyer) == sorted(given)
    assert refused > 5


def test_what_would_be_refused_is_told_before_the_first_pull_and_nothing_of_it_stays(buyer: Company) -> None:
    changes = [order("P1", "5"), order("P2", "-4"), cancellation("X1", "P1"), cancellation("X9", "P9")]
    stock = StockColumns(
        columns={
            "item.seller_number": ["A", "B"],
            "location": ["L", "L"],
            "on_hand": ["4", "x"],
            "unit": ["C62", "C62"],
        },
        keys=["A", "B"],
        rows=["2", "3"],
        header={"basis": "GROSS"},
        origin="stock.csv",
    )
    told = rehearse(buyer.store, buyer.ctx, ERP, changes, [stock])
    assert [(one.row, one.rule) for one in told] == [
        ("P2", "quantity"),
        ("X9", "unknown-order"),
        ("3", "bad-decimal"),
    ]
    assert waiting(buyer) == []
    assert buyer.read(refusals.kept, "erp") == []
    assert buyer.read(lambda tx: tx.stock.own_changed(0, 10)) == []
    erp.pull_once(buyer.store, buyer.ctx, ERP, Erp(*changes))
    assert waiting(buyer) == ["P1", "X1"]


def test_stock_lines_that_do_not_count_are_told_beside_their_file(
    shop: Company, tmp_path: Path, project_root: Path
) -> None:
    """Each time that they come, and no more once they are good."""
    home = tmp_path / "systems"
    shutil.copytree(project_root / "config" / "mappings", home / "mappings")
    shop.store.write(lambda tx: tx.settings.put_cursor(CursorRow("erp", "", 1, 0)))
    adapter = FilesAdapter({"folder": "x", "mappings": "mappings/erp-csv.toml"}, home, SchemaTargets())

    def dropped(*lines: str) -> list[dict[str, str]]:
        """What lies beside the file afterwards; all folders are emptied."""
        for folder in ("in", "processed", "rejected"):
            shutil.rmtree(home / "x" / folder, ignore_errors=True)
        (home / "x" / "in").mkdir(parents=True)
        (home / "x" / "in" / "stock.csv").write_text("\n".join(["ITEM;SITE;ON_HAND;UNIT", *lines]) + "\n")
        for _ in range(3):  # a file is taken when it has not grown since the pull before
            erp.pull_once(shop.store, shop.ctx, ERP, adapter)
        beside = home / "x" / "rejected" / "stock.csv.findings.csv"
        assert (home / "x" / ("rejected" if beside.exists() else "processed") / "stock.csv").exists()
        if not beside.exists():
            return []
        with beside.open(encoding="utf-8-sig", newline="") as stream:
            return list(csv.DictReader(stream, delimiter=";"))

    try:
        (told,) = dropped("A;1;5;ST", "B;1;;ST", "C;1;7;ST")
        assert (told["row"], told["rule"]) == ("3", "no-quantity")
        assert "neither on hand" in told["what is wrong"]
        assert dropped("A;1;6;ST", "B;1;;ST", "C;1;7;ST") == [told], "uncorrected"
        assert dropped("A;1;6;ST", "B;1;4;ST", "C;1;;ST")[0]["row"] == "4"
        assert dropped("A;1;6;ST", "B;1;4;ST", "C;1;7;ST") == []
        assert shop.read(refusals.kept_lines, "erp") == []
    finally:
        adapter.close()
