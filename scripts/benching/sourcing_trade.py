"""The world of the sourcing benchmarks as nodes: a shop with own sites, suppliers' companies, figures, prices, orders.

Every node has a home with keys and a store on disk; links are the use cases of both ends, without a network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from node import config
from node.app.context import Context
from node.app.links import exchange
from node.app.stock import inventory
from node.clock import SystemClock, SystemRandom
from node.core.document.common import DocumentHeader, ItemRef, Price
from node.core.document.customer import CustomerLine, CustomerOrder, CustomerOrderKind
from node.core.item_key import GTIN_PREFIX
from node.core.money import Money
from node.core.promise_rows import ItemPriceRow
from node.core.quantity import Quantity, to_scaled
from node.core.rows import StockRow
from node.core.sourcing.problem import Policy
from node.keyring import Keyring, verify
from node.ports import Transaction
from node.store.database import Database, open_store
from scripts.benching.companies import make_homes
from scripts.benching.sourcing_world import Basket, World, make_world

__all__ = ["Company", "Trade", "make_trade", "send"]

ONE = 1_000_000
CURRENCY = "GBP"
BASE = '[node]\nlisten = ""\n[log]\nlevel = "warning"\n'
SUPPLIER = (
    BASE + "[reservations]\npieces_max = 1000000000\nholds_max = 1000000\n" + '[[sharing.rules]]\nfigure = "exact"\n'
)
FREIGHT = '[freight]\npostal_codes = ["places.txt"]\ncost = 4.00\ncost_per_km = 0.006\n'
KM_PER_DEGREE = 111.2

Result = TypeVar("Result")


@dataclass(slots=True)
class Company:
    """One company's node without its shell: a store on disk, keys, settings."""

    home: Path
    partner_id: str
    ctx: Context
    store: Database

    @classmethod
    def open(cls, home: Path, partner_id: str) -> Company:
        """Read its settings and open its store."""
        loaded = config.load(home)
        ctx = Context(SystemClock(), SystemRandom(), Keyring(home / "keys"), verify, loaded)
        return cls(home, partner_id, ctx, open_store(loaded.database_url))

    def do(self, use_case: Callable[..., Result], *args: Any) -> Result:
        """A use case in a transaction of its own, durable when this returns."""
        return self.store.write(lambda tx: use_case(tx, self.ctx, *args))


@dataclass(slots=True)
class Trade:
    """The world as nodes: our shop, its suppliers, and the orders to come."""

    shop: Company
    suppliers: dict[str, Company]
    orders: list[CustomerOrder]
    gtins: dict[str, str]
    sources: dict[str, int]
    """In how many places each item is, by GTIN."""

    def close(self) -> None:
        """Close every store."""
        for one in (self.shop, *self.suppliers.values()):
            one.store.close()


# --- the world --------------------------------------------------------------------------------------------------------


def make_trade(folder: Path, baskets: Sequence[Basket], places: int, report: Callable[[int, int], None]) -> Trade:
    """Homes, cards, figures and prices: own sites and one supplier company for each supplier's place."""
    world = make_world(baskets, places=places, seed=places, plenty=True, policy=Policy())
    _only_suppliers(world)
    names = {one.source_id: f"supplier{at}" for at, one in enumerate(world.sources) if one.partner_id}
    homes = make_homes(folder, {"shop": BASE, **dict.fromkeys(names.values(), SUPPLIER)})
    home, own = homes["shop"]
    ids = {source_id: homes[name][1] for source_id, name in names.items()}
    (home / config.FILE_NAME).write_text(BASE + FREIGHT + _sites(world, ids))
    (home / "places.txt").write_text(_places(world))
    shop = Company.open(home, own)
    suppliers = {source_id: Company.open(*homes[name]) for source_id, name in names.items()}
    gtins = {item: _gtin(at) for at, item in enumerate(sorted(world.supplies))}
    for one in suppliers.values():
        _connect(shop, one)
    for done, (source_id, holder) in enumerate([("", shop), *suppliers.items()], 1):
        _put_figures(world, source_id, holder, gtins)
        if source_id:
            _connect(shop, holder)
        report(done, len(suppliers) + 1)
    shop.do(_put_prices, world, ids, gtins)
    sources = {gtins[item]: len(supplies) for item, supplies in world.supplies.items()}
    orders = _orders(world, baskets, gtins)
    return Trade(shop, {one.partner_id: one for one in suppliers.values()}, orders, gtins, sources)


def _only_suppliers(world: World) -> None:
    """Three items in ten are in no own site, where a supplier has them: what a shop sells and does not keep."""
    for at, (item, supplies) in enumerate(sorted(world.supplies.items())):
        theirs = [one for one in supplies if not one.source_id.startswith("|")]
        if at % 10 < 3 and theirs:
            world.supplies[item] = theirs


def _gtin(number: int) -> str:
    digits = f"400{number:09d}"
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return digits + str(-total % 10)


def _code(at: int) -> str:
    return f"{10_000 + at}"


def _sites(world: World, ids: dict[str, str]) -> str:
    found = []
    for at, one in enumerate(world.sources):
        name = f"{ids[one.source_id]}|{one.location}" if one.partner_id else one.location
        found.append(
            f'[sites."{name}"]\nkind = "{one.kind}"\ncountry = "GB"\npostal_code = "{_code(at)}"\n'
            f"handling_per_order = {one.handling_per_order}\nhandling_per_line = {one.handling_per_line}\n"
            f"handling_per_unit = {one.handling_per_unit}\nlead_days = {1 if one.partner_id else 0}\n"
        )
    return "".join(found)


