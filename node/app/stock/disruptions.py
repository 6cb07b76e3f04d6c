"""Notices of disruption: sent, taken, ended, and passed on to partners whom they concern, without naming others.

A notice in force changes what positions promise (`node.core.disruption`), and lets the customer orders that it
concerns be looked at again. It is passed on only to partners who have open orders or holds of the item with us; they
hear what comes late or short and until when, not from whom, where, or why in whose words. Each pass takes one hop, a
notice that comes back to a company that had it goes no further, and the end of the first one ends them all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from node.app.context import Context
from node.app.documents.identity import identity_of
from node.app.documents.submit import Submission, submit
from node.app.stock.known_stock import resolve
from node.core.customer_rows import PieceRow
from node.core.decimals import to_scaled
from node.core.disruption import HOPS_MAX
from node.core.document import Document, header_of
from node.core.document.common import DocumentHeader, DocumentKey, ItemRef, Period, Reason
from node.core.document.disruption import DisruptionKind, DisruptionLine, DisruptionNotice
from node.core.item_key import item_key
from node.core.promise_rows import DisruptionRow
from node.core.rows import OrderLineRow, OrderRow, PartnerRow
from node.errors import RefusedError
from node.ports import Transaction

__all__ = ["OPEN_PIECES", "Affected", "affected", "end", "end_past", "send", "take"]

ORDERS_LOOKED_AT = 1_000
"""Newest orders of a partner among which open ones are looked for, and customer orders that are woken at once."""
LINES_MAX = 500
"""Lines of one notice that is passed on."""
SHOWN_MAX = 10_000

OPEN_PIECES = frozenset(
    {
        "planned",
        "holding",
        "held",
        "ordering",
        "ordered",
        "accepted",
        "ready",
        "in_doubt",
        "back_ordered",
        "waiting_human",
    }
)
_GONE = frozenset({"despatched", "cancelled", "rejected"})
_REASONS = {
    "delay": "it comes later than promised",
    "shortage": "there is less of it than was told",
    "capacity": "less can be sent than usual",
    "closure": "it cannot be sent for the time being",
    "recovered": "it comes as promised again",
}


class Affected(NamedTuple):
    """A piece of a customer order that a notice concerns."""

    piece: PieceRow
    notice: DisruptionRow


# --- taking -----------------------------------------------------------------------------------------------------------


def take(tx: Transaction, ctx: Context, partner_id: str, documents: Iterable[Document]) -> set[str]:
    """Let a partner's notices count, and pass them on; returns the partners that have something to get.

    An item that we do not know is kept: the notice counts as soon as the item is known.
    """
    wake: set[str] = set()
    for document in documents:
        if isinstance(document, DisruptionNotice):
            wake |= _take(tx, ctx, partner_id, document)
    return wake


def _take(tx: Transaction, ctx: Context, partner_id: str, notice: DisruptionNotice) -> set[str]:
    header = header_of(notice)
    root = root_of(header.root_id or f"{header.issuer}|{header.number}")
    identity = identity_of(notice)
    stored = tx.documents.find(partner_id, "in", [identity]).get(identity)
    rows = _rows(ctx, partner_id, notice, root, stored.document_id if stored else 0)
    family = tx.disruptions.of_root(root)
    known = tx.disruptions.of_number(partner_id, header.number)
    if any(row.revision > header.revision for row in known):
        return set()  # a correction overtook it
    kept = {row.line_id for row in rows}
    ended = [row for row in known if row.line_id not in kept]
    if notice.kind is DisruptionKind.RECOVERED:
        ended += [row for row in family if row.partner_id == partner_id and row.number != header.number]
    tx.disruptions.put([*(row._replace(state="ended") for row in ended), *rows])
    _wake(tx, ctx, [*rows, *ended])
    # Who told it first passes on what follows; our own notice, or the same from elsewhere, has gone round in a circle.
    first = min(family, key=lambda row: row.at, default=None)
    if header.hops_left <= 0 or (first is not None and first.partner_id != partner_id):
        return set()
    return _pass_on(tx, ctx, partner_id, notice, root, [*rows, *ended])


def _rows(ctx: Context, partner_id: str, notice: DisruptionNotice, root: str, document_id: int) -> list[DisruptionRow]:
    header = header_of(notice)
    period = notice.period or Period()
    recovered = notice.kind is DisruptionKind.RECOVERED
    today = ctx.now().date()
    rows = []
    for line in notice.lines:
        left = line.quantity_left
        order = line.order.number if line.order else f"reservation {line.reservation_id}" if line.reservation_id else ""
        rows.append(
            DisruptionRow(
                partner_id=partner_id,
                number=header.number,
                line_id=line.line_id,
                kind=notice.kind.value.lower(),
                item_key=_key(line.item, header.issuer),
                location=line.location.code if line.location else "",
                order_number=order,
                quantity_left=None if left is None else to_scaled(left.value),
                unit=left.unit if left else "",
                days_late=line.days_late,
                from_on=(period.start_on or today).isoformat(),
                until_on=period.end_on.isoformat() if period.end_on else "",
                reason=notice.reason.text[:500] if notice.reason else "",
                root_id=root,
                hops_left=header.hops_left,
                revision=header.revision,
                document_id=document_id,
                state="ended" if recovered else "in_force",
                at=ctx.now_micros(),
            )
        )
    return rows


def _key(item: ItemRef | None, owner: str) -> str:
    """The item's key; one that cannot be named stands for an item that nobody has, and not for all."""
    if item is None:
        return ""
    try:
        return item_key(item, owner)
    except RefusedError:
        return f"no:{owner}:"


