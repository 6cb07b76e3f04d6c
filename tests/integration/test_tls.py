"""TLS by pinned keys, over real sockets: who is let in, whom we take a caller for, and reloading while it runs."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from node.core.card import TlsKey
from node.errors import RefusedError
from node.keyring import Keyring, TlsIdentity, check_certificate
from node.transport.tls import CHANNEL_OPTIONS, Trust, channel_credentials, peer_spki

Call = Callable[[TlsIdentity, TlsKey], Awaitable[bytes]]


class Party:
    """A TLS key as its owner holds it, and as its card names it."""

    def __init__(self, folder: Path) -> None:
        self.key = Keyring(folder).new_tls()
        self.identity = Keyring(folder).newest_tls()


@pytest.fixture
def parties(tmp_path: Path) -> dict[str, Party]:
    return {name: Party(tmp_path / name) for name in ("server", "anna", "bert", "stranger")}


@asynccontextmanager
async def serving(trust: Trust) -> AsyncIterator[Call]:
    """A server whose one method answers with the caller's key, and a way to call it on a new connection."""

    async def whoami(_request: bytes, context: Any) -> bytes:
        return peer_spki(context) or b""

    method: Any = grpc.unary_unary_rpc_method_handler(whoami)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Who", {"AmI": method}),))
    port = server.add_secure_port("127.0.0.1:0", trust.server_credentials())
    await server.start()

    async def call(identity: TlsIdentity, pinned: TlsKey) -> bytes:
        credentials = channel_credentials(identity, [pinned])
        async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options=CHANNEL_OPTIONS) as channel:
            method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test.Who/AmI")
            return await method(b"", timeout=10)

    try:
        yield call
    finally:
        await server.stop(0)


async def refused(call: Awaitable[bytes]) -> bool:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code() is grpc.StatusCode.UNAVAILABLE
    return False


def test_only_the_keys_on_cards_come_in_and_changes_count_at_the_next_handshake(parties: dict[str, Party]) -> None:
    server, anna, bert, stranger = parties.values()

    async def scene() -> None:
        trust = Trust(server.identity, {})
        async with serving(trust) as call:
            assert await refused(call(anna.identity, server.key))
            trust.replace(server.identity, {"anna": [anna.key], "bert": [bert.key]})
            assert await call(anna.identity, server.key) == anna.key.spki_sha256
            assert await call(bert.identity, server.key) == bert.key.spki_sha256
            assert await refused(call(stranger.identity, server.key))
            trust.replace(server.identity, {"bert": [bert.key]})
            assert await refused(call(anna.identity, server.key))
            assert await call(bert.identity, server.key) == bert.key.spki_sha256

    asyncio.run(scene())


def test_a_caller_talks_only_to_the_key_on_the_card(parties: dict[str, Party]) -> None:
    server, anna, bert, _ = parties.values()

    async def scene() -> None:
        trust = Trust(server.identity, {"anna": [anna.key]})
        async with serving(trust) as call:
            assert await refused(call(anna.identity, bert.key))
            trust.replace(bert.identity, {"anna": [anna.key]})
            assert await call(anna.identity, bert.key) == anna.key.spki_sha256
            assert await refused(call(anna.identity, server.key))

    asyncio.run(scene())


def test_a_stranger_hears_nothing_of_the_partners(parties: dict[str, Party]) -> None:
    """All certificates say the same about their owners: nothing."""
    said = [x509.load_der_x509_certificate(one.key.certificate) for one in parties.values()]
    assert len({(one.subject, one.issuer, one.not_valid_before_utc, one.not_valid_after_utc) for one in said}) == 1


def test_certificates_that_a_node_does_not_make_stay_out(parties: dict[str, Party]) -> None:
    anna, bert = parties["anna"].key, parties["bert"].key
    check_certificate(anna)
    for forged in (
        replace(anna, spki_sha256=bert.spki_sha256),
        replace(anna, certificate=anna.certificate[:-1] + bytes([anna.certificate[-1] ^ 1])),
        replace(anna, certificate=b"\x30\x00"),
    ):
        with pytest.raises(RefusedError) as caught:
            check_certificate(forged)
        assert caught.value.code == "bad-certificate"


def test_another_partners_subject_and_key_identifier_stay_out(parties: dict[str, Party]) -> None:
    """A partner may make any certificate for its own key: one with another's identifiers is refused with its card."""
    victim = x509.load_der_x509_certificate(parties["anna"].key.certificate)
    private = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(victim.subject)
        .issuer_name(victim.issuer)
        .public_key(private.public_key())
        .serial_number(victim.serial_number)
        .not_valid_before(victim.not_valid_before_utc)
        .not_valid_after(victim.not_valid_after_utc)
    )
    for extension in victim.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    forged = builder.sign(private, hashes.SHA256())
    spki = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    key = TlsKey(certificate=forged.public_bytes(serialization.Encoding.DER), spki_sha256=hashlib.sha256(spki).digest())
    with pytest.raises(RefusedError):
        check_certificate(key)

    identity = TlsIdentity(
        spki_sha256=key.spki_sha256,
        certificate_pem=forged.public_bytes(serialization.Encoding.PEM),
        private_key_pem=private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )
    server, anna = parties["server"], parties["anna"]

    async def scene() -> None:
        async with serving(Trust(server.identity, {"anna": [anna.key]})) as call:
            assert await refused(call(identity, server.key))
        # Were it on a card all the same: it is known by its key, and by nothing that it says.
        async with serving(Trust(server.identity, {"thief": [key]})) as call:
            assert await call(identity, server.key) == key.spki_sha256 != anna.key.spki_sha256

    asyncio.run(scene())
