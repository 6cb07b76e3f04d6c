"""Validation: what a receiver checks before it takes a document, and the sender before it submits one.

Rules are words that stay, so that programs may act on them; texts say what was given and what was expected.

Header: ``header-missing``, ``issuer``, ``number``, ``issued-at``, ``expired``, ``usage``, ``not-understood``,
``party``, ``personal-data``, ``attachment``. Lines: ``no-lines``, ``too-many-lines``, ``line-id``, ``line-id-twice``,
``item-missing``, ``item-unnamed``, ``gtin``, ``gln``, ``sscc``, ``quantity``, ``quantity-missing``, ``unknown-unit``,
``unlike-units``, ``currency``, ``price-negative``, ``percent``, ``date``, ``schedule-exceeds``, ``trace-exceeds``,
``outcome``... Invoices: the rule numbers of EN 16931-1 in lower case (``br-co-15``), ``line-amount``,
``vat-breakdown``.

These rules need nothing but the document. Whether it fits the order that it names is decided in
`node.core.order_book`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from node.core.customer_order import check_customer_order
from node.core.data_checks import (
    check_catalogue,
    check_forecast,
    check_inventory,
    check_replenishment,
    check_replenishment_response,
    check_terms,
    check_verdict,
)
from node.core.disruption_checks import check_disruption
from node.core.document import INTERNAL, Document
from node.core.document.catalogue import ItemCatalogue
from node.core.document.common import DocumentHeader, PartyRole
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
from node.core.finding import Finding
from node.core.invoice_check import check_invoice, check_remittance
from node.core.iso_codes import MINOR_UNITS
from node.core.line_checks import FINDINGS_MAX, YEAR_MAX, YEAR_MIN, Checks
from node.core.order_checks import (
    check_cancellation,
    check_change,
    check_delivery,
    check_despatch,
    check_order,
    check_receiving,
    check_response,
    check_return,
    check_return_receipt,
)
from node.core.reservation_checks import check_release, check_request
from node.core.reservation_checks import check_response as check_reservation_response

__all__ = ["LINES_MAX", "NUMBER_LENGTH_MAX", "findings"]

LINES_MAX = 5_000
"""Lines of one document."""

NUMBER_LENGTH_MAX = 100
"""Characters of a document number, unit or series."""

_AHEAD_MAX = timedelta(days=1)
_BUYER = "buyer"
_SELLER = "seller"
_SELF_BILLED = frozenset({"389", "261"})

# Which of the two parties sends a document, where the type says so.
_SENT_BY: dict[type, str] = {
    Order: _BUYER,
    OrderChange: _BUYER,
    OrderCancellation: _BUYER,
    RemittanceAdvice: _BUYER,
    ReplenishmentRequest: _BUYER,
    OrderResponse: _SELLER,
    Invoice: _SELLER,
    CreditNote: _SELLER,
    ItemCatalogue: _SELLER,
    ReplenishmentResponse: _SELLER,
}

_CHECKS: dict[type, Callable[[Checks, Any], None]] = {
    ItemCatalogue: check_catalogue,
    InventoryReport: check_inventory,
    Order: check_order,
    OrderResponse: check_response,
    OrderChange: check_change,
    OrderCancellation: check_cancellation,
    DespatchAdvice: check_despatch,
    ReceivingAdvice: check_receiving,
    DeliveryStatus: check_delivery,
    ReturnAnnouncement: check_return,
    ReturnReceipt: check_return_receipt,
    Invoice: check_invoice,
    CreditNote: check_invoice,
    RemittanceAdvice: check_remittance,
    ReplenishmentRequest: check_replenishment,
    ReplenishmentResponse: check_replenishment_response,
    ReservationRequest: check_request,
    ReservationResponse: check_reservation_response,
    ReservationRelease: check_release,
    DisruptionNotice: check_disruption,
    Forecast: check_forecast,
    TradeTerms: check_terms,
    ApplicationResponse: check_verdict,
    CustomerOrder: check_customer_order,
}


def findings(
    document: Document, *, sender: str, receiver: str, usage: str, now: datetime, understands: frozenset[str]
) -> list[Finding]:
    """Everything that is wrong with `document`, at most `FINDINGS_MAX` remarks; empty means that it may be taken.

    `sender` and `receiver` are the participant ids of the link's two sides, `usage` is the link's ("TEST" or
    "PRODUCTION"), `now` the instant of taking it, `understands` the names of semantics that the receiver knows.
    """
    checks = Checks()
    header = document.header
    if header is None:
        checks.add("header-missing", "header", "a header with issuer, number and issued_at was expected")
        return checks.found
    _header(checks, header, sender, usage, now, understands)
    if header.parties:
        _parties(checks, document, header, sender, receiver)
    if header.attachments:
        _attachments(checks, header)
    if sender != receiver and type(document).__name__ in INTERNAL:
        checks.add("internal", "", "a document of a company's own, which is never sent to a partner")
        return checks.found
    lines = getattr(document, "lines", ())
    if len(lines) > LINES_MAX:
        text = f"{len(lines)} lines were given, at most {LINES_MAX} are taken: split the document"
        checks.add("too-many-lines", "lines", text)
        return checks.found
    currency = getattr(document, "currency", "")
    if currency:
        if currency not in MINOR_UNITS:
            checks.add("currency", "currency", f"{currency[:40]!r} was given, an ISO 4217 code was expected")
            return checks.found
        checks.currency = currency
    _CHECKS[type(document)](checks, document)
    return checks.found[:FINDINGS_MAX]


def _header(
    checks: Checks, header: DocumentHeader, sender: str, usage: str, now: datetime, understands: frozenset[str]
) -> None:
    if header.issuer != sender:
        text = f"{header.issuer[:NUMBER_LENGTH_MAX]!r} was given, the sender {sender!r} was expected"
        checks.add("issuer", "header.issuer", text)
    number = header.number
    if not number or len(number) > NUMBER_LENGTH_MAX or not number.isprintable():
        checks.add("number", "header.number", f"1 to {NUMBER_LENGTH_MAX} printable characters were expected")
    if len(header.unit) > NUMBER_LENGTH_MAX or len(header.series) > NUMBER_LENGTH_MAX:
        checks.add("number", "header.series", f"at most {NUMBER_LENGTH_MAX} characters were expected")
    issued_at = header.issued_at
    if issued_at is None:
        checks.add("issued-at", "header.issued_at", "the instant of issue was expected")
    elif issued_at > now + _AHEAD_MAX or not YEAR_MIN <= issued_at.year <= YEAR_MAX:
        text = f"{issued_at.isoformat()} was given, an instant from {YEAR_MIN} to at most a day from now was expected"
        checks.add("issued-at", "header.issued_at", text)
    if header.valid_until is not None and header.valid_until < now:
        checks.add("expired", "header.valid_until", f"it was valid until {header.valid_until.isoformat()}")
    if header.usage != usage:
        checks.add("usage", "header.usage", f"{header.usage.value} was given, {usage} was expected on this link")
    if header.requires and not understands.issuperset(header.requires):
        for place, name in enumerate(header.requires):
            if name not in understands:
                text = f"{name[:NUMBER_LENGTH_MAX]!r} is not understood here"
                checks.add("not-understood", f"header.requires[{place}]", text)


def _parties(checks: Checks, document: Document, header: DocumentHeader, sender: str, receiver: str) -> None:
    """Buyer and seller are the link's two sides, the way round that fits the document; consumers are not named."""
    sent_by = _SENT_BY.get(type(document))
    if sent_by is _SELLER and getattr(document, "type_code", "") in _SELF_BILLED:
        sent_by = _BUYER
    for place, party in enumerate(header.parties):
        role = party.role
        if party.personal_key:
            if party.name or party.contact is not None or party.address is not None:
                text = "a consumer's data beside the document was expected, and only its key here"
                checks.add("personal-data", f"header.parties[{place}]", text)
            elif not header.personal_sha256:
                checks.add("personal-data", "header.personal_sha256", "the hash of the personal data was expected")
        if not party.id or (role is not PartyRole.BUYER and role is not PartyRole.SELLER):
            continue
        if sent_by is None:
            fits = party.id in (sender, receiver)
            expected = f"{sender} or {receiver}"
        else:
            expected = sender if (role is PartyRole.BUYER) == (sent_by is _BUYER) else receiver
            fits = party.id == expected
        if not fits:
            text = f"{role.value} {party.id[:NUMBER_LENGTH_MAX]!r} was given, {expected} was expected"
            checks.add("party", f"header.parties[{place}].id", text)


def _attachments(checks: Checks, header: DocumentHeader) -> None:
    """A content that came along has the stated hash; one that is only named may be without."""
    for place, attachment in enumerate(header.attachments):
        path = f"header.attachments[{place}]"
        if attachment.content and sha256(attachment.content).digest() != attachment.sha256:
            checks.add("attachment", f"{path}.sha256", "the SHA-256 of the content was expected")
        elif attachment.sha256 and len(attachment.sha256) != 32:
            checks.add("attachment", f"{path}.sha256", "32 bytes were expected")
