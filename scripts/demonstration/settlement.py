"""Compare the three ERPs' own tables with each other and with the reckoning; whatever differs is a finding."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from rich.console import Console
from rich.table import Table

from scripts.demonstration.reckoning import Expected, ExpectedBill

__all__ = ["Settlement", "Total", "settle", "show"]

FINDINGS_SHOWN_MAX = 20

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Total:
    """One figure three times: calculated from the input, and in the two companies' books."""

    what: str
    expected: Decimal
    supplier: Decimal
    retailer: Decimal

    @property
    def agrees(self) -> bool:
        """Whether all three are equal."""
        return self.expected == self.supplier == self.retailer


@dataclass(slots=True)
class Settlement:
    """The comparison: totals for people, and every difference line by line."""

    totals: list[Total] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether everything adds up."""
        return not self.findings and all(total.agrees for total in self.totals)


def settle(
    expected: Expected, supplier: sqlite3.Connection, retailer: sqlite3.Connection, manufacturer: sqlite3.Connection
) -> Settlement:
    """Compare everything with everything; reads only."""
    result = Settlement()
    _compare_lines(expected, _supplier_lines(supplier), _retailer_lines(retailer), result)
    for kind, title, bills in (
        ("380", "invoice", expected.invoiced),
        ("381", "credit note", expected.credited),
    ):
        ours, theirs = _supplier_bills(supplier, kind), _retailer_bills(retailer, kind)
        _compare_bills(title, bills, ours, theirs, result)
    _check_papers(expected, supplier, retailer, result)
    _check_stock(supplier, result)
    _check_replenishment(supplier, manufacturer, result)
    for row in supplier.execute("SELECT beleg, text FROM fehlerprotokoll"):
        result.findings.append(f"supplier could not book {row['beleg']}: {row['text']}")
    return result


def show(result: Settlement, console: Console) -> None:
    """Print the totals as a table, and the findings below it."""
    table = Table(title="Do the books agree?", title_justify="left")
    table.add_column("", no_wrap=True)
    for title in ("from the input file", "supplier's ERP", "retailer's ledger"):
        table.add_column(title, justify="right")
    table.add_column("")
    for total in result.totals:
        figures = (total.expected, total.supplier, total.retailer)
        table.add_row(total.what, *(f"{figure:,}" for figure in figures), "ok" if total.agrees else "[red]differs[/]")
    console.print(table)
    for finding in result.findings[:FINDINGS_SHOWN_MAX]:
        console.print(f"[red]finding:[/] {finding}")
    if len(result.findings) > FINDINGS_SHOWN_MAX:
        console.print(f"[red]and {len(result.findings) - FINDINGS_SHOWN_MAX} more findings[/]")


_MEASURES = (
    "ordered",
    "accepted at once",
    "back-ordered",
    "rejected",
    "cancelled",
    "despatched",
    "received",
    "short",
    "returned",
    "invoiced",
    "credited",
)


def _expected_lines(expected: Expected) -> dict[Key, tuple[int, ...]]:
    return {
        key: (
            line.ordered,
            line.at_once,
            line.later,
            line.rejected,
            line.cancelled,
            line.despatched,
            line.despatched - line.short,
            line.short,
            line.returned,
            line.despatched,
            line.short + line.returned,
        )
        for key, line in expected.lines.items()
    }


def _supplier_lines(supplier: sqlite3.Connection) -> dict[Key, tuple[int, ...]]:
    """In pieces, from the ERP's own units."""
    rows = supplier.execute(
        "SELECT a.kunden_bestell_nr, p.kunden_position, p.menge * ve,"
        " COALESCE((SELECT SUM(stueck) FROM ab_position b WHERE b.ab_nr = 'AB' || substr(p.auftrag_nr, 3)"
        "  AND b.version = 0 AND b.position = p.position AND b.ergebnis = 'ACCEPTED'), 0),"
        " COALESCE((SELECT SUM(stueck) FROM ab_position b WHERE b.ab_nr = 'AB' || substr(p.auftrag_nr, 3)"
        "  AND b.version = 0 AND b.position = p.position AND b.ergebnis = 'BACK_ORDERED'), 0),"
        " p.abgelehnt * ve, p.storniert * ve, p.geliefert * ve, p.empfangen * ve, p.fehlmenge * ve, p.retourniert * ve,"
        " p.berechnet * ve, COALESCE((SELECT SUM(r.menge) FROM rechnung_position r JOIN rechnung USING (rechnung_nr)"
        "  WHERE rechnung.auftrag_nr = p.auftrag_nr AND r.position = p.position AND art = '381'), 0) * ve"
        " FROM auftrag_position p JOIN kunde_auftrag a USING (auftrag_nr) JOIN artikel USING (artikel_nr)"
    )
    return {(row[0], row[1]): tuple(row[2:]) for row in rows}


