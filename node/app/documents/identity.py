"""What a document is called, whether two of them say the same, and which this node takes."""

from __future__ import annotations

from dataclasses import replace

from node import __version__, wire
from node.core import order_book
from node.core.document import DOCUMENTS, INTERNAL, Document, document_type, header_of
from node.core.document.common import Usage
from node.ports import Identity

__all__ = ["SOFTWARE", "TAKES", "UNDERSTANDS", "identity_of", "object_key_of", "same_content"]

SOFTWARE = f"hansa {__version__}"
TAKES = tuple(kind for kind in DOCUMENTS if kind not in INTERNAL)
"""Business document types that this node takes."""

UNDERSTANDS: frozenset[str] = frozenset({"schedule", "personal-data"})
"""Names of semantics that a document may require of its receiver."""


def identity_of(document: Document) -> Identity:
    """The business identity of a document."""
    header = header_of(document)
    return Identity(
        *(header.issuer, header.unit, document_type(document), header.number, header.series, header.revision),
        header.usage._value_,
    )


def object_key_of(document: Document, *, sender: str, receiver: str) -> str:
    """The business object whose documents stay in order: the order, where there is one."""
    keys = order_book.keys_needed([document], sender=sender, receiver=receiver)
    if keys:
        return "Order|" + "|".join(min(keys))
    header = header_of(document)
    return "|".join(
        (document_type(document), header.issuer, header.unit, header.number, header.series, header.usage._value_)
    )


def same_content(document: Document, other_type: str, other_body: bytes) -> bool:
    """Whether two documents say the same, whenever they were issued: what an ERP exports twice."""
    other = wire.decode_document(other_type, other_body)
    return _undated(document) == _undated(other)


def _undated(document: Document) -> Document:
    header = header_of(document)
    return replace(document, header=replace(header, issued_at=None, usage=Usage.UNSPECIFIED))
