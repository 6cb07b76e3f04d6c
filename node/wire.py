"""The one gate: bytes and field dicts on one side, core values on the other, for partners and for our own ERP alike.

Bytes that do not parse, and values that the core's types refuse, become findings with a path such as
``lines[2].quantity.unit``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from google.protobuf.message import DecodeError

from node.codec import Codec, codec_of, message_class, shown
from node.core import link
from node.core.document import DOCUMENTS, Document
from node.core.document.common import PersonalData
from node.core.finding import Finding
from node.core.money import Money
from node.core.quantity import Quantity
from node.errors import RefusedError

__all__ = [
    "DOCUMENT_BYTES_MAX",
    "FRAME_BYTES_MAX",
    "InvalidFieldsError",
    "decode",
    "decode_document",
    "decode_frame",
    "encode",
    "encode_frame",
    "field_kinds",
    "from_fields",
    "instant",
    "micros",
    "personal_kinds",
    "personal_of",
    "to_fields",
]

DOCUMENT_BYTES_MAX = 1_048_576
"""Largest body of one document."""

FRAME_BYTES_MAX = 4_194_304
"""Largest frame on the stream; also gRPC's limit for a message."""

Value = TypeVar("Value")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class InvalidFieldsError(RefusedError):
    """Bytes or fields that do not make a document; `findings` says where and why."""

    def __init__(self, findings: list[Finding]) -> None:
        first = findings[0]
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        super().__init__(f"{first.path}: {first.text}{more}", code=first.rule)
        self.findings = findings


def micros(at: datetime) -> int:
    """Microseconds since 1970-01-01 UTC, as the store keeps instants."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def instant(at: int) -> datetime:
    """The instant that the store keeps as microseconds."""
    return _EPOCH + timedelta(microseconds=at)


def decode(cls: type[Value], body: bytes) -> Value:
    """The value of these bytes. Raises InvalidFieldsError with the path of what is wrong."""
    codec = codec_of(cls)
    try:
        message = codec.message.FromString(body)
    except DecodeError:
        finding = Finding("unreadable", "", f"these {len(body)} bytes are no {cls.__name__}")
        raise InvalidFieldsError([finding]) from None
    return cast("Value", _decode_message(codec, message))


def _decode_message(codec: Codec, message: Any) -> Any:
    try:
        return codec.decode(message)
    except (RefusedError, ValueError, TypeError, OverflowError) as error:
        finding = codec.locate(message) or Finding("unreadable", "", str(error))
        raise InvalidFieldsError([finding]) from None


def encode(value: Any) -> bytes:
    """The bytes of a value; the same value always gives the same bytes."""
    codec = codec_of(type(value))
    message = codec.message()
    codec.fill(message, value)
    return cast("bytes", message.SerializeToString(deterministic=True))


def decode_document(document_type: str, body: bytes) -> Document:
    """A business document of this type. Raises InvalidFieldsError, also for an unknown type or too many bytes."""
    kind = DOCUMENTS.get(document_type)
    if kind is None:
        raise InvalidFieldsError([Finding("unknown-type", "", f"no document type {shown(document_type)} is known")])
    if len(body) > DOCUMENT_BYTES_MAX:
        text = f"{len(body)} bytes; at most {DOCUMENT_BYTES_MAX} are taken"
        raise InvalidFieldsError([Finding("too-large", "", text)])
    return decode(kind, body)


def from_fields(document_type: str, fields: Mapping[str, Any]) -> Document:
    """The document that these plain fields describe. Raises InvalidFieldsError with every finding."""
    kind = DOCUMENTS.get(document_type)
    if kind is None:
        raise InvalidFieldsError([Finding("unknown-type", "", f"no document type {shown(document_type)} is known")])
    findings: list[Finding] = []
    made = codec_of(kind).parse(fields, "", findings)
    if findings:
        raise InvalidFieldsError(findings)
    return cast("Document", made)


def personal_of(fields: Mapping[str, Any]) -> PersonalData:
    """The personal data that these plain fields describe. Raises InvalidFieldsError."""
    findings: list[Finding] = []
    made = codec_of(PersonalData).parse(fields, "personal", findings)
    if findings:
        raise InvalidFieldsError(findings)
    return cast("PersonalData", made)


def to_fields(value: Any) -> dict[str, Any]:
    """A value as plain nested fields: decimals, dates and instants as text, bytes in hexadecimal."""
    return codec_of(type(value)).plain(value)


def field_kinds(document_type: str) -> list[tuple[str, str]]:
    """Every field path of a document type with its kind, such as ("lines[].quantity.value", "decimal").

    A message that contains itself is not followed twice.
    """
    return list(_walk(codec_of(DOCUMENTS[document_type]), "", ()))


def personal_kinds() -> list[tuple[str, str]]:
    """The same for the personal data that may lie beside a document, as "personal"."""
    return list(_walk(codec_of(PersonalData), "personal.", ()))


def _walk(codec: Codec, prefix: str, above: tuple[type, ...]) -> Iterator[tuple[str, str]]:
    for field in codec.fields:
        path = f"{prefix}{field.name}{'[]' if field.repeated else ''}"
        if field.target is Quantity:
            yield from ((f"{path}.value", "decimal"), (f"{path}.unit", "text"))
        elif field.target is Money:
            yield from ((f"{path}.amount", "decimal"), (f"{path}.currency", "text"))
        elif field.target is None:
            yield path, field.kind.word
        elif field.target not in above:
            yield from _walk(codec_of(field.target), f"{path}.", (*above, field.target))


_FRAMES: dict[str, type] = {
    "hello": link.Hello,
    "batch": link.Batch,
    "receipt": link.Receipt,
    "query": link.Query,
    "answer": link.Answer,
    "goodbye": link.Goodbye,
}
_FRAME_NAMES = {cls: name for name, cls in _FRAMES.items()}


def decode_frame(body: bytes) -> link.Frame:
    """A frame of the stream. Raises InvalidFieldsError, also for a kind of frame that this version does not know."""
    if len(body) > FRAME_BYTES_MAX:
        raise InvalidFieldsError([Finding("too-large", "frame", f"{len(body)} bytes; at most {FRAME_BYTES_MAX}")])
    try:
        frame = message_class("Frame").FromString(body)
    except DecodeError:
        raise InvalidFieldsError([Finding("unreadable", "frame", f"{len(body)} bytes are no frame")]) from None
    name = frame.WhichOneof("frame")
    if name is None:
        raise InvalidFieldsError([Finding("unknown-frame", "frame", "a kind of frame that this version does not know")])
    return cast("link.Frame", _decode_message(codec_of(_FRAMES[name]), getattr(frame, name)))


def encode_frame(frame: link.Frame) -> bytes:
    """The bytes of a frame."""
    message = message_class("Frame")()
    part = getattr(message, _FRAME_NAMES[type(frame)])
    part.SetInParent()
    codec_of(type(frame)).fill(part, frame)
    return cast("bytes", message.SerializeToString())
