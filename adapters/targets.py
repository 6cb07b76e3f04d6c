"""The schema as adapters see it: every field path of every document type with its kind, from the core's values."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum

from node.core.document import DOCUMENTS
from node.core.document.common import PersonalData

__all__ = ["SchemaTargets"]

_KINDS: dict[object, str] = {
    str: "text",
    Decimal: "decimal",
    int: "number",
    bool: "boolean",
    date: "date",
    datetime: "instant",
    bytes: "bytes",
}


class SchemaTargets:
    """`adapters.base.Targets` over `node.core.document`: for tests, and for checking a mapping without a node."""

    def is_field(self, document_type: str, path: str) -> bool:
        """Whether `path` (``lines[].quantity.unit``) is a leaf of the document type."""
        return path in _kinds(document_type)

    def fields(self, document_type: str) -> Sequence[tuple[str, str]]:
        """Every leaf as (path, kind); nothing for an unknown document type."""
        return tuple(_kinds(document_type).items())


@functools.cache
def _kinds(document_type: str) -> dict[str, str]:
    kind = DOCUMENTS.get(document_type)
    # A consumer's name and address are given beside the document.
    return dict([*_walk(kind, "", ()), *_walk(PersonalData, "personal.", ())]) if kind else {}


def _walk(kind: type, prefix: str, above: tuple[type, ...]) -> Iterator[tuple[str, str]]:
    """The leaves below one dataclass; a value that contains its own kind is not followed twice."""
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        target = hints[field.name]
        path = f"{prefix}{field.name}"
        if typing.get_origin(target) is tuple:
            target, path = typing.get_args(target)[0], f"{path}[]"
        elif typing.get_origin(target) in (types.UnionType, typing.Union):
            target = next(part for part in typing.get_args(target) if part is not type(None))
        if target in _KINDS:
            yield path, _KINDS[target]
        elif issubclass(target, Enum):
            yield path, "|".join(target.__members__)
        elif target not in above:
            yield from _walk(target, f"{path}.", (*above, kind))
