"""One simulated run: a buyer and a seller trade while lines are cut, processes die, keys change and clocks differ."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from node import wire
from node.app.links import exchange, outcomes
from node.app.stock import inventory, ledger, reservations
from node.config import PartnerSettings
from node.core import link, order_book
from node.transport.session import Session
from tests.simulation.companies import Company, connect, despatch, order, response
from tests.simulation.machinery import SimLoop, Wire, passing, replaced

__all__ = ["LEDGER_FAULTS", "World"]

LEDGER_FAULTS = ("grant-not-counted", "release-not-counted")
"""Faults planted in the stock ledger; `planted` has those of the exchange."""

TRADE_SECONDS = 240.0
SETTLE_SECONDS = 900.0


class World:
    """A seeded world. `faults` names what goes wrong; `plant` a fault that the auditor must find."""

    def __init__(self, seed: int, folder: Path, *, restore: bool = False, plant: str = "") -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.loop = SimLoop()
        self.restore = restore
        self.erp_keeps_holds = seed % 2 == 1
        self.plant = plant
        self.exchange: Any = exchange if plant in ("", *LEDGER_FAULTS) else planted(plant, self)
        self.wires: list[tuple[Wire, Company, Company]] = []
        self.calm = False
        self.numbers_seen: dict[tuple[str, int], bytes] = {}
        self.forks: list[str] = []
        self.oversold: list[str] = []
        self.miscounted: list[str] = []
        self.buyer = Company("Buyer", self, folder / "buyer")
        self.seller = Company("Seller", self, folder / "seller")
        self.companies = (self.buyer, self.seller)
        connect(self.buyer, self.seller)
        self.buyer.agree(self.seller.id, PartnerSettings(quantity_under_percent=Decimal(40)))
        self.orders: list[tuple[str, int]] = []
        self.poison: set[str] = set()
        self.parts: dict[str, int] = {}
        self.despatched: dict[str, int] = {}

    def run(self) -> None:
        """Trade under faults, then let everything settle; afterwards the stores can be audited."""
        asyncio.set_event_loop(self.loop)
        try:
            watched = self._watched(ledger.Ledger.write)
            with (
                replaced(order_book, "apply", self._poisoned(order_book.apply)),
                replaced(ledger.Ledger, "write", watched),
                replaced(ledger.Ledger, "change", self._counted(ledger.Ledger.change)),
            ):
                self.loop.run_until_complete(self._run())
        finally:
            asyncio.set_event_loop(None)
            self.loop.close()

    def _poisoned(self, apply: Any) -> Any:
        """A bug of the receiver's: some orders make it fail, until somebody has mended it."""

        def failing(document: Any, **given: Any) -> Any:
            if not given["we_are_sender"] and document.header.number in self.poison:
                raise ValueError("a bug that only this document meets")
            return apply(document, **given)

        return failing

    def _watched(self, write: Any) -> Any:
        """Look at the books whenever something is given: whatever is promised then must be there."""

        def looking(book: ledger.Ledger, **given: Any) -> None:
            before = promised(book._tx, book.now)
            write(book, **given)
            for place, (figure, taken) in promised(book._tx, book.now).items():
                if taken > max(figure, before.get(place, (0, 0))[1]):
                    self.oversold.append(f"{place}: {taken} promised, {figure} there, {before.get(place)} before")
            self.miscounted += [f"counters at a write: {wrong}" for wrong in ledger.verify(book._tx)]

        return looking

    def _counted(self, change: Any) -> Any:
        """Changes of the ledger, with a fault planted where the run is to have one: now and then the counters do not
        follow. What would make them less than nothing, which the store itself refuses, leaves them at nothing."""
        if self.plant not in LEDGER_FAULTS:
            return change

        def failing(book: ledger.Ledger, before: Any, row: Any) -> Any:
            counters = dict(book._counters)
            after = change(book, before, row)
            fits = before is None if self.plant == "grant-not-counted" else row.state == "released"
            if fits and self.chance.random() < 0.3:
                book._counters = counters
            for place, one in book._counters.items():
                book._counters[place] = one._replace(reserved=max(0, one.reserved), allocated=max(0, one.allocated))
            return after

        return failing

    def close(self) -> None:
        for company in self.companies:
            company.store.close()

    async def _run(self) -> None:
        keep = self.loop.create_task(self._keep_connected())
        rates = (self.chance.choice([0.0, 0.01, 0.03]), self.chance.choice([0.0, 0.01, 0.03]))
        for company, rate in zip(self.companies, rates, strict=True):
            company.store.crash_rate = rate
        while self.loop.time() < TRADE_SECONDS:
            await passing(self.chance.expovariate(1.0))
            self._something_happens()
        self.calm = True
        for company in self.companies:
            company.store.crash_rate = 0.0
            company.erp.failing = 0.0
        end = self.loop.time() + SETTLE_SECONDS
        quiet = 0
        while self.loop.time() < end and quiet < 4:
            await passing(20)
            for company in self.companies:
                if company.alive:
                    company.resolve_held()
                    company.push()
                    company.advance()
                    company.tidy()
            quiet = quiet + 1 if self._settled() else 0
        keep.cancel()
        for session in [s for company in self.companies for s in company.sessions.values()]:
            session.abort("the world ends")
        pending = [task for company in self.companies for task in company.tasks]
        await asyncio.gather(keep, *pending, return_exceptions=True)

    def _settled(self) -> bool:
        for company in self.companies:
            states = {state for _, _, state, count in company.read(lambda tx: tx.documents.counts()) if count}
            handed = company.read(lambda tx: tx.handovers.counts())
            if states & {"waiting", "sent", "held"} or handed.get("waiting"):
                return False
            soon = company.ctx.now_micros() + 600_000_000
            if company.read(lambda tx: tx.erp_holds.due("erp", soon, 1)):  # noqa: B023 - asked at once
                return False
            if company.read(partial(inventory.waiting_for_stock, ctx=company.ctx)):
                return False  # a hold has just ended, and the partner has still to hear of it
        return True

    # --- what happens ---

    def _something_happens(self) -> None:
        happenings = [
            (10, self._order),
            (8, self._answer),
            (8, self._despatch),
            (4, self._confirm),
            (4, self._stock),
            (8, self._hold),
            (2, self._release),
            (3, self._release_part),
            (1, self._extend),
            (2, self._tidy),
            (2, self._push),
            (2, self._withdraw),
            (3, self._cut),
            (1, self._die),
            (0.5, self._rotate),
            (1, self._advance),
            (1, self._resolve),
        ]
        if self.restore:
            happenings += [(0.6, self._copy), (0.3, self._put_back)]
        weights = [weight for weight, _ in happenings]
        self.chance.choices([what for _, what in happenings], weights)[0]()

    def _order(self) -> None:
        if not self.buyer.alive:
            return
        number = f"PO-{len(self.orders) + 1}"
        lines = self.chance.randint(1, 3)
        valid_for = self.chance.choice([None, None, None, 2.0, 400.0])
        self.orders.append((number, lines))
        hold = self.chance.choice(self.buyer.holds) if self.buyer.holds and self.chance.random() < 0.4 else ""
        if self.chance.random() < 0.06:
            self.poison.add(number)
        self.buyer.submit(
            self.seller.id, order(self.buyer, self.seller, number, lines=lines, valid_for=valid_for, hold=hold)
        )
        if self.chance.random() < 0.2:  # an ERP exports it twice, or edited
            again = order(self.buyer, self.seller, number, lines=self.chance.randint(1, 3))
            self.buyer.submit(self.seller.id, again)

    def _hold(self) -> None:
        if self.buyer.alive:
            count = self.chance.randint(1, 3)
            items = [(self.chance.randint(1, 5), self.chance.randint(1, 30)) for _ in range(count)]
            seconds = self.chance.choice([5.0, 60.0, 200.0, 600.0])
            self.buyer.hold(self.seller.id, items, seconds, self.chance.choice(["partial", "complete"]))

    def _release(self) -> None:
        if self.buyer.alive:
            self.buyer.try_hold(reservations.release)

    def _release_part(self) -> None:
        if self.buyer.alive:
            self.buyer.try_hold(reservations.release_part, self.chance.randint(1, 20) * 1_000_000)

    def _extend(self) -> None:
        if self.buyer.alive:
            self.buyer.try_hold(reservations.extend, self.buyer.ctx.now() + timedelta(seconds=300))

    def _tidy(self) -> None:
        company = self.chance.choice(self.companies)
        if company.alive:
            company.tidy()

    def _known_order(self) -> tuple[str, int] | None:
        """An order that has arrived in the seller's ERP."""
        posted = [fields for kind, fields in self.seller.erp.posted.values() if kind == "Order"]
        if not posted or not self.seller.alive:
            return None
        fields = self.chance.choice(posted)
        return fields["header"]["number"], len(fields["lines"])

    def _answer(self) -> None:
        known = self._known_order()
        if known:
            self.parts[known[0]] = self.parts.get(known[0], 0) + 1
            self.seller.submit(
                self.buyer.id, response(self.buyer, *known, self.seller.chance, str(self.parts[known[0]]))
            )

    def _despatch(self) -> None:
        known = self._known_order()
        if known:
            part = self.despatched[known[0]] = self.despatched.get(known[0], 0) + 1
            self.seller.submit(self.buyer.id, despatch(self.buyer, known[0], part, known[1]))

    def _confirm(self) -> None:
        if self.buyer.alive:
            self.buyer.confirm(self.seller.id)

    def _stock(self) -> None:
        if self.seller.alive:
            self.seller.set_stock(self.chance.randint(1, 5), self.chance.randint(0, 100))

    def _push(self) -> None:
        company = self.chance.choice(self.companies)
        if company.alive:
            company.push()

    def _withdraw(self) -> None:
        company = self.chance.choice(self.companies)
        if company.alive:
            company.try_withdraw()

    def _cut(self) -> None:
        for line, _, _ in self.wires:
            line.cut()

    def _die(self) -> None:
        self.chance.choice(self.companies).die()

    def _rotate(self) -> None:
        company = self.chance.choice(self.companies)
        if company.alive:
            company.rotate()

    def _advance(self) -> None:
        for company in self.companies:
            if company.alive:
                company.advance()

    def _resolve(self) -> None:
        company = self.chance.choice(self.companies)
        if company.alive:
            company.resolve_held()

    def _copy(self) -> None:
        company = self.chance.choice(self.companies)
        if company.alive and not company.restored:
            company.take_copy()

    def _put_back(self) -> None:
        company = self.chance.choice(self.companies)
        if company.copy is not None and not any(one.restored for one in self.companies):
            company.put_copy_back()

    # --- the network ---

    def cut_all(self, company: Company) -> None:
        for line, one, other in self.wires:
            if company in (one, other):
                line.cut()

    async def _keep_connected(self) -> None:
        """The buyer dials whenever there is no line; the seller has no open port."""
        while True:
            await passing(self.chance.uniform(0.2, 3.0))
            if not all(one.alive and not one.sessions for one in self.companies):
                continue
            line = Wire(self.chance, duplicates=0.0 if self.calm else 0.02)
            self.wires = [(line, self.buyer, self.seller)]
            for company, partner, end in zip(self.companies, reversed(self.companies), line.ends, strict=True):
                session = Session(company.services(), partner.id, end, dialled=company is self.buyer)
                company.sessions[partner.id] = session
                company.spawn(session.run())

    def see_batch(self, sender: str, number: int, chain: bytes) -> None:
        """Every head that ever left a company: a number means one thing for ever."""
        known = self.numbers_seen.setdefault((sender, number), chain)
        if known != chain:
            self.forks.append(f"{sender} gave number {number} twice")


