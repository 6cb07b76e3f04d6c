"""Mappings as data: the TOML files in which a consultant says which column becomes which field, and the other way."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import adapters.converters
import adapters.converters_lookup
import adapters.converters_time  # noqa: F401 - each of the three registers its converters
from adapters.base import Finding, Targets, any_element
from adapters.conversion import Step, build_chain
from adapters.holding import HoldStatements, hold_statements
from adapters.lookups import Lookups, QueryTable
from adapters.tables import ReadOptions
from node.errors import ConfigError

__all__ = [
    "Entry",
    "Level",
    "MappingFile",
    "PullMapping",
    "PushMapping",
    "Statement",
    "check_mapping",
    "load_mapping",
    "schema_path",
]

STOCK = "InventoryReport"
"""The document type whose rows go on as columns, not as field dicts."""

PSEUDO_PATHS = ("@identity", "@row", "@type")
"""What a push can write besides the document's fields: its identity, the number of the row, the document type."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}").fullmatch
_RESERVED = ("hansa_", "sqlite_")
_ENTRY_KEYS = frozenset({"column", "columns", "join", "constant", "convert", "path"})
_SELECTOR = re.compile(r"\[[^\]]*\]")
_PATH = re.compile(r"[a-z0-9_]+(?:\[(?:[0-9]+|[a-z_]+=[^\]]+)?\])?(?:\.[a-z0-9_]+(?:\[(?:[0-9]+|[a-z_]+=[^\]]+)?\])?)*")
_PULL_KEYS = frozenset(
    {
        "name",
        "document",
        "files",
        "query",
        "staging",
        "since",
        "since_start",
        "key",
        "line_key",
        "lots",
        "partner",
        "absent",
        "absent_max",
        "read",
    }
    | {"fields", "lines", "parts", "start"}
)
_PUSH_KEYS = frozenset({"document", "rows", "columns", "file", "exists", "reference", "statement"})
_STATEMENT_KEYS = frozenset({"sql", "each", "values", "keep"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a mapping: for a pull target ← columns, for a push column ← path; a constant has no source."""

    target: str
    sources: tuple[str, ...]
    join: str
    constant: str | int | None
    steps: tuple[Step, ...]
    converters: tuple[str, ...]

    @property
    def has_default(self) -> bool:
        """Whether an empty source still gives a value."""
        return "default" in self.converters

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that the entry reads, those of its converters included."""
        return tuple(dict.fromkeys((*self.sources, *(name for step in self.steps for name in step.needs))))


@dataclass(frozen=True, slots=True)
class Level:
    """The fields at one depth of the document: "" for the document, ``lines[]``, ``lines[].schedule[]``; `key` is what
    makes rows the same element, none when each row is one."""

    path: str
    key: tuple[str, ...]
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class PullMapping:
    """How rows of one source become documents of one type. `document` is empty for a table that is only staged."""

    name: str
    document: str
    source: str
    text: str
    key: tuple[str, ...]
    levels: tuple[Level, ...]
    partner: Entry | None
    since: str
    since_start: object
    start: Entry | None
    absent_is_zero: bool
    absent_max: int
    read: ReadOptions
    fingerprint: str
    lots: tuple[str, ...] = ()

    @property
    def is_stock(self) -> bool:
        """Whether its rows go on as columns."""
        return self.document == STOCK

    @property
    def line(self) -> tuple[str, ...]:
        """The columns by which a row is known as a line: the line key, or without one all that a line reads."""
        for level in self.levels:
            if level.path == "lines[]" and not self.is_stock:
                return level.key or tuple(dict.fromkeys(name for entry in level.entries for name in entry.columns))
        return ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the documents depend on, each once: a change in any other column is no change."""
        names = list(self.key)
        for level in self.levels:
            names += level.key
            names += (name for entry in level.entries for name in entry.columns)
        for entry in (self.partner, self.start):
            names += entry.columns if entry else ()
        return tuple(dict.fromkeys(names))


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement of a push: run once, or for each element of `each`; `keep` names its first answer."""

    sql: str
    each: str
    values: tuple[Entry, ...]
    keep: str


@dataclass(frozen=True, slots=True)
class PushMapping:
    """How a document is written: as rows of a file (`columns`), or by SQL `statements` in one transaction."""

    document: str
    rows: str
    columns: tuple[Entry, ...]
    file: Mapping[str, Any]
    statements: tuple[Statement, ...]
    exists: str
    reference: str


@dataclass(frozen=True, slots=True)
class MappingFile:
    """One mapping file, read and checked for its form."""

    path: Path
    lookups: Lookups
    pulls: tuple[PullMapping, ...]
    pushes: tuple[PushMapping, ...]
    holds: HoldStatements | None = None
    findings: list[Finding] = field(default_factory=list)


def load_mapping(path: Path, query: QueryTable | None = None) -> MappingFile:
    """Read a mapping file; `query` runs the queries of its lookup tables.

    Raises ConfigError that names the file, the key and what was expected.
    """
    where = path.name
    try:
        text = path.read_text(encoding="utf-8-sig")
        data = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}", hint="Check `mappings` in the settings."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where}: is not TOML: {error}") from error
    _only(data, {"lookup", "pull", "push", "holds"}, where)
    lookups = Lookups(_table(data.get("lookup", {}), f"{where}: lookup"), path.parent, where, query)
    pulls = tuple(_pull(item, lookups, f"{where}: pull") for item in _tables(data, "pull", where))
    pushes = tuple(_push(item, lookups, f"{where}: push") for item in _tables(data, "push", where))
    names = [pull.name for pull in pulls]
    if len(set(names)) != len(names):
        raise ConfigError(f"{where}: two pull mappings have the same name", hint="Each names its own staging table.")
    holds = hold_statements(_table(data["holds"], f"{where}: holds") if "holds" in data else None, f"{where}: holds")
    return MappingFile(path, lookups, pulls, pushes, holds)


