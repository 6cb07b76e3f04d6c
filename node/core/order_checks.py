"""Validation of the documents that agree on an order, and of those that follow it up to the delivery.

The order's lines are checked in plain conditions first, because they are most of what a node receives; only a line
that fails one is looked at again, for the finding's place and text.
"""

from __future__ import annotations

from decimal import Decimal

from node.core.document.common import DocumentKey, ItemRef, Price, QualifiedDate
from node.core.document.fulfilment import (
    AdviceStatus,
    DeliveryEvent,
    DeliveryStatus,
    DespatchAdvice,
    ReceivingAdvice,
    ReturnAnnouncement,
    ReturnReceipt,
)
from node.core.document.order import (
    Order,
    OrderCancellation,
    OrderChange,
    OrderLine,
    OrderResponse,
    OrderResponseLine,
    OrderTotals,
    ResponseOutcome,
    Schedule,
    ScheduleOutcome,
)
from node.core.line_checks import QUANTITY_MAX, YEAR_MAX, YEAR_MIN, Checks, gtin_fits

__all__ = [
    "check_cancellation",
    "check_change",
    "check_delivery",
    "check_despatch",
    "check_order",
    "check_receiving",
    "check_response",
    "check_return",
    "check_return_receipt",
]

_ZERO = Decimal(0)
_HUNDRED = Decimal(100)
_GOOD = frozenset(
    {
        ScheduleOutcome.ACCEPTED,
        ScheduleOutcome.BACK_ORDERED,
        ScheduleOutcome.SUBSTITUTED,
        ScheduleOutcome.DESPATCHED,
    }
)
_BAD = frozenset({ScheduleOutcome.REJECTED, ScheduleOutcome.CANCELLED})


def check_order(checks: Checks, document: Order) -> None:
    """An order has lines, each with an item, a positive quantity, and amounts in the order's currency."""
    if not document.lines:
        checks.add("no-lines", "lines", "at least one line was expected")
    _order_lines(checks, document.lines, zero=False)
    if document.dates:
        checks.dates(document.dates, "dates")
    if document.allowances_charges:
        checks.allowances(document.allowances_charges, "allowances_charges")
    if document.totals is not None:
        _totals(checks, document.totals)
    if document.payment_terms is not None:
        checks.percent(document.payment_terms.discount_percent, "payment_terms.discount_percent")
    if document.validity is not None:
        checks.period(document.validity, "validity")


def check_change(checks: Checks, document: OrderChange) -> None:
    """A change names its order and gives new values; quantity zero takes a line away."""
    _order_named(checks, document.order)
    if not document.lines and not document.dates and not document.delivery_terms and not document.payment_terms:
        checks.add("no-lines", "lines", "a changed line, date or term was expected")
    _order_lines(checks, document.lines, zero=True)
    checks.dates(document.dates, "dates")
    checks.allowances(document.allowances_charges, "allowances_charges")
    if document.totals is not None:
        _totals(checks, document.totals)
    checks.period(document.validity, "validity")


def check_cancellation(checks: Checks, document: OrderCancellation) -> None:
    """A cancellation names its order, and each line once."""
    _order_named(checks, document.order)
    if len(set(document.line_ids)) != len(document.line_ids) or "" in document.line_ids:
        checks.add("line-id", "line_ids", "each line's id once was expected, or none for the whole order")


def _order_lines(checks: Checks, lines: tuple[OrderLine, ...], *, zero: bool) -> None:
    checks.ids([line.line_id for line in lines], "lines")
    currency = checks.currency
    for place, line in enumerate(lines):
        quantity, item, price, amount = line.quantity, line.item, line.price, line.line_amount
        if (
            quantity is None
            or not (quantity.value > _ZERO or (zero and not quantity.value))
            or quantity.value > QUANTITY_MAX
            or (price is not None and not _plain_price(price, currency))
            or (amount is not None and amount.currency != currency)
            or item is None
            or not (gtin_fits(item.gtin) if item.gtin else item.seller_number or item.buyer_number)
            or not item.seller_number.isprintable()
            or not item.buyer_number.isprintable()
            or not item.manufacturer_number.isprintable()
            or not (not line.dates or _plain_date(line.dates))
            or line.schedule
            or line.allowances_charges
            or line.trace
            or line.ship_to
            or (line.tax is not None and line.tax.rate is not None and not _ZERO <= line.tax.rate <= _HUNDRED)
        ):
            _order_line(checks, line, f"lines[{place}]", zero)
            if checks.is_full:
                return
            currency = checks.currency


def _plain_price(price: Price, currency: str) -> bool:
    """Whether a price is the usual one: an amount in the document's currency for a positive base quantity."""
    amount, base = price.amount, price.base_quantity
    return (
        amount is not None
        and amount.currency == currency
        and amount.amount >= _ZERO
        and (base is None or base.value > _ZERO)
        and price.gross is None
        and not price.tiers
    )


