"""The ERP of Nordwind Wholesale: takes orders from its inbox tables, allocates stock, despatches, invoices.

Its clock is the trade's: it works through the numbers of its customer's orders, cancellations and changes without
leaving one out (a gap is waited for), and before each it does what was due until then: receipts at 07:00, despatch at
17:00 every day. So every decision depends on the documents alone, never on when they came. Once `close` has named the
last number, the days after it are worked off at once, and later documents as they come.

Goods that come back or got lost are credited when the paper about them arrives; they never return to sellable stock.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path

from scripts.demonstration import erp_database, facts, supplier_billing
from scripts.demonstration.second_act import wholesale

__all__ = ["LINES_PER_DESPATCH", "LINES_PER_PARCEL", "change_number", "close", "setting", "work"]

LINES_PER_DESPATCH = 100
LINES_PER_PARCEL = 40
RECEIPTS_AT = timedelta(hours=7)
_EVENTS_PER_CALL = 20


def work(db: sqlite3.Connection) -> int:
    """Do what can be done now, a bounded piece of it; returns how many documents were worked off."""
    done = 0
    while done < _EVENTS_PER_CALL:
        with erp_database.transaction(db):
            if not (_next_document(db) or _close_of_business(db)):
                break
        done += 1
    return done + _papers(db)


def close(db: sqlite3.Connection, last_number: int) -> None:
    """Say that no number above `last_number` belongs to the span: the days after it can be worked off."""
    with erp_database.transaction(db):
        _set(db, "letzte_nr", str(last_number))


def setting(db: sqlite3.Connection, name: str) -> str:
    """One of the ERP's settings."""
    return str(db.execute("SELECT wert FROM einstellung WHERE name = ?", (name,)).fetchone()[0])


def change_number(db: sqlite3.Connection) -> int:
    """The next number of `aenderung`."""
    return int(_count(db, "aenderung"))


def _set(db: sqlite3.Connection, name: str, value: str) -> None:
    db.execute("UPDATE einstellung SET wert = ? WHERE name = ?", (value, name))


def _count(db: sqlite3.Connection, name: str) -> str:
    value = str(int(setting(db, name)) + 1)
    _set(db, name, value)
    return value


def _next_document(db: sqlite3.Connection) -> bool:
    number = int(setting(db, "naechste_nr"))
    last = setting(db, "letzte_nr")
    if last and number > int(last):
        return _late_document(db)
    for prefix, take, table, key, at in _INBOXES:
        row = db.execute(
            f"SELECT * FROM {table} WHERE {key} = ? AND verarbeitet = 0",  # noqa: S608 (names from the table below)
            (f"{prefix}{number:06d}",),
        ).fetchone()
        if row is not None:
            _advance(db, _instant(row[at]))
            take(db, row)
            db.execute(f"UPDATE {table} SET verarbeitet = 1 WHERE {key} = ?", (row[key],))  # noqa: S608
            _set(db, "naechste_nr", str(number + 1))
            return True
    return False


def _late_document(db: sqlite3.Connection) -> bool:
    """After the close: any document, oldest first, whatever its number."""
    for _, take, table, key, _ in _INBOXES:
        row = db.execute(
            f"SELECT * FROM {table} WHERE verarbeitet = 0 ORDER BY rowid LIMIT 1"  # noqa: S608
        ).fetchone()
        if row is not None:
            take(db, row)
            db.execute(f"UPDATE {table} SET verarbeitet = 1 WHERE {key} = ?", (row[key],))  # noqa: S608
            return True
    return False


def _close_of_business(db: sqlite3.Connection) -> bool:
    last = setting(db, "letzte_nr")
    if not last or int(setting(db, "naechste_nr")) <= int(last):
        return False
    allotted = db.execute("SELECT EXISTS (SELECT 1 FROM auftrag_position WHERE zugesagt > 0)").fetchone()[0]
    if wholesale.is_open(db):
        if allotted:
            _despatch(db, wholesale.now(db))
        return bool(allotted)
    expected = db.execute("SELECT EXISTS (SELECT 1 FROM offene_bestellung WHERE gebucht = 0)").fetchone()[0]
    if not (allotted or expected):
        return False
    run = datetime.fromisoformat(setting(db, "versandlauf"))
    _advance(db, run)
    return True


