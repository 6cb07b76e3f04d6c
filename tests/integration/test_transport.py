"""Real gRPC and TLS on this machine: who is let in, what a caller is told, and which of two calls survives."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from node import wire
from node.core import link
from node.core.card import TlsKey
from node.core.document.common import Reason
from node.errors import ConfigError, UnavailableError
from node.keyring import Keyring, TlsIdentity
from node.transport import health, tls
from node.transport.client import Dialler, pause_seconds
from node.transport.contract import ALREADY_CONNECTED, REVOKED, SUPERSEDED, Ended, Limits, Move
from node.transport.hub import Hub
from node.transport.server import Server
from node.transport.streams import METHOD, SERVICE
from tests.integration.link_fakes import QUICK, A, B, Books, Counting, InlineStore, Log, services_of, stream_pair

C = "0088:4012345000023"
ADDRESS = "127.0.0.1"


class Site:
    """One company's transport: a server, and calls to others."""

    def __init__(self, folder: Path, own: str, books: Books, *, limits: Limits = QUICK) -> None:
        self.own, self.books = own, books
        keys = Keyring(folder / own.replace(":", "-"))
        self.key: TlsKey = keys.new_tls()
        self.identity: TlsIdentity = keys.tls(self.key.spki_sha256)
        self.log, self.store = Log(), InlineStore()
        self.hub = Hub(services_of(books, self.log, limits=limits, store=self.store), own)
        self.known: dict[bytes, str] = {}
        self.trusted: dict[str, list[TlsKey]] = {}
        self.port = 0

    def knows(self, *others: Site) -> None:
        for other in others:
            self.trusted[other.own] = [other.key]
            self.known[other.key.spki_sha256] = other.own

    async def partner_of(self, spki: bytes) -> str | None:
        return self.known.get(spki)

    @contextlib.asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[Server]:
        trust = tls.Trust(self.identity, self.trusted)
        server = Server(
            self.hub,
            listen=f"{ADDRESS}:{port}",
            credentials=trust.server_credentials(),
            spki_of=tls.peer_spki,
            partner_of=self.partner_of,
        )
        await server.start()
        self.port = server.port
        try:
            yield server
        finally:
            await self.hub.close(5)
            await server.stop(1)

    def credentials(self, *pinned: TlsKey) -> grpc.ChannelCredentials:
        return tls.channel_credentials(self.identity, pinned)

    def dialler(self, other: Site, *, key: TlsKey | None = None) -> Dialler:
        return Dialler(
            self.hub,
            other.own,
            f"{ADDRESS}:{other.port}",
            credentials=lambda: self.credentials(key or other.key),
            tls_keys=lambda: frozenset({other.key.spki_sha256}),
            options=tls.CHANNEL_OPTIONS,
            random=Counting(),
            first_seconds=0.01,
            longest_seconds=0.05,
        )

    @contextlib.asynccontextmanager
    async def channel(self, other: Site) -> AsyncIterator[grpc.aio.Channel]:
        """A bare connection, for saying what no session would say."""
        target, options = f"{ADDRESS}:{other.port}", tls.CHANNEL_OPTIONS
        async with grpc.aio.secure_channel(target, self.credentials(other.key), options=options) as channel:
            yield channel


@contextlib.asynccontextmanager
async def running(*work: Coroutine[Any, Any, Any]) -> AsyncIterator[None]:
    """Work beside the block, taken back at its end."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def pair(folder: Path, waiting: tuple[list[str], list[str]] = ([], [])) -> tuple[Site, Site]:
    """Two sites that know each other."""
    a = Site(folder, A, Books(A, B, waiting[0], per_batch=4))
    b = Site(folder, B, Books(B, A, waiting[1], per_batch=4))
    a.knows(b)
    b.knows(a)
    return a, b


def run(case: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a case that must not hang."""

    async def bounded() -> None:
        async with asyncio.timeout(60):
            await case()

    asyncio.run(bounded())


def test_a_call_carries_both_directions_and_questions(tmp_path: Path) -> None:
    async def case() -> None:
        a, b = pair(tmp_path, ([f"a{n}" for n in range(40)], [f"b{n}" for n in range(40)]))
        async with b.serving(), running(a.dialler(b).run()):
            await a.log.until(lambda: a.books.receipted == 40)
            await b.log.until(lambda: b.books.receipted == 40)
            assert (a.books.taken, b.books.taken) == ([f"b{n}" for n in range(40)], [f"a{n}" for n in range(40)])
            for one, other in ((a, B), (b, A)):
                assert (await one.hub.ask(other, link.Query(ping=True), 10)).pong

    run(case)


