"""The parts that UBL 2.1 documents share, as fields: parties, items, prices, taxes, references, files.

Where UBL states a day without a time or a zone, midnight UTC stands for it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from lxml import etree

Fields = dict[str, Any]
Element = Any  # lxml's own stubs know only its private classes
CATALOGUE_ACTIONS = {"Add": "ADD", "Update": "UPDATE", "Delete": "DELETE"}


def name_of(element: Element) -> str:
    """An element's name without its namespace."""
    return str(etree.QName(element).localname)


def each(element: Element | None, path: str) -> Iterator[Element]:
    """The descendants at a path of local names."""
    first, _, rest = path.partition("/")
    for child in () if element is None else element:
        if isinstance(child.tag, str) and name_of(child) == first:
            if rest:
                yield from each(child, rest)
            else:
                yield child


def one(element: Element | None, path: str) -> Element | None:
    """The first descendant at a path, or None."""
    return next(each(element, path), None)


def text(element: Element | None, path: str = "") -> str:
    """The text at a path, or nothing."""
    found = one(element, path) if path else element
    return "" if found is None else (found.text or "").strip()


def texts(element: Element | None, path: str) -> list[str]:
    """The texts at a path that say something."""
    return [said for said in (text(found) for found in each(element, path)) if said]


def attribute(element: Element | None, path: str, name: str) -> str:
    """An attribute of the element at a path, or nothing."""
    found = one(element, path)
    return "" if found is None else str(found.get(name, ""))


def some(**fields: Any) -> Fields:
    """Fields without those that say nothing."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {}, False)}


def number(said: str) -> str:
    """A number without the zeros after its sixth decimal, which some systems write and the gate refuses."""
    whole, point, fraction = said.partition(".")
    return whole + point + fraction[:6] + fraction[6:].rstrip("0") if point else said


def money(element: Element | None, path: str) -> Fields | None:
    """An amount with its currency."""
    found = one(element, path)
    return None if found is None else {"amount": number(text(found)), "currency": found.get("currencyID")}


def quantity(element: Element | None, path: str, unit: str = "") -> Fields | None:
    """A quantity; `unit` stands for a missing unit code, as the rules of UBL say (that of the line)."""
    found = one(element, path)
    return None if found is None else {"value": number(text(found)), "unit": found.get("unitCode") or unit}


def instant(date: str, time: str = "") -> str:
    """A day and a time of day as an instant; a sample without a zone is read as UTC."""
    if not date:
        return ""
    time = time or "00:00:00"
    return f"{date}T{time}" if time.endswith("Z") or "+" in time else f"{date}T{time}Z"


def address(element: Element | None) -> Fields:
    """cac:Address in any of its names."""
    return some(
        street=text(element, "StreetName"),
        additional_street=text(element, "AdditionalStreetName"),
        third_line=text(element, "AddressLine/Line"),
        city=text(element, "CityName"),
        postal_code=text(element, "PostalZone"),
        region=text(element, "CountrySubentity"),
        country=text(element, "Country/IdentificationCode"),
    )


def contact(element: Element | None) -> Fields:
    """cac:Contact or cac:DeliveryContact."""
    return some(name=text(element, "Name"), email=text(element, "ElectronicMail"), phone=text(element, "Telephone"))


def identifiers(element: Element) -> list[Fields]:
    """Every number of a party, with whose it is."""
    made = [
        some(scheme=found.get("schemeID", ""), value=text(found)) for found in each(element, "PartyIdentification/ID")
    ]
    for scheme in each(element, "PartyTaxScheme"):
        made.append(some(scheme=text(scheme, "TaxScheme/ID"), value=text(scheme, "CompanyID")))
    legal = one(element, "PartyLegalEntity/CompanyID")
    if legal is not None:
        made.append(some(scheme="LEGAL", value=text(legal), register=legal.get("schemeID", "")))
    return made


def endpoint_id(element: Element | None) -> str:
    """The participant id that a party's endpoint is, where its scheme is an ISO 6523 code."""
    endpoint = one(element, "EndpointID")
    if endpoint is None or not endpoint.get("schemeID", "").isdigit():
        return ""
    return f"{endpoint.get('schemeID')}:{text(endpoint)}"


