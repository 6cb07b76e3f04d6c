"""Set the four companies and the carrier up: ERPs, settings, keys, partner cards, and links that are live."""

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
from scripts.demonstration.company import Company, Process
from scripts.demonstration.second_act import settings, third_party
from scripts.demonstration.trade import Trade

__all__ = ["Network", "set_up"]

# GLNs with the restricted prefix 29, which GS1 gives to nobody.
RETAILER, MANUFACTURER, LOGISTICS = "0088:2900000000018", "0088:2900000000032", "0088:2900000000049"
SUPPLIER = supplier_setup.COMPANY
LINK_SECONDS_MAX = 180
_MAPPINGS = Path(__file__).parent / "mappings"


@dataclass(slots=True)
class Network:
    """The four companies and the carrier, and connections to what their ERPs know."""

    folder: Path
    retailer: Company
    supplier: Company
    manufacturer: Company
    logistics: Company
    carrier: Process
    shop: sqlite3.Connection
    supplier_erp: sqlite3.Connection
    manufacturer_erp: sqlite3.Connection
    warehouse: sqlite3.Connection
    fingerprints: dict[str, str] = field(default_factory=dict)
    restarts: list[str] = field(default_factory=list)
    accident: Callable[[], None] = field(default=lambda: None)

    @property
    def companies(self) -> tuple[Company, ...]:
        """All four."""
        return (self.retailer, self.supplier, self.manufacturer, self.logistics)

    @property
    def links(self) -> tuple[tuple[Company, Company], ...]:
        """Who trades with whom; the supplier and the 3PL, which have no open port, dial the others."""
        return (
            (self.supplier, self.retailer),
            (self.supplier, self.manufacturer),
            (self.manufacturer, self.retailer),
            (self.logistics, self.retailer),
        )

    @property
    def silence(self) -> Path:
        """While this file is there, the carrier answers no question."""
        return self.folder / "carrier" / "silent"

    def tend(self) -> None:
        """Start again whatever died unasked, and remember it."""
        self.accident()
        processes = [process for company in self.companies for process in (company.node, company.erp)]
        for process in (*processes, self.carrier):
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
        self.carrier.stop()
        for connection in (self.shop, self.supplier_erp, self.manufacturer_erp, self.warehouse):
            connection.close()


def set_up(folder: Path, trade: Trade, report: Callable[[str], None]) -> Network:
    """Make ERPs, homes and links in `folder`, and start all nine processes. Raises HansaError or CommandError."""
    report("four companies' systems are filled")
    erp_retailer.create(folder / "harbour-erp", trade)
    supplier_setup.create(folder / "nordwind-erp" / "erp.sqlite", trade.items.values(), trade.first_at)
    exclusive = settings.exclusive_items(trade.items.values())
    erp_manufacturer.create(folder / "atelier-erp" / "erp.sqlite", trade.items.values(), trade.first_at, exclusive)
    third_party.create(folder / "quayside-system")
    (folder / "carrier").mkdir()
    network = _companies(folder, exclusive)
    report("four nodes make their keys")
    for company in network.companies[:3]:
        shutil.copytree(_MAPPINGS / company.home.name, company.home / "mappings")
    settings.write_files(network.retailer.home)
    try:
        _introduce(network, report)
    except BaseException:
        network.stop()
        raise
    return network


def _companies(folder: Path, exclusive: Sequence[str]) -> Network:
    shop, supplier, manufacturer = (folder / f"{name}-erp" for name in ("harbour", "nordwind", "atelier"))
    warehouse, carrier_port = folder / "quayside-system", _free_address().rpartition(":")[2]
    supplier_erp = erp_database.opened(supplier / "erp.sqlite")
    return Network(
        folder,
        _retailer(folder, shop, carrier_port),
        _supplier(folder, supplier / "erp.sqlite", supplier_erp),
        _manufacturer(folder, manufacturer / "erp.sqlite", exclusive),
        _logistics(folder, warehouse),
        Process(
            "Swift Parcel's quotes",
            ["-m", "scripts.demonstration.second_act.carrier", str(folder / "carrier"), carrier_port],
            folder / "carrier" / "carrier.log",
        ),
        erp_database.opened(shop / "ledger.sqlite"),
        supplier_erp,
        erp_database.opened(manufacturer / "erp.sqlite"),
        erp_database.opened(warehouse / "warehouse.sqlite"),
    )


