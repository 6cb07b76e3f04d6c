"""Fill the supplier's new ERP: articles, opening stock, expected receipts, reorder points."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from scripts.demonstration import erp_database, facts
from scripts.demonstration.second_act import wholesale
from scripts.demonstration.trade import Item

__all__ = ["COMPANY", "REPLENISHED_ONE_IN", "create"]

COMPANY = "0088:2900000000025"
"""The company whose ERP this is; a GLN with the restricted prefix 29, which GS1 gives to nobody."""

REPLENISHED_ONE_IN = 4
"""Of the well-supplied articles that the manufacturer makes, one in four has a reorder point."""


def create(path: Path, items: Collection[Item], first_at: datetime) -> None:
    """Make the ERP's database at `path` for the items of a trade whose first order is placed at `first_at`."""
    connection = erp_database.create(path, "supplier")
    with erp_database.transaction(connection):
        connection.executemany(
            "INSERT INTO einstellung VALUES (?, ?)",
            [
                ("naechste_nr", "1"),
                ("letzte_nr", ""),
                ("versandlauf", first_at.replace(hour=17, minute=0, second=0).isoformat()),
                ("aenderung", "0"),
                ("letzter_auftrag", "0"),
                ("letzter_lieferschein", "0"),
                ("letzte_rechnung", "0"),
            ],
        )
        for change, item in enumerate(sorted(items, key=lambda item: item.code), start=1):
            _add(connection.execute, item, first_at, change)
            connection.execute("UPDATE einstellung SET wert = ? WHERE name = 'aenderung'", (str(change),))
    wholesale.create(connection, items, COMPANY)
    connection.close()


def _add(execute: erp_database.Execute, item: Item, first_at: datetime, change: int) -> None:
    pack = facts.pack_of(item.code, item.common)
    supply = facts.supply_of(item.code, item.demand, pack, first_at.date())
    made = facts.made_of(item.code)
    category, rate = facts.vat_of(item.description)
    number = facts.supplier_number(item.code)
    execute(
        "INSERT INTO artikel VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number,
            facts.gtin_of(item.code) or None,
            item.code,
            item.description,
            "ST" if pack == 1 else "VPE",
            pack,
            f"{item.price * pack:f}",
            category,
            f"{rate:f}",
            supply.kind == "discontinued",
            made.number if made else None,
            made.unit if made else None,
            made.contents if made else None,
        ),
    )
    execute(
        "INSERT INTO bestand (artikel_nr, anfang, menge, aenderung) VALUES (?, ?, ?, ?)",
        (number, supply.opening, supply.opening, change),
    )
    if supply.receipt and supply.receipt_on:
        execute(
            "INSERT INTO offene_bestellung (artikel_nr, menge, termin) VALUES (?, ?, ?)",
            (number, supply.receipt, supply.receipt_on.isoformat()),
        )
    if made and supply.kind == "plenty" and facts.bucket(f"reorder{item.code}", REPLENISHED_ONE_IN) == 0:
        # In pieces: half of the demand brings the stock below it. The lot is what the manufacturer packs.
        reorder = max(supply.opening * pack - item.demand // 2, 1)
        execute(
            "INSERT INTO meldebestand (artikel_nr, melde_menge, soll_menge, losgroesse) VALUES (?, ?, ?, ?)",
            (number, reorder, reorder + made.contents, made.contents),
        )
