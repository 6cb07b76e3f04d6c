"""Validation of invoices and credit notes: the arithmetic of EN 16931-1, exact after rounding to the minor unit.

Checked are the line amount (BT-131, as in Peppol rule R120), the sums BR-CO-10 to BR-CO-16, and the VAT breakdown:
each category and rate has the taxable amount of its lines, allowances and charges (BR-S-08 and its likes), and tax is
taxable times rate (BR-CO-17). Rounding is half up in the currency's minor unit; nothing is tolerated beyond it. What is
not stated is computed where it can be, so that a document with few totals is checked as far as it goes.

Lines below another line (`parent_line`) are either part of the parent's amount or amounts of their own; the standard's
extensions differ, so either sum is taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, localcontext

from node.core.decimals import EXACT
from node.core.document.common import AllowanceCharge, Tax, TaxSubtotal
from node.core.document.invoice import CreditNote, Invoice, InvoiceLine, InvoiceTotals, RemittanceAdvice
from node.core.iso_codes import MINOR_UNITS
from node.core.line_checks import Checks
from node.core.money import Money
from node.core.units import convert
from node.errors import RefusedError

__all__ = ["check_invoice", "check_remittance"]

_ZERO = Decimal(0)
_ONE = Decimal(1)
_HUNDRED = Decimal(100)


def check_invoice(checks: Checks, document: Invoice | CreditNote) -> None:
    """An invoice's lines are complete and its amounts add up."""
    if not document.currency:
        checks.add("currency-missing", "currency", "an ISO 4217 currency was expected (BT-5)")
    if not document.lines:
        checks.add("no-lines", "lines", "at least one line was expected (BR-16)")
    checks.ids([line.line_id for line in document.lines], "lines")
    with localcontext(EXACT):
        for place, line in enumerate(document.lines):
            _line(checks, line, f"lines[{place}]")
            if checks.is_full:
                return
    checks.allowances(document.allowances_charges, "allowances_charges")
    for name in ("issued_on", "due_on", "tax_point_on"):
        checks.day(getattr(document, name), name)
    checks.period(document.period, "period")
    if document.payment_terms is not None:
        checks.percent(document.payment_terms.discount_percent, "payment_terms.discount_percent")
    if document.totals is None or document.totals.payable is None:
        checks.add("totals-missing", "totals.payable", "the amount due was expected (BT-115)")
    if document.totals is not None:
        _totals_in_currency(checks, document.totals, document.tax_currency)
    if not checks.found and document.totals is not None:
        # Sums of amounts in unlike currencies, or of amounts that are not there, would only confuse.
        with localcontext(EXACT):
            _sums(checks, document, document.totals)


def _line(checks: Checks, line: InvoiceLine, path: str) -> None:
    checks.item(line.item, f"{path}.item", needed=not line.order_line_id)
    # Corrections bill negative quantities.
    checks.quantity(line.quantity, f"{path}.quantity", zero=True, negative=True)
    if line.delivered_quantity is not None:
        checks.quantity(line.delivered_quantity, f"{path}.delivered_quantity", zero=True, negative=True)
    checks.price(line.price, f"{path}.price")
    checks.tax(line.tax, f"{path}.tax")
    checks.allowances(line.allowances_charges, f"{path}.allowances_charges")
    checks.period(line.period, f"{path}.period")
    if line.trace:
        checks.trace(line.trace, line.quantity, f"{path}.trace")
    if line.line_amount is None:
        checks.add("amount-missing", f"{path}.line_amount", "the line's net amount was expected (BT-131)")
        return
    checks.money(line.line_amount, f"{path}.line_amount")
    expected = _line_amount(line, checks.currency)
    if expected is not None and expected != line.line_amount.amount:
        text = f"{line.line_amount.amount:f} was given, quantity times price gives {expected:f} (BT-131)"
        checks.add("line-amount", f"{path}.line_amount", text)


