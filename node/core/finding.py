"""One remark about a document: what rule it breaks, where, and what was expected."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`rule` is a stable word for programs, `path` such as ``lines[2].quantity.unit``, `text` for people."""

    rule: str
    path: str
    text: str
