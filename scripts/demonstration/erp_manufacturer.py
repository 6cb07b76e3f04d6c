"""The ERP of Atelier Meuble: answers requests for replenishment with production orders and dates.

It counts in dozens and cartons, and rounds a request up to whole ones. What is on stock is promised for tomorrow,
everything else is made in ten days; "today" is the date on which the ERP was set up, as its clock stands still.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Collection
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path

from scripts.demonstration import erp_database, facts
from scripts.demonstration.second_act import factory
from scripts.demonstration.trade import Item

__all__ = ["create", "work"]

FROM_STOCK_DAYS = 1
PRODUCTION_DAYS = 10


def create(path: Path, items: Collection[Item], first_at: datetime, exclusive: Collection[str] = ()) -> None:
    """Make the ERP's database at `path` with the articles that this manufacturer makes.

    `exclusive` items it sells to the wholesaler only.
    """
    connection = erp_database.create(path, "manufacturer")
    with erp_database.transaction(connection):
        connection.executemany(
            "INSERT INTO parametre VALUES (?, ?)", [("aujourdhui", first_at.date().isoformat()), ("maj", "0")]
        )
        for item in items:
            made = facts.made_of(item.code)
            if made is None:
                continue
            connection.execute(
                "INSERT INTO article VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    made.number,
                    facts.supplier_number(item.code),
                    facts.gtin_of(item.code) or None,
                    item.description,
                    "DZ" if made.unit == "DZN" else "CT",
                    made.contents,
                    facts.bucket(f"atelier stock {item.code}", 40),
                ),
            )
    factory.create(connection, items, exclusive)
    connection.close()


def work(db: sqlite3.Connection) -> int:
    """Answer every request and every order that has come; returns how many."""
    requests = db.execute("SELECT DISTINCT no_demande FROM demande_reappro WHERE traite = 0 LIMIT 50").fetchall()
    for (number,) in requests:
        with erp_database.transaction(db):
            _answer(db, number)
    return len(requests) + factory.work(db)


def _answer(db: sqlite3.Connection, number: str) -> None:
    today = date.fromisoformat(db.execute("SELECT valeur FROM parametre WHERE nom = 'aujourdhui'").fetchone()[0])
    answer = f"RR-{number}"
    change = int(db.execute("SELECT valeur FROM parametre WHERE nom = 'maj'").fetchone()[0]) + 1
    db.execute("UPDATE parametre SET valeur = ? WHERE nom = 'maj'", (str(change),))
    db.execute("INSERT INTO reponse_reappro VALUES (?, ?, ?, ?)", (answer, number, f"{today}T12:00:00Z", change))
    for row in db.execute(
        "SELECT * FROM demande_reappro WHERE no_demande = ? ORDER BY CAST(ligne AS INTEGER), ligne", (number,)
    ).fetchall():
        article = db.execute(
            "SELECT * FROM article WHERE ref_article = ? OR ref_client = ? OR ean = ? LIMIT 1",
            (row["ref_article"], row["ref_client"], row["ean"]),
        ).fetchone()
        units, reason = _units(row["qte_pieces"], article)
        due = None if reason else _plan(db, row, article, units, today)
        db.execute(
            "INSERT INTO reponse_ligne VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                answer,
                row["ligne"],
                article["ref_article"] if article else row["ref_article"],
                article["ref_client"] if article else row["ref_client"],
                0 if reason else units * article["contenu"],
                due,
                reason,
            ),
        )
        db.execute("UPDATE demande_reappro SET traite = 1 WHERE no_demande = ? AND ligne = ?", (number, row["ligne"]))


def _units(pieces: str, article: sqlite3.Row | None) -> tuple[int, str | None]:
    """Whole dozens or cartons for the pieces asked for, and why not (None when it goes)."""
    if article is None:
        return 0, "article inconnu"
    try:
        wanted = Decimal(pieces)
    except InvalidOperation:
        return 0, "quantite illisible"
    return (-int(-wanted // article["contenu"]), None) if wanted > 0 else (0, "quantite nulle")


def _plan(db: sqlite3.Connection, row: sqlite3.Row, article: sqlite3.Row, units: int, today: date) -> str:
    """Take the whole request from stock or make all of it; returns the date on which it is ready."""
    stocked = article["stock"] >= units
    due = (today + timedelta(days=FROM_STOCK_DAYS if stocked else PRODUCTION_DAYS)).isoformat()
    if stocked:
        db.execute("UPDATE article SET stock = stock - ? WHERE ref_article = ?", (units, article["ref_article"]))
    db.execute(
        "INSERT INTO ordre_fabrication VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            f"OF-{row['no_demande']}-{row['ligne']}",
            row["no_demande"],
            row["ligne"],
            article["ref_article"],
            units,
            stocked,
            due,
        ),
    )
    return due


if __name__ == "__main__":
    erp_database.run_process(Path(sys.argv[1]), work)
