"""Orders on the stock ledger: what a received order takes up, and how answers, despatches and the ERP settle it.

An order line that names a hold takes it up; any line takes what is there, and what is not there stays short. Taken-up
stock stops counting when our ERP's figure includes it: from the despatch on, or, where figures are net of orders, from
the moment our ERP posted the order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from node.app.context import Context
from node.app.stock.inventory import BASIS_SETTING
from node.app.stock.ledger import Ledger, find_items, in_unit, own_figures
from node.core import order_book, reservation
from node.core.document import Document, header_of
from node.core.document.fulfilment import DeliveryStatus, DespatchAdvice
from node.core.document.inventory import StockBasis
from node.core.document.order import Order, OrderLine, OrderResponse
from node.core.quantity import Quantity, from_scaled, to_scaled
from node.core.reservation_rows import ReservationRow
from node.core.rows import LineEventRow, OrderLineRow, OrderRow
from node.ports import OrderIdentity, Transaction

__all__ = ["NOTHING_SHORT", "Short", "posted", "settle_documents", "submitted", "take_orders"]

Short = Mapping[tuple[OrderIdentity, str], Quantity]
"""By order and line id: how much of a line the ledger could not give; zero where it gave all. Lines of items that we
keep no stock of are not in it."""

NOTHING_SHORT: Short = {}

_SETTLING = (OrderResponse, DespatchAdvice, DeliveryStatus)
_GONE = frozenset({"rejected", "cancelled", "back_ordered"})


class _Line(NamedTuple):
    order: OrderIdentity
    order_id: int
    line: OrderLine
    keys: list[str]
    reservation_id: str


def take_orders(tx: Transaction, ctx: Context, partner_id: str, orders: Sequence[Order]) -> Short:
    """Take up stock for the lines of received orders, which are in the book already: holds first, then what is there.

    Quantities are what the orders add to what stood before. Returns what is short.
    """
    if not orders or tx.stock.last_change() == 0:
        return {}  # we keep no stock here
    identities = [_identity(order) for order in orders]
    rows = tx.orders.find(partner_id, identities)
    short = _take_up(tx, ctx, partner_id, list(zip(orders, identities, strict=True)), rows)
    revised = {_identity(order) for order in orders if header_of(order).revision}
    if revised and tx.reservations.in_use():
        _settle(tx, ctx, [rows[key] for key in revised if key in rows])  # what is ordered no more is free
    return short


def _take_up(
    tx: Transaction,
    ctx: Context,
    partner_id: str,
    orders: Sequence[tuple[Order, OrderIdentity]],
    rows: Mapping[OrderIdentity, OrderRow],
) -> Short:
    flat = [(order, key, line) for order, key in orders if key in rows for line in order.lines if line.quantity]
    found, figures = find_items(tx, partner_id, [line.item for _, _, line in flat])
    if not figures:
        return {}
    lines = [
        _Line(key, rows[key].order_id, line, here, line.reservation_id or order.reservation_id)
        for (order, key, line), here in zip(flat, found, strict=True)
    ]
    named = [one.reservation_id for one in lines if one.reservation_id]
    holds = tx.reservations.find(partner_id, "grantor", named) if named else {}
    revised = [rows[key].order_id for order, key in orders if header_of(order).revision and key in rows]
    before = {row.reservation_id: row for row in tx.reservations.of_orders(revised)} if revised else {}
    ledger = Ledger(tx, ctx, {key for key, _ in figures} | {row.item_key for row in holds.values()}, figures)
    short: dict[tuple[OrderIdentity, str], Quantity] = {}
    for one in lines:
        if one.keys and one.line.quantity is not None:
            missing = _take_line(ledger, partner_id, one, one.line.quantity, holds, before)
            if missing is not None:
                short[one.order, one.line.line_id] = missing
    ledger.write()
    return short


def _identity(order: Order) -> OrderIdentity:
    header = header_of(order)
    return OrderIdentity(header.issuer, header.unit, header.number, header.series, header.usage.value)


def _take_line(
    ledger: Ledger,
    partner_id: str,
    one: _Line,
    quantity: Quantity,
    holds: Mapping[str, ReservationRow],
    before: Mapping[str, ReservationRow],
) -> Quantity | None:
    """What of a line is short, in its own unit; None where our stock is counted in units that it cannot be told in."""
    wanted = to_scaled(quantity.value)
    hold = holds.get(one.reservation_id) if one.reservation_id else None
    if hold is not None and hold.item_key in one.keys:
        wanted -= _take_hold(ledger, one, hold, wanted, quantity.unit)
    if not wanted:
        return Quantity.zero(quantity.unit)
    places = ledger.places(one.keys, partner_id)
    counted = [place for place in places if in_unit(wanted, quantity.unit, ledger.figures[place].unit) is not None]
    if not counted:
        return None
    left = _take_free(ledger, partner_id, one.order_id, one.line.line_id, one.keys, wanted, quantity.unit, before)
    return Quantity(from_scaled(left), quantity.unit)


def _take_hold(ledger: Ledger, one: _Line, hold: ReservationRow, wanted: int, unit: str) -> int:
    """Let an order line take up a hold, if it still stands; returns how much, in the line's unit. The rest is free."""
    hold = ledger.known((hold.reservation_id, hold.partner_id, hold.role)) or hold
    granted = in_unit(hold.granted, hold.unit, unit)
    if hold.state not in reservation.LIVE or hold.expires_at <= ledger.now or not granted:
        return 0
    taken = min(wanted, granted)
    held = hold.held if taken == granted else hold.held * taken // granted
    ledger.change(
        hold,
        hold._replace(
            state=reservation.after(hold.state, "confirm"),
            granted=hold.granted if taken == granted else hold.granted * taken // granted,
            held=held,
            order_id=one.order_id,
            line_id=one.line.line_id,
            at=ledger.now,
        ),
    )
    return taken