def test_a_stranger_is_not_let_in_and_a_former_partner_is_told(tmp_path: Path) -> None:
    async def case() -> None:
        a, b = pair(tmp_path)
        stranger = Site(tmp_path, C, Books(C, B))
        async with b.serving():
            ended = await stranger.dialler(b).dial()
            assert (ended.reason.code, ended.opened) in (("unreachable", False), ("stream-lost", False))
            b.known.clear()  # removed, while the certificate is still among those that TLS lets in
            ended = await a.dialler(b).dial()
            assert ended.reason.text.startswith("UNAUTHENTICATED: no partner card")
            assert b.hub.open() == []
            assert b.store.writes == 0

    run(case)


def test_whoever_answers_with_another_key_is_not_spoken_to(tmp_path: Path) -> None:
    async def case() -> None:
        a, b = pair(tmp_path)
        async with b.serving():
            ended = await a.dialler(b, key=a.key).dial()
            assert ended.reason.code == "unreachable"
            assert a.store.writes == 0

    run(case)


@pytest.mark.parametrize(
    ("frame", "code"), [(b"\x0a\xff", "unreadable"), (b"\xfa\x06\x00", "unknown-frame"), (b"", "unknown-frame")]
)
def test_bytes_that_are_no_frame_get_a_goodbye(tmp_path: Path, frame: bytes, code: str) -> None:
    async def case() -> None:
        a, b = pair(tmp_path)
        async with b.serving(), a.channel(b) as channel:
            call: Any = channel.stream_stream(f"/{SERVICE}/{METHOD}")()
            await call.write(frame)
            said = [wire.decode_frame(await call.read()), wire.decode_frame(await call.read())]
            assert isinstance(said[0], link.Hello)
            assert isinstance(said[1], link.Goodbye)
            assert said[1].reason is not None
            assert said[1].reason.code == code
            await call.done_writing()
            assert await call.read() is grpc.aio.EOF
            assert await call.code() is grpc.StatusCode.OK

    run(case)


def test_a_frame_beyond_the_limit_ends_the_call(tmp_path: Path) -> None:
    async def case() -> None:
        a, b = pair(tmp_path)
        async with b.serving(), a.channel(b) as channel:
            call: Any = channel.stream_stream(f"/{SERVICE}/{METHOD}")()
            with contextlib.suppress(grpc.aio.AioRpcError):
                await call.write(b"x" * (wire.FRAME_BYTES_MAX + 1))
            with contextlib.suppress(grpc.aio.AioRpcError):
                while await call.read() is not grpc.aio.EOF:
                    pass
            assert await call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            await b.hub.until_free(A)
            assert b.hub.open() == []

    run(case)


def test_a_cancelled_call_frees_its_place(tmp_path: Path) -> None:
    async def case() -> None:
        a, b = pair(tmp_path)
        async with b.serving():
            dial = asyncio.create_task(a.dialler(b).dial())
            await b.log.until(lambda: b.hub.get(A) is not None)
            dial.cancel()
            await b.log.until(lambda: any(what.startswith("ended") for what, _ in b.log.told))
            await b.hub.until_free(A)
            assert b.hub.get(A) is None
            with pytest.raises(UnavailableError):
                await b.hub.ask(A, link.Query(ping=True), 1)

    run(case)


def test_both_dial_and_one_call_is_left(tmp_path: Path) -> None:
    async def case() -> None:
        a, b = pair(tmp_path, ([f"a{n}" for n in range(40)], [f"b{n}" for n in range(40)]))
        async with a.serving(), b.serving(), running(a.dialler(b).run(), b.dialler(a).run()):
            await a.log.until(lambda: a.books.receipted == 40)
            await b.log.until(lambda: b.books.receipted == 40)
            await a.log.until(lambda: a.hub.get(B) is not None)
            await b.log.until(lambda: b.hub.get(A) is not None)
            (at_a,), (at_b,) = a.hub.open(), b.hub.open()
            assert at_a.dialled is not at_b.dialled
        assert (len(a.books.taken), len(b.books.taken)) == (40, 40)

    run(case)


def test_a_dialler_comes_back_when_the_partner_does(tmp_path: Path) -> None:
    async def case() -> None:
        a, b = pair(tmp_path, (["one"], []))
        async with b.serving():
            port = b.port
            dialler = a.dialler(b)
            calling = asyncio.create_task(dialler.run())
            await a.log.until(lambda: a.books.receipted == 1)
        again = Site(tmp_path / "again", B, b.books)
        again.knows(a)
        again.key, again.identity = b.key, b.identity
        a.books.waiting.append("two")
        async with again.serving(port):
            await a.log.until(lambda: a.books.receipted == 2)
            assert b.books.taken == ["one", "two"]
            dialler.stop()
            again.hub.stop(A, Reason(code="closing"))
            await calling

    run(case)


