"""What of our own systems could not be read and lies in quarantine: told to people, deleted when its time is over."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from adapters.base import Adapter, Quarantines
from node.app.context import Context
from node.ports import Store, Transaction
from node.wire import micros

__all__ = ["empty", "kept", "note"]


def note(store: Store, name: str, adapter: Adapter) -> None:
    """Remember how many files wait in the adapter's quarantine, and since when, for those who ask."""
    if not isinstance(adapter, Quarantines):
        return
    found = adapter.quarantined()
    told = json.dumps({"files": found.files, "since": micros(found.since) if found.since else None})
    if told != (store.read(lambda tx: tx.settings.get(_key(name))) or _NOTHING):
        store.write(lambda tx: tx.settings.put(_key(name), told))


def kept(tx: Transaction, name: str) -> dict[str, Any]:
    """What `note` has remembered of an adapter: `files`, and `since` in microseconds or None."""
    return dict(json.loads(tx.settings.get(_key(name)) or _NOTHING))


def empty(ctx: Context, name: str, adapter: Adapter) -> int:
    """Delete what lies in the adapter's quarantine for longer than the settings say, and log it; how many files."""
    days = ctx.settings.retention.quarantine_days
    if not days or not isinstance(adapter, Quarantines):
        return 0
    count = adapter.empty_quarantine(ctx.now() - timedelta(days=days))
    if count:
        ctx.log.warning(
            "deleted %d files that could not be read: they lay in quarantine for more than %d days",
            count,
            days,
            extra={"adapter": name},
        )
    return count


def _key(name: str) -> str:
    return f"quarantine {name}"


_NOTHING = json.dumps({"files": 0, "since": None})
