"""The documents that the process of a customer order sends: orders for its pieces, changes, cancellations, a yes.

Each is numbered after the customer order and the place of the piece in it, in the transaction that does the step, so
that a step that is done again after a crash sends nothing twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

from node.app.context import Context
from node.app.documents import terms
from node.app.documents.submit import Submission, submit
from node.app.fulfilment import customer_orders
from node.app.sourcing.site_facts import site_settings
from node.core.customer_rows import CustomerLineRow, CustomerOrderRow, PieceRow
from node.core.document.common import (
    Address,
    DateQualifier,
    DocumentHeader,
    DocumentKey,
    ItemRef,
    LocationRef,
    Party,
    PartyRole,
    PersonalData,
    Price,
    QualifiedDate,
    Reason,
    Reference,
    ReferenceKind,
    Usage,
)
from node.core.document.order import (
    Order,
    OrderCancellation,
    OrderChange,
    OrderKind,
    OrderLine,
    OrderResponse,
    ResponseOutcome,
)
from node.core.document.terms import ApplicationOutcome
from node.core.finding import Finding
from node.core.item_key import GTIN_PREFIX, number_key
from node.core.money import Money
from node.core.movements import place_of, to_customer
from node.core.quantity import Quantity, from_scaled
from node.core.rows import AliasRow, OrderRow
from node.errors import RefusedError
from node.ports import OrderIdentity, Transaction

__all__ = ["accept_changes", "ask_less", "ask_piece", "items_for", "key_of", "number_of", "place_order"]


def number_of(tx: Transaction, order: CustomerOrderRow, count: int) -> str:
    """The number of the order's next partner order; two channels' equal numbers stay apart."""
    same = tx.customer_orders.numbered(order.number)
    alone = all(one.customer_order_id >= order.customer_order_id for one in same)
    return f"{order.number}.{count}" if alone else f"{order.number}/{order.customer_order_id}.{count}"


def place_order(
    tx: Transaction,
    ctx: Context,
    order: CustomerOrderRow,
    number: str,
    pieces: Sequence[PieceRow],
    lines: Mapping[str, CustomerLineRow],
) -> OrderRow:
    """Order these pieces, which have one source and mode, as one document; our own site gets an instruction.

    Raises RefusedError when it cannot go.
    """
    own = tx.partners.own().partner_id
    first = pieces[0]
    to = first.partner_id or own
    kind = _kind(ctx, first)
    personal = _personal(tx, order, first)
    items = items_for(tx, [lines[piece.line_id] for piece in pieces], first.partner_id, own)
    made = tuple(
        OrderLine(
            line_id=str(place),
            item=items[piece.line_id],
            quantity=Quantity(from_scaled(piece.quantity), piece.unit),
            price=_price(order, piece, kind),
            dates=_wanted(order, lines[piece.line_id]),
            reservation_id=piece.reservation_id if piece.partner_id else "",
            remaining_shelf_life_days_min=lines[piece.line_id].shelf_life_days,
        )
        for place, piece in enumerate(pieces, 1)
    )
    header = DocumentHeader(
        number=number,
        usage=Usage(order.usage),  # a link in the other usage refuses it
        valid_until=ctx.now() + timedelta(hours=ctx.settings.orchestration.order_valid_hours)
        if first.partner_id
        else None,
        parties=_parties(order, first, own, to, personal),
        references=(Reference(kind=ReferenceKind.CUSTOMER_ORDER, document=DocumentKey(number=order.number)),),
        root_id=order.root_id,
        hops_left=max(0, order.hops_left - 1),
    )
    priced = any(line.price is not None for line in made)
    document = Order(
        header=header,
        order_kind=kind,
        currency=order.currency if priced else "",
        lines=made,
        priority=order.priority,
        channel="" if order.origin_partner else order.channel,
    )
    _send(tx, ctx, to, document, personal)
    identity = OrderIdentity(own, "", number, "", order.usage)
    return tx.orders.find(to, [identity])[identity]


def _kind(ctx: Context, piece: PieceRow) -> OrderKind:
    """Goods that are ours, at our own sites and in a 3PL's warehouse, are not sold; a supplier's are."""
    site = site_settings(ctx, piece.partner_id, piece.location)
    ours = not piece.partner_id or piece.mode == "third_party" or (site is not None and site.kind == "logistics")
    if ours:
        return OrderKind.DESPATCH_INSTRUCTION
    return OrderKind.DROP_SHIP if piece.mode == "drop_ship" else OrderKind.STANDARD


def _send(tx: Transaction, ctx: Context, to: str, document: object, personal: PersonalData | None = None) -> None:
    (done,) = submit(tx, ctx, to, [Submission(document, personal)])  # type: ignore[arg-type]
    if done.state == "refused":
        first: Finding = done.findings[0]
        raise RefusedError(f"{first.path}: {first.text}".removeprefix(": "), code=first.rule)


def _personal(tx: Transaction, order: CustomerOrderRow, piece: PieceRow) -> PersonalData | None:
    """Name and address go only to whoever sends to the consumer."""
    if not to_customer(order, piece):
        return None
    found = customer_orders.personal_of(tx, order)
    if found is None or not found.entries:
        return None
    chosen = found.entries[:1]
    if len(found.entries) > 1:
        key = customer_orders.body_of(tx, order).personal_key
        chosen = tuple(one for one in found.entries if one.key == key) or chosen
    return PersonalData(entries=tuple(replace(one, key=one.key or "ship-to") for one in chosen[:1]))


def _parties(
    order: CustomerOrderRow, piece: PieceRow, own: str, to: str, personal: PersonalData | None
) -> tuple[Party, ...]:
    parties = [Party(role=PartyRole.BUYER, id=own), Party(role=PartyRole.SELLER, id=to)]
    if piece.location:
        parties.append(Party(role=PartyRole.SHIP_FROM, id=to, location=LocationRef(code=piece.location, owner=to)))
    if not to_customer(order, piece):
        holder, place = place_of(order.collect_at)
        parties.append(
            Party(role=PartyRole.SHIP_TO, id=holder or own, location=LocationRef(code=place, owner=holder or own))
        )
    elif personal is not None:
        parties.append(Party(role=PartyRole.SHIP_TO, personal_key=personal.entries[0].key))
    elif order.country:
        address = Address(country=order.country, postal_code=order.postal_code)
        parties.append(Party(role=PartyRole.SHIP_TO, address=address))
    return tuple(parties)


def _price(order: CustomerOrderRow, piece: PieceRow, kind: OrderKind) -> Price | None:
    if kind is OrderKind.DESPATCH_INSTRUCTION or not piece.unit_cost or not order.currency:
        return None
    return Price(amount=Money(from_scaled(piece.unit_cost), order.currency))


def _wanted(order: CustomerOrderRow, line: CustomerLineRow) -> tuple[QualifiedDate, ...]:
    need = line.need_on or order.need_on
    dates = [(DateQualifier.DELIVER, need), (DateQualifier.NOT_AFTER, order.not_after)]
    return tuple(QualifiedDate(qualifier=name, on=date.fromisoformat(on)) for name, on in dates if on)


def items_for(tx: Transaction, lines: Sequence[CustomerLineRow], partner_id: str, own: str) -> dict[str, ItemRef]:
    """The items of lines as the source knows them: GTIN, the partner's number, and ours; by line id."""
    if not partner_id:
        return {
            line.line_id: ItemRef(
                gtin=line.gtin, seller_number=line.seller_number or line.buyer_number, description=line.description
            )
            for line in lines
        }
    names = {line.line_id: (line.item_key, number_key(line.seller_number or line.buyer_number, own)) for line in lines}
    numbers = _aliases(tx, {name for each in names.values() for name in each})
    ours = {
        line.line_id: {row.item_number for name in names[line.line_id] for row in numbers.get(name, ())}
        | {line.seller_number or line.buyer_number}
        for line in lines
    }
    known = _aliases(tx, {number for each in ours.values() for number in each})
    return {line.line_id: _item(line, sorted(ours[line.line_id]), known, partner_id) for line in lines}