def test_revoking_a_partner_ends_its_live_stream(tmp_path: Path) -> None:
    async def case() -> None:
        a, b = pair(tmp_path)
        async with b.serving():
            dial = asyncio.create_task(a.dialler(b).dial())
            await b.log.until(lambda: b.hub.get(A) is not None)
            b.known.clear()
            b.hub.stop(A, Reason(code=REVOKED, text="we no longer deal with you"))
            ended = await dial
            assert ended == Ended(Reason(code=REVOKED, text="we no longer deal with you"), Move.OURS, opened=True)
            assert (await a.dialler(b).dial()).reason.text.startswith("UNAUTHENTICATED")

    run(case)


def test_a_slow_partner_keeps_no_other_waiting(tmp_path: Path) -> None:
    async def case() -> None:
        a, slow = pair(tmp_path, ([], [f"s{n}" for n in range(20)]))
        quick = Site(tmp_path, C, Books(C, A, [f"q{n}" for n in range(200)], per_batch=2))
        quick.knows(a)
        a.knows(quick)
        # A keeps books with each; the slow partner's store does not move while the quick one sends everything.
        mine = {B: a.books, C: Books(A, C)}
        services = services_of(_Both(mine), a.log, store=a.store)  # type: ignore[arg-type]
        a.hub = Hub(services, A)
        async with a.serving(), running(slow.dialler(a).run(), quick.dialler(a).run()):
            await a.log.until(lambda: a.hub.get(B) is not None and a.hub.get(C) is not None)
            slow.store.hold()
            a.books.waiting += [f"a{n}" for n in range(40)]
            a.hub.wake([B])
            await quick.log.until(lambda: quick.books.receipted == 200)
            assert len(mine[C].taken) == 200
            assert slow.books.taken == []
            slow.store.release()
            await a.log.until(lambda: a.books.receipted == 40)

    run(case)


class _Both:
    """Books with two partners."""

    def __init__(self, books: dict[str, Books]) -> None:
        self._books = books

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def of(tx: Any, *arguments: Any) -> Any:
            partner = next(one for one in arguments if isinstance(one, str))
            return getattr(self._books[partner], name)(tx, *arguments)

        return of


def test_an_address_that_is_taken_is_our_own_mistake(tmp_path: Path) -> None:
    async def case() -> None:
        a, b = pair(tmp_path)
        async with a.serving():
            with pytest.raises(ConfigError, match=r"node\.listen: .* cannot be listened on") as caught:
                async with b.serving(a.port):
                    pass
            assert caught.value.hint

    run(case)


def test_health_is_told_to_partners_alone(tmp_path: Path) -> None:
    async def case() -> None:
        a, b = pair(tmp_path)
        async with b.serving() as server, a.channel(b) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            request = health_pb2.HealthCheckRequest(service=SERVICE)
            assert (await stub.Check(request)).status == health_pb2.HealthCheckResponse.SERVING
            await server.leave()
            assert (await stub.Check(request)).status == health_pb2.HealthCheckResponse.NOT_SERVING
            b.known.clear()
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.Check(request)
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED

    run(case)


def test_watches_take_no_call_away_from_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "WATCHES_MAX", 1)

    async def case() -> None:
        a, b = pair(tmp_path)
        async with b.serving(), a.channel(b) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            request = health_pb2.HealthCheckRequest(service=SERVICE)
            first = stub.Watch(request)
            assert (await first.read()).status == health_pb2.HealthCheckResponse.SERVING
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.Watch(request).read()
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            first.cancel()

    run(case)


# --- which of two calls survives, without a network -------------------------------------------------------------------


async def crossing(own: str, partner: str) -> tuple[Ended, Ended, list[link.Frame]]:
    """Our own call is under way when the partner's comes in: how each ends, and what the partner's call is told."""
    hub = Hub(services_of(Books(own, partner), Log()), own)
    ours, theirs = stream_pair()
    incoming, caller = stream_pair()
    own_call = asyncio.create_task(hub.run(partner, lambda: ours, dialled=True, tls_keys=frozenset()))
    await theirs.read()
    called = asyncio.create_task(hub.run(partner, lambda: incoming, dialled=False, tls_keys=frozenset()))
    first = wire.decode_frame(await caller.read() or b"")
    await caller.end()
    await theirs.end()
    return await own_call, await called, [first]


def test_of_two_crossing_calls_the_lower_ids_survives() -> None:
    async def case() -> None:
        own, called, told = await crossing(A, B)
        assert isinstance(told[0], link.Goodbye)
        assert (called.reason.code, own.reason.code) == (ALREADY_CONNECTED, "stream-lost")
        own, called, told = await crossing(B, A)
        assert isinstance(told[0], link.Hello)
        assert (own.reason.code, called.reason.code) == (SUPERSEDED, "stream-lost")

    run(case)


