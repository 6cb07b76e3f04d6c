"""Invoice, credit note and remittance; BT numbers are the terms of EN 16931-1."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
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
    PaymentTerms,
    Period,
    Price,
    Reason,
    Reference,
    Tax,
    TaxSubtotal,
    Trace,
)
from node.core.document.ware import Classification
from node.core.money import Money
from node.core.quantity import Quantity


class LegalStatus(StrEnum):
    """Whether this document or another is the one that tax law knows."""

    UNSPECIFIED = "UNSPECIFIED"
    # This document is the legal original.
    ORIGINAL = "ORIGINAL"
    # The legal original went another way; see original_channel.
    COPY = "COPY"


@dataclass(frozen=True, kw_only=True)
class InvoiceLine:
    """BG-25."""

    # BT-126.
    line_id: str = ""
    line_kind: LineKind = LineKind.UNSPECIFIED
    parent_line: str = ""
    # BT-153 to BT-157.
    item: ItemRef | None = None
    # BT-129, BT-130.
    quantity: Quantity | None = None
    # BT-146 to BT-150.
    price: Price | None = None
    # BT-131.
    line_amount: Money | None = None
    # BG-27, BG-28.
    allowances_charges: tuple[AllowanceCharge, ...] = ()
    # BT-151, BT-152.
    tax: Tax | None = None
    order: DocumentKey | None = None
    # BT-132.
    order_line_id: str = ""
    despatch: DocumentKey | None = None
    despatch_line_id: str = ""
    # BG-26.
    period: Period | None = None
    # BT-127.
    notes: tuple[Note, ...] = ()
    # BT-133.
    accounting_reference: str = ""
    # BG-32.
    properties: tuple[ItemProperty, ...] = ()
    # BT-128.
    references: tuple[Reference, ...] = ()
    trace: tuple[Trace, ...] = ()
    # BT-158.
    classifications: tuple[Classification, ...] = ()
    # BT-159.
    origin_country: str = ""
    # Catch weight: what was delivered in the unit ordered, when quantity is what was weighed.
    delivered_quantity: Quantity | None = None


@dataclass(frozen=True, kw_only=True)
class InvoiceTotals:
    """BG-22."""

    # BT-106.
    lines: Money | None = None
    # BT-107.
    allowances: Money | None = None
    # BT-108.
    charges: Money | None = None
    # BT-109.
    without_tax: Money | None = None
    # BT-110.
    tax: Money | None = None
    # BT-111, in the tax currency.
    tax_in_tax_currency: Money | None = None
    # BT-112.
    with_tax: Money | None = None
    # BT-113.
    prepaid: Money | None = None
    # BT-114.
    rounding: Money | None = None
    # BT-115.
    payable: Money | None = None
    # Sum of the withholding_subtotals; payable stays what EN 16931 makes it.
    withheld: Money | None = None


@dataclass(frozen=True, kw_only=True)
class PaymentMeans:
    """BG-16 to BG-19."""

    # UNCL4461.
    code: str = ""
    text: str = ""
    payment_reference: str = ""
    account: str = ""
    account_name: str = ""
    bank: str = ""
    card_number_end: str = ""
    card_holder: str = ""
    mandate: str = ""
    creditor: str = ""
    debited_account: str = ""
    card_network: str = ""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """BG-13 and the day on which the supply counts for tax."""

    # BT-72.
    on: date | None = None
    location: LocationRef | None = None
    # BT-70.
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Invoice:
    """What is owed, with every term of EN 16931-1."""

    header: DocumentHeader | None = None
    # UNCL1001: 380, 381, 384, 389, 386... BT-3.
    type_code: str = ""
    # BT-5.
    currency: str = ""
    # BT-6.
    tax_currency: str = ""
    # BT-7.
    tax_point_on: date | None = None
    # BT-8.
    tax_point_code: str = ""
    issued_on: date | None = None
    # BT-9.
    due_on: date | None = None
    order: DocumentKey | None = None
    lines: tuple[InvoiceLine, ...] = ()
    allowances_charges: tuple[AllowanceCharge, ...] = ()
    tax_subtotals: tuple[TaxSubtotal, ...] = ()
    totals: InvoiceTotals | None = None
    payment_terms: PaymentTerms | None = None
    payment_means: tuple[PaymentMeans, ...] = ()
    delivery: Delivery | None = None
    # BG-14.
    period: Period | None = None
    legal_status: LegalStatus = LegalStatus.UNSPECIFIED
    original_channel: str = ""
    original_id: str = ""
    # BT-19.
    accounting_reference: str = ""
    # BT-23, BT-24.
    process_id: str = ""
    profile_id: str = ""
    delivery_terms: DeliveryTerms | None = None
    # Tax that the buyer keeps back and pays for the seller.
    withholding_subtotals: tuple[TaxSubtotal, ...] = ()
    prepayments: tuple[Prepayment, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CreditNote:
    """What is owed back; the same terms as an invoice."""

    header: DocumentHeader | None = None
    type_code: str = ""
    currency: str = ""
    tax_currency: str = ""
    tax_point_on: date | None = None
    tax_point_code: str = ""
    issued_on: date | None = None
    due_on: date | None = None
    order: DocumentKey | None = None
    lines: tuple[InvoiceLine, ...] = ()
    allowances_charges: tuple[AllowanceCharge, ...] = ()
    tax_subtotals: tuple[TaxSubtotal, ...] = ()
    totals: InvoiceTotals | None = None
    payment_terms: PaymentTerms | None = None
    payment_means: tuple[PaymentMeans, ...] = ()
    delivery: Delivery | None = None
    period: Period | None = None
    legal_status: LegalStatus = LegalStatus.UNSPECIFIED
    original_channel: str = ""
    original_id: str = ""
    accounting_reference: str = ""
    process_id: str = ""
    profile_id: str = ""
    delivery_terms: DeliveryTerms | None = None
    # The invoice that is credited.
    invoice: DocumentKey | None = None
    reason: Reason | None = None
    withholding_subtotals: tuple[TaxSubtotal, ...] = ()
    prepayments: tuple[Prepayment, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RemittanceLine:
    """What a payment pays of one invoice."""

    line_id: str = ""
    invoice: DocumentKey | None = None
    paid: Money | None = None
    discount: Money | None = None
    deducted: Money | None = None
    reason: Reason | None = None


@dataclass(frozen=True, kw_only=True)
class RemittanceAdvice:
    """Which invoices a payment pays."""

    header: DocumentHeader | None = None
    paid_on: date | None = None
    total: Money | None = None
    lines: tuple[RemittanceLine, ...] = ()
    payment_reference: str = ""
    payment_means: PaymentMeans | None = None


@dataclass(frozen=True, kw_only=True)
class Prepayment:
    """A payment made before, or collected for somebody else; totals.prepaid has the sum."""

    id: str = ""
    amount: Money | None = None
    text: str = ""
    paid_on: date | None = None
