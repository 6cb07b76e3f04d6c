"""The crosswalk names every term of EN 16931-1, and only fields that exist."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from node import wire
from node.core.document import DOCUMENTS

CROSSWALK = Path(__file__).resolve().parents[2] / "proto" / "crosswalk.csv"
COLUMNS = ["standard", "term", "name", "document", "path", "note"]
STANDARDS = {
    "EN16931",
    "PEPPOL-ORDER-3",
    "PEPPOL-ORDER-RESPONSE-3",
    "PEPPOL-DESPATCH-3",
    *(f"EANCOM-{name}" for name in ("ORDERS", "ORDRSP", "DESADV", "INVOIC", "INVRPT", "RECADV")),
    *(f"X12-{number}" for number in (850, 855, 856, 810, 846)),
}
# The semantic model of EN 16931-1 numbers its terms from 1 to 165; 4 is not used. Terms with a number of their own for
# scheme, version or file name come after a second hyphen.
BUSINESS_TERMS = [f"BT-{number}" for number in range(1, 166) if number != 4]
BUSINESS_GROUPS = [f"BG-{number}" for number in range(1, 33)]
PARTS = """
    BT-18-1 BT-29-1 BT-30-1 BT-34-1 BT-46-1 BT-47-1 BT-49-1 BT-60-1 BT-61-1 BT-71-1 BT-125-1 BT-125-2 BT-128-1 BT-157-1
    BT-158-1 BT-158-2
""".split()

with CROSSWALK.open(encoding="utf-8", newline="") as file:
    ROWS = list(csv.DictReader(file))


def places(document_type: str) -> set[str]:
    """Every field and every group of fields of a document type, by its path."""
    found: set[str] = set()
    for path, _ in wire.field_kinds(document_type):
        parts = path.split(".")
        found.update(".".join(parts[:count]) for count in range(1, len(parts) + 1))
    return found


PLACES = {document_type: places(document_type) for document_type in DOCUMENTS}


def test_the_columns_are_as_the_readers_expect() -> None:
    assert list(ROWS[0]) == COLUMNS
    assert {row["standard"] for row in ROWS} == STANDARDS


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['standard']} {row['term']}")
def test_every_path_is_a_field(row: dict[str, str]) -> None:
    assert row["name"]
    if not row["path"]:
        assert row["note"], "a term without a field says why"
    missing = [path for path in row["path"].split() if path not in PLACES[row["document"]]]
    assert missing == []


def test_every_term_of_en_16931_is_listed_once() -> None:
    listed = [row["term"] for row in ROWS if row["standard"] == "EN16931"]
    assert sorted(listed) == sorted([*BUSINESS_TERMS, *BUSINESS_GROUPS, *PARTS])


def test_every_term_of_en_16931_has_a_field_in_invoices_and_in_credit_notes() -> None:
    paths = [path for row in ROWS if row["standard"] == "EN16931" for path in row["path"].split()]
    assert [path for path in paths if path not in PLACES["CreditNote"]] == []
    assert [row["term"] for row in ROWS if row["standard"] == "EN16931" and not row["path"]] == []


def test_no_term_is_listed_twice() -> None:
    keys = [(row["standard"], row["term"]) for row in ROWS]
    assert sorted(set(keys)) == sorted(keys)
