"""The ERP of Harbour Gifts: a web shop that writes files, reads files, and keeps its own ledger.

It writes orders (CSV, every tenth as a workbook), cancellations, changes, receiving advices and returns into
`exchange/in`, each complete when a marker of its name with .done lies beside it, and reads the answers, despatch
advices, invoices and credit notes that come as CSV into `exchange/out`. What it sells is known from the start (the
trade); how far the customers have ordered is said with `release`.
"""

from __future__ import annotations

import csv
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import openpyxl

from scripts.demonstration import erp_database, facts, retailer_ledger
from scripts.demonstration.second_act import stores
from scripts.demonstration.trade import CustomerOrder, Trade

__all__ = ["create", "release", "work"]

ORDERS_PER_FILE = 25
STORES = ("HARBOUR", "STATION", "MARKET")
STORE_ITEMS = 60

_ORDER_COLUMNS = (
    "order_no customer_order customer country ordered_at line item gtin description quantity price"
    " charge_no charge_kind charge_amount charge_reason"
).split()


def create(folder: Path, trade: Trade) -> None:
    """Make the ERP in `folder`: its ledger, its empty in and out boxes, and its stores' stock."""
    ledger = erp_database.create(folder / "ledger.sqlite", "retailer")
    for name in ("in", "out"):
        (folder / "exchange" / name).mkdir(parents=True)
    with erp_database.transaction(ledger):
        ledger.execute("INSERT INTO control VALUES ('released', '0')")
        for item in trade.items.values():
            ledger.execute(
                "INSERT INTO items VALUES (?, ?, ?, ?)",
                (
                    item.code,
                    facts.gtin_of(item.code) or None,
                    item.description,
                    facts.pack_of(item.code, item.common),
                ),
            )
        for order in trade.customer_orders:
            _add_order(ledger, order)
        for reduction in trade.cancellations:
            ledger.execute(
                "INSERT INTO papers (sequence, number, kind, order_number, invoice, at) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    reduction.sequence,
                    reduction.number,
                    "cancellation" if reduction.whole else "change",
                    reduction.order.number,
                    reduction.invoice,
                    f"{reduction.at.isoformat()}Z",
                ),
            )
            ledger.executemany(
                "INSERT INTO reduction_lines VALUES (?, ?, ?, ?, ?)",
                [
                    (reduction.number, reduction.order.number, line.line_id, line.by, line.left)
                    for line in reduction.lines
                ],
            )
    stores.create(ledger)
    ledger.close()
    _write_store_stock(folder, trade)


def release(ledger: sqlite3.Connection, through: int) -> None:
    """Let the customers order: every paper up to the number `through` goes out; the moment is noted."""
    with erp_database.transaction(ledger):
        ledger.execute("UPDATE control SET value = ? WHERE name = 'released'", (str(through),))
        ledger.execute(
            "UPDATE papers SET placed_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
            " WHERE sequence <= ? AND placed_at IS NULL",
            (through,),
        )


def work(folder: Path, ledger: sqlite3.Connection) -> int:
    """Read what came, write what is due; returns how many files that were."""
    done = 0
    known = {name for (name,) in ledger.execute("SELECT name FROM files")}
    for path in sorted((folder / "exchange" / "out").glob("*.csv")):
        kind = path.name.partition("_")[0]
        take = stores.TAKERS.get(kind) or retailer_ledger.TAKERS.get(kind)
        if take is not None and path.name not in known:
            _take_file(ledger, path, take)
            done += 1
    for writer in (_write_orders, _write_reductions, _write_receiving, _write_returns):
        done += writer(folder, ledger)
    return done + stores.work(folder, ledger)


def _take_file(ledger: sqlite3.Connection, path: Path, take: retailer_ledger.Taker) -> None:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    with erp_database.transaction(ledger):
        for row in rows:
            take(ledger, row)
        ledger.execute("INSERT INTO files VALUES (?)", (path.name,))


