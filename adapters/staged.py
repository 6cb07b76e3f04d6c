"""What all adapters over staging have in common: settings, mappings, pulls by cursor, previews and checks."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, ClassVar

from adapters.base import Finding, PullBatch, Targets
from adapters.cells import cell, unique_names
from adapters.mapping import MappingFile, PullMapping, PushMapping, check_mapping, load_mapping
from adapters.pulling import Feed, ListFeed, MappedFeed, Puller, cursor_number
from adapters.staging import Staging
from adapters.tables import Chunk, Table, TableError
from node.errors import ConfigError

__all__ = ["COMMON_SETTINGS", "StagedAdapter", "View", "setting", "staging_table"]

COMMON_SETTINGS: Mapping[str, type | tuple[type, ...]] = {
    "mappings": (str, list),
    "start_from": (str, date),
    "staging": str,
}
"""Settings of every staged adapter; ``name`` and ``clock``, a callable that gives the time, are the node's to add."""
_FROM_THE_NODE = frozenset({"name", "clock"})

_CHECK_FINDINGS_MAX = 200
_BLOCK_ROWS = 5_000


class View:
    """A staging database with what offers its content: the adapter's own, or a copy of it for a preview."""

    def __init__(self, staging: Staging, feeds: Sequence[Feed], preview: bool) -> None:
        self.staging = staging
        self.feeds = feeds
        self.puller = Puller(staging, feeds)
        self.preview = preview


class StagedAdapter:
    """Base of adapters that stage extracts; `_take_in` is what they add."""

    known_settings: ClassVar[Mapping[str, Any]] = {}
    may_reserve: ClassVar[bool] = False

    def __init__(self, settings: Mapping[str, Any], home: Path, targets: Targets) -> None:
        """As `adapters.base.AdapterClass`: raises ConfigError for settings and mappings that cannot work."""
        self.home = home
        self.targets = targets
        self.settings = _checked(settings, {**COMMON_SETTINGS, **self.known_settings}, type(self).__name__)
        name = settings.get("name")
        self._staging_name = str(self.settings.get("staging") or (f"staging-{name}.db" if name else "staging.db"))
        clock = settings.get("clock")
        self.clock: Callable[[], datetime] | None = clock if callable(clock) else None
        self.start_from = _day(self.settings.get("start_from", ""))
        self._staging: Staging | None = None
        self._view: View | None = None
        self.refused: Sequence[Finding] = ()
        self.mappings = [load_mapping(home / path, self._query) for path in self._mapping_paths()]
        names = [pull.name for file in self.mappings for pull in file.pulls]
        double = next((name for name in names if names.count(name) > 1), None)
        if double is not None:
            raise ConfigError(f"two mappings are called {double!r}", hint="Each names its own staging table.")
        self.pushes: dict[str, PushMapping] = {}
        for file in self.mappings:
            for push in file.pushes:
                if push.document in self.pushes:
                    raise ConfigError(f"{file.path.name}: a second push of {push.document}", hint="Keep one of them.")
                self.pushes[push.document] = push
        with_holds = [file for file in self.mappings if file.holds is not None]
        if len(with_holds) > self.may_reserve:
            text = f"{with_holds[-1].path.name}: [holds]: "
            why = "another mapping has it" if self.may_reserve else "only a database can keep holds"
            raise ConfigError(text + why)
        self.holds = with_holds[0].holds if with_holds else None

    def _mapping_paths(self) -> list[str]:
        paths = self.settings.get("mappings", [])
        return [paths] if isinstance(paths, str) else list(paths)

    @property
    def staging(self) -> Staging:
        """The adapter's staging database, made when first asked for."""
        if self._staging is None:
            self._staging = Staging(self.home / self._staging_name, self.clock)
        return self._staging

    def close(self) -> None:
        """Close the staging database."""
        if self._staging is not None:
            self._staging.close()
            self._staging = None

    # --- pulling -----------------------------------------------------------------------------------------------------

    def pull(self, cursor: str | None) -> Iterator[PullBatch]:
        """As `Adapter.pull`: put away what the cursor covers, take in what is new, offer what follows the cursor."""
        after = cursor_number(cursor)
        staging = self.staging
        staging.reach(after)
        staging.put("stored", str(after))
        self._put_away(after)
        self._view = view = View(staging, self._feeds(), preview=False)
        self._refresh(view)
        self._put_away(after)
        yield from view.puller.offer(after)

    def hear_refusals(self, refused: Sequence[Finding]) -> None:
        """As `HearsRefusals.hear_refusals`."""
        self.refused = refused

    def preview(self) -> Iterator[PullBatch]:
        """As `Adapter.preview`, on a copy of staging."""
        copy = self.staging.copy()
        try:
            self._view = view = View(copy, self._feeds(), preview=True)
            self._refresh(view)
            yield from view.puller.offer(int(copy.get("stored") or 0))
        finally:
            self._view = None
            copy.close()

    def _refresh(self, view: View) -> None:
        for file in self.mappings:
            file.lookups.refresh()
        before = view.staging.last
        self._take_in(view)
        if view.staging.last != before or view.preview:
            self._take_in_queries(view)
        view.puller.retry_what_changed()

    def _take_in(self, view: View) -> None:
        """Stage what the system has that is new."""
        raise NotImplementedError

    def _put_away(self, after: int) -> None:
        """Let go of what the node has stored: everything up to the number `after`."""

    def _feeds(self) -> list[Feed]:
        feeds: list[Feed] = []
        for file in self.mappings:
            for mapping in file.pulls:
                if mapping.document:
                    feeds.append(MappedFeed(mapping, file.lookups, self.targets, self.start_from))
                else:
                    feeds.append(ListFeed(mapping))
        return feeds

    def _take_in_queries(self, view: View) -> None:
        """Stage the results of the mappings that read staging itself."""
        for feed in view.feeds:
            mapping = mapping_of(feed)
            if mapping is not None and mapping.source == "staging":
                try:
                    table = staging_table(view.staging, mapping.name, mapping.text)
                except TableError as error:
                    raise ConfigError(f"pull {mapping.name!r}: {error}", hint="Correct its staging query.") from error
                view.staging.stage(feed.source, table, complete=True, retry_rejected=False)

    def _query(self, kind: str, text: str) -> Table:
        """Run a lookup table's query; raises TableError."""
        if kind != "staging":
            raise TableError("this adapter has no database to query")
        view = self._view
        return staging_table(view.staging if view else self.staging, "lookup", text)

    # --- checking ----------------------------------------------------------------------------------------------------

    def check(self) -> list[Finding]:
        """As `Adapter.check`: the mappings against the schema, then a dry run over what is there."""
        findings = [finding for file in self.mappings for finding in check_mapping(file, self.targets)]
        if findings:
            return findings
        try:
            for batch in self.preview():
                findings += batch.findings
                if len(findings) >= _CHECK_FINDINGS_MAX:
                    break
        except ConfigError as error:
            findings.append(Finding("bad-mapping", "", f"{error.message}. {error.hint}".strip(". ") + "."))
        return findings[:_CHECK_FINDINGS_MAX]

    def forget(self, before: datetime) -> int:
        """As `Adapter.forget`: staged rows that were taken, and are in no extract any more."""
        lists = {feed.source.name for feed in self._feeds() if isinstance(feed, ListFeed)}
        return self.staging.forget(before, lists)

    def accepts(self) -> frozenset[str]:
        """The document types that a mapping can write."""
        return frozenset(self.pushes)

    def mapping_file(self, mapping: PullMapping) -> MappingFile:
        """The file that `mapping` comes from."""
        return next(file for file in self.mappings if mapping in file.pulls)


