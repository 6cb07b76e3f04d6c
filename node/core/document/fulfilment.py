"""Goods on their way, their arrival, and their way back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from node.core.document.common import (
    DeliveryTerms,
    DocumentHeader,
    DocumentKey,
    ItemProperty,
    ItemRef,
    LineKind,
    LocationRef,
    Measure,
    Note,
    Package,
    Price,
    QualifiedDate,
    Reason,
    Reference,
    Trace,
)
from node.core.document.ware import Classification, DangerousGoods
from node.core.quantity import Quantity


class AdviceStatus(StrEnum):
    """Whether an advice stands, is corrected by this revision, or never happened."""

    UNSPECIFIED = "UNSPECIFIED"
    ORIGINAL = "ORIGINAL"
    CORRECTED = "CORRECTED"
    CANCELLED = "CANCELLED"


class DeliveryEvent(StrEnum):
    """What happened to a delivery."""

    UNSPECIFIED = "UNSPECIFIED"
    PICKED_UP = "PICKED_UP"
    IN_TRANSIT = "IN_TRANSIT"
    OUT_FOR_DELIVERY = "OUT_FOR_DELIVERY"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    RETURNED = "RETURNED"
    READY_FOR_COLLECTION = "READY_FOR_COLLECTION"
    COLLECTED = "COLLECTED"


class Disposition(StrEnum):
    """What is done with what came back."""

    UNSPECIFIED = "UNSPECIFIED"
    RESTOCK = "RESTOCK"
    REPAIR = "REPAIR"
    SCRAP = "SCRAP"
    RETURN_TO_MAKER = "RETURN_TO_MAKER"
    REFUSED = "REFUSED"


@dataclass(frozen=True, kw_only=True)
class Carriage:
    """Who carries the goods, and under which numbers."""

    carrier: str = ""
    service: str = ""
    tracking: str = ""
    tracking_uri: str = ""
    vehicle: str = ""
    transport_mode: str = ""
    shipment_id: str = ""
    consignment_id: str = ""
    driver: str = ""


@dataclass(frozen=True, kw_only=True)
class DespatchLine:
    """What of an order line is on its way."""

    line_id: str = ""
    order: DocumentKey | None = None
    order_line_id: str = ""
    schedule_id: str = ""
    item: ItemRef | None = None
    quantity: Quantity | None = None
    # Catch weight: what will be invoiced.
    billed_quantity: Quantity | None = None
    outstanding_quantity: Quantity | None = None
    outstanding_reason: Reason | None = None
    trace: tuple[Trace, ...] = ()
    line_kind: LineKind = LineKind.UNSPECIFIED
    parent_line: str = ""
    notes: tuple[Note, ...] = ()
    references: tuple[Reference, ...] = ()
    properties: tuple[ItemProperty, ...] = ()
    substitutes: ItemRef | None = None
    price: Price | None = None
    dangerous_goods: DangerousGoods | None = None
    seller_order_line_id: str = ""
    classifications: tuple[Classification, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DespatchAdvice:
    """What was sent, how it is packed, and when it arrives."""

    header: DocumentHeader | None = None
    status: AdviceStatus = AdviceStatus.UNSPECIFIED
    order: DocumentKey | None = None
    despatched_at: datetime | None = None
    dates: tuple[QualifiedDate, ...] = ()
    carriage: Carriage | None = None
    ship_from: LocationRef | None = None
    ship_to: LocationRef | None = None
    packages: tuple[Package, ...] = ()
    lines: tuple[DespatchLine, ...] = ()
    measures: tuple[Measure, ...] = ()
    delivery_terms: DeliveryTerms | None = None
    type_code: str = ""
    package_count: int = 0


@dataclass(frozen=True, kw_only=True)
class ReceivingLine:
    """What arrived of a despatched line, by condition."""

    line_id: str = ""
    order: DocumentKey | None = None
    order_line_id: str = ""
    despatch: DocumentKey | None = None
    despatch_line_id: str = ""
    item: ItemRef | None = None
    accepted: Quantity | None = None
    short: Quantity | None = None
    over: Quantity | None = None
    damaged: Quantity | None = None
    wrong: Quantity | None = None
    reason: Reason | None = None
    trace: tuple[Trace, ...] = ()
    # Catch weight: what was weighed on arrival.
    billed_quantity: Quantity | None = None
    line_kind: LineKind = LineKind.UNSPECIFIED
    parent_line: str = ""


@dataclass(frozen=True, kw_only=True)
class ReceivingAdvice:
    """What arrived."""

    header: DocumentHeader | None = None
    status: AdviceStatus = AdviceStatus.UNSPECIFIED
    despatch: DocumentKey | None = None
    order: DocumentKey | None = None
    received_at: datetime | None = None
    location: LocationRef | None = None
    lines: tuple[ReceivingLine, ...] = ()
    packages: tuple[Package, ...] = ()
    carriage: Carriage | None = None


@dataclass(frozen=True, kw_only=True)
class DeliveryLine:
    """How much of an order line a delivery status is about."""

    order_line_id: str = ""
    quantity: Quantity | None = None


@dataclass(frozen=True, kw_only=True)
class DeliveryStatus:
    """What the carrier, or a store, says happened; consumers send no receiving advice."""

    header: DocumentHeader | None = None
    despatch: DocumentKey | None = None
    order: DocumentKey | None = None
    event: DeliveryEvent = DeliveryEvent.UNSPECIFIED
    occurred_at: datetime | None = None
    location: LocationRef | None = None
    reason: Reason | None = None
    sscc: tuple[str, ...] = ()
    tracking: str = ""
    # Proof of delivery: media and hash are in the header's attachments; who signed is personal data.
    signed_personal_key: str = ""
    # Empty: all that the despatch carried; of goods to collect, all that is ready, or is to be.
    lines: tuple[DeliveryLine, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReturnLine:
    """What comes back of an order line, and why."""

    line_id: str = ""
    order: DocumentKey | None = None
    order_line_id: str = ""
    item: ItemRef | None = None
    quantity: Quantity | None = None
    reason: Reason | None = None
    trace: tuple[Trace, ...] = ()
    billed_quantity: Quantity | None = None
    line_kind: LineKind = LineKind.UNSPECIFIED
    parent_line: str = ""
    invoice: DocumentKey | None = None
    invoice_line_id: str = ""


@dataclass(frozen=True, kw_only=True)
class ReturnAnnouncement:
    """What is going to come back."""

    header: DocumentHeader | None = None
    order: DocumentKey | None = None
    return_to: LocationRef | None = None
    lines: tuple[ReturnLine, ...] = ()
    carriage: Carriage | None = None
    dates: tuple[QualifiedDate, ...] = ()
    packages: tuple[Package, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReturnReceiptLine:
    """What came back, and what is done with it."""

    line_id: str = ""
    return_line_id: str = ""
    item: ItemRef | None = None
    quantity: Quantity | None = None
    disposition: Disposition = Disposition.UNSPECIFIED
    reason: Reason | None = None
    trace: tuple[Trace, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReturnReceipt:
    """What came back of what was announced."""

    header: DocumentHeader | None = None
    announcement: DocumentKey | None = None
    order: DocumentKey | None = None
    received_at: datetime | None = None
    location: LocationRef | None = None
    lines: tuple[ReturnReceiptLine, ...] = ()
