"""Values that every document is made of: items, parties, places, prices and the document header."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from node.core.money import Money
from node.core.quantity import Quantity


class PartyRole(StrEnum):
    """One of the schema's words; UNSPECIFIED means that it was not said."""

    UNSPECIFIED = "UNSPECIFIED"
    BUYER = "BUYER"
    SELLER = "SELLER"
    SHIP_FROM = "SHIP_FROM"
    SHIP_TO = "SHIP_TO"
    BILL_TO = "BILL_TO"
    PAYEE = "PAYEE"
    CARRIER = "CARRIER"
    END_CUSTOMER = "END_CUSTOMER"
    MANUFACTURER = "MANUFACTURER"
    TAX_REPRESENTATIVE = "TAX_REPRESENTATIVE"
    ORIGINATOR = "ORIGINATOR"


class ReferenceKind(StrEnum):
    """One of the schema's words; UNSPECIFIED means that it was not said."""

    UNSPECIFIED = "UNSPECIFIED"
    ORDER = "ORDER"
    SALES_ORDER = "SALES_ORDER"
    CONTRACT = "CONTRACT"
    DESPATCH = "DESPATCH"
    RECEIVING = "RECEIVING"
    INVOICE = "INVOICE"
    PRECEDING_INVOICE = "PRECEDING_INVOICE"
    QUOTATION = "QUOTATION"
    PROJECT = "PROJECT"
    TENDER = "TENDER"
    BUYER_REFERENCE = "BUYER_REFERENCE"
    ACCOUNTING = "ACCOUNTING"
    INVOICED_OBJECT = "INVOICED_OBJECT"
    CUSTOMER_ORDER = "CUSTOMER_ORDER"
    RETURN = "RETURN"
    CATALOGUE = "CATALOGUE"
    ADDITIONAL = "ADDITIONAL"


class Usage(StrEnum):
    """One of the schema's words; UNSPECIFIED means that it was not said."""

    UNSPECIFIED = "UNSPECIFIED"
    TEST = "TEST"
    PRODUCTION = "PRODUCTION"


class DateQualifier(StrEnum):
    """One of the schema's words; UNSPECIFIED means that it was not said."""

    UNSPECIFIED = "UNSPECIFIED"
    SHIP = "SHIP"
    DELIVER = "DELIVER"
    NOT_BEFORE = "NOT_BEFORE"
    NOT_AFTER = "NOT_AFTER"
    CANCEL_AFTER = "CANCEL_AFTER"
    WINDOW = "WINDOW"


class LineKind(StrEnum):
    """One of the schema's words; UNSPECIFIED means that it was not said."""

    UNSPECIFIED = "UNSPECIFIED"
    GOODS = "GOODS"
    SERVICE = "SERVICE"
    FREIGHT = "FREIGHT"
    DEPOSIT = "DEPOSIT"
    RETURNABLE_ASSET = "RETURNABLE_ASSET"
    FREE = "FREE"


@dataclass(frozen=True, kw_only=True)
class ItemRef:
    """An item by whatever numbers are known; any one of them alone is enough. A GTIN names a pack level."""

    gtin: str = ""
    seller_number: str = ""
    buyer_number: str = ""
    manufacturer_number: str = ""
    # Participant ids of the parties whose numbers these are; empty means the document's own seller, buyer.
    seller: str = ""
    buyer: str = ""
    manufacturer: str = ""
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class Address:
    """Address."""

    street: str = ""
    additional_street: str = ""
    city: str = ""
    postal_code: str = ""
    region: str = ""
    # ISO 3166-1 alpha-2.
    country: str = ""


@dataclass(frozen=True, kw_only=True)
class LocationRef:
    """A place: a GLN, or a code of its owner's."""

    gln: str = ""
    owner: str = ""
    code: str = ""
    name: str = ""
    # IANA name; the zone in which this place's dates are meant.
    time_zone: str = ""
    address: Address | None = None


@dataclass(frozen=True, kw_only=True)
class Contact:
    """A business contact. Consumers are never named here: they travel in PersonalData."""

    name: str = ""
    email: str = ""
    phone: str = ""
    department: str = ""


@dataclass(frozen=True, kw_only=True)
class PartyIdentifier:
    """Party identifier."""

    # ISO 6523 code, or "VAT", "TAX", "LEGAL" for tax and company registers.
    scheme: str = ""
    value: str = ""


@dataclass(frozen=True, kw_only=True)
class Party:
    """Party."""

    role: PartyRole = PartyRole.UNSPECIFIED
    # Participant id, such as "0088:4012345000009".
    id: str = ""
    unit: str = ""
    name: str = ""
    address: Address | None = None
    contact: Contact | None = None
    identifiers: tuple[PartyIdentifier, ...] = ()
    trading_name: str = ""
    legal_form: str = ""
    location: LocationRef | None = None
    # Key of the entry of PersonalData that describes this party, when it is a consumer.
    personal_key: str = ""


