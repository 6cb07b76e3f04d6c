"""Operations on customer orders: place, find, why, approve, change, cancel, and what is stuck."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from node import wire
from node.app.fulfilment import customer_status
from node.app.fulfilment.customer_orders import capture
from node.app.fulfilment.notices import look_again
from node.app.fulfilment.taking_over import rewanted
from node.app.operations import forms
from node.app.operations.node import unusable_files
from node.app.operations.registry import Host, operation
from node.core.customer_rows import CustomerOrderRow, ProcessEventRow
from node.core.decimals import format_decimal, to_scaled
from node.core.document.customer import CustomerOrder
from node.core.identifiers import is_gtin
from node.core.kits import cancelled_kits
from node.errors import RefusedError
from node.ports import Transaction

__all__ = ["cancel", "change", "place"]

Fields = dict[str, Any]
LIMIT_MAX = 1_000
FINDINGS_MAX = 10


def place(
    host: Host,
    number: str,
    fields: Mapping[str, Any] | None,
    lines: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Take a customer order: from `fields`, or from lines of item, quantity and price, and the options given."""
    pieces = forms.pieces_of(lines, "lines")
    given = dict(fields or {})
    personal_fields = given.pop("personal", None)
    if fields is None:
        given = _fields(pieces, options)
    header = dict(given.get("header") or {})
    header["number"] = header.get("number") or number
    if not header["number"]:
        hint = "numbers are your company's: give --number"
        raise RefusedError("this customer order has no number", code="number-missing", hint=hint)
    try:
        order = wire.from_fields("CustomerOrder", {**given, "header": header})
        personal = wire.personal_of(personal_fields) if personal_fields else None
    except wire.InvalidFieldsError as error:
        raise _refusal(header["number"], [f"{one.path}: {one.text}" for one in error.findings]) from None
    assert isinstance(order, CustomerOrder)
    done = host.store.write(lambda tx: capture(tx, host.ctx, order, personal))
    if done.state == "refused":
        raise _refusal(header["number"], [f"{one.path}: {one.text}".removeprefix(": ") for one in done.findings])
    _kick(host)
    return {
        "state": done.state,
        "type": "CustomerOrder",
        "number": header["number"],
        "partner": "",
        "document": None,
        "findings": [{"rule": one.rule, "path": one.path, "text": one.text} for one in done.findings],
    }


def _refusal(number: str, texts: Sequence[str]) -> RefusedError:
    more = f"; and {len(texts) - FINDINGS_MAX} more" if len(texts) > FINDINGS_MAX else ""
    return RefusedError(
        f"customer order {number} is not taken: {'; '.join(texts[:FINDINGS_MAX])}{more}", code="invalid"
    )


def _fields(pieces: Sequence[forms.Pieces], options: Mapping[str, Any]) -> Fields:
    currency, unit = options.get("currency", ""), options.get("unit", "C62")
    lines = []
    for place, one in enumerate(pieces, 1):
        item = {"gtin": one.line} if is_gtin(one.line) else {"seller_number": one.line}
        line: Fields = {
            "line_id": str(place),
            "item": item,
            "quantity": {"value": format_decimal(one.quantity), "unit": unit},
        }
        if one.price is not None:
            line["price"] = {"amount": {"amount": format_decimal(one.price), "currency": currency}}
        lines.append(line)
    dates = [
        {"qualifier": word, "on": on.isoformat()}
        for word, on in (("DELIVER", options.get("deliver")), ("NOT_AFTER", options.get("not_after")))
        if isinstance(on, date)
    ]
    launch = options.get("launch_on")
    fields = {
        "order_kind": (options.get("kind") or "ship_to_home").upper(),
        "currency": currency,
        "lines": lines,
        "dates": dates,
        "launch_on": launch.isoformat() if isinstance(launch, date) else None,
        **{name: options.get(name) for name in ("channel", "customer", "country", "postal_code", "collect_at")},
        **{name: options.get(name) for name in ("priority", "no_split", "no_merge")},
        "preference": str(options.get("prefer") or "").upper(),
    }
    return {name: value for name, value in fields.items() if value not in (None, "", [], 0, False)}


def _asked_for(tx: Transaction, number: str, partner: str | None) -> CustomerOrderRow | None:
    """The customer order that this number names, where no partner is named and no partner order has it."""
    if partner is not None or not number:
        return None
    rows = customer_status.named(tx, number)
    if not rows or any(row.number == number for row in tx.orders.search(number=number, limit=100)):
        return None
    return customer_status.one(tx, number)


def cancel(host: Host, number: str, partner: str | None, lines: Sequence[str]) -> Fields | None:
    """Cancel a customer order, or lines of it; None where the number names none."""
    return _on(host, number, partner, lambda tx, order: _cancel(tx, host, order, lines))


def change(host: Host, number: str, partner: str | None, pieces: Sequence[forms.Pieces]) -> Fields | None:
    """Change a customer order's quantities; None where the number names none."""
    return _on(host, number, partner, lambda tx, order: _change(tx, host, order, pieces))


def _on(
    host: Host, number: str, partner: str | None, act: Callable[[Transaction, CustomerOrderRow], Fields]
) -> Fields | None:
    def use_case(tx: Transaction) -> Fields | None:
        order = _asked_for(tx, number, partner)
        return act(tx, order) if order is not None else None

    if host.store.read(lambda tx: _asked_for(tx, number, partner)) is None:
        return None
    done = host.store.write(use_case)
    _kick(host)
    return done


