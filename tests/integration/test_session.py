"""A session at each end of a stream in memory: what they refuse, how they end, that nothing is lost or doubled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from node import wire
from node.app.links.exchange import Refusal
from node.core import link
from node.core.document.common import Reason
from node.errors import UnavailableError
from node.transport.contract import Ended, Move, TokenBucket
from tests.integration.link_fakes import LINK_ID, QUICK, A, B, Books, InlineStore, Log, Pair, alone, services_of


def texts(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(1, count + 1)]


def good_hello(books: Books) -> link.Hello:
    """What B says to A when all is well."""
    return link.Hello(
        versions=(1,), link_id=LINK_ID, sender=B, receiver=A, outgoing=link.Position(), incoming=link.Position()
    )


def refused(frames: list[bytes]) -> tuple[Ended, link.Goodbye]:
    """How A's session ends when B says this."""

    async def case() -> tuple[Ended, link.Goodbye]:
        ended, said = await alone(services_of(Books(A, B), Log()), B, frames)
        assert isinstance(said[-1], link.Goodbye)
        return ended, said[-1]

    return asyncio.run(case())


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"versions": (2, 3)}, "unknown-version"),
        ({"versions": ()}, "unknown-version"),
        ({"link_id": b"x" * 16}, "wrong-link"),
        ({"receiver": "0088:0000000000000"}, "wrong-receiver"),
        ({"sender": "0088:0000000000000"}, "wrong-sender"),
    ],
)
def test_a_hello_that_does_not_fit_is_answered_with_the_reason(change: dict, code: str) -> None:
    hello = replace(good_hello(Books(A, B)), **change)
    ended, goodbye = refused([wire.encode_frame(hello)])
    assert (ended.reason.code, ended.move, ended.opened) == (code, Move.PARTNERS, False)
    assert goodbye.reason == ended.reason
    assert ended.reason.text


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (
            wire.encode_frame(link.Batch(head=b"h", signature=b"s", entries=(link.BatchEntry(body=b"x" * 50),)))[:-7],
            None,
        ),
        (b"\xff\xff\xff", "unreadable"),
        (b"", "unknown-frame"),
        (bytes([0xFA, 0x06, 0x00]), "unknown-frame"),
        (b"\x12" + b"\x00" * wire.FRAME_BYTES_MAX, "too-large"),
    ],
    ids=["truncated", "noise", "empty", "another-kind", "oversized"],
)
@pytest.mark.parametrize("first", [True, False], ids=["instead-of-hello", "after-hello"])
def test_bytes_that_are_no_frame_are_answered_with_the_reason(frame: bytes, code: str | None, first: bool) -> None:
    frames = [frame] if first else [wire.encode_frame(good_hello(Books(A, B))), frame]
    ended, goodbye = refused(frames)
    assert ended.reason.code == (code or "unreadable")
    assert ended.opened is not first
    assert goodbye.reason == ended.reason


def test_a_frame_out_of_place_is_refused() -> None:
    hello = wire.encode_frame(good_hello(Books(A, B)))
    assert refused([hello, hello])[0].reason.code == "second-hello"
    assert refused([wire.encode_frame(link.Query(id=1, ping=True))])[0].reason.code == "no-hello"


def test_a_partner_that_says_nothing_is_told_so() -> None:
    async def case() -> None:
        pair = Pair(Books(A, B), Books(B, A), limits=replace(QUICK, hello_seconds=0, goodbye_seconds=0))
        ended = await pair.session_a.run()
        assert ended.reason.code == "hello-timeout"
        assert [type(frame) for frame in pair.stream_a.written] == [link.Hello, link.Goodbye]

    asyncio.run(case())


def test_documents_of_both_directions_arrive_once_and_in_order() -> None:
    async def case() -> None:
        a, b = Books(A, B, texts("a", 50), per_batch=3), Books(B, A, texts("b", 20), per_batch=7)
        pair = Pair(a, b)
        pair.start()
        await pair.log.until(lambda: a.receipted == 50 and b.receipted == 20)
        assert b.taken == texts("a", 50)
        assert a.taken == texts("b", 20)
        pair.session_a.stop(Reason(code="closing", text="enough"))
        ended_a, ended_b = await pair.ended()
        assert (ended_a.reason, ended_a.move, ended_a.opened) == (
            Reason(code="closing", text="enough"),
            Move.NOBODYS,
            True,
        )
        assert ended_b == ended_a

    asyncio.run(case())


