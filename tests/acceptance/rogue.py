"""A partner that holds good keys and is in the list, but whose node is a program of its own: it says what it likes.

It keeps its own account of the link with the real use cases, so that it can also behave, and knows when it was wronged.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

import grpc

from hansa.v1 import order_pb2
from node import wire
from node.app.links import cards, exchange, outbox, partners
from node.core import link
from node.core.card import TlsKey
from node.core.rows import DocumentRow, LinkRow
from node.keyring import TlsIdentity
from node.ports import Signer
from node.transport.streams import METHOD, SERVICE
from node.transport.tls import CHANNEL_OPTIONS, channel_credentials
from tests import companies
from tests.acceptance.processes import PATIENCE_SECONDS, Company

__all__ = ["Call", "Rogue", "call", "order"]

Frame = TypeVar("Frame")

_numbers = itertools.count(1)


def call(port: int, identity: TlsIdentity, pinned: tuple[TlsKey, ...]) -> Call:
    """Dial a node with these keys."""
    return Call(port, identity, pinned)


class Call:
    """One stream to a real node, on which anything can be said."""

    def __init__(self, port: int, identity: TlsIdentity, pinned: tuple[TlsKey, ...]) -> None:
        options = [*CHANNEL_OPTIONS, ("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
        self._channel = grpc.secure_channel(f"127.0.0.1:{port}", channel_credentials(identity, pinned), options)
        self._said: SimpleQueue[bytes | None] = SimpleQueue()
        method: Any = self._channel.stream_stream(f"/{SERVICE}/{METHOD}")
        self.replies: Any = method(iter(self._said.get, None), timeout=PATIENCE_SECONDS)

    def say(self, frame: link.Frame | bytes) -> None:
        """Send a frame, or any bytes."""
        self._said.put(frame if isinstance(frame, bytes) else wire.encode_frame(frame))

    def hear(self) -> link.Frame:
        """The next frame. Raises grpc.RpcError when the node ends the call, StopIteration after its last frame."""
        return wire.decode_frame(next(self.replies))

    def wait_for(self, kind: type[Frame]) -> Frame:
        """The next frame of this kind; others are passed over."""
        while True:
            frame = self.hear()
            if isinstance(frame, kind):
                return frame

    def goodbye(self) -> tuple[str, str]:
        """Code and text with which the node ends the session."""
        reason = self.wait_for(link.Goodbye).reason
        assert reason is not None
        return reason.code, reason.text

    def broken(self) -> grpc.StatusCode:
        """How the call breaks, without a word of the node's."""
        try:
            while True:
                next(self.replies)
        except grpc.RpcError as error:
            code: grpc.StatusCode = error.code()
            return code
        except StopIteration:
            return grpc.StatusCode.OK

    def hang_up(self) -> None:
        """End the call."""
        self._said.put(None)
        self._channel.close()


class Rogue(companies.Company):
    """A company that the real node of `at` holds for a partner, and that holds it for one."""

    def __init__(self, folder: Path, at: Company) -> None:
        count = next(_numbers)
        super().__init__(folder, f"rogue-{count}")
        self.at = at
        self.do(partners.add, at.do("partner.card")["card"].encode(), expected=at.fingerprint)
        at.do("partner.add", card=self.card().decode(), fingerprint=self.fingerprint)

    def identity(self) -> TlsIdentity:
        """Its newest TLS key that the node knows."""
        return self.keys.tls(self.read(lambda tx: cards.tls_for(tx, self.at.id)))

    def dial(self) -> Call:
        """Call the node, and say nothing yet."""
        pinned = self.read(lambda tx: cards.trusted(tx)[self.at.id])
        assert self.at.line is not None
        return call(self.at.line.target, self.identity(), pinned)

    def session(self) -> Call:
        """Call the node, and exchange hellos as one should; the node's own frames have not been heard yet."""
        made = self.dial()
        made.say(self.do(exchange.hello, self.at.id))
        opening = self.do(exchange.open_session, self.at.id, made.wait_for(link.Hello))
        assert isinstance(opening, exchange.Opening), opening
        for receipt in opening.receipts:
            made.say(receipt)
        self._after = opening.resume_after
        return made

    def batch(self) -> link.Batch | None:
        """The next batch, as it should be."""
        formed = self.do(exchange.next_batch, self.at.id, self._after)
        if formed is None:
            return None
        batch, self._after = formed
        return batch

    def behave(self) -> None:
        """A session in which everything that waits goes out and comes in, both sides' receipts included."""
        made = self.session()
        try:
            while batch := self.batch():
                made.say(batch)
                while self.receipted() < self._after:
                    self._take(made, made.hear())
            for asked in itertools.count(1):
                made.say(link.Query(id=asked, ping=True))
                while not isinstance(frame := made.hear(), link.Answer):
                    self._take(made, frame)  # receipts come before answers
                if self._caught_up():
                    break
        finally:
            made.hang_up()

    def signer(self) -> Signer:
        """Its signing key that the node knows."""
        return self.do(cards.signer_for, self.at.id)

    def position(self, direction: str) -> LinkRow:
        """Where one direction of the link stands by its own account."""
        row = self.read(lambda tx: tx.links.get(self.at.id, direction))
        assert row is not None
        return row

    def receipted(self) -> int:
        """Up to which of our numbers the node has given receipts."""
        return self.position("out").receipted_number

    def _caught_up(self) -> bool:
        """Whether the node has nothing under way to us."""
        return not any(self.at.documents(partner=self.id, direction="out", state=one) for one in ("waiting", "sent"))

    def _take(self, made: Call, frame: link.Frame) -> None:
        if isinstance(frame, link.Batch):
            taken = self.do(exchange.take_batch, self.at.id, frame)
            assert isinstance(taken, exchange.Taken), taken
            made.say(taken.receipt)
        elif isinstance(frame, link.Receipt):
            assert self.do(exchange.take_receipt, self.at.id, frame) is None
        else:
            raise AssertionError(frame)

    def put(self, document_type: str, body: bytes) -> int:
        """Let any bytes wait for their number, under any type; returns the document's id."""
        return self.do(outbox.enqueue_protocol, self.at.id, document_type, body)

    def sent(self, document_id: int) -> DocumentRow:
        """What became of a document."""
        row = self.read(lambda tx: tx.documents.get(document_id))
        assert row is not None
        return row

    def order(self, number: str, spoil: Callable[[Any], object] | None = None) -> bytes:
        """The bytes of an order, spoilt where the test wants it."""
        return order(self.id, number, spoil)


def order(issuer: str, number: str, spoil: Callable[[Any], object] | None = None) -> bytes:
    """The bytes of a sound order, unless they are spoilt."""
    document = wire.from_fields(
        "Order",
        {
            "header": {
                "issuer": issuer,
                "number": number,
                "usage": "TEST",
                "issued_at": companies.START.isoformat(),
            },
            "currency": "EUR",
            "lines": [
                {
                    "line_id": "1",
                    "item": {"gtin": "4012345000009"},
                    "quantity": {"value": "3", "unit": "C62"},
                    "price": {"amount": {"amount": "2.50", "currency": "EUR"}},
                }
            ],
        },
    )
    message = order_pb2.Order.FromString(wire.encode(document))
    if spoil is not None:
        spoil(message)
    return message.SerializeToString(deterministic=True)
