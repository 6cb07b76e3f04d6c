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
    """One of the schema's words; UNSPECIFIED means that it was not said."""

    UNSPECIFIED = "UNSPECIFIED"
    POSTED = "POSTED"
    REFUSED = "REFUSED"
    IN_PROCESS = "IN_PROCESS"
    PAID = "PAID"


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """Tolerance."""

    # Percent, as a decimal.
    quantity_over: Decimal | None = None
    quantity_under: Decimal | None = None
    price: Decimal | None = None
    days_early: int = 0
    days_late: int = 0


@dataclass(frozen=True, kw_only=True)
class CutOff:
    """Cut off."""

    location: LocationRef | None = None
    # "HH:MM" in the location's zone.
    time: str = ""
    # 1 is Monday (ISO 8601).
    weekdays: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LeadTime:
    """Lead time."""

    item: ItemRef | None = None
    days: int = 0


@dataclass(frozen=True, kw_only=True)
class TradeTerms:
    """Trade terms."""

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
class LineReason:
    """Line reason."""

    line_id: str = ""
    reason: Reason | None = None


@dataclass(frozen=True, kw_only=True)
class ApplicationResponse:
    """The receiver's ERP has spoken: posted as 4711, or refused because..."""

    header: DocumentHeader | None = None
    document: DocumentKey | None = None
    outcome: ApplicationOutcome = ApplicationOutcome.UNSPECIFIED
    posted_as: str = ""
    reasons: tuple[Reason, ...] = ()
    line_reasons: tuple[LineReason, ...] = ()
