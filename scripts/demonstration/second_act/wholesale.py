"""Nordwind's ERP in the second act: its clock shows today, orders leave at once, its range is offered with prices."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from scripts.demonstration import erp_database, facts
from scripts.demonstration.trade import Item

__all__ = ["begin", "block", "create", "free_pieces", "is_open", "now", "sent"]

_SQL = Path(__file__).parent.parent / "sql" / "supplier_today.sql"
PRICE_SHARE = Decimal("0.60")


def create(connection: sqlite3.Connection, items: Iterable[Item], company: str) -> None:
    """Add the tables and the prices of the second act to the ERP of `company`."""
    connection.executescript(_SQL.read_text(encoding="utf-8"))
    with erp_database.transaction(connection):
        connection.execute("INSERT INTO einstellung VALUES ('heute', ''), ('eigene_id', ?)", (company,))
        for item in items:
            if facts.gtin_of(item.code):
                price = (item.price * PRICE_SHARE).quantize(Decimal("0.01"), ROUND_HALF_UP)
                row = (facts.supplier_number(item.code), f"{price:f}", f"{facts.weight_of(item.code):f}")
                connection.execute("INSERT INTO katalog VALUES (?, ?, ?, 0)", row)


def begin(connection: sqlite3.Connection, shelf: Mapping[str, int]) -> None:
    """The clock shows today from now on; `shelf` is what the maker sends for us, in pieces by article."""
    with erp_database.transaction(connection):
        connection.executemany("INSERT INTO strecke VALUES (?, ?)", list(shelf.items()))
        connection.execute(
            "UPDATE katalog SET anfang = (SELECT menge FROM bestand b WHERE b.artikel_nr = katalog.artikel_nr)"
        )
        connection.execute("UPDATE einstellung SET wert = '1' WHERE name = 'heute'")


def block(connection: sqlite3.Connection, article: str, units: int) -> None:
    """Quality control blocks so much of an article; the figures that partners see do not tell of it."""
    with erp_database.transaction(connection):
        connection.execute("INSERT INTO qualitaetssperre VALUES (?, ?)", (article, units))


def is_open(db: sqlite3.Connection) -> bool:
    """Whether the second act has begun."""
    return bool(db.execute("SELECT wert = '1' FROM einstellung WHERE name = 'heute'").fetchone()[0])


def now(db: sqlite3.Connection) -> datetime:
    """The wall clock, UTC, without saying so, as the ERP writes it."""
    return datetime.fromisoformat(db.execute("SELECT strftime('%Y-%m-%dT%H:%M:%S', 'now')").fetchone()[0])


def free_pieces(db: sqlite3.Connection) -> dict[str, int]:
    """What is free of each article, in pieces."""
    rows = db.execute("SELECT artikel_nr, (menge - zugesagt) * ve FROM bestand JOIN artikel USING (artikel_nr)")
    return {row[0]: row[1] for row in rows}


def sent(db: sqlite3.Connection, note: str) -> None:
    """A despatch of the second act: the carrier reports it as delivered, or not yet."""
    if facts.is_delivered(note):
        db.execute("INSERT INTO zustellung VALUES (?, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))", (note,))
