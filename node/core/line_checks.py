"""What validation checks on any line of any document: items, quantities, dates, money, lots and pieces.

Each check adds findings with the place and what was expected. The rules are named in `node.core.validation`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

from node.core.document.common import (
    AllowanceCharge,
    ItemRef,
    LocationRef,
    Package,
    Period,
    Price,
    QualifiedDate,
    Tax,
    Trace,
)
from node.core.document.order import Schedule
from node.core.finding import Finding
from node.core.identifiers import is_gln, is_gtin, is_sscc
from node.core.money import Money
from node.core.order_state import scaled_in
from node.core.quantity import Quantity
from node.core.units import is_unit
from node.errors import RefusedError

__all__ = ["FINDINGS_MAX", "QUANTITY_MAX", "YEAR_MAX", "YEAR_MIN", "Checks", "gtin_fits"]

FINDINGS_MAX = 100
"""Findings after which checking stops: enough to see what is wrong."""

QUANTITY_MAX = Decimal(10**9)
"""Largest plausible quantity of a line; more is a slip in a unit or a column."""

YEAR_MIN = 1990
YEAR_MAX = 2100
"""Years in which a business date is plausible."""

_ZERO = Decimal(0)
_HUNDRED = Decimal(100)
_SHOWN = 40

gtin_fits = lru_cache(maxsize=1 << 16)(is_gtin)
"""`is_gtin`, remembered: the same articles come again and again."""

_gln_fits = lru_cache(maxsize=1 << 12)(is_gln)


class Checks:
    """The findings on one document so far, and its currency."""

    __slots__ = ("currency", "found")

    def __init__(self) -> None:
        self.found: list[Finding] = []
        self.currency = ""

    def add(self, rule: str, path: str, text: str) -> None:
        """Note one finding."""
        self.found.append(Finding(rule, path, text))

    @property
    def is_full(self) -> bool:
        """Whether enough is known to be wrong."""
        return len(self.found) >= FINDINGS_MAX

    def ids(self, ids: Sequence[str], path: str) -> None:
        """Line ids are present, short and unique."""
        if len(set(ids)) == len(ids) and "" not in ids and (not ids or max(map(len, ids)) <= 100):
            return
        seen: set[str] = set()
        for place, line_id in enumerate(ids):
            where = f"{path}[{place}].line_id"
            if not line_id or len(line_id) > 100:
                self.add("line-id", where, "a line id of 1 to 100 characters was expected")
            elif line_id in seen:
                self.add("line-id-twice", where, f"line id {line_id[:_SHOWN]!r} was given twice: each line has its own")
            seen.add(line_id)

    def quantity(
        self, quantity: Quantity | None, path: str, *, zero: bool = False, negative: bool = False, needed: bool = True
    ) -> bool:
        """A quantity is present and plausible; says whether it is there at all."""
        if quantity is None:
            if needed:
                self.add("quantity-missing", path, "a quantity with its unit was expected")
            return False
        value = quantity.value
        if value < 0 and not negative:
            self.add("quantity", path, f"{quantity} was given, a positive quantity was expected")
        elif not value and not zero:
            self.add("quantity", path, "0 was given, a positive quantity was expected")
        elif abs(value) > QUANTITY_MAX:
            self.add("quantity", path, f"{quantity} is more than 10^9: check the unit and the number")
        return True

    def decimal(self, value: Decimal | None, path: str) -> None:
        """A figure without its own unit is plausible."""
        if value is not None and abs(value) > QUANTITY_MAX * 1000:
            self.add("quantity", path, f"{value:f} is more than 10^12: check the unit and the number")

    def unit(self, unit: str, path: str) -> None:
        """A unit that stands alone is known."""
        if not is_unit(unit):
            self.add("unknown-unit", path, f"{unit[:_SHOWN]!r} was given, a UN/ECE Rec 20 or 21 code was expected")

    def item(self, item: ItemRef | None, path: str, *, needed: bool = True) -> None:
        """An item is named by some number, or at least described; a GTIN's check digit is right."""
        if item is None:
            if needed:
                self.add("item-missing", path, "an item was expected")
            return
        if item.gtin and not gtin_fits(item.gtin):
            text = f"{item.gtin[:_SHOWN]!r} was given, a GTIN with its check digit was expected"
            self.add("gtin", f"{path}.gtin", text)
        if not f"{item.seller_number}{item.buyer_number}{item.manufacturer_number}".isprintable():
            for name in ("seller_number", "buyer_number", "manufacturer_number"):
                if not (number := getattr(item, name)).isprintable():
                    self.add("item-number", f"{path}.{name}", f"{number[:_SHOWN]!r} was given, printable ones expected")
        if not (
            item.gtin
            or item.seller_number
            or item.buyer_number
            or item.manufacturer_number
            or item.description
            or item.identifiers
        ):
            self.add("item-unnamed", path, "a GTIN, a seller's, buyer's or manufacturer's number was expected")

    def money(self, money: Money | None, path: str, *, negative: bool = True) -> None:
        """An amount is in the document's currency."""
        if money is None:
            return
        if not self.currency:
            self.currency = money.currency
        if money.currency != self.currency:
            self.add("currency", path, f"{money.currency} was given, the document's {self.currency} was expected")
        if not negative and money.amount < 0:
            self.add("price-negative", path, f"{money} was given, a price of zero or more was expected")

    def price(self, price: Price | None, path: str) -> None:
        """A price is in the document's currency, not negative, and for a positive base quantity."""
        if price is None:
            return
        self.money(price.amount, f"{path}.amount", negative=False)
        self.money(price.gross, f"{path}.gross", negative=False)
        self.money(price.discount, f"{path}.discount")
        if price.base_quantity is not None:
            self.quantity(price.base_quantity, f"{path}.base_quantity")
        if price.order_factor is not None and not price.order_factor > 0:
            self.add("quantity", f"{path}.order_factor", "a positive factor was expected")
        for place, tier in enumerate(price.tiers):
            self.money(tier.amount, f"{path}.tiers[{place}].amount", negative=False)
        self.period(price.validity, f"{path}.validity")

    def percent(self, percent: Decimal | None, path: str) -> None:
        """A percentage is between 0 and 100."""
        if percent is not None and not _ZERO <= percent <= _HUNDRED:
            self.add("percent", path, f"{percent:f} was given, 0 to 100 percent was expected")

    def tax(self, tax: Tax | None, path: str) -> None:
        """A tax rate is a percentage."""
        if tax is not None:
            self.percent(tax.rate, f"{path}.rate")

    def allowances(self, allowances: tuple[AllowanceCharge, ...], path: str) -> None:
        """Allowances and charges state an amount in the document's currency."""
        for place, one in enumerate(allowances):
            where = f"{path}[{place}]"
            if one.amount is None:
                self.add("amount-missing", f"{where}.amount", "an amount was expected")
            self.money(one.amount, f"{where}.amount")
            self.money(one.base, f"{where}.base")
            self.percent(one.percent, f"{where}.percent")
            self.tax(one.tax, f"{where}.tax")

    def day(self, day: date | datetime | None, path: str) -> None:
        """A date is in a plausible year."""
        if day is not None and not YEAR_MIN <= day.year <= YEAR_MAX:
            self.add("date", path, f"{day.isoformat()} was given, a year from {YEAR_MIN} to {YEAR_MAX} was expected")

    def dates(self, dates: tuple[QualifiedDate, ...], path: str) -> None:
        """Dates are plausible, and windows end after they begin."""
        for place, one in enumerate(dates):
            where = f"{path}[{place}]"
            if one.on is None and one.from_at is None and one.until_at is None:
                self.add("date-missing", where, "a date, or a window's beginning or end, was expected")
            self.day(one.on, f"{where}.on")
            self.day(one.from_at, f"{where}.from_at")
            self.day(one.until_at, f"{where}.until_at")
            if one.from_at and one.until_at and one.until_at < one.from_at:
                self.add("date", f"{where}.until_at", "the window was expected to end after it begins")

    def period(self, period: Period | None, path: str) -> None:
        """A period ends on or after its first day."""
        if period is None:
            return
        self.day(period.start_on, f"{path}.start_on")
        self.day(period.end_on, f"{path}.end_on")
        if period.start_on and period.end_on and period.end_on < period.start_on:
            self.add("date", f"{path}.end_on", f"a day on or after {period.start_on.isoformat()} was expected")

    def location(self, location: LocationRef | None, path: str) -> None:
        """A GLN's check digit is right."""
        if location is not None and location.gln and not _gln_fits(location.gln):
            text = f"{location.gln[:_SHOWN]!r} was given, a GLN of 13 digits with its check digit was expected"
            self.add("gln", f"{path}.gln", text)

    def trace(self, trace: tuple[Trace, ...], quantity: Quantity | None, path: str) -> None:
        """Lots and serials account for no more than the line."""
        parts = []
        for place, one in enumerate(trace):
            where = f"{path}[{place}]"
            self.day(one.best_before_on, f"{where}.best_before_on")
            self.day(one.produced_on, f"{where}.produced_on")
            self.day(one.expires_on, f"{where}.expires_on")
            if one.quantity is not None and self.quantity(one.quantity, f"{where}.quantity", zero=True):
                parts.append(one.quantity)
        if parts and quantity is not None:
            self.sum_within(parts, abs(quantity), path, "trace-exceeds", "the lots")

    def sum_within(self, parts: Iterable[Quantity], whole: Quantity, path: str, rule: str, what: str) -> None:
        """Parts add up to no more than the whole, in units that convert."""
        try:
            total = sum(scaled_in(part, whole.unit) for part in parts)
            if total > scaled_in(whole, whole.unit):
                self.add(rule, path, f"{what} add up to more than the line's {whole}")
        except RefusedError as error:
            self.add(error.code, path, f"{error.message}; the line is in {whole.unit}")

    def schedule(self, schedule: tuple[Schedule, ...], path: str) -> None:
        """Pieces are positive, dated plausibly, and substitutes are named."""
        for place, piece in enumerate(schedule):
            where = f"{path}[{place}]"
            self.quantity(piece.quantity, f"{where}.quantity", zero=True)
            self.dates(piece.dates, f"{where}.dates")
            self.location(piece.location, f"{where}.location")
            if piece.substitute is not None:
                self.item(piece.substitute, f"{where}.substitute")

    def packages(self, packages: tuple[Package, ...], path: str) -> None:
        """An SSCC's check digit is right; a package's contents are quantities."""
        for place, package in enumerate(packages):
            if package.sscc and not is_sscc(package.sscc):
                text = f"{package.sscc[:_SHOWN]!r} was given, an SSCC of 18 digits with its check digit was expected"
                self.add("sscc", f"{path}[{place}].sscc", text)
            for number, content in enumerate(package.contents):
                if content.quantity is not None:
                    self.quantity(content.quantity, f"{path}[{place}].contents[{number}].quantity", zero=True)
