"""The three systems that the conformance suite runs on: a folder of CSV files, a SQL database, JSON lines."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, NullPool, create_engine, text

from adapters.base import Fields
from adapters.files import FilesAdapter
from adapters.jsonl import JsonLinesAdapter
from adapters.sql import SqlAdapter
from adapters.targets import SchemaTargets
from adapters.testing import LotRow
from tests.companies import HandClock

LONG_AGO = datetime(2001, 1, 1, 8, tzinfo=UTC)
"""When the rigs' clock starts: every file's own times are later, so that no test depends on when it runs."""

CSV_MAPPING = """
[[pull]]
name = "orders"
document = "Order"
files = "*.csv"
key = ["NO"]
[pull.fields]
header.number = "NO"
currency = "CUR"
[pull.lines]
line_id = "POS"
item.buyer_number = "ITEM"
quantity.value = { column = "QTY", convert = ["required", { decimal = "1.234,56" }] }
quantity.unit = { constant = "C62" }

[[push]]
document = "Order"
rows = "lines[]"
[push.columns]
NO = "header.number"
ITEM = "lines[].item.buyer_number"
QTY = "lines[].quantity.value"
"""

SQL_MAPPING = """
[[pull]]
name = "orders"
document = "Order"
query = "SELECT no, pos, item, qty, cur FROM po ORDER BY id"
key = ["no"]
[pull.fields]
header.number = "no"
currency = "cur"
[pull.lines]
line_id = "pos"
item.buyer_number = "item"
quantity.value = { column = "qty", convert = ["required", { decimal = "1.234,56" }] }
quantity.unit = { constant = "C62" }

