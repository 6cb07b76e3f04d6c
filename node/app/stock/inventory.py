"""Stock: our own figures in, what each partner may see out, partners' reports in.

What a partner has not seen yet is what changed after its link's `stock_change`: newer figures replace older ones before
they are sent, and a slow partner costs nothing. The first report to a partner is a snapshot in parts.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, cast

from node import stock_wire, wire
from node.app.context import Context
from node.app.links.outbox import SALT_BYTES, priority_of
from node.app.stock import ledger, prices
from node.config import SharingRule
from node.core import link, sharing
from node.core.decimals import to_scaled
from node.core.document import Document
from node.core.document.catalogue import ItemCatalogue
from node.core.document.common import DocumentHeader, LocationRef, Usage
from node.core.document.inventory import InventoryReport, Snapshot, StockBasis
from node.core.item_key import aliases
from node.core.rows import AliasRow, DocumentRow, LinkRow, SnapshotRow, StockRow
from node.ports import Transaction
from node.stock_wire import StockReport, read_report

__all__ = [
    "BASIS_SETTING",
    "StockReport",
    "as_shared",
    "policy_of",
    "policy_of_rules",
    "put_own",
    "read_report",
    "resend_refused",
    "resend_stock",
    "sharing_may_have_changed",
    "stock_reports",
    "stock_waits",
    "take_catalogues",
    "take_report",
    "waiting_for_stock",
]

LINE_BYTES = 42
"""About what a stock line takes on the wire; how many fit in a batch is reckoned with it."""

REPORT_LINES_MAX = 2_500
"""Lines in one report, which its receiver takes in one transaction: orders wait for no more than that (about 30 ms)."""
REPORT_BYTES_MAX = wire.DOCUMENT_BYTES_MAX // 2
RESEND_MICROS = 3_600_000_000
"""A partner that refuses our figures gets them again whole, at most once in this time."""

BASIS_SETTING = "stock-basis"
SHARING_SETTING = "sharing-rules"


# --- our own stock ---


def put_own(tx: Transaction, ctx: Context, rows: Sequence[StockRow], basis: str = "") -> list[str]:
    """Store our own figures (partner_id "", `change` is given here); returns the keys of the items that changed."""
    if not rows:
        return []
    ledger.reflect(tx, ctx, rows)
    first = tx.stock.next_changes(len(rows))
    tx.stock.put([cast("StockRow", (*row[:-1], first + i)) for i, row in enumerate(rows)])
    named = [AliasRow(row[0], row[12], "") for row in rows if row[11] and row[12]]  # item_key, number; gtin
    if named:
        tx.stock.put_aliases(named)
    if basis:
        tx.settings.put(BASIS_SETTING, basis)
    return [row.item_key for row in rows]


# --- what partners see ---


def stock_waits(tx: Transaction, ctx: Context, outgoing: LinkRow) -> bool:
    """Whether this partner may see stock that changed since it last heard of it."""
    if tx.stock.last_change() <= outgoing.stock_change:
        return False
    partner = tx.partners.get(outgoing.partner_id)
    if partner is None or partner.state != "confirmed" or not _tells(ctx, outgoing.partner_id):
        return False
    said = json.loads(partner.last_hello) if partner.last_hello else {}
    return "InventoryReport" in said.get("accepts", [])


def waiting_for_stock(tx: Transaction, ctx: Context) -> list[str]:
    """The partners who may see stock that changed since they last heard of it."""
    return [row.partner_id for row in tx.links.all() if row.direction == "out" and stock_waits(tx, ctx, row)]


def stock_reports(
    tx: Transaction, ctx: Context, outgoing: LinkRow, after: int, room: int
) -> tuple[list[DocumentRow], int]:
    """The next report for this partner, numbered after `after`, and the change it reaches to; `room` is in bytes."""
    partner = tx.partners.get(outgoing.partner_id)
    assert partner is not None
    limit = max(1, min(room // LINE_BYTES, REPORT_LINES_MAX))
    snapshot, until = _snapshot_going_on(tx, ctx, outgoing)
    while True:
        rows = tx.stock.own_changed(outgoing.stock_change, limit)
        part: Snapshot | None = None
        if snapshot is not None:
            full = len(rows) == limit
            rows = [row for row in rows if row.change <= until]
            last = not full or not rows or rows[-1].change >= until
            number = snapshot["part"]
            part = Snapshot(id=snapshot["id"], part=number, last=last, parts=number if last else 0)
        reached = rows[-1].change if rows else outgoing.stock_change
        shared = as_shared(tx, ctx, rows, outgoing.partner_id)
        if not shared and part is None:
            return [], reached
        made = _report_row(tx, ctx, outgoing, tx.documents.next_ids(1), part, shared, partner.usage)
        if len(made.body or b"") <= REPORT_BYTES_MAX or limit == 1:
            break
        limit = max(1, limit // 2)  # long numbers, or much expected supply
    if snapshot is not None and part is not None:
        _remember_snapshot(tx, outgoing, None if part.last else {**snapshot, "part": snapshot["part"] + 1})
    return [made._replace(epoch=outgoing.epoch, number=after + 1, state="sent")], reached


def as_shared(tx: Transaction, ctx: Context, rows: Sequence[StockRow], partner_id: str) -> list[StockRow]:
    """Our own figures as a partner may see them: less what holds and orders have taken up, and what is kept back.

    With an exact figure goes how much our ERP may sell of it at once.
    """
    taken = ledger.taken_of(tx, ctx, rows, partner_id)
    shared = sharing.share(rows, policy_of(ctx), partner_id, taken, ledger.safety(ctx))
    exposed = ledger.exposed_of(tx, ctx, rows)
    if not exposed:
        return shared
    return [sharing.with_exposure(row, exposed.get((row.item_key, row.location), 0)) for row in shared]


def resend_stock(tx: Transaction, partner_id: str) -> None:
    """Let the partner have a whole snapshot again, such as after going live or a change of the sharing rules."""
    outgoing = tx.links.get(partner_id, "out")
    if outgoing is not None:
        tx.links.put(outgoing._replace(stock_change=0))
        tx.settings.put(_snapshot_setting(outgoing), "")


def sharing_may_have_changed(tx: Transaction, ctx: Context) -> list[str]:
    """Let partners have a snapshot by the rules as they are now, if these are others; returns whom that concerns."""
    rules = repr(ctx.settings.sharing.rules)
    before = tx.settings.get(SHARING_SETTING)
    tx.settings.put(SHARING_SETTING, rules)
    if before is None or before == rules:
        return []
    concerned = [row.partner_id for row in tx.partners.all() if tx.links.get(row.partner_id, "out") is not None]
    for partner_id in concerned:
        resend_stock(tx, partner_id)
    return concerned


def resend_refused(tx: Transaction, ctx: Context, partner_id: str) -> None:
    """The partner refused a report: what it knows may have a hole, so it gets a whole snapshot, if not lately."""
    setting, now = f"stock-resent {partner_id}", ctx.now_micros()
    if now - int(tx.settings.get(setting) or 0) < RESEND_MICROS:
        return
    tx.settings.put(setting, str(now))
    resend_stock(tx, partner_id)


def _snapshot_going_on(tx: Transaction, ctx: Context, outgoing: LinkRow) -> tuple[dict[str, Any] | None, int]:
    text = tx.settings.get(_snapshot_setting(outgoing))
    if text:
        state = json.loads(text)
        return state, int(state["until"])
    if outgoing.stock_change == 0:
        until = tx.stock.last_change()
        return {"id": ctx.random.token(8).hex(), "part": 1, "until": until}, until
    return None, 0


def _remember_snapshot(tx: Transaction, outgoing: LinkRow, state: dict[str, Any] | None) -> None:
    tx.settings.put(_snapshot_setting(outgoing), json.dumps(state) if state else "")


def _snapshot_setting(outgoing: LinkRow) -> str:
    return f"stock-snapshot {outgoing.partner_id}"


def _report_row(
    tx: Transaction,
    ctx: Context,
    outgoing: LinkRow,
    document_id: int,
    part: Snapshot | None,
    shared: Sequence[StockRow],
    usage: str,
) -> DocumentRow:
    own = tx.partners.own().partner_id
    report = InventoryReport(
        header=DocumentHeader(issuer=own, number=str(document_id), usage=Usage(usage), issued_at=ctx.now()),
        as_of=wire.instant(shared[0].as_of) if shared else ctx.now(),
        basis=StockBasis(tx.settings.get(BASIS_SETTING) or "UNSPECIFIED"),
        snapshot=part,
        locations=tuple(LocationRef(code=code, owner=own) for code in sorted({row.location for row in shared})),
    )
    body = stock_wire.write_report(report, shared)
    salt = ctx.random.token(SALT_BYTES)
    return DocumentRow(
        document_id=document_id,
        partner_id=outgoing.partner_id,
        direction="out",
        epoch=None,
        number=None,
        type="InventoryReport",
        issuer=own,
        unit="",
        doc_number=str(document_id),
        series="",
        revision=0,
        usage=usage,
        state="waiting",
        duplicate_of=None,
        priority=priority_of("InventoryReport"),
        object_key="InventoryReport",
        salt=salt,
        body=body,
        personal_salt=b"",
        personal=b"",
        leaf=link.leaf_of(salt, "InventoryReport", body),
        reasons="",
        stored_at=ctx.now_micros(),
        valid_until=None,
    )


def policy_of(ctx: Context) -> sharing.Policy:
    """The sharing policy of the settings; what no rule names is told to nobody."""
    return policy_of_rules(ctx.settings.sharing.rules)


@lru_cache(maxsize=8)
def policy_of_rules(rules: tuple[SharingRule, ...]) -> sharing.Policy:
    """The same of these rules."""
    return sharing.Policy(
        default=sharing.Rule(partner="*", item="*", location="*", figure=sharing.HIDDEN),
        rules=tuple(
            sharing.Rule(
                partner=rule.partner,
                item=rule.item,
                location=rule.location,
                figure=rule.figure,
                cap=to_scaled(Decimal(rule.cap)),
                bands=tuple(to_scaled(Decimal(end)) for end in rule.bands),
                reserve_percent=rule.reserve_percent,
            )
            for rule in rules
        ),
    )


def _tells(ctx: Context, partner_id: str) -> bool:
    """Whether any rule lets this partner see anything."""
    return any(
        rule.figure != sharing.HIDDEN and rule.partner in ("*", partner_id) for rule in ctx.settings.sharing.rules
    )


# --- what partners tell ---


def take_report(tx: Transaction, ctx: Context, partner_id: str, stock: StockReport) -> None:
    """Store a partner's report: into its current figures, or into a snapshot that is swapped in when complete."""
    report = stock.report
    as_of = wire.micros(report.as_of) if report.as_of else ctx.now_micros()
    part = report.snapshot
    if part is None:
        target = tx.stock.current_snapshot(partner_id) or _begin_snapshot(tx, ctx, partner_id, "", report, "current")
    else:
        target = tx.stock.snapshot_named(partner_id, part.id) or _begin_snapshot(
            tx, ctx, partner_id, part.id, report, "building"
        )
    number = target.snapshot
    now = ctx.now_micros()
    tx.stock.put([cast("StockRow", (*row[:2], number, *row[3:-1], now)) for row in stock.rows])
    if part is not None and target.state == "building":
        target = target._replace(parts=target.parts + 1)
    if part is not None and part.last and target.state == "building" and target.parts == part.part:
        current = tx.stock.current_snapshot(partner_id)
        if current is not None:
            tx.stock.put_snapshot(current._replace(state="old"))
        target = target._replace(state="current")
        tx.settings.put(_building_setting(partner_id), "")
    elif part is not None and part.last and target.state == "building":
        ctx.log.warning("a snapshot of stock lacks parts and is not used", extra={"partner": partner_id})
    tx.stock.put_snapshot(target._replace(as_of=max(as_of, target.as_of), basis=report.basis.value))