def _write_orders(folder: Path, ledger: sqlite3.Connection) -> int:
    """Orders that customers placed: one file for up to 25 of them, workbooks beside."""
    due = ledger.execute(
        "SELECT p.*, o.* FROM papers p JOIN orders o ON o.number = p.number, control c"
        " WHERE c.name = 'released' AND p.sequence <= CAST(c.value AS INTEGER) AND NOT p.written"
        " ORDER BY p.sequence LIMIT ?",
        (ORDERS_PER_FILE,),
    ).fetchall()
    if not due:
        return 0
    files = 0
    for suffix, orders in (
        ("csv", [row for row in due if row["sequence"] % 10]),
        ("xlsx", [row for row in due if row["sequence"] % 10 == 0]),
    ):
        if orders:
            rows = (row for order in orders for row in _order_rows(ledger, order))
            name = f"orders-{orders[0]['sequence']:06d}.{suffix}"
            _write(folder, name, _ORDER_COLUMNS, rows)
            files += 1
    _mark_written(ledger, due)
    return files


def _order_rows(ledger: sqlite3.Connection, order: sqlite3.Row) -> Iterator[Mapping[str, object]]:
    head = {
        "order_no": order["number"],
        "customer_order": order["invoice"],
        "customer": order["customer"],
        "country": order["country"],
        "ordered_at": order["at"],
    }
    for row in ledger.execute(
        "SELECT l.*, i.* FROM order_lines l JOIN items i USING (item) WHERE number = ? ORDER BY CAST(line AS INTEGER)",
        (order["number"],),
    ).fetchall():
        yield {
            **head,
            "line": row["line"],
            "item": row["item"],
            "gtin": row["gtin"],
            "description": row["description"],
            "quantity": row["quantity"],
            "price": row["price"],
        }
    for row in ledger.execute("SELECT * FROM charges WHERE number = ? ORDER BY place", (order["number"],)).fetchall():
        yield {
            **head,
            "charge_no": row["place"],
            "charge_kind": "charge" if row["charge"] else "allowance",
            "charge_amount": row["amount"],
            "charge_reason": row["reason"],
        }


def _write_reductions(folder: Path, ledger: sqlite3.Connection) -> int:
    """Cancellations and changes, never before the orders that they speak of."""
    due = ledger.execute(
        "SELECT p.* FROM papers p, control c WHERE c.name = 'released' AND p.kind <> 'order'"
        " AND p.sequence <= CAST(c.value AS INTEGER) AND NOT p.written"
        " AND NOT EXISTS (SELECT 1 FROM papers o WHERE o.sequence < p.sequence AND o.kind = 'order' AND NOT o.written)"
        " ORDER BY p.sequence"
    ).fetchall()
    for paper in due:
        lines = ledger.execute(
            "SELECT r.*, l.item, l.price, i.gtin FROM reduction_lines r JOIN order_lines l"
            " ON l.number = r.order_number AND l.line = r.line JOIN items i USING (item)"
            " WHERE r.number = ? ORDER BY CAST(r.line AS INTEGER)",
            (paper["number"],),
        ).fetchall()
        rows = (
            {
                "number": paper["number"],
                "order_no": paper["order_number"],
                "invoice": paper["invoice"],
                "at": paper["at"],
                "line": line["line"],
                "item": line["item"],
                "gtin": line["gtin"],
                "quantity": line["remains"],
                "price": line["price"],
            }
            for line in lines
        )
        _write(folder, f"{paper['kind']}s-{paper['number']}.csv", _REDUCTION_COLUMNS, rows)
    _mark_written(ledger, due)
    return len(due)


def _write_receiving(folder: Path, ledger: sqlite3.Connection) -> int:
    """Receiving advices for what arrived; now and then a parcel holds one unit too few."""
    due = ledger.execute("SELECT * FROM despatches WHERE NOT received ORDER BY despatch LIMIT 50").fetchall()
    if not due:
        return 0
    rows: list[Mapping[str, object]] = []
    for despatch in due:
        number = f"WE{despatch['despatch']}"
        with erp_database.transaction(ledger):
            retailer_ledger.receive(ledger, despatch, number)
        rows += [
            {
                "receiving": number,
                "despatch": despatch["despatch"],
                "order_no": despatch["order_number"],
                "received_at": despatch["despatched_at"],
                "line": row["line"],
                "order_line": row["order_line"],
                "accepted": row["accepted"],
                "short": row["short"] or "",
            }
            for row in ledger.execute(
                "SELECT * FROM receiving_lines WHERE receiving = ? ORDER BY CAST(line AS INTEGER)", (number,)
            )
        ]
    name = f"receiving-{due[0]['despatch']}-{due[-1]['despatch']}.csv"
    _write(folder, name, _RECEIVING_COLUMNS, rows)
    with erp_database.transaction(ledger):
        ledger.executemany("UPDATE despatches SET received = 1 WHERE despatch = ?", [(row["despatch"],) for row in due])
    return 1