def _retailer(folder: Path, shop: Path, carrier_port: str) -> Company:
    return Company(
        "Harbour Gifts",
        RETAILER,
        folder / "retailer",
        _settings(
            listen=_free_address(),
            adapter='kind = "csv"',
            documents=("Order", "OrderResponse", "DespatchAdvice", "Invoice", "CreditNote"),
            options=f'folder = "{shop / "exchange"}"\nready = "done"\nmappings = ["mappings/shop.toml"]',
            sharing=[(SUPPLIER, "exact")],
            rules=settings.retailer(SUPPLIER, MANUFACTURER, LOGISTICS, f"http://127.0.0.1:{carrier_port}/quotes"),
        ),
        ["scripts.demonstration.erp_retailer", str(shop)],
    )


def _supplier(folder: Path, database: Path, erp: sqlite3.Connection) -> Company:
    return Company(
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
            options=f'url = "sqlite:///{database}"\nmappings = ["mappings/erp.toml"]',
            sharing=[(RETAILER, "exact"), (MANUFACTURER, "yes_no")],
            rules=[*_rules(erp), *settings.supplier(MANUFACTURER)],
        ),
        ["scripts.demonstration.erp_supplier", str(database)],
    )


def _manufacturer(folder: Path, database: Path, exclusive: Sequence[str]) -> Company:
    return Company(
        "Atelier Meuble",
        MANUFACTURER,
        folder / "manufacturer",
        _settings(
            listen=_free_address(),
            adapter='kind = "sql"',
            documents=("ReplenishmentRequest", "Order"),
            options=f'url = "sqlite:///{database}"\nmappings = ["mappings/erp.toml"]',
            before=settings.hidden(exclusive, RETAILER),
            sharing=[(RETAILER, "exact"), (SUPPLIER, "exact")],
        ),
        ["scripts.demonstration.erp_manufacturer", str(database)],
    )


def _logistics(folder: Path, warehouse: Path) -> Company:
    return Company(
        "Quayside Logistics",
        LOGISTICS,
        folder / "logistics",
        _settings(
            adapter='kind = "jsonl"',
            documents=("Order",),
            options=f'folder = "{warehouse / "exchange"}"\nready = "done"\ndocuments = ["Order"]',
            sharing=[(RETAILER, "exact")],
        ),
        ["scripts.demonstration.second_act.third_party", str(warehouse)],
    )


def _settings(
    *,
    adapter: str,
    documents: Sequence[str],
    options: str,
    listen: str = "",
    before: Iterable[str] = (),
    sharing: Iterable[tuple[str, str]] = (),
    rules: Iterable[str] = (),
) -> str:
    """A node's settings as text, for people to look at."""
    parts = ["[node]", f'listen = "{listen}"' if listen else "# no port is open: this node dials out", ""]
    parts += ["[limits]", "dial_seconds_max = 2", "handover_first_seconds = 1", ""]
    parts += ["[[adapters]]", 'name = "erp"', adapter, "every_seconds = 1"]
    parts += [f"documents = {list(documents)}".replace("'", '"'), "", "[adapters.options]", options, ""]
    parts += before
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
        network.carrier.start()
        list(pool.map(Company.start, network.companies))
        report("they swap partner cards, and compare fingerprints by telephone")
        list(pool.map(lambda company: _meet(network, company), network.companies))
        report("supplier and 3PL, which have no open port, dial the others")
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
        card = partner.ask("partner.card")["card"]
        company.ask("partner.add", card=card)
        company.ask("partner.confirm", partner=partner.id, fingerprint=network.fingerprints[partner.id])


def _go_live(network: Network, company: Company) -> None:
    for partner in _partners_of(network, company):
        company.ask("partner.go-live", partner=partner.id)
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
