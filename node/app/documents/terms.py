"""Trade terms at work: orders too small are refused, over the credit limit they wait, or are accepted at once; answers
outside our tolerances wait for our confirmation, and their seller is told so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from node import wire
from node.app.context import Context
from node.app.documents import orders
from node.app.documents.submit import Submission, submit
from node.app.stock.allocation import NOTHING_SHORT, Short
from node.core import trade_terms
from node.core.decimals import parse_decimal
from node.core.document import Document, document_key, header_of
from node.core.document.common import DocumentHeader, DocumentKey, Reason, Reference, ReferenceKind
from node.core.document.invoice import RemittanceAdvice
from node.core.document.order import (
    Order,
    OrderLine,
    OrderResponse,
    OrderResponseLine,
    ResponseOutcome,
    Schedule,
    ScheduleOutcome,
)
from node.core.document.terms import ApplicationOutcome, ApplicationResponse, LineReason
from node.core.finding import Finding
from node.core.money import Money
from node.core.order_state import Effects
from node.core.quantity import Quantity
from node.core.tolerance import Difference, breaches
from node.errors import ConfigError, RefusedError
from node.ports import OrderIdentity, Transaction

__all__ = ["Credit", "accept_by_terms", "confirmation", "minimum_finding", "query_by_terms"]

ORDERS_COUNTED_MAX = 10_000
"""Orders of one partner that the credit limit is reckoned over."""


def minimum_finding(ctx: Context, partner_id: str, order: Order) -> Finding | None:
    """Why this partner's order is too small, if it is."""
    return trade_terms.below_minimum(order, _money(ctx, partner_id, "order_minimum"))


class Credit:
    """One partner's credit limit against a batch of its orders: what is open is read once, each taken order adds."""

    def __init__(self, tx: Transaction, ctx: Context, partner_id: str) -> None:
        self._tx = tx
        self._partner_id = partner_id
        self._limit = _money(ctx, partner_id, "credit_limit")
        self._open: Money | None = None

    def reason(self, order: Order) -> Reason | None:
        """Why this order must wait for a human, if with it more would be open than agreed."""
        if self._limit is None:
            return None
        if self._open is None:
            self._open = self._read(self._limit.currency, header_of(order).usage.value)
        reason = trade_terms.over_limit(order, self._open, self._limit)
        if reason is None and order.currency == self._limit.currency:
            self._open += trade_terms.value_of(order)
        return reason

    def _read(self, currency: str, usage: str) -> Money:
        tx = self._tx
        found = tx.orders.search(partner_id=self._partner_id, limit=ORDERS_COUNTED_MAX)
        orders = [row for row in found if row.role == "seller" and row.usage == usage]
        ids = [row.order_id for row in orders]
        lines = tx.orders.lines(ids) if ids else []
        events = tx.orders.events(ids) if ids else []
        return trade_terms.exposure(orders, lines, events, _paid(tx, self._partner_id, usage), currency)


def accept_by_terms(
    tx: Transaction, ctx: Context, partner_id: str, documents: Sequence[Document], short: Short = NOTHING_SHORT
) -> bool:
    """Accept taken orders at once where the terms say so; returns whether anything waits for the partner now.

    What the stock ledger could not give is back-ordered.
    """
    if not ctx.settings.partner(partner_id).auto_accept:
        return False
    answers = [Submission(_acceptance(order, short)) for order in documents if isinstance(order, Order)]
    if not answers:
        return False
    try:
        submit(tx, ctx, partner_id, answers)
    except RefusedError as error:
        ctx.log.warning("orders were not accepted by themselves: %s", error.message, extra={"partner": partner_id})
        return False
    return True


def _acceptance(order: Order, short: Short) -> OrderResponse:
    """All of an order, or of each line what there is, and the rest later."""
    header = header_of(order)
    identity = OrderIdentity(header.issuer, header.unit, header.number, header.series, header.usage.value)
    missing = {line.line_id: short.get((identity, line.line_id)) for line in order.lines} if short else {}
    answer = OrderResponse(
        header=DocumentHeader(number=f"{header.number}-ACCEPTED"), order=_key(order), outcome=ResponseOutcome.ACCEPTED
    )
    if all(one is None or one.is_zero for one in missing.values()):
        return answer
    lines = tuple(
        OrderResponseLine(line_id=line.line_id, item=line.item, schedule=_pieces(line, missing.get(line.line_id)))
        for line in order.lines
        if line.quantity is not None
    )
    return replace(answer, outcome=ResponseOutcome.CHANGED, lines=lines)


