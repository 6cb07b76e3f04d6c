"""Hand-written mappings of UBL 2.1 documents to field dicts, to prove that the schema holds what they say.

They serve the tests only and take every sample as it is: a partner's own mapping would also know units, zones and codes
that the XML leaves to agreement.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from tests.acceptance.ubl_parts import (
    Element,
    Fields,
    allowances,
    certificates,
    classifications,
    dates,
    delivery_terms,
    each,
    endpoint_id,
    header,
    item,
    location,
    money,
    notes,
    one,
    party,
    period,
    plain_reference,
    price,
    properties,
    quantity,
    reference,
    some,
    specifications,
    tax,
    tax_subtotals,
    text,
    totals,
    traces,
)

# UNCL4343 and Peppol's order response codes.
RESPONSES = {"AB": "ACKNOWLEDGED", "AP": "ACCEPTED", "CA": "CHANGED", "RE": "REJECTED"}
# UNCL1229 as Peppol uses it: added, deleted, changed, not amended, accepted, ..., already delivered.
LINE_OUTCOMES = {"1": "ACCEPTED", "3": "ACCEPTED", "5": "ACCEPTED", "7": "REJECTED", "42": "DESPATCHED"}
# UNCL4343, as Peppol's invoice response uses it.
VERDICTS = {
    "AB": "RECEIVED",
    "IP": "IN_PROCESS",
    "UQ": "UNDER_QUERY",
    "CA": "ACCEPTED_CONDITIONALLY",
    "RE": "REFUSED",
    "AP": "ACCEPTED",
    "PD": "PAID",
}


def order_parties(root: Element) -> list[Fields]:
    """The parties of the ordering documents."""
    delivery = one(root, "Delivery")
    made = party(one(root, "BuyerCustomerParty/Party"), "BUYER", one(root, "BuyerCustomerParty/DeliveryContact"))
    made += party(one(root, "SellerSupplierParty/Party"), "SELLER")
    made += party(one(root, "OriginatorCustomerParty/Party"), "ORIGINATOR")
    made += party(one(root, "AccountingCustomerParty/Party"), "BILL_TO")
    ship_to = party(one(delivery, "DeliveryParty"), "SHIP_TO")
    where = location(one(delivery, "DeliveryLocation"), one(delivery, "DeliveryLocation/Address"))
    if where:
        ship_to = ship_to or [{"role": "SHIP_TO"}]
        ship_to[0]["location"] = where
    return made + ship_to


def order_references(root: Element) -> list[Fields]:
    """The documents that the ordering documents name."""
    made = reference("QUOTATION", one(root, "QuotationDocumentReference"))
    made += reference("ORDER", one(root, "OrderDocumentReference"))
    made += reference("REQUISITION", one(root, "OriginatorDocumentReference"))
    for found in each(root, "Contract"):
        made += reference("CONTRACT", found)
    made += plain_reference("BUYER_REFERENCE", text(root, "CustomerReference"))
    return made + plain_reference("SALES_ORDER", text(root, "SalesOrderID"))


def order_line(element: Element) -> Fields:
    """cac:OrderLine of orders and order changes."""
    line, ware = one(element, "LineItem"), one(element, "LineItem/Item")
    amount = quantity(line, "Quantity")
    unit = amount["unit"] if amount else ""
    return some(
        line_id=text(line, "ID"),
        item=item(ware),
        quantity=amount,
        price=price(one(line, "Price"), unit),
        line_amount=money(line, "LineExtensionAmount"),
        dates=dates(one(line, "Delivery/RequestedDeliveryPeriod")),
        allowances_charges=allowances(line) if line is not None else [],
        tax=tax(one(ware, "ClassifiedTaxCategory")),
        properties=properties(ware),
        classifications=classifications(ware),
        certificates=certificates(ware),
        notes=notes(element) + notes(line),
        references=reference("SPECIFICATION", one(ware, "ItemSpecificationDocumentReference")),
        partial_delivery_allowed=text(line, "PartialDeliveryIndicator") == "true",
        accounting_reference=text(line, "AccountingCost"),
        trace=traces(ware),
        parties=party(one(line, "OriginatorParty"), "ORIGINATOR"),
    )


def ordering(root: Element, issuer: str) -> Fields:
    """What orders and their changes have in common."""
    delivery = one(root, "Delivery")
    return some(
        header=header(root, issuer, order_parties(root), order_references(root), []),
        currency=text(root, "DocumentCurrencyCode"),
        type_code=text(root, "OrderTypeCode"),
        lines=[order_line(found) for found in each(root, "OrderLine")],
        dates=dates(one(delivery, "RequestedDeliveryPeriod")),
        allowances_charges=allowances(root),
        delivery_terms=delivery_terms(root),
        payment_terms=some(text=text(root, "PaymentTerms/Note")),
        totals=totals(root, one(root, "AnticipatedMonetaryTotal")),
        validity=period(one(root, "ValidityPeriod")),
    )


def order(root: Element) -> Fields:
    """UBL Order."""
    made = ordering(root, endpoint_id(one(root, "BuyerCustomerParty/Party")))
    return made | some(order_kind="STANDARD", accounting_reference=text(root, "AccountingCost"))


def order_change(root: Element) -> Fields:
    """UBL OrderChange; its sequence number is this document's revision."""
    made = ordering(root, endpoint_id(one(root, "BuyerCustomerParty/Party")))
    made["header"]["revision"] = int(text(root, "SequenceNumberID"))
    return made | some(order=order_key(root))


def order_key(root: Element) -> Fields:
    """The order that a document speaks of."""
    return some(number=text(root, "OrderReference/ID"), type="Order")


