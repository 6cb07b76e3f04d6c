"""Set the three companies up: ERPs, settings, keys, partner cards, and links that are live."""

from __future__ import annotations

import shutil
import socket
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node.errors import UnavailableError
from scripts.demonstration import erp_database, erp_manufacturer, erp_retailer, supplier_setup
from scripts.demonstration.company import Company
from scripts.demonstration.trade import Trade

__all__ = ["Network", "set_up"]

# GLNs with the restricted prefix 29, which GS1 gives to nobody.
RETAILER, SUPPLIER, MANUFACTURER = "0088:2900000000018", "0088:2900000000025", "0088:2900000000032"
LINK_SECONDS_MAX = 60
_MAPPINGS = Path(__file__).parent / "mappings"


@dataclass(slots=True)
class Network:
    """The three companies, and connections to what their ERPs know."""

    folder: Path
    retailer: Company
    supplier: Company
    manufacturer: Company
    shop: sqlite3.Connection
    supplier_erp: sqlite3.Connection
    manufacturer_erp: sqlite3.Connection
    fingerprints: dict[str, str] = field(default_factory=dict)
    restarts: list[str] = field(default_factory=list)
    accident: Callable[[], None] = field(default=lambda: None)

    @property
    def companies(self) -> tuple[Company, Company, Company]:
        """All three."""
        return (self.retailer, self.supplier, self.manufacturer)

    @property
    def links(self) -> tuple[tuple[Company, Company], tuple[Company, Company]]:
        """Who trades with whom; the supplier, which has no open port, dials both."""
        return ((self.supplier, self.retailer), (self.supplier, self.manufacturer))

    def tend(self) -> None:
        """Start again whatever died unasked, and remember it."""
        self.accident()
        for company in self.companies:
            for process in (company.node, company.erp):
                code = process.tend()
                if code is not None:
                    self.restarts.append(f"{process.name} ended with {code} and was started again")

    def wait(self, what: str, reached: Callable[[], bool], seconds: float, *, every: float = 0.1) -> None:
        """Wait until something is reached, and keep everything running meanwhile. Raises UnavailableError."""
        until = time.monotonic() + seconds
        while not reached():
            if time.monotonic() > until:
                raise UnavailableError(
                    f"after {seconds:.0f} s still waiting for {what}", hint=f"Logs are in {self.folder}."
                )
            self.tend()
            time.sleep(every)

    def stop(self) -> None:
        """Stop every process and close the connections."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(Company.stop, self.companies))
        for connection in (self.shop, self.supplier_erp, self.manufacturer_erp):
            connection.close()


def set_up(folder: Path, trade: Trade, report: Callable[[str], None]) -> Network:
    """Make ERPs, homes and links in `folder`, and start all six processes. Raises HansaError or CommandError."""
    report("three ERPs are filled")
    erp_retailer.create(folder / "harbour-erp", trade)
    supplier_setup.create(folder / "nordwind-erp" / "erp.sqlite", trade.items.values(), trade.first_at)
    erp_manufacturer.create(folder / "atelier-erp" / "erp.sqlite", trade.items.values(), trade.first_at)
    network = _companies(folder)
    report("three nodes make their keys")
    for company in network.companies:
        shutil.copytree(_MAPPINGS / company.home.name, company.home / "mappings")
    try:
        _introduce(network, report)
    except BaseException:
        network.stop()
        raise
    return network


def _companies(folder: Path) -> Network:
    shop, supplier, manufacturer = (folder / f"{name}-erp" for name in ("harbour", "nordwind", "atelier"))
    supplier_db, manufacturer_db = supplier / "erp.sqlite", manufacturer / "erp.sqlite"
    supplier_erp = erp_database.opened(supplier_db)
    return Network(
        folder,
        Company(
            "Harbour Gifts",
            RETAILER,
            folder / "retailer",
            _settings(
                listen=_free_address(),
                adapter='kind = "csv"',
                documents=("OrderResponse", "DespatchAdvice", "Invoice", "CreditNote"),
                options=f'folder = "{shop / "exchange"}"\nready = "done"\nmappings = ["mappings/shop.toml"]',
                sharing=[(SUPPLIER, "exact")],
            ),
            ["scripts.demonstration.erp_retailer", str(shop)],
        ),
        Company(
            "Nordwind Wholesale",
            SUPPLIER,
            folder / "supplier",
            _settings(
                adapter='kind = "sql"',
                documents=(
                    "Order",
                    "OrderCancellation",
                    "OrderChange",
                    "ReceivingAdvice",
                    "ReturnAnnouncement",
                    "ReplenishmentResponse",
                ),
                options=f'url = "sqlite:///{supplier_db}"\nmappings = ["mappings/erp.toml"]',
                sharing=[(RETAILER, "exact"), (MANUFACTURER, "yes_no")],
                rules=_rules(supplier_erp),
            ),
            ["scripts.demonstration.erp_supplier", str(supplier_db)],
        ),
        Company(
            "Atelier Meuble",
            MANUFACTURER,
            folder / "manufacturer",
            _settings(
                listen=_free_address(),
                adapter='kind = "sql"',
                documents=("ReplenishmentRequest",),
                options=f'url = "sqlite:///{manufacturer_db}"\nmappings = ["mappings/erp.toml"]',
            ),
            ["scripts.demonstration.erp_manufacturer", str(manufacturer_db)],
        ),
        erp_database.opened(shop / "ledger.sqlite"),
        supplier_erp,
        erp_database.opened(manufacturer_db),
    )


def _settings(
    *,
    adapter: str,
    documents: Sequence[str],
    options: str,
    listen: str = "",
    sharing: Iterable[tuple[str, str]] = (),
    rules: Iterable[str] = (),
) -> str:
    """A node's settings as text, for people to look at."""
    parts = ["[node]", f'listen = "{listen}"' if listen else "# no port is open: this node dials out", ""]
    parts += ["[limits]", "dial_seconds_max = 2", "handover_first_seconds = 1", ""]
    parts += ["[[adapters]]", 'name = "erp"', adapter, "every_seconds = 1"]
    parts += [f"documents = {list(documents)}".replace("'", '"'), "", "[adapters.options]", options, ""]
    for partner, figure in sharing:
        parts += ["[[sharing.rules]]", f'partner = "{partner}"', f'figure = "{figure}"', ""]
    parts += rules
    return "\n".join(parts)


