"""Read retail transactions and say which trade follows from them: orders, charges, cancellations, and what is not used.

The file has the columns of UCI Online Retail (Chen, Sain and Guo 2012, doi 10.1057/dbm.2012.17): InvoiceNo, StockCode,
Description, Quantity, InvoiceDate, UnitPrice, CustomerID, Country. These rules, and no others, turn it into trade:

1. The span begins with the first row of the invoice `start` and ends before the first row of the next invoice once it
   holds `orders` invoices with goods and at least ITEMS_MIN items. Rows before and after are counted as outside.
2. A row is goods when its code is five digits with at most two letters, DCGS..., or PADS (upper and lower case are
   the same item), with a positive quantity and price, on an invoice whose number is all digits. Each such row is one
   line of that invoice's order; its line id is its place among the goods rows of the invoice, from 1.
3. POST, DOT, C2 (postage and carriage) and M (manual) with a positive amount on an invoice with goods are charges of
   its order.
4. On an invoice C..., goods with a negative quantity take back what the same customer ordered: on the latest earlier
   order in the span with a line of the same code and price that has at least that much left, its first such line.
   What one invoice takes of one order is an OrderCancellation when nothing is left of the order, else an OrderChange.
5. On an invoice C..., D (discount), M, POST, DOT and C2 become an allowance on the same customer's latest earlier order
   in the span, if all allowances of that order stay at or below half of its goods.
6. Every other row is counted in `Trade.unused` with its reason.

Prices are taken as net of VAT, in GBP.
"""

from __future__ import annotations

import csv
import gzip
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TextIO

from node.errors import ConfigError

__all__ = [
    "COLUMNS",
    "ITEMS_MIN",
    "ORDERS_DEFAULT",
    "START_DEFAULT",
    "Charge",
    "CustomerOrder",
    "Item",
    "Reduction",
    "ReductionLine",
    "Trade",
    "TradeLine",
    "read_trade",
]

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
ITEMS_MIN = 500
ORDERS_DEFAULT = 250
START_DEFAULT = "539993"
"""First invoice of 2011-01-04 in the real file: postage, discounts and same-day cancellations all occur soon after."""

_GOODS = re.compile(r"[0-9]{5}[A-Z]{0,2}|DCGS[A-Z0-9]+|PADS").fullmatch
_CARRIAGE = {"POST": "Postage", "DOT": "Dotcom postage", "C2": "Carriage"}
_ADJUSTING = {**_CARRIAGE, "M": "Manual", "D": "Discount"}
_NOT_TRADE = {
    "S": "sample",
    "BANK CHARGES": "bank charge",
    "AMAZONFEE": "market place fee",
    "CRUK": "charity commission",
    "B": "bad debt adjustment",
}


@dataclass(frozen=True, slots=True)
class TradeLine:
    """One goods row of an invoice: `quantity` in pieces, `price` for one piece in GBP without VAT."""

    line_id: str
    code: str
    description: str
    quantity: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge (or, when `charge` is false, an allowance) on a whole order, in GBP without VAT."""

    charge: bool
    amount: Decimal
    reason: str


@dataclass(slots=True)
class CustomerOrder:
    """One invoice as the drop-ship order that the retailer sends; `sequence` counts orders and reductions together."""

    sequence: int
    invoice: str
    customer: str
    country: str
    at: datetime
    lines: list[TradeLine] = field(default_factory=list)
    charges: list[Charge] = field(default_factory=list)

    @property
    def number(self) -> str:
        """The retailer's order number."""
        return f"HG{self.sequence:06d}"

    @property
    def goods(self) -> Decimal:
        """What the lines cost, in GBP without VAT, not rounded."""
        return sum((line.quantity * line.price for line in self.lines), Decimal(0))


@dataclass(frozen=True, slots=True)
class ReductionLine:
    """`by` pieces fewer of a line, which leaves the line with `left`."""

    line_id: str
    by: int
    left: int


@dataclass(slots=True)
class Reduction:
    """What an invoice C... takes back of one order: all that is left (a cancellation), or a part of it (a change)."""

    sequence: int
    invoice: str
    at: datetime
    order: CustomerOrder
    whole: bool = False
    lines: list[ReductionLine] = field(default_factory=list)

    @property
    def number(self) -> str:
        """The retailer's number of the cancellation (HC) or of the change (HA); one range with the orders."""
        return f"{'HC' if self.whole else 'HA'}{self.sequence:06d}"


@dataclass(slots=True)
class Item:
    """An item of the span: `demand` and `common` (greatest common divisor of all quantities) are in pieces."""

    code: str
    description: str
    price: Decimal
    demand: int = 0
    common: int = 0


