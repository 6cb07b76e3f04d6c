"""Effects of what the buyer sends about an order: Order, OrderChange, OrderCancellation.

Which finding has which outcome, and why effects commute, is told in `node.core.order_book`.
"""

from __future__ import annotations

import json
from typing import Any

from node.core.asked import Asked, as_text
from node.core.document.common import DocumentHeader, ItemRef, LineKind, Price, ReferenceKind
from node.core.document.order import (
    Order,
    OrderCancellation,
    OrderChange,
    OrderKind,
    OrderLine,
)
from node.core.order_state import (
    ANSWERS,
    CONFIRMATIONS,
    Held,
    OrderKey,
    OrderState,
    Refused,
    Step,
    date_of,
    key_of,
    micros,
    reason_text,
    reference_of,
    scaled,
    scaled_in,
)
from node.core.rows import LineEventRow, OrderLineRow, OrderRow
from node.errors import RefusedError

__all__ = ["cancellation", "change", "named_order", "order", "price_of"]

_NO_ITEM = ItemRef()


def order(step: Step, document: Order) -> None:
    """A new order, a newer revision of a known one, or the same again."""
    header = document.header or DocumentHeader()
    key = OrderKey(header.issuer, header.unit, header.number, header.series, header.usage._value_)
    state = step.book.orders.get(key)
    effects = step.effects
    if state is None:
        order_id = step.new_order_id()
        effects.new_orders.append(_order_row(step, document, header, order_id, ""))
        on = date_of(document.dates) if document.dates else None
        effects.new_lines = [
            _line_row(order_id, ordinal, line, line.quantity.unit if line.quantity else "", on, step.document_id)
            for ordinal, line in enumerate(document.lines, 1)
        ]
        return
    if step.document_id in state.documents:
        return
    if (state.order.role == "buyer") != step.we_are_sender:
        raise Refused("wrong-role", "header.issuer", "this order was placed by the other party")
    if header.revision < state.order.revision:
        raise Refused(
            "old-revision",
            "header.revision",
            f"revision {state.order.revision} of order {header.number} is known; a newer one was expected",
        )
    lines = _revised_lines(state, document, step.document_id)
    if header.revision == state.order.revision:
        if [line[:-1] for line in lines] == [line[:-1] for line in state.lines.values()]:
            return
        raise Held(
            "other-content",
            "header.revision",
            f"order {header.number} revision {header.revision} is known with other values; a higher revision was"
            " expected",
        )
    _revise(step, state, document, header, lines)


def _revise(step: Step, state: OrderState, document: Order, header: DocumentHeader, lines: list[OrderLineRow]) -> None:
    """Replace an order's values; what was answered or asked for under the older revision stands no longer."""
    if document.currency and state.order.currency and document.currency != state.order.currency:
        raise Refused("other-currency", "currency", f"order {header.number} is in {state.order.currency}")
    effects = step.effects
    effects.updated_orders.append(
        _order_row(step, document, header, state.order.order_id, state.order.seller_order_number)
    )
    for line in lines:
        known = state.lines.get(line.line_id)
        if known is None:
            effects.new_lines.append(line)
        elif known[:-1] != line[:-1]:
            effects.changed_lines.append(line)
    ended = ANSWERS | CONFIRMATIONS | {"change_requested", "cancel_requested"}
    effects.replace_where(state, lambda e: e.event in ended)


def _revised_lines(state: OrderState, document: Order, document_id: int) -> list[OrderLineRow]:
    """The lines of a newer revision; those that it no longer names stay, with nothing ordered."""
    on = date_of(document.dates) if document.dates else None
    named = {line.line_id for line in document.lines}
    rows = []
    for place, line in enumerate(document.lines):
        known = state.lines.get(line.line_id)
        unit = known.unit if known else line.quantity.unit if line.quantity else ""
        try:
            rows.append(_line_row(state.order.order_id, place + 1, line, unit, on, document_id))
        except RefusedError as error:
            raise Refused(error.code, f"lines[{place}].quantity", f"{error.message}: a line keeps its unit") from error
    rows += [
        row._replace(quantity=0, document_id=document_id) if row.quantity else row
        for row in state.lines.values()
        if row.line_id not in named
    ]
    return rows


