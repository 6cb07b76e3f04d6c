"""Trade terms between two partners, and the receiver's verdict on a document."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from node.core.document.common import (
    DeliveryTerms,
    DocumentHeader,
    DocumentKey,
    ItemRef,
    LocationRef,
    PaymentTerms,
    Period,
    Reason,
)
from node.core.money import Money


class ApplicationOutcome(StrEnum):
    """The receiver's verdict."""

    UNSPECIFIED = "UNSPECIFIED"
    POSTED = "POSTED"
    REFUSED = "REFUSED"
    IN_PROCESS = "IN_PROCESS"
    PAID = "PAID"
    ACCEPTED = "ACCEPTED"
    ACCEPTED_CONDITIONALLY = "ACCEPTED_CONDITIONALLY"
    UNDER_QUERY = "UNDER_QUERY"
    RECEIVED = "RECEIVED"


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """How far an answer may differ from the order and still be taken."""

    # Percent, as a decimal.
    quantity_over: Decimal | None = None
    quantity_under: Decimal | None = None
    price: Decimal | None = None
    days_early: int = 0
    days_late: int = 0


@dataclass(frozen=True, kw_only=True)
class CutOff:
    """Until when an order is still handled on the same day."""

    location: LocationRef | None = None
    # "HH:MM" in the location's zone.
    time: str = ""
    # 1 is Monday (ISO 8601).
    weekdays: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LeadTime:
    """Days from order to despatch."""

    item: ItemRef | None = None
    days: int = 0


@dataclass(frozen=True, kw_only=True)
class TradeTerms:
    """What two partners agreed on, as either tells the other."""

    header: DocumentHeader | None = None
    tolerance: Tolerance | None = None
    order_minimum: Money | None = None
    payment_terms: PaymentTerms | None = None
    delivery_terms: DeliveryTerms | None = None
    credit_limit: Money | None = None
    cut_offs: tuple[CutOff, ...] = ()
    lead_times: tuple[LeadTime, ...] = ()
    holidays_on: tuple[date, ...] = ()
    # Accept orders inside the tolerances by itself; otherwise a human is asked.
    auto_accept: bool = False
    validity: Period | None = None


@dataclass(frozen=True, kw_only=True)
class ApplicationResponse:
    """The receiver's ERP has spoken: posted as 4711, or refused because..."""

    header: DocumentHeader | None = None
    document: DocumentKey | None = None
    outcome: ApplicationOutcome = ApplicationOutcome.UNSPECIFIED
    posted_as: str = ""
    reasons: tuple[Reason, ...] = ()
    line_reasons: tuple[LineReason, ...] = ()
    # The day on which it took effect, such as that of the payment.
    effective_on: date | None = None


@dataclass(frozen=True, kw_only=True)
class LineReason:
    """Why one line is not taken; with ACCEPTED, one of the lines that are."""

    line_id: str = ""
    reason: Reason | None = None
