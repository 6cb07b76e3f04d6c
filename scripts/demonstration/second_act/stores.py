"""The stores of Harbour Gifts in the second act: shelves, customers' orders as files, and what the node tells them.

The node hands despatch instructions over as files. A store takes the pieces off its shelf at once, as many as there
are, and says what is missing; what goes to a home leaves with the carrier, what is collected lies ready until
the customer comes (`collect`). Four of five parcels are reported as delivered; the others are still on their way.
"""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from scripts.demonstration import erp_database, facts

__all__ = ["TAKERS", "arrived", "collect", "create", "open_shelves", "receive", "release", "want", "work"]

_SQL = Path(__file__).parent.parent / "sql" / "retailer_stores.sql"
_NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
ORDERS_PER_FILE = 20


def create(ledger: sqlite3.Connection) -> None:
    """Add the stores' tables to the shop's ledger."""
    ledger.executescript(_SQL.read_text(encoding="utf-8"))
    ledger.execute("INSERT OR IGNORE INTO control VALUES ('shelves', '0'), ('papers', '0')")


def open_shelves(ledger: sqlite3.Connection, stock: Mapping[tuple[str, str], int]) -> None:
    """Count the shelves: what lies in each store of each item from now on."""
    with erp_database.transaction(ledger):
        ledger.executemany(
            "INSERT INTO shelf VALUES (?, ?, ?, ?)", [(*place, pieces, pieces) for place, pieces in stock.items()]
        )


def receive(ledger: sqlite3.Connection, store: str, item: str, pieces: int) -> None:
    """Goods come in at a store's back door."""
    with erp_database.transaction(ledger):
        ledger.execute("INSERT INTO shelf_receipt (store, item, pieces) VALUES (?, ?, ?)", (store, item, pieces))
        ledger.execute("UPDATE shelf SET on_hand = on_hand + ? WHERE store = ? AND item = ?", (pieces, store, item))


def want(ledger: sqlite3.Connection, order: Mapping[str, object], lines: Iterable[Sequence[object]]) -> None:
    """A customer's order: a row of `wanted`, and its lines (line, item, quantity, price)."""
    names = ", ".join(order)
    marks = ", ".join(f":{name}" for name in order)
    with erp_database.transaction(ledger):
        ledger.execute(f"INSERT INTO wanted ({names}) VALUES ({marks})", order)  # noqa: S608 (our own names)
        ledger.executemany(
            "INSERT INTO wanted_line VALUES (?, ?, ?, ?, ?)", [(order["number"], *line) for line in lines]
        )


def release(ledger: sqlite3.Connection, numbers: Iterable[str]) -> None:
    """Let these orders go out to the node."""
    with erp_database.transaction(ledger):
        ledger.executemany("UPDATE wanted SET released = 1 WHERE number = ?", [(number,) for number in numbers])


def collect(ledger: sqlite3.Connection, customer_order: str) -> None:
    """The customer comes and takes what lies ready."""
    with erp_database.transaction(ledger):
        ledger.execute("UPDATE instruction SET collected = 1 WHERE customer_order = ?", (customer_order,))


def arrived(ledger: sqlite3.Connection, customer_order: str) -> bool:
    """Whether something lies ready for this order's customer, and was told so."""
    row = ledger.execute(
        "SELECT 1 FROM instruction WHERE customer_order = ? AND ready_told", (customer_order,)
    ).fetchone()
    return row is not None


# --- files of the node ----------------------------------------------------------------------------------------------


def take_instruction(ledger: sqlite3.Connection, row: Mapping[str, str]) -> None:
    """One line of an order of our own node: to be sent, or put aside, by one store."""
    ledger.execute(
        "INSERT OR IGNORE INTO instruction (number, customer_order, store, collect_at, name) VALUES (?, ?, ?, ?, ?)",
        (row["order"], row["customer_order"], row["store"], row["collect_at"], row["name"] or None),
    )
    item = ledger.execute(
        "SELECT item FROM items WHERE gtin = ? OR item = ? LIMIT 1", (row["gtin"], row["item"])
    ).fetchone()
    ledger.execute(
        "INSERT OR IGNORE INTO instruction_line (number, line, item, quantity) VALUES (?, ?, ?, ?)",
        (row["order"], row["line"], item[0] if item else row["item"], int(float(row["quantity"]))),
    )