def _advance(db: sqlite3.Connection, until: datetime) -> None:
    """Do what was due up to and including `until`: each day's receipts, then its despatch."""
    run = datetime.fromisoformat(setting(db, "versandlauf"))
    while run <= until:
        _receive_goods(db, run)
        _despatch(db, run)
        run += timedelta(days=1)
        _set(db, "versandlauf", run.isoformat())
    _receive_goods(db, until)


def _receive_goods(db: sqlite3.Connection, until: datetime) -> None:
    """Book expected receipts that have come, and give them to the back orders, first come first served."""
    through = (until - RECEIPTS_AT).date().isoformat()
    for row in db.execute(
        "SELECT * FROM offene_bestellung WHERE gebucht = 0 AND termin <= ? ORDER BY termin, artikel_nr", (through,)
    ).fetchall():
        db.execute("UPDATE offene_bestellung SET gebucht = 1 WHERE artikel_nr = ?", (row["artikel_nr"],))
        waiting = db.execute(
            "SELECT COALESCE(SUM(rueckstand), 0) FROM auftrag_position WHERE artikel_nr = ?", (row["artikel_nr"],)
        ).fetchone()[0]
        db.execute(
            "UPDATE bestand SET menge = menge + ?, zugesagt = zugesagt + ?, aenderung = ? WHERE artikel_nr = ?",
            (row["menge"], waiting, change_number(db), row["artikel_nr"]),
        )
        db.execute(
            "UPDATE auftrag_position SET zugesagt = zugesagt + rueckstand, rueckstand = 0"
            " WHERE artikel_nr = ? AND rueckstand > 0",
            (row["artikel_nr"],),
        )


def _despatch(db: sqlite3.Connection, at: datetime) -> None:
    """Send everything that is allocated, order by order, and invoice it."""
    for order in db.execute(
        "SELECT * FROM kunde_auftrag WHERE auftrag_nr IN (SELECT auftrag_nr FROM auftrag_position WHERE zugesagt > 0)"
        " ORDER BY auftrag_nr"
    ).fetchall():
        lines = db.execute(
            "SELECT * FROM auftrag_position WHERE auftrag_nr = ? AND zugesagt > 0 ORDER BY position",
            (order["auftrag_nr"],),
        ).fetchall()
        sent: list[tuple[sqlite3.Row, str]] = []
        for first in range(0, len(lines), LINES_PER_DESPATCH):
            part = lines[first : first + LINES_PER_DESPATCH]
            note = _despatch_note(db, order, part, at)
            sent.extend((line, note) for line in part)
        if order["kunde"] != setting(db, "eigene_id"):
            supplier_billing.invoice(db, order, sent, at, _count(db, "letzte_rechnung"), change_number(db))


