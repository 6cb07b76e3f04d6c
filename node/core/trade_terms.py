"""What the agreed terms say of an order: its value against the minimum, and what is open against the credit limit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from node.core.decimals import EXACT, from_scaled
from node.core.document.common import Reason
from node.core.document.order import Order
from node.core.finding import Finding
from node.core.money import Money
from node.core.rows import LineEventRow, OrderLineRow, OrderRow

__all__ = ["below_minimum", "exposure", "over_limit", "value_of"]

_GIVEN_BACK = frozenset({"rejected", "cancelled", "credited"})


def value_of(order: Order) -> Money:
    """The order's value: its lines' quantities at their prices, without tax; lines without a price count nothing."""
    total = Decimal(0)
    for line in order.lines:
        price, quantity = line.price, line.quantity
        if price is None or price.amount is None or quantity is None:
            continue
        base = price.base_quantity.value if price.base_quantity else Decimal(1)
        total += price.amount.amount * quantity.value / (base or Decimal(1))
    return Money(EXACT.plus(total.quantize(Decimal("0.000001"))), order.currency).rounded()


def below_minimum(order: Order, minimum: Money | None) -> Finding | None:
    """Why an order is too small, if it is; an order in another currency is not compared."""
    if minimum is None or order.currency != minimum.currency:
        return None
    value = value_of(order)
    if value >= minimum:
        return None
    text = f"the order's value is {value.amount} {value.currency}; at least {minimum.amount} is agreed"
    return Finding("below-minimum", "lines", text)


def exposure(
    orders: Iterable[OrderRow],
    lines: Sequence[OrderLineRow],
    events: Sequence[LineEventRow],
    paid: Iterable[Money],
    currency: str,
) -> Money:
    """What a buyer owes or will owe: ordered, less what was rejected, cancelled or credited, less what was paid."""
    counted = {order.order_id for order in orders if order.currency == currency}
    prices = {
        (line.order_id, line.line_id): from_scaled(line.price) / (from_scaled(line.price_base or 0) or Decimal(1))
        for line in lines
        if line.order_id in counted and line.price is not None
    }
    total = sum(
        (
            prices[line.order_id, line.line_id] * from_scaled(line.quantity)
            for line in lines
            if (line.order_id, line.line_id) in prices
        ),
        Decimal(0),
    )
    for event in events:
        place = (event.order_id, event.line_id)
        if event.standing and event.event in _GIVEN_BACK and place in prices:
            total -= prices[place] * from_scaled(event.quantity)
    total -= sum((one.amount for one in paid if one.currency == currency), Decimal(0))
    return Money(total.quantize(Decimal("0.000001")), currency).rounded()


def over_limit(order: Order, open_before: Money, limit: Money) -> Reason | None:
    """Why an order must wait for a human: with it, more would be open than the credit limit allows."""
    if order.currency != limit.currency:
        return None
    after = open_before + value_of(order)
    if after <= limit:
        return None
    text = (
        f"with this order {after.amount} {after.currency} would be open; the limit is {limit.amount}. A human decides"
    )
    return Reason(code="credit-limit", text=text, language="en")
