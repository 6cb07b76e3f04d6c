"""Operations on stock holds: who holds what until when, given and got, and the proof that the ledger's counts agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from node import wire
from node.app.operations.node import moment
from node.app.operations.registry import Host, operation
from node.app.operations.stock import number_text
from node.app.stock import reservations
from node.app.stock.known_stock import resolve
from node.core import reservation
from node.core.decimals import parse_decimal, to_scaled
from node.core.document.common import ItemRef
from node.core.identifiers import is_gtin
from node.core.item_key import GTIN_PREFIX, number_key, number_of
from node.core.quantity import Quantity
from node.core.reservation_rows import ErpHoldRow, ReservationRow
from node.errors import RefusedError
from node.ports import Transaction

__all__ = ["told"]

LIMIT_MAX = 1_000
_SIDES = {"given": "grantor", "got": "requester", "own": "own"}


@operation("reservation.list")
def reservation_list(
    host: Host,
    *,
    partner: str | None = None,
    item: str | None = None,
    side: str | None = None,
    all: bool = False,
    limit: int = 50,
) -> dict[str, Any]:
    """Holds that stand or are asked for, by their end; with `all` also what has ended and what orders took up."""
    if not 0 < limit <= LIMIT_MAX:
        raise RefusedError(f"limit: 1 to {LIMIT_MAX}", code="bad-argument")
    if side is not None and side not in _SIDES:
        raise RefusedError(f"side: {', '.join(_SIDES)}", code="bad-argument")

    def query(tx: Transaction) -> list[dict[str, Any]]:
        rows: list[ReservationRow] = []
        for key in [None] if item is None else _keys(tx, item):
            rows += tx.reservations.search(
                partner_id=partner,
                item_key=key,
                role=_SIDES[side] if side else None,
                which="" if all else "open",
                limit=limit,
            )
        now, numbers = host.ctx.now_micros(), _numbers(tx, [row.item_key for row in rows[:limit]])
        return [told(tx, row, now, numbers) for row in rows[:limit]]

    found = host.store.read(query)
    return {"reservations": found, "more": len(found) == limit}


def _keys(tx: Transaction, item: str) -> list[str]:
    own = tx.partners.own().partner_id
    names = [item, number_key(item, own)] + ([f"gtin:{item:0>14}"] if is_gtin(item) else [])
    return [name for name in names if name.startswith(("gtin:", "no:"))]


@operation("reservation.show")
def reservation_show(host: Host, *, reservation: str, partner: str | None = None) -> dict[str, Any]:
    """One hold; partners choose ids, so `partner` may be needed."""
    now = host.ctx.now_micros()

    def query(tx: Transaction) -> dict[str, Any]:
        row = reservations.find(tx, reservation, partner_id=partner)
        at_erp = tx.erp_holds.find([reservation]).get((reservation, row.partner_id, row.role))
        return {**told(tx, row, now), "our_system": _at_erp(at_erp) if at_erp is not None else None}

    return host.store.read(query)


def _at_erp(one: ErpHoldRow) -> dict[str, Any]:
    """What our ERP knows of a hold that it keeps, too."""
    return {
        "adapter": one.adapter,
        "knows": one.told,
        "reference": one.reference,
        "tries": one.attempts,
        "next_at": moment(one.next_at) if one.next_at else "",
        "error": one.error,
    }


@operation("reservation.request")
def reservation_request(
    host: Host,
    *,
    partner: str,
    lines: list[dict[str, Any]],
    unit: str = "C62",
    location: str = "",
    seconds: int | None = None,
    complete: bool = False,
) -> dict[str, Any]:
    """Ask a partner to hold stock: lines of `item` and `quantity`, for so many seconds."""
    wanted = []
    until = _until(host, seconds)

    def use_case(tx: Transaction) -> dict[str, Any]:
        own = tx.partners.own().partner_id
        for place, line in enumerate(lines):
            item = str(line.get("line") or line.get("item") or "")
            if not item or line.get("quantity") is None:
                raise RefusedError(f"lines[{place}]: item and quantity are expected", code="bad-argument")
            quantity = Quantity.parse(str(line["quantity"]), unit)
            named, key = _item(tx, item, partner, own)
            wanted.append(reservations.Wanted(item=named, quantity=quantity, location=location, item_key=key))
        made = reservations.request(
            tx, host.ctx, partner, wanted, hold_until=until, mode="complete" if complete else "partial"
        )
        now = host.ctx.now_micros()
        return {
            "request": made.number,
            "document": made.document_id,
            "reservations": [told(tx, row, now) for row in made.rows],
        }

    result = host.store.write(use_case)
    _wake(host, partner)
    return result


def _item(tx: Transaction, number: str, partner: str, own: str) -> tuple[ItemRef, str]:
    """By GTIN if it is one or we know it, or by our number and the partner's; and the key that its figures have."""
    keys = [*resolve(tx, [number])[number], number_key(number, partner)]
    gtins = sorted(key for key in keys if key.startswith(GTIN_PREFIX))
    told = {row.item_key for row in tx.stock.figures(keys) if row.partner_id == partner}
    key = next((one for one in [*gtins, *keys] if one in told), (gtins or _keys(tx, number))[-1])
    if is_gtin(number):
        return ItemRef(gtin=number), key
    prefix = number_key("", partner)
    theirs = next((one.removeprefix(prefix) for one in keys if one.startswith(prefix)), number)
    gtin = key.removeprefix(GTIN_PREFIX) if key in gtins else ""
    return ItemRef(gtin=gtin, seller_number=theirs, buyer_number=number, buyer=own), key