def order_cancellation(root: Element) -> Fields:
    """UBL OrderCancellation."""
    issuer = endpoint_id(one(root, "BuyerCustomerParty/Party"))
    return some(
        header=header(root, issuer, order_parties(root), order_references(root), []),
        order=order_key(root),
        reason=some(text=text(root, "CancellationNote")),
    )


def response_lines(element: Element) -> list[Fields]:
    """cac:OrderLine of a response: the line, and after it the line of the substitute that the seller offers."""
    line, ware = one(element, "LineItem"), one(element, "LineItem/Item")
    ordered = text(element, "OrderLineReference/LineID")
    amount = quantity(line, "Quantity")
    unit = amount["unit"] if amount else "C62"
    piece = some(
        quantity=quantity(line, "Delivery/Quantity", unit) or amount,
        dates=dates(one(line, "Delivery/PromisedDeliveryPeriod")),
        outcome=LINE_OUTCOMES.get(text(line, "LineStatusCode"), ""),
    )
    late = quantity(line, "MaximumBackorderQuantity", unit)
    pieces = [piece] if piece else []
    if late is not None:
        pieces.append({"quantity": late, "outcome": "BACK_ORDERED"})
    made = some(
        line_id=ordered or text(line, "ID"),
        seller_line_id=text(line, "ID"),
        item=item(ware),
        schedule=pieces,
        price=price(one(line, "Price"), unit),
        quantity=amount,
        line_amount=money(line, "LineExtensionAmount"),
        notes=notes(element) + notes(line),
        **about_item(ware),
    )
    return [made, *[substitute_line(found, ordered) for found in each(element, "SellerSubstitutedLineItem")]]


def substitute_line(element: Element, ordered: str) -> Fields:
    """cac:SellerSubstitutedLineItem."""
    ware = one(element, "Item")
    return some(
        line_id=text(element, "ID"),
        substituted=True,
        substitutes_line=ordered,
        item=item(ware),
        **about_item(ware),
    )


def about_item(ware: Element | None) -> Fields:
    """What a response's line says of its item."""
    return {
        "tax": tax(one(ware, "ClassifiedTaxCategory")),
        "properties": properties(ware),
        "classifications": classifications(ware),
        "certificates": certificates(ware),
        "transaction_conditions": text(ware, "TransactionConditions/ActionCode"),
    }


def order_response(root: Element) -> Fields:
    """UBL OrderResponse, plain, advanced, or as an agreement."""
    files = []
    for found in each(root, "OrderLine/LineItem"):
        files += specifications(found, text(found, "ID"))
    change = one(root, "OrderChangeDocumentReference")
    made_totals = totals(root, one(root, "LegalMonetaryTotal"))
    subtotals = tax_subtotals(one(root, "TaxTotal"))
    return some(
        header=header(
            root,
            endpoint_id(one(root, "SellerSupplierParty/Party")),
            order_parties(root),
            [found for found in order_references(root) if found["kind"] != "SALES_ORDER"],
            files,
        ),
        order=order_key(root),
        outcome=RESPONSES.get(text(root, "OrderResponseCode"), "ACCEPTED"),
        seller_order_number=text(root, "SalesOrderID"),
        currency=text(root, "DocumentCurrencyCode"),
        lines=[line for found in each(root, "OrderLine") for line in response_lines(found)],
        dates=dates(one(root, "Delivery/PromisedDeliveryPeriod")),
        allowances_charges=allowances(root),
        totals=made_totals | some(tax_subtotals=subtotals),
        delivery_terms=delivery_terms(root),
        payment_terms=some(text=text(root, "PaymentTerms/Note")),
        answers=some(number=text(change, "ID"), type="OrderChange") if change is not None else None,
    )


def application_response(root: Element) -> Fields:
    """UBL ApplicationResponse, as an answer to an invoice or a catalogue, or on the level of messages."""
    response = one(root, "DocumentResponse/Response")
    about = one(root, "DocumentResponse/DocumentReference")
    sender, receiver = one(root, "SenderParty"), one(root, "ReceiverParty")
    kinds = {"380": "Invoice", "381": "CreditNote"}
    version = text(about, "VersionID")
    parties = party(sender, "SENDER") + party(receiver, "RECEIVER")
    parties += party(one(root, "DocumentResponse/IssuerParty"), "SELLER")
    parties += party(one(root, "DocumentResponse/RecipientParty"), "BUYER")
    return some(
        header=header(root, endpoint_id(sender), parties, [], []),
        document=some(
            number=text(about, "ID"),
            type=kinds.get(text(about, "DocumentTypeCode"), ""),
            revision=int(Decimal(version)) if version else None,
        ),
        outcome=VERDICTS[text(response, "ResponseCode")],
        effective_on=text(response, "EffectiveDate"),
        reasons=[*reasons(response)],
        line_reasons=[
            some(line_id=text(found, "LineReference/LineID"), reason=reason)
            for found in each(root, "DocumentResponse/LineResponse")
            for reason in reasons(one(found, "Response"))
        ],
    )


def reasons(response: Element | None) -> Iterator[Fields]:
    """Why a receiver says no, and what it expected."""
    said = text(response, "Description")
    for status in each(response, "Status"):
        code = one(status, "StatusReasonCode")
        yield some(
            code=text(code),
            list="" if code is None else code.get("listID"),
            text=text(status, "StatusReason") or said,
            path=text(status, "Condition/AttributeID"),
            expected=text(status, "Condition/Description"),
        )
    if said and one(response, "Status") is None:
        yield {"text": said}
