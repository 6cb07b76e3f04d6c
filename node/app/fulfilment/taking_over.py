"""Partners' orders that we source ourselves: a received order becomes a customer order of ours, once.

Its chain goes on with one hop less. What has come back to us over others is refused, by its root; only our own stock
may still fill an order that has no hops left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from node import wire
from node.app.context import Context
from node.app.fulfilment.customer_orders import Origin, capture
from node.app.sourcing.site_facts import site_settings
from node.core.allotment import blank_piece
from node.core.customer_order import CIRCLE, in_circle
from node.core.customer_rows import CustomerLineRow, ProcessEventRow
from node.core.document import Document, header_of
from node.core.document.common import DocumentHeader, Party, PartyRole, PersonalData
from node.core.document.customer import CustomerLine, CustomerOrder, CustomerOrderKind
from node.core.document.order import Order, OrderCancellation, OrderChange, OrderKind
from node.core.kits import cancelled_kits
from node.core.rows import OrderRow
from node.ports import OrderIdentity, Transaction

__all__ = ["only_holds", "orchestrates", "take_over"]

PARTNERS_DOCUMENTS = (Order, OrderChange, OrderCancellation)


def orchestrates(ctx: Context, partner_id: str, document: Document | None) -> bool:
    """Whether this document of a partner goes to the process of customer orders instead of to our own system."""
    if not isinstance(document, PARTNERS_DOCUMENTS):
        return False
    if isinstance(document, Order) and document.order_kind is OrderKind.RETURN:
        return False
    return ctx.settings.partner(partner_id).orders == "orchestrate"


def only_holds(ctx: Context, partner_id: str, order: Order) -> Order:
    """What of a partner's order takes stock up by itself: of one that we source ourselves only what it holds."""
    if not orchestrates(ctx, partner_id, order):
        return order
    if order.reservation_id:
        return order
    return replace(order, lines=tuple(line for line in order.lines if line.reservation_id))


def take_over(tx: Transaction, ctx: Context, partner_id: str, taken: Sequence[tuple[int, Document, bytes]]) -> bool:
    """Received documents (id, document, personal data), which are in the book already; whether any was taken over."""
    found = False
    for document_id, document, beside in taken:
        if not orchestrates(ctx, partner_id, document):
            continue
        found = True
        if isinstance(document, Order):
            personal = wire.decode(PersonalData, beside) if beside else None
            _order(tx, ctx, partner_id, document_id, document, personal)
        elif isinstance(document, OrderCancellation | OrderChange) and document.order is not None:
            _want_less(tx, ctx, partner_id, document)
    return found


def _book(tx: Transaction, partner_id: str, document: Document) -> OrderRow | None:
    header = header_of(document)
    key = header if isinstance(document, Order) else document.order  # type: ignore[union-attr]
    assert key is not None
    identity = OrderIdentity(key.issuer or partner_id, key.unit, key.number, key.series, header.usage.value)
    return tx.orders.find(partner_id, [identity]).get(identity)


def _order(
    tx: Transaction, ctx: Context, partner_id: str, document_id: int, order: Order, personal: PersonalData | None
) -> None:
    row = _book(tx, partner_id, order)
    if row is None:
        return
    known = tx.customer_orders.of_origin([row.order_id])
    if known:
        _revise(tx, ctx, row, known[0].customer_order_id)
        return
    header = header_of(order)
    circle = bool(header.root_id) and _in_circle(tx, header)
    own = tx.partners.own().partner_id
    made = _made(own, f"D{document_id}", partner_id, order, header)
    origin = Origin(partner_id=partner_id, order_id=row.order_id, usage=row.usage)
    captured = capture(tx, ctx, made, personal, origin)
    if captured.customer_order_id is None:
        text = "; ".join(one.text for one in captured.findings)
        ctx.log.warning("a partner's order was not taken over: %s", text, extra={"partner": partner_id})
        return
    if circle:
        _refuse(tx, ctx, captured.customer_order_id)
    else:
        _use_holds(tx, ctx, captured.customer_order_id, row)


def _in_circle(tx: Transaction, header: DocumentHeader) -> bool:
    """Whether the order comes from one that we have passed on ourselves."""
    before = {row.customer_order_id: row.hops_left for row in tx.customer_orders.of_root(header.root_id)}
    passed = {one.customer_order_id for one in tx.customer_orders.pieces(sorted(before)) if one.partner_id}
    return in_circle(header.hops_left, [before[one] for one in passed])


def _refuse(tx: Transaction, ctx: Context, customer_order_id: int) -> None:
    """Fulfil nothing of it: the partner is told so by the answer, and looks elsewhere."""
    now = ctx.now_micros()
    order = tx.customer_orders.get([customer_order_id])[customer_order_id]
    lines = tx.customer_orders.lines([customer_order_id])
    tx.customer_orders.put_lines([line._replace(cancelled=line.quantity) for line in lines])
    tx.customer_orders.put([order._replace(state="captured", reason=CIRCLE, approved=1, next_at=now)])
    tx.customer_orders.add_events([ProcessEventRow(customer_order_id, None, "", "refused", 0, CIRCLE, now)])