@dataclass(frozen=True, kw_only=True)
class DocumentKey:
    """Whose number on which document: the business identity."""

    issuer: str = ""
    unit: str = ""
    type: str = ""
    number: str = ""
    # Year or number range, where the issuer uses numbers again.
    series: str = ""
    revision: int = 0


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Reference."""

    kind: ReferenceKind = ReferenceKind.UNSPECIFIED
    document: DocumentKey | None = None
    line_id: str = ""
    quantity: Quantity | None = None
    issued_on: date | None = None
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """Attachment."""

    name: str = ""
    media_type: str = ""
    sha256: bytes = b""
    role: str = ""
    content: bytes = b""
    uri: str = ""
    description: str = ""
    id: str = ""


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why somebody says no, less, or later."""

    code: str = ""
    text: str = ""
    language: str = ""


@dataclass(frozen=True, kw_only=True)
class Note:
    """Note."""

    text: str = ""
    language: str = ""
    subject_code: str = ""


@dataclass(frozen=True, kw_only=True)
class DocumentHeader:
    """What every document begins with. Its identity is the business's, not the node's."""

    issuer: str = ""
    unit: str = ""
    number: str = ""
    series: str = ""
    revision: int = 0
    supersedes: str = ""
    usage: Usage = Usage.UNSPECIFIED
    issued_at: datetime | None = None
    valid_until: datetime | None = None
    parties: tuple[Party, ...] = ()
    references: tuple[Reference, ...] = ()
    agreement_id: str = ""
    attachments: tuple[Attachment, ...] = ()
    # Names of semantics the receiver must understand; an unknown name is refused.
    requires: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    # SHA-256 of salt and bytes of the PersonalData that travels beside this document.
    personal_sha256: bytes = b""
    # The first document of a chain over several companies, and how many more hops it may make.
    root_id: str = ""
    hops_left: int = 0


@dataclass(frozen=True, kw_only=True)
class QualifiedDate:
    """A date in the zone of the place it speaks of, or a window of instants."""

    qualifier: DateQualifier = DateQualifier.UNSPECIFIED
    on: date | None = None
    from_at: datetime | None = None
    until_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Period:
    """Period."""

    start_on: date | None = None
    end_on: date | None = None


@dataclass(frozen=True, kw_only=True)
class PriceTier:
    """Price tier."""

    minimum: Quantity | None = None
    amount: Money | None = None


@dataclass(frozen=True, kw_only=True)
class Price:
    """amount is for base_quantity; net of allowances unless gross is given beside it."""

    amount: Money | None = None
    base_quantity: Quantity | None = None
    gross: Money | None = None
    discount: Money | None = None
    tax_included: bool = False
    validity: Period | None = None
    tiers: tuple[PriceTier, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Tax:
    """One VAT category (UNCL5305) with its rate in percent."""

    category: str = ""
    rate: Decimal | None = None
    exemption_code: str = ""
    exemption_reason: str = ""
    scheme: str = ""


@dataclass(frozen=True, kw_only=True)
class AllowanceCharge:
    """An allowance (charge false) or a charge (true)."""

    charge: bool = False
    amount: Money | None = None
    base: Money | None = None
    percent: Decimal | None = None
    reason: Reason | None = None
    tax: Tax | None = None


@dataclass(frozen=True, kw_only=True)
class Trace:
    """Lot, serial and best-before of a part of a line."""

    lot: str = ""
    serial: str = ""
    best_before_on: date | None = None
    produced_on: date | None = None
    quantity: Quantity | None = None


@dataclass(frozen=True, kw_only=True)
class PackageContent:
    """Package content."""

    line_id: str = ""
    quantity: Quantity | None = None


@dataclass(frozen=True, kw_only=True)
class Measure:
    """Measure."""

    attribute: str = ""
    value: Quantity | None = None


@dataclass(frozen=True, kw_only=True)
class Package:
    """Package."""

    sscc: str = ""
    parent_sscc: str = ""
    type_code: str = ""
    tracking: str = ""
    contents: tuple[PackageContent, ...] = ()
    measures: tuple[Measure, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ItemProperty:
    """Item property."""

    name: str = ""
    value: str = ""


@dataclass(frozen=True, kw_only=True)
class PaymentTerms:
    """Payment terms."""

    text: str = ""
    due_on: date | None = None
    net_days: int = 0
    discount_days: int = 0
    discount_percent: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class DeliveryTerms:
    """Incoterms and who carries."""

    incoterms: str = ""
    place: str = ""
    text: str = ""
    service_level: str = ""


@dataclass(frozen=True, kw_only=True)
class PersonalEntry:
    """Personal entry."""

    key: str = ""
    name: str = ""
    address: Address | None = None
    phone: str = ""
    email: str = ""
    gift_text: str = ""


@dataclass(frozen=True, kw_only=True)
class PersonalData:
    """Consumers' data. Travels beside a document, never inside; erased after its purpose."""

    entries: tuple[PersonalEntry, ...] = ()
