"""Where things are in the second act: stores, warehouses, and the generated names and addresses of customers.

Towns and the beginnings of their postal codes are real, their coordinates rounded to about a kilometre; streets, house
numbers and people are generated from the customer's number. Nobody's data is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scripts.demonstration import facts

__all__ = ["DOCK", "DROP_SHELF", "FACTORY", "STORES", "SUPPLIER_SITE", "Address", "address_of", "write_places"]

STORES = {"HARBOUR": "BS1 4RB", "STATION": "BA1 1SX", "MARKET": "EX4 3HR"}
"""The shop's stores and their postal codes: Bristol, Bath, Exeter."""
DOCK = "DOCK7"
SUPPLIER_SITE = "LUE1"
DROP_SHELF = "STRECKE"
"""Where the supplier's ERP lists what its maker sends for it: nothing ever lies there."""
FACTORY = "LYON"

_TOWNS = (
    ("GB", "BS1", "Bristol", 51.45, -2.59),
    ("GB", "BA1", "Bath", 51.38, -2.36),
    ("GB", "EX4", "Exeter", 50.73, -3.53),
    ("GB", "NN4", "Northampton", 52.22, -0.89),
    ("GB", "SE1", "London", 51.50, -0.09),
    ("GB", "LS1", "Leeds", 53.80, -1.55),
    ("GB", "NR1", "Norwich", 52.63, 1.30),
    ("GB", "CF10", "Cardiff", 51.48, -3.18),
    ("GB", "M1", "Manchester", 53.48, -2.24),
    ("GB", "EH1", "Edinburgh", 55.95, -3.19),
    ("DE", "23552", "Lübeck", 53.87, 10.69),
    ("DE", "20457", "Hamburg", 53.54, 9.99),
    ("DE", "50667", "Köln", 50.94, 6.96),
    ("FR", "69003", "Lyon", 45.76, 4.86),
    ("FR", "59000", "Lille", 50.63, 3.06),
    ("FR", "75003", "Paris", 48.86, 2.36),
)
_COUNTRIES = {"Germany": "DE", "France": "FR"}
_STREETS = {
    "GB": ("High Street", "Station Road", "Mill Lane", "Church Walk"),
    "DE": ("Hafenstraße", "Lindenweg", "Mühlengasse", "Am Markt"),
    "FR": ("rue du Port", "rue des Lilas", "place du Marché", "rue Neuve"),
}


@dataclass(frozen=True, slots=True)
class Address:
    """A customer's name and address; `postal_code` is whole."""

    name: str
    street: str
    city: str
    postal_code: str
    country: str


def address_of(customer: str, country: str) -> Address:
    """The generated address of a customer in one of our three countries; others are sent to in Great Britain."""
    code = _COUNTRIES.get(country, "GB")
    # Nobody lives where the goods lie.
    towns = [town for town in _TOWNS if town[0] == code and town[1] not in ("23552", "69003", "NN4")]
    town = towns[facts.bucket(f"town {customer}", len(towns))]
    street = _STREETS[code][facts.bucket(f"street {customer}", len(_STREETS[code]))]
    number = 1 + facts.bucket(f"house {customer}", 120)
    postal = f"{town[1]} {1 + facts.bucket(f'sector {customer}', 9)}AB" if code == "GB" else town[1]
    where = f"{street} {number}" if code == "DE" else f"{number} {street}"
    return Address(f"Customer {customer}", where, town[2], postal, code)


def write_places(path: Path) -> None:
    """The towns as a table of postal codes, in the format of GeoNames (tabs; columns 10 and 11 are the place)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = (
        "\t".join((country, code, town, *[""] * 6, f"{latitude:.2f}", f"{longitude:.2f}", "4"))
        for country, code, town, latitude, longitude in _TOWNS
    )
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