def test_what_is_submitted_later_goes_at_once() -> None:
    async def case() -> None:
        a, b = Books(A, B), Books(B, A)
        pair = Pair(a, b)
        pair.start()
        await pair.log.until(lambda: pair.session_a.opened and pair.session_b.opened)
        for number, text in enumerate(texts("late", 5), start=1):
            a.waiting.append(text)
            pair.session_a.wake()
            await pair.log.until(lambda number=number: a.receipted == number)  # type: ignore[misc]
        assert b.taken == texts("late", 5)
        pair.session_b.stop(Reason(code="closing"))
        await pair.ended()

    asyncio.run(case())


FRAMES_UNTIL_ALL_IS_SAID = 2 + 2 * 2 * 6


@pytest.mark.parametrize("cut_after", range(FRAMES_UNTIL_ALL_IS_SAID))
def test_a_cut_at_any_frame_loses_nothing_and_doubles_nothing(cut_after: int) -> None:
    async def case() -> None:
        a, b = Books(A, B, texts("a", 6)), Books(B, A, texts("b", 6))
        cut = Pair(a, b, cut_after=cut_after)
        cut.start()
        ended = await cut.ended()
        assert {one.reason.code for one in ended} == {"stream-lost"}
        assert {one.move for one in ended} == {Move.NOBODYS}
        again = Pair(a, b)
        again.start()
        await again.log.until(lambda: a.receipted == b.receipted == 6)
        assert (b.taken, a.taken) == (texts("a", 6), texts("b", 6))
        assert [len(one.verified) for one in (a, b)] == [len(one.given) for one in (b, a)]
        again.session_a.stop(Reason(code="closing"))
        await again.ended()

    asyncio.run(case())


def test_a_refused_batch_ends_the_session_and_both_sides_know_why() -> None:
    async def case() -> None:
        a, b = Books(A, B, ["x"]), Books(B, A)
        b.refuse_batches = Refusal("bad-signature", "the signature does not fit")
        pair = Pair(a, b)
        pair.start()
        ended_a, ended_b = await pair.ended()
        assert ended_a.reason.code == ended_b.reason.code == "bad-signature"
        assert (ended_a.move, ended_b.move) == (Move.OURS, Move.PARTNERS)

    asyncio.run(case())


def test_at_most_two_batches_travel_without_a_receipt() -> None:
    async def case() -> None:
        a, b = Books(A, B, texts("a", 30)), Books(B, A)
        store = InlineStore()
        pair = Pair(a, b, store_b=store)
        pair.start()
        await pair.log.until(lambda: pair.session_b.opened and pair.session_a.opened)
        store.hold()
        await pair.log.until(lambda: pair.session_a.in_flight == 2)
        for _ in range(100):
            await asyncio.sleep(0)
        assert pair.session_a.in_flight == 2
        assert a.number <= len(b.taken) + 2
        # A slow store does not keep questions waiting: they need no batch to be stored before.
        answer = await pair.session_a.ask(link.Query(ping=True), 10)
        assert answer.pong
        store.release()
        await pair.log.until(lambda: a.receipted == 30)
        pair.session_a.stop(Reason(code="closing"))
        await pair.ended()
        assert b.taken == texts("a", 30)

    asyncio.run(case())


def test_what_the_store_has_begun_is_finished_before_a_session_is_over() -> None:
    async def case() -> None:
        a, b = Books(A, B, ["x"]), Books(B, A)
        store = InlineStore()
        pair = Pair(a, b, store_b=store)
        pair.start()
        await pair.log.until(lambda: pair.session_b.opened)
        store.hold()
        await pair.log.until(lambda: pair.session_a.in_flight == 1)
        pair.session_b.abort("cut")
        for _ in range(50):
            await asyncio.sleep(0)
        assert not pair.session_b.finished.is_set()
        store.release()
        await pair.ended()
        assert b.taken in ([], ["x"])
        assert len(b.given) == len(b.taken)

    asyncio.run(case())


