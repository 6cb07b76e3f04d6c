"""Converters, value by value: what they make, what they refuse, and the table in the README."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import adapters.mapping  # noqa: F401 - registers the converters
from adapters.cells import Cell, as_text, cell, key_text, key_texts
from adapters.conversion import REGISTRY, Chain, ConvertError, build_chain, converter_table
from adapters.lookups import Lookups
from node.errors import ConfigError

LOOKUPS = Lookups(
    {
        "items": {"rows": [{"our": "A", "site": "1", "theirs": "9"}, {"our": "A", "site": "2", "theirs": "8"}]},
        "packs": {"rows": [{"item": "A", "unit": "KAR", "factor": "12"}, {"item": "B", "unit": "XBX", "factor": "x"}]},
    },
    Path(),
    "m.toml",
)


def run(convert: object, value: Cell, *others: Cell) -> Cell:
    return Chain(build_chain(convert, LOOKUPS, "test")).one(value, others)


@pytest.mark.parametrize(
    ("convert", "value", "expected"),
    [
        ("upper", " ab ", "AB"),
        ("lower", "AB", "ab"),
        ({"strip": "*"}, "** a *", "a"),
        ({"prefix": "0088:"}, "1", "0088:1"),
        ({"suffix": "-EU"}, "1", "1-EU"),
        ({"pad": 13}, 4012345, "0000004012345"),
        ("strip_zeros", "00010", "10"),
        ("strip_zeros", "000", "0"),
        ({"left": 3}, "abcdef", "abc"),
        ("digits", "40-12 34", "401234"),
        ({"split": {"by": "-", "part": 2}}, "a-b-c", "b"),
        ({"split": {"by": "-", "part": -1}}, "a-b-c", "c"),
        ({"empty": ["N/A"]}, "N/A", None),
        ([{"empty": ["N/A"]}, {"default": "x"}], "N/A", "x"),
        ({"default": "x"}, "  ", "x"),
        ("upper", "", None),
        ({"map": {"A": "B", "*": "C"}}, "Z", "C"),
        ({"map": {"A": "B", "*": "*"}}, "Z", "Z"),
        ({"unit": {"STK": "C62"}}, "STK", "C62"),
        ("unit", "KGM", "KGM"),
        ({"decimal": "1.234,56"}, "1.234,56", "1234.56"),
        ({"decimal": "1.234,56"}, "-1.234", "-1234"),
        ({"decimal": "1.234,56"}, "12,5-", "-12.5"),
        ({"decimal": "1.234,56"}, 1.234, "1.234"),
        ({"decimal": "1,234.56"}, "1,234.5", "1234.5"),
        ({"decimal": "1 234,56"}, "1\u00a0234,5", "1234.5"),
        ({"decimal": "1'234.56"}, "1'234.5", "1234.5"),
        ({"decimal": "1234,56"}, ",5", "0.5"),
        ("decimal", "7", "7"),
        ({"decimal_out": "1.234,56"}, "-1234567.5", "-1.234.567,5"),
        ({"multiply": "0.01"}, "255", "2.55"),
        ({"at_least": "0"}, "-3", "0"),
        ("negate", "5", "-5"),
        ({"round": 2}, "2.345", "2.35"),
        ({"date": "%d.%m.%Y"}, "24.12.2026", "2026-12-24"),
        ({"date": ["%d.%m.%Y", "%Y%m%d"]}, "20261224", "2026-12-24"),
        ({"date": "%d.%m.%Y"}, "2026-12-24T00:00:00", "2026-12-24"),
        ({"date": "excel"}, 46380, "2026-12-24"),
        ({"instant": {"zone": "Europe/Berlin"}}, "2026-07-24 08:15:00", "2026-07-24T06:15:00Z"),
        ("instant", "2026-07-24T08:15:00+02:00", "2026-07-24T06:15:00Z"),
        ({"date_out": "%d.%m.%Y"}, "2026-12-24", "24.12.2026"),
        ({"instant_out": {"format": "%H:%M", "zone": "Europe/Berlin"}}, "2026-07-24T06:15:00Z", "08:15"),
        ({"boolean": {"true": ["J"], "false": ["N"]}}, "j", "true"),
        ({"boolean_out": {"true": "J", "false": "N"}}, "false", "N"),
        ("gtin", "4012345000009", "4012345000009"),
        ("gln", "4012345000009", "4012345000009"),
        ("participant", "0088:4012345000009", "0088:4012345000009"),
        ({"allowed": ["EUR"]}, "EUR", "EUR"),
    ],
)
def test_a_value_is_converted(convert: object, value: Cell, expected: Cell) -> None:
    assert run(convert, value) == expected


@pytest.mark.parametrize(
    ("convert", "value", "rule"),
    [
        ("required", "", "missing-value"),
        ({"split": {"by": "-", "part": 3}}, "a-b", "no-such-part"),
        ({"allowed": ["EUR"]}, "USD", "not-allowed"),
        ({"map": {"A": "B"}}, "Z", "unknown-value"),
        ("unit", "Stück", "unknown-unit"),
        ({"decimal": "1.234,56"}, "1.23", "bad-decimal"),
        ({"decimal": "1.234,56"}, "1.5", "bad-decimal"),
        ({"decimal": "1,234.56"}, "1,5", "bad-decimal"),
        ({"decimal": "1234,56"}, "1.5", "bad-decimal"),
        ({"decimal": "1234,56"}, "--5", "bad-decimal"),
        ("decimal", "1E+5000000", "bad-decimal"),
        ("decimal", "NaN", "bad-decimal"),
        ({"multiply": "0.000001"}, "0.000001", "bad-decimal"),
        ({"date": "%d.%m.%Y"}, "31.02.2026", "bad-date"),
        ({"date": "%d.%m.%Y"}, "2026-12-24T10:00:00", "bad-date"),
        ("instant", "2026-07-24 08:15", "bad-instant"),
        ({"instant": {"zone": "Europe/Berlin"}}, "2026-03-29 02:30", "bad-instant"),
        ({"boolean": {"true": ["J"], "false": ["N"]}}, "X", "bad-boolean"),
        ("gtin", "4012345000008", "bad-gtin"),
        ("gtin", "4012345000009999", "bad-gtin"),
        ("sscc", "123", "bad-sscc"),
        ({"date_out": "%d.%m.%Y"}, "soon", "bad-value"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(convert: object, value: Cell, rule: str) -> None:
    with pytest.raises(ConvertError) as caught:
        run(convert, value)
    assert caught.value.rule == rule


def test_packs_are_counted_in_pieces_by_the_item() -> None:
    pack = {"per_pack": {"unit": "U", "to": "C62", "item": "I", "table": "packs", "units": {"KAR": "XBX", "ST": "C62"}}}
    assert run(pack, "2", "KAR", "A") == "24"
    assert run(pack, "2.5", "ST", "C") == "2.5"
    assert run({"per_pack": {"unit": "U", "to": "C62", "factors": {"XBX": 12}}}, "2", "XBX") == "24"
    assert run({"per_pack": {"unit": "U", "to": "XBX", "factors": {"C62": "1/12"}}}, "24", "C62") == "2"
    assert run({"per_pack": {"unit": "U", "to": "KGM"}}, "2500", "GRM") == "2.5"
    for others, rule in (
        (("KAR", "C"), "unlike-units"),
        (("KGM", "A"), "unlike-units"),
        (("?", "A"), "unknown-unit"),
        (("XBX", "B"), "bad-factor"),
    ):
        with pytest.raises(ConvertError) as caught:
            run(pack, "2", *others)
        assert caught.value.rule == rule


def test_a_lookup_answers_says_no_or_says_several() -> None:
    step = {"lookup": {"table": "items", "from": "our", "to": "theirs"}}
    with pytest.raises(ConvertError) as caught:
        run(step, "A")
    assert caught.value.rule == "doubtful-lookup"
    step["lookup"]["and"] = {"site": "SITE"}  # type: ignore[assignment]
    assert run(step, "A", " 2 ") == "8"
    with pytest.raises(ConvertError) as caught:
        run(step, "A", "3")
    assert caught.value.rule == "not-found"
    for missing, answer in (("keep", "Z"), ("empty", None)):
        assert run({"lookup": {"table": "items", "from": "our", "to": "theirs", "missing": missing}}, "Z") == answer


@pytest.mark.parametrize(
    "convert",
    [
        "no_such",
        {"upper": 1, "lower": 1},
        {"upper": "x"},
        {"pad": "13"},
        {"pad": -1},
        {"decimal": "1.234.56"},
        {"date": "dd.mm.yyyy"},
        {"instant": {"zone": "Europe/Nowhere"}},
        {"unit": {"STK": "Stück"}},
        {"lookup": {"table": "none", "from": "a", "to": "b"}},
        {"lookup": {"table": "items", "from": "a", "to": "b"}},
        {"lookup": {"table": "items", "from": "our", "to": "theirs", "missing": "perhaps"}},
        {"per_pack": {"unit": "U", "to": "pieces"}},
        {"per_pack": {"unit": "U", "to": "C62", "item": "I"}},
        {"split": {"by": "-", "part": 0}},
        {"multiply": "1,5"},
    ],
)
def test_a_converter_that_cannot_work_is_known_before_use(convert: object) -> None:
    with pytest.raises(ConfigError, match=r"test: .+"):
        build_chain(convert, LOOKUPS, "test")


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=4, allow_nan=False))
def test_every_local_form_reads_what_it_writes(number: Decimal) -> None:
    plain = as_text(run("decimal", format(number, "f")))
    for form in ("1.234,56", "1,234.56", "1 234,56", "1'234.56", "1234,56", "1234.56"):
        written = run({"decimal_out": form}, plain)
        assert Decimal(as_text(run({"decimal": form}, written))) == number


@given(st.lists(st.lists(st.text(alphabet="a|\\ ", max_size=4), min_size=2, max_size=2), min_size=1, max_size=6))
def test_unlike_keys_have_unlike_texts(rows: list[list[str]]) -> None:
    columns = list(zip(*rows, strict=True))
    texts = key_texts(columns)
    stripped = [tuple(part.strip() for part in row) for row in rows]
    for text, row in zip(texts, stripped, strict=True):
        assert text == (key_text(row) if all(row) else "")
    full = {(text, row) for text, row in zip(texts, stripped, strict=True) if text}
    assert len({text for text, _ in full}) == len({row for _, row in full})


def test_numbers_and_texts_stay_apart_in_cells() -> None:
    assert cell(Decimal("1.50")) == 1.5
    assert cell(Decimal("12345678901234.567891")) == "12345678901234.567891"
    assert cell(6.0) == 6
    assert cell(True) == "true"
    assert as_text(1e-05) == "0.00001"
    assert cell(2**70) == str(2**70)


def test_the_readme_shows_the_converters_as_they_are(project_root: Path) -> None:
    text = (project_root / "adapters" / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"<!-- converters -->\n(.*?)<!-- end of converters -->", text, re.DOTALL)
    assert shown is not None
    assert shown[1] == converter_table(), "put what converter_table() gives between the two comments"
    assert all((builder.__doc__ or "").count("\n\n") == 1 for builder in REGISTRY.values())