def mapping_of(feed: Feed) -> PullMapping | None:
    """The mapping of a feed that has one."""
    return feed.mapping if isinstance(feed, MappedFeed) else None


def staging_table(staging: Staging, name: str, text: str) -> Table:
    """The result of a query over staging, which may only read; raises TableError with SQLite's words."""
    connection = staging.connection
    try:
        connection.execute("PRAGMA query_only = 1")
        result = connection.execute(text)
        if result.description is None:
            raise TableError("the query gives no rows")
        columns = unique_names([item[0] for item in result.description])
        rows = result.fetchall()
    except sqlite3.Error as error:
        raise TableError(f"the query fails: {error}") from error
    finally:
        connection.execute("PRAGMA query_only = 0")
    chunks = (
        Chunk(range(at + 1, at + len(part) + 1), [tuple(map(cell, row)) for row in part], {})
        for at in range(0, len(rows), _BLOCK_ROWS)
        for part in [rows[at : at + _BLOCK_ROWS]]
    )
    return Table(columns, chunks, name)


def setting(settings: Mapping[str, Any], key: str, where: str) -> str:
    """A text that the settings must have; raises ConfigError."""
    value = settings.get(key)
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{where}: the setting {key!r} is missing")
    return value


def _checked(settings: Mapping[str, Any], known: Mapping[str, type | tuple[type, ...]], where: str) -> dict[str, Any]:
    values = {key: value for key, value in settings.items() if key not in _FROM_THE_NODE}
    for key, value in values.items():
        if key not in known:
            raise ConfigError(f"{where}: {key!r} is not a setting", hint=f"Settings: {', '.join(sorted(known))}.")
        if not isinstance(value, known[key]) or (isinstance(value, bool) and known[key] is not bool):
            raise ConfigError(f"{where}: {key} = {value!r} is not of the expected type")
    return values


def _day(value: object) -> str:
    """A date setting as YYYY-MM-DD; raises ConfigError."""
    if not value:
        return ""
    try:
        return value.isoformat()[:10] if isinstance(value, date) else date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise ConfigError(f"start_from = {value!r} is not a date", hint="Write 2026-11-30.") from None