# --- what it concerns -------------------------------------------------------------------------------------------------


def affected(tx: Transaction, rows: Sequence[DisruptionRow]) -> list[Affected]:
    """The open pieces of customer orders that these notices concern: from that partner, of that item, at that place."""
    found: dict[int, Affected] = {}
    items = resolve(tx, sorted({row.item_key for row in rows if row.item_key}))
    for row in rows:
        keys = items.get(row.item_key)
        orders = tx.customer_orders.search(partner_id=row.partner_id, item_keys=keys, limit=ORDERS_LOOKED_AT)
        ids = [one.customer_order_id for one in orders]
        of_item = {
            (line.customer_order_id, line.line_id)
            for line in (tx.customer_orders.lines(ids) if ids else ())
            if keys is None or line.item_key in keys
        }
        for piece in tx.customer_orders.pieces(ids) if ids else ():
            if (
                piece.partner_id == row.partner_id
                and piece.state in OPEN_PIECES
                and row.location in ("", piece.location)
                and (piece.customer_order_id, piece.line_id) in of_item
                and (not row.order_number or row.order_number in _names_of(tx, piece))
            ):
                found.setdefault(piece.piece_id, Affected(piece, row))
    return list(found.values())


def _names_of(tx: Transaction, piece: PieceRow) -> set[str]:
    """The order and the hold of a piece, as notices name them."""
    names = {f"reservation {piece.reservation_id}"} if piece.reservation_id else set()
    if piece.order_id is not None:
        names |= {order.number for order in tx.orders.by_ids([piece.order_id])}
    return names


def _wake(tx: Transaction, ctx: Context, rows: Sequence[DisruptionRow]) -> None:
    """Let the customer orders concerned be looked at again, and those that wait for what is well again."""
    due = {one.piece.customer_order_id for one in affected(tx, rows)}
    ended = sorted({row.item_key for row in rows if row.state == "ended" and row.item_key})
    if ended:
        keys = sorted({key for each in resolve(tx, ended).values() for key in each})
        due |= {order.customer_order_id for order in tx.customer_orders.back_ordered(keys)}
    if due:
        tx.customer_orders.wake(sorted(due), ctx.now_micros())


# --- passing on -------------------------------------------------------------------------------------------------------


def _pass_on(
    tx: Transaction, ctx: Context, sender: str, notice: DisruptionNotice, root: str, rows: Sequence[DisruptionRow]
) -> set[str]:
    """Tell partners with open orders or holds of these items, in our own words."""
    keys = _keys_of(tx, rows)
    late = max((line.days_late for line in notice.lines), default=0)
    kind = notice.kind
    header = DocumentHeader(
        number=_number(root), root_id=root, hops_left=min(header_of(notice).hops_left, HOPS_MAX) - 1
    )
    woken = set()
    for partner in tx.partners.all():
        if partner.partner_id == sender or partner.state != "confirmed":
            continue
        lines = concerned(tx, partner, keys, late) if keys else []
        if not lines and kind is DisruptionKind.RECOVERED and _was_told(tx, partner.partner_id, header.number):
            lines = [DisruptionLine(line_id="1")]  # what it was told of has found another way
        if not lines:
            continue
        said = DisruptionNotice(
            header=header,
            kind=kind,
            period=notice.period,
            reason=Reason(code=kind.value.lower(), text=_REASONS[kind.value.lower()], language="en"),
            lines=tuple(lines[:LINES_MAX]),
        )
        if _submitted(tx, ctx, partner.partner_id, said):
            woken.add(partner.partner_id)
    return woken