def promised(tx: Any, now: int) -> dict[tuple[str, str], tuple[int, int]]:
    """By place: our figure, and the sum of the orders there and of the holds that have not run out, row by row."""
    rows = tx.reservations.search(which="open", limit=100_000) + tx.reservations.search(
        state="confirmed", limit=100_000
    )
    counting = [row for row in rows if row.held and (row.state == "confirmed" or row.expires_at > now)]
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for figure in tx.stock.figures(sorted({row.item_key for row in counting})):
        if figure.partner_id == "":
            place = (figure.item_key, figure.location)
            taken = sum(row.held for row in counting if (row.item_key, row.location) == place)
            found[place] = (figure.available or 0, taken)
    return found


def planted(fault: str, world: World) -> Any:
    """The exchange with a fault planted, to show that the auditor finds it."""
    names = {name: getattr(exchange, name) for name in exchange.__all__}

    class Lost(Exception):
        pass

    def outside(use_case: Any, company: Company, tx: Any, *args: Any) -> Any:
        """Let the result of a use case out although its transaction is rolled back."""
        kept = []
        try:
            with tx.savepoint():
                kept.append(use_case(tx, company.ctx, *args))
                raise Lost
        except Lost:
            return kept[0]

    def company_of(ctx: Any) -> Company:
        return next(one for one in world.companies if one.ctx is ctx)

    def take_batch(tx: Any, ctx: Any, partner_id: str, batch: Any) -> Any:
        if not world.calm and world.chance.random() < 0.05:
            company = company_of(ctx)
            world.loop.call_later(0.5, company.die)
            return outside(exchange.take_batch, company, tx, partner_id, batch)
        return exchange.take_batch(tx, ctx, partner_id, batch)

    def next_batch(tx: Any, ctx: Any, partner_id: str, after: int) -> Any:
        if not world.calm and world.chance.random() < 0.05:
            company = company_of(ctx)
            world.loop.call_later(0.5, company.die)
            return outside(exchange.next_batch, company, tx, partner_id, after)
        return exchange.next_batch(tx, ctx, partner_id, after)

    def take_receipt(tx: Any, ctx: Any, partner_id: str, receipt: Any) -> Any:
        row = tx.links.get(partner_id, "out")
        body = wire.decode(link.ReceiptBody, receipt.body)
        if not body.outcomes or row.receipt_sequence + 1 != body.sequence or world.chance.random() > 0.2:
            return exchange.take_receipt(tx, ctx, partner_id, receipt)
        # The outcomes are lost, and later receipts hide that they ever were.
        with replaced(outcomes, "named_by", lambda tx, out, body: []):
            return exchange.take_receipt(tx, ctx, partner_id, receipt)

    faults = {"receipt-before-commit": take_batch, "number-before-commit": next_batch, "refusal-lost": take_receipt}
    chosen = faults[fault]
    return SimpleNamespace(**{**names, chosen.__name__: chosen})
