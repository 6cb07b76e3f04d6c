"""Hand-written mappings of UBL despatch advices, invoices, credit notes and catalogues to field dicts."""

from __future__ import annotations

from collections.abc import Iterator

from tests.acceptance.ubl_parts import (
    CATALOGUE_ACTIONS,
    Element,
    Fields,
    address,
    allowances,
    certificates,
    classifications,
    dangerous,
    dates,
    delivery_terms,
    each,
    endpoint_id,
    header,
    instant,
    item,
    location,
    money,
    name_of,
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
    texts,
    totals,
    traces,
)

__all__ = ["catalogue", "credit_note", "despatch_advice", "invoice"]


def measure(element: Element) -> Fields:
    """cac:MeasurementDimension and cac:Dimension."""
    return some(attribute=text(element, "AttributeID"), value=quantity(element, "Measure"))


def packages(element: Element) -> Iterator[Fields]:
    """cac:TransportHandlingUnit of a despatch line, and the packages in it."""
    line = text(element, "ID")
    for unit in each(element, "Shipment/TransportHandlingUnit"):
        number = text(unit, "ID")
        is_sscc = len(number) == 18 and number.isdigit()
        yield some(
            sscc=number if is_sscc else "",
            id="" if is_sscc else number,
            type_code=text(unit, "TransportHandlingUnitTypeCode"),
            hazardous=text(unit, "HazardousRiskIndicator") == "true",
            marks=text(unit, "ShippingMarks"),
            contents=[some(line_id=line, quantity=quantity(element, "DeliveredQuantity"))],
            measures=[measure(found) for found in each(unit, "MeasurementDimension")],
        )
        for inner in each(unit, "Package"):
            yield some(id=text(inner, "ID"), parent_sscc=number, type_code=text(inner, "PackagingTypeCode"))


def despatch_line(element: Element) -> Fields:
    """cac:DespatchLine."""
    ware, ordered = one(element, "Item"), one(element, "OrderLineReference")
    return some(
        line_id=text(element, "ID"),
        order=some(number=text(ordered, "OrderReference/ID")),
        order_line_id=text(ordered, "LineID"),
        seller_order_line_id=text(ordered, "SalesOrderLineID"),
        item=item(ware),
        quantity=quantity(element, "DeliveredQuantity"),
        outstanding_quantity=quantity(element, "OutstandingQuantity"),
        outstanding_reason=some(text=text(element, "OutstandingReason")),
        trace=traces(ware),
        notes=notes(element),
        references=reference("ADDITIONAL", one(element, "DocumentReference")),
        properties=properties(ware),
        classifications=classifications(ware),
        dangerous_goods=dangerous(ware),
    )


def despatch_advice(root: Element) -> Fields:
    """UBL DespatchAdvice."""
    shipment = one(root, "Shipment")
    consignment, despatch = one(shipment, "Consignment"), one(shipment, "Delivery/Despatch")
    ship_from = one(despatch, "DespatchAddress")
    supplier = one(root, "DespatchSupplierParty/Party")
    customer = one(root, "DeliveryCustomerParty")
    parties = party(supplier, "SHIP_FROM") + party(one(customer, "Party"), "SHIP_TO", one(customer, "DeliveryContact"))
    parties += party(one(root, "BuyerCustomerParty/Party"), "BUYER")
    parties += party(one(root, "SellerSupplierParty/Party"), "SELLER")
    parties += party(one(root, "OriginatorCustomerParty/Party"), "ORIGINATOR")
    parties += party(one(consignment, "CarrierParty"), "CARRIER")
    made = header(root, endpoint_id(supplier), parties, [], [])
    about = [
        {"text": said, "subject_code": word}
        for word, source, path in (("SHIPMENT", shipment, "Information"), ("CONSIGNMENT", consignment, "Information"))
        for said in texts(source, path)
    ]
    made["notes"] = made.get("notes", []) + about
    sizes = (("AAB", "GrossWeightMeasure"), ("ABJ", "GrossVolumeMeasure"))
    count = text(shipment, "TotalTransportHandlingUnitQuantity")
    return some(
        header=made,
        status="ORIGINAL",
        order=some(number=text(root, "OrderReference/ID")),
        despatched_at=instant(text(despatch, "ActualDespatchDate"), text(despatch, "ActualDespatchTime")),
        dates=dates(one(shipment, "Delivery/EstimatedDeliveryPeriod")),
        carriage=some(
            carrier=text(consignment, "CarrierParty/PartyName/Name"),
            tracking=text(shipment, "Delivery/TrackingID"),
            transport_mode=text(shipment, "ShipmentStage/TransportModeCode"),
            shipment_id=text(shipment, "ID"),
            consignment_id=text(consignment, "ID"),
        ),
        ship_from=some(code=text(ship_from, "ID"), address=address(ship_from)),
        packages=[found for line in each(root, "DespatchLine") for found in packages(line)],
        lines=[despatch_line(found) for found in each(root, "DespatchLine")],
        measures=[
            some(attribute=attribute, value=quantity(shipment, path))
            for attribute, path in sizes
            if one(shipment, path) is not None
        ],
        delivery_terms=delivery_terms(root),
        package_count=int(count) if count else None,
    )


