"""Quantities and the decimals of documents: what is read, written, stored and refused."""

from __future__ import annotations

import decimal
from decimal import Decimal

import pytest

from node.core.quantity import Quantity, format_decimal, from_scaled, parse_decimal, to_scaled
from node.errors import RefusedError

ATTACKS = [
    "1E+5000000",
    "1e5",
    "NaN",
    "sNaN",
    "Infinity",
    "-Infinity",
    "١٢",
    "１２",
    "²",
    "1_000",
    "+1",
    " 1",
    "1 ",
    "1\n",
    "1\x00",
    "1.",
    ".5",
    "-.5",
    "-",
    "--1",
    "",
    "1,5",
    "1.000,00",
    "1.2.3",
    "0x10",
    "9" * 1000,
    "0" * 1000,
    "0." + "3" * 1000,
    "1234567890123",
    "0.0000001",
]


@pytest.mark.parametrize("text", ATTACKS)
def test_gate_refuses_all_but_plain_bounded_decimals(text: str) -> None:
    with pytest.raises(RefusedError) as caught:
        parse_decimal(text)
    assert caught.value.code == "bad-decimal"
    assert caught.value.hint
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("-0.00", "0.00"),
        ("007", "7"),
        ("12.50", "12.50"),
        ("-3.5", "-3.5"),
        ("999999999999.999999", "999999999999.999999"),
        ("-999999999999.999999", "-999999999999.999999"),
    ],
)
def test_gate_reads_plain_decimals_and_keeps_their_scale(text: str, written: str) -> None:
    assert format_decimal(parse_decimal(text)) == written


def test_refusal_says_which_limit_was_broken() -> None:
    with pytest.raises(RefusedError, match="7 decimals, at most 6"):
        parse_decimal("0.1234567")
    with pytest.raises(RefusedError, match="13 digits before the point, at most 12"):
        parse_decimal("1234567890123")


@pytest.mark.parametrize(
    ("value", "written"),
    [("1E+3", "1000"), ("-0E+3", "0"), ("1E-6", "0.000001"), ("0.1200000000", "0.120000"), ("0E-40", "0.000000")],
)
def test_written_decimals_have_no_exponent(value: str, written: str) -> None:
    assert format_decimal(Decimal(value)) == written


@pytest.mark.parametrize("value", ["1E+5000000", "1E-5000000", "NaN", "-Infinity", "1.1234567", "1E+12"])
def test_what_the_gate_would_refuse_is_not_written(value: str) -> None:
    with pytest.raises(RefusedError) as caught:
        format_decimal(Decimal(value))
    assert caught.value.code == "bad-decimal"


@pytest.mark.parametrize("value", ["1E+5000000", "1E-5000000", "NaN", "sNaN", "Infinity", "1.1234567", "9300000000000"])
def test_what_does_not_fit_a_bigint_is_not_scaled(value: str) -> None:
    with pytest.raises(RefusedError) as caught:
        to_scaled(Decimal(value))
    assert caught.value.code == "bad-decimal"


def test_scaled_integers_are_millionths() -> None:
    assert to_scaled(Decimal("1.5")) == 1_500_000
    assert to_scaled(Decimal("-0.000001")) == -1
    assert str(from_scaled(5_000_000)) == "5"
    assert str(from_scaled(-1_500_000)) == "-1.5"
    assert str(from_scaled(10_000_000_000)) == "10000"
    with pytest.raises(RefusedError):
        from_scaled(2**63)


def test_results_do_not_depend_on_the_decimal_context() -> None:
    with decimal.localcontext(prec=3):
        assert Quantity.parse("1000.5", "KGM") + Quantity.parse("0.25", "KGM") == Quantity(Decimal("1000.75"), "KGM")
        assert (Quantity.parse("1000.5", "KGM") * 3).value == Decimal("3001.5")
        assert to_scaled(Decimal("123456.789")) == 123_456_789_000


def test_one_piece_has_three_codes_and_keeps_the_stated_one() -> None:
    total = Quantity.parse("2", "EA") + Quantity.parse("3", "H87") + Quantity.parse("1", "C62")
    assert total == Quantity.parse("6.0", "C62")
    assert total.unit == "EA"
    assert total.canonical_unit == "C62"
    assert len({Quantity.parse("1", unit) for unit in ("EA", "H87", "C62")}) == 1


def test_unlike_units_are_refused() -> None:
    kilograms, pieces = Quantity.parse("1", "KGM"), Quantity.parse("1", "C62")
    assert kilograms != pieces
    for operation in (
        lambda: kilograms + pieces,
        lambda: kilograms - pieces,
        lambda: kilograms < pieces,
        lambda: kilograms >= pieces,
        lambda: sum([kilograms, pieces], Quantity.zero("KGM")),
    ):
        with pytest.raises(RefusedError) as caught:
            operation()
        assert caught.value.code == "unlike-units"


def test_boxes_are_not_pieces() -> None:
    """PURIS issue 444: pieces added to boxes because units were ignored."""
    with pytest.raises(RefusedError):
        Quantity.parse("1", "XBX") + Quantity.parse("1", "EA")


@pytest.mark.parametrize("unit", ["", "each", "kgm", "KTM", "X", "XB", "XBXX", "Xbx", "C62 ", "С62"])
def test_unknown_units_are_refused(unit: str) -> None:
    with pytest.raises(RefusedError) as caught:
        Quantity(Decimal(1), unit)
    assert caught.value.code == "unknown-unit"


def test_floats_and_plain_numbers_do_not_mix_in() -> None:
    quantity = Quantity.parse("1", "KGM")
    with pytest.raises(TypeError):
        quantity * 0.1  # type: ignore[operator]
    with pytest.raises(TypeError):
        quantity + 1  # type: ignore[operator]
    with pytest.raises(TypeError):
        _ = quantity < 1  # type: ignore[operator]
    assert quantity != 1


def test_sign_zero_and_order() -> None:
    one, two = Quantity.parse("1", "MTR"), Quantity.parse("2", "MTR")
    assert one < two <= two
    assert two > one >= one
    assert (one - one).is_zero
    assert not one.is_zero
    assert abs(one - two) == one == -(one - two)
    assert str(-Quantity.zero("MTR")) == "0 MTR"
    assert max(one, two) is two
    assert 2 * one == two == one * Decimal("2.0")


def test_results_that_cannot_be_kept_exactly_are_refused() -> None:
    quantity = Quantity(Decimal("9" * 70), "C62")
    with pytest.raises(RefusedError):
        quantity * Decimal("9" * 70)
