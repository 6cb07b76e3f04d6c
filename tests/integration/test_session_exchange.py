"""Sessions over the real link: signed batches and receipts, stores and keys; the stream is cut at every frame."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from node import wire
from node.app.documents.submit import Submission, submit
from node.app.links import exchange
from node.config import LimitSettings, Settings
from node.core import link
from node.transport.contract import Ended, Services
from node.transport.session import Session
from tests.companies import Company, connect, swap
from tests.integration.link_fakes import QUICK, Log, MemoryStream, stream_pair

ORDERS = 3
FRAMES = 2 + 2 * 2 * ORDERS
"""Hellos, then a batch and a receipt for each order of both directions."""


def two(folder: Path) -> tuple[Company, Company]:
    """Two companies on a confirmed link; each batch takes one document."""
    a, b = Company(folder, "a"), Company(folder, "b")
    swap(a, b)
    connect(a, b)
    for one in (a, b):
        object.__setattr__(one.ctx, "settings", Settings(limits=LimitSettings(batch_documents=1)))
    return a, b


def place(buyer: Company, seller: Company, number: str) -> None:
    """One order waits for the seller."""
    fields = {
        "header": {
            "number": number,
            "issued_at": "2026-05-04T08:00:00Z",
            "parties": [{"role": "BUYER", "id": buyer.id}, {"role": "SELLER", "id": seller.id}],
        },
        "currency": "GBP",
        "lines": [{"line_id": "1", "item": {"seller_number": "CHEW-1"}, "quantity": {"value": "6", "unit": "C62"}}],
    }
    (made,) = buyer.do(submit, seller.id, [Submission(wire.from_fields("Order", fields))])
    assert made.state == "waiting"


def session(one: Company, other: Company, stream: MemoryStream, log: Log, *, dialled: bool) -> Session:
    services = Services(one.store, one.ctx, exchange, log, QUICK)
    return Session(services, other.id, stream, dialled=dialled)


def received(one: Company) -> list[str]:
    """The orders that a company took, in the order of their link numbers."""
    rows = one.read(lambda tx: tx.documents.search(direction="in", type="Order"))
    assert all(row.state == "taken" and row.duplicate_of is None for row in rows)
    return [row.doc_number for row in sorted(rows, key=lambda row: row.number or 0)]


def settled(a: Company, b: Company) -> bool:
    """Whether everything is taken and receipted, with one account of it on both sides."""
    for one, other in ((a, b), (b, a)):
        out, into = one.link(other, "out"), other.link(one, "in")
        if out.receipted_number != into.number or out.number != into.number or len(received(other)) != ORDERS:
            return False
        assert (out.chain, out.receipt_sha256) == (into.chain, into.receipt_sha256)
    return True


async def run_pair(a: Company, b: Company, cut_after: int | None) -> tuple[Ended, Ended]:
    """Both sessions over one stream, until it is cut, or until all is settled."""
    log = Log()
    at_a, at_b = stream_pair(cut_after=cut_after)
    sessions = session(a, b, at_a, log, dialled=True), session(b, a, at_b, log, dialled=False)
    runs = [asyncio.create_task(one.run()) for one in sessions]
    async with asyncio.timeout(30):
        if cut_after is None:
            await log.until(lambda: settled(a, b))
            sessions[0].stop(exchange.Refusal("closing", "enough").reason())
        first, second = await asyncio.gather(*runs)
    return first, second


@pytest.mark.parametrize("cut_after", range(FRAMES))
def test_a_cut_at_any_frame_is_made_good_by_the_next_session(tmp_path: Path, cut_after: int) -> None:
    a, b = two(tmp_path)
    for number in range(ORDERS):
        place(a, b, f"A-{number}")
        place(b, a, f"B-{number}")
    cut = asyncio.run(run_pair(a, b, cut_after))
    assert {one.reason.code for one in cut} == {"stream-lost"}
    closed = asyncio.run(run_pair(a, b, None))
    assert {one.reason.code for one in closed} == {"closing"}
    assert received(b) == [f"A-{number}" for number in range(ORDERS)]
    assert received(a) == [f"B-{number}" for number in range(ORDERS)]


def test_a_side_restored_from_an_old_copy_is_stopped_and_both_are_told(tmp_path: Path) -> None:
    a, b = two(tmp_path)
    old = a.link(b, "out")
    place(a, b, "A-1")
    connect(a, b)
    a.store.write(lambda tx: tx.links.put(old))  # as if the database had come back from yesterday
    log = Log()

    async def case() -> tuple[Ended, Ended]:
        at_a, at_b = stream_pair()
        sessions = session(a, b, at_a, log, dialled=True), session(b, a, at_b, log, dialled=False)
        async with asyncio.timeout(30):
            first, second = await asyncio.gather(*(one.run() for one in sessions))
        return first, second

    codes = {one.reason.code for one in asyncio.run(case())}
    assert codes <= {"restored-self", "restored-partner", "link-stopped"}
    assert codes
    assert a.link(b, "out").state == "stopped"


def test_a_batch_with_a_bad_signature_ends_the_session_with_that_reason(tmp_path: Path) -> None:
    a, b = two(tmp_path)
    place(a, b, "A-1")
    log = Log()

    async def case() -> tuple[Ended, list[link.Frame]]:
        ours, theirs = stream_pair(room=64)
        batch, _ = a.do(exchange.next_batch, b.id, a.link(b, "out").number) or (link.Batch(), 0)
        hello = b.do(exchange.hello, a.id)
        said = link.Hello(**{**a.do(exchange.hello, b.id).__dict__, "receiver": hello.sender})
        await theirs.write(wire.encode_frame(said))
        forged = link.Batch(head=batch.head, signature=bytes(64), entries=batch.entries)
        await theirs.write(wire.encode_frame(forged))
        await theirs.end()
        async with asyncio.timeout(30):
            ended = await session(b, a, ours, log, dialled=False).run()
        return ended, ours.written

    ended, written = asyncio.run(case())
    assert ended.reason.code == "bad-signature"
    assert isinstance(written[-1], link.Goodbye)
    assert received(b) == []