def party(element: Element | None, role: str, person: Element | None = None) -> list[Fields]:
    """cac:Party in a role; `person` is a contact that stands beside it. Empty where there is none."""
    if element is None and person is None:
        return []
    endpoint = one(element, "EndpointID")
    legal, trading = text(element, "PartyLegalEntity/RegistrationName"), text(element, "PartyName/Name")
    made = some(
        role=role,
        id=endpoint_id(element),
        endpoint=None if endpoint is None else some(scheme=endpoint.get("schemeID"), value=text(endpoint)),
        name=legal or trading,
        trading_name=trading if legal else "",
        legal_form=text(element, "PartyLegalEntity/CompanyLegalForm"),
        tax_regime=text(element, "PartyTaxScheme/TaxLevelCode"),
        address=address(one(element, "PostalAddress")),
        registered_address=address(one(element, "PartyLegalEntity/RegistrationAddress")),
        contact=contact(one(element, "Contact")) or contact(person),
        identifiers=[] if element is None else identifiers(element),
    )
    return [made, *party(one(element, "ServiceProviderParty/Party"), "INTERMEDIARY")]


def location(element: Element | None, where: Element | None) -> Fields:
    """cac:DeliveryLocation, or an address that names a place; `where` is its address."""
    number = one(element, "ID")
    scheme = "" if number is None else number.get("schemeID", "")
    return some(
        gln=text(number) if scheme == "0088" else "",
        code="" if scheme == "0088" else text(number),
        scheme="" if scheme == "0088" else scheme,
        name=text(element, "Name"),
        address=address(where),
    )


def dates(period: Element | None) -> list[Fields]:
    """A period's first and last day, each with its time of day."""
    named = (("NOT_BEFORE", "Start"), ("NOT_AFTER", "End"))
    made = [
        some(qualifier=qualifier, on=text(period, f"{side}Date"), time=text(period, f"{side}Time"))
        for qualifier, side in named
    ]
    return [date for date in made if "on" in date]


def period(element: Element | None) -> Fields:
    """A period of whole days."""
    return some(start_on=text(element, "StartDate"), end_on=text(element, "EndDate"))


def tax(element: Element | None) -> Fields:
    """cac:TaxCategory or cac:ClassifiedTaxCategory."""
    return some(
        category=text(element, "ID"),
        rate=number(text(element, "Percent")),
        exemption_code=text(element, "TaxExemptionReasonCode"),
        exemption_reason=text(element, "TaxExemptionReason"),
        scheme=text(element, "TaxScheme/ID"),
        type_code=text(element, "TaxScheme/TaxTypeCode"),
    )


def tax_subtotals(element: Element | None) -> list[Fields]:
    """cac:TaxTotal/cac:TaxSubtotal."""
    return [
        some(tax=tax(one(sub, "TaxCategory")), taxable=money(sub, "TaxableAmount"), amount=money(sub, "TaxAmount"))
        for sub in each(element, "TaxSubtotal")
    ]


def allowance(element: Element) -> Fields:
    """cac:AllowanceCharge of a document or a line."""
    return some(
        charge=text(element, "ChargeIndicator") == "true",
        amount=money(element, "Amount"),
        base=money(element, "BaseAmount"),
        percent=number(text(element, "MultiplierFactorNumeric")),
        reason=some(code=text(element, "AllowanceChargeReasonCode"), text=text(element, "AllowanceChargeReason")),
        tax=tax(one(element, "TaxCategory")),
    )


def allowances(element: Element) -> list[Fields]:
    """Every allowance and charge of a document or a line."""
    return [allowance(found) for found in each(element, "AllowanceCharge")]


