"""Units: the table agrees with what UN/ECE Rec 20 prints, and conversion is exact or refused."""

from __future__ import annotations

import os
import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from node.core.quantity import Quantity
from node.core.units import UNITS, convert, describe, is_unit
from node.errors import RefusedError

# Codes of Rec 20 that no goods are sold in (hectopascal per bar, yard per hour), chosen at random by test invoices.
TECHNICAL = {"E99", "M66"}

BOXES = {("XBX", "C62"): Fraction(12), ("XPX", "XBX"): Fraction(40)}

# Conversion factors as printed in UN/ECE Recommendation 20, Annex II and III, in SI units and rounded there.
PRINTED = {
    "LBR": "0.45359237",
    "ONZ": "0.02834952",
    "CWA": "45.3592",
    "CWI": "50.80235",
    "STN": "907.1847",
    "LTN": "1016.047",
    "STI": "6.350293",
    "QTR": "12.70059",
    "GRN": "0.00006479891",
    "DWT": "0.001555174",
    "DRA": "0.003887935",
    "DRI": "0.001771745",
    "LBT": "0.3732417",
    "CTM": "0.0002",
    "DTN": "100",
    "INH": "0.0254",
    "FOT": "0.3048",
    "YRD": "0.9144",
    "AK": "1.8288",
    "SMI": "1609.344",
    "NMI": "1852",
    "X1": "20.1168",
    "M50": "201.168",
    "FTK": "0.09290304",
    "YDK": "0.8361274",
    "INK": "0.00064516",
    "MIK": "2589988",
    "HUR": "3600",
    "WEE": "604800",
    "KWH": "3600000",
    "BTU": "1055.056",
    "E14": "4186.8",
    "AMH": "3600",
}
# Printed with fewer right digits than the others.
LOOSE = {"DRI": 1e-4, "WSD": 1e-4, "PTI": 2e-6, "BLD": 2e-6}
PRINTED_CUBIC_METRES = {
    "GLL": "0.003785412",
    "GLD": "0.004404884",
    "GLI": "0.00454609",
    "PTL": "0.0004731765",
    "PTD": "0.0005506105",
    "PTI": "0.000568261",
    "QTL": "0.0009463529",
    "QTD": "0.001101221",
    "QTI": "0.0011365225",
    "OZA": "0.00002957353",
    "OZI": "0.00002841306",
    "GIA": "0.0001182941",
    "GII": "0.0001420653",
    "FTQ": "0.02831685",
    "YDQ": "0.764555",
    "INQ": "0.000016387064",
    "BLL": "0.1589873",
    "BLD": "0.115627",
    "BUA": "0.03523907",
    "BUI": "0.03636872",
    "G21": "0.0002365882",
    "G23": "0.008809768",
    "G24": "0.00001478676",
    "G25": "0.000004928922",
    "L43": "0.009092181",
    "M68": "3.624556",
    "WSD": "4.672",
}


@pytest.mark.parametrize(("code", "printed"), PRINTED.items())
def test_factors_agree_with_the_printed_ones(code: str, printed: str) -> None:
    factor = UNITS[code].factor
    assert factor is not None
    assert float(factor) == pytest.approx(float(printed), rel=LOOSE.get(code, 1e-6))


@pytest.mark.parametrize(("code", "printed"), PRINTED_CUBIC_METRES.items())
def test_volumes_agree_with_the_printed_ones(code: str, printed: str) -> None:
    factor = UNITS[code].factor
    assert factor is not None
    assert float(factor) / 1000 == pytest.approx(float(printed), rel=LOOSE.get(code, 1e-6))


def test_table_is_well_formed() -> None:
    assert len(UNITS) > 400
    for code, unit in UNITS.items():
        assert unit.code == code
        assert re.fullmatch(r"[A-Z0-9]{2,3}", code)
        assert unit.name
        assert unit.factor is None or unit.factor > 0
        assert (unit.dimension == "package") == (code.startswith("X") and len(code) == 3)