@dataclass(slots=True)
class Trade:
    """What is traded. Every row of the file is either in `used` or in `unused`, by what became of it."""

    items: dict[str, Item] = field(default_factory=dict)
    customer_orders: list[CustomerOrder] = field(default_factory=list)
    cancellations: list[Reduction] = field(default_factory=list)
    used: Counter[str] = field(default_factory=Counter)
    unused: Counter[str] = field(default_factory=Counter)

    @property
    def first_at(self) -> datetime:
        """When the first order was placed, in the shop's local time."""
        return self.customer_orders[0].at

    @property
    def last_sequence(self) -> int:
        """The highest number of the shared range of orders and reductions."""
        last = [self.customer_orders[-1].sequence]
        if self.cancellations:
            last.append(self.cancellations[-1].sequence)
        return max(last)

    @property
    def lines(self) -> int:
        """Order lines."""
        return sum(len(order.lines) for order in self.customer_orders)


@dataclass(frozen=True, slots=True)
class _Row:
    invoice: str
    code: str
    description: str
    quantity: int
    at: datetime
    price: Decimal
    customer: str
    country: str


def read_trade(path: Path, *, start: str = "", orders: int = ORDERS_DEFAULT) -> Trade:
    """Read the trade of `path` (CSV, or CSV.gz) from the invoice `start` on (empty: from the file's first row).

    Raises ConfigError when the file cannot be read as retail transactions, or holds too few orders.
    """
    reader = _Reader(orders)
    with _opened(path) as stream:
        rows = csv.reader(stream)
        if tuple(next(rows, ())) != COLUMNS:
            raise ConfigError(
                f"{path} does not begin with the columns {','.join(COLUMNS)}", hint="Is it the right file?"
            )
        inside, done = not start, False
        for cells in rows:
            if done:
                reader.trade.unused["outside the span"] += 1
                continue
            inside = inside or cells[0] == start
            if not inside:
                reader.trade.unused["outside the span"] += 1
                continue
            row = _row(cells, rows.line_num, path)
            if reader.is_full and not reader.knows(row.invoice):
                done = True
                reader.trade.unused["outside the span"] += 1
                continue
            reader.take(row)
    if not reader.is_full:
        raise ConfigError(
            f"{path} has {reader.count} orders with {len(reader.trade.items)} items"
            f" from invoice {start or 'the first'} on, {orders} with {ITEMS_MIN} were asked for",
            hint="Ask for fewer with --orders, or start at an earlier invoice with --start.",
        )
    return reader.finish()


class _Reader:
    """Collects the span; order and reduction numbers are given at the end, in the order of the file."""

    def __init__(self, orders: int) -> None:
        self.trade = Trade()
        self._wanted = orders
        self._invoices: dict[str, list[_Row]] = {}
        self._goods: set[str] = set()

    @property
    def count(self) -> int:
        """Invoices with goods so far."""
        return len(self._goods)

    @property
    def is_full(self) -> bool:
        """Whether the span may end."""
        return len(self._goods) >= self._wanted and len(self.trade.items) >= ITEMS_MIN

    def knows(self, invoice: str) -> bool:
        """Whether rows of this invoice are already in the span."""
        return invoice in self._invoices

    def take(self, row: _Row) -> None:
        """Add one row of the span."""
        self._invoices.setdefault(row.invoice, []).append(row)
        if _unused(row) is None and row.invoice.isdigit() and _GOODS(row.code):
            self._goods.add(row.invoice)
            self.trade.items.setdefault(row.code, Item(row.code, row.description, row.price))

    def finish(self) -> Trade:
        """Turn the invoices into orders and reductions, in the order in which they begin in the file."""
        by_customer: dict[str, list[CustomerOrder]] = {}
        left: dict[tuple[str, str], int] = {}
        sequence = 0
        for invoice, rows in self._invoices.items():
            if invoice.startswith("C"):
                sequence = self._take_back(invoice, rows, by_customer.get(rows[0].customer, []), left, sequence)
                continue
            order = self._order(invoice, rows, sequence + 1)
            if order is None:
                continue
            sequence += 1
            for line in order.lines:
                left[order.number, line.line_id] = line.quantity
            self.trade.customer_orders.append(order)
            if order.customer:
                by_customer.setdefault(order.customer, []).append(order)
        return self.trade

    def _order(self, invoice: str, rows: Sequence[_Row], sequence: int) -> CustomerOrder | None:
        first = rows[0]
        order = CustomerOrder(sequence, invoice, first.customer, first.country, first.at)
        for row in rows:
            if invoice in self._goods and _unused(row) is None and _GOODS(row.code):
                order.lines.append(
                    TradeLine(str(len(order.lines) + 1), row.code, row.description, row.quantity, row.price)
                )
                self._count_demand(row)
                self.trade.used["goods"] += 1
        for row in rows:
            reason = _unused(row)
            if reason is not None:
                self.trade.unused[reason] += 1
            elif not _GOODS(row.code):
                if not order.lines:
                    self.trade.unused["charge on an invoice without goods"] += 1
                    continue
                order.charges.append(Charge(True, _cents(row.quantity * row.price), _ADJUSTING[row.code]))
                self.trade.used["charge"] += 1
        return order if order.lines else None

    def _count_demand(self, row: _Row) -> None:
        item = self.trade.items[row.code]
        item.demand += row.quantity
        item.common = math.gcd(item.common, row.quantity)

    def _take_back(
        self,
        invoice: str,
        rows: Sequence[_Row],
        orders: Sequence[CustomerOrder],
        left: dict[tuple[str, str], int],
        sequence: int,
    ) -> int:
        found: dict[str, Reduction] = {}
        for row in rows:
            reason = _unused(row)
            if reason is not None:
                self.trade.unused[reason] += 1
            elif not _GOODS(row.code):
                self._allow(row, orders)
            else:
                match = _ordered_line(row, orders, left)
                if match is None:
                    self.trade.unused["cancellation of what was not ordered in the span"] += 1
                    continue
                order, line = match
                remains = left[order.number, line.line_id] = left[order.number, line.line_id] + row.quantity
                if order.number not in found:
                    sequence += 1
                    found[order.number] = Reduction(sequence, invoice, row.at, order)
                    self.trade.cancellations.append(found[order.number])
                _reduce(found[order.number].lines, line.line_id, -row.quantity, remains)
                item = self.trade.items[row.code]
                item.common = math.gcd(item.common, -row.quantity)
                self.trade.used["cancellation"] += 1
        for reduction in found.values():
            order = reduction.order
            reduction.whole = not any(left[order.number, line.line_id] for line in order.lines)
        return sequence

    def _allow(self, row: _Row, orders: Sequence[CustomerOrder]) -> None:
        amount = _cents(-row.quantity * row.price)
        if not orders:
            self.trade.unused["allowance on what was not ordered in the span"] += 1
            return
        order = orders[-1]
        already = sum((charge.amount for charge in order.charges if not charge.charge), Decimal(0))
        if (already + amount) * 2 > order.goods:
            self.trade.unused["allowance of more than half its order"] += 1
            return
        order.charges.append(Charge(False, amount, _ADJUSTING[row.code]))
        self.trade.used["allowance"] += 1


