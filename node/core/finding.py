"""A finding: one validation remark that says where, by which rule, and what was expected."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark on a document.

    `rule` is a stable kebab word for programs (``unknown-order``), `path` the place in the document
    (``lines[2].quantity``, counted from 0; "" for the document as a whole), `text` says in plain English what was
    found and what was expected.
    """

    rule: str
    path: str
    text: str