def test_a_receipt_made_outside_the_session_goes_in_its_place() -> None:
    async def case() -> None:
        a, b = Books(A, B), Books(B, A)
        pair = Pair(a, b)
        pair.start()
        await pair.log.until(lambda: pair.session_a.opened and pair.session_b.opened)
        b.give_receipt()  # as when a human resolves a held document
        a.waiting.append("x")
        pair.session_a.wake()
        await pair.log.until(lambda: a.receipted == 1)
        assert len(a.verified) == 2
        b.give_receipt()
        pair.session_b.wake()
        await pair.log.until(lambda: len(a.verified) == 3)
        pair.session_a.stop(Reason(code="closing"))
        ended = await pair.ended()
        assert {one.reason.code for one in ended} == {"closing"}

    asyncio.run(case())


def with_open_pair(case: Callable) -> None:
    """Run a case on two sessions that are open, then end them."""

    async def whole() -> None:
        pair = Pair(Books(A, B), Books(B, A), limits=replace(QUICK, queries_per_second=3, queries_open_max=4))
        pair.start()
        await pair.log.until(lambda: pair.session_a.opened and pair.session_b.opened)
        await case(pair)
        pair.session_a.stop(Reason(code="closing"))
        await pair.ended()

    asyncio.run(whole())


def test_questions_are_answered_both_ways() -> None:
    async def case(pair: Pair) -> None:
        question = link.Query(availability=link.AvailabilityQuery())
        answers = await asyncio.gather(pair.session_a.ask(question, 10), pair.session_b.ask(question, 10))
        assert all(answer.availability is not None for answer in answers)

    with_open_pair(case)


def test_a_question_without_answer_runs_out_of_time() -> None:
    async def case(pair: Pair) -> None:
        with pytest.raises(UnavailableError, match="did not answer within 0 s"):
            await pair.session_a.ask(link.Query(ping=True), 0)
        # The late answer is no harm, and the next question gets its own.
        assert (await pair.session_a.ask(link.Query(ping=True), 10)).id == 2

    with_open_pair(case)


def test_more_questions_than_the_rate_are_refused_until_time_passes() -> None:
    async def case(pair: Pair) -> None:
        answers = [await pair.session_a.ask(link.Query(ping=True), 10) for _ in range(5)]
        assert [answer.pong for answer in answers] == [True, True, True, False, False]
        assert answers[-1].refused is not None
        assert answers[-1].refused.code == "too-many-queries"
        pair.services_b.ctx.clock.forward(0.4)  # type: ignore[attr-defined]
        assert (await pair.session_a.ask(link.Query(ping=True), 10)).pong

    with_open_pair(case)


def test_questions_in_the_air_fail_when_the_session_ends() -> None:
    async def case(pair: Pair) -> None:
        asked = [asyncio.create_task(pair.session_a.ask(link.Query(ping=True), 10)) for _ in range(6)]
        await asyncio.sleep(0)
        pair.session_a.abort("cut")
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(one, UnavailableError) for one in results)
        with pytest.raises(UnavailableError, match="is not connected"):
            await pair.session_a.ask(link.Query(ping=True), 10)

    with_open_pair(case)


def test_an_answer_too_large_for_a_frame_is_a_refusal() -> None:
    async def case(pair: Pair) -> None:
        text = "x" * wire.FRAME_BYTES_MAX
        pair.services_b.exchange.answer = lambda *_: link.Answer(refused=Reason(text=text))  # type: ignore[method-assign]
        answer = await pair.session_a.ask(link.Query(availability=link.AvailabilityQuery()), 10)
        assert answer.refused is not None
        assert answer.refused.code == "too-large"

    with_open_pair(case)


def test_a_fault_of_ours_ends_the_session_without_telling_its_text() -> None:
    async def case() -> None:
        a, b = Books(A, B, ["x"]), Books(B, A)

        def fail(*_: object) -> None:
            raise ZeroDivisionError("secret detail")

        b.take_batch = fail  # type: ignore[method-assign,assignment]
        pair = Pair(a, b)
        pair.start()
        ended_a, ended_b = await pair.ended()
        assert ended_a.reason.code == ended_b.reason.code == "internal-error"
        assert "secret" not in ended_a.reason.text
        assert b.taken == []

    asyncio.run(case())


def test_the_bucket_fills_with_time_and_never_overflows() -> None:
    bucket = TokenBucket(2)
    assert [bucket.take(0) for _ in range(3)] == [True, True, False]
    assert bucket.take(500_000)
    assert not bucket.take(500_000)
    assert not bucket.take(400_000)  # a clock that goes back gives nothing
    assert [bucket.take(3_600_000_000) for _ in range(3)] == [True, True, False]