def _rules(supplier_erp: sqlite3.Connection) -> list[str]:
    """The ERP's reorder points as settings of the node."""
    rules: list[str] = []
    for row in supplier_erp.execute("SELECT * FROM meldebestand JOIN artikel USING (artikel_nr) ORDER BY artikel_nr"):
        rules += [
            "[[replenishment.rules]]",
            f'item = "{row["artikel_nr"]}"',
            f'partner = "{MANUFACTURER}"',
            f'gtin = "{row["ean"] or ""}"',
            f'seller_number = "{row["lief_artikel_nr"]}"',
            f"reorder_point = {row['melde_menge']}",
            f"order_up_to = {row['soll_menge']}",
            f"multiple = {row['losgroesse']}",
            "",
        ]
    return rules


def _free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def _introduce(network: Network, report: Callable[[str], None]) -> None:
    """What people do once: keys, cards, fingerprints, and the word that it is meant."""
    with ThreadPoolExecutor(len(network.companies)) as pool:
        made = list(pool.map(_init, network.companies))
        network.fingerprints.update({company.id: str(told["fingerprint"]) for company, told in made})
        list(pool.map(Company.start, network.companies))
        report("they swap partner cards, and compare fingerprints by telephone")
        list(pool.map(lambda company: _meet(network, company), network.companies))
        report("the supplier, which has no open port, dials the other two")
        network.wait("the links", lambda: _linked(network, "confirmed"), LINK_SECONDS_MAX)
        report("both sides of each link agree to go live, and let their ERPs in")
        list(pool.map(lambda company: _go_live(network, company), network.companies))
        network.wait("going live", lambda: _linked(network, "live"), LINK_SECONDS_MAX)


def _init(company: Company) -> tuple[Company, dict[str, Any]]:
    listen = next((line for line in (company.home / "hansa.toml").read_text().splitlines() if "listen" in line), "")
    address = listen.partition('"')[2].rstrip('"')
    given = ["--listen", address] if address else []
    return company, company.told("init", "--id", company.id, "--name", company.name, *given)


def _partners_of(network: Network, company: Company) -> list[Company]:
    return [a if b is company else b for a, b in network.links if company in (a, b)]


def _meet(network: Network, company: Company) -> None:
    for partner in _partners_of(network, company):
        card = partner.told("partner", "card")["card"]
        company.cli("partner", "add", "-", stdin=card)
        company.cli("partner", "confirm", partner.id, network.fingerprints[partner.id])


def _go_live(network: Network, company: Company) -> None:
    for partner in _partners_of(network, company):
        company.cli("partner", "go-live", partner.id)
    company.cli("adapter", "start", "erp", "--yes")


def _linked(network: Network, standing: str) -> bool:
    """Whether every link is up, and confirmed or live on both sides."""
    for company in network.companies:
        status = company.status()
        if status is None:
            return False
        for partner in status["partners"]:
            if not partner["connected"] or partner["state"] != "confirmed":
                return False
            if standing == "live" and partner["usage"] != "PRODUCTION":
                return False
    return True