def invoice_lines(element: Element, parent: str = "") -> Iterator[Fields]:
    """cac:InvoiceLine or cac:CreditNoteLine, and the lines below it."""
    ware, ordered, sent = (
        one(element, "Item"),
        one(element, "OrderLineReference"),
        one(element, "DespatchLineReference"),
    )
    amount = quantity(element, "InvoicedQuantity") or quantity(element, "CreditedQuantity")
    order = one(ordered, "OrderReference")
    references = [made for found in each(element, "DocumentReference") for made in reference("INVOICED_OBJECT", found)]
    if text(order, "IssueDate"):
        references += reference("ORDER", order)
    if text(sent, "DocumentReference/IssueDate"):
        references += reference("DESPATCH", one(sent, "DocumentReference"))
    yield some(
        line_id=text(element, "ID"),
        parent_line=parent,
        item=item(ware),
        quantity=amount,
        price=price(one(element, "Price"), amount["unit"] if amount else ""),
        line_amount=money(element, "LineExtensionAmount"),
        allowances_charges=allowances(element),
        tax=tax(one(ware, "ClassifiedTaxCategory")),
        order=some(number=text(order, "ID")),
        order_line_id=text(ordered, "LineID"),
        despatch=some(number=text(sent, "DocumentReference/ID")),
        despatch_line_id=text(sent, "LineID"),
        period=period(one(element, "InvoicePeriod")),
        notes=notes(element),
        accounting_reference=text(element, "AccountingCost"),
        properties=properties(ware),
        references=references,
        classifications=classifications(ware),
        origin_country=text(ware, "OriginCountry/IdentificationCode"),
    )
    for below in each(element, "SubInvoiceLine"):
        yield from invoice_lines(below, text(element, "ID"))


def invoice_references(root: Element) -> list[Fields]:
    """BT-11 to BT-18 and BG-3."""
    made = plain_reference("BUYER_REFERENCE", text(root, "BuyerReference"))
    made += plain_reference("SALES_ORDER", text(root, "OrderReference/SalesOrderID"))
    if text(root, "OrderReference/IssueDate"):
        made += reference("ORDER", one(root, "OrderReference"))
    for kind, path in (
        ("CONTRACT", "ContractDocumentReference"),
        ("PROJECT", "ProjectReference"),
        ("DESPATCH", "DespatchDocumentReference"),
        ("RECEIVING", "ReceiptDocumentReference"),
        ("TENDER", "OriginatorDocumentReference"),
        ("PRECEDING_INVOICE", "BillingReference/InvoiceDocumentReference"),
    ):
        for found in each(root, path):
            made += reference(kind, found)
    return made


def invoice_parties(root: Element) -> list[Fields]:
    """BG-4, BG-7, BG-10 and BG-11."""
    made = party(one(root, "AccountingSupplierParty/Party"), "SELLER")
    made += party(one(root, "AccountingCustomerParty/Party"), "BUYER")
    made += party(one(root, "PayeeParty"), "PAYEE")
    return made + party(one(root, "TaxRepresentativeParty"), "TAX_REPRESENTATIVE")


