"""Properties of numbers, units, money and identifiers, with the standard library and python-stdnum as oracles."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

import stdnum.ean
import stdnum.lei
from hypothesis import given
from hypothesis import strategies as st
from stdnum.iso7064 import mod_97_10

from node.core.decimals import SCALED_MAX
from node.core.identifiers import (
    RESTRICTED_NUMBER_MAX,
    check_digit,
    gtin14,
    is_gln,
    is_gtin,
    is_participant,
    is_restricted_gtin,
    is_sscc,
    restricted_gtin,
)
from node.core.iso_codes import MINOR_UNITS
from node.core.money import Money
from node.core.quantity import Quantity, format_decimal, from_scaled, parse_decimal, to_scaled
from node.core.units import UNITS, convert
from node.errors import RefusedError

PLAIN = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,6})?", re.ASCII)
numbers = st.integers(-(10**18) + 1, 10**18 - 1).map(lambda scaled: Decimal(scaled).scaleb(-6))
measures = st.sampled_from(sorted(code for code, unit in UNITS.items() if unit.factor is not None))
digits = st.text("0123456789", min_size=1, max_size=20)

T = TypeVar("T")


def outcome(action: Callable[[], T]) -> T | RefusedError:
    """What `action` returns, or its refusal as a value."""
    try:
        return action()
    except RefusedError as error:
        return error


@given(st.one_of(st.from_regex(PLAIN, fullmatch=True), st.text("0123456789+-.eE_ ,٣", max_size=24), st.text()))
def test_the_gate_takes_plain_decimals_and_nothing_else(text: str) -> None:
    plain = PLAIN.fullmatch(text) is not None
    value = outcome(lambda: parse_decimal(text))
    if isinstance(value, RefusedError):
        assert not plain
        assert value.code == "bad-decimal"
    else:
        assert plain
        assert value == Decimal(text)
        assert parse_decimal(format_decimal(value)).as_tuple() == value.as_tuple()


@given(st.decimals())
def test_any_decimal_is_written_readably_or_refused(value: Decimal) -> None:
    try:
        text = format_decimal(value)
    except RefusedError:
        return
    assert parse_decimal(text) == value


@given(st.integers(-SCALED_MAX, SCALED_MAX))
def test_scaled_integers_come_back(scaled: int) -> None:
    value = from_scaled(scaled)
    assert value == Fraction(scaled, 10**6)
    assert to_scaled(value) == scaled


@given(st.decimals())
def test_scaling_is_exact_or_refused(value: Decimal) -> None:
    try:
        scaled = to_scaled(value)
    except RefusedError:
        return
    assert Fraction(value) == Fraction(scaled, 10**6)
    assert from_scaled(scaled) == value


@given(numbers, numbers, numbers, measures)
def test_quantities_add_like_numbers(a: Decimal, b: Decimal, c: Decimal, unit: str) -> None:
    x, y, z = Quantity(a, unit), Quantity(b, unit), Quantity(c, unit)
    assert (x + y) + z == x + (y + z)
    assert x + y == y + x
    assert x + y - y == x
    assert Fraction((x + y).value) == Fraction(a) + Fraction(b)
    assert (x < y) == (a < b)
    assert hash(x + y) == hash(y + x)


@given(numbers, numbers, measures)
def test_products_are_exact(a: Decimal, b: Decimal, unit: str) -> None:
    assert Fraction((Quantity(a, unit) * b).value) == Fraction(a) * Fraction(b)


@given(numbers, numbers, measures, measures)
def test_units_never_mix(a: Decimal, b: Decimal, unit: str, other: str) -> None:
    x, y = Quantity(a, unit), Quantity(b, other)
    total = outcome(lambda: x + y)
    if isinstance(total, RefusedError):
        assert total.code == "unlike-units"
        assert x.canonical_unit != y.canonical_unit
    else:
        assert x.canonical_unit == y.canonical_unit
        assert total.unit == unit


@given(numbers, measures, measures)
def test_conversion_there_and_back(value: Decimal, unit: str, other: str) -> None:
    quantity = Quantity(value, unit)
    there = outcome(lambda: convert(quantity, other))
    if isinstance(there, RefusedError):
        assert there.code in {"unlike-units", "inexact-conversion", "bad-decimal"}
        assert (there.code == "unlike-units") == (UNITS[unit].dimension != UNITS[other].dimension)
    else:
        assert there.unit == other
        assert convert(there, unit) == quantity


@given(st.integers(-1000, 1000), st.fractions(Fraction(1, 1000), 1000))
def test_packs_there_and_back(count: int, factor: Fraction) -> None:
    factors = {("XBX", "EA"): factor}
    boxes = Quantity(Decimal(count), "XBX")
    pieces = outcome(lambda: convert(boxes, "H87", factors))
    if isinstance(pieces, RefusedError):
        assert pieces.code == "inexact-conversion"
    else:
        assert Fraction(pieces.value) == count * factor
        assert convert(pieces, "XBX", factors) == boxes


@given(numbers, st.sampled_from(sorted(MINOR_UNITS)))
def test_rounding_is_to_the_nearest_minor_unit(amount: Decimal, currency: str) -> None:
    money = Money(amount, currency)
    rounded = money.rounded()
    minor = Fraction(1, 10 ** MINOR_UNITS[currency])
    assert Fraction(rounded.amount) % minor == 0
    assert abs(Fraction(rounded.amount) - Fraction(amount)) <= minor / 2
    assert rounded.rounded() == rounded
    assert (-money).rounded() == -rounded
    assert abs(rounded.amount) >= abs(amount) or abs(Fraction(rounded.amount) - Fraction(amount)) < minor / 2


@given(digits)
def test_check_digits_agree_with_stdnum(body: str) -> None:
    assert check_digit(body) == stdnum.ean.calc_check_digit(body)


@given(st.one_of(digits, st.text("0123456789", min_size=7, max_size=13).map(lambda body: body + check_digit(body))))
def test_gtins_agree_with_stdnum(text: str) -> None:
    assert is_gtin(text) == (stdnum.ean.is_valid(text) and text.strip("0") != "")
    if is_gtin(text):
        assert len(gtin14(text)) == 14
        assert is_gtin(gtin14(text))
        assert is_gln(text) == (len(text) == 13)


@given(st.text("0123456789", min_size=17, max_size=17), st.integers(0, 17), st.integers(1, 9))
def test_one_wrong_digit_never_passes(body: str, position: int, change: int) -> None:
    text = body + check_digit(body)
    wrong = text[:position] + str((int(text[position]) + change) % 10) + text[position + 1 :]
    assert not is_sscc(wrong)


@given(st.integers(0, RESTRICTED_NUMBER_MAX), st.integers(0, RESTRICTED_NUMBER_MAX))
def test_restricted_gtins_are_valid_and_distinct(number: int, other: int) -> None:
    gtin = restricted_gtin(number)
    assert stdnum.ean.is_valid(gtin)
    assert len(gtin) == 13
    assert 20 <= int(gtin[:2]) <= 29
    assert is_restricted_gtin(gtin)
    assert (gtin == restricted_gtin(other)) == (number == other)


@given(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=18, max_size=18), st.integers(0, 99))
def test_leis_agree_with_stdnum(body: str, check: int) -> None:
    right = body + mod_97_10.calc_check_digits(body)
    assert is_participant(f"0199:{right}")
    guess = f"{body}{check:02d}"
    assert is_participant(f"0199:{guess}") == stdnum.lei.is_valid(guess)


@given(st.text(), st.text())
def test_no_text_breaks_the_checks(scheme: str, value: str) -> None:
    is_participant(f"{scheme}:{value}")
    is_gtin(value)
    is_sscc(value)
