"""The adapter contract: how one system (files, a database, an ERP) is shown to the node as documents.

Documents cross this boundary as **field dicts**: plain nested dicts and lists with the schema's field names.
Decimals are plain strings ("12.50"), a quantity is ``{"value": "6", "unit": "C62"}``, money is
``{"amount": "2.55", "currency": "GBP"}``, instants are ISO 8601 in UTC with ``Z``, dates are ``YYYY-MM-DD``, enum
values are bare upper-case words ("DROP_SHIP"), repeated fields are lists, and what is absent has no key.

Adapters are synchronous; the node calls them from a worker thread, one call at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from pathlib import Path

    from node.core.freight.quotation import Quotation, QuoteRequest

__all__ = [
    "BATCH_CHANGES_MAX",
    "CHUNK_ROWS_MAX",
    "Adapter",
    "AdapterClass",
    "CarrierClass",
    "CarrierQuotes",
    "Change",
    "Fields",
    "Finding",
    "HearsRefusals",
    "Hold",
    "HoldAnswer",
    "PullBatch",
    "Quarantined",
    "Quarantines",
    "Reserves",
    "StockColumns",
    "Targets",
    "any_element",
    "next_cursor",
    "preview",
]

Fields: TypeAlias = dict[str, Any]
"""One document (or a part of it) as plain dicts and lists, in the form that the module's docstring says."""

BATCH_CHANGES_MAX = 500
"""Documents in one `PullBatch` at most."""

CHUNK_ROWS_MAX = 5_000
"""Stock rows in one `StockColumns` at most."""

_INDEX = re.compile(r"\[[0-9]*\]")


@dataclass(frozen=True, slots=True)
class Finding:
    """One validation remark, precise enough for a person to correct the row it speaks of.

    `rule` is a stable word for programs (``bad-decimal``), `path` the target field (``lines[2].quantity.value``),
    `source` a file, table or query, `row` a line number or a key, `column` the column's name in the source. A
    `warning` does not keep its document back.
    """

    rule: str
    path: str
    text: str
    source: str = ""
    row: str = ""
    column: str = ""
    warning: bool = False

    def __str__(self) -> str:
        where = " ".join(
            part
            for part in (
                self.source,
                f"row {self.row}" if self.row else "",
                f"column {self.column}" if self.column else "",
                f"-> {self.path}" if self.path else "",
            )
            if part
        )
        return f"{where}: {self.text} [{self.rule}]" if where else f"{self.text} [{self.rule}]"


@dataclass(frozen=True, slots=True)
class Change:
    """One new or changed document of the system.

    `key` names the business object in the source (the mapping's key columns), `origin` says for people where it comes
    from (``orders.csv rows 2-5``), `partner` names the partner it is meant for, or None when the node decides.
    """

    document_type: str
    fields: Fields
    key: str
    origin: str
    partner: str | None = None


@dataclass(frozen=True, slots=True)
class StockColumns:
    """Stock lines as columns, so that a million rows pass without a dict each.

    `columns` maps the path of a field inside one line (``item.seller_number``, ``location``, ``on_hand``, ``unit``) to
    one text per line, None where absent; all columns have the length of `keys`. Lots are ``trace[0].best_before_on``,
    ``trace[0].quantity.value``, ``trace[1]...``, each with a part of the line's figure (all of it where it has no
    quantity). `header` holds the fields of the whole
    report (``as_of``, ``basis``, ...) as a field dict. Values are absolute. `partner` as in `Change`.
    """

    columns: Mapping[str, Sequence[str | None]]
    keys: Sequence[str]
    rows: Sequence[str]
    origin: str
    header: Fields = field(default_factory=dict)
    partner: str | None = None
    document_type: str = "InventoryReport"

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, slots=True)
class PullBatch:
    """What one step of a pull found: at most BATCH_CHANGES_MAX documents or CHUNK_ROWS_MAX stock rows.

    The node stores changes, findings and `cursor` in one transaction; that, and nothing else, is what takes a batch.
    Cursors of one adapter sort as text in the order in which they were given.
    """

    cursor: str
    changes: Sequence[Change] = ()
    stock: Sequence[StockColumns] = ()
    findings: Sequence[Finding] = ()


class Targets(Protocol):
    """What the node tells about the schema, so that a mapping can be checked before it is used.

    Paths name a field with ``[]`` behind every repeated one: ``lines[].quantity.unit``.
    """

    def is_field(self, document_type: str, path: str) -> bool:
        """Whether `path` is a field of the document type; an unknown document type has none."""
        ...

    def fields(self, document_type: str) -> Sequence[tuple[str, str]]:
        """Every leaf as (path, kind).

        Kinds: ``text``, ``decimal``, ``number`` (a whole one), ``boolean``, ``date``, ``instant``, ``bytes``, and for
        an enum its words joined by bars: ``UNSPECIFIED|TEST|PRODUCTION``.
        """
        ...


