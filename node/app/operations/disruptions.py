"""Operations on notices of disruption, and the warning of what runs out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from node.app.operations.node import moment
from node.app.operations.promises import plain
from node.app.operations.registry import Host, operation
from node.app.stock import demand, disruptions
from node.app.stock.known_stock import resolve
from node.core.disruption import text
from node.core.document.common import DocumentHeader, ItemRef, LocationRef, Period, Reason
from node.core.document.disruption import DisruptionKind, DisruptionLine, DisruptionNotice
from node.core.identifiers import gtin14, is_gtin
from node.core.promise_rows import DisruptionRow
from node.core.quantity import Quantity
from node.errors import RefusedError
from node.ports import Transaction

__all__: list[str] = []

SHOWN_MAX = 500


@operation("disruption.send")
def send(
    host: Host,
    *,
    kind: str,
    number: str | None = None,
    items: list[str] | None = None,
    location: str = "",
    left: Decimal | None = None,
    unit: str = "C62",
    days_late: int = 0,
    since: date | None = None,
    until: date | None = None,
    reason: str = "",
    partners: list[str] | None = None,
) -> dict[str, Any]:
    """Tell partners what will not come as promised; without `partners`, those with open orders or holds of the items.

    Raises RefusedError for a word, item or day that is wrong.
    """
    word = kind.upper()
    if word not in DisruptionKind.__members__ or word in ("UNSPECIFIED", "RECOVERED"):
        raise RefusedError(f"{kind!r}: delay, shortage, capacity or closure was expected", code="bad-argument")
    if days_late < 0:
        raise RefusedError(f"days late: {days_late} was given, 1 or more was expected", code="bad-argument")
    today = host.ctx.now().date()

    def use_case(tx: Transaction) -> dict[str, Any]:
        lines = [
            DisruptionLine(
                line_id=str(place),
                item=_item(tx, item) if item else None,
                location=LocationRef(code=location) if location else None,
                quantity_left=None if left is None else Quantity(left, unit),
                days_late=days_late,
            )
            for place, item in enumerate(items or [""], 1)
        ]
        notice = DisruptionNotice(
            header=DocumentHeader(number=number or f"N{tx.documents.next_ids(1)}", issued_at=host.ctx.now()),
            kind=DisruptionKind[word],
            period=Period(start_on=since or today, end_on=until),
            reason=Reason(text=reason, language="en") if reason else None,
            lines=tuple(lines),
        )
        told = disruptions.send(tx, host.ctx, notice, _ids(tx, partners or []))
        assert notice.header is not None
        return {**_listed(tx, tx.disruptions.of_number("", notice.header.number)), "sent_to": told}

    sent = host.store.write(use_case)
    _wake(host, sent["sent_to"])
    return sent


@operation("disruption.end")
def end(host: Host, *, number: str) -> dict[str, Any]:
    """All is well again. Raises RefusedError ``unknown-notice``."""

    def use_case(tx: Transaction) -> dict[str, Any]:
        told = disruptions.end(tx, host.ctx, number)
        return {**_listed(tx, tx.disruptions.of_number("", number)), "sent_to": told}

    ended = host.store.write(use_case)
    _wake(host, ended["sent_to"])
    return ended


@operation("disruption.list")
def listing(host: Host, *, all: bool = False) -> dict[str, Any]:
    """The notices in force, ours and partners', newest first; with `all` those that have ended too."""
    return host.store.read(
        lambda tx: _listed(tx, tx.disruptions.search(state="" if all else "in_force", limit=SHOWN_MAX))
    )


@operation("stock.warnings")
def warnings(host: Host, *, items: list[str] | None = None) -> dict[str, Any]:
    """Items of which our own sites run out soon, by stock, expected supply and demand lately."""
    found = host.store.read(lambda tx: demand.warnings(tx, host.ctx, items or []))
    return {
        "days": host.ctx.settings.promising.warning_days,
        "warnings": [
            {
                "item": one.item,
                "unit": one.unit,
                "available": plain(one.available),
                "per_day": plain(one.per_day.quantize(Decimal("0.01"))),
                "out_on": one.out_on.isoformat(),
                "next_supply_on": one.next_supply_on.isoformat() if one.next_supply_on else None,
                "why": one.why,
            }
            for one in found
        ],
    }


def _item(tx: Transaction, said: str) -> ItemRef:
    """The item by the name that we use. Raises RefusedError ``unknown-item`` where we have no stock or offer of it."""
    keys = resolve(tx, [said])[said]
    if not tx.stock.figures(keys) and not tx.offers.offers(keys):
        raise RefusedError(f"no item {said!r} is known here", code="unknown-item", hint="see: hansa availability")
    if is_gtin(said):
        return ItemRef(gtin=gtin14(said))
    named = next((key for key in keys if key.startswith("gtin:")), "")
    own = tx.partners.own().partner_id
    number = said.removeprefix(f"no:{own}:")
    return ItemRef(gtin=named.removeprefix("gtin:"), seller_number="" if said.startswith("gtin:") else number)


def _ids(tx: Transaction, said: Sequence[str]) -> list[str]:
    """Partners by id or by our name for them. Raises RefusedError ``unknown-partner``."""
    rows = tx.partners.all()
    found = []
    for name in said:
        ids = [row.partner_id for row in rows if name in (row.partner_id, row.name)]
        if len(ids) != 1:
            raise RefusedError(
                f"{name!r} is no partner of ours", code="unknown-partner", hint="see: hansa partner list"
            )
        found += ids
    return found


def _wake(host: Host, partner_ids: Sequence[str]) -> None:
    if host.live is not None and partner_ids:
        host.live.wake(partner_ids)


def _listed(tx: Transaction, rows: Sequence[DisruptionRow]) -> dict[str, Any]:
    names = {row.partner_id: row.name for row in tx.partners.all()}
    return {
        "names": names,
        "disruptions": [
            {
                "partner_id": row.partner_id,
                "partner": names.get(row.partner_id, ""),
                "number": row.number,
                "line_id": row.line_id,
                "kind": row.kind,
                "text": text(row),
                "item_key": row.item_key,
                "location": row.location,
                "order": row.order_number,
                "days_late": row.days_late,
                "from_on": row.from_on,
                "until_on": row.until_on,
                "reason": row.reason,
                "state": row.state,
                "hops_left": row.hops_left,
                "at": moment(row.at),
                "pieces": len(disruptions.affected(tx, [row])) if row.state == "in_force" else 0,
            }
            for row in rows
        ],
    }
