"""From documents to rows: a push mapping run over a document's fields, for files and for SQL alike."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.base import Fields, Targets
from adapters.cells import Cell, as_text
from adapters.conversion import Chain, ConvertError
from adapters.mapping import PSEUDO_PATHS, Entry, PushMapping, schema_path
from node.errors import AdapterError, ConfigError

__all__ = ["Place", "RowWriter", "ValueReader", "places"]

_STEP = re.compile(r"([a-z0-9_]+)(\[([^\]]*)\])?(?:\.|$)")

_KEEP_KIND = frozenset({"multiply", "round", "negate", "at_least", "default", "required"})


@dataclass(frozen=True, slots=True)
class Place:
    """An element of a repeated part, with the elements that it is inside of: ``{"lines[]": {...}}``."""

    inside: dict[str, Any]
    number: int


def places(fields: Fields, each: str) -> Iterator[Place]:
    """Every element at the path `each` (``lines[].schedule[]``), from 1; the document itself when it is empty."""
    found: list[dict[str, Any]] = [{"": fields}]
    path = ""
    for part in each.split("[]") if each else []:
        if not part:
            continue
        name = part.removeprefix(".")
        deeper = f"{path}.{name}[]" if path else f"{name}[]"
        found = [
            {**inside, deeper: element} for inside in found for element in _walk(inside[path], [(name, "*")], many=True)
        ]
        path = deeper
    for number, inside in enumerate(found, start=1):
        yield Place(inside, number)


def _walk(node: Any, steps: Sequence[tuple[str, str | None]], *, many: bool) -> list[Any]:
    """The values below `node`: each step is a name, with an index, a ``name=value`` selector or ``*`` for a list."""
    nodes = [node]
    for names, selector in steps:
        for name in names.split("."):
            nodes = [item[name] for item in nodes if isinstance(item, dict) and name in item]
        if selector is None:
            continue
        elements = [element for item in nodes if isinstance(item, list) for element in item]
        if selector == "*":
            nodes = elements
        elif selector.isdigit():
            nodes = elements[int(selector) : int(selector) + 1]
        else:
            key, _, wanted = selector.partition("=")
            nodes = [element for element in elements if isinstance(element, dict) and element.get(key) == wanted]
    return nodes if many else nodes[:1]


class ValueReader:
    """One entry of a push: finds its value in the document and converts it."""

    def __init__(self, entry: Entry, each: str, document: str, kinds: dict[str, str], where: str) -> None:
        if any(step.needs for step in entry.steps):
            raise ConfigError(f"{where}: {entry.target}: a converter that reads another column has none when writing")
        self.name = entry.target
        self._entry = entry
        self._chain = Chain(entry.steps)
        self._paths = [_source(path, each) for path in entry.sources]
        self.kind = kinds.get(schema_path(entry.sources[0]), "") if len(entry.sources) == 1 else ""
        if not _KEEP_KIND.issuperset(entry.converters):
            # What such a converter has written is the column's own form, no longer the schema's.
            self.kind = ""

    def value(self, place: Place, identity: str, document: str) -> Cell:
        """The cell for this element; raises AdapterError, permanent, when a converter does not take the value."""
        try:
            if not self._paths:
                return self._chain.one(self._entry.constant)
            values = [self._read(level, steps, place, identity, document) for level, steps in self._paths]
            if len(values) == 1:
                return self._chain.one(values[0])
            return self._chain.one(self._entry.join.join(as_text(value) for value in values if value is not None))
        except ConvertError as error:
            raise AdapterError(
                f"{document}: {self.name}: {error}", permanent=True, hint="Correct the mapping's converters."
            ) from error

    def _read(
        self, level: str, steps: list[tuple[str, str | None]], place: Place, identity: str, document: str
    ) -> Cell:
        if level == "@identity":
            return identity
        if level == "@row":
            return place.number
        if level == "@type":
            return document
        found = _walk(place.inside[level], steps, many=True)
        if not found:
            return None
        value = found[0]
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, dict | list):
            raise ConvertError("not-a-value", "the path names a part of the document, not a value")
        return value if isinstance(value, str | int) or value is None else as_text(value)


def _source(path: str, each: str) -> tuple[str, list[tuple[str, str | None]]]:
    """Where a path starts (the document, or an element that rows are made for), and the steps from there."""
    if path in PSEUDO_PATHS:
        return path, []
    level = ""
    at = each
    while at:
        if path.startswith(f"{at}."):
            level, path = at, path[len(at) + 1 :]
            break
        at = at.removesuffix("[]").rpartition("[]")[0]
        at += "[]" if at else ""
    steps = [(match[1], None if match[2] is None else match[3] or "*") for match in _STEP.finditer(path) if match[0]]
    return level, steps


class RowWriter:
    """The rows of one document, for a file."""

    def __init__(self, push: PushMapping, targets: Targets) -> None:
        """Raises ConfigError for a mapping that writes SQL."""
        if not push.columns:
            raise ConfigError(f"push {push.document!r}: a file needs columns", hint="Write them under [push.columns].")
        kinds = dict(targets.fields(push.document))
        self._push = push
        where = f"push {push.document!r}"
        self._readers = [ValueReader(entry, push.rows, push.document, kinds, where) for entry in push.columns]
        self.columns = [reader.name for reader in self._readers]

    def rows(self, fields: Fields, identity: str) -> list[list[Cell]]:
        """One row for each element of the mapping's `rows`, or one for the document. Raises AdapterError."""
        document = self._push.document
        return [
            [reader.value(place, identity, document) for reader in self._readers]
            for place in places(fields, self._push.rows)
        ]