def _pull(data: Mapping[str, Any], lookups: Lookups, where: str) -> PullMapping:
    document = _string(data, "document", where, default="")
    name = _string(data, "name", where)
    if not _NAME(name) or name.startswith(_RESERVED):
        raise ConfigError(f"{where}: name = {name!r} is not a name", hint="Lower-case letters, digits, underscores.")
    where = f"{where} {name!r}"
    _only(data, _PULL_KEYS, where)
    sources = [key for key in ("files", "query", "staging") if key in data]
    if len(sources) != 1:
        raise ConfigError(f"{where}: needs exactly one of files, query, staging")
    levels = tuple(_levels(data, document, lookups, where))
    stock = document == STOCK
    if stock and any(entry.sources for level in levels if not level.path for entry in level.entries):
        hint = "Rows of stock are lines: put columns under [pull.lines], constants under [pull.fields]."
        raise ConfigError(f"{where}: fields of an {STOCK} can only be constants", hint=hint)
    if stock and ("parts" in data or "line_key" in data or "lines" not in data):
        raise ConfigError(f"{where}: an {STOCK} has [pull.lines], one line for each row, and nothing below it")
    absent = _string(data, "absent", where, default="keep")
    if absent not in ("keep", "zero") or (absent == "zero" and not stock):
        raise ConfigError(f"{where}: absent = {absent!r} is not keep, or zero for an {STOCK}")
    key = _strings(data, "key", where)
    if not key and (stock or not document):
        raise ConfigError(f"{where}: key is missing", hint="Name the columns that tell one row from another.")
    lots = _strings(data, "lots", where)
    if lots and (not stock or lots == key or key[-len(lots) :] != lots):
        hint = 'For example key = ["ITEM", "SITE", "LOT"], lots = ["LOT"].'
        raise ConfigError(f"{where}: lots are the last columns of an {STOCK}'s key, not all of them", hint=hint)
    if lots and absent != "zero" and "since" not in data:
        hint = 'Write absent = "zero".'
        raise ConfigError(f"{where}: a lot that is sold out is in no extract any more, and would stay", hint=hint)
    extra = {
        part: _entry(part, data[part], lookups, f"{where}.{part}", pull=True)
        for part in ("partner", "start")
        if part in data
    }
    since = _string(data, "since", where, default="")
    if since and (sources[0] != "query" or absent == "zero"):
        raise ConfigError(f"{where}: since belongs to a query that gives what changed, so nothing is known as absent")
    return PullMapping(
        name=name,
        document=document,
        source=sources[0],
        text=_string(data, sources[0], where),
        key=key,
        levels=levels,
        partner=extra.get("partner"),
        since=since,
        since_start=data.get("since_start", "1970-01-01"),
        start=extra.get("start"),
        absent_is_zero=absent == "zero",
        absent_max=_percent(data, where),
        read=ReadOptions.from_settings(_table(data.get("read", {}), f"{where}.read"), f"{where}.read"),
        fingerprint=hashlib.blake2b(repr(sorted(data.items(), key=str)).encode(), digest_size=16).hexdigest(),
        lots=lots,
    )


