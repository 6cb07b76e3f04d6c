"""Order lines sourced, held and ordered end to end in one node with its store on disk, and how long a promise takes.

What counts is one node's work: capturing customers' orders, gathering, solving, holding our own stock, asking partners
for holds, signing and sending the requests, taking the answers in, ordering what is held (documents and their effects
on our books), and every commit of its store. The partners are real nodes with stores of their own in this process;
the links are the same use cases without a network. Their work is left out of every figure, as is setting the world up.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from node import config
from node.app import customer_orders, exchange, inventory, ledger, planner, promising
from node.app.advancing import advance
from node.app.context import Context
from node.clock import SystemClock, SystemRandom
from node.core.document.common import (
    Address,
    DocumentHeader,
    ItemRef,
    PersonalData,
    PersonalEntry,
    Price,
)
from node.core.document.customer import CustomerLine, CustomerOrder, CustomerOrderKind
from node.core.fulfilment import balance
from node.core.item_key import GTIN_PREFIX
from node.core.money import Money
from node.core.piece_state import DEAD
from node.core.promise_rows import ItemPriceRow
from node.core.quantity import Quantity, to_scaled
from node.core.rows import StockRow
from node.core.sourcing.solve import solve
from node.keyring import Keyring, verify
from node.ports import Transaction
from node.store.database import Database, open_store
from scripts.benching.companies import make_homes
from scripts.benching.machine import figures, percentile
from scripts.benching.sourcing_world import Basket, World, make_world

__all__ = ["faults", "measure_node"]

AT_ONCE = 64
"""Customer orders that an adapter gives in one transaction."""

ALONE = 200
"""Orders that go through by themselves, one after another."""

PROMISES = 1_000
PROMISED_SOURCES = 12
ONE = 1_000_000
CURRENCY = "GBP"
BASE = '[node]\nlisten = ""\n[log]\nlevel = "warning"\n'
SUPPLIER = (
    BASE + "[reservations]\npieces_max = 1000000000\nholds_max = 1000000\n" + '[[sharing.rules]]\nfigure = "exact"\n'
)
FREIGHT = '[freight]\npostal_codes = ["places.txt"]\ncost = 4.00\ncost_per_km = 0.006\n'
KM_PER_DEGREE = 111.2

Report = Callable[[str, int, int], None]
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
class Stages:
    """Processor time and wall time of our node, by stage, in seconds."""

    cpu: dict[str, float] = field(default_factory=dict)
    wall: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Count what is done inside."""
        used, begun = time.process_time(), time.perf_counter()
        try:
            yield
        finally:
            self.cpu[name] = self.cpu.get(name, 0.0) + time.process_time() - used
            self.wall[name] = self.wall.get(name, 0.0) + time.perf_counter() - begun


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
    from scripts.bench_sourcing import POLICY

    world = make_world(baskets, places=places, seed=places, plenty=True, policy=POLICY)
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
                    *(f"{GTIN_PREFIX}{gtins[item].zfill(14)}", "", 0, location, "", "AVAILABLE", "EXACT"),
                    *(many, many, None, "C62", gtins[item], item, "", at, 0),
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
def _uncounted(name: str) -> Iterator[None]:
    yield


def _open(shop: Company, other: Company) -> None:
    """Both say hello; nothing waits to be sent again."""
    for one, two in ((shop, other), (other, shop)):
        opening = one.do(exchange.open_session, two.partner_id, two.do(exchange.hello, one.partner_id))
        assert isinstance(opening, exchange.Opening), opening


def _send(sender: Company, receiver: Company, stage: Callable[[str], Any], name: str, *, ours: bool) -> int:
    """Everything that waits, one way; what is our own node's work is counted under `name`."""
    mine, theirs = (stage, _uncounted) if ours else (_uncounted, stage)
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
    while _send(shop, other, _uncounted, "", ours=True) + _send(other, shop, _uncounted, "", ours=False):
        pass


# --- orders end to end ------------------------------------------------------------------------------------------------


def run_orders(trade: Trade, orders: Sequence[CustomerOrder], stage: Stages) -> list[int]:
    """Carry these orders from capture to ordered; returns their ids. The orders to partners wait to be sent."""
    shop = trade.shop
    with stage("capture"):
        ids = shop.store.write(partial(_capture, ctx=shop.ctx, orders=orders))
    with stage("source and hold"):
        wake = _advance(shop)
    while wake:
        sent = 0
        for partner_id in sorted(wake):
            other = trade.suppliers[partner_id]
            sent += _send(shop, other, stage, "send requests", ours=True)
            _send(other, shop, stage, "take grants", ours=False)
        with stage("order"):
            wake = _advance(shop) if sent else set()
    return ids