def _despatch_note(db: sqlite3.Connection, order: sqlite3.Row, lines: list[sqlite3.Row], at: datetime) -> str:
    note = f"LS{int(_count(db, 'letzter_lieferschein')):06d}"
    db.execute(
        "INSERT INTO lieferung VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            note,
            order["auftrag_nr"],
            order["kunden_bestell_nr"],
            _stamp(at),
            "Hanse Paket",
            f"HP{facts.bucket(note, 10**9):09d}GB",
            change_number(db),
        ),
    )
    for place, line in enumerate(lines):
        db.execute(
            "INSERT INTO lieferung_position VALUES (?, ?, ?, ?, ?, ?)",
            (
                note,
                place + 1,
                line["position"],
                line["artikel_nr"],
                line["zugesagt"],
                facts.sscc_of(note, place // LINES_PER_PARCEL),
            ),
        )
        db.execute(
            "UPDATE bestand SET menge = menge - ?1, zugesagt = zugesagt - ?1, aenderung = ?2 WHERE artikel_nr = ?3",
            (line["zugesagt"], change_number(db), line["artikel_nr"]),
        )
        db.execute(
            "UPDATE auftrag_position SET geliefert = geliefert + zugesagt, berechnet = berechnet + zugesagt,"
            " zugesagt = 0 WHERE auftrag_nr = ? AND position = ?",
            (line["auftrag_nr"], line["position"]),
        )
    if wholesale.is_open(db):
        wholesale.sent(db, note)
    return note


def _take_order(db: sqlite3.Connection, row: sqlite3.Row) -> None:
    number = f"KA{int(_count(db, 'letzter_auftrag')):06d}"
    db.execute(
        "INSERT INTO kunde_auftrag (auftrag_nr, kunden_bestell_nr, kunde, kundenauftrag, bestell_datum, waehrung, land)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            number,
            row["kunden_bestell_nr"],
            row["kunde"],
            row["kundenauftrag"],
            row["bestell_datum"],
            row["waehrung"],
            row["land"],
        ),
    )
    for place, line in enumerate(
        db.execute(
            "SELECT * FROM eingang_position WHERE kunden_bestell_nr = ? ORDER BY CAST(position AS INTEGER), position",
            (row["kunden_bestell_nr"],),
        ).fetchall()
    ):
        _take_line(db, number, place + 1, line)
    positions = [line["position"] for line in _lines(db, number)]
    _answer(db, number, positions, row["kunden_bestell_nr"], "Order", row["bestell_datum"], None)


def _take_line(db: sqlite3.Connection, order: str, position: int, line: sqlite3.Row) -> None:
    article = db.execute(
        "SELECT a.*, b.*, COALESCE(s.menge, 0) AS blockiert FROM artikel a JOIN bestand b USING (artikel_nr)"
        " LEFT JOIN qualitaetssperre s USING (artikel_nr) WHERE ean = ? OR kunden_artikel_nr = ?"
        " ORDER BY ean IS ? DESC LIMIT 1",
        (line["ean"], line["kunden_artikel_nr"], line["ean"]),
    ).fetchone()
    units, reason = _units(line["menge"], line["einheit"], article)
    if reason == "whole-packs-only":
        # A broken pack cannot be counted in packs: the line stays in the customer's pieces, and has no article.
        article = None
    allocated = back = 0
    due = None
    if not reason:
        allocated = min(units, max(0, article["menge"] - article["zugesagt"] - article["blockiert"]))
        receipt = db.execute(
            "SELECT * FROM offene_bestellung WHERE artikel_nr = ? AND gebucht = 0", (article["artikel_nr"],)
        ).fetchone()
        if receipt is not None and allocated < units:
            back = min(units - allocated, receipt["menge"] - receipt["verplant"])
            due = receipt["termin"] if back else None
        if allocated + back < units:
            reason = "blocked" if article["blockiert"] else "out-of-stock"
        _plan(db, article["artikel_nr"], allocated, back)
    db.execute(
        "INSERT INTO auftrag_position (auftrag_nr, position, kunden_position, artikel_nr, menge, me_preis,"
        " zugesagt, rueckstand, termin, abgelehnt, ablehn_grund) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            order,
            position,
            line["position"],
            article["artikel_nr"] if article else None,
            units,
            f"{Decimal(line['preis']) * (article['ve'] if article else 1):f}",
            allocated,
            back,
            due,
            units - allocated - back,
            reason,
        ),
    )


def _units(quantity: str, unit: str, article: sqlite3.Row | None) -> tuple[int, str | None]:
    """Pieces in the article's own unit, and why the line cannot be taken (None when it can)."""
    try:
        pieces = Decimal(quantity)
    except InvalidOperation:
        return 0, "bad-quantity"
    if pieces != int(pieces):
        return 0, "bad-quantity"
    if article is None:
        return int(pieces), "unknown-item"
    if unit not in ("C62", "EA", "H87"):
        return int(pieces), "unknown-unit"
    if int(pieces) % article["ve"]:
        return int(pieces), "whole-packs-only"
    return int(pieces) // article["ve"], "discontinued" if article["auslauf"] else None


