"""A supplier's ERP for a benchmark: a real table of stock in SQLite, and the mapping that reads it."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from node.core.identifiers import check_digit

__all__ = ["FILE", "MAPPING", "change_some", "gtin_of", "make_erp", "number_of", "on_hand_of", "on_hand_sum"]

FILE = "erp.db"

CHANGED = '''
query = """
SELECT artikel_nr, ean, lager, menge, menge - zugesagt AS frei, einheit, aenderung
FROM bestand WHERE aenderung > :cursor ORDER BY aenderung
"""
since = "aenderung"
since_start = 0
'''
"""An ERP that numbers its changes is asked for what is new."""

WHOLE = """
query = "SELECT artikel_nr, ean, lager, menge, menge - zugesagt AS frei, einheit FROM bestand ORDER BY ean"
absent = "zero"
"""
"""One that does not is read as a whole, and staging finds what is new."""

MAPPING = """
[[pull]]
name = "bestand"
document = "InventoryReport"
%s
key = ["artikel_nr", "lager"]

[pull.fields]
basis = { constant = "NET" }

[pull.lines]
item.seller_number = "artikel_nr"
item.gtin = "ean"
location = "lager"
on_hand = "menge"
available = "frei"
unit = { column = "einheit", convert = [{ unit = { ST = "C62", KAR = "XBX" } }] }
"""

_SEED = 20_261_122


def gtin_of(item: int) -> str:
    """The GTIN-13 of the item; every item has its own."""
    body = f"40{item:010d}"
    return body + check_digit(body)


def number_of(item: int) -> str:
    """The supplier's number of the item."""
    return f"A-{item:07d}"


def _rows(lines: int) -> Iterator[tuple[str, str, str, int, int, str, int]]:
    """One line for each item, with quantities as a warehouse has them: many small ones, few large ones."""
    chance = random.Random(_SEED)
    for item in range(lines):
        held = int(chance.expovariate(1 / 120))
        unit = "KAR" if item % 10 == 0 else "ST"
        yield number_of(item), gtin_of(item), f"DC{item % 4 + 1}", held, min(held, item % 5), unit, item + 1


def make_erp(home: Path, lines: int, *, numbers_changes: bool) -> None:
    """Make the table with so many lines, and the mapping, in a node's home."""
    (home / "erp.toml").write_text(MAPPING % (CHANGED if numbers_changes else WHOLE))
    with closing(sqlite3.connect(home / FILE)) as erp:
        erp.execute(
            "CREATE TABLE bestand (artikel_nr TEXT NOT NULL, ean TEXT NOT NULL, lager TEXT NOT NULL,"
            " menge INTEGER NOT NULL, zugesagt INTEGER NOT NULL, einheit TEXT NOT NULL, aenderung INTEGER NOT NULL,"
            " PRIMARY KEY (artikel_nr, lager))"
        )
        erp.executemany("INSERT INTO bestand VALUES (?, ?, ?, ?, ?, ?, ?)", _rows(lines))
        erp.execute("CREATE INDEX bestand_aenderung ON bestand (aenderung)")
        erp.commit()


def change_some(home: Path, lines: int, share: float) -> list[int]:
    """Book goods in on a share of the lines, scattered over the table; returns their items in growing order."""
    chance = random.Random(_SEED + 1)
    chosen = sorted(chance.sample(range(lines), max(1, round(lines * share))))
    with closing(sqlite3.connect(home / FILE)) as erp:
        erp.executemany(
            "UPDATE bestand SET menge = menge + 7, aenderung = ? WHERE artikel_nr = ?",
            [(lines + 1 + place, number_of(item)) for place, item in enumerate(chosen)],
        )
        erp.commit()
    return chosen


def on_hand_sum(home: Path) -> int:
    """What the ERP holds of everything together."""
    with closing(sqlite3.connect(home / FILE)) as erp:
        total: int = erp.execute("SELECT sum(menge) FROM bestand").fetchone()[0]
        return total


def on_hand_of(home: Path, item: int) -> int:
    """What the ERP holds of one item."""
    with closing(sqlite3.connect(home / FILE)) as erp:
        held: int = erp.execute("SELECT menge FROM bestand WHERE artikel_nr = ?", (number_of(item),)).fetchone()[0]
        return held