def _line_amount(line: InvoiceLine, currency: str) -> Decimal | None:
    """quantity x price / base + charges - allowances, rounded; None where the price is of another kind."""
    price, quantity = line.price, line.quantity
    if price is None or price.amount is None or quantity is None or price.tax_included or currency not in MINOR_UNITS:
        return None
    base = price.base_quantity
    value, per = quantity.value, _ONE
    if base is not None:
        if not base.value > 0:
            return None
        per = base.value
        if not base.is_like(quantity):
            if price.order_factor is not None:
                return None
            try:
                value = convert(quantity, base.unit).value
            except RefusedError:
                return None
    gross = _rounded_fraction(value * price.amount.amount, per, currency)
    return gross + _net(line.allowances_charges)


def _rounded_fraction(numerator: Decimal, denominator: Decimal, currency: str) -> Decimal:
    """numerator / denominator in the currency's minor unit, half up, without an inexact quotient in between."""
    decimals = MINOR_UNITS[currency]
    scale = 10**6
    top = int(numerator * scale * scale) * 10**decimals
    bottom = int(denominator * scale) * scale
    sign = -1 if (top < 0) != (bottom < 0) else 1
    whole = (2 * abs(top) + abs(bottom)) // (2 * abs(bottom))
    return Decimal(sign * whole).scaleb(-decimals)


def _net(allowances: Iterable[AllowanceCharge]) -> Decimal:
    """Charges less allowances."""
    return sum(((one.amount.amount if one.charge else -one.amount.amount) for one in allowances if one.amount), _ZERO)


def _totals_in_currency(checks: Checks, totals: InvoiceTotals, tax_currency: str) -> None:
    for name in ("lines", "allowances", "charges", "without_tax", "tax", "with_tax", "prepaid", "rounding", "payable"):
        checks.money(getattr(totals, name), f"totals.{name}")
    other = totals.tax_in_tax_currency
    if other is not None and tax_currency and other.currency != tax_currency:
        checks.add("currency", "totals.tax_in_tax_currency", f"{tax_currency} was expected (BT-6)")


def _sums(checks: Checks, document: Invoice | CreditNote, totals: InvoiceTotals) -> None:
    """BR-CO-10 to BR-CO-16, each from what is stated before it or else from what was computed."""
    amounts = [(line, line.line_amount.amount) for line in document.lines if line.line_amount]
    every = sum((amount for _, amount in amounts), _ZERO)
    top = sum((amount for line, amount in amounts if not line.parent_line), _ZERO)
    lines = top if totals.lines is not None and totals.lines.amount == top else every
    lines = _agreed(checks, totals.lines, lines, "lines", "the line amounts add up to", "BR-CO-10")
    charged = [one for one in document.allowances_charges if one.charge]
    allowed = [one for one in document.allowances_charges if not one.charge]
    allowances = _agreed(checks, totals.allowances, -_net(allowed), "allowances", "allowances add up to", "BR-CO-11")
    charges = _agreed(checks, totals.charges, _net(charged), "charges", "charges add up to", "BR-CO-12")
    without_tax = _agreed(
        checks, totals.without_tax, lines - allowances + charges, "without_tax", "lines and allowances give", "BR-CO-13"
    )
    tax = totals.tax.amount if totals.tax is not None else _ZERO
    if document.tax_subtotals:
        stated = sum((one.amount.amount for one in document.tax_subtotals if one.amount), _ZERO)
        tax = _agreed(checks, totals.tax, stated, "tax", "the VAT breakdown adds up to", "BR-CO-14")
        _breakdown(checks, document, every == lines)
    with_tax = _agreed(checks, totals.with_tax, without_tax + tax, "with_tax", "net and tax give", "BR-CO-15")
    prepaid = totals.prepaid.amount if totals.prepaid else _ZERO
    rounding = totals.rounding.amount if totals.rounding else _ZERO
    withheld = sum((one.amount.amount for one in document.withholding_subtotals if one.amount), _ZERO)
    due = with_tax - prepaid + rounding
    if withheld and totals.payable is not None and totals.payable.amount == due - withheld:
        # Some countries state the amount due after the tax that the buyer keeps back, others before it.
        due -= withheld
    _agreed(checks, totals.payable, due, "payable", "total, prepaid amount and rounding give", "BR-CO-16")


