"""What must come out, calculated from the input file alone: its own reading, item by item instead of order by order.

Nothing here is shared with the way the trade is read, the ERPs decide or the nodes count, except `facts` (what is
generated about each item). The rules are those that the modules `trade`, `erp_supplier` and `supplier_billing` state in
words; this is a second calculation of them in another shape: the fate of a line depends only on the other lines of the
same item, so every item is played through alone, and money is added up afterwards from what was sent on which day.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from scripts.demonstration import facts

__all__ = ["Expected", "ExpectedBill", "ExpectedLine", "calculate"]

_CENT = Decimal("0.01")
_EXTRAS = {"POST", "DOT", "C2", "M"}
_NEVER = {"S", "BANK CHARGES", "AMAZONFEE", "CRUK", "B"}


@dataclass(slots=True)
class ExpectedLine:
    """The fate of one order line, in pieces."""

    order: str
    line: str
    item: str
    ordered: int
    price: Decimal
    at_once: int = 0
    later: int = 0
    rejected: int = 0
    cancelled: int = 0
    short: int = 0
    waiting: int = 0  # set aside, not yet sent
    owed: int = 0  # back-ordered, not yet there
    sent: dict[datetime, int] = field(default_factory=dict)
    sent_back: dict[int, int] = field(default_factory=dict)  # by the number of the paper that wanted it gone

    @property
    def despatched(self) -> int:
        """Pieces that left the supplier."""
        return sum(self.sent.values())

    @property
    def returned(self) -> int:
        """Pieces that came back."""
        return sum(self.sent_back.values())


@dataclass(slots=True)
class ExpectedBill:
    """What one order is billed (or credited), in GBP."""

    documents: int = 0
    lines: Decimal = Decimal(0)
    charges: Decimal = Decimal(0)
    allowances: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)

    @property
    def payable(self) -> Decimal:
        """With VAT."""
        return self.lines + self.charges - self.allowances + self.tax


@dataclass(slots=True)
class Expected:
    """The whole calculation."""

    lines: dict[tuple[str, str], ExpectedLine] = field(default_factory=dict)
    invoiced: dict[str, ExpectedBill] = field(default_factory=dict)
    credited: dict[str, ExpectedBill] = field(default_factory=dict)
    charged: dict[str, list[tuple[bool, Decimal]]] = field(default_factory=dict)
    packs: dict[str, int] = field(default_factory=dict)
    reduced: set[tuple[str, str]] = field(default_factory=set)
    reductions: int = 0
    rows: int = 0
    rows_used: int = 0

    @property
    def orders(self) -> set[str]:
        """Their numbers."""
        return {order for order, _ in self.lines}


class _Span:
    """The rows of the span, and what they say before any stock is looked at."""

    def __init__(self) -> None:
        self.expected = Expected()
        self.by_item: defaultdict[str, list[tuple[int, datetime, str, ExpectedLine, int]]] = defaultdict(list)
        self.quantities: defaultdict[str, list[int]] = defaultdict(list)
        self.descriptions: dict[str, str] = {}
        self.first: datetime | None = None
        self.number = 0


def calculate(path: Path, start: str, orders: int, items_min: int) -> Expected:
    """Calculate what `orders` orders and at least `items_min` items, from the invoice `start` on, must come to."""
    span = _Span()
    invoices = _invoices(path, start, orders, items_min, span)
    _number(invoices, span)
    if span.first is None:
        return span.expected
    for code in sorted(span.by_item):
        _play(code, span, span.first)
    _lose(span.expected)
    _bill(span)
    return span.expected


def _invoices(path: Path, start: str, orders: int, items_min: int, span: _Span) -> dict[str, list[dict[str, str]]]:
    """The span's rows by invoice, in the order in which the invoices begin."""
    raw = gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()
    found: dict[str, list[dict[str, str]]] = {}
    with_goods: set[str] = set()
    items: set[str] = set()
    begun = start == ""
    for row in csv.DictReader(io.StringIO(raw.decode(), newline="")):
        span.expected.rows += 1
        invoice = row["InvoiceNo"]
        begun = begun or invoice == start
        full = len(with_goods) >= orders and len(items) >= items_min
        if not begun or (full and invoice not in found):
            if full:
                begun = False
                start = "\0"
            continue
        found.setdefault(invoice, []).append(row)
        if _is_goods(row) and _quantity(row) > 0 and re.fullmatch("[0-9]+", invoice):
            with_goods.add(invoice)
            items.add(row["StockCode"].upper())
    return found


def _is_goods(row: dict[str, str]) -> bool:
    code = row["StockCode"].upper()
    known = re.match(r"\d{5}[A-Z]?[A-Z]?$", code) or re.match(r"DCGS[A-Z0-9]+$", code) or code == "PADS"
    return bool(known) and _is_priced(row)


def _is_priced(row: dict[str, str]) -> bool:
    return row["Description"].strip() not in ("", "NA") and Decimal(row["UnitPrice"]) > 0


