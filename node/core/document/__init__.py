"""Business documents as frozen values, one class for each message of the schema; `DOCUMENTS` names them by type."""

from __future__ import annotations

from node.core.document.catalogue import ItemCatalogue
from node.core.document.common import DocumentHeader, DocumentKey
from node.core.document.customer import CustomerOrder
from node.core.document.disruption import DisruptionNotice
from node.core.document.fulfilment import (
    DeliveryStatus,
    DespatchAdvice,
    ReceivingAdvice,
    ReturnAnnouncement,
    ReturnReceipt,
)
from node.core.document.inventory import InventoryReport
from node.core.document.invoice import CreditNote, Invoice, RemittanceAdvice
from node.core.document.order import Order, OrderCancellation, OrderChange, OrderResponse
from node.core.document.replenishment import Forecast, ReplenishmentRequest, ReplenishmentResponse
from node.core.document.reservation import ReservationRelease, ReservationRequest, ReservationResponse
from node.core.document.terms import ApplicationResponse, TradeTerms

__all__ = ["DOCUMENTS", "INTERNAL", "Document", "document_key", "document_type", "header_of"]

Document = (
    ItemCatalogue
    | InventoryReport
    | Order
    | OrderResponse
    | OrderChange
    | OrderCancellation
    | DespatchAdvice
    | ReceivingAdvice
    | DeliveryStatus
    | ReturnAnnouncement
    | ReturnReceipt
    | Invoice
    | CreditNote
    | RemittanceAdvice
    | ReplenishmentRequest
    | ReplenishmentResponse
    | ReservationRequest
    | ReservationResponse
    | ReservationRelease
    | DisruptionNotice
    | Forecast
    | TradeTerms
    | ApplicationResponse
    | CustomerOrder
)

DOCUMENTS: dict[str, type[Document]] = {
    kind.__name__: kind
    for kind in (
        ItemCatalogue,
        InventoryReport,
        Order,
        OrderResponse,
        OrderChange,
        OrderCancellation,
        DespatchAdvice,
        ReceivingAdvice,
        DeliveryStatus,
        ReturnAnnouncement,
        ReturnReceipt,
        Invoice,
        CreditNote,
        RemittanceAdvice,
        ReplenishmentRequest,
        ReplenishmentResponse,
        ReservationRequest,
        ReservationResponse,
        ReservationRelease,
        DisruptionNotice,
        Forecast,
        TradeTerms,
        ApplicationResponse,
        CustomerOrder,
    )
}

INTERNAL: frozenset[str] = frozenset({CustomerOrder.__name__})
"""Types that adapters give us for ourselves: no partner sends or gets them."""


def document_type(document: Document) -> str:
    """The document's type word, such as "Order": the name of its message in the schema."""
    return type(document).__name__


def header_of(document: Document) -> DocumentHeader:
    """The document's header; an absent one reads as an empty one, which validation refuses."""
    return document.header or DocumentHeader()


def document_key(document: Document) -> DocumentKey:
    """Whose number on which document: what makes two deliveries the same document."""
    header = header_of(document)
    return DocumentKey(
        issuer=header.issuer,
        unit=header.unit,
        type=document_type(document),
        number=header.number,
        series=header.series,
        revision=header.revision,
    )