[[push]]
document = "Order"
reference = "so_id"
[[push.statement]]
sql = "INSERT INTO so (no) VALUES (:no) RETURNING id"
keep = "so_id"
[push.statement.values]
no = "header.number"
[[push.statement]]
each = "lines[]"
sql = "INSERT INTO so_line (so_id, item, qty) VALUES (:so_id, :item, :qty)"
[push.statement.values]
item = "lines[].item.buyer_number"
qty = "lines[].quantity.value"
"""


HOLD_MAPPING = '''
[holds]
reserve = [
  "UPDATE stock SET held = held + :quantity WHERE item = :item AND place = :location AND on_hand - held >= :quantity",
  """INSERT INTO stock_hold (item, place, quantity, until, gone) VALUES (:item, :location, :quantity, :until, 0)
     RETURNING id""",
]
extend = "UPDATE stock_hold SET until = :until WHERE id = CAST(:reference AS INTEGER)"
release = [
  "UPDATE stock SET held = held - :quantity WHERE item = :item AND place = :location",
  "UPDATE stock_hold SET gone = 1 WHERE id = CAST(:reference AS INTEGER)",
]
'''

CONFIRMING = """
confirm = [
  "UPDATE stock SET held = held - :quantity, on_hand = on_hand - :taken WHERE item = :item AND place = :location",
  "UPDATE stock_hold SET gone = 1, taken_by = :order WHERE id = CAST(:reference AS INTEGER)",
]
"""


LOT_MAPPING = """
[[pull]]
name = "lots"
document = "InventoryReport"
{source}
key = ["item", "place", "lot"]
lots = ["lot"]
absent = "zero"
[pull.lines]
item.seller_number = "item"
location = "place"
on_hand = "qty"
unit = {{ constant = "C62" }}
"trace[0].best_before_on" = "best"
"""


def order(number: str, quantity: str = "6") -> Fields:
    """An order of one line, as fields."""
    line = {"line_id": "10", "item": {"buyer_number": "A1"}, "quantity": {"value": quantity, "unit": "C62"}}
    return {"header": {"number": number}, "currency": "EUR", "lines": [line]}


class FilesRig:
    """CSV files; ready when a marker says so, so that one pull is enough."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.clock = HandClock(LONG_AGO)
        (home / "m.toml").write_text(CSV_MAPPING)
        self._names = itertools.count(1)

    def make(self, **settings: Any) -> FilesAdapter:
        """As `Rig.make`."""
        settings = {"folder": "x", "mappings": "m.toml", "clock": self.clock.now, **settings}
        return FilesAdapter(settings, self.home, SchemaTargets())

    def drop(self, rows: Sequence[Sequence[str]], name: str = "") -> Path:
        """Put a file of order rows into the folder."""
        path = self.home / "x" / "in" / (name or f"o{next(self._names):04d}.csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as stream:
            csv.writer(stream, delimiter=";").writerows([("NO", "POS", "ITEM", "QTY", "CUR"), *rows])
        return path

    def add(self, numbers: Sequence[str]) -> None:
        """As `Rig.add`."""
        self.drop([(number, "10", "A1", "1.234,5", "EUR") for number in numbers])

    def add_bad(self, number: str) -> None:
        """As `Rig.add_bad`."""
        self.drop([("900", "10", "A1", "many", "EUR"), (number, "10", "A1", "6", "EUR")])

    def document(self, number: str) -> tuple[str, Fields]:
        """As `Rig.document`."""
        return "Order", order(number)

    def written(self) -> list[str]:
        """As `Rig.written`."""
        found = []
        for path in (self.home / "x" / "out").glob("[!.]*.csv"):
            with path.open(encoding="utf-8-sig", newline="") as stream:
                found += [row["NO"] for row in csv.DictReader(stream, delimiter=";")]
        return found


class LotFilesRig(FilesRig):
    """CSV files of lots, each with all that there is."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        (home / "m.toml").write_text(LOT_MAPPING.format(source='files = "*.csv"'))

    def lots(self, rows: Sequence[LotRow]) -> None:
        """As `StockRig.lots`."""
        path = self.home / "x" / "in" / f"lots{next(self._names):04d}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as stream:
            csv.writer(stream, delimiter=";").writerows([("item", "place", "lot", "best", "qty"), *rows])


class SqlRig:
    """A database on any engine."""

    def __init__(self, home: Path, url: str) -> None:
        self.home = home
        self.clock = HandClock(LONG_AGO)
        self.url = url
        (home / "m.toml").write_text(SQL_MAPPING)
        key = "INTEGER PRIMARY KEY" if url.startswith("sqlite") else "SERIAL PRIMARY KEY"
        with self.connect() as connection:
            word = "VARCHAR(20)"
            for statement in (
                f"CREATE TABLE po (id {key}, no {word}, pos INTEGER, item {word}, qty {word}, cur {word})",
                f"CREATE TABLE so (id {key}, no VARCHAR(20))",
                "CREATE TABLE so_line (so_id INTEGER, item VARCHAR(20), qty NUMERIC(18, 6))",
            ):
                connection.execute(text(statement))
            connection.commit()

    def connect(self) -> Connection:
        """A connection to the ERP's database, outside of the adapter."""
        url = self.url.replace("sqlite:///", f"sqlite:///{self.home}/")
        return create_engine(url, poolclass=NullPool).connect()

    def run(self, statement: str, *rows: dict[str, Any]) -> list[Any]:
        """Run a statement in the ERP's database."""
        with self.connect() as connection:
            result = connection.execute(text(statement), list(rows) or None)
            found = list(result) if result.returns_rows else []
            connection.commit()
        return found

    def make(self, **settings: Any) -> SqlAdapter:
        """As `Rig.make`."""
        settings = {"url": self.url, "mappings": "m.toml", "clock": self.clock.now, **settings}
        return SqlAdapter(settings, self.home, SchemaTargets())

    def _insert(self, numbers: Sequence[str], quantity: str) -> None:
        rows = [{"no": number, "qty": quantity} for number in numbers]
        self.run("INSERT INTO po (no, pos, item, qty, cur) VALUES (:no, 10, 'A1', :qty, 'EUR')", *rows)

    def add(self, numbers: Sequence[str]) -> None:
        """As `Rig.add`."""
        self._insert(numbers, "1.234,5")

    def add_bad(self, number: str) -> None:
        """As `Rig.add_bad`."""
        self._insert(["900"], "many")
        self._insert([number], "6")

    def document(self, number: str) -> tuple[str, Fields]:
        """As `Rig.document`."""
        return "Order", order(number)

    def written(self) -> list[str]:
        """As `Rig.written`."""
        return [row[0] for row in self.run("SELECT so.no FROM so JOIN so_line ON so_line.so_id = so.id")]


class LotSqlRig(SqlRig):
    """A database with stock by lots."""

    def __init__(self, home: Path, url: str) -> None:
        super().__init__(home, url)
        query = 'query = "SELECT item, place, lot, best, qty FROM lots ORDER BY item, place, lot"'
        (home / "m.toml").write_text(LOT_MAPPING.format(source=query))
        word = "VARCHAR(20)"
        self.run(f"CREATE TABLE lots (item {word}, place {word}, lot {word}, best {word}, qty {word})")

    def lots(self, rows: Sequence[LotRow]) -> None:
        """As `StockRig.lots`."""
        self.run("DELETE FROM lots")
        names = ("item", "place", "lot", "best", "qty")
        values = [dict(zip(names, row, strict=True)) for row in rows]
        self.run("INSERT INTO lots (item, place, lot, best, qty) VALUES (:item, :place, :lot, :best, :qty)", *values)


class HoldingRig(SqlRig):
    """A database that keeps holds on its stock."""

    def __init__(self, home: Path, url: str, *, confirming: bool = True) -> None:
        super().__init__(home, url)
        (home / "m.toml").write_text(HOLD_MAPPING + (CONFIRMING if confirming else ""))
        key = "INTEGER PRIMARY KEY" if url.startswith("sqlite") else "SERIAL PRIMARY KEY"
        moment = "TEXT" if url.startswith("sqlite") else "TIMESTAMPTZ"
        self.run(
            "CREATE TABLE stock (item VARCHAR(20), place VARCHAR(20), on_hand NUMERIC(18, 6), held NUMERIC(18, 6))"
        )
        self.run(
            f"CREATE TABLE stock_hold (id {key}, item VARCHAR(20), place VARCHAR(20), quantity NUMERIC(18, 6),"
            f" until {moment}, gone INTEGER, taken_by VARCHAR(40))"
        )

    def stock(self, number: str, location: str, quantity: int) -> None:
        """As `HoldRig.stock`."""
        row = {"item": number, "place": location, "quantity": quantity}
        self.run("INSERT INTO stock (item, place, on_hand, held) VALUES (:item, :place, :quantity, 0)", row)

    def free(self, number: str, location: str) -> int:
        """As `HoldRig.free`."""
        sql = "SELECT on_hand - held FROM stock WHERE item = :item AND place = :place"
        with self.connect() as connection:
            return int(connection.execute(text(sql), {"item": number, "place": location}).scalar_one())


class LinesRig:
    """JSON lines."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.clock = HandClock(LONG_AGO)
        self._names = itertools.count(1)

    def make(self, **settings: Any) -> JsonLinesAdapter:
        """As `Rig.make`."""
        settings = {"folder": "x", "documents": ["Order"], "clock": self.clock.now, **settings}
        return JsonLinesAdapter(settings, self.home, SchemaTargets())

    def drop(self, lines: Sequence[str]) -> Path:
        """Put a file of lines into the folder."""
        path = self.home / "x" / "in" / f"o{next(self._names):04d}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    def add(self, numbers: Sequence[str]) -> None:
        """As `Rig.add`."""
        self.drop([json.dumps({"document": "Order", "fields": order(number)}) for number in numbers])

    def add_bad(self, number: str) -> None:
        """As `Rig.add_bad`."""
        bad = {"document": "Order", "fields": order("900", quantity="1,5")}
        good = {"document": "Order", "fields": order(number)}
        self.drop([json.dumps(bad), "{ this is no line", json.dumps(good)])

    def document(self, number: str) -> tuple[str, Fields]:
        """As `Rig.document`."""
        return "Order", order(number)

    def written(self) -> list[str]:
        """As `Rig.written`."""
        paths = (self.home / "x" / "out").glob("[!.]*.jsonl")
        return [json.loads(path.read_text())["fields"]["header"]["number"] for path in paths]


class LotLinesRig(LinesRig):
    """JSON lines: a report for each item and place, which says itself what is gone."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self._known: dict[tuple[str, str], None] = {}

    def make(self, **settings: Any) -> JsonLinesAdapter:
        """As `StockRig.make`."""
        return super().make(**{"documents": ["InventoryReport"], **settings})

    def lots(self, rows: Sequence[LotRow]) -> None:
        """As `StockRig.lots`."""
        self._known |= dict.fromkeys((item, place) for item, place, *_ in rows)
        self.drop(
            [json.dumps({"document": "InventoryReport", "fields": self._report(*one, rows)}) for one in self._known]
        )

    def _report(self, item: str, place: str, rows: Sequence[LotRow]) -> Fields:
        there = [(day, amount) for number, site, _, day, amount in rows if (number, site) == (item, place)]
        trace = [{"best_before_on": day, "quantity": {"value": amount, "unit": "C62"}} for day, amount in there]
        line = {
            "item": {"seller_number": item},
            "location": place,
            "on_hand": str(sum(int(amount) for _, amount in there)),
            "unit": "C62",
            "trace": trace,
        }
        return {"header": {"number": f"{item}-{place}-{next(self._names)}"}, "lines": [line]}
