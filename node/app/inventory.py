"""Stock: our own figures in, what each partner may see out, partners' reports in, and availability over all of it.

What a partner has not seen yet is what changed after its link's `stock_change`: newer figures replace older ones before
they are sent, and a slow partner costs nothing. The first report to a partner is a snapshot in parts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple, cast

from node import stock_wire, wire
from node.app.context import Context
from node.app.outbox import SALT_BYTES, priority_of
from node.config import SharingRule
from node.core import link, sharing
from node.core.decimals import to_scaled
from node.core.document import Document
from node.core.document.catalogue import ItemCatalogue
from node.core.document.common import DocumentHeader, ItemRef, LocationRef, Usage
from node.core.document.inventory import FigureKind, InventoryReport, Snapshot, StockBasis
from node.core.document.order import Order
from node.core.identifiers import gtin14, is_gtin
from node.core.item_key import aliases, item_key, number_key
from node.core.quantity import Quantity
from node.core.rows import AliasRow, DocumentRow, LinkRow, PartnerRow, SnapshotRow, StockRow
from node.core.units import convert
from node.errors import RefusedError
from node.ports import Transaction
from node.stock_wire import StockReport, read_report

__all__ = [
    "Figure",
    "StockReport",
    "answer",
    "availability",
    "put_own",
    "question",
    "read_report",
    "resend_stock",
    "sharing_may_have_changed",
    "stock_reports",
    "stock_waits",
    "take_answer",
    "take_documents",
    "take_report",
    "waiting_for_stock",
]

LINE_BYTES = 42
"""About what a stock line takes on the wire; how many fit in a batch is reckoned with it."""

REPORT_LINES_MAX = 2_500
"""Lines in one report, which its receiver takes in one transaction: orders wait for no more than that (about 30 ms)."""

BASIS_SETTING = "stock-basis"
SHARING_SETTING = "sharing-rules"


class Figure(NamedTuple):
    """One figure of availability, with its age, basis and source."""

    item: str  # as asked
    partner_id: str  # "" for our own
    partner: str
    location: str
    status: str
    figure: str
    on_hand: int | None
    available: int | None
    band_end: int | None
    unit: str
    expected: list[list[object]]  # [scaled quantity, date, source]
    as_of: int
    age_seconds: int
    basis: str
    usage: str


# --- our own stock ---


def put_own(tx: Transaction, ctx: Context, rows: Sequence[StockRow], basis: str = "") -> list[str]:
    """Store our own figures (partner_id "", `change` is given here); returns the keys of the items that changed."""
    if not rows:
        return []
    first = tx.stock.next_changes(len(rows))
    tx.stock.put([cast("StockRow", (*row[:-1], first + i)) for i, row in enumerate(rows)])
    named = [AliasRow(row[0], row[12], "") for row in rows if row[11] and row[12]]  # item_key, number; gtin
    if named:
        tx.stock.put_aliases(named)
    if basis:
        tx.settings.put(BASIS_SETTING, basis)
    return [row.item_key for row in rows]


def _take_off_ordered(tx: Transaction, ctx: Context, orders: Iterable[Order]) -> None:
    """Our available figures fall the moment an order is taken, until the ERP's next figures replace them."""
    if tx.stock.last_change() == 0:
        return  # we keep no stock here
    own = tx.partners.own().partner_id
    wanted: dict[str, list[Quantity]] = {}
    for order in orders:
        for line in order.lines:
            if line.item is None or line.quantity is None:
                continue
            try:
                wanted.setdefault(item_key(line.item, own), []).append(line.quantity)
            except RefusedError:
                continue
    if not wanted:
        return
    best: dict[str, StockRow] = {}
    for row in tx.stock.figures(list(wanted)):
        if row.partner_id == "" and row.available is not None and row.status == "AVAILABLE":
            known = best.get(row.item_key)
            if known is None or (known.available or 0) < row.available:
                best[row.item_key] = row
    changed = []
    for key, row in best.items():
        left = row.available or 0
        for quantity in wanted[key]:
            try:
                taken = convert(quantity, row.unit)
            except RefusedError:
                continue  # an item's own pack: the ERP's next figure tells
            left -= to_scaled(taken.value)
        changed.append(row._replace(available=max(left, 0)))
    put_own(tx, ctx, changed)


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
    rows = tx.stock.own_changed(outgoing.stock_change, limit)
    snapshot, until = _snapshot_going_on(tx, ctx, outgoing)
    part: Snapshot | None = None
    if snapshot is not None:
        rows = [row for row in rows if row.change <= until]
        last = len(rows) < limit or rows[-1].change >= until
        part = Snapshot(id=snapshot["id"], part=snapshot["part"], last=last, parts=snapshot["part"] if last else 0)
        _remember_snapshot(tx, outgoing, None if last else {**snapshot, "part": snapshot["part"] + 1})
    reached = rows[-1].change if rows else outgoing.stock_change
    shared = sharing.share(rows, _policy(ctx), outgoing.partner_id)
    if not shared and part is None:
        return [], reached
    document_id = tx.documents.next_ids(1)
    row = _report_row(tx, ctx, outgoing, document_id, part, shared, partner.usage)
    return [row._replace(epoch=outgoing.epoch, number=after + 1, state="sent")], reached


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


