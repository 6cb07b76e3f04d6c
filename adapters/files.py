"""CSV and Excel files in a folder: read when complete and put away when stored; documents are written as files."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from adapters import quarantine
from adapters.base import Fields, Finding, Quarantined, Targets
from adapters.building import builder_columns
from adapters.inbox import Inbox, Picked
from adapters.outbox import Outbox
from adapters.pulling import MappedFeed
from adapters.staged import StagedAdapter, View, setting
from adapters.tables import TableError, is_workbook, open_table, write_table
from adapters.writing import RowWriter
from node.errors import AdapterError, ConfigError

__all__ = ["FilesAdapter"]

_FILE_KEYS: Mapping[str, type] = {"format": str, "delimiter": str, "encoding": str, "neutralise": bool}


class _ChangedMeanwhileError(Exception):
    """The file was written to while it was read."""


class FilesAdapter(StagedAdapter):
    """A folder with ``in``, ``out``, ``processed``, ``rejected`` and ``quarantine``.

    Settings: ``folder``; ``mappings``, one or several files; ``ready`` ("unchanged" between two polls, or "done" by a
    marker ``NAME.done``); ``settle_seconds``, with the node's clock, after which a file counts as complete at once;
    ``start_from``, a date before which documents are left out; ``staging``, the name of the staging database.
    """

    known_settings: ClassVar[Mapping[str, Any]] = {"folder": str, "ready": str, "settle_seconds": int}

    def __init__(self, settings: Mapping[str, Any], home: Path, targets: Targets) -> None:
        super().__init__(settings, home, targets)
        self.folder = home / setting(settings, "folder", "FilesAdapter")
        for file in self.mappings:
            for mapping in file.pulls:
                if mapping.source == "query":
                    raise ConfigError(f"{file.path.name}: pull {mapping.name!r}: a folder runs no query; use staging")
        self._writers = {document: RowWriter(push, targets) for document, push in self.pushes.items()}
        self._files = {document: _file_options(push.file, document) for document, push in self.pushes.items()}
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
        feeds = [feed for feed in view.feeds if isinstance(feed, MappedFeed) and feed.mapping.source == "files"]
        inbox = self._inbox.with_staging(view.staging)
        for item in inbox.complete_files([feed.mapping.text for feed in feeds], preview=view.preview):
            matching = [feed for feed in feeds if inbox.fits(item, feed.mapping.text)]
            try:
                self._stage(view, inbox, item, matching)
            except TableError as error:
                inbox.unreadable(item, str(error))
            except ConfigError as error:
                inbox.refused(item, f"{error.message}. {error.hint}")
            except _ChangedMeanwhileError:
                continue

    def _stage(self, view: View, inbox: Inbox, item: Picked, feeds: list[MappedFeed]) -> None:
        """Stage one file for every mapping that it fits, all or nothing."""
        staging = view.staging
        with staging.transaction():
            first = last = staging.last
            for feed in feeds:
                table = open_table(item.path, feed.mapping.read)
                builder_columns(feed.mapping, table.columns)
                done = staging.stage(feed.source, table, complete=True, retry_rejected=True)
                last = max(last, done.last)
                view.puller.note_as_of(feed, item.written_at)
            if not inbox.is_unchanged(item):
                raise _ChangedMeanwhileError
            inbox.staged(item, first, last if last > first else 0)

    def check(self) -> list[Finding]:
        """As `Adapter.check`; also names files in ``in`` that no mapping fits."""
        findings = super().check()
        patterns = [pull.text for file in self.mappings for pull in file.pulls if pull.source == "files"]
        for item in self._inbox.strangers(patterns):
            text = f"no mapping fits this file; the patterns are {', '.join(patterns) or 'none'}"
            findings.append(Finding("unknown-file", "", text, source=item, warning=True))
        return findings

    def push(self, document_type: str, fields: Fields, identity: str) -> str:
        """Write one file into ``out``; its name is the reference. Raises AdapterError."""
        if document_type not in self._writers:
            raise AdapterError(f"no mapping writes {document_type}", permanent=True, hint="Add a [[push]] for it.")
        options = self._files[document_type]
        writer = self._writers[document_type]
        form = options.get("format", "csv")

        def content() -> bytes:
            rows = writer.rows(fields, identity)
            try:
                return write_table(
                    writer.columns,
                    rows,
                    form=form,
                    delimiter=options.get("delimiter", ";"),
                    encoding=options.get("encoding", "utf-8-sig"),
                    neutralise=options.get("neutralise", True),
                )
            except UnicodeEncodeError as error:
                raise AdapterError(
                    f"{document_type}: {error.object[error.start : error.end]!r} cannot be written as {error.encoding}",
                    permanent=True,
                    hint='Set encoding = "utf-8-sig" in the mapping\'s [push.file].',
                ) from error

        label = f"{document_type}_{fields.get('header', {}).get('number', '')}"
        return Outbox(self.folder / "out", self.staging).write(identity, label, f".{form}", content)


def _file_options(options: Mapping[str, Any], document: str) -> Mapping[str, Any]:
    for key, value in options.items():
        if key not in _FILE_KEYS or not isinstance(value, _FILE_KEYS[key]):
            raise ConfigError(
                f"push {document!r}: file.{key} = {value!r} is not an option", hint=f"Options: {', '.join(_FILE_KEYS)}."
            )
    form = options.get("format", "csv")
    if form not in ("csv", "xlsx"):
        raise ConfigError(f"push {document!r}: file.format = {form!r} is not csv or xlsx")
    if not is_workbook(Path(f"x.{form}")):
        try:
            "".encode(options.get("encoding", "utf-8-sig"))
        except LookupError:
            raise ConfigError(f"push {document!r}: file.encoding is not known") from None
    return options
