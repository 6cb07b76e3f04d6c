"""Between our ERP and the links: what an adapter pulls is submitted, what partners sent is pushed, each exactly once.

A batch of a pull is stored with its cursor in one transaction, so a crash repeats it or not, but never half of it; a
document that is wrong becomes findings and does not stop the others. A push is idempotent by the document's identity,
and the ERP's verdict goes back to the sender as an ApplicationResponse.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from adapters.base import Adapter, Change, HearsRefusals, PullBatch, StockColumns
from adapters.base import Finding as RowFinding
from node import stock_wire, wire
from node.app.context import Context
from node.app.documents.identity import identity_of
from node.app.documents.submit import Submission, submit
from node.app.fulfilment import internal, notices
from node.app.fulfilment.customer_orders import capture
from node.app.stock import allocation, inventory, prices, replenishment
from node.app.systems import refusals
from node.config import AdapterSettings
from node.core.document import Document, document_key, header_of
from node.core.document.catalogue import ItemCatalogue
from node.core.document.common import DocumentHeader, PartyRole, PersonalData, Reason
from node.core.document.customer import CustomerOrder
from node.core.document.terms import ApplicationOutcome, ApplicationResponse
from node.core.finding import Finding
from node.core.rows import CursorRow, DocumentRow, HandoverRow, StockRow
from node.errors import AdapterError, RefusedError
from node.ports import Store, Transaction

__all__ = ["STOCK_ROWS_AT_ONCE", "Pulled", "give_up", "part_of", "pull_once", "push_due", "retry", "take"]

PUSHED_AT_ONCE = 100
MISSES_MAX = 3
"""After so many documents in a row that the system could not take now, it is away: the others keep their tries."""

STOCK_ROWS_AT_ONCE = 2_500
"""Rows of our own stock stored in one transaction: an order that comes meanwhile waits for no more than that."""

NO_VERDICT = frozenset(
    {
        *("ApplicationResponse", "InventoryReport", "ItemCatalogue", "Forecast", "TradeTerms"),
        *("ReservationRequest", "ReservationResponse", "ReservationRelease"),
    }
)
"""Types whose posting is not told to the sender: they bind nobody, or are verdicts themselves."""


@dataclass(slots=True)
class Pulled:
    """What a pull brought, and which partners have something to get."""

    began_at: int = 0  # when we began to read: figures that do not say are no younger
    documents: int = 0
    duplicates: int = 0
    refused: int = 0
    stock_lines: int = 0
    findings: list[RowFinding] = field(default_factory=list)
    kept: list[tuple[Change, list[Finding]]] = field(default_factory=list)  # refused in the part at hand
    wake: set[str] = field(default_factory=set)


def pull_once(
    store: Store,
    ctx: Context,
    settings: AdapterSettings,
    adapter: Adapter,
    *,
    retry_all: bool = False,
    told: Callable[[int], None] = lambda _: None,
) -> Pulled:
    """Pull everything new from one system and submit it, and try again what was refused before.

    Only refusals that may pass by themselves, unless `retry_all`. `told` hears, in another thread, how much of it is
    through. Raises AdapterError when the system cannot be read.
    """
    cursor = store.read(lambda tx: tx.settings.cursor(settings.name))
    if cursor is None or not cursor.confirmed:
        raise RefusedError(
            f"adapter {settings.name} has not been started",
            code="not-started",
            hint=f"`hansa adapter start {settings.name}` shows what the first pull would send, and asks.",
        )
    pulled = Pulled(began_at=ctx.now_micros())
    before = store.read(lambda tx: refusals.kept(tx, settings.name))
    if again := [one.change for one in before if retry_all or one.may_pass]:
        first = PullBatch(cursor="", changes=again)
        store.write(partial(take, ctx=ctx, settings=settings, batch=first, pulled=pulled))

    if isinstance(adapter, HearsRefusals):
        adapter.hear_refusals(store.read(lambda tx: refusals.standing(tx, settings.name)))

    def store_batch(batch: PullBatch) -> None:
        for part in _parts(batch):
            store.write(partial(take, ctx=ctx, settings=settings, batch=part, pulled=pulled))
            told(pulled.documents + pulled.duplicates + pulled.refused + pulled.stock_lines)

    # A batch is stored while the adapter, which stays in its own thread, makes the next: never more than one ahead.
    with ThreadPoolExecutor(1, thread_name_prefix="hansa-pull") as storing:
        stored: Future[None] | None = None
        for batch in adapter.pull(cursor.cursor or None):
            if stored is not None:
                stored.result()
            stored = storing.submit(store_batch, batch)
        if stored is not None:
            stored.result()
    return pulled


def _parts(batch: PullBatch) -> Iterator[PullBatch]:
    """A batch is bounded already; its stock chunks go in transactions of their own, the cursor with the last."""
    for chunk in batch.stock:
        for first in range(0, len(chunk), STOCK_ROWS_AT_ONCE):
            yield PullBatch(cursor="", stock=[part_of(chunk, first, first + STOCK_ROWS_AT_ONCE)])
    yield PullBatch(cursor=batch.cursor, changes=batch.changes, findings=batch.findings)


def part_of(chunk: StockColumns, first: int, end: int) -> StockColumns:
    """The lines from `first` to before `end`."""
    if first == 0 and end >= len(chunk):
        return chunk
    return replace(
        chunk,
        columns={name: column[first:end] for name, column in chunk.columns.items()},
        keys=chunk.keys[first:end],
        rows=chunk.rows[first:end],
    )


def take(tx: Transaction, *, ctx: Context, settings: AdapterSettings, batch: PullBatch, pulled: Pulled) -> None:
    """Submit one part of what a system gave, in the caller's transaction; what is wrong becomes findings."""
    pulled.findings += batch.findings
    pulled.kept = []
    by_partner: dict[str, list[tuple[Change, Submission]]] = {}
    for change in batch.changes:
        if change.document_type == "InventoryReport":
            _take_report(tx, ctx, change, pulled)
            continue
        if change.document_type == "CustomerOrder":
            _take_customer_order(tx, ctx, change, pulled)
            continue
        for partner_id, submission in _routed(tx, ctx, change, pulled):
            by_partner.setdefault(partner_id, []).append((change, submission))
    for partner_id, given in by_partner.items():
        _submit(tx, ctx, partner_id, given, pulled)
    for columns in batch.stock:
        _take_stock(tx, ctx, settings.name, columns, pulled)
    if lost := refusals.keep(tx, settings.name, batch.changes, pulled.kept, ctx.now_micros()):
        _stop_where_full(pulled)
        ctx.log.error("%d refused documents of %s are kept no longer: too many", lost, settings.name)
    if batch.cursor:
        tx.settings.put_cursor(CursorRow(settings.name, batch.cursor, 1, ctx.now_micros()))
        _remember_findings(tx, settings.name, pulled.findings)


