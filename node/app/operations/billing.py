"""Invoices made by hand: from an order as it stands, at the prices that the two companies have agreed on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from node.app.operations.forms import Fields, Pieces, Standing, chosen, item_of, quantity_of
from node.core.decimals import format_decimal, from_scaled, to_scaled
from node.core.money import Money
from node.core.order_answer import agreed_price
from node.core.rows import OrderLineRow
from node.core.tolerance import Ratio
from node.errors import RefusedError

__all__ = ["invoice"]

COMMERCIAL_INVOICE = "380"
"""UNCL1001."""

_ONE = to_scaled(Decimal(1))


def invoice(
    standing: Standing,
    pieces: Sequence[Pieces],
    today: date,
    *,
    tax: Decimal,
    due: date | None,
    parties: Sequence[Fields],
) -> Fields:
    """An Invoice at the agreed prices: of the lines named, or of all that was despatched and not yet invoiced.

    Agreed is what a person says for this invoice, else what the standing answer says, unless the buyer has still to
    confirm it, else what the order says. Raises RefusedError ``price-open`` and ``no-price``.
    `tax` is the VAT rate of all lines in percent, category S (EN 16931, BT-151); 0 makes category Z.
    """
    currency = standing.order.currency
    billed = chosen(
        standing, pieces, lambda line: standing.total(line, "despatched") - standing.total(line, "invoiced")
    )
    vat = {"category": "S" if tax else "Z", "rate": format_decimal(tax), "scheme": "VAT"}
    said = [one.price for one in pieces] or [None] * len(billed)
    lines, net = [], Money.zero(currency) if currency else None
    for index, ((line, quantity), named) in enumerate(zip(billed, said, strict=True), 1):
        price = _agreed(standing, line) if named is None else Ratio(to_scaled(named), _ONE)
        if net is None:
            raise _no_price(line)
        amount = _amount(price.amount * quantity // price.base, currency)
        net += amount
        lines.append(
            {
                "line_id": str(index),
                "order_line_id": line.line_id,
                "item": item_of(line),
                "quantity": quantity_of(quantity, line.unit),
                "price": _price(price, line.unit, currency),
                "line_amount": _money(amount),
                "tax": vat,
            }
        )
    assert net is not None
    owed = _amount(to_scaled(net.amount) * to_scaled(tax) // to_scaled(Decimal(100)), currency)
    fields: Fields = {
        "header": {"parties": list(parties)},
        "type_code": COMMERCIAL_INVOICE,
        "currency": currency,
        "issued_on": today.isoformat(),
        "order": standing.key(),
        "lines": lines,
        "tax_subtotals": [{"tax": vat, "taxable": _money(net), "amount": _money(owed)}],
        "totals": {
            "lines": _money(net),
            "without_tax": _money(net),
            "tax": _money(owed),
            "with_tax": _money(net + owed),
            "payable": _money(net + owed),
        },
        "legal_status": "ORIGINAL",
    }
    if due:
        fields["due_on"] = due.isoformat()
    return fields


def _agreed(standing: Standing, line: OrderLineRow) -> Ratio:
    """The price that both companies hold for agreed. Raises RefusedError ``price-open`` and ``no-price``."""
    events = [event for event in standing.events if event.line_id == line.line_id]
    price, waits = agreed_price(line, events)
    if waits:
        raise RefusedError(
            f"line {line.line_id}: the buyer has not confirmed the price that was answered",
            code="price-open",
            hint=f"wait for the confirmation, or name the price: --line {line.line_id}=QTY@PRICE",
        )
    if price is None:
        raise _no_price(line)
    return price


def _no_price(line: OrderLineRow) -> RefusedError:
    return RefusedError(
        f"line {line.line_id} was ordered without a price", code="no-price", hint="give the invoice as --file"
    )


def _price(price: Ratio, unit: str, currency: str) -> Fields:
    fields: Fields = {"amount": {"amount": format_decimal(from_scaled(price.amount)), "currency": currency}}
    if price.base != _ONE:
        fields["base_quantity"] = quantity_of(price.base, unit)
    return fields


def _money(money: Money) -> Fields:
    return {"amount": format_decimal(money.amount), "currency": money.currency}


def _amount(scaled: int, currency: str) -> Money:
    """A scaled amount in whole cents. What was cut off behind its sixth decimal cannot change how it is rounded."""
    return Money(from_scaled(scaled), currency).rounded()
