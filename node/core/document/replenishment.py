"""Demand that travels up the chain, and the supply that is promised for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from node.core.document.common import (
    DocumentHeader,
    DocumentKey,
    ItemRef,
    LocationRef,
    Period,
    QualifiedDate,
    Reason,
)
from node.core.quantity import Quantity


class Commitment(StrEnum):
    """How binding a demand is."""

    UNSPECIFIED = "UNSPECIFIED"
    INFORMATION = "INFORMATION"
    PLANNED = "PLANNED"
    FIRM = "FIRM"


@dataclass(frozen=True, kw_only=True)
class ReplenishmentLine:
    """Demand for one item."""

    line_id: str = ""
    item: ItemRef | None = None
    quantity: Quantity | None = None
    dates: tuple[QualifiedDate, ...] = ()
    location: LocationRef | None = None
    commitment: Commitment = Commitment.UNSPECIFIED
    # Pseudonymous ids of the demands behind this line, carried through every hop so that each is counted once.
    demand_ids: tuple[str, ...] = ()
    on_hand: Quantity | None = None
    reorder_point: Quantity | None = None


@dataclass(frozen=True, kw_only=True)
class ReplenishmentRequest:
    """What somebody down the chain is going to need."""

    header: DocumentHeader | None = None
    commitment: Commitment = Commitment.UNSPECIFIED
    lines: tuple[ReplenishmentLine, ...] = ()
    reason: Reason | None = None


@dataclass(frozen=True, kw_only=True)
class ReplenishmentResponseLine:
    """What will come for one line."""

    line_id: str = ""
    item: ItemRef | None = None
    quantity: Quantity | None = None
    dates: tuple[QualifiedDate, ...] = ()
    reason: Reason | None = None
    location: LocationRef | None = None
    # The request's line that this answers; several lines may answer one.
    request_line_id: str = ""
    commitment: Commitment = Commitment.UNSPECIFIED


@dataclass(frozen=True, kw_only=True)
class ReplenishmentResponse:
    """What will come and when; becomes the requester's expected supply."""

    header: DocumentHeader | None = None
    request: DocumentKey | None = None
    lines: tuple[ReplenishmentResponseLine, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ForecastLine:
    """Expected demand for one item in one period."""

    line_id: str = ""
    item: ItemRef | None = None
    location: LocationRef | None = None
    period: Period | None = None
    quantity: Quantity | None = None
    commitment: Commitment = Commitment.UNSPECIFIED


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Expected demand over time."""

    header: DocumentHeader | None = None
    horizon: Period | None = None
    lines: tuple[ForecastLine, ...] = ()