def _advance(shop: Company) -> set[str]:
    """Until nothing is due; returns the partners that are asked for something now."""
    wake: set[str] = set()
    while (done := advance(shop.store, shop.ctx)).orders:
        wake |= done.wake
    return wake


def _capture(tx: Transaction, ctx: Context, orders: Sequence[CustomerOrder]) -> list[int]:
    found = []
    for order in orders:
        address = Address(street="1 High Street", city="Town", country="GB", postal_code=order.postal_code)
        entry = PersonalEntry(key="to", name="A. Customer", address=address)
        done = customer_orders.capture(tx, ctx, order, PersonalData(entries=(entry,)))
        assert done.customer_order_id is not None, done.findings
        assert not done.findings, done.findings
        found.append(done.customer_order_id)
    return found


def measure_orders(trade: Trade, orders: Sequence[CustomerOrder], report: Callable[[int, int], None]) -> dict[str, Any]:
    """Orders in batches, as an adapter gives them."""
    stage, sent = Stages(), Stages()
    for first in range(0, len(orders), AT_ONCE):
        run_orders(trade, orders[first : first + AT_ONCE], stage)
        _send_orders(trade, sent)
        report(min(first + AT_ONCE, len(orders)), len(orders))
    lines = sum(len(order.lines) for order in orders)
    wall, cpu = sum(stage.wall.values()), sum(stage.cpu.values())
    return {
        "orders": len(orders),
        "lines": lines,
        "lines_back_ordered": trade.shop.store.read(_waiting),
        "partner_orders": trade.shop.store.read(_partner_orders),
        "lines_per_s": round(lines / wall),
        "orders_per_s": round(len(orders) / wall, 1),
        "lines_per_s_of_processor": round(lines / cpu),
        "lines_per_s_with_orders_sent": round(lines / (wall + sum(sent.wall.values()))),
        "cpu_us_per_line": {
            name: round(seconds / lines * 1e6) for name, seconds in (stage.cpu | sent.cpu | {"all": cpu}).items()
        },
        "wall_us_per_line": {
            name: round(seconds / lines * 1e6) for name, seconds in (stage.wall | sent.wall | {"all": wall}).items()
        },
    }


def _waiting(tx: Transaction) -> int:
    """Lines of which a part waits, as from no more places than the rules allow."""
    rows = tx.customer_orders.search(limit=1_000_000)
    pieces = tx.customer_orders.pieces([row.customer_order_id for row in rows])
    return len({(one.customer_order_id, one.line_id) for one in pieces if one.state == "back_ordered"})


def _partner_orders(tx: Transaction) -> int:
    own = tx.partners.own().partner_id
    return sum(row.partner_id != own for row in tx.orders.search(limit=1_000_000))


def _send_orders(trade: Trade, stage: Stages) -> None:
    """The orders leave and are receipted."""
    for other in trade.suppliers.values():
        _send(trade.shop, other, stage, "send orders", ours=True)


def measure_alone(trade: Trade, orders: Sequence[CustomerOrder], report: Callable[[int, int], None]) -> dict[str, Any]:
    """Order after order, each alone from capture to ordered."""
    wall, cpu = [], []
    for done, order in enumerate(orders, 1):
        stage = Stages()
        run_orders(trade, [order], stage)
        wall.append(sum(stage.wall.values()))
        cpu.append(sum(stage.cpu.values()))
        report(done, len(orders))
    _send_orders(trade, Stages())
    return {"orders": len(orders), "wall": figures(wall), "cpu_p99_ms": round(percentile(cpu, 99) * 1000, 2)}


# --- promises ---------------------------------------------------------------------------------------------------------


def measure_promises(trade: Trade, report: Callable[[int, int], None]) -> dict[str, Any] | None:
    """When so much of an item can be had and from where; only items that many places have."""
    shop = trade.shop
    items = sorted(gtin for gtin, places in trade.sources.items() if places >= PROMISED_SOURCES)
    if not items:
        return None
    by = shop.ctx.now().date() + timedelta(days=3)
    wall, cpu = [], []
    for done in range(1, PROMISES + 1):
        item = f"{GTIN_PREFIX}{items[done * 7919 % len(items)].zfill(14)}"
        begun, used = time.perf_counter(), time.process_time()
        said = shop.store.read(partial(promising.promise, ctx=shop.ctx, item=item, quantity=Decimal(6), by=by))
        cpu.append(time.process_time() - used)
        wall.append(time.perf_counter() - begun)
        assert said.promise is not None
        report(done, PROMISES)
    least = min(trade.sources[item] for item in items)
    return {"items": len(items), "sources_least": least, "wall": figures(wall), **_cpu(cpu)}


