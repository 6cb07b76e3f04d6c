"""The supplier's invoices for what left the house, and credit notes for what got lost or came back.

An invoice covers what one order got in one day's despatch. Amounts of lines are rounded to pence, halves up; VAT is
calculated on the sum of each category and rate (EN 16931, BR-CO-17). Charges go on the order's first invoice;
allowances on the first whose standard-rated goods and charges cover them, so that no invoice is below zero.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

__all__ = ["book_receiving", "book_return", "invoice"]

STANDARD = ("S", "20")
PAYMENT_DAYS = 30
_ZERO = Decimal("0.00")


@dataclass
class _Bill:
    """An invoice or credit note while it is written."""

    number: str
    kind: str
    order: sqlite3.Row
    on: datetime
    reference: str | None = None
    reason: str | None = None
    lines: Decimal = _ZERO
    charges: Decimal = _ZERO
    allowances: Decimal = _ZERO
    taxable: dict[tuple[str, str], Decimal] = field(default_factory=dict)

    def tax(self, key: tuple[str, str], amount: Decimal) -> None:
        """Add an amount to what is taxed in a category and rate."""
        self.taxable[key] = self.taxable.get(key, _ZERO) + amount


def invoice(
    db: sqlite3.Connection,
    order: sqlite3.Row,
    sent: Sequence[tuple[sqlite3.Row, str]],
    at: datetime,
    counter: str,
    change: int,
) -> None:
    """Invoice the order lines that were despatched (as they were before), each with its despatch note's number."""
    bill = _Bill(f"RE{int(counter):06d}", "380", order, at)
    _insert_lines(db, bill, [(line, line["zugesagt"], note) for line, note in sent])
    _add_charges(db, bill)
    _insert_bill(db, bill, change)


def book_receiving(db: sqlite3.Connection, advice: sqlite3.Row, change: int) -> None:
    """Book what the customer says arrived; what is short is credited."""
    number = advice["wareneingang_nr"]
    db.execute("UPDATE eingang_wareneingang SET verarbeitet = 1 WHERE wareneingang_nr = ?", (number,))
    order = _order(db, advice, number)
    if order is None:
        return
    short: list[tuple[sqlite3.Row, int, str | None]] = []
    for row in db.execute(
        "SELECT * FROM eingang_wareneingang_position WHERE wareneingang_nr = ? ORDER BY CAST(zeile AS INTEGER)",
        (number,),
    ).fetchall():
        line = _line(db, order, row["position"])
        missing = _units(db, line, row["fehlmenge"] or "0")
        db.execute(
            "UPDATE auftrag_position SET empfangen = empfangen + ?, fehlmenge = fehlmenge + ?"
            " WHERE auftrag_nr = ? AND position = ?",
            (_units(db, line, row["angenommen"]), missing, line["auftrag_nr"], line["position"]),
        )
        if missing:
            short.append((line, missing, advice["lieferschein_nr"]))
    if short:
        _credit(db, order, short, f"GS{number}", "short delivery", _instant(advice["datum"]), change)


def book_return(db: sqlite3.Connection, paper: sqlite3.Row, change: int, credit_change: int) -> None:
    """Take a return in (blocked stock, never sold again) and credit it."""
    number = paper["retoure_nr"]
    db.execute("UPDATE eingang_retoure SET verarbeitet = 1 WHERE retoure_nr = ?", (number,))
    order = _order(db, paper, number)
    if order is None:
        return
    db.execute("INSERT INTO retoure VALUES (?, ?, ?, ?)", (number, paper["kunden_bestell_nr"], paper["datum"], change))
    taken: list[tuple[sqlite3.Row, int, str | None]] = []
    for row in db.execute(
        "SELECT * FROM eingang_retoure_position WHERE retoure_nr = ? ORDER BY CAST(zeile AS INTEGER)", (number,)
    ).fetchall():
        line = _line(db, order, row["position"])
        units = min(_units(db, line, row["menge"]), line["geliefert"] - line["retourniert"] - line["fehlmenge"])
        if units <= 0:
            _protest(db, number, f"line {row['position']}: nothing to take back")
            continue
        db.execute(
            "UPDATE auftrag_position SET retourniert = retourniert + ? WHERE auftrag_nr = ? AND position = ?",
            (units, line["auftrag_nr"], line["position"]),
        )
        db.execute("UPDATE bestand SET gesperrt = gesperrt + ? WHERE artikel_nr = ?", (units, line["artikel_nr"]))
        db.execute(
            "INSERT INTO retoure_position VALUES (?, ?, ?, ?, ?)",
            (number, row["zeile"], line["position"], line["artikel_nr"], units),
        )
        taken.append((line, units, None))
    if taken:
        _credit(db, order, taken, f"GS{number}", "return", _instant(paper["datum"]), credit_change)


def _credit(
    db: sqlite3.Connection,
    order: sqlite3.Row,
    lines: Sequence[tuple[sqlite3.Row, int, str | None]],
    number: str,
    reason: str,
    at: datetime,
    change: int,
) -> None:
    first = lines[0][0]
    invoiced = db.execute(
        "SELECT rechnung_nr FROM rechnung JOIN rechnung_position USING (rechnung_nr)"
        " WHERE auftrag_nr = ? AND position = ? AND art = '380' ORDER BY rechnung_nr LIMIT 1",
        (order["auftrag_nr"], first["position"]),
    ).fetchone()
    bill = _Bill(number, "381", order, at, invoiced[0] if invoiced else None, reason)
    _insert_lines(db, bill, lines)
    _insert_bill(db, bill, change)