def _plan(db: sqlite3.Connection, article: str, allocated: int, back: int) -> None:
    """Set stock and expected receipts aside; negative figures give them back."""
    if allocated:
        db.execute(
            "UPDATE bestand SET zugesagt = zugesagt + ?, aenderung = ? WHERE artikel_nr = ?",
            (allocated, change_number(db), article),
        )
    if back:
        db.execute("UPDATE offene_bestellung SET verplant = verplant + ? WHERE artikel_nr = ?", (back, article))


def _take_cancellation(db: sqlite3.Connection, row: sqlite3.Row) -> None:
    """Of the whole order."""
    _reduce(db, row["kunden_bestell_nr"], None, row["storno_nr"], "OrderCancellation", row["datum"])


def _take_change(db: sqlite3.Connection, row: sqlite3.Row) -> None:
    wanted = {
        line["position"]: Decimal(line["menge"])
        for line in db.execute(
            "SELECT * FROM eingang_aenderung_position WHERE aenderungs_nr = ?", (row["aenderungs_nr"],)
        )
    }
    _reduce(db, row["kunden_bestell_nr"], wanted, row["aenderungs_nr"], "OrderChange", row["datum"])


def _reduce(
    db: sqlite3.Connection, order_number: str, wanted: dict[str, Decimal] | None, paper: str, kind: str, at: str
) -> None:
    """Leave of each line no more than is wanted, as far as it has not left the house: back orders go first.

    None for `wanted` leaves nothing of any line.
    """
    order = db.execute("SELECT * FROM kunde_auftrag WHERE kunden_bestell_nr = ?", (order_number,)).fetchone()
    if order is None:
        _protest(db, paper, f"unknown order {order_number}")
        return
    lines = {line["kunden_position"]: line for line in _lines(db, order["auftrag_nr"])}
    if wanted is None:
        wanted = dict.fromkeys(lines, Decimal(0))
    too_late = 0
    for position in sorted(wanted.keys() & lines.keys(), key=lambda name: int(lines[name]["position"])):
        line = lines[position]
        pack = _pack(db, line["artikel_nr"])
        target = -int(-wanted[position] // pack)
        excess = max(0, line["zugesagt"] + line["rueckstand"] + line["geliefert"] - target)
        back = min(excess, line["rueckstand"])
        allocated = min(excess - back, line["zugesagt"])
        too_late += excess - back - allocated
        if not back + allocated:
            continue
        _plan(db, line["artikel_nr"], -allocated, -back)
        db.execute(
            "UPDATE auftrag_position SET rueckstand = rueckstand - ?1, zugesagt = zugesagt - ?2,"
            " storniert = storniert + ?1 + ?2 WHERE auftrag_nr = ?3 AND position = ?4",
            (back, allocated, order["auftrag_nr"], line["position"]),
        )
    # All of it or not: what could still be taken off is said line by line.
    outcome = "REJECTED" if too_late else "ACCEPTED"
    if outcome == "ACCEPTED" and kind == "OrderChange":
        # What both sides have changed is ordered no more, so it is not cancelled either.
        db.executemany(
            "UPDATE auftrag_position SET geaendert = storniert WHERE auftrag_nr = ? AND kunden_position = ?",
            [(order["auftrag_nr"], position) for position in wanted],
        )
    _answer(db, order["auftrag_nr"], sorted(wanted), paper, kind, at, outcome)


def _lines(db: sqlite3.Connection, order: str) -> list[sqlite3.Row]:
    return db.execute("SELECT * FROM auftrag_position WHERE auftrag_nr = ? ORDER BY position", (order,)).fetchall()


def _pack(db: sqlite3.Connection, article: str | None) -> int:
    row = db.execute("SELECT ve FROM artikel WHERE artikel_nr = ?", (article,)).fetchone()
    return int(row[0]) if row else 1


def _answer(
    db: sqlite3.Connection, order: str, positions: Sequence[object], paper: str, kind: str, at: str, outcome: str | None
) -> None:
    """Write a confirmation: for each line named, the pieces that it stands in now."""
    db.execute("UPDATE kunde_auftrag SET ab_version = ab_version + 1 WHERE auftrag_nr = ?", (order,))
    head = db.execute("SELECT * FROM kunde_auftrag WHERE auftrag_nr = ?", (order,)).fetchone()
    number, version = f"AB{order[2:]}", head["ab_version"]
    rejected = clean = 0
    for line in _lines(db, order):
        if line["position"] not in positions and line["kunden_position"] not in positions:
            continue
        pack = _pack(db, line["artikel_nr"])
        pieces = (
            ("ACCEPTED", line["zugesagt"] + line["geliefert"], None, None),
            ("BACK_ORDERED", line["rueckstand"], line["termin"], "back-ordered"),
            ("REJECTED", line["abgelehnt"], None, line["ablehn_grund"]),
            ("CANCELLED", line["storniert"] - line["geaendert"], None, "cancelled-by-buyer"),
        )
        clean += line["zugesagt"] + line["geliefert"] == line["menge"]
        rejected += line["abgelehnt"] == line["menge"]
        # A line of which nothing is left says so with a piece of nothing.
        for place, (word, units, due, code) in enumerate([piece for piece in pieces if piece[1]] or pieces[:1]):
            db.execute(
                "INSERT INTO ab_position VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    number,
                    version,
                    line["position"],
                    place + 1,
                    word,
                    units,
                    units * pack,
                    due,
                    code,
                    _REASONS.get(code),
                ),
            )
    if outcome is None:
        count = len(positions)
        outcome = "ACCEPTED" if clean == count else "REJECTED" if rejected == count else "CHANGED"
    code = "already-despatched" if kind != "Order" and outcome != "ACCEPTED" else None
    db.execute(
        "INSERT INTO auftragsbestaetigung VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number,
            version,
            order,
            head["kunden_bestell_nr"],
            paper,
            kind,
            outcome,
            code,
            _REASONS.get(code),
            at,
            change_number(db),
        ),
    )


