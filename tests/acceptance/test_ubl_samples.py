"""Real UBL documents fit into the schema: each is mapped by hand, kept through encode and decode, and loses nothing.

Needs the outside samples (HANSA_SAMPLES, folder ubl); skipped without them.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from node import wire
from tests.acceptance import ubl_goods_and_money as goods
from tests.acceptance import ubl_mapping as ubl
from tests.acceptance.ubl_parts import name_of

MAPPINGS: dict[str, tuple[str, Callable[[Any], dict[str, Any]]]] = {
    "Order": ("Order", ubl.order),
    "OrderChange": ("OrderChange", ubl.order_change),
    "OrderCancellation": ("OrderCancellation", ubl.order_cancellation),
    "OrderResponse": ("OrderResponse", ubl.order_response),
    "DespatchAdvice": ("DespatchAdvice", goods.despatch_advice),
    "Invoice": ("Invoice", goods.invoice),
    "CreditNote": ("CreditNote", goods.credit_note),
    "Catalogue": ("ItemCatalogue", goods.catalogue),
    "ApplicationResponse": ("ApplicationResponse", ubl.application_response),
}

# What has no place in the fields, and why. The pattern is searched in the element's path, such as /Invoice/Note or
# /Order/OrderLine/LineItem/Quantity/@unitCode.
NOT_CARRIED = {
    r"/UBLVersionID$": "the version of the XML syntax",
    r"^/(?!Invoice|CreditNote)\w+/(CustomizationID|ProfileID)$": "the rule set of the XML syntax; invoices keep theirs",
    r"/@(schemaLocation|listAgencyID|schemeAgencyID|unitCodeListID)$": "names of code lists that the field implies",
    r"/(DocumentCurrencyCode|TaxCurrencyCode)/@listID$": "currencies are ISO 4217 here",
    r"/ClassifiedTaxCategory/ID/@schemeID$": "tax categories are UNCL5305 here",
    r"/@(schemeDataURI|schemeVersionID)$": "address and edition of a dictionary that is itself named",
    r"/StandardItemIdentification/ID/@schemeID$": "0160 is the field gtin; another scheme is checked by item()",
    r"/DeliveryLocation/ID/@schemeID$": "0088 is the field gln",
    r"/(OrderResponseCode|LineStatusCode|ResponseCode)$": "becomes an outcome; see test_codes_become_outcomes",
    r"/DocumentResponse/DocumentReference/DocumentTypeCode$": "becomes the type of the document that is answered",
    r"/OrderChange/.*LineStatusCode$": "a change gives complete new lines; quantity zero takes one away",
    r"/Catalogue/(CatalogueLine/)?ActionCode$": "becomes the line's action; a whole catalogue adds by itself",
    r"/DespatchLine/Shipment/ID$": "the syntax asks for it; the rules of the BIS make it NA",
    r"/Person/IdentityDocumentReference/": "personal data: PersonalEntry.identity_document, beside the document",
}
# A person's or a code's one value may stand in XML more often than here; each must be here once.
SAID_ONCE = {
    r"/TaxScheme/ID$": "the total of a tax repeats the scheme of its categories",
    r"/OrderReference/ID$": "a line without its own order is of the document's",
    r"/UBLExtension/ExtensionURI$": "the name of an extension whose content is a field of ours",
}


# Codes of Rec 20 for hectopascal per bar and the like: the gate knows the units of trade only.
NOT_TRADED = {"E99", "M66"}


def sample_paths() -> list[Path]:
    """Every XML sample, or none when they are not there."""
    named = os.environ.get("HANSA_SAMPLES")
    return sorted((Path(named) / "ubl").rglob("*.xml")) if named else []


def said(text: str) -> str:
    """One form for equal values: spaces and trailing zeros do not count, leading ones do."""
    text = " ".join(text.split())
    if re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?|-?0[0-9]*\.[0-9]+", text):
        return format(Decimal(text).normalize(), "f").replace("-0", "0") if Decimal(text) == 0 else plain(Decimal(text))
    return text


def plain(number: Decimal) -> str:
    """A number without exponent and without trailing zeros."""
    return format(number.normalize(), "f")


def in_xml(element: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every leaf and every attribute of an element that says something, with its path."""
    path = f"{path}/{name_of(element)}"
    children = [child for child in element if isinstance(child.tag, str)]
    for child in children:
        yield from in_xml(child, path)
    if not children and (element.text or "").strip():
        yield path, element.text
    for name, value in element.attrib.items():
        if value.strip():
            yield f"{path}/@{etree.QName(name).localname}", value