def _stop_where_full(pulled: Pulled) -> None:
    """Raise RefusedError rather than lose what only waits for room: the cursor stays, and the next pull tries again."""
    for _, findings in pulled.kept:
        if findings and findings[0].rule == "too-many-waiting":
            hint = "It goes on when the partner has taken some, or when limits.waiting_documents is raised."
            raise RefusedError(f"nothing more is pulled: {findings[0].text}", code="too-many-waiting", hint=hint)


def _routed(tx: Transaction, ctx: Context, change: Change, pulled: Pulled) -> list[tuple[str, Submission]]:
    """A pulled document through the gate, with the partners that it goes to; or findings."""
    fields = dict(change.fields)
    personal_fields = fields.pop("personal", None)
    try:
        document = wire.from_fields(change.document_type, fields)
        personal = wire.personal_of(personal_fields) if personal_fields else None
        targets = _targets(tx, change, document)
    except wire.InvalidFieldsError as error:
        _refuse(pulled, change, error.findings)
        return []
    except RefusedError as error:
        _refuse(pulled, change, [Finding(error.code, "", error.message)])
        return []
    if isinstance(document, ItemCatalogue) and not targets:
        inventory.put_catalogue_aliases(tx, "", document)
        prices.take_catalogues(tx, ctx, "", [document])
        pulled.documents += 1
    return [(target, Submission(document, personal)) for target in targets]