def _retailer_lines(retailer: sqlite3.Connection) -> dict[Key, tuple[int, ...]]:
    sums: dict[str, dict[Key, int]] = {}
    for name, query in {
        "at_once": "SELECT order_number, line, SUM(quantity) FROM response_pieces"
        " WHERE revision = 0 AND result = 'ACCEPTED' GROUP BY 1, 2",
        "later": "SELECT order_number, line, SUM(quantity) FROM response_pieces"
        " WHERE revision = 0 AND result = 'BACK_ORDERED' GROUP BY 1, 2",
        "sent": "SELECT order_number, order_line, SUM(quantity) FROM despatch_lines JOIN despatches USING (despatch)"
        " GROUP BY 1, 2",
        "received": "SELECT order_number, order_line, SUM(accepted) FROM receiving_lines GROUP BY 1, 2",
        "short": "SELECT order_number, order_line, SUM(short) FROM receiving_lines GROUP BY 1, 2",
        "returned": "SELECT order_number, order_line, SUM(quantity) FROM return_lines GROUP BY 1, 2",
        "billed": "SELECT order_number, order_line, SUM(quantity) FROM invoice_lines JOIN invoices USING (invoice)"
        " WHERE type = '380' GROUP BY 1, 2",
        "credited": "SELECT order_number, order_line, SUM(quantity) FROM invoice_lines JOIN invoices USING (invoice)"
        " WHERE type = '381' GROUP BY 1, 2",
    }.items():
        sums[name] = {(row[0], row[1]): row[2] for row in retailer.execute(query)}
    found: dict[Key, tuple[int, ...]] = {}
    for row in retailer.execute("SELECT * FROM line_status"):
        key = (row["number"], row["line"])
        at_once, later, *rest = (values.get(key, 0) for values in sums.values())
        sent, received, short, returned, billed, credited = rest
        found[key] = (
            row["quantity"],
            at_once,
            later,
            row["rejected"],
            row["cancelled"],
            sent,
            received,
            short,
            returned,
            billed,
            credited,
        )
    return found


def _compare_lines(
    expected: Expected,
    supplier: Mapping[Key, tuple[int, ...]],
    retailer: Mapping[Key, tuple[int, ...]],
    result: Settlement,
) -> None:
    calculated = _expected_lines(expected)
    sides = (calculated, supplier, retailer)
    result.totals.append(Total("orders", *(Decimal(len({key[0] for key in side})) for side in sides)))
    result.totals.append(Total("order lines", *(Decimal(len(side)) for side in sides)))
    for place, measure in enumerate(_MEASURES):
        sums = (Decimal(sum(row[place] for row in side.values())) for side in sides)
        result.totals.append(Total(f"pieces {measure}", *sums))
    for key in sorted(calculated.keys() | supplier.keys() | retailer.keys()):
        rows = [side.get(key) for side in sides]
        if rows[0] == rows[1] == rows[2]:
            continue
        for name, row in zip(("the input", "the supplier's ERP", "the retailer's ledger"), rows, strict=True):
            if row is None:
                result.findings.append(f"order {key[0]} line {key[1]}: not in {name}")
        if None not in rows:
            for place, measure in enumerate(_MEASURES):
                figures = [row[place] for row in rows if row is not None]
                if len(set(figures)) > 1:
                    result.findings.append(
                        f"order {key[0]} line {key[1]}: {measure} {figures[0]} by the input,"
                        f" {figures[1]} at the supplier, {figures[2]} at the retailer"
                    )


