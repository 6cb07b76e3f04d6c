"""Converters of dates, instants and yes/no words, and the last one of every chain: the schema's own form of a value."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from adapters.cells import Cell, as_text
from adapters.conversion import ConvertError, Step, converter, options
from adapters.converters import number_of, plain_decimal, shown
from adapters.lookups import Lookups
from node.core.units import is_unit
from node.errors import ConfigError

__all__ = ["as_kind"]

_EXCEL_EPOCH = date(1899, 12, 30)
_EXCEL_DAYS_MAX = 2_958_465
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]00:00(?::00(?:\.0+)?)?)?").fullmatch
_TRUE = frozenset({"true", "1", "yes", "y"})
_FALSE = frozenset({"false", "0", "no", "n"})


def _formats(name: str, argument: object) -> list[str]:
    formats: list[Any] = argument if isinstance(argument, list) else [argument]
    for form in formats:
        if not isinstance(form, str) or "%" not in form:
            raise ConfigError(f"converter {name!r}: {form!r} is not a format", hint='Write "%d.%m.%Y" for 31.12.2026.')
    return formats


def _parsed(text: str, formats: Sequence[str]) -> datetime | None:
    for form in formats:
        try:
            # Aware or not is the caller's question: a format with %z gives an offset.
            return datetime.strptime(text, form)  # noqa: DTZ007
        except ValueError:
            continue
    return None


@converter("date")
def _date(argument: Any, _: Lookups) -> Step:
    """A date in one of these formats (Python's: %d day, %m month, %Y or %y year); "excel" for day numbers. Date cells
    and 2026-12-31 need none.

    { date = "%d.%m.%Y" }"""
    formats = [] if argument in (None, "excel") else _formats("date", argument)

    def to_date(value: Cell, _: Sequence[Cell]) -> Cell:
        text = as_text(value).strip()
        parsed = _parsed(text, formats)
        if parsed is not None:
            return parsed.date().isoformat()
        if argument == "excel" and text.isascii() and text.isdigit() and 0 < int(text[:9]) <= _EXCEL_DAYS_MAX:
            return (_EXCEL_EPOCH + timedelta(days=int(text))).isoformat()
        plain = _iso_date(text)
        if plain is None:
            raise ConvertError("bad-date", f"{shown(value)} is not a date of the form {argument or '2026-12-31'}")
        return plain

    return Step(to_date)


def _iso_date(text: str) -> str | None:
    """The date of an ISO date, or of midnight as date cells come; None for anything else."""
    if not _ISO_DATE(text):
        return None
    try:
        return date.fromisoformat(text[:10]).isoformat()
    except ValueError:
        return None


def _zone(name: str, zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(f"converter {name!r}: {zone!r} is no time zone", hint='Write "Europe/Berlin".') from None


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="auto").replace("+00:00", "Z")


@converter("instant")
def _instant(argument: Any, _: Lookups) -> Step:
    """A local date and time in UTC: `zone` is where the clock hangs, `format` (one or several) how it is written; ISO
    8601 needs no format, and one with an offset no zone. An hour that occurs twice is taken as the first.

    { instant = { format = "%d.%m.%Y %H:%M", zone = "Europe/Berlin" } }"""
    given = options("instant", argument or {}, {"format": (str, list), "zone": str})
    formats = _formats("instant", given["format"]) if "format" in given else []
    zone = _zone("instant", given["zone"]) if "zone" in given else None

    def instant(value: Cell, _: Sequence[Cell]) -> Cell:
        text = as_text(value).strip()
        moment = _parsed(text, formats)
        if moment is None:
            try:
                moment = datetime.fromisoformat(text)
            except ValueError:
                expected = given.get("format", "2026-12-31T23:59:00Z")
                raise ConvertError("bad-instant", f"{shown(value)} is not a time of the form {expected}") from None
        if moment.tzinfo is None:
            if zone is None:
                raise ConvertError("bad-instant", f"{shown(value)} has no offset: name the zone in the converter")
            aware = moment.replace(tzinfo=zone)
            if aware.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != moment:
                raise ConvertError("bad-instant", f"{shown(value)} does not exist in {zone.key}: the clock skips it")
            moment = aware
        return _utc(moment)

    return Step(instant)


@converter("date_out")
def _date_out(argument: Any, _: Lookups) -> Step:
    """A date in a local format, for writing.

    { date_out = "%d.%m.%Y" }"""
    form = _formats("date_out", argument)[0]
    return Step(lambda value, _: date.fromisoformat(as_text(value)).strftime(form))


@converter("instant_out")
def _instant_out(argument: Any, _: Lookups) -> Step:
    """An instant as local time in a format, for writing.

    { instant_out = { format = "%d.%m.%Y %H:%M", zone = "Europe/Berlin" } }"""
    given = options("instant_out", argument, {"format": str, "zone": str}, "format", "zone")
    form, zone = _formats("instant_out", given["format"])[0], _zone("instant_out", given["zone"])
    return Step(lambda value, _: datetime.fromisoformat(as_text(value)).astimezone(zone).strftime(form))


@converter("boolean")
def _boolean(argument: Any, _: Lookups) -> Step:
    """Yes or no, by the local words (upper and lower case alike).

    { boolean = { true = ["J", "X"], false = ["N"] } }"""
    given = options("boolean", argument, {"true": list, "false": list}, "true", "false")
    words = {str(word).casefold(): side for side in ("false", "true") for word in given[side]}

    def boolean(value: Cell, _: Sequence[Cell]) -> Cell:
        answer = words.get(as_text(value).strip().casefold())
        if answer is None:
            raise ConvertError("bad-boolean", f"{shown(value)} is not one of {', '.join(words)}")
        return answer

    return Step(boolean)


@converter("boolean_out")
def _boolean_out(argument: Any, _: Lookups) -> Step:
    """Yes or no as local words, for writing.

    { boolean_out = { true = "J", false = "N" } }"""
    given = options("boolean_out", argument, {"true": str, "false": str}, "true", "false")
    return Step(lambda value, _: given["true" if as_text(value).casefold() == "true" else "false"])


def _as_decimal(value: Cell) -> Cell:
    return plain_decimal(number_of(value))


def _as_number(value: Cell) -> Cell:
    try:
        number = number_of(value)
    except ConvertError:
        number = None
    if number is None or number != number.to_integral_value():
        raise ConvertError("bad-number", f"{shown(value)} is not a whole number")
    return int(number)


def _as_boolean(value: Cell) -> Cell:
    word = as_text(value).strip().casefold()
    if word not in _TRUE and word not in _FALSE:
        raise ConvertError("bad-boolean", f"{shown(value)} is not true or false; name the local words with boolean")
    return "true" if word in _TRUE else "false"


def _as_date(value: Cell) -> Cell:
    plain = _iso_date(as_text(value).strip())
    if plain is None:
        raise ConvertError("bad-date", f"{shown(value)} is not a date such as 2026-12-31; name its format with date")
    return plain


def _as_instant(value: Cell) -> Cell:
    try:
        moment = datetime.fromisoformat(as_text(value).strip())
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        text = f"{shown(value)} is not a UTC time such as 2026-12-31T23:59:00Z; name format and zone with instant"
        raise ConvertError("bad-instant", text)
    return _utc(moment)


def _as_unit(value: Cell) -> Cell:
    if not is_unit(as_text(value)):
        raise ConvertError("unknown-unit", f"{shown(value)} is not a unit of UN/ECE Rec 20 or 21; name it with unit")
    return value


_KINDS: dict[str, Callable[[Cell], Cell]] = {
    "decimal": _as_decimal,
    "number": _as_number,
    "boolean": _as_boolean,
    "date": _as_date,
    "instant": _as_instant,
}


def as_kind(kind: str, path: str) -> Step | None:
    """The last step of a chain to a field of this kind (`adapters.base.Targets.fields`): its form, or refused.

    A boolean is the text true or false here, a number an integer; None when the kind says nothing.
    """
    if "|" in kind:
        words = kind.split("|")

        def as_word(value: Cell) -> Cell:
            if value not in words:
                raise ConvertError("unknown-word", f"{shown(value)} is not one of {', '.join(words)}; use map")
            return value

        return Step(lambda value, _: as_word(value))
    if kind == "text" and path.rsplit(".", 1)[-1] == "unit" and not path.startswith("header."):
        return Step(lambda value, _: _as_unit(value))
    if kind in ("text", "bytes"):
        return Step(lambda value, _: as_text(value), plain=True)
    check = _KINDS.get(kind)
    return Step(lambda value, _: check(value)) if check else None
