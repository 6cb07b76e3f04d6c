"""A seeded run of customer orders over three companies: whatever partners say and whenever links and nodes fail."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from node.app.documents.submit import Submission, submit
from node.app.fulfilment import customer_orders
from node.app.fulfilment.advancing import advance
from node.config import SharingRule, SharingSettings
from node.core.customer_rows import PieceRow
from node.core.document import Document
from node.core.document.common import DocumentHeader, DocumentKey, ItemRef
from node.core.document.fulfilment import DeliveryEvent, DeliveryStatus, DespatchAdvice, DespatchLine
from node.core.document.order import (
    OrderResponse,
    OrderResponseLine,
    ResponseOutcome,
    Schedule,
    ScheduleOutcome,
)
from node.core.fulfilment import balance
from node.core.quantity import Quantity
from node.core.reservation import LIVE
from node.core.reservation_rows import ReservationRow
from node.core.rows import LineEventRow, OrderLineRow, OrderRow
from node.ports import Transaction
from tests.companies import Company, connect, swap
from tests.customers import GTIN, HOME, PIECE, an_order, key, orchestration, put, settings

__all__ = ["OrdersWorld"]

ITEM = f"gtin:{GTIN.zfill(14)}"


def _lines_of(order_id: int, tx: Transaction) -> list[OrderLineRow]:
    return tx.orders.lines([order_id])


def _pieces_of(order_id: int, tx: Transaction) -> list[PieceRow]:
    return tx.customer_orders.pieces([order_id])


def _events_of(order_ids: Sequence[int], tx: Transaction) -> list[LineEventRow]:
    return tx.orders.events(order_ids) if order_ids else []


class Crash(Exception):
    """The process ends here."""


class Fragile:
    """A store whose process ends at the nth transaction, before or after its commit."""

    def __init__(self, store: Any, nth: int, *, after: bool) -> None:
        self._store, self._left, self._after = store, nth, after

    def read(self, use_case: Any) -> Any:
        return self._store.read(use_case)

    def write(self, use_case: Any) -> Any:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise Crash
        result = self._store.write(use_case)
        if self._left == 0:
            raise Crash
        return result


class OrdersWorld:
    """A shop and its two suppliers. `run` plays, `audit` says what is wrong afterwards."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.chance = random.Random(seed)
        self.shop = Company(folder, "Shop", "0088:4012345000009")
        self.suppliers = [
            Company(folder, name, f"0088:40123450000{end}") for name, end in (("Meyer", "16"), ("Braun", "23"))
        ]
        self.companies = [self.shop, *self.suppliers]
        for company in self.companies:
            settings(company, sharing=SharingSettings(rules=(SharingRule(figure="exact"),)))
        for supplier in self.suppliers:
            swap(self.shop, supplier)
            connect(self.shop, supplier)
        waves = self.chance.choice([1, 1, 20])
        silence = self.chance.choice(["cancel", "human"])
        orchestration(self.shop, wave_orders=waves, on_silence=silence, outside_tolerance="accept")
        self.orders: list[int] = []
        self.numbers = 0
        for company in self.companies:
            put(company, self.chance.choice([10, 30, 60]))
        for supplier in self.suppliers:
            connect(self.shop, supplier)

    def close(self) -> None:
        for company in self.companies:
            company.store.close()

    def run(self, events: int) -> None:
        """So many things happen; then links hold, everybody answers, and all that is promised is sent."""
        for _ in range(events):
            self._something()
        for _ in range(12):
            for company in self.companies:
                company.clock.at = max(one.clock.at for one in self.companies)
            self._approve()
            self._work()
            for supplier in self.suppliers:
                connect(self.shop, supplier)
            for company in self.companies:
                self._people(company, diligent=True)
        self._work()
        for supplier in self.suppliers:
            connect(self.shop, supplier)

    def _something(self) -> None:
        happenings = [
            (4, self._order),
            (6, self._work),
            (3, self._crash),
            (6, self._link),
            (5, lambda: self._people(self.chance.choice(self.companies))),
            (3, self._stock),
            (2, self._less),
            (2, self._pass),
            (2, self._approve),
        ]
        self.chance.choices([what for _, what in happenings], [weight for weight, _ in happenings])[0]()

    # --- the shop ---

    def _order(self) -> None:
        number = f"C{len(self.orders) + 1}"
        order = an_order(
            number, self.chance.randint(1, 20), priority=self.chance.choice([0, 0, 5]), customer=f"k-{number}"
        )
        done = self.shop.do(customer_orders.capture, order, HOME)
        if done.customer_order_id is not None:
            self.orders.append(done.customer_order_id)

    def _work(self) -> None:
        for _ in range(30):
            if not advance(self.shop.store, self.shop.ctx).orders:
                return

    def _crash(self) -> None:
        store: Any = Fragile(self.shop.store, self.chance.randint(1, 4), after=self.chance.random() < 0.5)
        with contextlib.suppress(Crash):
            for _ in range(3):
                advance(store, self.shop.ctx)

    def _less(self) -> None:
        """A customer wants less, or nothing any more."""
        if not self.orders:
            return
        order_id = self.chance.choice(self.orders)

        def ask(tx: Any, ctx: Any) -> None:
            (line,) = tx.customer_orders.lines([order_id])
            most = line.quantity - line.cancelled - line.cancel_asked
            units = self.chance.choice([most, self.chance.randint(0, most // PIECE) * PIECE])
            if tx.customer_orders.wake([order_id], ctx.now_micros()):
                tx.customer_orders.put_lines([line._replace(cancel_asked=line.cancel_asked + units)])

        self.shop.do(ask)

    def _approve(self) -> None:
        """Somebody looks at what waits for a human, and lets it go on as it is."""

        def approve(tx: Any, ctx: Any) -> None:
            for row in tx.customer_orders.search(state="human", limit=1_000):
                again = row._replace(state="captured", approved=2, sourced=0, next_at=ctx.now_micros())
                tx.customer_orders.put([again])

        self.shop.do(approve)

    def _pass(self) -> None:
        seconds = self.chance.choice([1, 30, 200, 4_000, 90_000])
        for company in self.companies:
            company.clock.move(seconds=seconds)

    def _link(self) -> None:
        connect(self.shop, self.chance.choice(self.suppliers))

    def _stock(self) -> None:
        company = self.chance.choice(self.companies)
        if self.chance.random() < 0.8:
            company.clock.move(seconds=1)
            put(company, self.chance.choice([0, 10, 30, 60]))

    # --- those who send ---

    def _people(self, company: Company, *, diligent: bool = False) -> None:
        """Answer, despatch and report what has arrived: only what stands, and never against an open request."""
        for order in company.read(lambda tx: tx.orders.search(limit=1_000)):
            if order.role != "seller" or not (diligent or self.chance.random() < 0.5):
                continue
            lines = company.read(partial(_lines_of, order.order_id))
            for line in lines:
                self._line(company, order, line, diligent=diligent)

    def _line(self, company: Company, order: OrderRow, line: OrderLineRow, *, diligent: bool) -> None:
        own = order.partner_id == company.id
        events = [
            event
            for event in company.read(lambda tx: tx.orders.events([order.order_id]))
            if event.line_id == line.line_id and event.standing
        ]
        sums = {event.event: 0 for event in events}
        for event in events:
            sums[event.event] += event.quantity
        gone = sums.get("rejected", 0) + sums.get("cancelled", 0)
        sent, accepted = sums.get("despatched", 0), sums.get("accepted", 0)
        asked = [event for event in events if event.event in ("cancel_requested", "change_requested")]
        if asked:
            self._decide(company, order, asked[-1])
        elif not own and not accepted and not gone:
            self._answer(company, order, line, diligent=diligent)
        elif (due := (line.quantity - gone if own else accepted) - sent) > 0:
            part = due if diligent else self.chance.randint(1, due // PIECE) * PIECE
            self._despatch(company, order, line, part)
        elif sent > sums.get("delivered", 0):
            for event in events:
                if event.event == "despatched" and not any(
                    one.schedule_id == event.reference for one in events if one.event == "delivered"
                ):
                    self._deliver(company, order, event.reference)

    def _say(self, company: Company, order: OrderRow, document: Document) -> None:
        company.do(submit, order.partner_id, [Submission(document)])

    def _number(self, letter: str) -> str:
        self.numbers += 1
        return f"{letter}{self.numbers}"

    def _decide(self, company: Company, order: OrderRow, asked: Any) -> None:
        outcome = self.chance.choice([ResponseOutcome.ACCEPTED, ResponseOutcome.ACCEPTED, ResponseOutcome.REJECTED])
        kind = "OrderCancellation" if asked.event == "cancel_requested" else "OrderChange"
        self._say(
            company,
            order,
            OrderResponse(
                header=DocumentHeader(number=self._number("Y")),
                order=key(order),
                outcome=outcome,
                answers=DocumentKey(issuer=order.issuer, type=kind, number=asked.reference),
            ),
        )

    def _answer(self, company: Company, order: OrderRow, line: OrderLineRow, *, diligent: bool) -> None:
        total = line.quantity // PIECE
        first = total if diligent else self.chance.choice([0, total, total, self.chance.randint(0, total)])
        parts = [(first, ScheduleOutcome.ACCEPTED), (total - first, ScheduleOutcome.REJECTED)]
        schedule = tuple(
            Schedule(schedule_id=str(place), quantity=Quantity(Decimal(count), line.unit), outcome=outcome)
            for place, (count, outcome) in enumerate(parts, 1)
            if count
        )
        answer = OrderResponseLine(line_id=line.line_id, item=ItemRef(gtin=line.gtin), schedule=schedule)
        self._say(
            company,
            order,
            OrderResponse(
                header=DocumentHeader(number=self._number("A")),
                order=key(order),
                outcome=ResponseOutcome.CHANGED,
                lines=(answer,),
            ),
        )

    def _despatch(self, company: Company, order: OrderRow, line: OrderLineRow, part: int) -> None:
        sent = DespatchLine(
            line_id="1", order_line_id=line.line_id, quantity=Quantity(Decimal(part // PIECE), line.unit)
        )
        header = DocumentHeader(number=self._number("D"))
        now = company.clock.now()
        self._say(company, order, DespatchAdvice(header=header, order=key(order), despatched_at=now, lines=(sent,)))

    def _deliver(self, company: Company, order: OrderRow, despatch: str) -> None:
        self._say(
            company,
            order,
            DeliveryStatus(
                header=DocumentHeader(number=self._number("S")),
                despatch=DocumentKey(issuer=company.id, type="DespatchAdvice", number=despatch),
                order=key(order),
                event=DeliveryEvent.DELIVERED,
                occurred_at=company.clock.now(),
            ),
        )

    # --- what must be true afterwards ---

    def audit(self) -> list[str]:
        """Every unit has one place, nothing left twice, and what is promised fits what is counted."""
        found = [
            f"{company.name}: {wrong}"
            for company in self.companies
            for wrong in company.read(lambda tx: tx.reservations.differences())
        ]
        for order_id in self.orders:
            found += self._audit_order(order_id)
        return found + self._audit_holds()

    def _audit_holds(self) -> list[str]:
        """What is held is what a piece waits for, no more, and the partner holds just that."""
        found = []
        holds = {row.reservation_id: row for row in self._holds(self.shop, "requester")}
        given = {row.reservation_id: row for one in self.suppliers for row in self._holds(one, "grantor")}
        for name, row in holds.items():
            if name in given and given[name].granted != row.granted:
                found.append(f"hold {name}: {row.granted // PIECE} here, {given[name].granted // PIECE} there")
        for order_id in self.orders:
            for piece in self.shop.read(partial(_pieces_of, order_id)):
                hold = holds.get(piece.reservation_id)
                if piece.state == "held" and hold is not None and hold.granted != piece.quantity:
                    found.append(f"piece {piece.piece_id} of {piece.quantity // PIECE} holds {hold.granted // PIECE}")
        return found

    @staticmethod
    def _holds(company: Company, role: str) -> list[ReservationRow]:
        rows = company.read(lambda tx: tx.reservations.search(role=role, limit=100_000))
        return [row for row in rows if row.state in LIVE]

    def _audit_order(self, order_id: int) -> list[str]:
        order = self.shop.read(lambda tx: tx.customer_orders.get([order_id]))[order_id]
        rows = self.shop.read(lambda tx: tx.customer_orders.pieces([order_id]))
        found = []
        wanted = delivered = 0
        for line in self.shop.read(lambda tx: tx.customer_orders.lines([order_id])):
            sums = balance(line, rows)
            if min(sums.values()) < 0:
                found.append(f"{order.number}: {sums}")
            if sums["open"] and order.state not in ("human", "approval"):
                found.append(f"{order.number}: {sums['open'] // PIECE} open, and nobody is asked: {order.state}")
            if order.state == "done" and (sums["live"] or sums["back_ordered"]):
                found.append(f"{order.number} is done: {sums}")
            wanted += line.quantity - line.cancelled
            delivered += sums["delivered"]
        left = arrived = 0
        for company in self.companies:
            mine = [one for one in company.read(lambda tx: tx.orders.search(limit=1_000)) if one.role == "seller"]
            ids = [one.order_id for one in mine if one.customer_order == order.number]
            for event in company.read(partial(_events_of, ids)) if ids else ():
                if event.standing:
                    left += event.quantity if event.event == "despatched" else 0
                    arrived += event.quantity if event.event == "delivered" else 0
        if left > wanted:
            found.append(f"{order.number}: {left // PIECE} left, {wanted // PIECE} wanted")
        if arrived != delivered:
            found.append(f"{order.number}: {arrived // PIECE} arrived, {delivered // PIECE} counted")
        return found