def take_despatch(ledger: sqlite3.Connection, row: Mapping[str, str]) -> None:
    """A partner has sent something to a customer of ours."""
    ledger.execute(
        "INSERT OR IGNORE INTO partner_despatch VALUES (?, ?, ?, ?, ?)",
        (row["despatch"], row["order"], row["order_line"], int(float(row["quantity"])), row["tracking"]),
    )


TAKERS = {"Order": take_instruction}
"""What to do with each row of a file, by the first word of its name."""


# --- work -----------------------------------------------------------------------------------------------------------


def work(folder: Path, ledger: sqlite3.Connection) -> int:
    """Write what customers ordered, do what the node says, tell what was done; returns how many steps that were."""
    done = 0
    for step in (_orders, _take_off, _send, _ready, _deliver, _shelves):
        done += step(folder, ledger)
    return done


def _orders(folder: Path, ledger: sqlite3.Connection) -> int:
    due = ledger.execute(
        "SELECT * FROM wanted WHERE released AND NOT written AND NOT by_hand ORDER BY number LIMIT ?",
        (ORDERS_PER_FILE,),
    ).fetchall()
    if not due:
        return 0
    rows = []
    for order in due:
        rows += [
            {**{name: order[name] for name in _ORDER_COLUMNS if name in order.keys()}, **dict(line)}  # noqa: SIM118
            for line in ledger.execute(
                "SELECT l.line, l.item, i.gtin, i.description, l.quantity, l.price FROM wanted_line l"
                " JOIN items i USING (item) WHERE number = ? ORDER BY CAST(line AS INTEGER)",
                (order["number"],),
            )
        ]
    _write(folder, f"customers-{due[0]['number']}-{len(due)}.csv", _ORDER_COLUMNS, rows)
    with erp_database.transaction(ledger):
        ledger.executemany("UPDATE wanted SET written = 1 WHERE number = ?", [(row["number"],) for row in due])
    return 1


def _take_off(folder: Path, ledger: sqlite3.Connection) -> int:
    """Take what new instructions ask for off the shelves; what is not there is said to be missing."""
    due = ledger.execute(
        "SELECT l.*, n.store FROM instruction_line l JOIN instruction n USING (number)"
        " WHERE l.taken = 0 AND l.quantity > 0 AND NOT n.cancelled ORDER BY l.number, l.line"
    ).fetchall()
    short = []
    with erp_database.transaction(ledger):
        for line in due:
            shelf = ledger.execute(
                "SELECT on_hand FROM shelf WHERE store = ? AND item = ?", (line["store"], line["item"])
            ).fetchone()
            pieces = min(line["quantity"], shelf[0] if shelf else 0)
            place = (line["number"], line["line"])
            if pieces < line["quantity"]:
                missing = {"answer": f"ST-{line['number']}-{line['line']}", "kept": pieces or ""}
                missing |= {"order": line["number"], "line": line["line"], "missing": line["quantity"] - pieces}
                short.append(missing)
                update = "UPDATE instruction_line SET quantity = ? WHERE number = ? AND line = ?"
                ledger.execute(update, (pieces, *place))
            ledger.execute("UPDATE instruction_line SET taken = ? WHERE number = ? AND line = ?", (pieces, *place))
            ledger.execute(
                "UPDATE shelf SET on_hand = on_hand - ? WHERE store = ? AND item = ?",
                (pieces, line["store"], line["item"]),
            )
    if short:
        _write(folder, f"answers-{_paper(ledger)}.csv", ("answer", "order", "line", "kept", "missing"), short)
    return len(due)


def _send(folder: Path, ledger: sqlite3.Connection) -> int:
    """Send what was taken off: at once to a home, and over the counter when the customer has come."""
    due = ledger.execute(
        "SELECT n.* FROM instruction n WHERE n.number NOT IN (SELECT number FROM goods_out)"
        " AND (n.collect_at <> n.store OR n.collected)"
        " AND EXISTS (SELECT 1 FROM instruction_line l WHERE l.number = n.number AND l.taken > 0) ORDER BY n.number"
    ).fetchall()
    if not due:
        return 0
    rows = []
    name = f"sent-{_paper(ledger)}.csv"
    with erp_database.transaction(ledger):
        for one in due:
            despatch = f"HG-{one['number']}"
            over_counter = one["collect_at"] == one["store"]
            tracking = "" if over_counter else f"SW{facts.bucket(despatch, 10**9):09d}GB"
            ledger.execute(
                f"INSERT INTO goods_out VALUES (?, ?, {_NOW}, ?, 0, ?)",  # noqa: S608
                (despatch, one["number"], tracking, name),
            )
            at = ledger.execute("SELECT at FROM goods_out WHERE despatch = ?", (despatch,)).fetchone()[0]
            rows += [
                {"despatch": despatch, "order": one["number"], "at": at, "carrier": "" if over_counter else "Swift",
                 "tracking": tracking, "line": line["line"], "quantity": line["taken"]}
                for line in ledger.execute(
                    "SELECT * FROM instruction_line WHERE number = ? AND taken > 0", (one["number"],)
                )
            ]  # fmt: skip
    _write(folder, name, ("despatch", "order", "at", "carrier", "tracking", "line", "quantity"), rows)
    return len(due)