def payment_means(root: Element) -> Iterator[Fields]:
    """BG-16 to BG-19: several accounts under one code are several means."""
    for found in each(root, "PaymentMeans"):
        code, account = one(found, "PaymentMeansCode"), one(found, "PayeeFinancialAccount")
        card = one(found, "CardAccount")
        yield some(
            code=text(code),
            text="" if code is None else code.get("name"),
            payment_reference=text(found, "PaymentID"),
            account=text(account, "ID"),
            account_name=text(account, "Name"),
            bank=text(account, "FinancialInstitutionBranch/ID"),
            card_number_end=text(card, "PrimaryAccountNumberID"),
            card_holder=text(card, "HolderName"),
            card_network=text(card, "NetworkID"),
            mandate=text(found, "PaymentMandate/ID"),
            debited_account=text(found, "PaymentMandate/PayerFinancialAccount/ID"),
        )


def withholding(root: Element) -> tuple[Fields | None, list[Fields]]:
    """cac:WithholdingTaxTotal, in its place or in an extension: the sum, and its rows."""
    found = [*each(root, "WithholdingTaxTotal")]
    found += each(root, "UBLExtensions/UBLExtension/ExtensionContent/WithholdingTaxTotal")
    rows = [subtotal for total in found for subtotal in tax_subtotals(total)]
    return (money(found[0], "TaxAmount") if found else None), rows


def invoice(root: Element) -> Fields:
    """UBL Invoice and CreditNote; both have the terms of EN 16931-1."""
    delivery = one(root, "Delivery")
    kind = name_of(root)
    parties = invoice_parties(root)
    where = location(one(delivery, "DeliveryLocation"), one(delivery, "DeliveryLocation/Address"))
    own, foreign = document_tax(root)
    withheld, withheld_rows = withholding(root)
    invoice_period = one(root, "InvoicePeriod")
    extra = each(root, "UBLExtensions/UBLExtension/ExtensionContent")
    made_header = header(
        root, endpoint_id(one(root, "AccountingSupplierParty/Party")), parties, invoice_references(root), []
    )
    made_totals = totals(root, one(root, "LegalMonetaryTotal")) | some(
        tax=own, tax_in_tax_currency=foreign, withheld=withheld
    )
    return some(
        header=made_header,
        type_code=text(root, f"{kind}TypeCode"),
        currency=text(root, "DocumentCurrencyCode"),
        tax_currency=text(root, "TaxCurrencyCode"),
        tax_point_on=text(root, "TaxPointDate"),
        tax_point_code=text(invoice_period, "DescriptionCode"),
        issued_on=text(root, "IssueDate"),
        due_on=text(root, "DueDate"),
        order=some(number=text(root, "OrderReference/ID")),
        lines=[line for found in each(root, f"{kind}Line") for line in invoice_lines(found)],
        allowances_charges=allowances(root) + [made for found in extra for made in allowances(found)],
        tax_subtotals=[subtotal for total in each(root, "TaxTotal") for subtotal in tax_subtotals(total)],
        totals=made_totals,
        payment_terms=some(text=text(root, "PaymentTerms/Note")),
        payment_means=list(payment_means(root)),
        delivery=some(
            on=text(delivery, "ActualDeliveryDate"),
            location=where,
            name=text(delivery, "DeliveryParty/PartyName/Name"),
        ),
        period=period(invoice_period),
        original_id=text(root, "UUID"),
        legal_status="COPY",
        original_channel="peppol",
        accounting_reference=text(root, "AccountingCost"),
        process_id=text(root, "ProfileID"),
        profile_id=text(root, "CustomizationID"),
        withholding_subtotals=withheld_rows,
        prepayments=[
            some(id=text(found, "ID"), amount=money(found, "PaidAmount"), text=text(found, "InstructionID"))
            for found in each(root, "PrepaidPayment")
        ],
    )


def document_tax(root: Element) -> tuple[Fields | None, Fields | None]:
    """BT-110, and BT-111 in the tax currency."""
    named = text(root, "TaxCurrencyCode")
    own = foreign = None
    for total in each(root, "TaxTotal"):
        amount = money(total, "TaxAmount")
        if amount is not None and named and amount["currency"] == named:
            foreign = amount
        else:
            own = own or amount
    return own, foreign