@runtime_checkable
class Adapter(Protocol):
    """One system seen as documents: changes are pulled from it, documents are pushed to it."""

    def check(self) -> list[Finding]:
        """Try settings, reach the system, and run every mapping on what is there, without changing anything."""
        ...

    def pull(self, cursor: str | None) -> Iterator[PullBatch]:
        """What is new or changed since `cursor`, in bounded batches; None means from the beginning.

        `cursor` is the one of the last batch that the node has stored: whatever follows it is offered, again if need
        be, so a crash loses nothing; whatever it covers may be put away (files move, rows count as taken). Raises
        AdapterError when the system cannot be read.
        """
        ...

    def preview(self) -> Iterator[PullBatch]:
        """What a pull would offer after the last stored cursor, marking nothing as taken and moving nothing."""
        ...

    def push(self, document_type: str, fields: Fields, identity: str) -> str:
        """Write one document; the same `identity` again returns the same reference and has no second effect.

        Raises AdapterError, permanent when the same call can never succeed.
        """
        ...

    def accepts(self) -> frozenset[str]:
        """The document types that `push` takes."""
        ...

    def forget(self, before: datetime) -> int:
        """Erase the adapter's own copies of what was taken and the system has not shown since `before`; how many.

        What is needed to recognise what was taken stays, so that nothing is offered twice; what is not taken, or is
        still in the system, stays as a whole. An adapter that keeps no copies returns 0.
        """
        ...

    def close(self) -> None:
        """Let go of files and connections; the adapter is not used afterwards."""
        ...


class AdapterClass(Protocol):
    """How the node makes an adapter: its section of the settings, the node's home folder, and the schema.

    Paths in settings are relative to `home`. Raises ConfigError for what can be known to be wrong without IO on the
    system itself.
    """

    def __call__(self, settings: Mapping[str, Any], home: Path, targets: Targets) -> Adapter: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A hold on our stock that the system shall keep too, in the unit of its own stock figure.

    `reservation_id` is one of `partner`'s ("" for our own); `number` and `gtin` name the item as the figure does.
    """

    reservation_id: str
    partner: str
    number: str
    gtin: str
    location: str
    quantity: Decimal
    unit: str
    until: datetime


@dataclass(frozen=True, slots=True)
class HoldAnswer:
    """The system's reference of a hold, or why it keeps none."""

    reference: str = ""
    refused: str = ""


class Quarantined(NamedTuple):
    """How many files could not be read and wait for somebody to look at them, and since when the first one does."""

    files: int
    since: datetime | None


@runtime_checkable
class Quarantines(Protocol):
    """What an adapter does besides that puts aside what it cannot read."""

    def quarantined(self) -> Quarantined:
        """What lies there now."""
        ...

    def empty_quarantine(self, before: datetime) -> int:
        """Delete what was put there before this instant, and nothing else; how many files."""
        ...


@runtime_checkable
class HearsRefusals(Protocol):
    """What an adapter offers beside `Adapter` when it can show in its system what the node could not send or take."""

    def hear_refusals(self, refused: Sequence[Finding]) -> None:
        """All that stands refused now, told before each pull: `source` is the change's origin, `row` its key.

        Of a stock line `source` is where it stands (``stock.csv row 7``). A warning is tried again by itself.
        """
        ...


@runtime_checkable
class Reserves(Protocol):
    """What an adapter offers beside `Adapter` when its system can keep holds on stock.

    The node decides on its own ledger first and asks then, so every method may be called again after a crash, in the
    same order: the same hold again has no second effect. Each raises AdapterError when the system cannot answer now.
    """

    def reserves(self) -> bool:
        """Whether its settings let it keep holds."""
        ...

    def reserve(self, hold: Hold) -> HoldAnswer:
        """Keep a hold, or say why not. Of a hold that is kept, a later `until` takes the place of the earlier one.

        A hold that was released or confirmed, even before it was ever asked for, is refused.
        """
        ...

    def confirm_hold(self, hold: Hold, order: str, taken: Decimal) -> None:
        """The order of this number has taken up so much of the hold, and is in the system already; what is left of
        the hold is free."""
        ...

    def release_hold(self, hold: Hold) -> None:
        """The hold has ended; one that the system does not know is refused from now on."""
        ...


class CarrierQuotes(Protocol):
    """A carrier that says itself what a shipment costs. The node asks it outside of transactions, and keeps answers."""

    def check(self) -> list[Finding]:
        """What is wrong with settings and mapping, without asking the carrier."""
        ...

    def quotes(self, requests: Sequence[QuoteRequest]) -> list[Quotation]:
        """An answer to each request, in their order.

        Never raises for what the carrier does: silence, refusal, nonsense and other currencies are findings of the
        quotation, and each request has the deadline that the settings name.
        """
        ...

    def close(self) -> None:
        """Let go of connections; it is not used afterwards."""
        ...


class CarrierClass(Protocol):
    """How the node makes one (entry point group ``hansa.carriers``): its section of the settings and the home folder.

    The settings hold ``name``, ``file``, ``url``, ``secret`` (the text itself, "" for none), ``timeout_seconds``,
    ``ca_file`` and ``currency``. Raises ConfigError.
    """

    def __call__(self, settings: Mapping[str, Any], home: Path) -> CarrierQuotes: ...


def preview(adapter: Adapter, limit: int = 100) -> Iterator[Change | StockColumns | Finding]:
    """What `adapter` would send, findings in between, at most `limit` documents and chunks; nothing is taken."""
    shown = 0
    for batch in adapter.preview():
        yield from batch.findings
        parts: list[Change | StockColumns] = [*batch.changes, *batch.stock]
        yield from parts[: limit - shown]
        shown += len(parts)
        if shown >= limit:
            return


def next_cursor(number: int) -> str:
    """A cursor for the `number` of a change in an adapter's own sequence; sorts as text."""
    return f"{number:015d}"


def any_element(path: str) -> str:
    """A path with its indices taken out, as `Targets` names fields: ``lines[2].item`` becomes ``lines[].item``."""
    return _INDEX.sub("[]", path)