@pytest.mark.parametrize(
    ("value", "unit", "to_unit", "result"),
    [
        ("1.5", "TNE", "KGM", "1500"),
        ("250", "GRM", "KGM", "0.25"),
        ("1", "LBR", "GRM", "453.59237"),
        ("2", "DZN", "EA", "24"),
        ("36", "H87", "DZN", "3"),
        ("1", "GGR", "GRO", "12"),
        ("3", "PR", "C62", "6"),
        ("0.5", "MIL", "CEN", "5"),
        ("1", "MTQ", "LTR", "1000"),
        ("1", "GLL", "INQ", "231"),
        ("1", "GLI", "PTI", "8"),
        ("1", "YRD", "CMT", "91.44"),
        ("1", "HAR", "MTK", "10000"),
        ("1", "DAY", "MIN", "1440"),
        ("1", "ANN", "QAN", "4"),
        ("1", "E34", "4L", "1000"),
        ("5", "EA", "C62", "5"),
        ("-2", "KMT", "MTR", "-2000"),
    ],
)
def test_general_conversions_are_exact(value: str, unit: str, to_unit: str, result: str) -> None:
    converted = convert(Quantity.parse(value, unit), to_unit)
    assert (converted.value, converted.unit) == (Decimal(result), to_unit)


@pytest.mark.parametrize(
    ("value", "unit", "to_unit", "result"),
    [
        ("3", "XBX", "C62", "36"),
        ("36", "EA", "XBX", "3"),
        ("6", "C62", "XBX", "0.5"),
        ("3", "XBX", "DZN", "3"),
        ("1", "XPX", "C62", "480"),
        ("1", "XPX", "GRO", "3.333333"),
        ("960", "H87", "XPX", "2"),
    ],
)
def test_item_factors_work_both_ways_and_along_chains(value: str, unit: str, to_unit: str, result: str) -> None:
    quantity = Quantity.parse(value, unit)
    if "333" in result:
        with pytest.raises(RefusedError) as caught:
            convert(quantity, to_unit, BOXES)
        assert caught.value.code == "inexact-conversion"
    else:
        assert convert(quantity, to_unit, BOXES) == Quantity.parse(result, to_unit)


def test_catch_weight_by_the_items_own_factor() -> None:
    cheese = {("XCT", "KGM"): Fraction("2.5")}
    assert convert(Quantity.parse("4", "XCT"), "GRM", cheese) == Quantity.parse("10000", "GRM")
    assert convert(Quantity.parse("5", "KGM"), "XCT", cheese) == Quantity.parse("2", "XCT")


def test_what_is_not_exact_is_refused_not_rounded() -> None:
    with pytest.raises(RefusedError) as caught:
        convert(Quantity.parse("7", "C62"), "XBX", BOXES)
    assert caught.value.code == "inexact-conversion"
    with pytest.raises(RefusedError) as caught:
        convert(Quantity.parse("1", "MGM"), "TNE")
    assert caught.value.code == "inexact-conversion"


@pytest.mark.parametrize(
    ("unit", "to_unit"),
    [("KGM", "LTR"), ("XBX", "C62"), ("MON", "DAY"), ("KNI", "KGM"), ("LPA", "LTR"), ("CEL", "FAH"), ("SET", "C62")],
)
def test_what_depends_on_the_item_is_refused(unit: str, to_unit: str) -> None:
    with pytest.raises(RefusedError) as caught:
        convert(Quantity.parse("1", unit), to_unit, {("XPK", "C62"): Fraction(10)})
    assert caught.value.code == "unlike-units"
    assert to_unit in caught.value.hint


def test_bad_factors_units_and_sizes_are_refused() -> None:
    with pytest.raises(RefusedError) as caught:
        convert(Quantity.parse("1", "XBX"), "C62", {("XBX", "C62"): Fraction(0)})
    assert caught.value.code == "bad-factor"
    with pytest.raises(RefusedError) as caught:
        convert(Quantity.parse("1", "KGM"), "pound")
    assert caught.value.code == "unknown-unit"
    with pytest.raises(RefusedError) as caught:
        convert(Quantity.parse("999999999999", "KTN"), "MGM")
    assert caught.value.code == "bad-decimal"


def test_units_are_described_in_words() -> None:
    assert describe("KGM") == "kilogram"
    assert describe("XBX") == "box"
    assert describe("XQQ") == "package QQ"
    with pytest.raises(RefusedError):
        describe("BOX")


def test_units_of_real_invoices_are_known() -> None:
    """Every unit code in the UBL samples (env HANSA_SAMPLES) is known; skipped without them."""
    samples = os.environ.get("HANSA_SAMPLES")
    if not samples:
        pytest.skip("HANSA_SAMPLES is not set")
    files = list(Path(samples, "ubl").rglob("*.xml"))
    assert files
    codes = {code for file in files for code in re.findall(rb'unitCode="([^"]*)"', file.read_bytes())}
    unknown = {code.decode() for code in codes if not is_unit(code.decode())}
    assert unknown <= TECHNICAL
