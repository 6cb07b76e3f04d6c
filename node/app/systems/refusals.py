"""What our own systems gave and could not be sent: kept as it came, with the reasons, until it goes or is replaced.

The cursor moves on, so nothing blocks; but a document that an ERP believes sent is not forgotten. Those that may
succeed by themselves (the order is still on its way, the partner is not confirmed yet) are tried again at every pull,
all others when somebody asks (`hansa adapter pull`), or when the ERP exports them anew. Of a stock line that is
wrong only the reason is kept, until the system tells another figure of it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from adapters.base import Change
from adapters.base import Finding as RowFinding
from node.core.finding import Finding
from node.ports import Transaction

__all__ = ["KEPT_MAX", "Kept", "RefusedLine", "forget", "keep", "keep_lines", "kept", "kept_lines", "standing"]

KEPT_MAX = 1_000
"""Refused documents, and reasons of stock lines, that are kept for one system; beyond it the oldest go, and the log
says so."""

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


class RefusedLine(NamedTuple):
    """Why a stock line does not count, where it stands in the source (``stock.csv row 7``), and since when."""

    key: str
    source: str
    rule: str
    text: str
    since: int


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


def kept_lines(tx: Transaction, adapter: str) -> list[RefusedLine]:
    """The stock lines of a system that do not count, oldest first."""
    text = tx.settings.get(_lines_name(adapter))
    return [RefusedLine(*one) for one in json.loads(text)] if text else []


def keep_lines(tx: Transaction, adapter: str, tried: Sequence[str], refused: Sequence[RefusedLine]) -> int:
    """Forget lines of these keys that were wrong, keep those that are; returns how many old ones had to go."""
    before = kept_lines(tx, adapter)
    if not before and not refused:
        return 0
    keys = set(tried)
    after = [*(one for one in before if one.key not in keys), *refused]
    if after != before:
        tx.settings.put(_lines_name(adapter), json.dumps(after[-KEPT_MAX:]))
    return max(0, len(after) - KEPT_MAX)


def forget(tx: Transaction, adapter: str, before: int) -> int:
    """Drop what is kept since before an instant (microseconds): nobody has asked for it; returns how many went."""
    lines = kept_lines(tx, adapter)
    young = [one for one in lines if one.since >= before]
    if len(young) < len(lines):
        tx.settings.put(_lines_name(adapter), json.dumps(young))
    found = kept(tx, adapter)
    left = [one for one in found if one.since >= before]
    if len(left) < len(found):
        tx.settings.put(_name(adapter), json.dumps([_written(one) for one in left]))
    return len(found) - len(left) + len(lines) - len(young)


def _name(adapter: str) -> str:
    return f"refused {adapter}"


def standing(tx: Transaction, name: str) -> list[RowFinding]:
    """What is kept for a system and could not be sent, for the adapter that shows it there."""
    lines = [RowFinding(one.rule, "lines[]", one.text, one.source, one.key) for one in kept_lines(tx, name)]
    return lines + [
        RowFinding(found.rule, found.path, found.text, one.change.origin, one.change.key, warning=one.may_pass)
        for one in kept(tx, name)
        for found in one.findings
    ]


def _lines_name(adapter: str) -> str:
    return f"refused lines {adapter}"


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