def _pieces(line: OrderLine, missing: Quantity | None) -> tuple[Schedule, ...]:
    whole = line.quantity or Quantity.zero("C62")
    later = missing or Quantity.zero(whole.unit)
    pieces = (
        Schedule(schedule_id="1", quantity=whole - later, outcome=ScheduleOutcome.ACCEPTED),
        Schedule(schedule_id="2", quantity=later, outcome=ScheduleOutcome.BACK_ORDERED),
    )
    return tuple(one for one in pieces if one.quantity is not None and not one.quantity.is_zero)


def query_by_terms(
    tx: Transaction, ctx: Context, partner_id: str, answers: Iterable[tuple[int, Document, Effects]]
) -> bool:
    """Tell the seller which of its answers, by id and with their effects, must be confirmed by us before they count.

    They are those whose changes are outside our tolerances; returns whether anything waits for the partner now.
    """
    tolerances = orders.tolerances_for(ctx, partner_id)
    queries = []
    for document_id, answer, effects in answers:
        if not isinstance(answer, OrderResponse):
            continue
        outside = {
            event.line_id: told
            for event in effects.events
            if event.event == "changed"
            and event.standing
            and event.document_id == document_id
            and (told := breaches(Difference.of_text(event.detail), tolerances))
        }
        if outside:
            reasons = {
                line_id: Reason(code="outside-tolerance", text="; ".join(told), language="en")
                for line_id, told in outside.items()
            }
            key = replace(answer.order or DocumentKey(), issuer=tx.partners.own().partner_id, type="Order")
            query = confirmation(f"Q{document_id}", document_key(answer), key, ApplicationOutcome.UNDER_QUERY, reasons)
            queries.append(Submission(query))
    if not queries:
        return False
    try:
        done = submit(tx, ctx, partner_id, queries)
    except RefusedError as error:
        ctx.log.warning("answers were not queried: %s", error.message, extra={"partner": partner_id})
        return False
    for one in done:
        if one.state == "refused":
            ctx.log.warning("an answer was not queried: %s", one.findings[0].text, extra={"partner": partner_id})
    return True


def confirmation(
    number: str,
    answer: DocumentKey,
    order: DocumentKey,
    outcome: ApplicationOutcome,
    reasons: Mapping[str, Reason | None],
) -> ApplicationResponse:
    """The buyer's word on the lines of an answer that `reasons` names: UNDER_QUERY, or ACCEPTED."""
    return ApplicationResponse(
        header=DocumentHeader(number=number, references=(Reference(kind=ReferenceKind.ORDER, document=order),)),
        document=answer,
        outcome=outcome,
        line_reasons=tuple(LineReason(line_id=line_id, reason=reason) for line_id, reason in reasons.items()),
    )


def _key(order: Order) -> DocumentKey:
    header = header_of(order)
    return DocumentKey(
        issuer=header.issuer,
        unit=header.unit,
        type="Order",
        number=header.number,
        series=header.series,
        revision=header.revision,
    )


def _paid(tx: Transaction, partner_id: str, usage: str) -> list[Money]:
    rows = tx.documents.search(
        partner_id=partner_id, direction="in", type="RemittanceAdvice", state="taken", limit=ORDERS_COUNTED_MAX
    )
    found = []
    for row in rows:
        document = wire.decode_document(row.type, row.body) if row.body and row.usage == usage else None
        if isinstance(document, RemittanceAdvice) and document.total is not None and row.duplicate_of is None:
            found.append(document.total)
    return found


def _money(ctx: Context, partner_id: str, name: str) -> Money | None:
    text: str = getattr(ctx.settings.partner(partner_id), name)
    if not text:
        return None
    amount, _, currency = text.partition(" ")
    try:
        return Money(parse_decimal(amount), currency)
    except RefusedError as error:
        raise ConfigError(
            f'{ctx.settings.file}: partners."{partner_id}".{name}: {error.message}',
            hint="Write an amount and a currency, such as 250.00 EUR.",
        ) from None