def _cpu(seconds: Sequence[float]) -> dict[str, float]:
    return {"cpu_p99_ms": round(percentile(seconds, 99) * 1000, 2)}


def measure_choices(
    trade: Trade, orders: Sequence[CustomerOrder], report: Callable[[int, int], None]
) -> dict[str, Any]:
    """Where one order alone would come from: gathered and solved, nothing held yet. Then all are carried out."""
    shop = trade.shop
    ids = shop.store.write(partial(_capture, ctx=shop.ctx, orders=orders))
    wall, cpu, solving = [], [], []
    for done, one in enumerate(ids, 1):
        begun, used = time.perf_counter(), time.process_time()
        (choice,) = planner.choose(shop.store, shop.ctx, [one])
        cpu.append(time.process_time() - used)
        wall.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        solve(choice.problem)
        solving.append(time.perf_counter() - begun)
        report(done, len(ids))
    run_orders(trade, [], Stages())
    _send_orders(trade, Stages())
    largest = max(len(order.lines) for order in orders)
    return {
        "orders": len(ids),
        "lines_largest": largest,
        "wall": figures(wall),
        "solving": figures(solving),
        **_cpu(cpu),
    }


# --- the account ------------------------------------------------------------------------------------------------------


def faults(trade: Trade) -> list[str]:
    """What does not add up at the end, in words: units of orders, holds, the ledgers' counters, partners' books."""
    shop = trade.shop
    found = [f"shop: counter {one}" for one in shop.store.read(ledger.verify)]
    held: dict[str, int] = {}
    for row in shop.store.read(lambda tx: tx.customer_orders.search(limit=1_000_000)):
        ids = [row.customer_order_id]
        lines = shop.store.read(partial(_lines_of, ids=ids))
        pieces = shop.store.read(partial(_pieces_of, ids=ids))
        for line in lines:
            sums = balance(line, pieces)
            if min(sums.values()) < 0 or sums["ordered"] != sum(sums[n] for n in ("live", "back_ordered", "open")):
                found.append(f"order {row.number} line {line.line_id}: {sums}")
            if sums["open"]:
                found.append(f"order {row.number} line {line.line_id}: nobody looks after all of it: {sums}")
        for piece in pieces:
            if piece.state == "back_ordered" or piece.state in DEAD:
                continue
            if piece.state not in ("ordering", "ordered", "accepted"):
                found.append(f"order {row.number}: a piece is {piece.state}")
            held[piece.partner_id] = held.get(piece.partner_id, 0) + piece.quantity
    for partner_id, company in [("", shop), *trade.suppliers.items()]:
        found += [f"{partner_id}: counter {one}" for one in company.store.read(ledger.verify)] if partner_id else []
        allocated = company.store.read(partial(_allocated, gtins=list(trade.gtins.values())))
        if allocated != held.get(partner_id, 0):
            found.append(f"{partner_id or 'our own'}: {allocated} allocated, {held.get(partner_id, 0)} ordered there")
    return found


def _lines_of(tx: Transaction, ids: list[int]) -> Any:
    return tx.customer_orders.lines(ids)


def _pieces_of(tx: Transaction, ids: list[int]) -> Any:
    return tx.customer_orders.pieces(ids)


def _allocated(tx: Transaction, gtins: list[str]) -> int:
    rows = tx.reservations.counters([f"{GTIN_PREFIX}{gtin.zfill(14)}" for gtin in gtins])
    return sum(row.allocated for row in rows)


def measure_node(folder: Path, baskets: Sequence[Basket], places: int, report: Report) -> dict[str, Any]:
    """All of it for one number of places; `faults` of the result is empty when everything adds up."""
    name = f"one node, {places} places"
    trade = make_trade(folder, baskets, places, partial(report, f"{name}: figures"))
    gc.collect()
    try:
        alone = min(ALONE, len(trade.orders) // 5)
        many = trade.orders[2 * alone :]
        return {
            "places": places,
            "partners": len(trade.suppliers),
            "many": measure_orders(trade, many, partial(report, f"{name}: orders")),
            "alone": measure_alone(trade, trade.orders[:alone], partial(report, f"{name}: order by order")),
            "choice": measure_choices(trade, trade.orders[alone : 2 * alone], partial(report, f"{name}: choices")),
            "promise": measure_promises(trade, partial(report, f"{name}: promises")),
            "faults": faults(trade),
        }
    finally:
        trade.close()