def _agreed(checks: Checks, stated: Money | None, computed: Decimal, name: str, how: str, rule: str) -> Decimal:
    """The stated amount, with a finding where it is not the computed one; the computed one when nothing is stated."""
    if stated is None:
        return computed
    # Lines may carry more decimals than the currency has; their sum is then rounded once.
    if stated.amount != computed and stated.amount != _rounded_fraction(computed, _ONE, stated.currency):
        checks.add(rule.lower(), f"totals.{name}", f"{stated.amount:f} was given, {how} {computed:f} ({rule})")
    return stated.amount


def _kind(tax: Tax | None) -> tuple[str, Decimal]:
    """What a VAT breakdown is grouped by."""
    return (tax.category, (tax.rate or _ZERO).normalize()) if tax is not None else ("", _ZERO)


def _breakdown(checks: Checks, document: Invoice | CreditNote, with_children: bool) -> None:
    """Every category and rate has one row, of the right taxable amount and tax."""
    taxable: dict[tuple[str, Decimal], Decimal] = {}
    for line in document.lines:
        if line.line_amount is not None and (with_children or not line.parent_line):
            kind = _kind(line.tax)
            taxable[kind] = taxable.get(kind, _ZERO) + line.line_amount.amount
    for one in document.allowances_charges:
        kind = _kind(one.tax)
        taxable[kind] = taxable.get(kind, _ZERO) + _net((one,))
    known = all(kind[0] for kind in taxable)
    for place, row in enumerate(document.tax_subtotals):
        path = f"tax_subtotals[{place}]"
        _subtotal(checks, row, path)
        if not known or row.taxable is None:
            continue
        expected = taxable.pop(_kind(row.tax), None)
        if expected is None:
            checks.add("vat-breakdown", path, "one row for each category and rate of the lines was expected (BR-CO-18)")
        elif row.taxable.amount not in (expected, _rounded_fraction(expected, _ONE, row.taxable.currency)):
            text = f"{row.taxable.amount:f} was given, its lines, allowances and charges give {expected:f} (BR-S-08)"
            checks.add("vat-breakdown", f"{path}.taxable", text)
    for category, rate in taxable if known else ():
        text = f"a row for category {category} at {rate:f} percent was expected, which lines state (BR-CO-18)"
        checks.add("vat-breakdown", "tax_subtotals", text)


def _subtotal(checks: Checks, row: TaxSubtotal, path: str) -> None:
    """BR-CO-17: tax is taxable times rate."""
    checks.tax(row.tax, f"{path}.tax")
    checks.money(row.taxable, f"{path}.taxable")
    checks.money(row.amount, f"{path}.amount")
    if row.amount is None or row.taxable is None or row.tax is None or row.tax.rate is None:
        return
    currency = row.amount.currency
    expected = _rounded_fraction(row.taxable.amount * row.tax.rate, _HUNDRED, currency)
    if expected != row.amount.amount:
        text = f"{row.amount.amount:f} was given, {row.tax.rate:f} percent of the taxable is {expected:f} (BR-CO-17)"
        checks.add("br-co-17", f"{path}.amount", text)


def check_remittance(checks: Checks, document: RemittanceAdvice) -> None:
    """A remittance names what was paid, and its lines add up to the total."""
    checks.ids([line.line_id for line in document.lines], "lines")
    checks.money(document.total, "total")
    paid = _ZERO
    for place, line in enumerate(document.lines):
        path = f"lines[{place}]"
        if line.paid is None:
            checks.add("amount-missing", f"{path}.paid", "the amount paid was expected")
        else:
            paid += line.paid.amount
        for name in ("paid", "discount", "deducted"):
            checks.money(getattr(line, name), f"{path}.{name}")
    if document.total is not None and document.lines and not checks.found and document.total.amount != paid:
        text = f"{document.total.amount:f} was given, the lines add up to {paid:f}"
        checks.add("total", "total", text)
    checks.day(document.paid_on, "paid_on")
