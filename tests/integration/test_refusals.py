"""What an ERP gives too early, or wrong, is kept with its reasons and goes when it can."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Change, Finding, PullBatch, next_cursor
from node.app import erp, refusals
from node.config import AdapterSettings
from node.core.rows import CursorRow
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
