"""Order, its answers, changes and cancellation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from node.core.document.common import (
    AllowanceCharge,
    DeliveryTerms,
    DocumentHeader,
    DocumentKey,
    ItemProperty,
    ItemRef,
    LineKind,
    LocationRef,
    Note,
    Party,
    PaymentTerms,
    Period,
    Price,
    QualifiedDate,
    Reason,
    Reference,
    Tax,
    TaxSubtotal,
    Trace,
)
from node.core.document.ware import Certificate, Classification
from node.core.money import Money
from node.core.quantity import Quantity


class OrderKind(StrEnum):
    """Why and how the goods are ordered."""

    UNSPECIFIED = "UNSPECIFIED"
    STANDARD = "STANDARD"
    DROP_SHIP = "DROP_SHIP"
    CALL_OFF = "CALL_OFF"
    CONSIGNMENT = "CONSIGNMENT"
    VMI = "VMI"
    TRANSFER = "TRANSFER"
    RETURN = "RETURN"
    # The goods are the orderer's own, held by the receiver, who sends them: nothing is sold.
    DESPATCH_INSTRUCTION = "DESPATCH_INSTRUCTION"


class ScheduleOutcome(StrEnum):
    """What the seller says to one piece of a line."""

    UNSPECIFIED = "UNSPECIFIED"
    ACCEPTED = "ACCEPTED"
    BACK_ORDERED = "BACK_ORDERED"
    REJECTED = "REJECTED"
    SUBSTITUTED = "SUBSTITUTED"
    CANCELLED = "CANCELLED"
    # Too late to change or cancel: it is on its way.
    DESPATCHED = "DESPATCHED"


class ResponseOutcome(StrEnum):
    """What the seller says to the order as a whole."""

    UNSPECIFIED = "UNSPECIFIED"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    ACCEPTED = "ACCEPTED"
    CHANGED = "CHANGED"
    REJECTED = "REJECTED"
    IN_PROCESS = "IN_PROCESS"


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """One piece of a line: "6 now, 4 in May, 2 rejected" are three."""

    schedule_id: str = ""
    quantity: Quantity | None = None
    dates: tuple[QualifiedDate, ...] = ()
    location: LocationRef | None = None
    outcome: ScheduleOutcome = ScheduleOutcome.UNSPECIFIED
    reason: Reason | None = None
    substitute: ItemRef | None = None


@dataclass(frozen=True, kw_only=True)
class OrderLine:
    """One item ordered."""

    # Permanent: a line keeps its id through changes.
    line_id: str = ""
    line_kind: LineKind = LineKind.UNSPECIFIED
    parent_line: str = ""
    item: ItemRef | None = None
    quantity: Quantity | None = None
    price: Price | None = None
    line_amount: Money | None = None
    schedule: tuple[Schedule, ...] = ()
    dates: tuple[QualifiedDate, ...] = ()
    allowances_charges: tuple[AllowanceCharge, ...] = ()
    tax: Tax | None = None
    remaining_shelf_life_days_min: int = 0
    reservation_id: str = ""
    ship_to: LocationRef | None = None
    properties: tuple[ItemProperty, ...] = ()
    notes: tuple[Note, ...] = ()
    references: tuple[Reference, ...] = ()
    partial_delivery_allowed: bool = False
    accounting_reference: str = ""
    trace: tuple[Trace, ...] = ()
    parties: tuple[Party, ...] = ()
    classifications: tuple[Classification, ...] = ()
    certificates: tuple[Certificate, ...] = ()


@dataclass(frozen=True, kw_only=True)
class OrderTotals:
    """Sums that the sender expects."""

    lines: Money | None = None
    allowances: Money | None = None
    charges: Money | None = None
    tax: Money | None = None
    payable: Money | None = None
    without_tax: Money | None = None
    with_tax: Money | None = None
    prepaid: Money | None = None
    rounding: Money | None = None
    tax_subtotals: tuple[TaxSubtotal, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Order:
    """What the buyer wants, when, where and at which price."""

    header: DocumentHeader | None = None
    order_kind: OrderKind = OrderKind.UNSPECIFIED
    currency: str = ""
    lines: tuple[OrderLine, ...] = ()
    dates: tuple[QualifiedDate, ...] = ()
    allowances_charges: tuple[AllowanceCharge, ...] = ()
    delivery_terms: DeliveryTerms | None = None
    payment_terms: PaymentTerms | None = None
    totals: OrderTotals | None = None
    reservation_id: str = ""
    priority: int = 0
    # Web shop, store, marketplace, partner...
    channel: str = ""
    # UNCL1001 code, where the sender gives one.
    type_code: str = ""
    validity: Period | None = None
    accounting_reference: str = ""


@dataclass(frozen=True, kw_only=True)
class OrderResponseLine:
    """The seller's answer to one line."""

    line_id: str = ""
    item: ItemRef | None = None
    # Complete: the pieces add up to what is now agreed or refused for the line.
    schedule: tuple[Schedule, ...] = ()
    price: Price | None = None
    reason: Reason | None = None
    # The seller's own line number.
    seller_line_id: str = ""
    notes: tuple[Note, ...] = ()
    quantity: Quantity | None = None
    line_amount: Money | None = None
    allowances_charges: tuple[AllowanceCharge, ...] = ()
    tax: Tax | None = None
    line_kind: LineKind = LineKind.UNSPECIFIED
    substituted: bool = False
    properties: tuple[ItemProperty, ...] = ()
    parent_line: str = ""
    # The order line that this substitute stands in for.
    substitutes_line: str = ""
    classifications: tuple[Classification, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    # Whether the item is under contract, as a code of the partners' (Peppol: "CT").
    transaction_conditions: str = ""
    dates: tuple[QualifiedDate, ...] = ()


@dataclass(frozen=True, kw_only=True)
class OrderResponse:
    """The seller's answer; a later revision replaces an earlier one for the lines that it names."""

    header: DocumentHeader | None = None
    order: DocumentKey | None = None
    outcome: ResponseOutcome = ResponseOutcome.UNSPECIFIED
    reason: Reason | None = None
    lines: tuple[OrderResponseLine, ...] = ()
    dates: tuple[QualifiedDate, ...] = ()
    seller_order_number: str = ""
    currency: str = ""
    allowances_charges: tuple[AllowanceCharge, ...] = ()
    totals: OrderTotals | None = None
    delivery_terms: DeliveryTerms | None = None
    payment_terms: PaymentTerms | None = None
    # The document that is answered, when it is not the order itself: a change or a cancellation.
    answers: DocumentKey | None = None
    type_code: str = ""


@dataclass(frozen=True, kw_only=True)
class OrderChange:
    """Names the order's revision that it knows, and gives complete new values of the lines that change."""

    header: DocumentHeader | None = None
    order: DocumentKey | None = None
    order_revision: int = 0
    # quantity zero takes the line away.
    lines: tuple[OrderLine, ...] = ()
    dates: tuple[QualifiedDate, ...] = ()
    reason: Reason | None = None
    currency: str = ""
    totals: OrderTotals | None = None
    delivery_terms: DeliveryTerms | None = None
    payment_terms: PaymentTerms | None = None
    allowances_charges: tuple[AllowanceCharge, ...] = ()
    type_code: str = ""
    validity: Period | None = None


@dataclass(frozen=True, kw_only=True)
class OrderCancellation:
    """Ends only with an answer (an OrderResponse that names it). Without line ids: the whole order."""

    header: DocumentHeader | None = None
    order: DocumentKey | None = None
    order_revision: int = 0
    line_ids: tuple[str, ...] = ()
    reason: Reason | None = None