def _cancel(tx: Transaction, host: Host, order: CustomerOrderRow, lines: Sequence[str]) -> Fields:
    """Ask for nothing more of these lines, or of all: what partners are to send is asked back from them."""
    known = tx.customer_orders.lines([order.customer_order_id])
    every = [line.line_id for line in known if not line.parent_line]  # a kit's components go with it
    unknown = sorted(set(lines) - {line.line_id for line in known})
    if unknown:
        raise RefusedError(f"order {order.number} has no line {unknown[0]!r}", code="unknown-line")
    if order.state == "template":
        return _end_template(tx, host, order)
    return _want(tx, host, order, dict.fromkeys(lines or every, 0), "cancellation asked")


def _end_template(tx: Transaction, host: Host, order: CustomerOrderRow) -> Fields:
    now = host.ctx.now_micros()
    tx.customer_orders.put([order._replace(state="cancelled", recurs_on=None, at=now)])
    tx.customer_orders.add_events([ProcessEventRow(order.customer_order_id, None, "", "cancelled", 0, "", now)])
    return {"number": order.number, "state": "cancelled", "asked": []}


def _change(tx: Transaction, host: Host, order: CustomerOrderRow, pieces: Sequence[forms.Pieces]) -> Fields:
    """Ask for other quantities: more is sourced, less is given or asked back."""
    known = {line.line_id for line in tx.customer_orders.lines([order.customer_order_id])}
    for one in pieces:
        if one.line not in known:
            raise RefusedError(f"order {order.number} has no line {one.line!r}", code="unknown-line")
        if one.quantity < 0:
            raise RefusedError(f"line {one.line}: a quantity of zero or more is expected", code="bad-argument")
    if not pieces:
        raise RefusedError("which lines?", code="bad-argument", hint="--line LINE=QUANTITY")
    return _want(tx, host, order, {one.line: to_scaled(one.quantity) for one in pieces}, "change asked")


def _want(tx: Transaction, host: Host, order: CustomerOrderRow, wanted: Mapping[str, int], event: str) -> Fields:
    if order.state in ("done", "cancelled", "merged"):
        raise RefusedError(f"customer order {order.number} is {order.state}", code="too-late")
    now = host.ctx.now_micros()
    changed, asked = [], []
    lines = tx.customer_orders.lines([order.customer_order_id])
    for line in lines:
        if line.line_id in wanted:
            after = rewanted(line, wanted[line.line_id], cancelled_kits(line, lines))
            changed.append(after)
            less = after.cancel_asked - line.cancel_asked
            asked.append({"line_id": line.line_id, "less": format_scaled(less), "unit": line.unit})
    tx.customer_orders.put_lines(changed)
    tx.customer_orders.put([order._replace(next_at=now)])
    event_rows = [
        ProcessEventRow(order.customer_order_id, None, one.line_id, event.replace(" ", "_"), one.cancel_asked, "", now)
        for one in changed
    ]
    tx.customer_orders.add_events(event_rows)
    return {"number": order.number, "state": order.state, "asked": asked}


def format_scaled(scaled: int) -> str:
    """A scaled quantity as decimal text."""
    from node.core.customer_view import told

    return told(scaled)


@operation("order.find")
def order_find(
    host: Host,
    *,
    customer: str | None = None,
    sku: str | None = None,
    partner: str | None = None,
    state: str | None = None,
    limit: int = 50,
) -> dict[str, Any]:
    """Customer orders, newest first: of a customer, with an item, or that a partner is involved in."""
    if not 0 < limit <= LIMIT_MAX:
        raise RefusedError(f"limit: 1 to {LIMIT_MAX}", code="bad-argument")
    found = host.store.read(
        lambda tx: customer_status.find(tx, customer=customer, sku=sku, partner_id=partner, state=state, limit=limit)
    )
    return {"orders": found, "more": len(found) == limit}


@operation("order.why")
def order_why(host: Host, *, order: str) -> dict[str, Any]:
    """Every sourcing decision on a customer order, with its candidates and their costs."""
    return host.store.read(lambda tx: customer_status.why(tx, order))


@operation("order.approve")
def order_approve(host: Host, *, order: str, reason: str = "") -> dict[str, Any]:
    """Let an order go on that waits for a human, as it is, whatever it costs; look again for what is back-ordered."""

    def use_case(tx: Transaction) -> dict[str, Any]:
        row = customer_status.one(tx, order)
        if row.state in ("active", "waiting") and look_again(tx, host.ctx, [row.customer_order_id]):
            return {"number": row.number, "state": "sourced again", "asked": []}
        if row.state not in ("human", "approval"):
            raise RefusedError(f"customer order {order} waits for nobody's approval", code="not-waiting")
        now = host.ctx.now_micros()
        tx.customer_orders.put(
            [row._replace(state="captured", approved=2, sourced=0, strategy=0, reason="", next_at=now, at=now)]
        )
        tx.customer_orders.add_events(
            [ProcessEventRow(row.customer_order_id, None, "", "approved", 0, reason[:500], now)]
        )
        return {"number": row.number, "state": "captured", "asked": []}

    result = host.store.write(use_case)
    _kick(host)
    return result


@operation("orders.stuck")
def orders_stuck(host: Host, *, limit: int = 200) -> dict[str, Any]:
    """What waits, for whom, since when, and what to do."""
    if not 0 < limit <= LIMIT_MAX:
        raise RefusedError(f"limit: 1 to {LIMIT_MAX}", code="bad-argument")
    waiting = host.store.read(lambda tx: customer_status.stuck(tx, host.ctx, limit))
    return {"waiting": waiting, "unusable_files": unusable_files(host)}


def _kick(host: Host) -> None:
    """A running node goes on at once, another one when it runs."""
    if host.live is not None:
        host.live.wake([])
