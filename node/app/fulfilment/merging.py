"""Orders of one customer are put together while they wait to be sourced; never to different addresses.

The later ones become lines of the first, under line ids that say whose they are, and end as merged.
"""

from __future__ import annotations

from collections.abc import Sequence

from node.app.context import Context
from node.app.fulfilment import customer_orders
from node.core.customer_rows import CustomerLineRow, CustomerOrderRow, ProcessEventRow
from node.core.document.common import Address
from node.errors import RefusedError
from node.ports import Transaction

__all__ = ["merge_due"]

CAPTURED_MAX = 200
"""Of a customer's orders so many of the newest are looked through."""


def merge_due(tx: Transaction, ctx: Context, due: Sequence[CustomerOrderRow]) -> list[int]:
    """Put together what may be; returns the ids of the due orders that are left to look at."""
    if not ctx.settings.orchestration.merge_minutes:
        return [order.customer_order_id for order in due]
    gone: set[int] = set()
    for order in due:
        if order.customer_order_id not in gone and _may(order):
            gone |= _merge(tx, ctx, order)
    return [order.customer_order_id for order in due if order.customer_order_id not in gone]


def _may(order: CustomerOrderRow) -> bool:
    return (
        order.state == "captured"
        and not order.sourced
        and not order.no_merge
        and bool(order.customer)
        and not order.origin_partner
        and order.approved == 1
    )


def _like(order: CustomerOrderRow) -> tuple[object, ...]:
    """What must be the same of two orders beside the address."""
    return (
        *(order.customer, order.kind, order.country, order.postal_code, order.collect_at, order.currency),
        *(order.need_on, order.not_before, order.not_after, order.launch_on, order.usage, order.no_split),
    )


def _merge(tx: Transaction, ctx: Context, first: CustomerOrderRow) -> set[int]:
    others = [
        one
        for one in tx.customer_orders.search(customer=first.customer, state="captured", limit=CAPTURED_MAX)
        if one.customer_order_id != first.customer_order_id and _may(one) and _like(one) == _like(first)
    ]
    if not others:
        return set()
    here = _address(tx, first)
    same = [one for one in others if _address(tx, one) == here]
    now = ctx.now_micros()
    lines = tx.customer_orders.lines([first.customer_order_id])
    for one in sorted(same, key=lambda row: row.customer_order_id):
        moved = [
            line._replace(
                customer_order_id=first.customer_order_id,
                line_id=f"{one.number}:{line.line_id}",
                parent_line=f"{one.number}:{line.parent_line}" if line.parent_line else "",
                ordinal=len(lines) + place,
            )
            for place, line in enumerate(tx.customer_orders.lines([one.customer_order_id]), 1)
        ]
        lines += moved
        tx.customer_orders.put_lines(moved)
        tx.customer_orders.put_lines(_emptied(tx.customer_orders.lines([one.customer_order_id])))
        tx.customer_orders.put(
            [one._replace(state="merged", merged_into=first.customer_order_id, next_at=None, at=now)]
        )
        tx.customer_orders.add_events(
            [
                ProcessEventRow(one.customer_order_id, None, "", "merged", 0, f"into {first.number}", now),
                ProcessEventRow(first.customer_order_id, None, "", "merged", 0, f"takes {one.number} in", now),
            ]
        )
    return {one.customer_order_id for one in same}


def _emptied(lines: Sequence[CustomerLineRow]) -> list[CustomerLineRow]:
    """The lines that went: they order nothing here any more, and are counted once."""
    return [line._replace(quantity=0, cancelled=0, cancel_asked=0) for line in lines]


def _address(tx: Transaction, order: CustomerOrderRow) -> tuple[str, Address | None] | None:
    """To whom and where the goods go. What was erased is like nothing."""
    try:
        key = customer_orders.body_of(tx, order).personal_key
    except RefusedError:
        return (f"erased {order.customer_order_id}", None)
    personal = customer_orders.personal_of(tx, order)
    if personal is None or not personal.entries:
        return None
    chosen = next((one for one in personal.entries if one.key == key), personal.entries[0])
    return (chosen.name, chosen.address)
