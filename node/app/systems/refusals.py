"""What our own systems gave and could not be sent: kept as it came, with the reasons, until it goes or is replaced.

The cursor moves on, so nothing blocks; but a document that an ERP believes sent is not forgotten. Those that may
succeed by themselves (the order is still on its way, the partner is not confirmed yet) are tried again at every pull,
all others when somebody asks (`hansa adapter pull`), or when the ERP exports them anew.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.base import Change
from node.core.finding import Finding
from node.ports import Transaction

__all__ = ["KEPT_MAX", "Kept", "forget", "keep", "kept"]

KEPT_MAX = 1_000
"""Refused documents that are kept for one system; beyond it the oldest go, and the log says so."""

PASSING = frozenset(
    {"unknown-order", "unknown-partner", "no-partner", "not-confirmed", "not-accepted", "too-many-waiting"}
)
"""Reasons that may pass by themselves."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A refused document as the system gave it, since when (microseconds), and why."""

    change: Change
    since: int
    findings: tuple[Finding, ...]

    @property
    def may_pass(self) -> bool:
        """Whether it may succeed without anybody's doing."""
        return bool(self.findings) and self.findings[0].rule in PASSING


def kept(tx: Transaction, adapter: str) -> list[Kept]:
    """What is kept for a system, oldest first."""
    text = tx.settings.get(_name(adapter))
    return [_read(one) for one in json.loads(text)] if text else []


def keep(
    tx: Transaction, adapter: str, tried: Sequence[Change], refused: Sequence[tuple[Change, Sequence[Finding]]], at: int
) -> int:
    """Forget what was tried and went, keep what was refused; returns how many old ones had to go."""
    before = kept(tx, adapter)
    if not before and not refused:
        return 0
    places = {_place(one) for one in tried}
    since = {_place(one.change): one.since for one in before}
    after = [one for one in before if _place(one.change) not in places]
    after += [Kept(change, since.get(_place(change), at), tuple(findings)) for change, findings in refused]
    tx.settings.put(_name(adapter), json.dumps([_written(one) for one in after[-KEPT_MAX:]]))
    return max(0, len(after) - KEPT_MAX)


def forget(tx: Transaction, adapter: str, before: int) -> int:
    """Drop what is kept since before an instant (microseconds): nobody has asked for it; returns how many went."""
    found = kept(tx, adapter)
    left = [one for one in found if one.since >= before]
    if len(left) < len(found):
        tx.settings.put(_name(adapter), json.dumps([_written(one) for one in left]))
    return len(found) - len(left)


def _name(adapter: str) -> str:
    return f"refused {adapter}"


def _place(change: Change) -> tuple[str, str]:
    return change.document_type, change.key


def _written(one: Kept) -> dict[str, Any]:
    change = one.change
    return {
        "type": change.document_type,
        "fields": change.fields,
        "key": change.key,
        "origin": change.origin,
        "partner": change.partner,
        "since": one.since,
        "findings": [[finding.rule, finding.path, finding.text] for finding in one.findings],
    }


def _read(one: dict[str, Any]) -> Kept:
    change = Change(one["type"], one["fields"], one["key"], one["origin"], one["partner"])
    return Kept(change, one["since"], tuple(Finding(*finding) for finding in one["findings"]))
