"""Early word of what will not come as promised."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from node.core.document.common import DocumentHeader, DocumentKey, ItemRef, LocationRef, Period, Reason
from node.core.quantity import Quantity


class DisruptionKind(StrEnum):
    """What is wrong."""

    UNSPECIFIED = "UNSPECIFIED"
    # It comes later.
    DELAY = "DELAY"
    # There is less of it than was told.
    SHORTAGE = "SHORTAGE"
    # Less can be sent than usual; what is there comes afterwards.
    CAPACITY = "CAPACITY"
    # Nothing can be sent.
    CLOSURE = "CLOSURE"
    # All is well again: ends the notices that go back to the same first one.
    RECOVERED = "RECOVERED"


@dataclass(frozen=True, kw_only=True)
class DisruptionLine:
    """What a notice concerns; what a line does not name, it means all of."""

    line_id: str = ""
    item: ItemRef | None = None
    location: LocationRef | None = None
    # One order of the receiver's, when no other is concerned.
    order: DocumentKey | None = None
    # One hold of the receiver's, likewise.
    reservation_id: str = ""
    # How much can still be had or sent; absent: nothing.
    quantity_left: Quantity | None = None
    days_late: int = 0


@dataclass(frozen=True, kw_only=True)
class DisruptionNotice:
    """Updates what its receiver can promise. Passed on, it names neither who said it first nor their places."""

    header: DocumentHeader | None = None
    kind: DisruptionKind = DisruptionKind.UNSPECIFIED
    # Without an end: until further notice.
    period: Period | None = None
    reason: Reason | None = None
    lines: tuple[DisruptionLine, ...] = ()