def _write_returns(folder: Path, ledger: sqlite3.Connection) -> int:
    """Announce the return of what could no longer be cancelled."""
    due = ledger.execute(
        "SELECT a.*, p.order_number, p.at, p.sequence FROM answered a JOIN papers p ON p.number = a.paper"
        " WHERE p.kind <> 'order' AND NOT a.returned ORDER BY p.sequence"
    ).fetchall()
    for answer in due:
        number = f"RT{answer['sequence']:06d}"
        with erp_database.transaction(ledger):
            retailer_ledger.announce_return(ledger, answer, number)
        rows = [
            {
                "return_no": number,
                "order_no": row["order_number"],
                "at": row["at"],
                "line": row["line"],
                "order_line": row["order_line"],
                "quantity": row["quantity"],
            }
            for row in ledger.execute("SELECT * FROM return_lines WHERE number = ? ORDER BY line", (number,))
        ]
        if rows:
            _write(folder, f"returns-{number}.csv", _RETURN_COLUMNS, rows)
        with erp_database.transaction(ledger):
            ledger.execute("UPDATE answered SET returned = 1 WHERE paper = ?", (answer["paper"],))
    return len(due)


def _write_store_stock(folder: Path, trade: Trade) -> None:
    """The three stores' stock of the first items, which the supplier may see."""
    rows = (
        {
            "store": store,
            "item": item.code,
            "gtin": facts.gtin_of(item.code),
            "on_hand": facts.bucket(f"{store}{item.code}", 30),
        }
        for item in sorted(trade.items.values(), key=lambda item: item.code)[:STORE_ITEMS]
        for store in STORES
    )
    _write(folder, "stock-stores.csv", ("store", "item", "gtin", "on_hand"), rows)


def _write(folder: Path, name: str, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a table, complete or not at all: whoever looks into the folder never sees half a file."""
    path = folder / "exchange" / "in" / name
    part = path.with_name(f".{path.name}.part")
    if path.suffix == ".xlsx":
        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet("orders")
        sheet.append(list(columns))
        for row in rows:
            sheet.append([row.get(column) for column in columns])
        book.save(part)
    else:
        with part.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, columns)
            writer.writeheader()
            writer.writerows(rows)
    part.replace(path)
    path.with_name(f"{name}.done").touch()


def _mark_written(ledger: sqlite3.Connection, papers: Sequence[sqlite3.Row]) -> None:
    with erp_database.transaction(ledger):
        ledger.executemany("UPDATE papers SET written = 1 WHERE sequence = ?", [(row["sequence"],) for row in papers])


def _add_order(ledger: sqlite3.Connection, order: CustomerOrder) -> None:
    ledger.execute(
        "INSERT INTO papers (sequence, number, kind, order_number, invoice, at) VALUES (?, ?, 'order', ?, ?, ?)",
        (order.sequence, order.number, order.number, order.invoice, f"{order.at.isoformat()}Z"),
    )
    ledger.execute("INSERT INTO orders VALUES (?, ?, ?)", (order.number, order.customer, order.country))
    ledger.executemany(
        "INSERT INTO order_lines VALUES (?, ?, ?, ?, ?)",
        [(order.number, line.line_id, line.code, line.quantity, f"{line.price:f}") for line in order.lines],
    )
    ledger.executemany(
        "INSERT INTO charges VALUES (?, ?, ?, ?, ?)",
        [
            (order.number, place, charge.charge, f"{charge.amount:f}", charge.reason)
            for place, charge in enumerate(order.charges, start=1)
        ],
    )


_REDUCTION_COLUMNS = "number order_no invoice at line item gtin quantity price".split()
_RECEIVING_COLUMNS = "receiving despatch order_no received_at line order_line accepted short".split()
_RETURN_COLUMNS = "return_no order_no at line order_line quantity".split()


if __name__ == "__main__":
    _folder = Path(sys.argv[1])
    erp_database.run_process(_folder / "ledger.sqlite", partial(work, _folder))