def price(element: Element | None, unit: str) -> Fields:
    """cac:Price; a charge on the price is a negative discount."""
    step = one(element, "AllowanceCharge")
    discount = money(step, "Amount")
    if discount is not None and text(step, "ChargeIndicator") == "true":
        discount["amount"] = f"-{discount['amount']}"
    return some(
        amount=money(element, "PriceAmount"),
        base_quantity=quantity(element, "BaseQuantity", unit),
        gross=money(step, "BaseAmount"),
        discount=discount,
        type_code=text(element, "PriceType"),
        order_factor=text(element, "OrderableUnitFactorRate"),
        validity=period(one(element, "ValidityPeriod")),
    )


def item(element: Element | None) -> Fields:
    """cac:Item as a reference: its numbers and what it is called."""
    standard = one(element, "StandardItemIdentification/ID")
    scheme = "" if standard is None else standard.get("schemeID", "")
    extended = texts(element, "StandardItemIdentification/ExtendedID")
    others = [some(scheme=scheme, value=text(standard))] if standard is not None and scheme != "0160" else []
    return some(
        gtin=text(standard) if scheme == "0160" else "",
        identifiers=others + [{"value": value} for value in extended],
        seller_number=text(element, "SellersItemIdentification/ID"),
        variant=text(element, "SellersItemIdentification/ExtendedID"),
        buyer_number=text(element, "BuyersItemIdentification/ID"),
        manufacturer_number=text(element, "ManufacturersItemIdentification/ID"),
        manufacturer=text(element, "ManufacturerParty/PartyName/Name"),
        description=text(element, "Name"),
        details=text(element, "Description"),
    )


def properties(element: Element | None) -> list[Fields]:
    """cac:AdditionalItemProperty."""
    return [
        some(
            name=text(found, "Name"),
            value=text(found, "Value"),
            quantity=quantity(found, "ValueQuantity"),
            qualifier=text(found, "ValueQualifier"),
            code=text(found, "NameCode"),
            code_list=attribute(found, "NameCode", "listID"),
            id=text(found, "ID"),
            scheme=attribute(found, "ID", "schemeID"),
        )
        for found in each(element, "AdditionalItemProperty")
    ]


def classifications(element: Element | None) -> list[Fields]:
    """cac:CommodityClassification."""
    return [
        some(
            list=found.get("listID"),
            list_version=found.get("listVersionID"),
            code=text(found),
            name=found.get("name"),
        )
        for found in each(element, "CommodityClassification/ItemClassificationCode")
    ]


def certificates(element: Element | None) -> list[Fields]:
    """cac:Certificate."""
    return [
        some(
            id=text(found, "ID"),
            type=text(found, "CertificateType"),
            type_code=text(found, "CertificateTypeCode"),
            issuer=text(found, "IssuerParty/PartyName/Name"),
            remarks=text(found, "Remarks"),
            uri=text(found, "DocumentReference/ID"),
        )
        for found in each(element, "Certificate")
    ]


def traces(element: Element | None) -> list[Fields]:
    """cac:ItemInstance."""
    made = [
        some(
            lot=text(found, "LotIdentification/LotNumberID"),
            serial=text(found, "SerialID"),
            best_before_on=text(found, "BestBeforeDate"),
            expires_on=text(found, "LotIdentification/ExpiryDate"),
            produced_on=text(found, "ManufactureDate"),
            properties=properties(found),
        )
        for found in each(element, "ItemInstance")
    ]
    return [trace for trace in made if trace]


def dangerous(element: Element | None) -> Fields:
    """cac:HazardousItem."""
    found = one(element, "HazardousItem")
    return some(un_number=text(found, "UNDGCode"), hazard_class=text(found, "HazardClassID"))


def notes(element: Element | None, path: str = "Note") -> list[Fields]:
    """Free text."""
    return [{"text": said} for said in texts(element, path)]


