"""What the nodes' settings say for the second act: places, carriers, rules, what the maker shows to whom."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from scripts.demonstration import facts
from scripts.demonstration.second_act.addresses import DOCK, DROP_SHELF, FACTORY, STORES, SUPPLIER_SITE, write_places
from scripts.demonstration.trade import Item

__all__ = ["exclusive_items", "hidden", "orchestrated", "retailer", "supplier", "write_files"]

EXCLUSIVE_MAX = 12
_FILES = Path(__file__).parent / "files"


def exclusive_items(items: Iterable[Item]) -> list[str]:
    """Items that the maker sells to the wholesaler only: such as its stock cannot be enough of.

    Chosen from the facts alone, before anything is traded.
    """
    found = [
        item.code
        for item in sorted(items, key=lambda item: item.code)
        if facts.made_of(item.code) is not None
        and facts.gtin_of(item.code)
        and facts.bucket(f"supply{item.code}") in range(3, 20)
    ]
    return found[:EXCLUSIVE_MAX]


def write_files(home: Path) -> None:
    """The retailer's files: rules, carriers' rates and questions, postal codes."""
    shutil.copy(_FILES / "rules.toml", home / "rules.toml")
    (home / "carriers").mkdir(parents=True)
    for path in sorted(_FILES.glob("*")):
        if path.name != "rules.toml":
            shutil.copy(path, home / "carriers" / path.name)
    write_places(home / "places.txt")


def retailer(supplier: str, manufacturer: str, logistics: str, carrier_url: str) -> list[str]:
    """The shop sources its customers' orders: from stores, its 3PL, the wholesaler, and the maker."""
    stores = [_site(name, "store", "GB", code, per_line="0.90", collect=True) for name, code in STORES.items()]
    return [
        *("[orchestration]", "wave_orders = 20", "retry_minutes = 1", ""),
        *("[freight]", 'postal_codes = ["places.txt"]', ""),
        *stores,
        _site(f"{logistics}|{DOCK}", "logistics", "GB", "NN4 7SG", per_order="0.60", per_line="0.25"),
        _site(f"{supplier}|{SUPPLIER_SITE}", "supplier", "DE", "23552", per_order="2.20"),
        _site(f"{supplier}|{DROP_SHELF}", "supplier", "DE", "23552", per_order="0.80", lead_days=2),
        _site(f"{manufacturer}|{FACTORY}", "supplier", "FR", "69003", per_order="2.50", lead_days=1),
        *('[carriers."swift"]', 'kind = "http"', 'file = "carriers/swift.toml"', f'url = "{carrier_url}"'),
        *(f'sources = ["|*", "{logistics}|*"]', "timeout_seconds = 1", "retry_seconds = 10", 'fallback = "parcel"', ""),
        *('[carriers."parcel"]', 'file = "carriers/parcel.toml"', 'sources = ["-"]', ""),
        *('[carriers."overland"]', 'file = "carriers/overland.toml"'),
        *(f'sources = ["{supplier}|*", "{manufacturer}|*"]', ""),
    ]


def supplier(manufacturer: str) -> list[str]:
    """The wholesaler's places: its warehouse, and the shelf on which nothing of its own lies."""
    return [
        _site(SUPPLIER_SITE, "warehouse", "DE", "23552"),
        _site(DROP_SHELF, "warehouse", "DE", "23552", ships=False),
        _site(f"{manufacturer}|{FACTORY}", "supplier", "FR", "69003", lead_days=1),
    ]


def orchestrated(settings: str, partner: str) -> str:
    """These settings, with the partner's orders sourced by the node from now on."""
    return f'{settings.rstrip()}\n\n[partners."{partner}"]\norders = "orchestrate"\n'


def hidden(items: Iterable[str], partner: str) -> list[str]:
    """Rules by which this partner does not see the maker's stock of these items; they go before all others."""
    lines = []
    for code in items:
        made = facts.made_of(code)
        if made is not None:
            lines += ["[[sharing.rules]]", f'partner = "{partner}"', f'item = "{made.number}"', 'figure = "hidden"', ""]
    return lines


def _site(
    name: str,
    kind: str,
    country: str,
    postal_code: str,
    *,
    per_order: str = "",
    per_line: str = "",
    lead_days: int = 0,
    collect: bool = False,
    ships: bool = True,
) -> str:
    lines = [f'[sites."{name}"]', f'kind = "{kind}"', f'country = "{country}"', f'postal_code = "{postal_code}"']
    # The demonstration is shown on any day of the week.
    lines.append("weekdays = [1, 2, 3, 4, 5, 6, 7]")
    lines += [f"handling_per_order = {per_order}"] if per_order else []
    lines += [f"handling_per_line = {per_line}"] if per_line else []
    lines += [f"lead_days = {lead_days}"] if lead_days else []
    lines += ["collect = true"] if collect else []
    lines += ["ships = false"] if not ships else []
    return "\n".join([*lines, ""])
