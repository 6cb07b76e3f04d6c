"""What is staged, offered as documents: batches in the order of their numbers, with findings and cursor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Protocol

from adapters.base import (
    BATCH_CHANGES_MAX,
    CHUNK_ROWS_MAX,
    Change,
    Fields,
    Finding,
    PullBatch,
    StockColumns,
    Targets,
    next_cursor,
)
from adapters.building import DocumentBuilder, Group, StagedStock, StockBuilder
from adapters.lookups import Lookups
from adapters.mapping import PullMapping
from adapters.staging import Source, Staging
from node.errors import AdapterError

__all__ = ["Feed", "ListFeed", "MappedFeed", "Puller", "cursor_number"]

_END = 1 << 62


class Feed(Protocol):
    """One staged source and how its rows become documents."""

    @property
    def source(self) -> Source:
        """What is staged, and by which key."""
        ...

    @property
    def is_stock(self) -> bool:
        """Whether `stock` makes its columns, rather than `documents` its documents."""
        ...

    def fingerprint(self) -> str:
        """A text that changes when rejected rows deserve another try."""
        ...

    def documents(self, groups: Sequence[Group]) -> Iterator[tuple[Group, Change | None, list[Finding]]]:
        """For each group its document, or None with the findings."""
        ...

    def stock(self, rows: StagedStock, header: Fields) -> tuple[list[StockColumns], list[tuple[int, Finding]]]:
        """The rows as columns, and findings with the place of their row."""
        ...


class MappedFeed:
    """A source with a mapping."""

    def __init__(self, mapping: PullMapping, lookups: Lookups, targets: Targets, start_from: str) -> None:
        self.mapping = mapping
        self._lookups = lookups
        self.is_stock = mapping.is_stock
        self.source = Source(
            mapping.name,
            mapping.key,
            mapping.columns,
            mapping.is_stock,
            absent_is_zero=mapping.absent_is_zero,
            absent_max=mapping.absent_max,
            lots=len(mapping.lots),
            line=mapping.line,
        )
        self._documents = None if mapping.is_stock else DocumentBuilder(mapping, targets, start_from)
        self._stock = StockBuilder(mapping, targets) if mapping.is_stock else None

    def fingerprint(self) -> str:
        """Changes with the mapping and with what its lookup tables hold."""
        return f"{self.mapping.fingerprint} {self._lookups.fingerprint()}"

    def documents(self, groups: Sequence[Group]) -> Iterator[tuple[Group, Change | None, list[Finding]]]:
        """As `Feed` says."""
        if self._documents is None:
            raise AssertionError("stock has no documents")
        return self._documents.build(groups)

    def stock(self, rows: StagedStock, header: Fields) -> tuple[list[StockColumns], list[tuple[int, Finding]]]:
        """As `Feed` says."""
        if self._stock is None:
            raise AssertionError("documents are no stock")
        return self._stock.build(rows, header)


class ListFeed(MappedFeed):
    """A table that is staged for look-ups and queries only: one row for each key, and no documents."""

    def __init__(self, mapping: PullMapping) -> None:
        self.mapping = mapping
        self.is_stock = False
        self.source = Source(mapping.name, mapping.key, (), by_row=True)

    def fingerprint(self) -> str:
        """Never asked for another try."""
        return ""


def cursor_number(cursor: str | None) -> int:
    """The number in a cursor of `next_cursor`; raises AdapterError when it is none."""
    if not cursor:
        return 0
    if not (cursor.isascii() and cursor.isdigit()):
        raise AdapterError(
            f"{cursor!r} is not a cursor of this adapter", permanent=True, hint="Pull from the beginning."
        )
    return int(cursor)


class Puller:
    """Offers what is staged beyond a cursor."""

    def __init__(self, staging: Staging, feeds: Sequence[Feed]) -> None:
        self._staging = staging
        self._feeds = feeds

    def retry_what_changed(self) -> None:
        """Offer rejected rows again when their mapping or its lookup tables differ from the last time."""
        for feed in self._feeds:
            name, now = f"mapping:{feed.source.name}", feed.fingerprint()
            if self._staging.get(name) != now:
                self._staging.retry(feed.source)
                self._staging.put(name, now)

    def note_as_of(self, feed: Feed, at: datetime | None) -> None:
        """Remember as of when a stock extract speaks."""
        if feed.is_stock and at is not None:
            text = at.isoformat(timespec="microseconds").replace("+00:00", "Z")
            self._staging.put(f"as_of:{feed.source.name}", text)

    def offer(self, after: int) -> Iterator[PullBatch]:
        """Batches beyond the number `after`, in their order; findings are kept beside their numbers."""
        while True:
            heads: list[tuple[int, Feed | None]] = []
            for feed in self._feeds:
                head = None if isinstance(feed, ListFeed) else self._staging.head(feed.source, after)
                if head is not None:
                    heads.append((head, feed))
            number = self._staging.findings_head(after)
            if number is not None:
                heads.append((number, None))
            if not heads:
                return
            heads.sort(key=lambda pair: pair[0])
            first, nearest = heads[0]
            before = heads[1][0] if len(heads) > 1 else _END
            if nearest is None:
                findings = self._staging.findings("seq = :seq AND staged", {"seq": first})
                batch, after = PullBatch(next_cursor(first), findings=findings), first
            elif nearest.is_stock:
                batch, after = self._stock_batch(nearest, after, before)
            else:
                batch, after = self._document_batch(nearest, after, before)
            yield batch

    def _document_batch(self, feed: Feed, after: int, before: int) -> tuple[PullBatch, int]:
        numbered = self._staging.changed_groups(feed.source, after, before, BATCH_CHANGES_MAX)
        changes: list[Change] = []
        findings: list[Finding] = []
        bad: list[str] = []
        with self._staging.transaction():
            made = feed.documents([group for _, group in numbered])
            for (number, _), (group, change, remarks) in zip(numbered, made, strict=True):
                self._staging.add_findings(number, remarks)
                findings += remarks
                if change is not None:
                    changes.append(change)
                if any(not remark.warning for remark in remarks):
                    bad.append(group.key)
            self._settle(feed, [group.key for _, group in numbered], bad)
        last = numbered[-1][0]
        return PullBatch(next_cursor(last), changes=changes, findings=findings), last

    def _stock_batch(self, feed: Feed, after: int, before: int) -> tuple[PullBatch, int]:
        numbers, rows = self._staging.changed_rows(feed.source, after, before, CHUNK_ROWS_MAX)
        as_of = self._staging.get(f"as_of:{feed.source.name}")
        header: dict[str, Any] = {"as_of": as_of} if as_of else {}
        parts, remarks = feed.stock(rows, header)
        if remarks or self._staging.has_rejected(feed.source):
            with self._staging.transaction():
                for place in dict.fromkeys(place for place, _ in remarks):
                    self._staging.add_findings(numbers[place], [f for at, f in remarks if at == place])
                self._settle(feed, rows.keys, [rows.keys[place] for place, _ in remarks])
        batch = PullBatch(next_cursor(numbers[-1]), stock=parts, findings=[finding for _, finding in remarks])
        return batch, numbers[-1]

    def _settle(self, feed: Feed, keys: Sequence[str], bad: Sequence[str]) -> None:
        self._staging.unreject(feed.source, keys)
        self._staging.reject(feed.source, bad)
