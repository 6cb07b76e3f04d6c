"""From rows to documents: a mapping compiled against a source's columns and the schema, run column by column."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from adapters import lots
from adapters.base import Change, Fields, Finding, StockColumns, Targets
from adapters.cells import Cell, as_text
from adapters.conversion import Chain, ConvertError
from adapters.converters_time import as_kind
from adapters.mapping import Entry, Level, PullMapping, schema_path
from node.errors import ConfigError

__all__ = ["DocumentBuilder", "Group", "StagedRow", "StagedStock", "StockBuilder", "builder_columns"]

_STEP = re.compile(r"([a-z0-9_]+)(?:\[([0-9]+)\])?")
_FINDINGS_PER_DOCUMENT_MAX = 50
_ZEROED = frozenset({"on_hand", "available"})


@dataclass(frozen=True, slots=True)
class StagedRow:
    """One row as it was staged: its number and file, what is wrong with its shape, and the mapping's columns."""

    number: str
    source: str
    fault: str
    cells: tuple[Cell, ...]
    gone: bool = False


@dataclass(frozen=True, slots=True)
class StagedStock:
    """Staged stock rows as columns: an object for each of a million rows would cost as much as reading them.

    `columns` are the mapping's, in its order; each has the length of `keys`.
    """

    keys: Sequence[str]
    numbers: Sequence[Cell]
    sources: Sequence[str]
    faults: Sequence[str]
    gone: Sequence[int]
    columns: Sequence[Sequence[Cell]]

    def __len__(self) -> int:
        return len(self.keys)

    def row(self, place: int) -> StagedRow:
        """One of the rows, for what is said about it."""
        cells = tuple(column[place] for column in self.columns)
        number, gone = as_text(self.numbers[place]), bool(self.gone[place])
        return StagedRow(number, self.sources[place], self.faults[place], cells, gone)


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of one document."""

    key: str
    rows: tuple[StagedRow, ...]

    @property
    def origin(self) -> str:
        """File and rows, for people."""
        first, last = self.rows[0], self.rows[-1]
        if first.number == last.number or not last.number:
            return f"{first.source} row {first.number}".strip()
        return f"{first.source} rows {first.number}-{last.number}"


class _Field:
    """One entry, compiled: where its cells are, its chain, and how its value is put into the document."""

    def __init__(
        self, entry: Entry, prefix: str, document: str, kinds: dict[str, str], columns: dict[str, int]
    ) -> None:
        self.entry = entry
        self.prefix = prefix
        path = f"{prefix}.{entry.target}" if prefix else entry.target
        self.kind = kinds.get(schema_path(path), "")
        last = as_kind(self.kind, path) if document else None
        self.chain = Chain((*entry.steps, last) if last else entry.steps)
        self.places = [columns[name] for name in entry.sources]
        self.needs = [columns[name] for name in self.chain.needs]
        self.steps = [(match[1], None if match[2] is None else int(match[2])) for match in _STEP.finditer(entry.target)]
        self.column = ", ".join(entry.sources)
        self.guards: tuple[int, ...] = ()

    def evaluate(self, columns: Sequence[Sequence[Cell]], count: int) -> tuple[list[Cell], dict[int, ConvertError]]:
        """The values for `count` rows, and the errors by row."""
        if not self.places:
            source: Sequence[Cell] = [self.entry.constant] * count
        elif len(self.places) == 1:
            source = columns[self.places[0]]
        else:
            source = [
                self.entry.join.join(text for cell in cells if (text := as_text(cell).strip()))
                for cells in zip(*(columns[place] for place in self.places), strict=True)
            ]
        return self.chain.column(source, [columns[place] for place in self.needs])

    def is_weak(self, columns: Sequence[Sequence[Cell]], row: int) -> bool:
        """Whether a value there comes from the mapping alone, not from the row."""
        return all(as_text(columns[place][row]).strip() == "" for place in self.places)

    def put(self, node: dict[str, Any], value: Cell) -> None:
        """Put `value` at the target inside `node`, making what is on the way."""
        shown: object = value == "true" if self.kind == "boolean" else value
        for name, index in self.steps[:-1]:
            node = node.setdefault(name, {}) if index is None else _element(node, name, index)
        name, index = self.steps[-1]
        if index is None:
            node[name] = shown
        else:
            node.setdefault(name, []).append(shown)


def _element(node: dict[str, Any], name: str, index: int) -> dict[str, Any]:
    elements: list[dict[str, Any]] = node.setdefault(name, [])
    while len(elements) <= index:
        elements.append({})
    return elements[index]


def _with_guards(fields: Sequence[_Field]) -> None:
    """A constant or default beside an empty value says nothing: a currency without its amount, a role without a party.

    Such a field is written only when a field of the row's own is there, below the nearest part of the document that
    has one.
    """
    own = [place for place, item in enumerate(fields) if item.places and not item.entry.has_default]
    for item in fields:
        if item.places and not item.entry.has_default:
            continue
        for depth in range(len(item.steps) - 1, 0, -1):
            inside = item.steps[:depth]
            guards = [place for place in own if fields[place].steps[:depth] == inside]
            if guards:
                item.guards = tuple(guards)
                break


def builder_columns(mapping: PullMapping, found: Sequence[str]) -> dict[str, int]:
    """The place of each of the mapping's columns in `mapping.columns`; raises ConfigError for one not `found`."""
    known = {name.casefold() for name in found}
    for name in mapping.columns:
        if name.casefold() not in known:
            raise ConfigError(
                f"pull {mapping.name!r}: the source has no column {name!r}", hint=f"Its columns: {', '.join(found)}."
            )
    return {name: place for place, name in enumerate(mapping.columns)}