def reference(kind: str, element: Element | None, line_id: str = "") -> list[Fields]:
    """A reference to another document by its number; empty where there is none."""
    number = one(element, "ID")
    if not text(number) and not line_id:
        return []
    return [
        some(
            kind=kind,
            document=some(number=text(number)),
            line_id=line_id,
            issued_on=text(element, "IssueDate"),
            scheme="" if number is None else number.get("schemeID"),
            type_code=text(element, "DocumentTypeCode"),
            text=text(element, "DocumentDescription") or text(element, "DocumentType"),
        )
    ]


def plain_reference(kind: str, number: str) -> list[Fields]:
    """A reference that is nothing but a number."""
    return [{"kind": kind, "document": {"number": number}}] if number else []


def attachment(element: Element, line_id: str = "") -> Fields:
    """A document reference that carries or names a file."""
    content = one(element, "Attachment/EmbeddedDocumentBinaryObject")
    return some(
        id=text(element, "ID"),
        role=text(element, "DocumentType"),
        type_code=text(element, "DocumentTypeCode"),
        description=text(element, "DocumentDescription"),
        uri=text(element, "Attachment/ExternalReference/URI"),
        name="" if content is None else content.get("filename"),
        media_type="" if content is None else content.get("mimeCode"),
        content=hexadecimal(text(content)),
        line_id=line_id,
    )


def hexadecimal(said: str) -> str:
    """Base64 as the hexadecimal of the same bytes; what is no base64 stands for itself."""
    try:
        return base64.b64decode(said, validate=False).hex()
    except binascii.Error:
        return said.encode().hex()


def additional(root: Element) -> tuple[list[Fields], list[Fields]]:
    """cac:AdditionalDocumentReference: files, and mere references."""
    files, mere = [], []
    for found in each(root, "AdditionalDocumentReference"):
        if one(found, "Attachment") is not None:
            files.append(attachment(found))
        else:
            kind = "INVOICED_OBJECT" if text(found, "DocumentTypeCode") == "130" else "ADDITIONAL"
            mere += reference(kind, found)
    return files, mere


def specifications(line: Element, line_id: str) -> list[Fields]:
    """cac:ItemSpecificationDocumentReference: files and links that describe a line's item."""
    return [attachment(found, line_id) for found in each(line, "Item/ItemSpecificationDocumentReference")]


def extensions(root: Element) -> list[Fields]:
    """National codes in ext:UBLExtensions: each named by its URI. Whole elements in them are read where they belong."""
    return [
        some(name=text(found, "ExtensionURI"), value=text(found, "ExtensionContent/TypeCode"))
        for found in each(root, "UBLExtensions/UBLExtension")
    ]


def header(root: Element, issuer: str, parties: list[Fields], references: list[Fields], files: list[Fields]) -> Fields:
    """What every document begins with."""
    attached, mere = additional(root)
    version = text(root, "VersionID")
    return some(
        issuer=issuer,
        number=text(root, "ID"),
        revision=int(Decimal(version)) if version else None,
        usage="TEST",
        issued_at=instant(text(root, "IssueDate"), text(root, "IssueTime")),
        parties=parties,
        references=references + mere,
        attachments=attached + files,
        notes=notes(root),
        properties=extensions(root),
    )


def totals(root: Element, element: Element | None) -> Fields:
    """cac:LegalMonetaryTotal and cac:AnticipatedMonetaryTotal."""
    return some(
        lines=money(element, "LineExtensionAmount"),
        allowances=money(element, "AllowanceTotalAmount"),
        charges=money(element, "ChargeTotalAmount"),
        without_tax=money(element, "TaxExclusiveAmount"),
        tax=money(one(root, "TaxTotal"), "TaxAmount"),
        with_tax=money(element, "TaxInclusiveAmount"),
        prepaid=money(element, "PrepaidAmount"),
        rounding=money(element, "PayableRoundingAmount"),
        payable=money(element, "PayableAmount"),
    )


def delivery_terms(root: Element) -> Fields:
    """cac:DeliveryTerms."""
    found = one(root, "DeliveryTerms")
    return some(incoterms=text(found, "ID"), text=text(found, "SpecialTerms"), place=text(found, "DeliveryLocation/ID"))
