"""Money: unlike currencies are refused, and amounts round half away from zero to the currency's minor unit."""

from __future__ import annotations

from decimal import Decimal

import pytest

from node.core.iso_codes import MINOR_UNITS, is_country, is_currency
from node.core.money import Money
from node.errors import RefusedError


@pytest.mark.parametrize(
    ("amount", "currency", "rounded"),
    [
        ("2.345", "EUR", "2.35"),
        ("2.3449", "EUR", "2.34"),
        ("-2.345", "EUR", "-2.35"),
        ("-0.004", "EUR", "0.00"),
        ("2.665", "EUR", "2.67"),
        ("1.005", "EUR", "1.01"),
        ("7", "EUR", "7.00"),
        ("0.5", "JPY", "1"),
        ("1234.4999", "JPY", "1234"),
        ("0.0005", "KWD", "0.001"),
        ("0.00005", "CLF", "0.0001"),
        ("999999999999.995", "EUR", "1000000000000.00"),
    ],
)
def test_amounts_round_half_up_to_the_minor_unit(amount: str, currency: str, rounded: str) -> None:
    result = Money.parse(amount, currency).rounded()
    assert str(result) == f"{rounded} {currency}"
    assert result.is_rounded


def test_prices_keep_their_decimals_until_rounded() -> None:
    price = Money.parse("0.012345", "EUR")
    assert (price * 1000).amount == Decimal("12.345")
    assert not price.is_rounded
    assert (price * 1000).rounded() == Money.parse("12.35", "EUR")


def test_a_credit_note_mirrors_its_invoice() -> None:
    line = Money.parse("1.005", "EUR")
    assert (-line).rounded() == -line.rounded()


def test_unlike_currencies_are_refused() -> None:
    euro, dollar = Money.parse("1", "EUR"), Money.parse("1", "USD")
    assert euro != dollar
    for operation in (
        lambda: euro + dollar,
        lambda: euro - dollar,
        lambda: euro < dollar,
        lambda: sum([euro, dollar], Money.zero("EUR")),
    ):
        with pytest.raises(RefusedError) as caught:
            operation()
        assert caught.value.code == "unlike-currencies"


@pytest.mark.parametrize("currency", ["", "eur", "DEM", "XXX", "XAU", "BGN", "EUR ", "EURO", "ЕUR"])
def test_currencies_that_cannot_be_invoiced_are_refused(currency: str) -> None:
    assert not is_currency(currency)
    with pytest.raises(RefusedError) as caught:
        Money(Decimal(1), currency)
    assert caught.value.code == "unknown-currency"


def test_minor_units_are_those_of_iso_4217() -> None:
    published = {"EUR": 2, "USD": 2, "HUF": 2, "ISK": 0, "JPY": 0, "KRW": 0, "CLP": 0, "TND": 3, "BHD": 3, "CLF": 4}
    assert {code: MINOR_UNITS[code] for code in published} == published
    assert all(len(code) == 3 and code.isupper() and code.isascii() for code in MINOR_UNITS)


def test_countries_are_those_of_iso_3166() -> None:
    assert all(is_country(code) for code in ("DE", "GB", "GR", "XI", "SS", "TW"))
    assert not any(is_country(code) for code in ("UK", "EL", "EU", "DD", "de", "", "DEU"))


def test_order_sign_and_plain_numbers() -> None:
    one, two = Money.parse("1", "EUR"), Money.parse("2.00", "EUR")
    assert one < two <= two
    assert two > one >= one
    assert one + one == two == 2 * one
    assert hash(one + one) == hash(two)
    assert (one - one).is_zero
    assert abs(one - two) == one
    with pytest.raises(TypeError):
        one * 0.5  # type: ignore[operator]
    with pytest.raises(TypeError):
        one + 1  # type: ignore[operator]
    with pytest.raises(TypeError):
        _ = one < 1  # type: ignore[operator]