class _LevelFields:
    def __init__(self, level: Level, mapping: PullMapping, kinds: dict[str, str], columns: dict[str, int]) -> None:
        self.path = level.path
        self.name = level.path.removesuffix("[]").rpartition("[].")[2]
        self.parent = level.path.removesuffix("[]").rpartition("[]")[0]
        self.parent += "[]" if self.parent else ""
        self.key = [columns[name] for name in level.key]
        self.fields = [_Field(entry, level.path, mapping.document, kinds, columns) for entry in level.entries]
        _with_guards(self.fields)
        self.values: list[list[Cell]] = []
        self.errors: list[dict[int, ConvertError]] = []

    def evaluate(self, columns: Sequence[Sequence[Cell]], count: int) -> None:
        done = [item.evaluate(columns, count) for item in self.fields]
        self.values = [values for values, _ in done]
        self.errors = [errors for _, errors in done]


class DocumentBuilder:
    """Makes field dicts of groups of rows. A group with any finding makes no document, and disturbs no other."""

    def __init__(self, mapping: PullMapping, targets: Targets, start_from: str = "") -> None:
        """`start_from` is a date, YYYY-MM-DD: documents that the mapping's `start` dates before it are left out."""
        self.mapping = mapping
        self._start_from = start_from
        kinds = dict(targets.fields(mapping.document))
        columns = {name: place for place, name in enumerate(mapping.columns)}
        self._start = _Field(mapping.start, "", "", {}, columns) if mapping.start and start_from else None
        self._levels = [_LevelFields(level, mapping, kinds, columns) for level in mapping.levels]
        self._partner = _Field(mapping.partner, "", "", {}, columns) if mapping.partner else None
        self._columns: Sequence[Sequence[Cell]] = ()
        self._rows: list[StagedRow] = []

    def build(self, groups: Sequence[Group]) -> Iterator[tuple[Group, Change | None, list[Finding]]]:
        """For each group its document, or None and why not; None without a finding is older than `start_from`."""
        self._rows = [row for group in groups for row in group.rows]
        count = len(self._rows)
        width = len(self.mapping.columns)
        self._columns = list(zip(*(row.cells for row in self._rows), strict=True)) if width else []
        for level in self._levels:
            level.evaluate(self._columns, count)
        partners = self._partner.evaluate(self._columns, count) if self._partner else None
        dates = self._start.evaluate(self._columns, count)[0] if self._start else None
        start = 0
        for group in groups:
            rows = range(start, start + len(group.rows))
            start = rows.stop
            if dates and all(as_text(dates[row])[:10] < self._start_from for row in rows if dates[row] is not None):
                yield group, None, []
                continue
            findings = self._faults(rows)
            fields = self._document(rows, findings)
            partner: Cell = None
            if partners is not None and self._partner is not None:
                partner = next((value for row in rows if (value := partners[0][row]) is not None), None)
                failed = next((row for row in rows if row in partners[1]), None)
                if failed is not None:
                    findings.append(self._finding(partners[1][failed], "partner", failed, self._partner.column))
            if findings:
                yield group, None, findings[:_FINDINGS_PER_DOCUMENT_MAX]
                continue
            to = None if partner is None else as_text(partner)
            yield group, Change(self.mapping.document, fields, group.key, group.origin, to), []

    def _faults(self, rows: range) -> list[Finding]:
        return [
            Finding("bad-row", "", row.fault, source=row.source, row=row.number)
            for row in (self._rows[place] for place in rows)
            if row.fault
        ]

    def _document(self, rows: range, findings: list[Finding]) -> Fields:
        """The document of these rows; what is wrong with them is added to `findings`."""
        root: Fields = {}
        elements: dict[str, list[tuple[dict[str, Any], list[int], str]]] = {"": [(root, list(rows), "")]}
        for level in self._levels:
            if not level.path:
                self._fill(level, root, list(rows), "", findings)
                continue
            elements[level.path] = made = []
            for node, inside, prefix in elements[level.parent]:
                found: list[dict[str, Any]] = []
                for part in _parts(level.key, self._columns, inside):
                    path = f"{prefix}{level.name}[{len(found)}]."
                    element: dict[str, Any] = {}
                    if self._fill(level, element, part, path, findings):
                        found.append(element)
                        made.append((element, part, path))
                if found:
                    _list_at(node, level.name).extend(found)
        compact: Fields = _compact(root)
        return compact

    def _fill(
        self, level: _LevelFields, node: dict[str, Any], rows: list[int], path: str, findings: list[Finding]
    ) -> bool:
        """Fill one element from its rows; whether anything in it came from them."""
        values: list[Cell] = []
        strong: list[bool] = []
        for item, column, errors in zip(level.fields, level.values, level.errors, strict=True):
            failed = next((row for row in rows if row in errors), None) if errors else None
            if failed is not None:
                findings.append(self._finding(errors[failed], path + item.entry.target, failed, item.column))
            place = self._place(item, column, rows)
            value = None if place is None else column[place]
            if place is not None and len(rows) > 1:
                other = next((row for row in rows if column[row] is not None and column[row] != value), None)
                if other is not None and not item.entry.has_default:
                    text = f"{as_text(column[other])!r} here, {as_text(value)!r} in row {self._rows[place].number}"
                    error = ConvertError("rows-disagree", f"the rows of {path or 'one document'} disagree: {text}")
                    findings.append(self._finding(error, path + item.entry.target, other, item.column))
            values.append(value)
            strong.append(place is not None and bool(item.places) and not item.is_weak(self._columns, place))
        for place, item in enumerate(level.fields):
            if values[place] is None:
                continue
            if not strong[place] and item.guards and not any(strong[guard] for guard in item.guards):
                continue
            item.put(node, values[place])
        return any(strong) or not any(item.places for item in level.fields)

    def _place(self, item: _Field, column: list[Cell], rows: list[int]) -> int | None:
        """The row whose value counts: the first that has one, and before it one that has more than a default."""
        there = [row for row in rows if column[row] is not None]
        if item.entry.has_default and len(there) > 1:
            own = (row for row in there if not item.is_weak(self._columns, row))
            return next(own, there[0])
        return there[0] if there else None

    def _finding(self, error: ConvertError, path: str, row: int, column: str) -> Finding:
        staged = self._rows[row]
        return Finding(error.rule, path, str(error), source=staged.source, row=staged.number, column=column)