_BILL_PARTS: Mapping[str, Callable[[ExpectedBill], Decimal]] = {
    "documents": lambda bill: Decimal(bill.documents),
    "goods": lambda bill: bill.lines,
    "charges": lambda bill: bill.charges,
    "allowances": lambda bill: bill.allowances,
    "VAT": lambda bill: bill.tax,
    "payable": lambda bill: bill.payable,
}


def _supplier_bills(supplier: sqlite3.Connection, kind: str) -> dict[str, ExpectedBill]:
    bills: dict[str, ExpectedBill] = {}
    for row in supplier.execute("SELECT * FROM rechnung WHERE art = ?", (kind,)):
        bill = bills.setdefault(row["kunden_bestell_nr"], ExpectedBill())
        _add(bill, row["summe_positionen"], row["summe_zuschlaege"], row["summe_abschlaege"], row["mwst"])
    return bills


def _retailer_bills(retailer: sqlite3.Connection, kind: str) -> dict[str, ExpectedBill]:
    bills: dict[str, ExpectedBill] = {}
    for row in retailer.execute("SELECT * FROM invoices WHERE type = ?", (kind,)):
        bill = bills.setdefault(row["order_number"], ExpectedBill())
        _add(bill, row["lines"], row["charges"], row["allowances"], row["tax"])
    return bills


def _add(bill: ExpectedBill, lines: str, charges: str, allowances: str, tax: str) -> None:
    bill.documents += 1
    bill.lines += Decimal(lines)
    bill.charges += Decimal(charges)
    bill.allowances += Decimal(allowances)
    bill.tax += Decimal(tax)


def _compare_bills(
    title: str,
    expected: Mapping[str, ExpectedBill],
    supplier: Mapping[str, ExpectedBill],
    retailer: Mapping[str, ExpectedBill],
    result: Settlement,
) -> None:
    sides = (expected, supplier, retailer)
    for part, amount in _BILL_PARTS.items():
        name = f"{title}s" if part == "documents" else f"{title} {part}, GBP"
        sums = (sum((amount(bill) for bill in side.values()), Decimal(0)) for side in sides)
        result.totals.append(Total(name, *sums))
    empty = ExpectedBill()
    for order in sorted(expected.keys() | supplier.keys() | retailer.keys()):
        for part, amount in _BILL_PARTS.items():
            figures = [amount(side.get(order, empty)) for side in sides]
            if len(set(figures)) > 1:
                result.findings.append(
                    f"order {order}: {title} {part} {figures[0]} by the input, {figures[1]} at the supplier,"
                    f" {figures[2]} at the retailer"
                )