def _take_customer_order(tx: Transaction, ctx: Context, change: Change, pulled: Pulled) -> None:
    """A customer order through the gate; what is wrong becomes findings, and stays to be tried again."""
    fields = dict(change.fields)
    personal_fields = fields.pop("personal", None)
    try:
        order = wire.from_fields(change.document_type, fields)
        personal = wire.personal_of(personal_fields) if personal_fields else None
    except wire.InvalidFieldsError as error:
        _refuse(pulled, change, error.findings)
        return
    assert isinstance(order, CustomerOrder)
    captured = capture(tx, ctx, order, personal)
    if captured.state == "refused":
        _refuse(pulled, change, captured.findings)
        return
    pulled.documents += captured.state == "captured"
    pulled.duplicates += captured.state == "duplicate"
    pulled.findings += [
        RowFinding(rule=one.rule, path=one.path, text=one.text, source=change.origin, row=change.key)
        for one in captured.findings
    ]


def _targets(tx: Transaction, change: Change, document: Document) -> list[str]:
    """Whom a document goes to: the partner that the mapping names, else the other party that the document names."""
    if change.partner == "*":
        return [row.partner_id for row in tx.partners.all() if row.state == "confirmed"]
    if change.partner:
        return [_known_partner(tx, change.partner)]
    if isinstance(document, ItemCatalogue):
        return []
    if own := internal.concerns_own(tx, document):
        return [own]
    known = {row.partner_id for row in tx.partners.all()}
    named = [
        party.id
        for party in header_of(document).parties
        if party.id in known and party.role in (PartyRole.SELLER, PartyRole.BUYER, PartyRole.MANUFACTURER)
    ]
    order = getattr(document, "order", None)
    if not named and order is not None and order.issuer in known:
        named = [order.issuer]
    if not named and len(known) == 1:
        named = list(known)
    if len(set(named)) != 1:
        text = "which partner this goes to is not clear: name it in the mapping (`partner`) or as a party"
        raise RefusedError(text, code="no-partner")
    return named[:1]


def _known_partner(tx: Transaction, name: str) -> str:
    """A partner by id or by name. Raises RefusedError ``unknown-partner``."""
    for row in tx.partners.all():
        if name in (row.partner_id, row.name):
            return row.partner_id
    raise RefusedError(f"{name!r} is no partner of ours", code="unknown-partner")


def _submit(
    tx: Transaction, ctx: Context, partner_id: str, given: Sequence[tuple[Change, Submission]], pulled: Pulled
) -> None:
    try:
        results = submit(tx, ctx, partner_id, [submission for _, submission in given])
    except RefusedError as error:
        for change, _ in given:
            _refuse(pulled, change, [Finding(error.code, "", error.message)])
        return
    for (change, _), result in zip(given, results, strict=True):
        if result.state == "refused":
            _refuse(pulled, change, result.findings)
        elif result.state == "duplicate":
            pulled.duplicates += 1
        else:
            pulled.documents += 1
            pulled.wake.add(partner_id)


def _refuse(pulled: Pulled, change: Change, findings: Sequence[Finding]) -> None:
    pulled.refused += 1
    pulled.kept.append((change, list(findings)))
    pulled.findings += [
        RowFinding(rule=one.rule, path=one.path, text=one.text, source=change.origin, row=change.key)
        for one in findings
    ]


def _remember_findings(tx: Transaction, name: str, findings: Sequence[RowFinding]) -> None:
    """The newest findings stay visible until the next pull that has any."""
    if findings:
        tx.settings.put(f"findings {name}", json.dumps([str(one) for one in findings[-200:]]))


# --- stock ---


def _take_stock(tx: Transaction, ctx: Context, name: str, columns: StockColumns, pulled: Pulled) -> None:
    """Our own figures, column by column; a line that is wrong becomes a finding and stops no other."""
    own = tx.partners.own().partner_id
    rows, faults = stock_wire.own_rows(columns.columns, len(columns), own, _as_of(ctx, columns, pulled))
    pulled.findings += [
        RowFinding(rule=rule, path="lines[]", text=text, source=columns.origin, row=columns.rows[place])
        for place, rule, text in faults
    ]
    file, now = columns.origin.rpartition(" rows ")[0] or columns.origin, ctx.now_micros()
    wrong = [
        refusals.RefusedLine(columns.keys[place], f"{file} row {columns.rows[place]}", rule, text, now)
        for place, rule, text in faults
    ]
    if lost := refusals.keep_lines(tx, name, columns.keys, wrong):
        ctx.log.error("the reasons of %d refused stock lines of %s are kept no longer: too many", lost, name)
    _put_stock(tx, ctx, rows, str(columns.header.get("basis", "")), pulled)


