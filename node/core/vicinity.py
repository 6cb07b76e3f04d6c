"""How far two postal codes lie apart, by a table of places in the format of GeoNames' postal code files.

What the table does not know has no distance: None, never a guess by country or name.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from node.core.finding import Finding
from node.core.freight.table import normal_postal_code

__all__ = ["EARTH_RADIUS_KM", "Place", "Places", "apart", "parse_places"]

EARTH_RADIUS_KM = 6371.0088
"""Mean radius of the Earth (IUGG)."""

FINDINGS_MAX = 20
"""Bad rows that are told one by one; of more only the number."""

_TENTH = Decimal("0.1")
_COLUMNS = 11
# Only these codes grow by what the table need not list: 12345-6789, 1012 AB, SW1A 1AA, K1A 0B1.
_SHORTEST: Mapping[str, int] = {"US": 5, "NL": 4, "GB": 2, "CA": 3, "IE": 3, "AR": 4, "PT": 4, "BR": 5, "MT": 3}

Place = tuple[float, float]
"""Latitude and longitude in degrees (WGS 84)."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where postal codes lie: country to normal postal code to place."""

    by_country: Mapping[str, Mapping[str, Place]] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(len(codes) for codes in self.by_country.values())

    def place(self, country: str, postal_code: str) -> Place | None:
        """Where it lies; where only its first part is listed (US, NL, GB, CA and the like), that part's place."""
        codes = self.by_country.get(country)
        if not codes:
            return None
        code = normal_postal_code(postal_code)
        least = _SHORTEST.get(country, len(code))
        while code:
            found = codes.get(code)
            if found is not None:
                return found
            if len(code) <= least:
                return None
            code = code[:-1]
        return None

    def distance_km(self, country: str, postal_code: str, to_country: str, to_postal_code: str) -> Decimal | None:
        """Kilometres as the crow flies, to 0.1; None where one of the two is not known."""
        if country == to_country and normal_postal_code(postal_code) == normal_postal_code(to_postal_code) != "":
            return Decimal(0)
        one, other = self.place(country, postal_code), self.place(to_country, to_postal_code)
        return None if one is None or other is None else apart(one, other)

    def finding(self, country: str, postal_code: str, path: str) -> Finding | None:
        """Why a place has no distance to anywhere, if it has none."""
        if self.place(country, postal_code) is not None:
            return None
        said = f"{country} {postal_code}".strip() or "a place without postal code"
        return Finding("unknown-postal-code", path, f"{said} is in no table of postal codes: its distance is not known")


def apart(one: Place, other: Place) -> Decimal:
    """Kilometres between two places, to 0.1, by the haversine formula, which is exact enough for short ways too."""
    lat, lon, to_lat, to_lon = map(math.radians, (*one, *other))
    half = math.sin((to_lat - lat) / 2) ** 2 + math.cos(lat) * math.cos(to_lat) * math.sin((to_lon - lon) / 2) ** 2
    kilometres = 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(min(1.0, half)))
    return Decimal(repr(kilometres)).quantize(_TENTH)


def parse_places(lines: Iterable[str]) -> tuple[Places, list[Finding]]:
    """Read rows of country, postal code, place and so on, with latitude and longitude in columns 10 and 11, by tabs.

    The format of https://download.geonames.org/export/zip/ (CC BY 4.0). Of several places with one code the middle is
    kept. Findings name the rows that are not of this form.
    """
    sums: dict[str, dict[str, tuple[float, float, int]]] = {}
    findings: list[Finding] = []
    bad = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        row = line.rstrip("\r\n").split("\t")
        where = _place_of(row)
        code = normal_postal_code(row[1]) if len(row) > 1 else ""
        if where is None or not code or len(row[0]) != 2:
            bad += 1
            if bad <= FINDINGS_MAX:
                text = "country, postal code, and latitude and longitude in columns 10 and 11 are expected, by tabs"
                findings.append(Finding("bad-place", f"row {number}", text))
            continue
        codes = sums.setdefault(row[0].upper(), {})
        lat, lon, count = codes.get(code, (0.0, 0.0, 0))
        codes[code] = (lat + where[0], lon + where[1], count + 1)
    if bad > FINDINGS_MAX:
        findings.append(Finding("bad-place", "", f"{bad} rows are not of the expected form; the first are named"))
    made = {
        country: {code: (lat / count, lon / count) for code, (lat, lon, count) in codes.items()}
        for country, codes in sums.items()
    }
    return Places(made), findings


def _place_of(row: list[str]) -> Place | None:
    if len(row) < _COLUMNS:
        return None
    try:
        lat, lon = float(row[9]), float(row[10])
    except ValueError:
        return None
    return (lat, lon) if abs(lat) <= 90 and abs(lon) <= 180 else None
