"""Values that every document is made of: items, parties, places, prices and the document header."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from node.core.money import Money
from node.core.quantity import Quantity


class PartyRole(StrEnum):
    """What a party does in a document."""

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
    # Acts for the seller or the buyer, such as whoever transmits the document.
    INTERMEDIARY = "INTERMEDIARY"
    SENDER = "SENDER"
    RECEIVER = "RECEIVER"
    INVOICER = "INVOICER"


class ReferenceKind(StrEnum):
    """What a reference points at."""

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
    REQUISITION = "REQUISITION"
    CALL_OFF = "CALL_OFF"
    SPECIFICATION = "SPECIFICATION"


class Usage(StrEnum):
    """Whether a document is meant. Test documents never reach productive tables, stock or figures."""

    UNSPECIFIED = "UNSPECIFIED"
    TEST = "TEST"
    PRODUCTION = "PRODUCTION"


class DateQualifier(StrEnum):
    """What happens on a date."""

    UNSPECIFIED = "UNSPECIFIED"
    SHIP = "SHIP"
    DELIVER = "DELIVER"
    NOT_BEFORE = "NOT_BEFORE"
    NOT_AFTER = "NOT_AFTER"
    CANCEL_AFTER = "CANCEL_AFTER"
    WINDOW = "WINDOW"


class LineKind(StrEnum):
    """What a line sells."""

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
    # What description, which names the item in one line (BT-153), leaves to say (BT-154).
    details: str = ""
    # Numbers under further schemes, named by their ISO 6523 codes.
    identifiers: tuple[ItemIdentifier, ...] = ()
    # Tells variants of one seller's number apart.
    variant: str = ""


@dataclass(frozen=True, kw_only=True)
class Address:
    """A postal address."""

    street: str = ""
    additional_street: str = ""
    city: str = ""
    postal_code: str = ""
    region: str = ""
    # ISO 3166-1 alpha-2.
    country: str = ""
    third_line: str = ""


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
    # ISO 6523 code of the scheme that code belongs to; empty: the owner's own.
    scheme: str = ""


@dataclass(frozen=True, kw_only=True)
class Contact:
    """A business contact. Consumers are never named here: they travel in PersonalData."""

    name: str = ""
    email: str = ""
    phone: str = ""
    department: str = ""


@dataclass(frozen=True, kw_only=True)
class PartyIdentifier:
    """A number that some register gave a party."""

    # ISO 6523 code, or "VAT", "TAX", "LEGAL" for tax and company registers.
    scheme: str = ""
    value: str = ""
    # Of a LEGAL or TAX identifier: its register or scheme, such as an ISO 6523 code.
    register: str = ""


@dataclass(frozen=True, kw_only=True)
class Party:
    """A company, or a part of one, in its role."""

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
    # Where the party takes documents of another network (BT-34, BT-49), such as scheme "EM" for e-mail.
    endpoint: PartyIdentifier | None = None
    # National code of how the party is taxed, where an invoice must state it.
    tax_regime: str = ""
    # Where the company is registered, when that is not its address.
    registered_address: Address | None = None


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
    """Another document, or a line of one, that this one speaks of."""

    kind: ReferenceKind = ReferenceKind.UNSPECIFIED
    document: DocumentKey | None = None
    line_id: str = ""
    quantity: Quantity | None = None
    issued_on: date | None = None
    text: str = ""
    # Scheme of the number (UNCL1153: BT-18-1, BT-128-1) and kind of document (UNCL1001), where stated.
    scheme: str = ""
    type_code: str = ""


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """A file that belongs to the document: its bytes, or where it is and its hash."""

    name: str = ""
    media_type: str = ""
    sha256: bytes = b""
    role: str = ""
    content: bytes = b""
    uri: str = ""
    description: str = ""
    id: str = ""
    # UNCL1001 code or another list's, where stated.
    type_code: str = ""
    # The line that it describes; empty: the whole document.
    line_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why somebody says no, less, or later."""

    code: str = ""
    text: str = ""
    language: str = ""
    # Whose code it is, when it is none of this schema's.
    list: str = ""
    # The field that it is about, such as "lines[2].quantity", and the value that was expected there.
    path: str = ""
    expected: str = ""