def _plain_date(dates: tuple[QualifiedDate, ...]) -> bool:
    """Whether there is one date, in a plausible year."""
    on = dates[0].on
    return len(dates) == 1 and on is not None and YEAR_MIN <= on.year <= YEAR_MAX and dates[0].from_at is None


def _order_line(checks: Checks, line: OrderLine, path: str, zero: bool) -> None:
    """The same rules again, and the rarer ones, with findings."""
    checks.item(line.item, f"{path}.item")
    checks.quantity(line.quantity, f"{path}.quantity", zero=zero)
    checks.price(line.price, f"{path}.price")
    checks.money(line.line_amount, f"{path}.line_amount")
    checks.dates(line.dates, f"{path}.dates")
    checks.allowances(line.allowances_charges, f"{path}.allowances_charges")
    checks.tax(line.tax, f"{path}.tax")
    checks.location(line.ship_to, f"{path}.ship_to")
    checks.schedule(line.schedule, f"{path}.schedule")
    if line.quantity is not None:
        pieces = [piece.quantity for piece in line.schedule if piece.quantity is not None]
        if pieces:
            checks.sum_within(pieces, line.quantity, f"{path}.schedule", "schedule-exceeds", "the pieces")
        if line.trace:
            checks.trace(line.trace, line.quantity, f"{path}.trace")


def _totals(checks: Checks, totals: OrderTotals) -> None:
    for name in ("lines", "allowances", "charges", "tax", "payable", "without_tax", "with_tax", "prepaid", "rounding"):
        checks.money(getattr(totals, name), f"totals.{name}")


def _order_named(checks: Checks, key: DocumentKey | None) -> None:
    if key is None or not key.number:
        checks.add("order-missing", "order.number", "the number of the order was expected")


def check_response(checks: Checks, document: OrderResponse) -> None:
    """A response names its order and says one consistent thing."""
    _order_named(checks, document.order)
    outcome = document.outcome
    if outcome is ResponseOutcome.UNSPECIFIED:
        expected = "ACKNOWLEDGED, ACCEPTED, CHANGED, REJECTED or IN_PROCESS was expected"
        checks.add("outcome-missing", "outcome", expected)
    if outcome is ResponseOutcome.CHANGED and not document.lines and not document.dates and document.answers is None:
        checks.add("outcome", "lines", "CHANGED was given; lines that say what is changed were expected")
    if document.answers is not None and not document.answers.number:
        checks.add("answers", "answers.number", "the number of the change or cancellation was expected")
    checks.ids([line.line_id for line in document.lines], "lines")
    for place, line in enumerate(document.lines):
        _response_line(checks, document, line, f"lines[{place}]")
        if checks.is_full:
            return
    checks.dates(document.dates, "dates")
    checks.allowances(document.allowances_charges, "allowances_charges")
    if document.totals is not None:
        _totals(checks, document.totals)


def _response_line(checks: Checks, document: OrderResponse, line: OrderResponseLine, path: str) -> None:
    if line.item is not None:
        checks.item(line.item, f"{path}.item")
    if line.quantity is not None:
        checks.quantity(line.quantity, f"{path}.quantity", zero=True)
    checks.price(line.price, f"{path}.price")
    checks.money(line.line_amount, f"{path}.line_amount")
    checks.allowances(line.allowances_charges, f"{path}.allowances_charges")
    checks.tax(line.tax, f"{path}.tax")
    if not line.schedule:
        return
    checks.schedule(line.schedule, f"{path}.schedule")
    _pieces_fit_outcome(checks, document, line.schedule, path)
    if line.quantity is not None and line.quantity.value:
        # What is refused or explained may come on top: some systems state only the confirmed quantity on the line.
        pieces = [
            piece.quantity
            for piece in line.schedule
            if piece.quantity is not None and piece.outcome not in _BAD and piece.reason is None
        ]
        checks.sum_within(pieces, line.quantity, f"{path}.schedule", "schedule-exceeds", "the pieces")


def _pieces_fit_outcome(checks: Checks, document: OrderResponse, schedule: tuple[Schedule, ...], path: str) -> None:
    """ACCEPTED refuses nothing and REJECTED promises nothing, unless it is a request that is answered."""
    if document.answers is not None and document.answers.type != "Order":
        return
    outcome = document.outcome
    if outcome is ResponseOutcome.ACCEPTED and any(piece.outcome in _BAD for piece in schedule):
        checks.add("outcome", f"{path}.schedule", "in an ACCEPTED response no rejected piece was expected")
    elif outcome is ResponseOutcome.REJECTED and any(piece.outcome in _GOOD for piece in schedule):
        checks.add("outcome", f"{path}.schedule", "in a REJECTED response no accepted piece was expected")