def _ready(folder: Path, ledger: sqlite3.Connection) -> int:
    """Tell that goods lie ready to be collected."""
    due = ledger.execute(
        "SELECT n.number FROM instruction n WHERE NOT n.ready_told AND n.collect_at = n.store"
        " AND EXISTS (SELECT 1 FROM instruction_line l WHERE l.number = n.number AND l.taken > 0)"
    ).fetchall()
    events = [(row[0], "", "READY_FOR_COLLECTION", "") for row in due]
    return _events(folder, ledger, events, "ready_told", "instruction")


def _deliver(folder: Path, ledger: sqlite3.Connection) -> int:
    """What was collected is delivered; of the parcels, four in five are. Told once the node has taken the despatch."""
    due = ledger.execute(
        "SELECT g.*, n.collect_at, n.store FROM goods_out g JOIN instruction n USING (number) WHERE NOT g.delivered"
    ).fetchall()
    events = [
        (row["number"], row["despatch"], "COLLECTED" if row["collect_at"] == row["store"] else "DELIVERED",
         row["tracking"])
        for row in due
        if (row["collect_at"] == row["store"] or facts.is_delivered(row["despatch"]))
        and not (folder / "exchange" / "in" / row["file"]).exists()
    ]  # fmt: skip
    return _events(folder, ledger, events, "delivered", "goods_out")


def _events(
    folder: Path, ledger: sqlite3.Connection, events: Sequence[tuple[str, str, str, str]], mark: str, table: str
) -> int:
    if not events:
        return 0
    number = _paper(ledger)
    at = ledger.execute(f"SELECT {_NOW}").fetchone()[0]
    rows = [
        {"status": f"DS{number}-{place}", "order": order, "despatch": despatch, "event": event, "tracking": tracking,
         "at": at}
        for place, (order, despatch, event, tracking) in enumerate(events, 1)
    ]  # fmt: skip
    _write(folder, f"events-{number}.csv", ("status", "order", "despatch", "event", "tracking", "at"), rows)
    with erp_database.transaction(ledger):
        ledger.executemany(
            f"UPDATE {table} SET {mark} = 1 WHERE number = ?",  # noqa: S608 (names from above)
            [(event[0],) for event in events],
        )
    return len(events)


def _shelves(folder: Path, ledger: sqlite3.Connection) -> int:
    """Tell figures that have changed since they were told last."""
    rows = ledger.execute(
        "SELECT s.store, s.item, i.gtin, s.on_hand FROM shelf s JOIN items i USING (item)"
        " LEFT JOIN shelf_told t USING (store, item) WHERE t.on_hand IS NULL OR t.on_hand <> s.on_hand"
    ).fetchall()
    if not rows:
        return 0
    _write(folder, f"stock-{_paper(ledger)}.csv", ("store", "item", "gtin", "on_hand"), [dict(row) for row in rows])
    with erp_database.transaction(ledger):
        ledger.executemany(
            "INSERT OR REPLACE INTO shelf_told VALUES (?, ?, ?)",
            [(row["store"], row["item"], row["on_hand"]) for row in rows],
        )
    return 1


_ORDER_COLUMNS = (
    "number kind channel customer name street city postal_code country collect_at priority at"
    " line item gtin description quantity price"
).split()


def _paper(ledger: sqlite3.Connection) -> str:
    """The next number of a file."""
    with erp_database.transaction(ledger):
        ledger.execute("UPDATE control SET value = CAST(value AS INTEGER) + 1 WHERE name = 'papers'")
        number = ledger.execute("SELECT value FROM control WHERE name = 'papers'").fetchone()[0]
    return f"{int(number):06d}"


def _write(folder: Path, name: str, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a table, complete or not at all, and its marker."""
    path = folder / "exchange" / "in" / name
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(rows)
    part.replace(path)
    path.with_name(f"{name}.done").touch()
