"""Companies for tests: real keys, a real store in memory, and links that run by hand, without sessions or a network."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from node.app.context import Context
from node.app.links import exchange, partners
from node.config import Settings
from node.core import link
from node.core.rows import LinkRow, PartnerRow
from node.keyring import Keyring, verify
from node.ports import Transaction
from node.store.database import open_store

__all__ = ["START", "Company", "CountedRandom", "HandClock", "connect", "deliver", "swap"]

START = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)

Given = ParamSpec("Given")
Result = TypeVar("Result")


class HandClock:
    """Stands still until it is moved."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def move(self, **by: float) -> None:
        self.at += timedelta(**by)


class CountedRandom:
    """Bytes that differ from call to call and company to company, and are the same in every run."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._calls = 0

    def token(self, size: int) -> bytes:
        self._calls += 1
        made = hashlib.sha512(f"{self._seed} {self._calls}".encode()).digest()
        assert size <= len(made)
        return made[:size]


class Company:
    """One company's node, without its shell."""

    def __init__(self, home: Path, name: str, partner_id: str = "", url: str = "sqlite:///:memory:") -> None:
        self.name = name
        self.clock = HandClock()
        self.keys = Keyring(home / name / "keys")
        self.ctx = Context(
            clock=self.clock, random=CountedRandom(name), keyring=self.keys, verify=verify, settings=Settings()
        )
        self.store = open_store(url)
        made = self.do(partners.init, self.keys, name=name, partner_id=partner_id)
        self.id, self.fingerprint, self.recovery = made.partner_id, made.fingerprint, made.recovery

    def do(
        self,
        use_case: Callable[Concatenate[Transaction, Context, Given], Result],
        *args: Given.args,
        **kw: Given.kwargs,
    ) -> Result:
        """Run a use case in a transaction of its own."""
        return self.store.write(lambda tx: use_case(tx, self.ctx, *args, **kw))

    def read(
        self, query: Callable[Concatenate[Transaction, Given], Result], *args: Given.args, **kw: Given.kwargs
    ) -> Result:
        """Ask the store."""
        return self.store.read(lambda tx: query(tx, *args, **kw))

    def card(self) -> bytes:
        """The card file as it is today."""
        return self.read(partners.own_card).encode()

    def partner(self, other: Company) -> PartnerRow:
        """What we know of another company."""
        row = self.read(lambda tx: tx.partners.get(other.id))
        assert row is not None
        return row

    def link(self, other: Company, direction: str) -> LinkRow:
        """Where one direction of our link with another company stands."""
        row = self.read(lambda tx: tx.links.get(other.id, direction))
        assert row is not None
        return row


def swap(one: Company, other: Company) -> None:
    """Both add the other's card with the fingerprint that the other has read out."""
    one.do(partners.add, other.card(), expected=other.fingerprint)
    other.do(partners.add, one.card(), expected=one.fingerprint)


def deliver(sender: Company, receiver: Company, batches: int = 1_000) -> int:
    """Open a session, send what waits one way, and bring the receipts back; returns how many documents went."""
    opening = _opened(sender, receiver)
    after, sent = opening.resume_after, 0
    for _ in range(batches):
        formed = sender.do(exchange.next_batch, receiver.id, after)
        if formed is None:
            break
        batch, after = formed
        taken = receiver.do(exchange.take_batch, sender.id, batch)
        assert isinstance(taken, exchange.Taken), taken
        refused = sender.do(exchange.take_receipt, receiver.id, taken.receipt)
        assert refused is None, refused
        sent += len(batch.entries)
    return sent


def _opened(sender: Company, receiver: Company) -> exchange.Opening:
    openings = []
    for one, other in ((sender, receiver), (receiver, sender)):
        said: link.Hello = other.do(exchange.hello, one.id)
        opening: Any = one.do(exchange.open_session, other.id, said)
        assert isinstance(opening, exchange.Opening), opening
        openings.append((one, opening))
    for _, opening in openings[1:]:
        for receipt in opening.receipts:
            assert sender.do(exchange.take_receipt, receiver.id, receipt) is None
    return openings[0][1]


def connect(one: Company, other: Company) -> None:
    """Let both directions run until nothing waits."""
    while deliver(one, other) + deliver(other, one):
        pass