def _until(host: Host, seconds: int | None) -> datetime:
    asked = host.ctx.settings.reservations.hold_seconds if seconds is None else seconds
    if asked < 1:
        raise RefusedError("seconds: at least 1", code="bad-argument")
    return host.ctx.now() + timedelta(seconds=asked)


@operation("reservation.extend")
def reservation_extend(
    host: Host, *, reservation: str, seconds: int | None = None, partner: str | None = None
) -> dict[str, Any]:
    """Ask for a later end, so many seconds from now."""
    until = _until(host, seconds)

    def use_case(tx: Transaction) -> dict[str, Any]:
        row = reservations.extend(tx, host.ctx, reservation, until, partner_id=partner)
        return told(tx, row, host.ctx.now_micros())

    result = host.store.write(use_case)
    _wake(host, result["partner_id"])
    return {**result, "asked_until": moment(wire.micros(until))}


@operation("reservation.release")
def reservation_release(
    host: Host, *, reservation: str, reason: str = "", quantity: str | None = None, partner: str | None = None
) -> dict[str, Any]:
    """Give a hold back, so much of it (in its unit) or all, or take back one that we gave."""

    def use_case(tx: Transaction) -> dict[str, Any]:
        if quantity is None:
            row = reservations.release(tx, host.ctx, reservation, reason, partner_id=partner)
        else:
            part = to_scaled(parse_decimal(quantity))
            row = reservations.release_part(tx, host.ctx, reservation, part, reason, partner_id=partner)
        return told(tx, row, host.ctx.now_micros())

    result = host.store.write(use_case)
    _wake(host, result["partner_id"])
    return result


@operation("reservation.verify")
def reservation_verify(host: Host) -> dict[str, Any]:
    """Compare every counter with the sum of its holds and orders."""
    found = host.store.read(reservations.verify)
    numbers = host.store.read(lambda tx: _numbers(tx, [one.item_key for one in found]))
    return {
        "good": not found,
        "differences": [
            {
                "item": numbers[one.item_key],
                "item_key": one.item_key,
                "location": one.location,
                "reserved": number_text(one.reserved),
                "reserved_summed": number_text(one.reserved_summed),
                "allocated": number_text(one.allocated),
                "allocated_summed": number_text(one.allocated_summed),
            }
            for one in found
        ],
    }


def _wake(host: Host, partner_id: str) -> None:
    if host.live is not None and partner_id:
        host.live.wake([partner_id])


def _numbers(tx: Transaction, keys: Sequence[str]) -> dict[str, str]:
    """Our own number of each of these items, else the number that it is known by."""
    wanted = sorted(set(keys))
    ours: dict[str, set[str]] = {}
    for row in tx.stock.aliases(wanted) if wanted else ():
        ours.setdefault(row.alias, set()).add(row.item_number)
    return {key: next(iter(ours[key])) if len(ours.get(key, ())) == 1 else number_of(key) for key in wanted}


def told(tx: Transaction, row: ReservationRow, now: int, numbers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A hold as JSON tells it; one whose time is up is expired, whether or not that was put down yet.

    `numbers` are those of many items, read together.
    """
    numbers = _numbers(tx, [row.item_key]) if numbers is None else numbers
    partner = tx.partners.get(row.partner_id) if row.partner_id else None
    over = row.state in reservation.OPEN and row.expires_at <= now
    return {
        "reservation": row.reservation_id,
        "side": next(side for side, role in _SIDES.items() if role == row.role),
        "partner_id": row.partner_id,
        "partner": partner.name if partner else "",
        "state": "expired" if over else row.state,
        "item": numbers[row.item_key],
        "item_key": row.item_key,
        "location": row.location,
        "quantity": number_text(row.quantity),
        "granted": number_text(row.granted),
        "unit": row.unit,
        "takes": number_text(row.held),
        "request": row.request,
        "expires_at": moment(row.expires_at) if row.expires_at else "",
        "seconds_left": max(0, (row.expires_at - now) // 1_000_000) if row.state in reservation.OPEN else 0,
        "extensions": row.extensions,
        "customer_order": row.customer_order,
        "order_id": row.order_id,
        "line": row.line_id,
        "reason": row.reason,
        "changed_at": moment(row.at),
    }