def _take_free(
    ledger: Ledger,
    partner_id: str,
    order_id: int,
    line_id: str,
    keys: Sequence[str],
    wanted: int,
    unit: str,
    before: Mapping[str, ReservationRow],
) -> int:
    """Take up what is there, from the place that has most; returns what is left of `wanted`, in its own unit."""
    places = ledger.places(keys, partner_id)
    # What is set aside for the partner goes first: it may be its own.
    for place in sorted(places, key=lambda one: (not ledger.figures[one].pool, -ledger.free(one), one)):
        free = ledger.free(place)
        counted = ledger.figures[place].unit
        need = in_unit(wanted, unit, counted)
        if not wanted or not free or need is None:
            continue
        held = min(free, need)
        taken = wanted if held == need else in_unit(held, counted, unit)
        if not taken:
            continue
        name = f"order|{order_id}|{line_id}|{place[1]}"
        known = ledger.known((name, partner_id, "grantor")) or before.get(name)
        fresh = known is None or known.state != "confirmed"
        granted = taken + (known.granted if known is not None and not fresh else 0)
        ledger.change(
            known,
            ReservationRow(
                reservation_id=name,
                partner_id=partner_id,
                role="grantor",
                state="confirmed",
                item_key=place[0],
                location=place[1],
                quantity=granted,
                granted=granted,
                unit=unit,
                held=held + (known.held if known is not None else 0),
                covered=known.covered if known is not None else 0,
                covered_at=known.covered_at if known is not None else 0,
                request="",
                request_document=0,
                expires_at=0,
                extensions=0,
                customer_order="",
                piece_id=0,
                order_id=order_id,
                line_id=line_id,
                root_id="",
                reason="",
                at=ledger.now,
            ),
        )
        wanted -= taken
    return wanted


# --- our own documents and our ERP ---


def submitted(tx: Transaction, ctx: Context, partner_id: str, documents: Sequence[Document]) -> None:
    """Our own documents on the ledger, once they are in the book: answers and despatches settle what orders took up,
    and orders take up the holds that partners gave us."""
    named = [
        name
        for order in documents
        if isinstance(order, Order)
        for name in (order.reservation_id, *(line.reservation_id for line in order.lines))
        if name
    ]
    if named:
        wanted = _wanted(documents)
        now = ctx.now_micros()
        tx.reservations.put(
            [
                row._replace(
                    state=reservation.after(row.state, "confirm"),
                    granted=min(row.granted, _taken(row, wanted.get(row.reservation_id))),
                    at=now,
                )
                for row in tx.reservations.find(partner_id, "requester", sorted(set(named))).values()
                if row.state in reservation.LIVE
            ]
        )
    settle_documents(tx, ctx, partner_id, [one for one in documents if isinstance(one, _SETTLING)])


def _wanted(documents: Sequence[Document]) -> dict[str, Quantity]:
    """By the hold that it names, what the order line wants that takes it up: the first one does."""
    found: dict[str, Quantity] = {}
    for order in documents:
        for line in order.lines if isinstance(order, Order) else ():
            name = line.reservation_id or (order.reservation_id if isinstance(order, Order) else "")
            if name and line.quantity is not None:
                found.setdefault(name, line.quantity)
    return found


def _taken(hold: ReservationRow, wanted: Quantity | None) -> int:
    """How much of a hold a line takes up, in the hold's unit; all of it where that cannot be told."""
    taken = in_unit(to_scaled(wanted.value), wanted.unit, hold.unit) if wanted is not None else None
    return hold.granted if taken is None else taken


