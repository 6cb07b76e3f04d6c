"""Recurring orders: each of its days makes one customer order of a template, once, also after a crash or a long rest.

The order and the template's next day are written in one transaction, and the store takes no second order for a day.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from node.app.context import Context
from node.app.fulfilment.customer_orders import Origin, body_of, capture, personal_of
from node.core.customer_order import next_occurrence
from node.core.customer_rows import CustomerOrderRow, ProcessEventRow
from node.core.document import header_of
from node.core.document.customer import CustomerOrder, CustomerOrderKind
from node.errors import RefusedError
from node.ports import Store, Transaction

__all__ = ["make_due"]

TEMPLATES_MAX = 1_000


def make_due(store: Store, ctx: Context) -> int:
    """Make the orders of every day that has come; returns how many. Days that were missed are made up for, in order."""
    made = 0
    while count := store.write(lambda tx: _make(tx, ctx)):
        made += count
    return made


def _make(tx: Transaction, ctx: Context) -> int:
    today = ctx.now().date().isoformat()
    rows = tx.customer_orders.search(state="template", limit=TEMPLATES_MAX)
    due = [row for row in rows if row.recurs_on is not None and row.recurs_on <= today]
    for row in due:
        _occur(tx, ctx, row)
    return len(due)


def _occur(tx: Transaction, ctx: Context, template: CustomerOrderRow) -> None:
    assert template.recurs_on is not None
    now = ctx.now_micros()
    try:
        body = body_of(tx, template)
    except RefusedError as error:
        tx.customer_orders.put([template._replace(recurs_on=None, reason=error.message, at=now)])
        return
    day = date.fromisoformat(template.recurs_on)
    order = _of_day(body, template, day)
    origin = Origin(template_id=template.customer_order_id, period=template.recurs_on, usage=template.usage)
    captured = capture(tx, ctx, order, personal_of(tx, template), origin)
    following = next_occurrence(body.recurrence, day) if body.recurrence else None
    tx.customer_orders.put([template._replace(recurs_on=following.isoformat() if following else None, at=now)])
    detail = f"{template.recurs_on}: {captured.state}" + "".join(f"; {one.text}" for one in captured.findings[:3])
    tx.customer_orders.add_events(
        [ProcessEventRow(template.customer_order_id, None, "", "recurred", 0, detail[:500], now)]
    )


def _of_day(body: CustomerOrder, template: CustomerOrderRow, day: date) -> CustomerOrder:
    """The order of one day: the template's, under a number with the day. Fixed dates of the first one do not recur."""
    header = replace(
        header_of(body), number=f"{template.number}/{day}", issued_at=None, personal_sha256=b"", root_id=""
    )
    kind = CustomerOrderKind.PICK_UP if body.collect_at else CustomerOrderKind.SHIP_TO_HOME
    return replace(body, header=header, order_kind=kind, recurrence=None, dates=())
