"""Operations on adapters: what they would send, and the yes that lets them."""

from __future__ import annotations

import json
from datetime import date
from functools import partial
from typing import Any

from adapters.base import Change, Finding, StockColumns
from adapters.base import preview as preview_of
from node.app.operations.node import moment
from node.app.operations.registry import Host, Report, operation
from node.app.systems import erp, loading, quarantine, refusals
from node.app.systems.rehearsal import rehearse
from node.core.rows import CursorRow
from node.errors import RefusedError
from node.ports import Transaction

__all__: list[str] = []

LIMIT_MAX = 1_000
STOCK_ROWS_SHOWN = 5


@operation("adapter.list")
def adapter_list(host: Host) -> dict[str, Any]:
    """The adapters of the settings, and where they stand."""
    told = []
    names = [one.name for one in host.ctx.settings.adapters]
    cursors = host.store.read(lambda tx: [tx.settings.cursor(name) for name in names])
    findings = host.store.read(lambda tx: [tx.settings.get(f"findings {name}") for name in names])
    refused = host.store.read(lambda tx: [refusals.kept(tx, name) for name in names])
    unread = host.store.read(lambda tx: [quarantine.kept(tx, name) for name in names])
    rows = zip(host.ctx.settings.adapters, cursors, findings, refused, unread, strict=True)
    for one, cursor, found, waiting, aside in rows:
        told.append(
            {
                "name": one.name,
                "kind": one.kind,
                "every_seconds": one.every_seconds,
                "documents": list(one.documents),
                "started": cursor is not None and bool(cursor.confirmed),
                "pulled_at": moment(cursor.at) if cursor and cursor.cursor else "",
                "findings": json.loads(found) if found else [],
                "refused": [_refused(kept) for kept in waiting],
                "quarantine": {"files": aside["files"], "since": moment(aside["since"])},
            }
        )
    return {
        "adapters": told,
        "quarantine_days": host.ctx.settings.retention.quarantine_days,
        "installed": loading.kinds(),
    }


def _refused(kept: refusals.Kept) -> dict[str, Any]:
    return {
        "type": kept.change.document_type,
        "key": kept.change.key,
        "origin": kept.change.origin,
        "since": moment(kept.since),
        "tried_again": kept.may_pass,
        "reasons": [f"{one.path}: {one.text}" if one.path else one.text for one in kept.findings],
    }


@operation("adapter.check")
def adapter_check(host: Host, *, name: str) -> dict[str, Any]:
    """Try settings, connection and mapping, changing nothing."""
    with host.adapter(name) as adapter:
        findings = adapter.check()
        takes = sorted(adapter.accepts())
    faults = [one for one in findings if not one.warning]
    return {"name": name, "good": not faults, "takes": takes, "findings": [_finding(one) for one in findings]}


@operation("adapter.preview")
def adapter_preview(host: Host, *, name: str, limit: int = 20, start_from: date | None = None) -> dict[str, Any]:
    """What a pull would send and what would be refused, sending nothing; at most `limit` documents and stock chunks."""
    if not 0 < limit <= LIMIT_MAX:
        raise RefusedError(f"limit: 1 to {LIMIT_MAX}", code="bad-argument")
    changes: list[Change] = []
    stock: list[StockColumns] = []
    findings: list[Finding] = []
    with host.adapter(name, start_from.isoformat() if start_from else "") as adapter:
        # One more than is shown tells whether there is more.
        for found in preview_of(adapter, limit + 1):
            if isinstance(found, Finding):
                findings.append(found)
            elif isinstance(found, Change):
                changes.append(found)
            else:
                stock.append(found)
    more = len(changes) + len(stock) > limit
    changes, stock = changes[:limit], stock[:limit]
    findings += rehearse(host.store, host.ctx, host.ctx.settings.adapter(name), changes, stock)
    return {
        "name": name,
        "documents": [_change(one) for one in changes],
        "stock": [_stock(one) for one in stock],
        "findings": [_finding(one) for one in findings],
        "more": more,
    }


def _finding(one: Finding) -> dict[str, Any]:
    return {
        "rule": one.rule,
        "source": one.source,
        "row": one.row,
        "column": one.column,
        "path": one.path,
        "text": one.text,
        "warning": one.warning,
    }


def _change(one: Change) -> dict[str, Any]:
    return {
        "type": one.document_type,
        "key": one.key,
        "origin": one.origin,
        "partner": one.partner,
        "fields": one.fields,
    }


def _stock(one: StockColumns) -> dict[str, Any]:
    rows = [
        {path: column[index] for path, column in one.columns.items() if column[index] is not None}
        for index in range(min(len(one), STOCK_ROWS_SHOWN))
    ]
    return {"origin": one.origin, "partner": one.partner, "lines": len(one), "first": rows, "header": one.header}


@operation("adapter.start")
def adapter_start(host: Host, *, name: str, start_from: date | None = None) -> dict[str, Any]:
    """Let an adapter send from now on. Whoever calls has seen what the first pull would send."""
    host.ctx.settings.adapter(name)

    def use_case(tx: Transaction) -> None:
        known = tx.settings.cursor(name)
        if known is not None and known.confirmed:
            raise RefusedError(f"adapter {name} is started already", code="started", hint=f"hansa adapter pull {name}")
        if start_from:
            tx.settings.put(loading.start_setting(name), start_from.isoformat())
        tx.settings.put_cursor(CursorRow(name, "", 1, host.ctx.now_micros()))

    host.store.write(use_case)
    if host.live is not None:
        host.live.reload()
    return {"name": name, "started": True}


@operation("adapter.pull")
def adapter_pull(host: Host, *, name: str, report: Report) -> dict[str, Any]:
    """Take what is new now, try again what was refused, and hand over what waits for this system."""
    settings = host.ctx.settings.adapter(name)
    with host.adapter(name) as adapter:
        report(f"reading {name}")
        told = partial(report, f"reading {name}")
        pulled = erp.pull_once(host.store, host.ctx, settings, adapter, retry_all=True, told=told)
        quarantine.note(host.store, name, adapter)
        report("handing over")
        pushed = erp.push_due(host.store, host.ctx, settings, adapter)
    if host.live is not None:
        host.live.wake(sorted(pulled.wake))
    return {
        "name": name,
        "documents": pulled.documents,
        "duplicates": pulled.duplicates,
        "refused": pulled.refused,
        "stock_lines": pulled.stock_lines,
        "handed_over": pushed,
        "findings": [_finding(one) for one in pulled.findings],
    }