def _made(own: str, number: str, partner_id: str, order: Order, header: DocumentHeader) -> CustomerOrder:
    """The partner's order in our words; its own number stays in the book, and goes to nobody else."""
    ship_to = next((party for party in header.parties if party.role is PartyRole.SHIP_TO), Party())
    address = ship_to.address or (ship_to.location.address if ship_to.location else None)
    # A chain of three or more carries its root and how far it may still go; a first order begins one.
    return CustomerOrder(
        header=DocumentHeader(
            number=number, issued_at=header.issued_at, root_id=header.root_id, hops_left=header.hops_left
        ),
        order_kind=CustomerOrderKind.SHIP_TO_HOME,
        channel=partner_id,
        country=address.country if address else "",
        postal_code=address.postal_code if address else "",
        dates=order.dates,
        priority=order.priority,
        currency=order.currency,
        lines=tuple(
            CustomerLine(
                line_id=line.line_id,
                item=replace(line.item, seller=line.item.seller or own, buyer=line.item.buyer or partner_id)
                if line.item
                else None,
                quantity=line.quantity,
                price=line.price,
                remaining_shelf_life_days_min=line.remaining_shelf_life_days_min,
                dates=line.dates,
            )
            for line in order.lines
        ),
        personal_key=ship_to.personal_key,
    )


def _use_holds(tx: Transaction, ctx: Context, customer_order_id: int, row: OrderRow) -> None:
    """What the order takes up of holds on our own stock is sourced already.

    A place that sends nothing (`ships = false`) only promises what others send for us: its holds are kept, and the
    goods are sourced.
    """
    held = [one for one in tx.reservations.of_orders([row.order_id]) if one.state == "confirmed" and one.granted]
    order = tx.customer_orders.get([customer_order_id])[customer_order_id]
    if not held or not order.approved:
        return
    lines = {line.line_id: line for line in tx.customer_orders.lines([customer_order_id])}
    now, pieces = ctx.now_micros(), []
    for one in held:
        line = lines.get(one.line_id)
        site = site_settings(ctx, "", one.location)
        if line is None or one.unit != line.unit or (site is not None and not site.ships):
            continue
        quantity = min(one.granted, line.quantity)
        blank = blank_piece(
            tx.customer_orders.next_piece_ids(1), customer_order_id, line.line_id, quantity, line.unit, now
        )
        pieces.append(blank._replace(location=one.location, state="planned"))
    tx.customer_orders.put_pieces(pieces)


def _revise(tx: Transaction, ctx: Context, row: OrderRow, customer_order_id: int) -> None:
    """A newer revision: what it wants less is asked back, what it wants more is sourced."""
    ordered = {line.line_id: line.quantity for line in tx.orders.lines([row.order_id])}
    _want(tx, ctx, customer_order_id, ordered)


def _want_less(tx: Transaction, ctx: Context, partner_id: str, document: OrderCancellation | OrderChange) -> None:
    """A request for less, or more: it travels to whoever sends the goods, and is answered when they have."""
    row = _book(tx, partner_id, document)
    known = tx.customer_orders.of_origin([row.order_id]) if row is not None else []
    if row is None or not known:
        return
    lines = {line.line_id: line.quantity for line in tx.orders.lines([row.order_id])}
    if isinstance(document, OrderCancellation):
        wanted = dict.fromkeys(document.line_ids or tuple(lines), 0)
    else:
        from node.core.order_state import scaled

        wanted = {line.line_id: scaled(line.quantity.value) for line in document.lines if line.quantity is not None}
    _want(tx, ctx, known[0].customer_order_id, {one: quantity for one, quantity in wanted.items() if one in lines})


def _want(tx: Transaction, ctx: Context, customer_order_id: int, wanted: dict[str, int]) -> None:
    changed: list[CustomerLineRow] = []
    lines = tx.customer_orders.lines([customer_order_id])
    for line in lines:
        if line.line_id in wanted and not line.parent_line:
            changed.append(rewanted(line, wanted[line.line_id], cancelled_kits(line, lines)))
    tx.customer_orders.put_lines(changed)
    order = tx.customer_orders.get([customer_order_id])[customer_order_id]
    state = "active" if order.state == "done" else order.state
    tx.customer_orders.put([order._replace(state=state, next_at=ctx.now_micros())])


def rewanted(line: CustomerLineRow, quantity: int, given_up: int = 0) -> CustomerLineRow:
    """The line when so much of it (scaled) is wanted from now on: less is asked back, more is ordered.

    `given_up`: what of a kit's line its components have given up already.
    """
    stands = line.quantity - line.cancelled - given_up
    if quantity <= stands:
        return line._replace(cancel_asked=stands - quantity)
    return line._replace(quantity=line.quantity + quantity - stands, cancel_asked=0)