def _order_row(step: Step, document: Order, header: DocumentHeader, order_id: int, seller_number: str) -> OrderRow:
    customer_order = ""
    for reference in header.references:
        if reference.kind is ReferenceKind.CUSTOMER_ORDER:
            customer_order = reference.document.number if reference.document else reference.text
    kind = OrderKind.STANDARD if document.order_kind is OrderKind.UNSPECIFIED else document.order_kind
    return OrderRow(
        order_id,
        step.partner_id,
        "buyer" if step.we_are_sender else "seller",
        header.issuer,
        header.unit,
        header.number,
        header.series,
        header.revision,
        kind._value_,
        document.currency,
        header.usage._value_,
        micros(header.issued_at) if header.issued_at else step.at,
        customer_order,
        seller_number,
        step.document_id,
    )


def _line_row(
    order_id: int, ordinal: int, line: OrderLine, unit: str, on: str | None, document_id: int
) -> OrderLineRow:
    """The row of an order line, its numbers in `unit`; `on` is the document's date for lines without their own."""
    item = line.item or _NO_ITEM
    price, base = price_of(line.price, unit) if line.price else (None, None)
    return OrderLineRow(
        order_id,
        line.line_id,
        ordinal,
        "GOODS" if line.line_kind is LineKind.UNSPECIFIED else line.line_kind._value_,
        item.gtin,
        item.seller_number,
        item.buyer_number,
        item.description,
        scaled_in(line.quantity, unit) if line.quantity else 0,
        unit,
        price,
        base,
        _wanted_on(line, on),
        as_text(_pieces(line, unit, on)) if len(line.schedule) > 1 else "",
        document_id,
    )


def _wanted_on(line: OrderLine, on: str | None) -> str | None:
    """When a line is wanted: its own date, else its first piece's, else the document's."""
    if line.dates:
        return date_of(line.dates) or on
    if line.schedule:
        return min((day for day in (date_of(piece.dates) for piece in line.schedule) if day), default=on)
    return on


def _pieces(line: OrderLine, unit: str, on: str | None) -> list[Asked]:
    """The pieces of a line; one without a day of its own is wanted when the line is."""
    otherwise = (date_of(line.dates) if line.dates else None) or on
    return [
        Asked(date_of(piece.dates) or otherwise, scaled_in(piece.quantity, unit), piece.schedule_id)
        for piece in line.schedule
        if piece.quantity is not None
    ]


def price_of(price: Price, unit: str) -> tuple[int | None, int | None]:
    """(amount, base) scaled, the base in the line's unit; both None where the price is for another kind of unit."""
    if price.amount is None:
        return None, None
    amount = scaled(price.amount.amount)
    if price.base_quantity is None:
        return amount, None
    try:
        return amount, scaled_in(price.base_quantity, unit)
    except RefusedError:
        # A price by weight for pieces: it cannot be reckoned per piece, and must not be read so.
        return None, None


def named_order(step: Step, key: Any, path: str) -> OrderState:
    """The order that a reference names, sent to this partner or by it; Refused ``unknown-order``."""
    buyer = ""
    if not key.issuer:
        # A reference without an issuer: the buyer's number, whichever of the two that is.
        for candidate in (step.book.own_id, step.partner_id):
            if key_of(key, candidate, step.header) in step.book.orders:
                buyer = candidate
                break
    state = step.book.orders.get(key_of(key, buyer, step.header))
    if state is None:
        raise Refused(
            "unknown-order",
            path,
            f"order {key.number!r} of {key.issuer or 'the buyer'} is not known here; send the order first,"
            " or correct number, unit and series",
        )
    return state