def _take_report(tx: Transaction, ctx: Context, change: Change, pulled: Pulled) -> None:
    """Our own figures as a whole report, from a system that gives documents instead of columns."""
    try:
        report = wire.from_fields(change.document_type, change.fields)
        own = tx.partners.own().partner_id
        read = stock_wire.read_report(wire.encode(report), own, own)
    except wire.InvalidFieldsError as error:
        _refuse(pulled, change, error.findings)
        return
    if read.findings:
        _refuse(pulled, change, read.findings)
    given = {row.as_of for row in read.rows if row.as_of}
    now = pulled.began_at or ctx.now_micros()
    rows = [row._replace(partner_id="", as_of=row.as_of if given else now) for row in read.rows]
    _put_stock(tx, ctx, rows, read.report.basis.value, pulled)


def _put_stock(tx: Transaction, ctx: Context, rows: list[StockRow], basis: str, pulled: Pulled) -> None:
    pulled.stock_lines += len(rows)
    pulled.wake |= {row.partner_id for row in tx.partners.all() if row.state == "confirmed"}
    before = replenishment.awaited(tx, [row.item_key for row in rows]) if ctx.settings.replenishment.rules else []
    changed = inventory.put_own(tx, ctx, rows, basis)
    if ctx.settings.replenishment.rules:
        replenishment.arrived(tx, before)
        pulled.wake |= replenishment.check_items(tx, ctx, {key: [] for key in changed})
    notices.supply_changed(tx, ctx, changed)


def _as_of(ctx: Context, columns: StockColumns, pulled: Pulled) -> int:
    text = columns.header.get("as_of")
    if not text:
        return pulled.began_at or ctx.now_micros()
    header = wire.from_fields("InventoryReport", {"as_of": text})
    return wire.micros(header.as_of)  # type: ignore[union-attr, arg-type]


# --- hand-over ---


def push_due(store: Store, ctx: Context, settings: AdapterSettings, adapter: Adapter) -> int:
    """Push what waits for this system, in the order in which it came; returns how many documents were posted.

    What the system cannot take now is tried again later, with growing pauses; what it can never take waits for a human.
    Nothing overtakes an earlier document of the same business object, such as a change the order that it changes.
    """
    types = sorted(adapter.accepts() & set(settings.documents)) if settings.documents else sorted(adapter.accepts())
    posted = after = misses = 0
    behind = _not_yet(store, ctx)
    while True:
        read = partial(_due, now=ctx.now_micros(), types=types, usage=settings.usage.upper(), after=after)
        due = store.read(read)
        if not due:
            return posted
        for handover, row in due:
            after = row.document_id
            place = (row.partner_id, row.object_key)
            if behind.get(place, after) < after:
                continue
            state = _push(store, ctx, adapter, handover, row)
            if state == "posted":
                posted, misses = posted + 1, 0
                continue
            behind[place] = after
            misses += state == "waiting"
            if misses == MISSES_MAX:
                return posted


def _not_yet(store: Store, ctx: Context) -> dict[tuple[str, str], int]:
    """The first document of each business object that is not posted and not due: what follows on it waits."""
    first: dict[tuple[str, str], int] = {}
    for partner_id, object_key, document_id in store.read(lambda tx: tx.handovers.not_yet(ctx.now_micros())):
        place = (partner_id, object_key)
        first[place] = min(document_id, first.get(place, document_id))
    return first


def _due(
    tx: Transaction, *, now: int, types: Sequence[str], usage: str, after: int
) -> list[tuple[HandoverRow, DocumentRow]]:
    rows = tx.handovers.due(now, types, usage, after, PUSHED_AT_ONCE)
    return [(handover, row) for handover in rows if (row := tx.documents.get(handover.document_id)) is not None]


def _push(store: Store, ctx: Context, adapter: Adapter, handover: HandoverRow, row: DocumentRow) -> str:
    """Hand one document over; returns the state that this leaves it in."""
    text, permanent = "", False
    try:
        document = wire.decode_document(row.type, row.body or b"")
        identity = "|".join(map(str, (row.partner_id, *identity_of(document))))
        reference = adapter.push(row.type, fields_for_erp(document, row), identity)
    except AdapterError as error:
        text, permanent = error.message or "the adapter gave no reason", error.permanent
    except Exception as error:
        # A fault of the adapter's, which must stop this document only.
        ctx.log.exception("the adapter failed on %s %s", row.type, row.doc_number, extra={"partner": row.partner_id})
        text = f"the adapter failed: {type(error).__name__}: {error}"
    if text:
        state = store.write(lambda tx: _failed(tx, ctx, handover, text, permanent))
        ctx.log.warning(
            "%s %s could not be handed over: %s", row.type, row.doc_number, text, extra={"partner": row.partner_id}
        )
        return state
    store.write(lambda tx: _posted(tx, ctx, handover, row, document, reference))
    return "posted"