def _check_papers(
    expected: Expected, supplier: sqlite3.Connection, retailer: sqlite3.Connection, result: Settlement
) -> None:
    """Every order, cancellation and change has its answer, on both sides; the books agree with their own lines."""
    reductions = supplier.execute("SELECT COUNT(*) FROM auftragsbestaetigung WHERE antwort_art <> 'Order'").fetchone()[
        0
    ]
    answered = retailer.execute(
        "SELECT COUNT(*) FROM answered JOIN papers ON number = paper WHERE kind <> 'order'"
    ).fetchone()[0]
    result.totals.append(
        Total(
            "cancellations and changes answered", Decimal(expected.reductions), Decimal(reductions), Decimal(answered)
        )
    )
    for row in retailer.execute("SELECT number FROM papers WHERE number NOT IN (SELECT paper FROM answered)"):
        result.findings.append(f"{row['number']} has no answer")
    for row in retailer.execute(
        "SELECT i.invoice, i.lines, i.net, i.tax, i.payable, i.charges, i.allowances,"
        " group_concat(l.amount) AS amounts FROM invoices i JOIN invoice_lines l USING (invoice) GROUP BY i.invoice"
    ):
        lines = sum((Decimal(amount) for amount in row["amounts"].split(",")), Decimal(0))
        net = lines + Decimal(row["charges"]) - Decimal(row["allowances"])
        if (lines, net, net + Decimal(row["tax"])) != tuple(Decimal(row[name]) for name in ("lines", "net", "payable")):
            result.findings.append(f"{row['invoice']} does not add up in the retailer's ledger")
    for row in retailer.execute(
        "SELECT v.invoice, v.line, v.price, v.base, l.price AS ordered FROM invoice_lines v"
        " JOIN invoices i USING (invoice) JOIN order_lines l ON l.number = i.order_number AND l.line = v.order_line"
    ):
        if Decimal(row["price"]) != Decimal(row["ordered"]) * Decimal(row["base"]):
            result.findings.append(f"{row['invoice']} line {row['line']}: not at the price that was ordered")


def _check_stock(supplier: sqlite3.Connection, result: Settlement) -> None:
    """Opening stock and receipts less what was despatched is what lies there; nothing is promised any more."""
    for row in supplier.execute(
        "SELECT artikel_nr, menge, zugesagt,"
        " anfang + COALESCE((SELECT SUM(o.menge) FROM offene_bestellung o"
        "  WHERE o.artikel_nr = b.artikel_nr AND o.gebucht), 0)"
        " - COALESCE((SELECT SUM(p.geliefert) FROM auftrag_position p WHERE p.artikel_nr = b.artikel_nr), 0) AS rest"
        " FROM bestand b WHERE zugesagt <> 0 OR menge <> rest"
    ):
        result.findings.append(
            f"article {row['artikel_nr']}: {row['menge']} in stock ({row['zugesagt']} promised), {row['rest']} expected"
        )


def _check_replenishment(supplier: sqlite3.Connection, manufacturer: sqlite3.Connection, result: Settlement) -> None:
    """Every request is made or on stock in whole dozens or cartons, and the supplier knows the quantity and date."""
    promised = {
        (row["anfrage_nr"], row["artikel_nr"]): (int(Decimal(row["menge"])), row["termin"])
        for row in supplier.execute("SELECT * FROM eingang_nachschub")
    }
    asked = 0
    for row in manufacturer.execute(
        "SELECT d.no_demande, d.qte_pieces, r.qte_pieces AS promised, r.date_prevue, a.ref_client,"
        " o.unites * a.contenu AS made FROM demande_reappro d"
        " LEFT JOIN ordre_fabrication o ON o.no_demande = d.no_demande AND o.ligne = d.ligne"
        " LEFT JOIN article a USING (ref_article)"
        " LEFT JOIN reponse_ligne r ON r.no_reponse = 'RR-' || d.no_demande AND r.ligne = d.ligne"
    ):
        asked += 1
        if row["made"] is None or row["made"] < Decimal(row["qte_pieces"]) or row["made"] != row["promised"]:
            result.findings.append(f"replenishment {row['no_demande']}: {row['qte_pieces']} asked, {row['made']} made")
        elif promised.pop((row["no_demande"], row["ref_client"]), None) != (row["promised"], row["date_prevue"]):
            result.findings.append(f"replenishment {row['no_demande']}: the supplier does not know the promise")
    for number, article in promised:
        result.findings.append(f"replenishment {number}, article {article}: promised, but never asked for")
    if not asked:
        result.findings.append("no replenishment request reached the manufacturer")