def credit_note(root: Element) -> Fields:
    """UBL CreditNote."""
    return invoice(root) | some(
        invoice=some(number=text(root, "BillingReference/InvoiceDocumentReference/ID"), type="Invoice")
    )


def offer(element: Element, unit: str) -> Fields:
    """cac:RequiredItemLocationQuantity."""
    return some(
        price=price(one(element, "Price"), unit),
        minimum=quantity(element, "MinimumQuantity"),
        maximum=quantity(element, "MaximumQuantity"),
        lead_time=quantity(element, "LeadTimeMeasure"),
        territory=address(one(element, "ApplicableTerritoryAddress")),
    )


def catalogue_line(element: Element) -> Fields:
    """cac:CatalogueLine."""
    ware, valid = one(element, "Item"), one(element, "LineValidityPeriod")
    unit = text(element, "OrderableUnit") or "C62"
    step = text(element, "OrderQuantityIncrementNumeric")
    pack = one(ware, "PackQuantity")
    size = text(ware, "PackSizeNumeric")
    packaging = []
    if one(element, "ContentUnitQuantity") is not None:
        packaging.append(some(unit=unit, contains=quantity(element, "ContentUnitQuantity")))
    if pack is not None:
        packaging.append(some(contains=quantity(ware, "PackQuantity")))
    if size:
        packaging.append(some(contains={"value": size, "unit": unit}))
    related = (
        ("ACCESSORY", "AccessoryRelatedItem"),
        ("REQUIRED", "RequiredRelatedItem"),
        ("COMPONENT", "ComponentRelatedItem"),
    )
    return some(
        line_id=text(element, "ID"),
        item=item(ware),
        packaging=packaging,
        valid_from_on=text(valid, "StartDate"),
        valid_until_on=text(valid, "EndDate"),
        origin_country=text(ware, "OriginCountry/IdentificationCode"),
        dangerous_goods=dangerous(ware),
        tax=tax(one(ware, "ClassifiedTaxCategory")),
        properties=properties(ware),
        brand=text(ware, "BrandName"),
        orderable=text(element, "OrderableIndicator") == "true",
        classifications=classifications(ware),
        certificates=certificates(ware),
        offers=[offer(found, unit) for found in each(element, "RequiredItemLocationQuantity")],
        order_minimum=quantity(element, "MinimumOrderQuantity"),
        order_maximum=quantity(element, "MaximumOrderQuantity"),
        order_multiple={"value": step, "unit": unit} if step else None,
        order_unit=text(element, "OrderableUnit"),
        related=[
            some(relation=word, item={"seller_number": text(found, "ID")}, quantity=quantity(found, "Quantity"))
            for word, path in related
            for found in each(element, path)
        ],
        keywords=texts(ware, "Keyword"),
        warranty=text(element, "WarrantyInformation"),
        comparison_prices=[
            some(amount=money(found, "PriceAmount"), base_quantity=quantity(found, "Quantity"))
            for found in each(element, "ItemComparison")
        ],
        transaction_conditions=text(ware, "TransactionConditions/ActionCode"),
        trace=traces(ware),
        measures=[measure(found) for found in each(ware, "Dimension")],
        pack_level=text(element, "PackLevelCode"),
        action=CATALOGUE_ACTIONS.get(text(element, "ActionCode"), ""),
    )


def catalogue(root: Element) -> Fields:
    """UBL Catalogue."""
    provider, seller = one(root, "ProviderParty"), one(root, "SellerSupplierParty/Party")
    buyer = one(root, "ContractorCustomerParty/Party")
    parties = party(provider, "SENDER") + party(one(root, "ReceiverParty"), "RECEIVER")
    parties += party(seller, "SELLER") + party(buyer, "BUYER")
    files = []
    for line in each(root, "CatalogueLine"):
        files += specifications(line, text(line, "ID"))
    made = header(root, endpoint_id(provider), parties, [], files)
    terms = [{"text": said, "subject_code": "TERMS"} for said in texts(root, "TradingTerms/Information")]
    return some(
        header=made | some(notes=made.get("notes", []) + terms),
        name=text(root, "Name"),
        contract=text(root, "ReferencedContract/ID"),
        validity=period(one(root, "ValidityPeriod")),
        lines=[catalogue_line(found) for found in each(root, "CatalogueLine")],
    )