def _policy(ctx: Context) -> sharing.Policy:
    """The sharing policy of the settings; what no rule names is told to nobody."""
    return _policy_of(ctx.settings.sharing.rules)


@lru_cache(maxsize=8)
def _policy_of(rules: tuple[SharingRule, ...]) -> sharing.Policy:
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
    tx.stock.put([cast("StockRow", (*row[:2], number, *row[3:])) for row in stock.rows])
    if part is not None and part.last and target.state == "building":
        current = tx.stock.current_snapshot(partner_id)
        if current is not None:
            tx.stock.put_snapshot(current._replace(state="old"))
        target = target._replace(state="current", parts=part.part)
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
    tx.stock.put_snapshot(row)
    return row


def take_documents(tx: Transaction, ctx: Context, partner_id: str, documents: Sequence[Document]) -> None:
    """What other documents say about stock: a catalogue names items, an order takes available stock away."""
    orders = [one for one in documents if isinstance(one, Order)]
    if orders:
        _take_off_ordered(tx, ctx, orders)
    for catalogue in documents:
        if isinstance(catalogue, ItemCatalogue):
            put_catalogue_aliases(tx, partner_id, catalogue)


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


# --- availability ---


def availability(
    tx: Transaction, ctx: Context, items: Sequence[str], *, location: str = "", partner_id: str | None = None
) -> list[Figure]:
    """Every figure in force of these items (our numbers, GTINs, or partners' numbers), ours and partners'."""
    now = ctx.now_micros()
    keys_of = {item: _keys(tx, item) for item in items}
    rows = tx.stock.figures(sorted({key for keys in keys_of.values() for key in keys}))
    by_key: dict[str, list[StockRow]] = {}
    for row in rows:
        by_key.setdefault(row.item_key, []).append(row)
    bases = {"": tx.settings.get(BASIS_SETTING) or "UNSPECIFIED"}
    partners: dict[str, PartnerRow | None] = {"": None}
    figures = []
    for item, keys in keys_of.items():
        for row in (row for key in keys for row in by_key.get(key, ())):
            if (location and row.location != location) or (partner_id is not None and row.partner_id != partner_id):
                continue
            if row.partner_id not in bases:
                partners[row.partner_id] = tx.partners.get(row.partner_id)
                snapshot = tx.stock.current_snapshot(row.partner_id)
                bases[row.partner_id] = snapshot.basis if snapshot else "UNSPECIFIED"
            partner = partners[row.partner_id]
            figures.append(
                Figure(
                    item=item,
                    partner_id=row.partner_id,
                    partner=partner.name if partner else "",
                    location=row.location,
                    status=row.status,
                    figure=row.figure,
                    on_hand=row.on_hand,
                    available=row.available if row.available is not None else row.on_hand,
                    band_end=row.band_end,
                    unit=row.unit,
                    expected=json.loads(row.expected) if row.expected else [],
                    as_of=row.as_of,
                    age_seconds=max(0, (now - row.as_of) // 1_000_000),
                    basis=bases[row.partner_id],
                    usage=partner.usage if partner else "PRODUCTION",
                )
            )
    return figures


def _keys(tx: Transaction, item: str) -> list[str]:
    """Every key under which stock of this item may be told."""
    own = tx.partners.own().partner_id
    names = [item, number_key(item, own)]
    if is_gtin(item):
        names.append(f"gtin:{gtin14(item)}")
    numbers = sorted({row.item_number for row in tx.stock.aliases(names)})
    keys = dict.fromkeys(names)
    if numbers:
        keys |= dict.fromkeys(number_key(number, own) for number in numbers)
        keys |= dict.fromkeys(row.alias for row in tx.stock.aliases(numbers))
    return [key for key in keys if key.startswith(("gtin:", "no:"))]


def question(tx: Transaction, partner_id: str, items: Sequence[str]) -> link.AvailabilityQuery:
    """What to ask a partner for these items: by GTIN, and by that partner's own numbers."""
    asked = []
    prefix = f"no:{partner_id}:"
    for item in items:
        for key in _keys(tx, item):
            if key.startswith("gtin:"):
                asked.append(ItemRef(gtin=key.removeprefix("gtin:")))
            elif key.startswith(prefix):
                asked.append(ItemRef(seller_number=key.removeprefix(prefix)))
        asked.append(ItemRef(buyer_number=item))
    return link.AvailabilityQuery(items=tuple(asked))


def answer(tx: Transaction, ctx: Context, partner_id: str, query: link.AvailabilityQuery) -> link.AvailabilityAnswer:
    """The figures of our stock that this partner may see. Raises RefusedError when it asks for too much."""
    most = ctx.settings.limits.query_items_max
    if len(query.items) > most:
        raise RefusedError(f"{len(query.items)} items in one question; at most {most}", code="too-large")
    own = tx.partners.own().partner_id
    keys = []
    for item in query.items:
        keys += [key for key in aliases(item, seller=own, buyer=partner_id) if key.startswith(("gtin:", "no:" + own))]
    rows = [row for row in tx.stock.figures(sorted(set(keys))) if row.partner_id == ""]
    if query.location:
        rows = [row for row in rows if row.location == query.location]
    shared = sharing.share(rows, _policy(ctx), partner_id)
    report = InventoryReport(as_of=ctx.now())
    lines = wire.decode(InventoryReport, stock_wire.write_report(report, shared)).lines
    return link.AvailabilityAnswer(
        lines=lines, as_of=ctx.now(), basis=StockBasis(tx.settings.get(BASIS_SETTING) or "UNSPECIFIED")
    )


def take_answer(tx: Transaction, ctx: Context, partner_id: str, told: link.AvailabilityAnswer) -> None:
    """Keep a live answer as the partner's newest figures."""
    body = wire.encode(InventoryReport(as_of=told.as_of or ctx.now(), basis=told.basis, lines=told.lines))
    stock = read_report(body, partner_id)
    now = ctx.now_micros()
    fresh = [row._replace(as_of=now) for row in stock.rows]
    take_report(tx, ctx, partner_id, StockReport(stock.report, fresh, []))


def enough(figure: Figure, quantity: int, by: str) -> bool:
    """Whether a figure covers `quantity` (scaled) by a date; capped and banded figures speak for their lower end."""
    supply = 0
    if by:
        supply = sum(int(str(one[0])) for one in figure.expected if str(one[1]) <= by)
    if figure.figure == FigureKind.YES_NO.value:
        return bool(figure.available) and quantity <= stock_wire.scaled("1")
    return (figure.available or 0) + supply >= quantity
