"""Companies of the simulated world: each with a real store, real keys, the real sessions and use cases, and an ERP."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from adapters.base import Finding, Hold, HoldAnswer, PullBatch
from node.app.context import Context
from node.app.documents import terms
from node.app.documents.submit import Submission, submit, withdraw
from node.app.links import exchange, partners, rotation
from node.app.stock import inventory, reservations
from node.app.stock.reservations import Wanted
from node.app.systems import erp, erp_answers
from node.config import AdapterSettings, LimitSettings, PartnerSettings, Settings, SharingRule, SharingSettings
from node.core.document.common import (
    DateQualifier,
    DocumentHeader,
    DocumentKey,
    ItemRef,
    LineKind,
    Party,
    PartyRole,
    Price,
    QualifiedDate,
)
from node.core.document.fulfilment import DespatchAdvice, DespatchLine
from node.core.document.order import (
    Order,
    OrderKind,
    OrderLine,
    OrderResponse,
    OrderResponseLine,
    ResponseOutcome,
    Schedule,
    ScheduleOutcome,
)
from node.core.document.terms import ApplicationOutcome
from node.core.money import Money
from node.core.quantity import Quantity
from node.core.rows import LineEventRow, StockRow
from node.errors import AdapterError, RefusedError
from node.keyring import Keyring, verify
from node.ports import Transaction
from node.store.database import open_store
from node.transport.contract import Ended, Limits, Services
from node.transport.session import Session
from tests.simulation.machinery import CrashingStore, SimClock, SimLoop, SimRandom, Wire

Result = TypeVar("Result")
PUSHED = ("Order", "OrderResponse", "DespatchAdvice", "OrderCancellation", "OrderChange")


class Erp:
    """A system that keeps what it is given, by identity, and sometimes cannot."""

    def __init__(self, chance: random.Random) -> None:
        self.posted: dict[str, tuple[str, dict[str, Any]]] = {}
        self.order: list[str] = []
        self.kept: dict[tuple[str, str], str] = {}
        """What it knows of holds: kept, ordered, ended."""
        self._chance = chance
        self.failing = 0.2

    def check(self) -> list[Finding]:
        return []

    def pull(self, cursor: str | None) -> Iterator[PullBatch]:
        return iter(())

    def preview(self) -> Iterator[PullBatch]:
        return iter(())

    def push(self, document_type: str, fields: dict[str, Any], identity: str) -> str:
        if self._chance.random() < self.failing:
            raise AdapterError("the ERP is being closed for the night")
        if identity not in self.posted:
            self.posted[identity] = (document_type, fields)
            self.order.append(identity)
        return f"ERP-{self.order.index(identity)}"

    def accepts(self) -> frozenset[str]:
        return frozenset(PUSHED)

    def reserves(self) -> bool:
        return True

    def reserve(self, hold: Hold) -> HoldAnswer:
        self._be_away()
        key = (hold.partner, hold.reservation_id)
        if key not in self.kept and self._chance.random() < 0.2:
            return HoldAnswer(refused="sold over the counter")
        if self.kept.setdefault(key, "kept") != "kept":
            return HoldAnswer(refused="it has ended")
        self._be_away()  # what it did counts, and nobody hears of it
        return HoldAnswer(reference=hold.reservation_id)

    def confirm_hold(self, hold: Hold, order: str, taken: Decimal) -> None:
        self._end(hold, "ordered")

    def release_hold(self, hold: Hold) -> None:
        self._end(hold, "ended")

    def _end(self, hold: Hold, how: str) -> None:
        self._be_away()
        key = (hold.partner, hold.reservation_id)
        if self.kept.get(key, "kept") == "kept":
            self.kept[key] = how
        self._be_away()

    def _be_away(self) -> None:
        if self._chance.random() < self.failing:
            raise AdapterError("the ERP is being closed for the night")

    def forget(self, before: datetime) -> int:
        return 0

    def close(self) -> None:
        pass


class Company:
    """A node whose process can die and come back, and whose database can be put back from an old copy."""

    def __init__(self, name: str, world: Any, folder: Path) -> None:
        self.name = name
        self.world = world
        self.chance = random.Random(world.chance.random())
        self.folder = folder
        self.folder.mkdir()
        self.erp = Erp(self.chance)
        self.sessions: dict[str, Session] = {}
        self.tasks: set[asyncio.Task[Any]] = set()
        self.alive = True
        self.lives = 1
        self.submitted: list[int] = []
        self.holds: list[str] = []
        self.refusals: list[Ended] = []
        self.store = CrashingStore(
            open_store(f"sqlite:///{folder / 'hansa.db'}" if world.restore else "sqlite://"), self, self.chance
        )
        reserves = ("*",) if world.erp_keeps_holds else ()
        self.settings = Settings(
            home=folder,
            limits=LimitSettings(batch_documents=world.chance.choice([1, 3, 16]), handover_first_seconds=1),
            adapters=(AdapterSettings(name="erp", kind="jsonl", usage="test", documents=PUSHED, reserves=reserves),),
            sharing=SharingSettings(rules=(SharingRule(figure="exact"),)),
        )
        self.ctx = self._context()
        self.store.write(lambda tx: partners.init(tx, self.ctx, self.keys, name=name))
        self.id: str = self.store.read(lambda tx: tx.partners.own().partner_id)
        self.copy: Path | None = None
        self.restored = False

    def _context(self) -> Context:
        self.keys = Keyring(self.folder / "keys")
        clock = SimClock(self.world.loop, self.chance.uniform(-120, 120))
        return Context(clock, SimRandom(self.chance), self.keys, verify, self.settings)

    def write(self, use_case: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        """Run a use case that takes (tx, ctx, ...)."""
        return self.store.write(lambda tx: use_case(tx, self.ctx, *args, **kwargs))

    def read(self, use_case: Callable[[Transaction], Result]) -> Result:
        return self.store.read(use_case)

    # --- process ---

    def die(self) -> None:
        """The process is gone: whatever was in its memory is lost, its connections break."""
        if not self.alive:
            return
        self.alive = False
        self.lives += 1
        for task in list(self.tasks):
            task.cancel()
        for session in self.sessions.values():
            session.abort("the process died")
        self.sessions.clear()
        self.world.cut_all(self)
        self.world.loop.call_later(self.chance.uniform(0.5, 20), self.rise)

    def rise(self) -> None:
        """The process starts again on the same database."""
        self.alive = True
        self.ctx = self._context()

    def spawn(self, work: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = self.world.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def take_copy(self) -> None:
        """Somebody copies the database."""
        self.copy = self.folder / "copy.db"
        self.copy.unlink(missing_ok=True)
        self.store.inner.backup(self.copy)
        self.copied_keys = self.folder / "keys-copy"
        shutil.rmtree(self.copied_keys, ignore_errors=True)
        shutil.copytree(self.folder / "keys", self.copied_keys)

    def put_copy_back(self) -> None:
        """Somebody restores that copy, and with it forgets what came after. Keys are kept apart and stay."""
        assert self.copy is not None
        self.die()
        self.restored = True
        self.store.inner.close()
        self.store.inner = open_store(f"sqlite:///{self.copy}")

    # --- link events ---

    def services(self) -> Services:
        return Services(self.store, self.ctx, self.world.exchange, self, Limits(hello_seconds=10))

    def opened(self, session: Session) -> None:
        pass

    def taken(self, session: Session, taken: exchange.Taken, seconds: float) -> None:
        for partner_id in taken.wake:
            self.wake(partner_id)

    def sent(self, session: Session, documents: int) -> None:
        pass

    def receipted(self, session: Session, seconds: float) -> None:
        pass

    def ended(self, session: Session, ended: Ended) -> None:
        self.sessions.pop(session.partner_id, None)
        if ended.reason.code not in ("stream-lost", "closing"):
            self.refusals.append(ended)

    def wake(self, partner_id: str) -> None:
        if session := self.sessions.get(partner_id):
            session.wake()

    # --- business ---

    def submit(self, partner_id: str, document: Any) -> int | None:
        try:
            result = self.write(submit, partner_id, [Submission(document)])[0]
        except RefusedError as error:
            if error.code == "not-confirmed":
                return None  # the cards are still on their way
            raise
        self.wake(partner_id)
        if result.document_id is not None and result.state == "waiting":
            self.submitted.append(result.document_id)
            return result.document_id
        return None

    def try_withdraw(self) -> None:
        if not self.submitted:
            return
        try:
            self.write(withdraw, self.chance.choice(self.submitted))
        except RefusedError:
            return

    def rotate(self) -> None:
        try:
            self.write(rotation.rotate_keys, self.keys)
        except RefusedError:
            return  # the rotation before is still under way
        for partner_id in list(self.sessions):
            self.wake(partner_id)

    def advance(self) -> None:
        self.write(rotation.advance)
        for partner_id in list(self.sessions):
            self.wake(partner_id)

    def push(self) -> None:
        erp.push_due(self.store, self.ctx, self.settings.adapters[0], self.erp)
        erp_answers.tell_due(self.store, self.ctx, "erp", self.erp)
        for partner_id in list(self.sessions):
            self.wake(partner_id)

    def resolve_held(self) -> None:
        held = self.read(lambda tx: tx.documents.search(direction="in", state="held", limit=1000))
        if held:
            first = min(held, key=lambda row: row.document_id)
            self.world.poison.discard(first.doc_number)  # the bug is mended first
            self.write(
                exchange.resolve_held, first.document_id, take=self.chance.random() < 0.5, reason="decided by hand"
            )
            self.wake(first.partner_id)

    def agree(self, partner_id: str, agreed: PartnerSettings) -> None:
        """Set the trade terms with a partner."""
        self.settings = dataclasses.replace(self.settings, partners={partner_id: agreed})
        self.ctx = dataclasses.replace(self.ctx, settings=self.settings)

    def confirm(self, partner_id: str) -> None:
        """Confirm an answer that waits for us, as `hansa order confirm` does, if there is one."""
        due = [
            event
            for order in self.read(lambda tx: tx.orders.search(partner_id=partner_id, limit=1000))
            for event in self._events(order.order_id)
            if event.event == "changed" and event.standing
        ]
        if not due:
            return
        event = self.chance.choice(due)
        placed = self.read(lambda tx: tx.orders.search(limit=1000))
        (order,) = (one for one in placed if one.order_id == event.order_id)
        answer = self.read(lambda tx: tx.documents.get(event.document_id))
        assert answer is not None
        word = terms.confirmation(
            f"C{answer.document_id}",
            DocumentKey(issuer=answer.issuer, type=answer.type, number=answer.doc_number, revision=answer.revision),
            DocumentKey(issuer=order.issuer, type="Order", number=order.number, revision=order.revision),
            ApplicationOutcome.ACCEPTED,
            {event.line_id: None},
        )
        self.submit(partner_id, word)

    def _events(self, order_id: int) -> list[LineEventRow]:
        return self.read(lambda tx: tx.orders.events([order_id]))

    def hold(self, partner_id: str, items: list[tuple[int, int]], seconds: float, mode: str) -> None:
        """Ask the partner to hold pieces of its items."""
        wanted = [
            Wanted(
                item=ItemRef(seller_number=f"ITEM-{item}"),
                quantity=Quantity(Decimal(count), "C62"),
                item_key=f"no:{partner_id}:ITEM-{item}",
            )
            for item, count in items
        ]
        until = self.ctx.now() + timedelta(seconds=seconds)
        try:
            made = self.write(reservations.request, partner_id, wanted, hold_until=until, mode=mode)
        except RefusedError as error:
            if error.code != "not-confirmed":
                raise
            return
        self.holds += [row.reservation_id for row in made.rows]
        self.submitted.append(made.document_id)
        self.wake(partner_id)

    def try_hold(self, use_case: Callable[..., Any], *more: Any) -> None:
        """Extend or release some hold of ours, if it still stands."""
        if self.holds:
            try:
                row = self.write(use_case, self.chance.choice(self.holds), *more)
            except RefusedError:
                return
            self.wake(row.partner_id)

    def tidy(self) -> None:
        """End holds whose time is up."""
        self.write(reservations.expire_due)
        self.write(erp_answers.refuse_late)
        for partner_id in list(self.sessions):
            self.wake(partner_id)

    def set_stock(self, item: int, quantity: int) -> None:
        micros = self.ctx.now_micros()
        number = f"ITEM-{item}"
        scaled = quantity * 1_000_000
        key = f"no:{self.id}:{number}"
        row = StockRow(
            key, "", 0, "DC1", "", "AVAILABLE", "EXACT", scaled, scaled, None, "C62", "", number, "", micros, 0
        )
        self.write(inventory.put_own, [row])
        for partner_id in list(self.sessions):
            self.wake(partner_id)


def order(
    buyer: Company, seller: Company, number: str, *, lines: int, valid_for: float | None = None, hold: str = ""
) -> Order:
    """An order of `lines` lines, perhaps one that expires on its way."""
    from datetime import date

    return Order(
        header=DocumentHeader(
            number=number,
            valid_until=buyer.ctx.now() + timedelta(seconds=valid_for) if valid_for is not None else None,
            parties=(Party(role=PartyRole.BUYER, id=buyer.id), Party(role=PartyRole.SELLER, id=seller.id)),
        ),
        order_kind=OrderKind.DROP_SHIP,
        currency="EUR",
        lines=tuple(
            OrderLine(
                line_id=str(n),
                line_kind=LineKind.GOODS,
                item=ItemRef(seller_number=f"ITEM-{n}"),
                quantity=Quantity(Decimal(4 * n), "C62"),
                price=Price(amount=Money(Decimal("2.50"), "EUR")),
                reservation_id=hold,
                dates=(QualifiedDate(qualifier=DateQualifier.DELIVER, on=date(2026, 12, 1)),),
            )
            for n in range(1, lines + 1)
        ),
    )


def _key(buyer: Company, number: str) -> DocumentKey:
    return DocumentKey(issuer=buyer.id, type="Order", number=number)


def response(buyer: Company, number: str, lines: int, chance: random.Random, revision: str) -> OrderResponse:
    """Accept, split or reject each line."""
    made = []
    for n in range(1, lines + 1):
        total = 4 * n
        first = chance.randint(0, total)
        pieces = [(first, ScheduleOutcome.ACCEPTED)] if first else []
        if first < total:
            pieces.append((total - first, chance.choice([ScheduleOutcome.BACK_ORDERED, ScheduleOutcome.REJECTED])))
        made.append(
            OrderResponseLine(
                line_id=str(n),
                schedule=tuple(
                    Schedule(schedule_id=str(i), quantity=Quantity(Decimal(q), "C62"), outcome=outcome)
                    for i, (q, outcome) in enumerate(pieces)
                ),
            )
        )
    return OrderResponse(
        header=DocumentHeader(number=f"{number}-A{revision}"),
        order=_key(buyer, number),
        outcome=ResponseOutcome.CHANGED,
        lines=tuple(made),
    )


def despatch(buyer: Company, number: str, part: int, lines: int) -> DespatchAdvice:
    """One piece of every line leaves."""
    return DespatchAdvice(
        header=DocumentHeader(number=f"{number}-D{part}"),
        order=_key(buyer, number),
        lines=tuple(
            DespatchLine(
                line_id=str(n),
                order_line_id=str(n),
                item=ItemRef(seller_number=f"ITEM-{n}"),
                quantity=Quantity(Decimal(1), "C62"),
            )
            for n in range(1, lines + 1)
        ),
    )


def connect(one: Company, other: Company) -> None:
    """Swap cards and compare fingerprints."""
    cards = {company: company.read(partners.own_card) for company in (one, other)}
    prints = {company: company.read(partners.fingerprint_of) for company in (one, other)}
    for company, partner in ((one, other), (other, one)):
        company.write(partners.add, cards[partner].encode(), expected=prints[partner])


__all__ = ["Company", "Erp", "SimLoop", "Wire", "connect", "despatch", "order", "response"]