def _levels(data: Mapping[str, Any], document: str, lookups: Lookups, where: str) -> Iterator[Level]:
    """The document's fields, its lines, and further repeated parts, the deeper ones later."""
    sections: dict[str, tuple[str, Any]] = {"": ("fields", data.get("fields", {}))}
    if "lines" in data:
        sections["lines[]"] = ("lines", data["lines"])
    for path, part in _table(data.get("parts", {}), f"{where}.parts").items():
        if not path.endswith("[]"):
            raise ConfigError(f"{where}.parts: {path!r} does not end with []", hint='For example "lines[].schedule[]".')
        sections[path] = (f"parts.{path}", part)
    if not document and len(sections) + len(data.get("fields", {})) > 1:
        raise ConfigError(f"{where}: has fields, but no document", hint='For example document = "Order".')
    for path in sorted(sections, key=lambda path: path.count("[]")):
        label, table = sections[path]
        table = dict(_table(table, f"{where}.{label}"))
        key: tuple[str, ...] = ()
        if path == "lines[]":
            key = _strings(data, "line_key", where)
        elif path:
            key = _strings(table, "key", f"{where}.{label}")
            table.pop("key", None)
        entries = _entries(table, lookups, f"{where}.{label}", pull=True)
        parent = path.removesuffix("[]").rpartition("[]")[0]
        if path and parent and f"{parent}[]" not in sections:
            raise ConfigError(f"{where}.{label}: there is no part {parent}[] that it belongs to")
        yield Level(path, key, tuple(entries))


def _entries(
    table: Mapping[str, Any], lookups: Lookups, where: str, *, pull: bool, prefix: str = ""
) -> Iterator[Entry]:
    """The entries of a table; TOML's dotted keys come as nested tables, and are one target."""
    for name, value in table.items():
        target = f"{prefix}{name}"
        if pull and isinstance(value, dict) and not _ENTRY_KEYS & set(value):
            yield from _entries(value, lookups, where, pull=True, prefix=f"{target}.")
        else:
            yield _entry(target, value, lookups, f"{where}.{target}", pull=pull)


def _entry(target: str, value: object, lookups: Lookups, where: str, *, pull: bool) -> Entry:
    """``"COLUMN"``, or a table with column or columns and join, or constant, and convert; a push says path."""
    word, words = ("column", "columns") if pull else ("path", "paths")
    data: Mapping[str, Any] = {word: value} if isinstance(value, str) else _table(value, where)
    _only(data, {word, words, "join", "constant", "convert"}, where)
    given = [key for key in (word, words, "constant") if key in data]
    if len(given) != 1:
        raise ConfigError(f"{where}: needs exactly one of {word}, {words}, constant")
    sources = _strings(data, words, where) if words in data else ()
    if word in data:
        sources = (_string(data, word, where),)
    constant = data.get("constant")
    if isinstance(constant, bool):
        constant = "true" if constant else "false"
    if constant is not None and not isinstance(constant, str | int):
        raise ConfigError(f"{where}: constant = {constant!r} is not a text or a whole number", hint='Write "12.5".')
    convert = data.get("convert", [])
    steps = tuple(build_chain(convert, lookups, where))
    names = tuple(step if isinstance(step, str) else next(iter(step)) for step in _list(convert))
    return Entry(target, sources, _string(data, "join", where, default=" "), constant, steps, names)