def _keys_of(tx: Transaction, rows: Sequence[DisruptionRow]) -> frozenset[str]:
    """The items that a notice speaks of; where it names none, those that we have on order or hold at its sender."""
    items = {row.item_key for row in rows if row.item_key}
    whole = [row for row in rows if not row.item_key]
    for one in affected(tx, whole):
        lines = tx.customer_orders.lines([one.piece.customer_order_id])
        items |= {line.item_key for line in lines if line.line_id == one.piece.line_id}
    for partner_id in {row.partner_id for row in whole if row.partner_id}:
        items |= _on_order(tx, partner_id)
    for location in {row.location for row in whole if not row.partner_id}:
        items |= _held_here(tx, location)
    return frozenset(key for each in resolve(tx, sorted(items)).values() for key in each)


def _on_order(tx: Transaction, partner_id: str) -> set[str]:
    """Our numbers and GTINs of what we have ordered of a partner and it has not sent."""
    orders = [row for row in tx.orders.search(partner_id=partner_id, limit=ORDERS_LOOKED_AT) if row.role == "buyer"]
    ids = [row.order_id for row in orders]
    gone = _gone(tx, ids)
    lines = [line for line in tx.orders.lines(ids) if line.quantity > gone.get((line.order_id, line.line_id), 0)]
    return {name for line in lines for name in (line.buyer_number or line.gtin,) if name}


def _held_here(tx: Transaction, location: str) -> set[str]:
    """What our place ("": any) has promised to partners and not sent."""
    rows = tx.reservations.search(role="grantor", limit=SHOWN_MAX)
    return {row.item_key for row in rows if row.held and location in ("", row.location)}


def _was_told(tx: Transaction, partner_id: str, number: str) -> bool:
    sent = tx.documents.search(partner_id=partner_id, direction="out", type="DisruptionNotice", number=number, limit=1)
    return bool(sent) and sent[0].state not in ("refused", "withdrawn")


def _gone(tx: Transaction, order_ids: list[int]) -> dict[tuple[int, str], int]:
    """How much of each order line has been sent, or will not be."""
    gone: dict[tuple[int, str], int] = {}
    for event in tx.orders.events(order_ids) if order_ids else ():
        if event.standing and event.event in _GONE:
            place = (event.order_id, event.line_id)
            gone[place] = gone.get(place, 0) + event.quantity
    return gone


def root_of(root: str) -> str:
    """The first notice as others may know it: the same for all who hear of it, and telling nobody whose it was."""
    return root if root.startswith("root:") else "root:" + hashlib.sha256(root.encode()).hexdigest()[:32]


def _number(root: str) -> str:
    """Our number of what we pass on: the same for every change of one disruption, so that a change is a revision."""
    return "D-" + hashlib.sha256(root.encode()).hexdigest()[:16]


def concerned(tx: Transaction, partner: PartnerRow, keys: frozenset[str], late: int) -> list[DisruptionLine]:
    """A partner's open orders and holds of these items, in its own words."""
    partner_id = partner.partner_id
    own = tx.partners.own().partner_id
    orders = {
        row.order_id: row
        for row in tx.orders.search(partner_id=partner_id, limit=ORDERS_LOOKED_AT)
        if row.role == "seller" and row.usage == partner.usage
    }
    gone = _gone(tx, list(orders))
    lines: list[DisruptionLine] = []
    for line in tx.orders.lines(list(orders)) if orders else ():
        item = ItemRef(gtin=line.gtin, seller_number=line.seller_number, buyer_number=line.buyer_number)
        is_open = line.quantity > gone.get((line.order_id, line.line_id), 0)
        if is_open and _key(item, own) in keys:
            lines.append(_of_order(len(lines), item, orders[line.order_id], line, late))
    held = {
        row.reservation_id: row
        for row in tx.reservations.search(partner_id=partner_id, role="grantor", which="open", limit=ORDERS_LOOKED_AT)
        if row.item_key in keys
    }
    for name, row in held.items():
        item = _item_of(row.item_key, own)
        lines.append(DisruptionLine(line_id=str(len(lines) + 1), item=item, reservation_id=name, days_late=late))
    return lines


def _of_order(place: int, item: ItemRef, order: OrderRow, line: OrderLineRow, late: int) -> DisruptionLine:
    key = DocumentKey(issuer=order.issuer, unit=order.unit, type="Order", number=order.number, series=order.series)
    return DisruptionLine(line_id=str(place + 1), item=item, order=key, days_late=late)


