"""Any interleaving of holds, extensions, releases, orders, answers, figures and time: nothing is promised twice.

The grantor's ledger runs on a real store in memory. After every step the counters are the sums of holds and orders, and
whenever something is given, all that is taken off a figure is no more than the figure.
"""

from __future__ import annotations

import tempfile
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from node import wire
from node.app.documents.submit import Submission, submit
from node.app.stock import inventory, ledger, reservations
from node.app.stock.reservations import Wanted
from node.config import PartnerSettings, ReservationSettings, SharingRule, SharingSettings
from node.core.document.common import DocumentHeader, DocumentKey, ItemRef, LineKind
from node.core.document.fulfilment import DespatchAdvice, DespatchLine
from node.core.document.order import Order, OrderLine, OrderResponse, ResponseOutcome
from node.core.quantity import Quantity
from node.core.reservation import LIVE
from node.core.rows import StockRow
from node.errors import RefusedError
from tests.companies import Company, connect, swap
from tests.integration.holding_pair import settings as set_for

PIECE = 1_000_000
ITEMS = ("BEAR", "CAT")
SITES = ("DC1", "DC2")
counts = st.integers(1, 25)
items = st.sampled_from(ITEMS)


class Ledger(RuleBasedStateMachine):
    """A buyer and a seller; `sold` is what the seller promised at the moment it had it."""

    @initialize(auto=st.booleans(), basis=st.sampled_from(["NET", "GROSS"]))
    def begin(self, auto: bool, basis: str) -> None:
        home = Path(tempfile.mkdtemp(prefix="hansa-ledger-"))
        self.buyer, self.seller = Company(home, "Buyer"), Company(home, "Seller", "0088:4012345000009")
        swap(self.buyer, self.seller)
        connect(self.buyer, self.seller)
        set_for(
            self.seller,
            sharing=SharingSettings(rules=(SharingRule(figure="exact"),)),
            partners={self.buyer.id: PartnerSettings(auto_accept=auto)},
            reservations=ReservationSettings(extensions_max=2, hold_seconds_max=900),
        )
        self.basis = basis
        self.numbers = 0
        self.held: list[str] = []
        self.orders: list[tuple[str, str, int]] = []
        for item in ITEMS:
            for site in SITES:
                self.figure(item, site, 20)

    def teardown(self) -> None:
        if hasattr(self, "buyer"):
            self.buyer.store.close()
            self.seller.store.close()

    def number(self) -> str:
        self.numbers += 1
        return str(self.numbers)

    @rule(item=items, site=st.sampled_from(SITES), count=st.integers(0, 40))
    def figure(self, item: str, site: str, count: int) -> None:
        """The ERP tells another figure, lower ones too."""
        row = StockRow(
            *(f"no:{self.seller.id}:{item}", "", 0, site, "", "AVAILABLE", "EXACT", count * PIECE, count * PIECE, None),
            *("C62", "", item, "", wire.micros(self.seller.clock.now()), 0),
        )
        self.seller.do(inventory.put_own, [row], self.basis)

    @rule(
        lines=st.lists(st.tuples(items, counts), min_size=1, max_size=4),
        complete=st.booleans(),
        late=st.sampled_from([False, False, False, True]),
    )
    def request(self, lines: list[tuple[str, int]], complete: bool, late: bool) -> None:
        wanted = [
            Wanted(item=ItemRef(seller_number=item), quantity=Quantity(Decimal(count), "C62"), item_key=item)
            for item, count in lines
        ]
        until = self.buyer.clock.now() + timedelta(seconds=600)
        before = self.taken()
        made = self.buyer.do(
            reservations.request,
            self.seller.id,
            wanted,
            hold_until=until,
            mode="complete" if complete else "partial",
        )
        if late:
            self.seller.clock.move(seconds=200)
        connect(self.buyer, self.seller)
        if late:
            self.buyer.clock.move(seconds=200)
        self.held += [row.reservation_id for row in made.rows]
        self.none_over(before)

    @rule(data=st.data())
    def extend(self, data: st.DataObject) -> None:
        if self.held:
            name = data.draw(st.sampled_from(self.held))
            self.attempt(reservations.extend, name, self.buyer.clock.now() + timedelta(seconds=800))

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        if self.held:
            self.attempt(reservations.release, data.draw(st.sampled_from(self.held)))

    @rule(data=st.data(), count=st.integers(1, 30))
    def release_part(self, data: st.DataObject, count: int) -> None:
        if self.held:
            name = data.draw(st.sampled_from(self.held))
            before = self.kept(name)
            self.attempt(reservations.release_part, name, count * PIECE)
            after = self.kept(name)
            if before is not None and after is not None:
                assert after[0] in (before[0], before[0] - count * PIECE)
                assert after[1] - after[0] == before[1] - before[0]

    def kept(self, name: str) -> tuple[int, int] | None:
        """What a hold that both count as one has: by the buyer's books, and what it takes off the seller's stock."""
        ours = self.buyer.read(lambda tx: tx.reservations.find(self.seller.id, "requester", [name])).get(name)
        theirs = self.seller.read(lambda tx: tx.reservations.find(self.buyer.id, "grantor", [name])).get(name)
        if ours is None or theirs is None or not {ours.state, theirs.state} <= LIVE:
            return None
        return ours.granted, theirs.held

    def attempt(self, use_case: Any, *arguments: Any) -> None:
        try:
            self.buyer.do(use_case, *arguments)
        except RefusedError:
            return
        connect(self.buyer, self.seller)

    @rule(item=items, count=counts, with_hold=st.booleans(), data=st.data())
    def order(self, item: str, count: int, with_hold: bool, data: st.DataObject) -> None:
        hold = data.draw(st.sampled_from(self.held)) if with_hold and self.held else ""
        before = self.taken()
        number = self.number()
        line = OrderLine(
            line_id="1",
            line_kind=LineKind.GOODS,
            item=ItemRef(seller_number=item),
            quantity=Quantity(Decimal(count), "C62"),
            reservation_id=hold,
        )
        order = Order(header=DocumentHeader(number=number), currency="EUR", lines=(line,))
        self.buyer.do(submit, self.seller.id, [Submission(order)])
        connect(self.buyer, self.seller)
        self.orders.append((number, item, count))
        self.none_over(before)

    @rule(data=st.data(), accept=st.booleans())
    def answer(self, data: st.DataObject, accept: bool) -> None:
        if self.orders:
            number, _, _ = data.draw(st.sampled_from(self.orders))
            outcome = ResponseOutcome.ACCEPTED if accept else ResponseOutcome.REJECTED
            before = self.taken()
            header = DocumentHeader(number=f"R{self.number()}")
            self.tell(OrderResponse(header=header, order=self.key(number), outcome=outcome))
            self.none_over(before)

    @rule(data=st.data(), count=counts)
    def despatch(self, data: st.DataObject, count: int) -> None:
        if self.orders:
            number, item, _ = data.draw(st.sampled_from(self.orders))
            line = DespatchLine(
                line_id="1",
                order=self.key(number),
                order_line_id="1",
                item=ItemRef(seller_number=item),
                quantity=Quantity(Decimal(count), "C62"),
            )
            self.tell(DespatchAdvice(header=DocumentHeader(number=f"D{self.number()}"), lines=(line,)))

    def key(self, number: str) -> DocumentKey:
        return DocumentKey(issuer=self.buyer.id, type="Order", number=number)

    def tell(self, document: Any) -> None:
        self.seller.do(submit, self.buyer.id, [Submission(document)])
        connect(self.seller, self.buyer)

    @rule(seconds=st.sampled_from([1, 60, 700]), tidy=st.booleans())
    def wait(self, seconds: int, tidy: bool) -> None:
        for company in (self.buyer, self.seller):
            company.clock.move(seconds=seconds)
            if tidy:
                company.do(reservations.expire_due)

    def taken(self) -> dict[tuple[str, str], tuple[int, int]]:
        """By place: the figure, and what is taken off it by holds that have not run out and by orders."""
        now = wire.micros(self.seller.clock.now())
        rows = self.seller.read(lambda tx: tx.reservations.search(limit=10_000))
        keys = [f"no:{self.seller.id}:{item}" for item in ITEMS]
        figures = self.seller.read(lambda tx: tx.stock.figures(keys))
        found = {}
        for figure in figures:
            place = (figure.item_key, figure.location)
            counting = [
                row.held
                for row in rows
                if (row.item_key, row.location) == place and (row.state == "confirmed" or row.expires_at > now)
            ]
            found[place] = (figure.available or 0, sum(counting))
        return found

    def none_over(self, before: dict[tuple[str, str], tuple[int, int]]) -> None:
        """What was just given was there: only a figure that fell later can leave less than is promised."""
        for place, (available, taken) in self.taken().items():
            assert taken <= max(available, before[place][1]), (place, available, taken, before[place])

    @invariant()
    def books_agree(self) -> None:
        if hasattr(self, "seller"):
            assert self.seller.read(ledger.verify) == []


Ledger.TestCase.settings = hypothesis_settings(max_examples=25, stateful_step_count=25, deadline=None)
TestLedger = Ledger.TestCase