def _aliases(tx: Transaction, names: Collection[str]) -> dict[str, list[AliasRow]]:
    """The rows that each of the names is in, as an alias or as a number of ours."""
    found: dict[str, list[AliasRow]] = {}
    asked = sorted(name for name in names if name)
    for row in tx.stock.aliases(asked) if asked else ():
        for name in {row.alias, row.item_number}:
            found.setdefault(name, []).append(row)
    return found


def _item(
    line: CustomerLineRow, numbers: Sequence[str], known: Mapping[str, Sequence[AliasRow]], partner_id: str
) -> ItemRef:
    prefix = number_key("", partner_id)
    theirs, gtin = "", line.gtin
    for row in sorted({row for number in numbers for row in known.get(number, ())}):
        if row.alias.startswith(prefix):
            theirs = theirs or row.alias.removeprefix(prefix)
        elif row.alias.startswith(GTIN_PREFIX):
            gtin = gtin or row.alias.removeprefix(GTIN_PREFIX)
    ours = line.seller_number or line.buyer_number
    return ItemRef(gtin=gtin, seller_number=theirs, buyer_number=ours, description=line.description)


def ask_less(tx: Transaction, ctx: Context, order: OrderRow, line_id: str, keep: int, number: str, reason: str) -> None:
    """Ask for `keep` (scaled) of an order line: nothing is a cancellation, less a change. Raises RefusedError."""
    header = DocumentHeader(number=number)
    key = key_of(order)
    why = Reason(code="not-wanted", text=reason, language="en")
    document: OrderCancellation | OrderChange
    if not keep:
        document = OrderCancellation(
            header=header, order=key, order_revision=order.revision, line_ids=(line_id,), reason=why
        )
    else:
        document = OrderChange(
            header=header,
            order=key,
            order_revision=order.revision,
            lines=(_less(tx, ctx, order, line_id, keep),),
            currency=order.currency,
            reason=why,
        )
    _send(tx, ctx, order.partner_id, document)
    if order.partner_id == order_owner(tx) and not _takes(ctx, type(document).__name__, order.usage):
        _agree(tx, ctx, order, key, type(document).__name__, number)


