"""The closed list of converters that a mapping may name; each computes in Decimal, and says what it expected.

The docstring of each builder is its row in the table of README.md: what it does, and after a blank line an example.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from adapters.cells import Cell, as_text
from adapters.conversion import Convert, ConvertError, Step, converter, options
from adapters.lookups import Lookups
from node.core.decimals import EXACT, exactly
from node.core.identifiers import check_gln, check_gtin, check_participant, check_sscc
from node.core.quantity import format_decimal, parse_decimal
from node.core.units import is_unit
from node.errors import ConfigError, RefusedError

__all__ = ["number_of", "pairs_of", "plain_decimal", "shown"]

_SHOWN_MAX = 60
_LOCAL = re.compile(r"1(?P<group>[.,' \u00a0\u202f]?)234(?:(?P<point>[.,])5+6?)?")
_SPACES = str.maketrans("", "", " \u00a0\u202f")


def shown(value: Cell) -> str:
    """A value as findings quote it: short, and visibly quoted."""
    text = as_text(value)
    return repr(text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "...")


def plain_decimal(value: Decimal) -> str:
    """`value` as documents write it; raises ConvertError when it is beyond their limits."""
    try:
        return format_decimal(value)
    except RefusedError as error:
        raise ConvertError(error.code, error.message) from error


def number_of(value: Cell) -> Decimal:
    """The number in a cell: a number cell, or a plain decimal text. Raises ConvertError ``bad-decimal``."""
    try:
        if isinstance(value, float):
            return Decimal(repr(value))
        return parse_decimal(as_text(value).strip())
    except (RefusedError, InvalidOperation):
        text = f"{shown(value)} is not a plain decimal such as 1234.56; name its local form with the converter decimal"
        raise ConvertError("bad-decimal", text) from None


def _simple(function: Callable[[str], str]) -> Step:
    return Step(lambda value, _: function(as_text(value)))


def _none(name: str, argument: object) -> None:
    if argument is not None:
        raise ConfigError(f"converter {name!r} takes no argument, got {argument!r}")


def _text(name: str, argument: object) -> str:
    if not isinstance(argument, str) or not argument:
        raise ConfigError(f"converter {name!r}: expected a text, got {argument!r}")
    return argument


def _count(name: str, argument: object) -> int:
    if not isinstance(argument, int) or isinstance(argument, bool) or not 0 <= argument <= 1000:
        raise ConfigError(f"converter {name!r}: expected a whole number from 0 to 1000, got {argument!r}")
    return argument


def _decimal_argument(name: str, argument: object) -> Decimal:
    try:
        return parse_decimal(argument if isinstance(argument, str) else str(argument))
    except RefusedError as error:
        raise ConfigError(f"converter {name!r}: {error.message}", hint='Write it as a text: "0.001".') from error


def _words(name: str, argument: object) -> list[str]:
    words: list[Any] = argument if isinstance(argument, list) else [argument]
    if not words or not all(isinstance(word, str) for word in words):
        raise ConfigError(f"converter {name!r}: expected a list of texts, got {argument!r}")
    return words


def pairs_of(name: str, argument: object) -> Mapping[str, str]:
    """`argument` as a table of texts; raises ConfigError."""
    if not isinstance(argument, dict) or not argument or not all(isinstance(v, str) for v in argument.values()):
        raise ConfigError(f"converter {name!r}: expected a table of texts, got {argument!r}")
    return argument


@converter("strip")
def _strip(argument: Any, _: Lookups) -> Step:
    """Take these characters off both ends (spaces always are).

    { strip = "*" }"""
    characters = _text("strip", argument)
    return _simple(lambda text: text.strip(characters).strip())


@converter("upper")
def _upper(argument: Any, _: Lookups) -> Step:
    """Upper case.

    "upper" """
    _none("upper", argument)
    return _simple(str.upper)


@converter("lower")
def _lower(argument: Any, _: Lookups) -> Step:
    """Lower case.

    "lower" """
    _none("lower", argument)
    return _simple(str.lower)


@converter("prefix")
def _prefix(argument: Any, _: Lookups) -> Step:
    """Put a text before the value.

    { prefix = "0088:" }"""
    before = _text("prefix", argument)
    return _simple(lambda text: before + text)


@converter("suffix")
def _suffix(argument: Any, _: Lookups) -> Step:
    """Put a text behind the value.

    { suffix = "-EU" }"""
    behind = _text("suffix", argument)
    return _simple(lambda text: text + behind)


@converter("pad")
def _pad(argument: Any, _: Lookups) -> Step:
    """Fill up with zeros on the left to this length (a spreadsheet loses them).

    { pad = 13 }"""
    width = _count("pad", argument)
    return _simple(lambda text: text.rjust(width, "0"))


@converter("strip_zeros")
def _strip_zeros(argument: Any, _: Lookups) -> Step:
    """Take leading zeros off (SAP numbers); a value of zeros only becomes 0.

    "strip_zeros" """
    _none("strip_zeros", argument)
    return _simple(lambda text: text.lstrip("0") or "0")


@converter("left")
def _left(argument: Any, _: Lookups) -> Step:
    """Only the first characters, for a column of that width.

    { left = 35 }"""
    width = _count("left", argument)
    return _simple(lambda text: text[:width])


@converter("digits")
def _digits(argument: Any, _: Lookups) -> Step:
    """Only the digits of the value (0-9).

    "digits" """
    _none("digits", argument)
    return _simple(lambda text: "".join(sign for sign in text if sign in "0123456789"))


@converter("split")
def _split(argument: Any, _: Lookups) -> Step:
    """One part of the value, counted from 1 (from the end: -1); a value without that part is refused.

    { split = { by = "-", part = 2 } }"""
    given = options("split", argument, {"by": str, "part": int}, "by", "part")
    by, part = _text("split", given["by"]), given["part"]
    if part == 0:
        raise ConfigError("converter 'split': parts are counted from 1, or from the end with -1")

    def split(value: Cell, _: Sequence[Cell]) -> Cell:
        parts = as_text(value).split(by)
        if abs(part) > len(parts):
            raise ConvertError("no-such-part", f"{shown(value)} has no part {part} when split by {by!r}")
        return str(parts[part - 1 if part > 0 else part]).strip()

    return Step(split)


@converter("empty")
def _empty(argument: Any, _: Lookups) -> Step:
    """These values mean that there is none.

    { empty = ["N/A", "-", "0000-00-00"] }"""
    nothing = frozenset(_words("empty", argument))
    return Step(lambda value, _: None if as_text(value) in nothing else value)


@converter("default")
def _default(argument: Any, _: Lookups) -> Step:
    """What to write when there is no value.

    { default = "EUR" }"""
    if not isinstance(argument, str | int) or isinstance(argument, bool):
        raise ConfigError(f"converter 'default': expected a text, got {argument!r}")
    fallback: str | int = argument
    return Step(lambda value, _: fallback if value is None else value, on_empty=True)


@converter("required")
def _required(argument: Any, _: Lookups) -> Step:
    """Refuse the row when there is no value.

    "required" """
    _none("required", argument)

    def required(value: Cell, _: Sequence[Cell]) -> Cell:
        if value is None:
            raise ConvertError("missing-value", "there is no value, and one is required")
        return value

    return Step(required, on_empty=True)


@converter("allowed")
def _allowed(argument: Any, _: Lookups) -> Step:
    """Refuse every other value.

    { allowed = ["EUR", "GBP"] }"""
    words = _words("allowed", argument)

    def allowed(value: Cell, _: Sequence[Cell]) -> Cell:
        if as_text(value) not in words:
            raise ConvertError("not-allowed", f"{shown(value)} is not one of {', '.join(words)}")
        return value

    return Step(allowed)


def _mapped(name: str, pairs: Mapping[str, str]) -> Convert:
    rest = pairs.get("*")

    def mapped(value: Cell, _: Sequence[Cell]) -> Cell:
        text = as_text(value)
        answer = pairs.get(text, rest)
        if answer is None:
            raise ConvertError(f"unknown-{name}", f"{shown(value)} is not one of {', '.join(pairs)}")
        return text if answer == "*" else answer

    return mapped


@converter("map")
def _map(argument: Any, _: Lookups) -> Step:
    """Exchange whole values; "*" stands for every other one, and as an answer for the value itself. Without it another
    value is refused.

    { map = { A = "ACCEPTED", R = "REJECTED" } }"""
    return Step(_mapped("value", pairs_of("map", argument)))


@converter("unit")
def _unit(argument: Any, _: Lookups) -> Step:
    """Local unit names to UN/ECE Rec 20 and 21 codes; codes pass as they are, anything else is refused.

    { unit = { STK = "C62", KAR = "XBX" } }"""
    pairs = {} if argument is None else dict(pairs_of("unit", argument))
    for code in pairs.values():
        if not is_unit(code):
            raise ConfigError(f"converter 'unit': {code!r} is not a unit of UN/ECE Rec 20 or 21")

    def unit(value: Cell, _: Sequence[Cell]) -> Cell:
        code = pairs.get(as_text(value), as_text(value))
        if not is_unit(code):
            known = f" and not one of {', '.join(pairs)}" if pairs else ""
            raise ConvertError("unknown-unit", f"{shown(value)} is not a unit of UN/ECE Rec 20 or 21{known}")
        return code

    return Step(unit)


@converter("decimal")
def _decimal(argument: Any, _: Lookups) -> Step:
    """A number as the local form writes it, shown by how 1234.56 looks: "1.234,56", "1,234.56", "1 234,56", "1'234.56"
    or "1234,56". A sign may stand behind (SAP). Number cells need no form.

    { decimal = "1.234,56" }"""
    group, point = _local_form("decimal", argument)
    grouped = re.compile(rf"[0-9]{{1,3}}(?:{re.escape(group)}[0-9]{{3}})+") if group.strip() else None

    def decimal(value: Cell, _: Sequence[Cell]) -> Cell:
        if not isinstance(value, str):
            return plain_decimal(number_of(value))
        text = value.strip().translate(_SPACES) if group in ("", " ") else value.strip()
        signs = text.count("-") + text.count("+")
        sign = "-" if "-" in (text[:1], text[-1:]) else ""
        whole, mark, fraction = text.strip("-+").strip().partition(point)
        if grouped and grouped.fullmatch(whole):
            whole = whole.replace(group, "")
        # A separator that is left over would be read as something that it is not: "1.23" is no German 1.23.
        if signs > 1 or not (whole + fraction).isdigit():
            raise ConvertError("bad-decimal", f"{shown(value)} is not a number of the form {argument or '1234.56'}")
        return plain_decimal(parse_decimal(f"{sign}{whole or '0'}{'.' if mark and fraction else ''}{fraction}"))

    return Step(decimal)


def _local_form(name: str, argument: object) -> tuple[str, str]:
    """Group separator and decimal point of the sample; a space stands for every kind of space."""
    if argument is None:
        return "", "."
    match = _LOCAL.fullmatch(argument) if isinstance(argument, str) else None
    if match is None or match["group"] == match["point"]:
        raise ConfigError(f"converter {name!r}: {argument!r} does not show how 1234.56 looks", hint='Write "1.234,56".')
    group = match["group"]
    return " " if group in ("\u00a0", "\u202f") else group, match["point"] or "."


@converter("decimal_out")
def _decimal_out(argument: Any, _: Lookups) -> Step:
    """A plain decimal in a local form, for writing.

    { decimal_out = "1.234,56" }"""
    group, point = _local_form("decimal_out", argument)

    def decimal_out(value: Cell, _: Sequence[Cell]) -> Cell:
        text = format(number_of(value), ",f")
        return text.replace(",", "\x00").replace(".", point).replace("\x00", group)

    return Step(decimal_out)


def _arithmetic(name: str, argument: object, operation: Callable[[Decimal, Decimal], Decimal]) -> Step:
    factor = _decimal_argument(name, argument)

    def compute(value: Cell, _: Sequence[Cell]) -> Cell:
        return plain_decimal(operation(number_of(value), factor))

    return Step(compute)


@converter("multiply")
def _multiply(argument: Any, _: Lookups) -> Step:
    """Times an exact number (a price column in cents: "0.01").

    { multiply = "0.01" }"""
    return _arithmetic("multiply", argument, lambda value, factor: exactly(EXACT.multiply, value, factor))


@converter("at_least")
def _at_least(argument: Any, _: Lookups) -> Step:
    """No less than this (negative stock becomes 0).

    { at_least = "0" }"""
    return _arithmetic("at_least", argument, max)


@converter("negate")
def _negate(argument: Any, _: Lookups) -> Step:
    """The other sign (returns that the ERP counts as negative orders).

    "negate" """
    _none("negate", argument)
    return Step(lambda value, _: plain_decimal(-number_of(value)))


@converter("round")
def _round(argument: Any, _: Lookups) -> Step:
    """Half up to this many decimals.

    { round = 2 }"""
    places = Decimal(1).scaleb(-_count("round", argument))
    return Step(lambda value, _: plain_decimal(number_of(value).quantize(places, ROUND_HALF_UP)))


def _identifier(name: str, check: Callable[[str], str]) -> Callable[[Any, Lookups], Step]:
    def build(argument: Any, _: Lookups) -> Step:
        _none(name, argument)
        return _simple(lambda text: check(text.strip()))

    return build


@converter("gtin")
def _gtin(argument: Any, lookups: Lookups) -> Step:
    """Refuse what is no GTIN of 8, 12, 13 or 14 digits with its check digit.

    "gtin" """
    return _identifier("gtin", check_gtin)(argument, lookups)


@converter("gln")
def _gln(argument: Any, lookups: Lookups) -> Step:
    """Refuse what is no GLN of 13 digits with its check digit.

    "gln" """
    return _identifier("gln", check_gln)(argument, lookups)


@converter("sscc")
def _sscc(argument: Any, lookups: Lookups) -> Step:
    """Refuse what is no SSCC of 18 digits with its check digit.

    "sscc" """
    return _identifier("sscc", check_sscc)(argument, lookups)


@converter("participant")
def _participant(argument: Any, lookups: Lookups) -> Step:
    """Refuse what is no participant id with its scheme, such as 0088:4012345000009.

    "participant" """
    return _identifier("participant", check_participant)(argument, lookups)
