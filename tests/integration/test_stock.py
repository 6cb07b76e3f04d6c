"""Stock between two real companies: snapshots in parts, broken ones, long lines, and what a refusal brings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from node.app.links import exchange
from node.app.stock import inventory
from node.config import Settings, SharingRule, SharingSettings
from node.core.rows import StockRow
from tests.companies import Company, connect, deliver, swap

PIECE = 1_000_000


@pytest.fixture
def companies(tmp_path: Path) -> tuple[Company, Company]:
    supplier, shop = Company(tmp_path / "s", "Supplier"), Company(tmp_path / "r", "Shop")
    shares = Settings(sharing=SharingSettings(rules=(SharingRule(figure="exact"),)))
    supplier.ctx = replace(supplier.ctx, settings=shares)
    swap(supplier, shop)
    connect(supplier, shop)
    return supplier, shop


def stock(company: Company, count: int, *, pad: str = "", pieces: int = 5) -> None:
    rows = []
    for n in range(count):
        number = f"{pad}{n:06d}"
        key = f"no:{company.id}:{number}"
        held = pieces * PIECE
        rows.append(
            StockRow(
                key,
                "",
                0,
                "DC",
                "",
                "AVAILABLE",
                "EXACT",
                held,
                held,
                None,
                "C62",
                "",
                number,
                "",
                company.ctx.now_micros(),
                0,
            )
        )
    company.do(inventory.put_own, rows)


def seen(shop: Company, supplier: Company) -> int:
    return shop.read(lambda tx: tx.stock.count(supplier.id))


def test_long_lines_make_more_reports_not_one_that_is_refused(companies: tuple[Company, Company]) -> None:
    supplier, shop = companies
    stock(supplier, 4_000, pad="X" * 400)
    connect(supplier, shop)
    assert seen(shop, supplier) == 4_000
    sent = supplier.read(lambda tx: tx.documents.search(type="InventoryReport", limit=100))
    assert {row.state for row in sent} == {"taken"}
    assert max(len(row.body or b"") for row in sent) <= inventory.REPORT_BYTES_MAX


def test_a_snapshot_that_lacks_a_part_is_not_used(
    companies: tuple[Company, Company], monkeypatch: pytest.MonkeyPatch
) -> None:
    supplier, shop = companies
    stock(supplier, 10)
    connect(supplier, shop)
    assert seen(shop, supplier) == 10

    supplier.do(lambda tx, ctx: inventory.resend_stock(tx, shop.id))
    monkeypatch.setattr(inventory, "REPORT_LINES_MAX", 4)
    take, seen_parts = inventory.take_report, []

    def loses_the_second(tx, ctx, partner_id, report):  # type: ignore[no-untyped-def]
        seen_parts.append(report)
        if len(seen_parts) == 2:
            return
        take(tx, ctx, partner_id, report)

    stock(supplier, 10, pieces=7)
    monkeypatch.setattr(inventory, "take_report", loses_the_second)
    connect(supplier, shop)
    assert len(seen_parts) == 3
    key = f"no:{supplier.id}:000000"
    figures = shop.read(lambda tx: tx.stock.figures([key]))
    assert [row.on_hand for row in figures] == [5 * PIECE], "the old figures stand"

    supplier.do(lambda tx, ctx: inventory.resend_stock(tx, shop.id))
    connect(supplier, shop)
    assert seen(shop, supplier) == 10
    assert [row.on_hand for row in shop.read(lambda tx: tx.stock.figures([key]))] == [7 * PIECE]


def test_a_refused_report_brings_a_whole_snapshot_once(companies: tuple[Company, Company]) -> None:
    supplier, shop = companies
    stock(supplier, 3)
    connect(supplier, shop)
    before = shop.partner(supplier)
    # The shop cannot take anything for a while: as if the cards were not confirmed.
    shop.store.write(lambda tx: tx.partners.put(before._replace(state="added")))
    stock(supplier, 1, pieces=9)
    deliver(supplier, shop)
    shop.store.write(lambda tx: tx.partners.put(before))
    sent = supplier.read(lambda tx: tx.documents.search(type="InventoryReport", state="refused", limit=10))
    assert len(sent) == 2, "the refused report, and the snapshot that was tried at once"
    supplier.clock.move(hours=2)
    stock(supplier, 1, pieces=8)
    connect(supplier, shop)
    figures = shop.read(lambda tx: tx.stock.figures([f"no:{supplier.id}:000000"]))
    assert [row.on_hand for row in figures] == [8 * PIECE]
    assert isinstance(
        shop.do(exchange.open_session, supplier.id, supplier.do(exchange.hello, shop.id)), exchange.Opening
    )