def _insert_lines(db: sqlite3.Connection, bill: _Bill, lines: Iterable[tuple[sqlite3.Row, int, str | None]]) -> None:
    for place, (line, units, note) in enumerate(lines):
        article = db.execute("SELECT * FROM artikel WHERE artikel_nr = ?", (line["artikel_nr"],)).fetchone()
        amount = _cents(units * Decimal(line["me_preis"]))
        key = (article["mwst_art"], article["mwst_satz"])
        bill.lines += amount
        bill.tax(key, amount)
        db.execute(
            "INSERT INTO rechnung_position VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                bill.number,
                place + 1,
                line["position"],
                note,
                line["artikel_nr"],
                units,
                line["me_preis"],
                str(amount),
                *key,
            ),
        )


def _add_charges(db: sqlite3.Connection, bill: _Bill) -> None:
    order = bill.order
    head = db.execute("SELECT * FROM kunde_auftrag WHERE auftrag_nr = ?", (order["auftrag_nr"],)).fetchone()
    rows = db.execute(
        "SELECT * FROM eingang_zuschlag WHERE kunden_bestell_nr = ? ORDER BY lfd", (order["kunden_bestell_nr"],)
    ).fetchall()
    charges = [row for row in rows if row["zuschlag"]] if head["zuschlag_berechnet"] is None else []
    allowances = [row for row in rows if not row["zuschlag"]] if head["abschlag_berechnet"] is None else []
    bill.charges = sum((Decimal(row["betrag"]) for row in charges), _ZERO)
    wanted = sum((Decimal(row["betrag"]) for row in allowances), _ZERO)
    if bill.taxable.get(STANDARD, _ZERO) + bill.charges < wanted:
        allowances, wanted = [], _ZERO
    bill.allowances = wanted
    for place, row in enumerate([*charges, *allowances]):
        db.execute(
            "INSERT INTO rechnung_zuschlag VALUES (?, ?, ?, ?, ?, ?, ?)",
            (bill.number, place + 1, row["zuschlag"], row["betrag"], row["grund"], *STANDARD),
        )
    if charges or allowances:
        bill.tax(STANDARD, bill.charges - bill.allowances)
    for column, used in (("zuschlag_berechnet", charges), ("abschlag_berechnet", allowances)):
        if used:
            db.execute(
                f"UPDATE kunde_auftrag SET {column} = ? WHERE auftrag_nr = ?",  # noqa: S608 (two known names)
                (bill.number, order["auftrag_nr"]),
            )


def _insert_bill(db: sqlite3.Connection, bill: _Bill, change: int) -> None:
    tax = _ZERO
    for (category, rate), taxable in sorted(bill.taxable.items()):
        amount = _cents(taxable * Decimal(rate) / 100)
        tax += amount
        db.execute(
            "INSERT INTO rechnung_steuer VALUES (?, ?, ?, ?, ?)",
            (bill.number, category, rate, str(taxable), str(amount)),
        )
    net = bill.lines + bill.charges - bill.allowances
    db.execute(
        "INSERT INTO rechnung VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            bill.number,
            bill.kind,
            bill.order["auftrag_nr"],
            bill.order["kunden_bestell_nr"],
            bill.reference,
            bill.reason,
            bill.on.date().isoformat(),
            (bill.on + timedelta(days=PAYMENT_DAYS)).date().isoformat(),
            bill.order["waehrung"],
            str(bill.lines),
            str(bill.allowances),
            str(bill.charges),
            str(net),
            str(tax),
            str(net + tax),
            change,
        ),
    )


def _order(db: sqlite3.Connection, paper: sqlite3.Row, number: str) -> sqlite3.Row | None:
    wanted = paper["kunden_bestell_nr"]
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM kunde_auftrag WHERE kunden_bestell_nr = ?", (wanted,)
    ).fetchone()
    if row is None:
        _protest(db, number, f"unknown order {wanted}")
    return row


def _line(db: sqlite3.Connection, order: sqlite3.Row, position: str) -> sqlite3.Row:
    row: sqlite3.Row = db.execute(
        "SELECT * FROM auftrag_position WHERE auftrag_nr = ? AND kunden_position = ?", (order["auftrag_nr"], position)
    ).fetchone()
    return row


def _units(db: sqlite3.Connection, line: sqlite3.Row, pieces: str) -> int:
    """Pieces in the article's unit; a broken pack counts as none."""
    pack = db.execute("SELECT ve FROM artikel WHERE artikel_nr = ?", (line["artikel_nr"],)).fetchone()[0]
    return int(Decimal(pieces) // pack)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=None)


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), rounding="ROUND_HALF_UP")


def _protest(db: sqlite3.Connection, paper: str, text: str) -> None:
    db.execute("INSERT INTO fehlerprotokoll (beleg, text) VALUES (?, ?)", (paper, text))