def _begin_snapshot(
    tx: Transaction, ctx: Context, partner_id: str, name: str, report: InventoryReport, state: str
) -> SnapshotRow:
    row = SnapshotRow(
        partner_id=partner_id,
        snapshot=tx.documents.next_ids(1),
        name=name,
        parts=0,
        state=state,
        basis=report.basis.value,
        started_at=ctx.now_micros(),
        as_of=0,
    )
    if state == "building":
        _give_up_building(tx, partner_id, name)
    tx.stock.put_snapshot(row)
    return row


def _give_up_building(tx: Transaction, partner_id: str, name: str) -> None:
    """A snapshot that was broken off by this one will never be complete."""
    setting = _building_setting(partner_id)
    before = tx.settings.get(setting)
    abandoned = tx.stock.snapshot_named(partner_id, before) if before else None
    if abandoned is not None and abandoned.state == "building":
        tx.stock.put_snapshot(abandoned._replace(state="old"))
    tx.settings.put(setting, name)


def _building_setting(partner_id: str) -> str:
    return f"stock-building {partner_id}"


def take_catalogues(tx: Transaction, ctx: Context, partner_id: str, documents: Sequence[Document]) -> None:
    """Catalogues among these documents name items, with their packs and prices."""
    for catalogue in documents:
        if isinstance(catalogue, ItemCatalogue):
            put_catalogue_aliases(tx, partner_id, catalogue)
            prices.take_catalogues(tx, ctx, partner_id, [catalogue])


def put_catalogue_aliases(tx: Transaction, partner_id: str, catalogue: ItemCatalogue) -> None:
    """Remember every name of the items of a partner's catalogue (or of our own, `partner_id` "") under our number."""
    own = tx.partners.own().partner_id
    rows = []
    for line in catalogue.lines:
        if line.item is None:
            continue
        our_number = line.item.buyer_number if partner_id else line.item.seller_number or line.item.buyer_number
        if not our_number:
            continue
        names = aliases(line.item, seller=partner_id or own, buyer=own)
        names += [f"gtin:{pack.gtin.zfill(14)}" for pack in line.packaging if pack.gtin and pack.contains is None]
        rows += [AliasRow(name, our_number, partner_id) for name in names]
    if rows:
        tx.stock.put_aliases(rows)