@dataclass(frozen=True, kw_only=True)
class Note:
    """Free text for people; programs do not act on it."""

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
    # What national rules or the partners' agreement add and no field holds. Never needed to understand the document:
    # that is what requires is for.
    properties: tuple[ItemProperty, ...] = ()


@dataclass(frozen=True, kw_only=True)
class QualifiedDate:
    """A date in the zone of the place it speaks of, or a window of instants."""

    qualifier: DateQualifier = DateQualifier.UNSPECIFIED
    on: date | None = None
    from_at: datetime | None = None
    until_at: datetime | None = None
    # Time of day in the same zone, "HH:MM" or "HH:MM:SS"; empty: the whole day.
    time: str = ""


@dataclass(frozen=True, kw_only=True)
class Period:
    """From the first to the last day, both included."""

    start_on: date | None = None
    end_on: date | None = None


@dataclass(frozen=True, kw_only=True)
class PriceTier:
    """The price from a quantity on."""

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
    # UNCL5387, such as "AAA" for net.
    type_code: str = ""
    # How many of the price's unit are one of the unit ordered, where the two differ.
    order_factor: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class Tax:
    """One VAT category (UNCL5305) with its rate in percent."""

    category: str = ""
    rate: Decimal | None = None
    exemption_code: str = ""
    exemption_reason: str = ""
    scheme: str = ""
    # National code of the kind of tax, such as a withholding's.
    type_code: str = ""


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
    properties: tuple[ItemProperty, ...] = ()
    # After this day it may no longer be sold; best_before_on is the day of full quality.
    expires_on: date | None = None


@dataclass(frozen=True, kw_only=True)
class PackageContent:
    """How much of a line is in a package."""

    line_id: str = ""
    quantity: Quantity | None = None


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A measured property, named by its UNCL6313 code."""

    attribute: str = ""
    value: Quantity | None = None


@dataclass(frozen=True, kw_only=True)
class Package:
    """A carton, pallet or other unit that is moved as one."""

    sscc: str = ""
    parent_sscc: str = ""
    type_code: str = ""
    tracking: str = ""
    contents: tuple[PackageContent, ...] = ()
    measures: tuple[Measure, ...] = ()
    # A number that is no SSCC. parent_sscc names the parent's SSCC or, lacking one, this number of the parent.
    id: str = ""
    hazardous: bool = False
    marks: str = ""


@dataclass(frozen=True, kw_only=True)
class ItemProperty:
    """A named property."""

    name: str = ""
    value: str = ""
    quantity: Quantity | None = None
    qualifier: str = ""
    # The name as a code, and the list it is from.
    code: str = ""
    code_list: str = ""
    # Identifier of the property in a dictionary, and the dictionary.
    id: str = ""
    scheme: str = ""


@dataclass(frozen=True, kw_only=True)
class PaymentTerms:
    """When and with which discounts to pay."""

    text: str = ""
    due_on: date | None = None
    net_days: int = 0
    discount_days: int = 0
    discount_percent: Decimal | None = None
    # Further discounts, for paying later than discount_days but before the due date.
    discounts: tuple[PaymentDiscount, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DeliveryTerms:
    """Incoterms and who carries."""

    incoterms: str = ""
    place: str = ""
    text: str = ""
    service_level: str = ""


@dataclass(frozen=True, kw_only=True)
class PersonalEntry:
    """One consumer."""

    key: str = ""
    name: str = ""
    address: Address | None = None
    phone: str = ""
    email: str = ""
    gift_text: str = ""
    # Kind and number of a document that proves who this is, where a carrier must show it.
    identity_document: str = ""


@dataclass(frozen=True, kw_only=True)
class PersonalData:
    """Consumers' data. Travels beside a document, never inside; erased after its purpose."""

    entries: tuple[PersonalEntry, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ItemIdentifier:
    """A number of an item under a scheme of its own (ISO 6523 code)."""

    scheme: str = ""
    value: str = ""


@dataclass(frozen=True, kw_only=True)
class PaymentDiscount:
    """A discount for paying within some days."""

    days: int = 0
    percent: Decimal | None = None
    base: Money | None = None


@dataclass(frozen=True, kw_only=True)
class TaxSubtotal:
    """BG-23: one row for each category and rate."""

    tax: Tax | None = None
    taxable: Money | None = None
    amount: Money | None = None