def _parts(key: Sequence[int], columns: Sequence[Sequence[Cell]], rows: list[int]) -> list[list[int]]:
    """The rows of each element, in the order in which they first appear."""
    if not key:
        return [[row] for row in rows]
    parts: dict[tuple[Cell, ...], list[int]] = {}
    for row in rows:
        parts.setdefault(tuple(columns[place][row] for place in key), []).append(row)
    return list(parts.values())


def _list_at(node: dict[str, Any], name: str) -> list[Any]:
    *above, last = name.split(".")
    for part in above:
        node = node.setdefault(part, {})
    elements: list[Any] = node.setdefault(last, [])
    return elements


def _compact(value: Any) -> Any:
    """Without the empty elements that an index left open, and without what is empty because of that."""
    if isinstance(value, dict):
        items = {name: _compact(item) for name, item in value.items()}
        return {name: item for name, item in items.items() if item not in ({}, [])}
    if isinstance(value, list):
        return [item for item in map(_compact, value) if item != {}]
    return value


class StockBuilder:
    """Makes `StockColumns` of rows, column by column; a row with a finding is left out, the others go on."""

    def __init__(self, mapping: PullMapping, targets: Targets) -> None:
        self.mapping = mapping
        kinds = dict(targets.fields(mapping.document))
        columns = {name: place for place, name in enumerate(mapping.columns)}
        header, lines = ([item for item in mapping.levels if bool(item.path) == below] for below in (False, True))
        self._fields = [_Field(entry, "lines[]", mapping.document, kinds, columns) for entry in lines[0].entries]
        self._partner = _Field(mapping.partner, "", "", {}, columns) if mapping.partner else None
        self.header: Fields = {}
        for entry in header[0].entries if header else ():
            item = _Field(entry, "", mapping.document, kinds, columns)
            item.put(self.header, item.chain.one(entry.constant))

    def build(self, rows: StagedStock, header: Fields) -> tuple[list[StockColumns], list[tuple[int, Finding]]]:
        """The rows as columns, one part for each partner that they name, and findings with the row's place."""
        findings: list[tuple[int, Finding]] = []
        if any(rows.faults):
            for place, row in ((place, rows.row(place)) for place, fault in enumerate(rows.faults) if fault):
                findings.append((place, Finding("bad-row", "", row.fault, source=row.source, row=row.number)))
        values: dict[str, list[Cell]] = {}
        gone = [place for place, went in enumerate(rows.gone) if went] if any(rows.gone) else []
        for item in self._fields:
            column, errors = item.evaluate(rows.columns, len(rows))
            for place in gone if item.entry.target in _ZEROED else ():
                column[place] = "0"
                errors.pop(place, None)
            values[item.entry.target] = column
            findings += [(place, self._finding(error, item, rows.row(place))) for place, error in errors.items()]
        partners: list[Cell] = [None] * len(rows)
        if self._partner:
            partners, errors = self._partner.evaluate(rows.columns, len(rows))
            findings += [
                (place, self._finding(error, self._partner, rows.row(place))) for place, error in errors.items()
            ]
        if self.mapping.lots:
            rows, values, partners = self._together(rows, values, partners, findings)
        bad = set() if self.mapping.lots else {place for place, _ in findings}
        parts: list[StockColumns] = []
        for partner in dict.fromkeys(partners):
            places = [place for place, to in enumerate(partners) if to == partner and place not in bad]
            if places:
                parts.append(self._part(values, rows, places, partner, header))
        return parts, sorted(findings, key=lambda pair: pair[0])

    def _together(
        self,
        rows: StagedStock,
        values: dict[str, list[Cell]],
        partners: list[Cell],
        findings: list[tuple[int, Finding]],
    ) -> tuple[StagedStock, dict[str, list[Cell]], list[Cell]]:
        """The lines of rows that differ in the lot alone; one with anything wrong in a lot is kept back whole."""
        found = lots.lines_of(rows.keys, len(self.mapping.key) - len(self.mapping.lots))
        bad = {place for place, _ in findings}
        lines = {key: line for key, line in found.items() if bad.isdisjoint(line)}
        columns, more = lots.merged(list(lines.values()), values, rows.gone)
        for place, one in more:
            findings.append((place, replace(one, source=rows.sources[place], row=as_text(rows.numbers[place]))))
        wrong = {place for place, _ in more}
        kept = [at for at, line in enumerate(lines.values()) if wrong.isdisjoint(line)]
        first = [list(lines.values())[at][0] for at in kept]
        together = StagedStock(
            [list(lines)[at] for at in kept],
            [rows.numbers[place] for place in first],
            [rows.sources[place] for place in first],
            [""] * len(kept),
            [0] * len(kept),
            [[column[place] for place in first] for column in rows.columns],
        )
        merged = {name: [column[at] for at in kept] for name, column in columns.items()}
        return together, merged, [partners[place] for place in first]

    def _part(
        self,
        values: dict[str, list[Cell]],
        rows: StagedStock,
        places: list[int],
        partner: Cell,
        header: Fields,
    ) -> StockColumns:
        whole = len(places) == len(rows)
        first, last = rows.row(places[0]), rows.row(places[-1])
        numbers = list(map(str, rows.numbers))
        return StockColumns(
            columns={
                name: _texts(column if whole else [column[place] for place in places])
                for name, column in values.items()
            },
            keys=list(rows.keys) if whole else [rows.keys[place] for place in places],
            rows=numbers if whole else [numbers[place] for place in places],
            origin=f"{last.source} rows {first.number}-{last.number}".strip(),
            header={**self.header, **{name: item for name, item in header.items() if name not in self.header}},
            partner=None if partner is None else as_text(partner),
        )

    def _finding(self, error: ConvertError, item: _Field, row: StagedRow) -> Finding:
        path = f"lines[].{item.entry.target}" if item.prefix else "partner"
        return Finding(error.rule, path, str(error), source=row.source, row=row.number, column=item.column)


def _texts(column: Sequence[Cell]) -> list[str | None]:
    return [value if value is None or isinstance(value, str) else as_text(value) for value in column]