def _places(world: World) -> str:
    """Where sites and customers are, in the form of GeoNames' tables; kilometres become degrees near the equator."""
    rows = []
    for at, key in enumerate([*(one.source_id for one in world.sources), *(one.order_id for one in world.orders)]):
        x, y = world.at[key]
        rows.append(f"GB\t{_code(at)}\tX\t\t\t\t\t\t\t{y / KM_PER_DEGREE:.4f}\t{x / KM_PER_DEGREE:.4f}\t4\n")
    return "".join(rows)


def _put_figures(world: World, source_id: str, holder: Company, gtins: dict[str, str]) -> None:
    """What its ERP tells: all our own sites' figures, or a supplier's; a million pieces each."""
    rows = []
    at = int(holder.ctx.now().timestamp()) * ONE
    own = {one.source_id: one.location for one in world.sources if not one.partner_id}
    for item, supplies in world.supplies.items():
        for one in supplies:
            if one.source_id != source_id and (source_id or one.source_id not in own):
                continue
            location = one.source_id.rpartition("|")[2]
            many = to_scaled(one.quantity)
            rows.append(
                StockRow(
                    item_key=f"{GTIN_PREFIX}{gtins[item].zfill(14)}",
                    partner_id="",
                    snapshot=0,
                    location=location,
                    pool="",
                    status="AVAILABLE",
                    figure="EXACT",
                    on_hand=many,
                    available=many,
                    band_end=None,
                    unit="C62",
                    gtin=gtins[item],
                    number=item,
                    expected="",
                    as_of=at,
                    change=0,
                )
            )
    for first in range(0, len(rows), 10_000):
        holder.do(inventory.put_own, rows[first : first + 10_000], "NET")


def _put_prices(tx: Transaction, ctx: Context, world: World, ids: dict[str, str], gtins: dict[str, str]) -> None:
    """Suppliers' prices as their lists tell them, and ours as the cost of what lies in our own sites."""
    by_partner: dict[str, dict[str, ItemPriceRow]] = {}
    for item, supplies in world.supplies.items():
        key = f"{GTIN_PREFIX}{gtins[item].zfill(14)}"
        for one in supplies:
            partner_id = ids.get(one.source_id, "")
            row = ItemPriceRow(
                *(partner_id, key, 0, CURRENCY, to_scaled(one.unit_cost), ONE, "C62", "", "", ctx.now_micros())
            )
            by_partner.setdefault(partner_id, {})[key] = row
    for partner_id, rows in by_partner.items():
        tx.offers.replace_prices(partner_id, list(rows), list(rows.values()))


def _orders(world: World, baskets: Sequence[Basket], gtins: dict[str, str]) -> list[CustomerOrder]:
    found = []
    first = len(world.sources)
    for at, (customer, wanted) in enumerate(baskets):
        lines = tuple(
            CustomerLine(
                line_id=str(place),
                item=ItemRef(gtin=gtins[item], description=item),
                quantity=Quantity(Decimal(quantity), "C62"),
                price=Price(amount=Money(price, CURRENCY)),
            )
            for place, (item, quantity, price) in enumerate(wanted, 1)
            if world.supplies[item]
        )
        if not lines:
            continue  # nobody has anything of it
        found.append(
            CustomerOrder(
                header=DocumentHeader(number=f"C{at:06d}"),
                order_kind=CustomerOrderKind.SHIP_TO_HOME,
                channel="web",
                customer=customer,
                country="GB",
                postal_code=_code(first + at),
                currency=CURRENCY,
                lines=lines,
            )
        )
    return found


# --- links: the use cases of both nodes, without a network ------------------------------------------------------------


@contextmanager
def uncounted(name: str) -> Iterator[None]:
    yield


def _open(shop: Company, other: Company) -> None:
    """Both say hello; nothing waits to be sent again."""
    for one, two in ((shop, other), (other, shop)):
        opening = one.do(exchange.open_session, two.partner_id, two.do(exchange.hello, one.partner_id))
        assert isinstance(opening, exchange.Opening), opening


def send(sender: Company, receiver: Company, stage: Callable[[str], Any], name: str, *, ours: bool) -> int:
    """Everything that waits, one way; what is our own node's work is counted under `name`."""
    mine, theirs = (stage, uncounted) if ours else (uncounted, stage)
    sent = 0
    after = sender.store.read(lambda tx: _sent_to(tx, receiver.partner_id))
    while True:
        with mine(name):
            formed = sender.do(exchange.next_batch, receiver.partner_id, after)
        if formed is None:
            return sent
        batch, after = formed
        with theirs(name):
            taken = receiver.do(exchange.take_batch, sender.partner_id, batch)
        assert isinstance(taken, exchange.Taken), taken
        with mine(name):
            refused = sender.do(exchange.take_receipt, receiver.partner_id, taken.receipt)
        assert refused is None, refused
        sent += len(batch.entries)


def _sent_to(tx: Transaction, partner_id: str) -> int:
    row = tx.links.get(partner_id, "out")
    assert row is not None
    return row.number


def _connect(shop: Company, other: Company) -> None:
    _open(shop, other)
    while send(shop, other, uncounted, "", ours=True) + send(other, shop, uncounted, "", ours=False):
        pass
