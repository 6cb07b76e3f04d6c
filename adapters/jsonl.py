"""JSON lines: each line of a file is one document as a field dict, read and written as it is, without a mapping."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from adapters import quarantine
from adapters.base import Change, Fields, Finding, Quarantined, StockColumns, Targets
from adapters.building import Group, StagedRow, StagedStock
from adapters.cells import Cell, as_text
from adapters.conversion import Chain, ConvertError
from adapters.converters_time import as_kind
from adapters.inbox import Inbox, Picked
from adapters.outbox import Outbox
from adapters.pulling import Feed
from adapters.staged import StagedAdapter, View, setting
from adapters.staging import Source
from adapters.tables import Chunk, Table, TableError
from node.errors import AdapterError

__all__ = ["JsonLinesAdapter"]

_BLOCK_LINES = 1_000
_BYTES_MAX = 512 * 1024 * 1024
_LINE_MAX = 16 * 1024 * 1024
_DEPTH_MAX = 30
_IDENTITY = ("issuer", "unit", "number", "series", "revision")


class JsonLinesAdapter(StagedAdapter):
    """A folder with ``in``, ``out``, ``processed``, ``rejected`` and ``quarantine``, for files ``*.jsonl``.

    A line is ``{"document": "Order", "fields": {...}, "partner": "0088:..."}``; partner may be left out. Settings:
    ``folder``, ``ready``, ``settle_seconds`` and ``staging`` as of the files adapter, ``documents``, the types that it
    writes.
    """

    known_settings: ClassVar[Mapping[str, Any]] = {
        "folder": str, "ready": str, "settle_seconds": int, "documents": list,
    }  # fmt: skip

    def __init__(self, settings: Mapping[str, Any], home: Path, targets: Targets) -> None:
        super().__init__(settings, home, targets)
        self.folder = home / setting(settings, "folder", "JsonLinesAdapter")
        self._documents = frozenset(str(name) for name in self.settings.get("documents", ()))
        self._made_inbox: Inbox | None = None

    @property
    def _inbox(self) -> Inbox:
        if self._made_inbox is None:
            self._made_inbox = Inbox(
                self.folder,
                self.staging,
                ready=self.settings.get("ready", "unchanged"),
                settle_seconds=self.settings.get("settle_seconds", 0),
                clock=self.clock,
            )
            self._made_inbox.make_folders()
        return self._made_inbox

    def close(self) -> None:
        """Close the staging database."""
        self._made_inbox = None
        super().close()

    def _feeds(self) -> list[Feed]:
        return [_LinesFeed(self.targets)]

    def forget(self, before: datetime) -> int:
        """As `Adapter.forget`; also the files that were put away before."""
        return super().forget(before) + self._inbox.forget(before)

    def quarantined(self) -> Quarantined:
        """As `Quarantines.quarantined`: files that are no tables, or beyond a limit."""
        return quarantine.look(self._inbox.folder)

    def empty_quarantine(self, before: datetime) -> int:
        """As `Quarantines.empty_quarantine`; the findings beside a file go with it."""
        return quarantine.empty(self._inbox.folder, before)

    def _put_away(self, after: int) -> None:
        self._inbox.put_away(after, self.refused)

    def _take_in(self, view: View) -> None:
        inbox = self._inbox.with_staging(view.staging)
        staging, source = view.staging, view.feeds[0].source
        for item in inbox.complete_files(["*.jsonl", "*.ndjson"], preview=view.preview):
            try:
                with staging.transaction():
                    first = staging.last
                    table = Table(("document_key", "body"), _lines(item), item.path.name)
                    done = staging.stage(source, table, complete=False, retry_rejected=True)
                    inbox.staged(item, first, done.last)
            except TableError as error:
                inbox.unreadable(item, str(error))

    def accepts(self) -> frozenset[str]:
        """The document types that the setting ``documents`` names."""
        return self._documents

    def push(self, document_type: str, fields: Fields, identity: str) -> str:
        """Write a file of one line into ``out``; its name is the reference. Raises AdapterError."""
        if document_type not in self._documents:
            raise AdapterError(f"{document_type} is not written here", permanent=True, hint="Add it to `documents`.")
        line = {"document": document_type, "identity": identity, "fields": fields}
        label = f"{document_type}_{fields.get('header', {}).get('number', '')}"

        def content() -> bytes:
            return (json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n").encode()

        return Outbox(self.folder / "out", self.staging).write(identity, label, ".jsonl", content)


def _lines(item: Picked) -> Iterator[Chunk]:
    """The lines as rows of business key and text; one that is no document is at fault, under a key of its own."""
    if item.size > _BYTES_MAX:
        raise TableError(f"the file has {item.size} bytes, at most {_BYTES_MAX} are allowed")
    numbers: list[int] = []
    rows: list[tuple[Cell, Cell]] = []
    faults: dict[int, str] = {}
    try:
        with item.path.open("rb") as stream:
            number = 0
            while raw := stream.readline(_LINE_MAX + 1):
                number += 1
                if len(raw) > _LINE_MAX:
                    raise TableError(f"line {number} has more than {_LINE_MAX} bytes")
                if not raw.strip():
                    continue
                if len(rows) == _BLOCK_LINES:
                    yield Chunk(numbers, rows, faults)
                    numbers, rows, faults = [], [], {}
                key, text, fault = _line(raw, f"{item.path.name} line {number}")
                if fault:
                    faults[len(rows)] = fault
                rows.append((key, text))
                numbers.append(number)
    except OSError as error:
        raise TableError(f"cannot be read: {error.strerror or error}") from error
    if rows:
        yield Chunk(numbers, rows, faults)


def _line(raw: bytes, where: str) -> tuple[str, str, str]:
    """Business key, text and fault of one line."""
    text = raw.decode("utf-8-sig", errors="replace").strip()
    try:
        data = json.loads(raw.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        return where, text, "the line is not UTF-8"
    except (ValueError, RecursionError) as error:
        return where, text, f"the line is not JSON: {error}"
    fields = data.get("fields") if isinstance(data, dict) else None
    if not isinstance(fields, dict) or not isinstance(data.get("document"), str):
        return where, text, 'the line is not {"document": "...", "fields": {...}}'
    header = fields.get("header")
    header = header if isinstance(header, dict) else {}
    parts = [data["document"], *(str(header.get(name, "")) for name in _IDENTITY)]
    return ("|".join(parts) if header.get("number") else where), text, ""


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is not a number that documents know")


class _LinesFeed:
    """Each staged line is a document already; its fields are compared with the schema."""

    source = Source("documents", ("document_key",), ("document_key", "body"), by_row=False)
    is_stock = False

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self._kinds: dict[str, dict[str, Chain]] = {}

    def fingerprint(self) -> str:
        """The lines say everything themselves."""
        return ""

    def documents(self, groups: Sequence[Group]) -> Iterator[tuple[Group, Change | None, list[Finding]]]:
        """As `Feed` says; where a document stands twice in a file, the last line counts."""
        for group in groups:
            row = group.rows[-1]
            if row.fault:
                yield group, None, [Finding("bad-line", "", row.fault, source=row.source, row=row.number)]
                continue
            data = json.loads(as_text(row.cells[1]))
            findings = list(self._compared(data["document"], data["fields"], row))
            if findings:
                yield group, None, findings
                continue
            partner = data.get("partner")
            to = partner if isinstance(partner, str) else None
            yield group, Change(data["document"], data["fields"], group.key, group.origin, to), []

    def stock(self, rows: StagedStock, header: Fields) -> tuple[list[StockColumns], list[tuple[int, Finding]]]:
        """Lines are documents, stock reports too."""
        raise AssertionError("lines are no stock rows")

    def _compared(self, document: str, fields: Fields, row: StagedRow) -> Iterator[Finding]:
        """A finding for each leaf that the schema does not have, or whose value it does not take."""
        if document not in self._kinds:
            kinds = self._targets.fields(document)
            steps = {path: as_kind(kind, path) for path, kind in kinds}
            self._kinds[document] = {path: Chain([step] if step else []) for path, step in steps.items()}
        chains = self._kinds[document]
        if not chains:
            text = f"there is no document type {document!r}"
            yield Finding("unknown-type", "", text, source=row.source, row=row.number, column="document")
            return
        for shown, path, value in _leaves(fields, "", ""):
            chain = chains.get(path)
            text, rule = "", "bad-value"
            if chain is None:
                text, rule = f"{document} has no such field", "unknown-field"
            elif not isinstance(value, str | int):
                text = f"{json.dumps(value)} is not a text, a whole number or a boolean; decimals are texts"
            else:
                try:
                    chain.one(("true" if value else "false") if isinstance(value, bool) else value)
                except ConvertError as error:
                    text, rule = str(error), error.rule
            if text:
                yield Finding(rule, shown, text, source=row.source, row=row.number, column=f"fields.{shown}")


def _leaves(value: Any, shown: str, path: str, depth: int = 0) -> Iterator[tuple[str, str, Any]]:
    """Every leaf with its path as it is, and as `Targets` names it; below `_DEPTH_MAX` nothing is a field any more."""
    if isinstance(value, dict) and depth < _DEPTH_MAX:
        for name, item in value.items():
            yield from _leaves(item, f"{shown}.{name}".lstrip("."), f"{path}.{name}".lstrip("."), depth + 1)
    elif isinstance(value, list) and depth < _DEPTH_MAX:
        for place, item in enumerate(value):
            yield from _leaves(item, f"{shown}[{place}]", f"{path}[]", depth + 1)
    else:
        yield shown, path, value