def _is_extra(row: dict[str, str]) -> bool:
    code = row["StockCode"].upper()
    return code not in _NEVER and _is_priced(row) and (code in _EXTRAS or code == "D")


def _quantity(row: dict[str, str]) -> int:
    return int(float(row["Quantity"]))


def _money(row: dict[str, str]) -> Decimal:
    """The absolute amount of a row, in pence."""
    return (abs(_quantity(row)) * Decimal(row["UnitPrice"])).quantize(_CENT, ROUND_HALF_UP)


def _number(invoices: dict[str, list[dict[str, str]]], span: _Span) -> None:
    """Give numbers to orders and reductions, and hang every line and reduction on its item."""
    history: defaultdict[str, list[list[tuple[ExpectedLine, list[int]]]]] = defaultdict(list)
    for invoice, rows in invoices.items():
        at = datetime.fromisoformat(rows[0]["InvoiceDate"])
        customer = rows[0]["CustomerID"]
        if invoice[0] == "C":
            _reduce(rows, history[customer] if customer else [], span)
        elif re.fullmatch("[0-9]+", invoice) and any(_is_goods(row) and _quantity(row) > 0 for row in rows):
            span.number += 1
            span.first = span.first or at
            order = f"HG{span.number:06d}"
            span.expected.charged[order] = [
                (True, _money(row))
                for row in rows
                if _is_extra(row) and _quantity(row) > 0 and row["StockCode"].upper() != "D"
            ]
            made: list[tuple[ExpectedLine, list[int]]] = []
            for row in rows:
                if not _is_goods(row) or _quantity(row) <= 0:
                    continue
                code = row["StockCode"].upper()
                span.descriptions.setdefault(code, row["Description"].strip())
                line = ExpectedLine(order, str(len(made) + 1), code, _quantity(row), Decimal(row["UnitPrice"]))
                span.expected.lines[order, line.line] = line
                span.quantities[code].append(line.ordered)
                span.by_item[code].append((span.number, at, "order", line, line.ordered))
                made.append((line, [line.ordered]))
            span.expected.rows_used += len(made) + len(span.expected.charged[order])
            history[customer].append(made)


def _reduce(rows: list[dict[str, str]], history: list[list[tuple[ExpectedLine, list[int]]]], span: _Span) -> None:
    numbers: dict[str, int] = {}
    for row in rows:
        quantity = -_quantity(row)
        if quantity <= 0:
            continue
        if _is_extra(row):
            _allow(row, history, span)
            continue
        if not _is_goods(row):
            continue
        code, price = row["StockCode"].upper(), Decimal(row["UnitPrice"])
        fitting = (
            (line, left)
            for made in history[::-1]
            for line, left in made
            if (line.item, line.price) == (code, price) and left[0] >= quantity
        )
        line, left = next(fitting, (None, [0]))
        if line is None:
            continue
        left[0] -= quantity
        if line.order not in numbers:
            span.number += 1
            numbers[line.order] = span.number
        span.quantities[code].append(quantity)
        at = datetime.fromisoformat(row["InvoiceDate"])
        span.by_item[code].append((numbers[line.order], at, "reduce", line, left[0]))
        span.expected.reduced.add((line.order, line.line))
        span.expected.rows_used += 1
    span.expected.reductions += len(numbers)


def _allow(row: dict[str, str], history: list[list[tuple[ExpectedLine, list[int]]]], span: _Span) -> None:
    if not history:
        return
    goods = sum((line.ordered * line.price for line, _ in history[-1]), Decimal(0))
    charged = span.expected.charged[history[-1][0][0].order]
    if sum(amount for charge, amount in charged if not charge) + _money(row) <= goods / 2:
        charged.append((False, _money(row)))
        span.expected.rows_used += 1


@dataclass(slots=True)
class _Shelf:
    """One item at the supplier, in pieces: what is free now, what is free of the coming receipt, and the clock."""

    lines: list[ExpectedLine]
    free: int
    free_later: int
    comes_at: datetime | None
    run: datetime

    def pass_time(self, until: datetime) -> None:
        """Receipts and despatches up to and including `until`."""
        while self.run <= until or (self.comes_at is not None and self.comes_at <= until):
            self.next_moment()

    def next_moment(self) -> None:
        """The receipt of goods or the day's despatch, whichever is first."""
        if self.comes_at is not None and self.comes_at < self.run:
            self.free, self.free_later, self.comes_at = self.free + self.free_later, 0, None
            for line in self.lines:
                line.waiting, line.owed = line.waiting + line.owed, 0
            return
        for line in self.lines:
            if line.waiting:
                line.sent[self.run], line.waiting = line.waiting, 0
        self.run += timedelta(days=1)

    def order(self, line: ExpectedLine) -> None:
        """Promise a line what there is."""
        line.at_once = line.waiting = min(line.ordered, self.free)
        line.later = line.owed = min(line.ordered - line.at_once, self.free_later)
        line.rejected = line.ordered - line.at_once - line.later
        self.free -= line.at_once
        self.free_later -= line.later

    def reduce(self, line: ExpectedLine, number: int, target: int) -> None:
        """Leave a line with `target`: first what is not there yet, then what is not sent, and the rest comes back."""
        excess = max(0, line.waiting + line.owed + line.despatched - line.returned - target)
        unmade = min(excess, line.owed)
        unsent = min(excess - unmade, line.waiting)
        line.owed -= unmade
        line.waiting -= unsent
        line.cancelled += unmade + unsent
        self.free_later += unmade
        self.free += unsent
        if excess > unmade + unsent:
            line.sent_back[number] = line.sent_back.get(number, 0) + excess - unmade - unsent