def settle_documents(tx: Transaction, ctx: Context, partner_id: str, documents: Sequence[Document]) -> None:
    """Let what orders took up follow the book, after documents on those orders were applied to it or undone."""
    if not documents or not tx.reservations.in_use():
        return
    own = tx.partners.own().partner_id
    keys = order_book.keys_needed(documents, sender=own, receiver=partner_id)
    if not keys:
        return
    orders = tx.orders.find(partner_id, [OrderIdentity(*key) for key in keys]).values()
    _settle(tx, ctx, [row for row in orders if row.role == "seller"])


def posted(tx: Transaction, ctx: Context, partner_id: str, document: Document) -> None:
    """Our ERP has posted an order: where its figures are net of orders, they will include it from now on."""
    if not isinstance(document, Order) or not tx.reservations.in_use():
        return
    if tx.settings.get(BASIS_SETTING) != StockBasis.NET.value:
        return
    order = tx.orders.find(partner_id, [_identity(document)]).get(_identity(document))
    rows = [row for row in tx.reservations.of_orders([order.order_id]) if row.held] if order else []
    now = ctx.now_micros()
    tx.reservations.put([row._replace(covered=row.held, covered_at=now) for row in rows])


def _settle(tx: Transaction, ctx: Context, orders: Sequence[OrderRow]) -> None:
    """Take up no more than what an order still gets, and what was accepted meanwhile; mark what has left."""
    if not orders:
        return
    ids = [order.order_id for order in orders]
    by_line: dict[tuple[int, str], list[ReservationRow]] = {}
    for row in tx.reservations.of_orders(ids):
        if row.role in ("grantor", "own") and row.state in ("confirmed", "reflected", "released"):
            by_line.setdefault((row.order_id, row.line_id), []).append(row)
    if not by_line:
        return
    partner_of = {order.order_id: order.partner_id for order in orders}
    events: dict[tuple[int, str], list[LineEventRow]] = {}
    for event in tx.orders.events(ids):
        if event.standing:
            events.setdefault((event.order_id, event.line_id), []).append(event)
    items = {row.item_key for rows in by_line.values() for row in rows}
    ledger = Ledger(tx, ctx, items, own_figures(tx, sorted(items)))
    for line in tx.orders.lines(ids):
        place = (line.order_id, line.line_id)
        if place in by_line:
            _settle_line(ledger, partner_of[line.order_id], line, by_line[place], events.get(place, []))
    ledger.write()


def _settle_line(
    ledger: Ledger, partner_id: str, line: OrderLineRow, rows: list[ReservationRow], events: Sequence[LineEventRow]
) -> None:
    target = line.quantity - sum(event.quantity for event in events if event.event in _GONE)
    # What was collected has left as well, and nothing was despatched.
    left = max(sum(event.quantity for event in events if event.event == name) for name in ("despatched", "delivered"))
    accepted = any(event.event == "accepted" for event in events)
    parts = [(row, in_unit(row.granted, row.unit, line.unit)) for row in rows if row.state != "released"]
    if any(part is None for _, part in parts):
        return
    total = sum(part or 0 for _, part in parts)
    for row, part in reversed(parts):
        surplus = min(total - max(target, 0), part or 0)
        if surplus <= 0 or row.state != "confirmed" or not part:
            continue
        total -= surplus
        _give_back(ledger, row, surplus, part)
    if accepted and target > max(total, left):
        before = {row.reservation_id: row for row in rows}
        keys = sorted({row.item_key for row in rows})
        wanted = target - max(total, left)
        _take_free(ledger, partner_id, line.order_id, line.line_id, keys, wanted, line.unit, before)
    _cover(ledger, line, rows, left)


def _give_back(ledger: Ledger, row: ReservationRow, surplus: int, part: int) -> None:
    """Take up less: what the line gets no more is free."""
    if surplus == part:
        ledger.change(row, ledger.ended(row, "release", "the order line needs it no more"))
        return
    held = row.held - min(row.held, row.held * surplus // part)
    granted = row.granted - row.granted * surplus // part
    ledger.change(row, row._replace(granted=granted, held=held, covered=min(row.covered, held), at=ledger.now))


def _cover(ledger: Ledger, line: OrderLineRow, rows: Sequence[ReservationRow], left: int) -> None:
    """What has left the house, and no figure shows yet: the ERP's figures from now on include it."""
    for row in rows:
        now = ledger.known((row.reservation_id, row.partner_id, row.role)) or row
        part = in_unit(now.granted, now.unit, line.unit)
        figure = ledger.figures.get((now.item_key, now.location))
        if now.state not in ("confirmed", "reflected") or part is None or figure is None:
            left -= part or 0
            continue
        gone = in_unit(min(left, part), line.unit, figure.unit)
        whole = in_unit(part, line.unit, figure.unit)
        left -= min(left, part)
        if gone is None or whole is None or now.state == "reflected":
            continue
        covered = max(0, min(now.held, gone - (whole - now.held)))
        if covered > now.covered:
            ledger.change(now, now._replace(covered=covered, covered_at=ledger.now))