def fields_for_erp(document: Document, row: DocumentRow) -> dict[str, Any]:
    """A document as an adapter gets it: its fields, who sent it, and the personal data beside it."""
    fields = wire.to_fields(document)
    fields["partner"] = row.partner_id
    if row.personal:
        fields["personal"] = wire.to_fields(wire.decode(PersonalData, row.personal))
    return fields


def _posted(
    tx: Transaction, ctx: Context, handover: HandoverRow, row: DocumentRow, document: Document, reference: str
) -> None:
    now = ctx.now_micros()
    tx.handovers.put(handover._replace(state="posted", reference=reference, posted_at=now, error=""))
    allocation.posted(tx, ctx, row.partner_id, document)
    _verdict(tx, ctx, row, document, ApplicationOutcome.POSTED, reference, "")


def _failed(tx: Transaction, ctx: Context, handover: HandoverRow, text: str, permanent: bool) -> str:
    """Remember a failed try; returns the state that this leaves the document in."""
    limits = ctx.settings.limits
    attempts = handover.attempts + 1
    pause = min(limits.handover_first_seconds * 2 ** min(attempts - 1, 20), limits.handover_seconds_max)
    given_up = permanent or attempts >= limits.handover_attempts_max
    state = "failed" if given_up else "waiting"
    tx.handovers.put(
        handover._replace(
            state=state,
            attempts=attempts,
            next_at=ctx.now_micros() + pause * 1_000_000,
            error=text[:1000],
        )
    )
    return state


def _verdict(
    tx: Transaction,
    ctx: Context,
    row: DocumentRow,
    document: Document,
    outcome: ApplicationOutcome,
    reference: str,
    reason: str,
) -> None:
    """Tell the sender what became of its document in our system."""
    if row.type in NO_VERDICT or row.direction == "out":
        # Nobody waits for a verdict, or it is an instruction of our own: the process sees what became of it.
        refusal = internal.refusal(row, document, reason) if outcome is ApplicationOutcome.REFUSED else None
        if refusal is not None:
            submit(tx, ctx, row.partner_id, [Submission(refusal)])
        notices.notice_rows(tx, ctx, [row] if row.direction == "out" else [])
        return
    verdict = ApplicationResponse(
        header=DocumentHeader(number=f"V{row.document_id}"),
        document=document_key(document),
        outcome=outcome,
        posted_as=reference,
        reasons=(Reason(code="erp", text=reason),) if reason else (),
    )
    try:
        submit(tx, ctx, row.partner_id, [Submission(verdict)])
    except RefusedError as error:
        ctx.log.warning("no verdict was sent: %s", error.message, extra={"partner": row.partner_id})


def retry(tx: Transaction, ctx: Context, document_id: int) -> HandoverRow:
    """Let a failed hand-over be tried again now. Raises RefusedError."""
    handover = tx.handovers.get(document_id)
    if handover is None or handover.state == "posted":
        raise RefusedError(f"document {document_id} does not wait to be handed over", code="not-waiting")
    again = handover._replace(state="waiting", attempts=0, next_at=ctx.now_micros(), error="")
    tx.handovers.put(again)
    return again


def give_up(tx: Transaction, ctx: Context, document_id: int, reason: str) -> HandoverRow:
    """A human decides that a document does not go into our system: its sender is told, and what follows it goes on.

    Raises RefusedError ``not-waiting``.
    """
    handover, row = tx.handovers.get(document_id), tx.documents.get(document_id)
    if handover is None or row is None or handover.state not in ("waiting", "failed"):
        raise RefusedError(f"document {document_id} does not wait to be handed over", code="not-waiting")
    given_up = handover._replace(state="refused", error=reason[:1000])
    tx.handovers.put(given_up)
    document = wire.decode_document(row.type, row.body or b"")
    _verdict(tx, ctx, row, document, ApplicationOutcome.REFUSED, "", reason)
    return given_up