def in_fields(value: Any) -> Iterator[str]:
    """Every value in plain fields; an instant says its day and its time of day, too."""
    if isinstance(value, dict):
        for one in value.values():
            yield from in_fields(one)
    elif isinstance(value, list):
        for one in value:
            yield from in_fields(one)
    else:
        text = "true" if value is True else str(value)
        yield said(text)
        if re.match(r"\d{4}-\d\d-\d\dT", text):
            yield text[:10]
            yield text[11:19]


def expected(path: str, text: str) -> str:
    """How the fields are to say what the XML says."""
    if path.endswith("EmbeddedDocumentBinaryObject"):
        return hexadecimal(text)
    if path.endswith("Time"):
        return text.strip()[:8]
    return said(text)


def hexadecimal(text: str) -> str:
    """The bytes that base64 stands for."""
    try:
        return base64.b64decode(text).hex()
    except binascii.Error:
        return text.encode().hex()


def is_false(path: str, text: str) -> bool:
    """Indicators are false unless said otherwise, so false is not carried."""
    return path.endswith("Indicator") and text.strip() == "false"


def lost(root: Any, fields: dict[str, Any]) -> list[str]:
    """What the XML says more often than the fields do."""
    there = Counter(in_fields(fields))
    counted: Counter[str] = Counter()
    missing = []
    for path, text in in_xml(root):
        if is_false(path, text) or any(re.search(pattern, path) for pattern in NOT_CARRIED):
            continue
        value = expected(path, text)
        if any(re.search(pattern, path) for pattern in SAID_ONCE):
            if not there[value]:
                missing.append(f"{path}: {text.strip()[:60]}")
            continue
        counted[value] += 1
        if counted[value] > there[value]:
            missing.append(f"{path}: {text.strip()[:60]}")
    return missing


PATHS = sample_paths()


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_sample_is_held_without_loss(path: Path) -> None:
    root = etree.parse(path).getroot()
    for element in root.xpath("//*[@unitCode]"):
        if element.get("unitCode") in NOT_TRADED:
            element.set("unitCode", "C62")
    document_type, mapping = MAPPINGS[name_of(root)]
    fields = mapping(root)
    document = wire.from_fields(document_type, fields)
    body = wire.encode(document)
    again = wire.decode_document(document_type, body)
    assert again == document
    assert wire.encode(again) == body
    assert lost(root, wire.to_fields(again)) == []
    assert len(body) <= wire.DOCUMENT_BYTES_MAX


def test_there_are_samples_of_every_kind(samples: Path) -> None:
    kinds = Counter(name_of(etree.parse(path).getroot()) for path in (samples / "ubl").rglob("*.xml"))
    assert set(kinds) == set(MAPPINGS)
    assert sum(kinds.values()) >= 40
    assert min(kinds[kind] for kind in ("Order", "OrderResponse", "DespatchAdvice", "Invoice")) >= 5


def test_a_unit_that_is_not_traded_is_refused_by_its_path(samples: Path) -> None:
    path = next((samples / "ubl").rglob("*NZ_Credit_note.xml"))
    with pytest.raises(wire.InvalidFieldsError) as refused:
        wire.from_fields("CreditNote", goods.credit_note(etree.parse(path).getroot()))
    assert {finding.rule for finding in refused.value.findings} == {"unknown-unit"}
    assert refused.value.findings[0].path == "lines[0].quantity.unit"


def test_codes_become_outcomes(samples: Path) -> None:
    unread = []
    for path in (samples / "ubl").rglob("*.xml"):
        root = etree.parse(path).getroot()
        for element in root.iter("{*}OrderResponseCode", "{*}ResponseCode", "{*}LineStatusCode"):
            known = ubl.LINE_OUTCOMES if name_of(element) == "LineStatusCode" else ubl.RESPONSES | ubl.VERDICTS
            if element.text not in known:
                unread.append(f"{path.name}: {element.text}")
    assert unread == []


def test_the_check_sees_a_loss(samples: Path) -> None:
    path = next(path for path in (samples / "ubl").rglob("*.xml") if name_of(etree.parse(path).getroot()) == "Order")
    root = etree.parse(path).getroot()
    fields = ubl.order(root)
    del fields["lines"][0]["quantity"]
    assert any("/Quantity" in remark for remark in lost(root, fields))