def test_of_two_calls_by_one_partner_the_newest_survives_and_waits_for_the_older() -> None:
    async def case() -> None:
        store = InlineStore()
        hub = Hub(services_of(Books(A, B), Log(), store=store), A)
        older, at_older = stream_pair()
        newer, at_newer = stream_pair()
        first = asyncio.create_task(hub.run(B, lambda: older, dialled=False, tls_keys=frozenset()))
        await at_older.read()
        second = asyncio.create_task(hub.run(B, lambda: newer, dialled=False, tls_keys=frozenset()))
        goodbye = wire.decode_frame(await at_older.read() or b"")
        assert isinstance(goodbye, link.Goodbye)
        assert newer.written == []
        await at_older.end()
        assert (await first).reason.code == SUPERSEDED
        assert isinstance(wire.decode_frame(await at_newer.read() or b""), link.Hello)
        await at_newer.end()
        await second

    run(case)


def test_our_own_call_is_not_begun_while_there_is_a_session() -> None:
    async def case() -> None:
        hub = Hub(services_of(Books(A, B), Log()), A)
        incoming, caller = stream_pair()
        session = asyncio.create_task(hub.run(B, lambda: incoming, dialled=False, tls_keys=frozenset()))
        await caller.read()

        def never() -> Any:
            raise AssertionError("a call was begun")

        assert (await hub.run(B, never, dialled=True, tls_keys=frozenset())).reason.code == ALREADY_CONNECTED
        await caller.end()
        await session

    run(case)


def test_pauses_grow_to_their_bound_and_differ() -> None:
    random = Counting()
    pauses = [[pause_seconds(n, random, first=0.2, longest=300) for _ in range(50)] for n in (0, 1, 4, 100)]
    assert [max(one) <= most for one, most in zip(pauses, (0.2, 0.2, 1.6, 300), strict=True)] == [True] * 4
    assert all(max(one) > 0.8 * most for one, most in zip(pauses, (0.2, 0.2, 1.6, 300), strict=True))
    assert all(len(set(one)) == 50 for one in pauses)


def test_a_session_that_no_longer_lives_is_ended_when_its_partner_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    async def case() -> None:
        monkeypatch.setattr("node.transport.hub.PROBE_SECONDS", 0)
        log = Log()
        hub = Hub(services_of(Books(A, B), log, limits=replace(QUICK, goodbye_seconds=0)), A)
        ours, dead = stream_pair()
        own = asyncio.create_task(hub.run(B, lambda: ours, dialled=True, tls_keys=frozenset()))
        await dead.write(wire.encode_frame(Books(B, A).hello(None, None, A)))  # type: ignore[arg-type]
        await log.until(lambda: hub.get(B) is not None)
        incoming, caller = stream_pair()
        await caller.end()
        called = await hub.run(B, lambda: incoming, dialled=False, tls_keys=frozenset())
        assert called.reason.code == ALREADY_CONNECTED
        ended = await own
        assert (ended.reason.code, ended.move) == ("stalled", Move.NOBODYS)
        # The place is free: the next call is taken.
        incoming, caller = stream_pair()
        again = asyncio.create_task(hub.run(B, lambda: incoming, dialled=False, tls_keys=frozenset()))
        assert isinstance(wire.decode_frame(await caller.read() or b""), link.Hello)
        await caller.end()
        await again

    run(case)


def test_a_batch_that_gets_no_receipt_ends_the_session() -> None:
    async def case() -> None:
        log = Log()
        hub = Hub(services_of(Books(A, B, ["x"]), log), A)
        ours, silent = stream_pair()
        session = asyncio.create_task(hub.run(B, lambda: ours, dialled=True, tls_keys=frozenset()))
        await silent.write(wire.encode_frame(Books(B, A).hello(None, None, A)))  # type: ignore[arg-type]
        await log.until(lambda: ("sent", B) in log.told)
        hub.stop_stalled(3600)
        assert len(hub.open()) == 1
        hub.stop_stalled(-1)
        await silent.end()
        assert (await session).reason.code == "stalled"

    run(case)


def test_more_partners_than_the_limit_are_told_to_come_later() -> None:
    async def case() -> None:
        hub = Hub(services_of(Books(A, B), Log()), A, sessions_max=1)
        first, caller = stream_pair()
        session = asyncio.create_task(hub.run(B, lambda: first, dialled=False, tls_keys=frozenset()))
        await caller.read()
        second, other = stream_pair()
        await other.end()
        ended = await hub.run(C, lambda: second, dialled=False, tls_keys=frozenset())
        assert (ended.reason.code, ended.move) == ("unavailable", Move.NOBODYS)
        assert isinstance(wire.decode_frame(await other.read() or b""), link.Goodbye)
        await caller.end()
        await session
        await hub.close(1)
        late, caller = stream_pair()
        await caller.end()
        assert (await hub.run(B, lambda: late, dialled=False, tls_keys=frozenset())).reason.code == "closing"

    run(case)