def _item_of(key: str, own: str) -> ItemRef:
    if key.startswith("gtin:"):
        return ItemRef(gtin=key.removeprefix("gtin:"))
    return ItemRef(seller_number=key.removeprefix(f"no:{own}:"))


def _submitted(tx: Transaction, ctx: Context, partner_id: str, notice: DisruptionNotice) -> bool:
    try:
        result = submit(tx, ctx, partner_id, [Submission(notice)])[0]
    except RefusedError as error:
        ctx.log.warning("a notice was not passed on: %s", error.message, extra={"partner": partner_id})
        return False
    if result.state == "refused":
        ctx.log.warning("a notice was not passed on: %s", result.findings, extra={"partner": partner_id})
    return result.state == "waiting"


# --- our own notices --------------------------------------------------------------------------------------------------


def send(tx: Transaction, ctx: Context, notice: DisruptionNotice, partner_ids: Sequence[str]) -> list[str]:
    """Let a notice of our own count, and tell it to these partners; returns those that get it.

    Without partners, those with open orders or holds of the items. Raises RefusedError ``disruption`` where the
    notice itself is wrong, with the first finding's words.
    """
    own = tx.partners.own().partner_id
    given = header_of(notice)
    root = root_of(f"{own}|{given.number}")
    header = replace(given, issuer=own, root_id=root, hops_left=HOPS_MAX)
    notice = replace(notice, header=header)
    rows = [row._replace(partner_id="") for row in _rows(ctx, own, notice, root, 0)]
    known = tx.disruptions.of_number("", given.number)
    tx.disruptions.put([*(row._replace(state="ended") for row in known), *rows])
    _wake(tx, ctx, rows)
    told = list(partner_ids)
    if not told:
        keys = _keys_of(tx, rows)
        told = [
            row.partner_id
            for row in tx.partners.all()
            if row.state == "confirmed" and keys and concerned(tx, row, keys, 0)
        ]
    reached = []
    for partner_id in told:
        result = submit(tx, ctx, partner_id, [Submission(notice)])[0]
        if result.state == "refused":
            finding = result.findings[0]
            raise RefusedError(f"{finding.path}: {finding.text}", code=finding.rule)
        reached.append(partner_id)
    return reached


def end(tx: Transaction, ctx: Context, number: str) -> list[str]:
    """All is well again: our own notice ends here and at whoever got it; returns those that are told.

    Raises RefusedError ``unknown-notice``.
    """
    rows = tx.disruptions.of_number("", number)
    if not any(row.state == "in_force" for row in rows):
        raise RefusedError(f"there is no notice {number!r} of ours in force", code="unknown-notice")
    tx.disruptions.put([row._replace(state="ended", at=ctx.now_micros()) for row in rows])
    _wake(tx, ctx, [row._replace(state="ended") for row in rows])
    reached = []
    for partner in tx.partners.all():
        sent = tx.documents.search(
            partner_id=partner.partner_id, direction="out", type="DisruptionNotice", number=number, limit=1
        )
        if not sent or sent[0].state in ("refused", "withdrawn"):
            continue
        notice = DisruptionNotice(
            header=DocumentHeader(number=f"{number}-END", root_id=rows[0].root_id, hops_left=HOPS_MAX),
            kind=DisruptionKind.RECOVERED,
            period=Period(start_on=ctx.now().date()),
            lines=tuple(_again(row, place) for place, row in enumerate(rows, 1)),
        )
        if _submitted(tx, ctx, partner.partner_id, notice):
            reached.append(partner.partner_id)
    return reached


def _again(row: DisruptionRow, place: int) -> DisruptionLine:
    """A line of ours as it was, without its figures."""
    owner = row.item_key.removeprefix("no:").rpartition(":")[0]
    item = _item_of(row.item_key, owner) if row.item_key else None
    return DisruptionLine(line_id=str(place), item=item)


def end_past(tx: Transaction, ctx: Context) -> int:
    """Notices whose last day is over are in force no longer; returns how many lines that ended."""
    today = ctx.now().date().isoformat()
    over = [
        row for row in tx.disruptions.search(state="in_force", limit=SHOWN_MAX) if row.until_on and row.until_on < today
    ]
    if over:
        tx.disruptions.put([row._replace(state="ended") for row in over])
        _wake(tx, ctx, [row._replace(state="ended") for row in over])
    return len(over)