def _papers(db: sqlite3.Connection) -> int:
    """Book receiving advices and returns as they come: they change no decision about other orders."""
    done = 0
    for row in db.execute("SELECT * FROM eingang_wareneingang WHERE verarbeitet = 0 LIMIT 20").fetchall():
        with erp_database.transaction(db):
            supplier_billing.book_receiving(db, row, change_number(db))
        done += 1
    for row in db.execute("SELECT * FROM eingang_retoure WHERE verarbeitet = 0 LIMIT 20").fetchall():
        with erp_database.transaction(db):
            supplier_billing.book_return(db, row, change_number(db), change_number(db))
        done += 1
    return done


def _protest(db: sqlite3.Connection, paper: str, text: str) -> None:
    db.execute("INSERT INTO fehlerprotokoll (beleg, text) VALUES (?, ?)", (paper, text))


def _instant(text: str) -> datetime:
    """An instant of a document as the ERP's clock shows it: UTC, without saying so."""
    return datetime.fromisoformat(text).replace(tzinfo=None)


def _stamp(at: datetime) -> str:
    return f"{at.isoformat()}Z"


_REASONS = {
    "already-despatched": "already despatched, announce a return",
    "back-ordered": "not in stock, expected",
    "bad-quantity": "the quantity is not a whole number of pieces",
    "blocked": "blocked by quality control",
    "cancelled-by-buyer": "cancelled at your request",
    "discontinued": "no longer sold",
    "out-of-stock": "not in stock, and none expected",
    "unknown-item": "the item is not in our range",
    "unknown-unit": "we take orders in pieces",
    "whole-packs-only": "sold in whole packs only",
    None: None,
}

_INBOXES = (
    ("HG", _take_order, "eingang_auftrag", "kunden_bestell_nr", "bestell_datum"),
    ("HC", _take_cancellation, "eingang_storno", "storno_nr", "datum"),
    ("HA", _take_change, "eingang_aenderung", "aenderungs_nr", "datum"),
)


if __name__ == "__main__":
    erp_database.run_process(Path(sys.argv[1]), work)
