"""What the retailer's ledger makes of the files it gets: each row is booked once, by its document's number."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TypeAlias

from scripts.demonstration import facts
from scripts.demonstration.second_act import stores

__all__ = ["TAKERS", "Row", "Taker", "announce_return", "receive"]

ORDER_PREFIX = "HG"
Row: TypeAlias = Mapping[str, str]
Taker: TypeAlias = Callable[[sqlite3.Connection, Row], None]


def take_response(ledger: sqlite3.Connection, row: Row) -> None:
    """One piece of one line of an order response; what the node ordered by itself (second act) it follows by itself."""
    if not _is_ours(row):
        return
    ledger.execute(
        "INSERT OR IGNORE INTO response_pieces VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            row["order"],
            row["line"],
            int(row["revision"] or 0),
            row["piece"],
            row["response"],
            row["result"],
            _whole(row["quantity"]),
            row["due"] or None,
            row["reason"] or None,
        ),
    )
    ledger.execute(
        "INSERT OR IGNORE INTO answered (paper, response, revision, outcome) VALUES (?, ?, ?, ?)",
        (row["answers"] or row["order"], row["response"], int(row["revision"] or 0), row["outcome"]),
    )


def take_despatch(ledger: sqlite3.Connection, row: Row) -> None:
    """One line of a despatch advice."""
    if not _is_ours(row):
        stores.take_despatch(ledger, row)
        return
    ledger.execute(
        "INSERT OR IGNORE INTO despatches (despatch, order_number, despatched_at, tracking) VALUES (?, ?, ?, ?)",
        (row["despatch"], row["order"], row["despatched_at"], row["tracking"]),
    )
    ledger.execute(
        "INSERT OR IGNORE INTO despatch_lines VALUES (?, ?, ?, ?)",
        (row["despatch"], row["line"], row["order_line"], _whole(row["quantity"])),
    )


def take_invoice(ledger: sqlite3.Connection, row: Row) -> None:
    """One line of an invoice or credit note."""
    if not _is_ours(row):
        return
    totals = [f"{Decimal(row[name] or 0):.2f}" for name in ("lines", "allowances", "charges", "net", "tax", "payable")]
    ledger.execute(
        "INSERT OR IGNORE INTO invoices VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (row["invoice"], row["type"], row["order"], *totals, row.get("reason") or None),
    )
    ledger.execute(
        "INSERT OR IGNORE INTO invoice_lines VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            row["invoice"],
            row["line"],
            row["order_line"],
            _whole(row["quantity"]),
            row["price"],
            row["base"] or "1",
            row["amount"],
        ),
    )


TAKERS: Mapping[str, Taker] = {
    "OrderResponse": take_response,
    "DespatchAdvice": take_despatch,
    "Invoice": take_invoice,
    "CreditNote": take_invoice,
}
"""What to do with each row of a file, by the first word of its name."""


def receive(ledger: sqlite3.Connection, despatch: sqlite3.Row, number: str) -> None:
    """Count a despatch in under the receiving advice `number`; a parcel may have lost one unit of a line.

    Only lines that nobody cancelled lose anything, and only in their first parcel.
    """
    for row in ledger.execute(
        "SELECT d.*, i.order_multiple FROM despatch_lines d"
        " JOIN order_lines l ON l.number = ?1 AND l.line = d.order_line JOIN items i USING (item)"
        " WHERE d.despatch = ?2",
        (despatch["order_number"], despatch["despatch"]),
    ).fetchall():
        place = (despatch["order_number"], row["order_line"])
        first = not ledger.execute(
            "SELECT 1 FROM receiving_lines WHERE order_number = ? AND order_line = ? AND receiving <> ?",
            (*place, number),
        ).fetchone()
        reduced = ledger.execute("SELECT 1 FROM reduction_lines WHERE order_number = ? AND line = ?", place).fetchone()
        short = row["order_multiple"] if first and not reduced and facts.loses_a_piece(*place) else 0
        ledger.execute(
            "INSERT OR IGNORE INTO receiving_lines VALUES (?, ?, ?, ?, ?, ?, ?)",
            (number, row["line"], row["despatch"], *place, row["quantity"] - short, short),
        )


def announce_return(ledger: sqlite3.Connection, answer: sqlite3.Row, number: str) -> None:
    """Write down, as the return `number`, what a paper took back of an order after the supplier had sent it."""
    for line in ledger.execute(
        "SELECT r.*, s.accepted, s.back_ordered FROM reduction_lines r JOIN line_status s"
        " ON s.number = r.order_number AND s.line = r.line WHERE r.number = ? ORDER BY CAST(r.line AS INTEGER)",
        (answer["paper"],),
    ).fetchall():
        announced = ledger.execute(
            "SELECT COALESCE(SUM(quantity), 0) FROM return_lines"
            " WHERE order_number = ? AND order_line = ? AND number <> ?",
            (line["order_number"], line["line"], number),
        ).fetchone()[0]
        excess = line["accepted"] + line["back_ordered"] - announced - line["remains"]
        if excess > 0:
            ledger.execute(
                "INSERT OR IGNORE INTO return_lines VALUES (?, ?, ?, ?, ?, ?)",
                (number, answer["order_number"], line["line"], line["line"], excess, answer["at"]),
            )


def _is_ours(row: Row) -> bool:
    """Whether a paper is about an order of the web shop's own number range."""
    return row["order"].startswith(ORDER_PREFIX)


def _whole(text: str) -> int:
    """A quantity of pieces, which are whole."""
    value = Decimal(text)
    if value != int(value):
        raise ValueError(f"{text} is not a whole number of pieces")
    return int(value)