def check_despatch(checks: Checks, document: DespatchAdvice) -> None:
    """A despatch advice has lines with quantities, or says what is outstanding, or is cancelled."""
    if not document.lines and document.status is not AdviceStatus.CANCELLED:
        checks.add("no-lines", "lines", "at least one line was expected")
    checks.ids([line.line_id for line in document.lines], "lines")
    for place, line in enumerate(document.lines):
        path = f"lines[{place}]"
        checks.item(line.item, f"{path}.item", needed=not line.order_line_id)
        outstanding = line.outstanding_quantity is not None or document.status is AdviceStatus.CANCELLED
        checks.quantity(line.quantity, f"{path}.quantity", zero=outstanding)
        if line.billed_quantity is not None:
            checks.quantity(line.billed_quantity, f"{path}.billed_quantity", zero=True)
        if line.outstanding_quantity is not None:
            checks.quantity(line.outstanding_quantity, f"{path}.outstanding_quantity", zero=True)
        if line.trace:
            checks.trace(line.trace, line.quantity, f"{path}.trace")
        checks.price(line.price, f"{path}.price")
        if checks.is_full:
            return
    checks.dates(document.dates, "dates")
    checks.day(document.despatched_at, "despatched_at")
    checks.location(document.ship_from, "ship_from")
    checks.location(document.ship_to, "ship_to")
    checks.packages(document.packages, "packages")


def check_receiving(checks: Checks, document: ReceivingAdvice) -> None:
    """A receiving advice says of each line what arrived, and in which condition."""
    if not document.lines and document.status is not AdviceStatus.CANCELLED:
        checks.add("no-lines", "lines", "at least one line was expected")
    checks.ids([line.line_id for line in document.lines], "lines")
    for place, line in enumerate(document.lines):
        path = f"lines[{place}]"
        checks.item(line.item, f"{path}.item", needed=not (line.order_line_id or line.despatch_line_id))
        said = False
        for name in ("accepted", "short", "over", "damaged", "wrong"):
            quantity = getattr(line, name)
            said |= checks.quantity(quantity, f"{path}.{name}", zero=True, needed=False)
        if not said:
            checks.add("quantity-missing", path, "at least one of accepted, short, over, damaged, wrong was expected")
        if line.trace:
            checks.trace(line.trace, line.accepted, f"{path}.trace")
        if checks.is_full:
            return
    checks.day(document.received_at, "received_at")
    checks.location(document.location, "location")
    checks.packages(document.packages, "packages")


def check_delivery(checks: Checks, document: DeliveryStatus) -> None:
    """A delivery status says what happened, and to which goods."""
    if document.event is DeliveryEvent.UNSPECIFIED:
        checks.add("event-missing", "event", "what happened was expected, such as DELIVERED or FAILED")
    if document.despatch is None and document.order is None and not document.tracking and not document.sscc:
        checks.add("order-missing", "despatch", "a despatch advice, order, tracking number or SSCC was expected")
    checks.ids([line.order_line_id for line in document.lines], "lines")
    for place, line in enumerate(document.lines):
        checks.quantity(line.quantity, f"lines[{place}].quantity", zero=True)
    checks.day(document.occurred_at, "occurred_at")
    checks.location(document.location, "location")


def check_return(checks: Checks, document: ReturnAnnouncement) -> None:
    """A return announcement says what comes back."""
    if not document.lines:
        checks.add("no-lines", "lines", "at least one line was expected")
    checks.ids([line.line_id for line in document.lines], "lines")
    for place, line in enumerate(document.lines):
        path = f"lines[{place}]"
        checks.item(line.item, f"{path}.item", needed=not line.order_line_id)
        checks.quantity(line.quantity, f"{path}.quantity")
        if line.trace:
            checks.trace(line.trace, line.quantity, f"{path}.trace")
    checks.dates(document.dates, "dates")
    checks.location(document.return_to, "return_to")
    checks.packages(document.packages, "packages")


def check_return_receipt(checks: Checks, document: ReturnReceipt) -> None:
    """A return receipt says what came back, and names each by the announcement's line or its item."""
    checks.ids([line.line_id for line in document.lines], "lines")
    for place, line in enumerate(document.lines):
        path = f"lines[{place}]"
        if not line.return_line_id:
            checks.item(line.item or ItemRef(), f"{path}.item")
        checks.quantity(line.quantity, f"{path}.quantity", zero=True)
        if line.trace:
            checks.trace(line.trace, line.quantity, f"{path}.trace")
    checks.day(document.received_at, "received_at")
    checks.location(document.location, "location")