def _reduce(lines: list[ReductionLine], line_id: str, by: int, left: int) -> None:
    """Add a reduction, together with what the same document already takes off the same line."""
    for place, line in enumerate(lines):
        if line.line_id == line_id:
            lines[place] = ReductionLine(line_id, line.by + by, left)
            return
    lines.append(ReductionLine(line_id, by, left))


def _ordered_line(
    row: _Row, orders: Sequence[CustomerOrder], left: dict[tuple[str, str], int]
) -> tuple[CustomerOrder, TradeLine] | None:
    """The line that a cancellation row takes back, by rule 4."""
    for order in reversed(orders):
        for line in order.lines:
            same = line.code == row.code and line.price == row.price
            if same and left[order.number, line.line_id] >= -row.quantity:
                return order, line
    return None


def _unused(row: _Row) -> str | None:
    """Why a row is no trade, or None."""
    cancels = row.invoice.startswith("C")
    if not cancels and not row.invoice.isdigit():
        return "adjustment (invoice A...)"
    if row.code in _NOT_TRADE:
        return _NOT_TRADE[row.code]
    if row.code.startswith("GIFT_"):
        return "gift voucher"
    if not row.description:
        return "no description"
    if row.price == 0:
        return "no price"
    if row.price < 0:
        return "negative price"
    if not _GOODS(row.code) and row.code not in _ADJUSTING:
        return "unknown code"
    if cancels and row.quantity >= 0:
        return "cancellation without a negative quantity"
    if not cancels and row.quantity <= 0:
        return "stock adjustment (negative quantity, no cancellation)"
    if not cancels and row.code == "D":
        return "discount with a positive amount"
    return None


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """The file as text, unpacked when its name ends with .gz."""
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8", newline="")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8", newline="")
        ) as stream:
            yield stream
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", hint="Give the file of retail transactions.") from error


def _row(cells: Sequence[str], line: int, path: Path) -> _Row:
    try:
        invoice, code, description, quantity, at, price, customer, country = cells
        pieces = Decimal(quantity)
        if pieces != int(pieces):
            raise ValueError(f"quantity {quantity} is not whole")
        return _Row(
            invoice.strip(),
            code.strip().upper(),
            "" if description.strip() == "NA" else description.strip(),
            int(pieces),
            datetime.fromisoformat(at),
            Decimal(price),
            customer.removesuffix(".0"),
            country,
        )
    except (ValueError, InvalidOperation) as error:
        raise ConfigError(
            f"{path} line {line} is not a transaction: {error}", hint="Correct or remove the row."
        ) from error


def _cents(amount: Decimal) -> Decimal:
    """The amount in whole pence, halves up."""
    return amount.quantize(Decimal("0.01"), rounding="ROUND_HALF_UP")