def ask_piece(tx: Transaction, ctx: Context, piece: PieceRow, keep: int, reason: str) -> None:
    """Ask for `keep` (scaled) of what a piece still holds. Raises RefusedError."""
    assert piece.order_id is not None
    (order,) = tx.orders.by_ids([piece.order_id])
    # Several requests on one line are numbered apart by how many events it has: each changes them.
    asked = sum(
        event.event in ("cancel_requested", "change_requested")
        for event in tx.orders.events([order.order_id])
        if event.line_id == piece.order_line_id
    )
    number = f"{order.number}-L{piece.order_line_id}-{asked + 1}"
    ask_less(tx, ctx, order, piece.order_line_id, keep + piece.passed + piece.lost, number, reason)


def key_of(order: OrderRow) -> DocumentKey:
    """An order's business identity, as documents name it."""
    return DocumentKey(
        issuer=order.issuer,
        unit=order.unit,
        type="Order",
        number=order.number,
        series=order.series,
        revision=order.revision,
    )


def order_owner(tx: Transaction) -> str:
    """Our own participant id: the partner of internal orders."""
    return tx.partners.own().partner_id


def _takes(ctx: Context, kind: str, usage: str) -> bool:
    """Whether a system of ours is told of this kind of document, and will answer it."""
    return any(kind in one.documents and one.usage == usage.lower() for one in ctx.settings.adapters)


def _agree(tx: Transaction, ctx: Context, order: OrderRow, key: DocumentKey, kind: str, number: str) -> None:
    """Where no system of ours answers, our own site does as it is asked: what has left stays, the rest does not go."""
    answer = OrderResponse(
        header=DocumentHeader(number=f"{number}-AGREED"),
        order=key,
        outcome=ResponseOutcome.ACCEPTED,
        answers=DocumentKey(issuer=order.issuer, type=kind, number=number),
    )
    _send(tx, ctx, order.partner_id, answer)


def _less(tx: Transaction, ctx: Context, order: OrderRow, line_id: str, keep: int) -> OrderLine:
    """The complete new values of an order line, of which only so much is wanted."""
    row = next(one for one in tx.orders.lines([order.order_id]) if one.line_id == line_id)
    price = None
    if row.price is not None and order.currency:
        base = Quantity(from_scaled(row.price_base), row.unit) if row.price_base else None
        price = Price(amount=Money(from_scaled(row.price), order.currency), base_quantity=base)
    dates: tuple[QualifiedDate, ...] = ()
    if row.requested_on:
        dates = (QualifiedDate(qualifier=DateQualifier.DELIVER, on=date.fromisoformat(row.requested_on)),)
    return OrderLine(
        line_id=line_id,
        item=ItemRef(
            gtin=row.gtin,
            seller_number=row.seller_number,
            buyer_number=row.buyer_number,
            description=row.description,
        ),
        quantity=Quantity(from_scaled(keep), row.unit),
        price=price,
        dates=dates,
    )


def accept_changes(tx: Transaction, ctx: Context, order: OrderRow, line_id: str) -> None:
    """Say yes to what the partner has answered outside our tolerances. Raises RefusedError."""
    changed = [
        event
        for event in tx.orders.events([order.order_id])
        if event.standing and event.event == "changed" and event.line_id == line_id
    ]
    if not changed:
        return
    document_id = changed[-1].document_id
    row = tx.documents.get(document_id)
    if row is None:
        raise RefusedError("the answer is here no more", code="erased")
    answer = DocumentKey(
        issuer=row.issuer, unit=row.unit, type=row.type, number=row.doc_number, series=row.series,
        revision=row.revision,
    )  # fmt: skip
    key = key_of(order)
    reasons: Mapping[str, Reason | None] = {line_id: None}
    document = terms.confirmation(f"C{document_id}-{line_id}", answer, key, ApplicationOutcome.ACCEPTED, reasons)
    _send(tx, ctx, order.partner_id, document)
