"""Atelier Meuble sells in the second act: from stock, in whole dozens or cartons, to companies and to their customers.

What is on stock is confirmed and leaves at once; what is not, or is no whole dozen or carton, is rejected. Prices are a
share of what the retailer asks for the item.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from scripts.demonstration import erp_database, facts
from scripts.demonstration.trade import Item

__all__ = ["begin", "create", "work"]

_SQL = Path(__file__).parent.parent / "sql" / "manufacturer_sales.sql"
_NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
PRICE_SHARE = Decimal("0.55")


def create(connection: sqlite3.Connection, items: Iterable[Item], exclusive: Iterable[str]) -> None:
    """Add prices to the articles of the ERP; `exclusive` items are sold to the wholesaler only."""
    connection.executescript(_SQL.read_text(encoding="utf-8"))
    kept = set(exclusive)
    with erp_database.transaction(connection):
        connection.execute("INSERT OR IGNORE INTO parametre VALUES ('vente', '0')")
        for item in items:
            made = facts.made_of(item.code)
            if made is not None:
                price = (item.price * PRICE_SHARE).quantize(Decimal("0.01"), ROUND_HALF_UP)
                connection.execute(
                    "INSERT INTO tarif VALUES (?, ?, ?, ?, NULL)",
                    (made.number, f"{price:f}", f"{facts.weight_of(item.code):f}", item.code in kept),
                )


def begin(connection: sqlite3.Connection, counted: dict[str, int]) -> None:
    """Begin to sell; a count finds so many units of these articles."""
    with erp_database.transaction(connection):
        connection.executemany(
            "UPDATE article SET stock = ? WHERE ref_article = ?",
            [(units, article) for article, units in counted.items()],
        )
        connection.execute(
            "UPDATE tarif SET depart = (SELECT stock FROM article a WHERE a.ref_article = tarif.ref_article)"
        )
        connection.execute("UPDATE parametre SET valeur = '1' WHERE nom = 'vente'")
        connection.execute(f"INSERT OR REPLACE INTO parametre VALUES ('vente_le', {_NOW})")  # noqa: S608


def work(db: sqlite3.Connection) -> int:
    """Answer and send what was ordered, then report deliveries; returns how many orders and deliveries that were."""
    orders = db.execute("SELECT * FROM commande WHERE traite = 0 LIMIT 50").fetchall()
    for order in orders:
        with erp_database.transaction(db):
            _answer(db, order)
    return len(orders)


def _answer(db: sqlite3.Connection, order: sqlite3.Row) -> None:
    place = (order["client"], order["no_commande"])
    number = f"{order['client'][-4:]}-{order['no_commande']}"
    lines = db.execute(
        "SELECT * FROM commande_ligne WHERE client = ? AND no_commande = ? ORDER BY CAST(ligne AS INTEGER)", place
    ).fetchall()
    sent: list[tuple[str, str, int]] = []
    states: list[str] = []
    parts: list[tuple[str, str, str, int, str | None]] = []
    for line in lines:
        article, reason = _allot(db, line)
        pieces = int(Decimal(line["qte"]))
        states.append("REJECTED" if reason else "ACCEPTED")
        parts.append((f"CF-{number}", line["ligne"], states[-1], pieces, reason))
        if not reason:
            sent.append((line["ligne"], article, pieces))
    whole = states[0] if len(set(states)) == 1 else "CHANGED"
    db.execute(
        f"INSERT INTO confirmation VALUES (?, ?, ?, ?, {_NOW}, ?)",  # noqa: S608
        (f"CF-{number}", order["no_commande"], order["client"], whole, _change(db)),
    )
    db.executemany("INSERT INTO confirmation_ligne VALUES (?, ?, 1, ?, ?, ?)", parts)
    if sent:
        note = f"EX-{number}"
        tracking = f"GR{facts.bucket(note, 10**9):09d}FR"
        delivered = int(facts.is_delivered(note))
        db.execute(
            f"INSERT INTO expedition VALUES (?, ?, ?, {_NOW}, ?, ?, ?)",  # noqa: S608
            (note, order["no_commande"], order["client"], tracking, delivered, _change(db)),
        )
        db.executemany("INSERT INTO expedition_ligne VALUES (?, ?, ?, ?)", [(note, *one) for one in sent])
    db.execute("UPDATE commande SET traite = 1 WHERE client = ? AND no_commande = ?", place)


def _allot(db: sqlite3.Connection, line: sqlite3.Row) -> tuple[str, str | None]:
    """Take a line from stock; the article, and why not (None when it goes)."""
    article = db.execute(
        "SELECT * FROM article WHERE ean = ? OR ref_article = ? LIMIT 1", (line["ean"], line["ref_article"])
    ).fetchone()
    if article is None:
        return "", "article inconnu"
    pieces = Decimal(line["qte"])
    if pieces % article["contenu"]:
        return article["ref_article"], f"par {article['contenu']} seulement"
    units = int(pieces // article["contenu"])
    if units > article["stock"]:
        return article["ref_article"], "epuise"
    db.execute("UPDATE article SET stock = stock - ? WHERE ref_article = ?", (units, article["ref_article"]))
    return article["ref_article"], None


def _change(db: sqlite3.Connection) -> int:
    value = int(db.execute("SELECT valeur FROM parametre WHERE nom = 'maj'").fetchone()[0]) + 1
    db.execute("UPDATE parametre SET valeur = ? WHERE nom = 'maj'", (str(value),))
    return value
