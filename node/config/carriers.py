"""Reads a carrier's table of rates: a TOML file with zones and surcharges, and a CSV file with prices beside it."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from node.config.strict import FILE_BYTES_MAX, Table, read_file
from node.core.finding import Finding
from node.core.freight import (
    Area,
    Break,
    Calendar,
    RateTable,
    ServiceRates,
    Surcharge,
    Zone,
    normal_postal_code,
)
from node.core.vicinity import Places, parse_places
from node.errors import ConfigError

__all__ = ["read_places", "read_rate_table"]

TABLE_KEYS = (
    "currency", "volumetric_divisor", "parcel_weight_max", "weight_step", "origins", "rates", "calendar",
    "zones", "surcharges",
)  # fmt: skip
RATE_COLUMNS = (
    "service", "zone", "weight_to", "price", "per_kg", "per_kg_above", "volume_to", "transit_days", "currency",
)  # fmt: skip
RATES_MAX = 200_000
DAYS_MAX = 90
_REQUIRED = ("service", "zone", "weight_to", "price", "transit_days")
_AREA = re.compile(r"(\*|[A-Z]{2})(?: ([0-9A-Za-z]+)(?:-([0-9A-Za-z]+))?)?").fullmatch
_DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")


def read_rate_table(path: Path, carrier: str) -> tuple[RateTable, tuple[Path, ...]]:
    """The table in this file and the CSV that it names, and both files. `carrier` is the carrier's name.

    Raises ConfigError: file, key or row, and what was expected.

    Whether the table has holes is another question: `node.core.freight.findings`.
    """
    table = read_file(path)
    table.only(*TABLE_KEYS)
    rates = path.parent / table.text("rates")
    made = RateTable(
        carrier=carrier,
        currency=table.text("currency"),
        zones=tuple(Zone(name, _areas(one, "areas")) for name, one in _zones(table)),
        rates=_rates(rates),
        surcharges=tuple(_surcharge(one) for one in table.tables("surcharges")),
        origins=_areas(table, "origins"),
        volumetric_divisor=table.number("volumetric_divisor", Decimal(0)),
        parcel_weight_max=table.number("parcel_weight_max", Decimal(0)),
        weight_step=table.number("weight_step", Decimal(0)),
        calendar=_calendar(table.table("calendar")),
    )
    return made, (path, rates)


def read_places(paths: tuple[Path, ...]) -> tuple[Places, list[Finding]]:
    """The tables of postal codes together, and what is wrong in them. Raises ConfigError when one cannot be read."""
    by_country: dict[str, Mapping[str, tuple[float, float]]] = {}
    findings: list[Finding] = []
    for path in paths:
        try:
            with path.open(encoding="utf-8") as lines:
                places, found = parse_places(lines)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"{path}: cannot be read: {error}",
                hint="freight.postal_codes: get the country's file from https://download.geonames.org/export/zip/",
            ) from None
        findings += (Finding(one.rule, f"{path} {one.path}".strip(), one.text) for one in found)
        for country, codes in places.by_country.items():
            by_country[country] = {**by_country.get(country, {}), **codes}
    return Places(by_country), findings


def _zones(table: Table) -> list[tuple[str, Table]]:
    found = list(table.named("zones"))
    for _, one in found:
        one.only("areas")
    return found


def _areas(table: Table, key: str) -> tuple[Area, ...]:
    """ "DE", "DE 80", "DE 80000-87999", "*"."""
    made = []
    for text in table.texts(key):
        match = _AREA(text)
        if match is None:
            raise table.fault(key, "places such as DE, DE 80, DE 80000-87999 or *", text)
        country, first, last = match.groups()
        low = normal_postal_code(first or "")
        made.append(Area(country, low, normal_postal_code(last) if last else low))
    return tuple(made)


def _surcharge(table: Table) -> Surcharge:
    table.only("name", "percent", "per_shipment", "per_parcel", "areas", "services", "weight_over", "volume_over")
    return Surcharge(
        name=table.text("name"),
        percent=table.number("percent", Decimal(0), most=1_000),
        per_shipment=table.number("per_shipment", Decimal(0)),
        per_parcel=table.number("per_parcel", Decimal(0)),
        areas=_areas(table, "areas"),
        services=frozenset(table.texts("services")),
        weight_over=table.maybe_number("weight_over"),
        volume_over=table.maybe_number("volume_over"),
    )


def _calendar(table: Table) -> Calendar:
    table.only("weekdays", "closed", "cut_off", "zone")
    zone = table.text("zone", "UTC")
    try:
        ZoneInfo(zone)
    except (OSError, ValueError, KeyError):
        raise table.fault("zone", "a time zone such as Europe/Berlin", zone) from None
    closed = table.values.get("closed", [])
    if not isinstance(closed, list) or not all(type(one) is date for one in closed):
        raise table.fault("closed", "a list of dates such as 2026-12-25, without quotes", closed)
    cut_off = None
    if table.has("cut_off"):
        text = table.text("cut_off")
        try:
            cut_off = time.fromisoformat(text)
        except ValueError:
            raise table.fault("cut_off", "a time such as 15:00", text) from None
    days = table.texts("weekdays", _DAYS[:5], choices=_DAYS)
    if not days:
        raise table.fault("weekdays", "at least one day on which the carrier works")
    return Calendar(
        weekdays=frozenset(_DAYS.index(day) + 1 for day in days),
        closed=frozenset(closed),
        cut_off=cut_off,
        zone=zone,
    )


def _rates(path: Path) -> tuple[ServiceRates, ...]:
    """The rows of the CSV file, by service and zone, the breaks by weight."""
    breaks: dict[tuple[str, str], list[Break]] = {}
    days: dict[tuple[str, str], int | None] = {}
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise ConfigError(f"{path}: more than {FILE_BYTES_MAX} bytes")
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            _check_columns(path, reader.fieldnames or [])
            for row in reader:
                if len(days) > RATES_MAX:
                    raise ConfigError(f"{path}: more than {RATES_MAX} rates")
                _take(_Row(path, reader.line_num, row), breaks, days)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: cannot be read: {error}", hint="a CSV file in UTF-8 is expected") from None
    return tuple(
        ServiceRates(service=key[0], zone=key[1], transit_days=days[key], breaks=tuple(sorted(rows, key=_by_weight)))
        for key, rows in breaks.items()
    )


def _check_columns(path: Path, columns: object) -> None:
    found = list(columns) if isinstance(columns, list | tuple) else []
    for name in found:
        if name not in RATE_COLUMNS:
            raise ConfigError(f"{path}: column {name!r} is not known", hint=f"columns are: {', '.join(RATE_COLUMNS)}")
    missing = [name for name in _REQUIRED if name not in found]
    if missing:
        hint = f"columns are: {', '.join(RATE_COLUMNS)}; separated by commas"
        raise ConfigError(f"{path}: there is no column {', '.join(missing)}", hint=hint)


class _Row:
    """One row of prices; complaints name file, row and column."""

    def __init__(self, path: Path, number: int, cells: Mapping[str | None, str | list[str] | None]) -> None:
        self._path, self._number = path, number
        if None in cells:
            raise self.fault("", "as many cells as there are columns")
        self.cells = {str(name): str(cell or "").strip() for name, cell in cells.items()}

    def fault(self, column: str, expected: str, got: str = "") -> ConfigError:
        was = f", not {got[:60]!r}" if got else ""
        return ConfigError(f"{self._path}: row {self._number}: {column or 'the row'}: expected {expected}{was}")

    def number(self, column: str) -> Decimal | None:
        """A number of 0 or more; None where the cell is empty or the column is not there."""
        text = self.cells.get(column, "")
        if not text:
            return None
        value = None
        with suppress(ArithmeticError):
            value = Decimal(text)
        if value is None or not value.is_finite() or value < 0:
            raise self.fault(column, "a number of 0 or more with a decimal point", text)
        return value


def _take(row: _Row, breaks: dict[tuple[str, str], list[Break]], days: dict[tuple[str, str], int | None]) -> None:
    key = (row.cells["service"], row.cells["zone"])
    if not all(key):
        raise row.fault("service" if not key[0] else "zone", "a name")
    price = row.number("price")
    per_kg, above = row.number("per_kg"), row.number("per_kg_above")
    if price is None and per_kg is None and above is None:
        raise row.fault("price", "a price, or one per kg")
    text = row.cells["transit_days"]
    if text and not (text.isascii() and text.isdigit() and int(text) <= DAYS_MAX):
        raise row.fault("transit_days", f"whole days, 0 to {DAYS_MAX}", text)
    on_the_way = int(text) if text else None
    known = days.setdefault(key, on_the_way)
    if known is None:
        days[key] = on_the_way
    elif on_the_way not in (None, known):
        raise row.fault("transit_days", f"{known}, as in the rows of the same service and zone before", text)
    breaks.setdefault(key, []).append(
        Break(
            weight_to=row.number("weight_to"),
            price=price or Decimal(0),
            per_kg=per_kg or Decimal(0),
            per_kg_above=above or Decimal(0),
            volume_to=row.number("volume_to"),
            currency=row.cells.get("currency", ""),
        )
    )


def _by_weight(one: Break) -> tuple[bool, Decimal, bool, Decimal]:
    """Light ones first, without end last; of the same weight the small ones first."""
    weight, volume = one.weight_to, one.volume_to
    return weight is None, weight or Decimal(0), volume is None, volume or Decimal(0)