def _push(data: Mapping[str, Any], lookups: Lookups, where: str) -> PushMapping:
    document = _string(data, "document", where)
    where = f"{where} {document!r}"
    _only(data, _PUSH_KEYS, where)
    columns = tuple(_entries(_table(data.get("columns", {}), where), lookups, f"{where}.columns", pull=False))
    statements = []
    for number, item in enumerate(_tables(data, "statement", where), start=1):
        label = f"{where}.statement {number}"
        _only(item, _STATEMENT_KEYS, label)
        values = tuple(_entries(_table(item.get("values", {}), label), lookups, f"{label}.values", pull=False))
        each, keep = _string(item, "each", label, default=""), _string(item, "keep", label, default="")
        statements.append(Statement(_string(item, "sql", label), each, values, keep))
    if bool(columns) == bool(statements):
        raise ConfigError(f"{where}: needs either columns (a file) or statements (SQL)")
    for each in (data.get("rows", ""), *(statement.each for statement in statements)):
        if each and not each.endswith("[]"):
            raise ConfigError(f"{where}: {each!r} does not end with []", hint='For example "lines[]".')
    return PushMapping(
        document=document,
        rows=_string(data, "rows", where, default=""),
        columns=columns,
        file=_table(data.get("file", {}), f"{where}.file"),
        statements=tuple(statements),
        exists=_string(data, "exists", where, default=""),
        reference=_string(data, "reference", where, default=""),
    )


def schema_path(path: str) -> str:
    """`path` as `Targets` names it: indices and selectors (``parties[role=BUYER]``) become ``[]``."""
    return any_element(_SELECTOR.sub("[]", path))


def check_mapping(mapping: MappingFile, targets: Targets) -> list[Finding]:
    """Every target and path that the schema does not have, without looking at any data."""
    findings: list[Finding] = []
    for pull in mapping.pulls:
        if not pull.document:
            continue
        source = f"{mapping.path.name}: pull {pull.name!r}"
        findings += _check_type(pull.document, targets, source)
        for level in pull.levels:
            prefix = f"{level.path}." if level.path else ""
            findings += _check_paths(pull.document, [prefix + entry.target for entry in level.entries], targets, source)
    for push in mapping.pushes:
        source = f"{mapping.path.name}: push {push.document!r}"
        findings += _check_type(push.document, targets, source)
        paths = [path for entry in push.columns for path in entry.sources]
        paths += [path for item in push.statements for entry in item.values for path in entry.sources]
        findings += _check_paths(push.document, [path for path in paths if path not in PSEUDO_PATHS], targets, source)
    return findings


def _check_type(document: str, targets: Targets, source: str) -> list[Finding]:
    if targets.fields(document):
        return []
    return [Finding("unknown-type", "", f"there is no document type {document!r}", source=source)]


def _check_paths(document: str, paths: Sequence[str], targets: Targets, source: str) -> list[Finding]:
    """A finding for each path that is none, with the fields that look like it."""
    findings = []
    known = [path for path, _ in targets.fields(document)]
    for path in paths:
        plain = schema_path(path)
        if _PATH.fullmatch(path) and (targets.is_field(document, plain) or plain in known):
            continue
        last = plain.rsplit(".", 1)[-1].removesuffix("[]")
        near = [name for name in known if last in name][:3] or [name for name in known if plain.split(".")[0] in name][
            :3
        ]
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        text = f"{document} has no field {path!r}{hint}"
        findings.append(Finding("unknown-field", path, text, source=source))
    return findings


def _percent(data: Mapping[str, Any], where: str) -> int:
    value = data.get("absent_max", 50)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 100:
        raise ConfigError(f"{where}: absent_max = {value!r} is not a percentage", hint="A whole number from 0 to 100.")
    return value


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _only(data: Mapping[str, Any], known: set[str] | frozenset[str], where: str) -> None:
    for key in data:
        if key not in known:
            raise ConfigError(f"{where}: {key!r} is not known here", hint=f"Known: {', '.join(sorted(known))}.")


def _table(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: expected a table, got {value!r}")
    return value


def _tables(data: Mapping[str, Any], key: str, where: str) -> list[Mapping[str, Any]]:
    value = data.get(key, [])
    if not isinstance(value, list):
        raise ConfigError(f"{where}: {key} is not a list of tables", hint=f"Write [[{key}]], with two brackets.")
    return [_table(item, f"{where}: {key}") for item in value]


def _string(data: Mapping[str, Any], key: str, where: str, default: str | None = None) -> str:
    value = data.get(key, default)
    if not isinstance(value, str) or (default is None and not value):
        raise ConfigError(
            f"{where}: {key} is missing" if value is None else f"{where}: {key} = {value!r} is not a text"
        )
    return value


def _strings(data: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = data.get(key, [])
    value = [value] if isinstance(value, str) else value
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ConfigError(f"{where}: {key} = {value!r} is not a list of texts")
    return tuple(value)