def _play(code: str, span: _Span, first: datetime) -> None:
    """Play one item through: its stock, its receipt, its orders and reductions, day by day."""
    pack = span.expected.packs[code] = facts.pack_of(code, math.gcd(*span.quantities[code]))
    orders = [event for event in span.by_item[code] if event[2] == "order"]
    supply = facts.supply_of(code, sum(event[4] for event in orders), pack, first.date())
    comes_at = None
    if supply.receipt_on is not None:
        comes_at = datetime.combine(supply.receipt_on, datetime.min.time()) + timedelta(hours=7)
    shelf = _Shelf(
        [event[3] for event in orders],
        supply.opening * pack,
        supply.receipt * pack,
        comes_at,
        first.replace(hour=17, minute=0, second=0),
    )
    for number, at, kind, line, quantity in sorted(span.by_item[code], key=lambda event: event[0]):
        shelf.pass_time(at)
        if kind == "order":
            shelf.order(line)
        else:
            shelf.reduce(line, number, quantity)
    while any(line.waiting or line.owed for line in shelf.lines):
        shelf.next_moment()


def _lose(expected: Expected) -> None:
    """Take what parcels lose: one unit of a line that nobody reduced, out of its first parcel."""
    for line in expected.lines.values():
        reduced = (line.order, line.line) in expected.reduced
        if line.sent and not reduced and facts.loses_a_piece(line.order, line.line):
            line.short = expected.packs[line.item]


def _bill(span: _Span) -> None:
    """Invoices by order and day of despatch, with charges and allowances."""
    expected = span.expected
    sent: defaultdict[str, defaultdict[datetime, list[ExpectedLine]]] = defaultdict(lambda: defaultdict(list))
    for line in expected.lines.values():
        for day in line.sent:
            sent[line.order][day].append(line)
    for order, days in sent.items():
        bill = expected.invoiced[order] = ExpectedBill()
        charges = sum((amount for charge, amount in expected.charged[order] if charge), Decimal(0))
        allowances = sum((amount for charge, amount in expected.charged[order] if not charge), Decimal(0))
        for day in sorted(days):
            taxed = _add(bill, [(line, line.sent[day]) for line in days[day]], span)
            granted = allowances if taxed[Decimal(20)] + charges >= allowances else Decimal(0)
            taxed[Decimal(20)] += charges - granted
            bill.charges += charges
            bill.allowances += granted
            bill.tax += sum((_rounded(amount * rate / 100) for rate, amount in taxed.items()), Decimal(0))
            charges, allowances = Decimal(0), allowances - granted
        _credit(order, days, span)


def _credit(order: str, days: dict[datetime, list[ExpectedLine]], span: _Span) -> None:
    """Credit notes: one for each paper whose goods came back, one for each despatch note with something short."""
    notes: defaultdict[tuple[object, ...], list[tuple[ExpectedLine, int]]] = defaultdict(list)
    for lines in days.values():
        for line in lines:
            for number, quantity in line.sent_back.items():
                if (line, quantity) not in notes["return", number]:
                    notes["return", number].append((line, quantity))
    for day, lines in days.items():
        for place, line in enumerate(sorted(lines, key=lambda line: int(line.line))):
            if line.short and day == min(line.sent):
                notes["short", day, place // 100].append((line, line.short))
    if not notes:
        return
    credit = span.expected.credited[order] = ExpectedBill()
    for lines_back in notes.values():
        taxed = _add(credit, lines_back, span)
        credit.tax += sum((_rounded(amount * rate / 100) for rate, amount in taxed.items()), Decimal(0))


def _add(bill: ExpectedBill, lines: list[tuple[ExpectedLine, int]], span: _Span) -> defaultdict[Decimal, Decimal]:
    """Add one document's lines to a bill; returns what is taxed at each rate."""
    taxed: defaultdict[Decimal, Decimal] = defaultdict(Decimal)
    for line, quantity in lines:
        taxed[facts.vat_of(span.descriptions[line.item])[1]] += _rounded(quantity * line.price)
    bill.lines += sum(taxed.values(), Decimal(0))
    bill.documents += 1
    return taxed


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)