def _asked(step: Step, document: OrderChange | OrderCancellation) -> OrderState:
    """The order that its buyer wants changed; refuses what is not the buyer's to ask."""
    if document.order is None:
        raise Refused("unknown-order", "order", "the order's number is missing")
    state = named_order(step, document.order, "order")
    if (state.order.role == "buyer") != step.we_are_sender:
        raise Refused("wrong-role", "order", "only the buyer changes or cancels an order")
    known = state.order.revision
    if document.order_revision and document.order_revision != known:
        rule = "old-revision" if document.order_revision < known else "unknown-revision"
        raise Refused(rule, "order_revision", f"revision {known} was expected, and {document.order_revision} was given")
    return state


def change(step: Step, document: OrderChange) -> None:
    """Record what the buyer wants; values change when the seller agrees."""
    state = _asked(step, document)
    if step.document_id in state.documents:
        return
    if document.currency and state.order.currency and document.currency != state.order.currency:
        raise Refused("other-currency", "currency", f"the order is in {state.order.currency}")
    header = document.header or DocumentHeader()
    reference = reference_of(header)
    step.effects.replace_where(state, lambda e: e.event == "change_requested" and e.reference == reference)
    order_id, on = state.order.order_id, date_of(document.dates)
    rows: list[OrderLineRow] = []
    next_ordinal = max((line.ordinal for line in state.lines.values()), default=0) + 1
    for place, line in enumerate(document.lines):
        known = state.lines.get(line.line_id)
        unit = known.unit if known else line.quantity.unit if line.quantity else ""
        ordinal = known.ordinal if known else next_ordinal
        next_ordinal += known is None
        try:
            rows.append(_line_row(order_id, ordinal, line, unit, on, step.document_id))
        except RefusedError as error:
            raise Refused(error.code, f"lines[{place}].quantity", f"{error.message}: a line keeps its unit") from error
        if known is None:
            step.effects.new_lines.append(rows[-1]._replace(quantity=0))
    if not document.lines and on:
        rows = [line._replace(requested_on=on, schedule="") for line in state.lines.values() if line.quantity]
    for row in rows:
        detail = _request_detail(header, state, reason_text(document.reason), row)
        step.effects.events.append(
            LineEventRow(
                order_id,
                row.line_id,
                step.document_id,
                "",
                "change_requested",
                row.quantity,
                row.unit,
                row.requested_on,
                reference,
                detail,
                step.at,
                1,
            )
        )


def cancellation(step: Step, document: OrderCancellation) -> None:
    """Record what the buyer no longer wants; quantity 0 stands for all that is still open when the seller answers."""
    state = _asked(step, document)
    if step.document_id in state.documents:
        return
    header = document.header or DocumentHeader()
    reference = reference_of(header)
    step.effects.replace_where(state, lambda e: e.event == "cancel_requested" and e.reference == reference)
    for place, line_id in enumerate(document.line_ids or tuple(state.lines)):
        line = state.lines.get(line_id)
        if line is None:
            raise Refused("unknown-line", f"line_ids[{place}]", f"the order has no line {line_id!r}")
        detail = _request_detail(header, state, reason_text(document.reason), None)
        step.effects.events.append(
            LineEventRow(
                state.order.order_id,
                line_id,
                step.document_id,
                "",
                "cancel_requested",
                0,
                line.unit,
                None,
                reference,
                detail,
                step.at,
                1,
            )
        )


def _request_detail(header: DocumentHeader, state: OrderState, reason: str, row: OrderLineRow | None) -> str:
    """What an answer needs later: which revision asked, on top of which order revision, and the line's new values."""
    detail: dict[str, Any] = {"revision": header.revision, "order_revision": state.order.revision}
    if reason:
        detail["reason"] = reason
    if row is not None:
        detail["line"] = list(row[1:-1])
    return json.dumps(detail, ensure_ascii=False)
