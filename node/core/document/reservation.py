"""Stock holds with expiry: asked for, answered, given back. The grantor's committed ledger and clock decide."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from node.core.document.common import DocumentHeader, DocumentKey, ItemRef, LocationRef, Reason
from node.core.quantity import Quantity


class ReservationAction(StrEnum):
    """What a request wants: a new hold, or a later end of one that is granted."""

    UNSPECIFIED = "UNSPECIFIED"
    HOLD = "HOLD"
    EXTEND = "EXTEND"


class ReservationMode(StrEnum):
    """Whether less than asked for is of use: as much as there is, or every line in full or nothing at all."""

    UNSPECIFIED = "UNSPECIFIED"
    PARTIAL = "PARTIAL"
    COMPLETE = "COMPLETE"


class ReservationOutcome(StrEnum):
    """What the grantor says to one line."""

    UNSPECIFIED = "UNSPECIFIED"
    GRANTED = "GRANTED"
    PARTLY_GRANTED = "PARTLY_GRANTED"
    REFUSED = "REFUSED"
    # The hold had ended before this came.
    EXPIRED = "EXPIRED"
    # The grantor has taken the hold back, or the requester has given it back.
    RELEASED = "RELEASED"
    # An order has taken the hold up.
    CONFIRMED = "CONFIRMED"


@dataclass(frozen=True, kw_only=True)
class ReservationRequestLine:
    """One item to be held at one place."""

    line_id: str = ""
    # The requester's own name of the hold, never used again: what order lines, extensions and releases name.
    reservation_id: str = ""
    item: ItemRef | None = None
    quantity: Quantity | None = None
    # Absent: whichever one place of the grantor's has it.
    location: LocationRef | None = None
    needed_on: date | None = None


@dataclass(frozen=True, kw_only=True)
class ReservationRequest:
    """Please hold this until then. Stale after header.valid_until by the grantor's clock; never waits for another."""

    header: DocumentHeader | None = None
    action: ReservationAction = ReservationAction.UNSPECIFIED
    mode: ReservationMode = ReservationMode.UNSPECIFIED
    # The grantor may hold for less: its answer says until when.
    hold_until: datetime | None = None
    lines: tuple[ReservationRequestLine, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReservationResponseLine:
    """The grantor's answer to one line."""

    line_id: str = ""
    reservation_id: str = ""
    item: ItemRef | None = None
    outcome: ReservationOutcome = ReservationOutcome.UNSPECIFIED
    # What is held, in the unit that was asked for; zero when nothing is.
    quantity: Quantity | None = None
    location: LocationRef | None = None
    # By the grantor's clock; a requester keeps a margin.
    expires_at: datetime | None = None
    reason: Reason | None = None


@dataclass(frozen=True, kw_only=True)
class ReservationResponse:
    """What is held and until when, as committed by the grantor before this left."""

    header: DocumentHeader | None = None
    request: DocumentKey | None = None
    lines: tuple[ReservationResponseLine, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReservationReleaseLine:
    """One hold that is needed no more, or a part of it."""

    line_id: str = ""
    reservation_id: str = ""
    reason: Reason | None = None
    # How much is given back; absent: all that is left of it. Of more than is left, all that is left.
    quantity: Quantity | None = None


@dataclass(frozen=True, kw_only=True)
class ReservationRelease:
    """The requester gives holds back, granted or still asked for, whole or in part."""

    header: DocumentHeader | None = None
    request: DocumentKey | None = None
    lines: tuple[ReservationReleaseLine, ...] = ()
