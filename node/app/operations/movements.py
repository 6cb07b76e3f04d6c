"""Operations on goods on their way to a customer: ready, collected, not collected, and deliveries that failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from node.app.fulfilment import collection, customer_status, failed_delivery
from node.app.operations import forms
from node.app.operations.registry import Host, operation
from node.core.customer_rows import CustomerOrderRow
from node.core.customer_view import told
from node.core.decimals import to_scaled
from node.core.document.fulfilment import DeliveryEvent
from node.errors import RefusedError
from node.ports import Transaction

__all__: list[str] = []

Fields = dict[str, Any]


@operation("order.ready")
def order_ready(
    host: Host, *, order: str, lines: list[dict[str, Any]] | None = None, number: str = "", reason: str = ""
) -> Fields:
    """Say that goods lie ready to be collected: so much in all of the lines named, or everything."""
    return _say(host, order, DeliveryEvent.READY_FOR_COLLECTION, "ready", lines or [], number, reason)


@operation("order.collected")
def order_collected(
    host: Host, *, order: str, lines: list[dict[str, Any]] | None = None, number: str = "", reason: str = ""
) -> Fields:
    """Say that the customer has collected goods: so much more of the lines named, or all that is left."""
    return _say(host, order, DeliveryEvent.COLLECTED, "collected", lines or [], number, reason)


@operation("order.not_collected")
def order_not_collected(
    host: Host, *, order: str, lines: list[dict[str, Any]] | None = None, number: str = "", reason: str = ""
) -> Fields:
    """Say that nobody collects what is left: it goes back to stock, and is taken off the order."""
    why = reason or "nobody came for it"
    return _say(host, order, DeliveryEvent.FAILED, "not collected", lines or [], number, why)


@operation("order.resend")
def order_resend(
    host: Host, *, order: str, lines: list[str] | None = None, cancel: bool = False, reason: str = ""
) -> Fields:
    """Give deliveries up that have failed: their goods are sourced again, or with `cancel` taken off the order."""

    def use_case(tx: Transaction) -> Fields:
        row = customer_status.one(tx, order)
        given = failed_delivery.give_up(tx, host.ctx, row, _known(tx, row, lines or []), cancel=cancel, reason=reason)
        units = {line.line_id: line.unit for line in tx.customer_orders.lines([row.customer_order_id])}
        return {
            "number": row.number,
            "state": row.state,
            "event": "taken off the order" if cancel else "sent again",
            "moved": [{"line_id": one, "quantity": told(many), "unit": units[one]} for one, many in given.items()],
            "findings": [],
        }

    return _done(host, use_case)


def _known(tx: Transaction, row: CustomerOrderRow, lines: Sequence[str]) -> Sequence[str]:
    known = {line.line_id for line in tx.customer_orders.lines([row.customer_order_id])}
    for one in lines:
        if one not in known:
            raise RefusedError(f"order {row.number} has no line {one!r}", code="unknown-line")
    return lines


def _say(
    host: Host, order: str, event: DeliveryEvent, word: str, lines: list[dict[str, Any]], number: str, reason: str
) -> Fields:
    pieces = forms.pieces_of(lines, "lines")
    if any(one.quantity < 0 for one in pieces):
        raise RefusedError("a quantity of zero or more is expected", code="bad-argument")

    def use_case(tx: Transaction) -> Fields:
        row = customer_status.one(tx, order)
        _known(tx, row, [one.line for one in pieces])
        wanted = {one.line: to_scaled(one.quantity) for one in pieces} or None
        found = collection.say(tx, host.ctx, row, event, wanted, number=number, reason=reason)
        return {
            "number": row.number,
            "state": row.state,
            "event": word,
            "moved": [],
            "findings": [{"rule": one.rule, "path": one.path, "text": one.text} for one in found],
        }

    return _done(host, use_case)


def _done(host: Host, use_case: Any) -> Fields:
    result: Fields = host.store.write(use_case)
    if host.live is not None:
        host.live.wake([])
    return result
