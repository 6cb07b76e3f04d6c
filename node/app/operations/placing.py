"""The operation that takes an order: a customer's, for which sources are found, or one for a partner."""

from __future__ import annotations

from datetime import date
from typing import Any

from node.app.operations import customer_orders, orders
from node.app.operations.registry import Host, operation

__all__ = ["order_place"]


@operation("order.place")
def order_place(
    host: Host,
    *,
    partner: str = "",
    number: str = "",
    lines: list[dict[str, Any]] | None = None,
    currency: str = "",
    unit: str = "C62",
    deliver: date | None = None,
    ship_to: str = "",
    customer_order: str = "",
    incoterms: str | None = None,
    kind: str = "",
    channel: str = "",
    customer: str = "",
    country: str = "",
    postal_code: str = "",
    collect_at: str = "",
    not_after: date | None = None,
    launch_on: date | None = None,
    priority: int = 0,
    prefer: str = "",
    no_split: bool = False,
    no_merge: bool = False,
    fields: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """With a partner, send it this order; without, take a customer's order, from `fields` or from lines."""
    if partner:
        return orders.place(
            host,
            partner=partner,
            number=number,
            lines=lines,
            currency=currency,
            unit=unit,
            deliver=deliver,
            ship_to=ship_to,
            customer_order=customer_order,
            incoterms=incoterms,
            fields=fields,
        )
    options = {
        "kind": kind,
        "channel": channel,
        "customer": customer,
        "country": country,
        "postal_code": postal_code,
        "collect_at": collect_at,
        "currency": currency,
        "unit": unit,
        "deliver": deliver,
        "not_after": not_after,
        "launch_on": launch_on,
        "priority": priority,
        "prefer": prefer,
        "no_split": no_split,
        "no_merge": no_merge,
    }
    return customer_orders.place(host, number, fields, lines or [], options)
