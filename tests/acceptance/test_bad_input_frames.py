"""Frames that a partner's node should never send, from one that holds good keys: refused with a reason, nothing lost.

Each case says something wrong once. Afterwards the same partner behaves, and everything arrives as if nothing had been;
only what proves fraud stops a link, for a human to look at.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from node import wire
from node.app.links import cards, exchange, rotation
from node.core import link
from node.core.card import SignedCard, TlsKey
from node.core.document.common import Reason
from node.errors import RefusedError
from node.keyring import Keyring, TlsIdentity, spki_sha256
from tests import companies
from tests.acceptance.processes import Company, Line
from tests.acceptance.rogue import Call, Rogue, call


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    line = Line()
    company = Company(tmp_path_factory.mktemp("shop"), "Harbour Gifts", "0088:4012345000009", line=line)
    company.start()
    yield company
    company.stop()
    line.close()


@pytest.fixture
def rogue(shop: Company, tmp_path: Path) -> Rogue:
    made = Rogue(tmp_path, shop)
    made.behave()
    assert shop.state_of(made.id) == "confirmed"
    return made


def signed(rogue: Rogue, batch: link.Batch, **changes: Any) -> link.Batch:
    """The batch with another head, signed again by the partner's own key."""
    head = wire.encode(replace(wire.decode(link.BatchHead, batch.head), **changes))
    return replace(batch, head=head, signature=rogue.signer().sign(link.BATCH_DOMAIN + head))


class Wrong(NamedTuple):
    """One wrong batch made of a good one, the word for it, and what the partner is told."""

    name: str
    spoil: Callable[[Rogue, link.Batch], link.Batch | bytes]
    code: str
    told: str


def _flip(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def _entry(batch: link.Batch, **changes: Any) -> link.Batch:
    return replace(batch, entries=(replace(batch.entries[0], **changes), *batch.entries[1:]))


def _twice(rogue: Rogue, batch: link.Batch) -> link.Batch:
    number = wire.decode(link.BatchHead, batch.head).number + 1
    return signed(rogue, replace(batch, entries=(*batch.entries[:1], *batch.entries)), number=number)


def _many(batch: link.Batch) -> link.Batch:
    return replace(batch, entries=batch.entries[:1] * 4_097)


BATCHES = [
    Wrong("forged signature", lambda r, b: replace(b, signature=_flip(b.signature)), "bad-signature", "does not fit"),
    Wrong("no signature", lambda r, b: replace(b, signature=b""), "bad-signature", "does not fit"),
    Wrong("signed by a stranger", lambda r, b: signed(r, b, key_id="0123456789abcdef"), "unknown-key", "on no card"),
    Wrong("forged document", lambda r, b: _entry(b, body=b.entries[0].body + b"\x00"), "broken", "do not lead"),
    Wrong("forged type", lambda r, b: _entry(b, type="Invoice"), "broken", "do not lead"),
    Wrong("one document left out", lambda r, b: replace(b, entries=b.entries[1:]), "gap", "this batch begins with"),
    Wrong("one document twice", lambda r, b: _twice(r, b), "broken", "do not lead"),
    Wrong("documents in another order", lambda r, b: replace(b, entries=b.entries[::-1]), "broken", "do not lead"),
    Wrong("numbers that jump", lambda r, b: signed(r, b, number=1_000), "gap", "this batch begins with"),
    Wrong("number zero", lambda r, b: signed(r, b, number=0), "broken", "cannot end with"),
    Wrong("no documents", lambda r, b: replace(b, entries=()), "too-large", "a batch of 0 documents"),
    Wrong("too many documents", lambda r, b: _many(b), "too-large", "are taken"),
    Wrong("to somebody else", lambda r, b: signed(r, b, receiver="0088:4099999000007"), "wrong-address", "another"),
    Wrong("from somebody else", lambda r, b: signed(r, b, sender="0088:4099999000007"), "wrong-address", "another"),
    Wrong("of another link", lambda r, b: signed(r, b, link_id=b"x" * 16), "wrong-address", "another link"),
    Wrong("of another epoch", lambda r, b: signed(r, b, epoch=2), "wrong-address", "epoch"),
    Wrong("truncated head", lambda r, b: replace(b, head=b.head[:-3]), "unreadable", "BatchHead"),
    Wrong("truncated frame", lambda r, b: wire.encode_frame(b)[:-3], "unreadable", "no frame"),
    Wrong("noise", lambda r, b: b"\xff" * 100, "unreadable", "no frame"),
    Wrong("an empty frame", lambda r, b: b"", "unknown-frame", "does not know"),
    Wrong("a frame of the future", lambda r, b: b"\xfa\x01\x03abc", "unknown-frame", "does not know"),
    Wrong("a second hello", lambda r, b: wire.encode_frame(r.do(exchange.hello, r.at.id)), "second-hello", ""),
    Wrong("a receipt for nothing", lambda r, b: receipt(r, number=10), "broken", "number 10"),
    Wrong("a receipt too many", lambda r, b: receipt(r, sequence=9), "gap", "this one is 9"),
    Wrong("a receipt for another link", lambda r, b: receipt(r, link_id=b"x" * 16), "wrong-address", "another link"),
    Wrong("a forged receipt", lambda r, b: receipt(r, forged=True), "bad-signature", ""),
]


def receipt(rogue: Rogue, *, forged: bool = False, **changes: Any) -> bytes:
    """The next receipt for what the node sent us, but wrong."""
    row = rogue.position("in")
    body = wire.encode(
        link.ReceiptBody(
            **{
                "link_id": row.link_id,
                "sender": rogue.at.id,
                "receiver": rogue.id,
                "epoch": row.epoch,
                "sequence": row.receipt_sequence + 1,
                "previous_sha256": row.receipt_sha256,
                "number": row.number,
                "chain": row.chain,
                "given_at": rogue.clock.now(),
                "key_id": rogue.signer().key_id,
            }
            | changes
        )
    )
    signature = rogue.signer().sign(link.RECEIPT_DOMAIN + body)
    return wire.encode_frame(link.Receipt(body=body, signature=_flip(signature) if forged else signature))


@pytest.mark.parametrize("wrong", BATCHES, ids=lambda wrong: wrong.name)
def test_a_wrong_frame_ends_the_session_and_loses_nothing(rogue: Rogue, wrong: Wrong) -> None:
    before = rogue.at.do("partner.show", partner=rogue.id)["links"]
    sent = [rogue.put("Order", rogue.order(f"PO-{count}")) for count in range(3)]
    made = rogue.session()
    batch = rogue.batch()
    assert batch is not None
    made.say(wrong.spoil(rogue, batch))
    code, text = made.goodbye()
    made.hang_up()
    assert code == wrong.code, text
    assert wrong.told in text
    assert len(text) < 500
    after = rogue.at.do("partner.show", partner=rogue.id)["links"]
    assert after == before, "what was refused has left no trace on the link"
    goes_on(rogue, sent)


def goes_on(rogue: Rogue, sent: list[int]) -> None:
    """The good documents still arrive, each once."""
    rogue.behave()
    assert [rogue.sent(one).state for one in sent] == ["taken"] * len(sent)
    arrived = rogue.at.documents(partner=rogue.id, direction="in", type="Order")
    assert [one["state"] for one in arrived] == ["taken"] * len(sent)


HELLOS: list[tuple[str, dict[str, Any], str, str]] = [
    ("an unknown version", {"versions": (99,)}, "unknown-version", "we speak wire version 1"),
    ("no version", {"versions": ()}, "unknown-version", "we speak wire version 1"),
    ("from somebody else", {"sender": "0088:4099999000007"}, "wrong-sender", "the TLS key is"),
    ("to somebody else", {"receiver": "0088:4099999000007"}, "wrong-receiver", "we are"),
    ("of another link", {"link_id": b"x" * 16}, "wrong-link", "compare fingerprints"),
]


@pytest.mark.parametrize(("changes", "code", "told"), [one[1:] for one in HELLOS], ids=[one[0] for one in HELLOS])
def test_a_wrong_hello_opens_no_session(rogue: Rogue, changes: dict[str, Any], code: str, told: str) -> None:
    made = rogue.dial()
    made.say(replace(rogue.do(exchange.hello, rogue.at.id), **changes))
    said = made.goodbye()
    made.hang_up()
    assert said[0] == code
    assert told in said[1]
    goes_on(rogue, [rogue.put("Order", rogue.order("PO-1"))])


def test_a_batch_before_the_hello_is_not_read(rogue: Rogue) -> None:
    sent = rogue.put("Order", rogue.order("PO-1"))
    rogue.session().hang_up()
    batch = rogue.batch()
    assert batch is not None
    made = rogue.dial()
    made.say(batch)
    assert made.goodbye()[0] == "no-hello"
    made.hang_up()
    goes_on(rogue, [sent])


def test_an_oversized_frame_breaks_the_call(rogue: Rogue) -> None:
    """Nothing larger than a frame may be is even read into memory as one."""
    made = rogue.session()
    made.say(b"\x12" * (wire.FRAME_BYTES_MAX + 1))
    assert made.broken() is grpc.StatusCode.RESOURCE_EXHAUSTED
    made.hang_up()
    goes_on(rogue, [rogue.put("Order", rogue.order("PO-1"))])


def test_a_replayed_batch_gets_its_receipt_again_and_has_no_effect(rogue: Rogue) -> None:
    sent = rogue.put("Order", rogue.order("PO-1"))
    made = rogue.session()
    batch = rogue.batch()
    assert batch is not None
    made.say(batch)
    first = made.wait_for(link.Receipt)
    made.say(batch)
    assert made.wait_for(link.Receipt) == first
    made.hang_up()
    goes_on(rogue, [sent])


def test_a_batch_recorded_on_another_link_is_refused(rogue: Rogue, tmp_path: Path) -> None:
    """A second partner replays what the first has sent, byte for byte."""
    other = Rogue(tmp_path, rogue.at)
    other.behave()
    sent = rogue.put("Order", rogue.order("PO-1"))
    rogue.session().hang_up()
    batch = rogue.batch()
    assert batch is not None
    made = other.session()
    made.say(batch)
    assert made.goodbye()[0] == "wrong-address"
    made.hang_up()
    goes_on(rogue, [sent])


def _another_head(rogue: Rogue) -> link.Batch:
    row = rogue.position("out")
    head = link.BatchHead(
        link_id=row.link_id,
        sender=rogue.id,
        receiver=rogue.at.id,
        epoch=row.epoch,
        number=row.number,
        chain=b"x" * 32,
        key_id=rogue.signer().key_id,
    )
    entry = link.BatchEntry(type="Order", salt=b"s", body=rogue.order("PO-1", lambda message: message.lines.add()))
    return signed(rogue, link.Batch(head=wire.encode(head), entries=(entry,)))


FORKS: list[tuple[str, Callable[[Rogue], link.Batch | bytes]]] = [
    ("two heads at one number", _another_head),
    ("a receipt for another head", lambda rogue: receipt(rogue, chain=b"x" * 32)),
]


@pytest.mark.parametrize("fork", [one[1] for one in FORKS], ids=[one[0] for one in FORKS])
def test_what_no_accident_explains_stops_the_link_for_a_human(
    rogue: Rogue, fork: Callable[[Rogue], link.Batch | bytes]
) -> None:
    """Two accounts, both signed: the link stops and stays stopped, nothing is thrown away, and it says what to do."""
    goes_on(rogue, [rogue.put("Order", rogue.order("PO-1"))])
    made = rogue.session()
    made.say(fork(rogue))
    code, text = made.goodbye()
    made.hang_up()
    assert code == "fork"
    assert "export evidence" in text
    links = rogue.at.do("partner.show", partner=rogue.id)["links"]
    assert {one["state"] for one in links} == {"stopped"}
    assert "keep the database" in links[0]["reason"]
    assert len(rogue.at.documents(partner=rogue.id, direction="in", type="Order")) == 1
    again = rogue.dial()
    again.say(rogue.do(exchange.hello, rogue.at.id))
    assert again.goodbye()[0] == "link-stopped"
    again.hang_up()


def test_an_expired_key_signs_nothing(rogue: Rogue) -> None:
    """The partner's newest card says until when its key is good."""

    signer = rogue.signer()

    def expire(tx: Any) -> None:
        newest = cards.history(tx, rogue.id)[-1]
        (key,) = newest.card.signing_keys
        card = replace(
            newest.card,
            sequence=newest.card.sequence + 1,
            previous_sha256=newest.sha256,
            signing_keys=(replace(key, not_after=rogue.clock.now() - timedelta(days=1)),),
        )
        cards.send_card(tx, rogue.ctx, rogue.at.id, cards.issue(tx, rogue.ctx, card, [signer]))

    rogue.store.write(expire)
    rogue.behave()  # the card itself is signed while the key is good
    rogue.put("Order", rogue.order("PO-1"))
    made = rogue.session()
    batch = rogue.batch()
    assert batch is not None
    made.say(batch)
    code, text = made.goodbye()
    made.hang_up()
    assert code == "expired-key"
    assert "send a new card" in text
    assert not rogue.at.documents(partner=rogue.id, direction="in", type="Order")


def test_a_revoked_key_signs_nothing(rogue: Rogue) -> None:
    """Whoever found the old key cannot speak for the company; the company itself goes on with its new one."""
    old = rogue.signer()
    rogue.do(rotation.revoke_key, rogue.keys, old.key_id, "stolen")
    rogue.behave()  # the new card, signed by both
    rogue.do(rotation.advance)
    rogue.behave()  # the revocation, signed by the new key
    sent = rogue.put("Order", rogue.order("PO-1"))
    made = rogue.session()
    batch = rogue.batch()
    assert batch is not None
    head = wire.encode(replace(wire.decode(link.BatchHead, batch.head), key_id=old.key_id))
    made.say(replace(batch, head=head, signature=old.sign(link.BATCH_DOMAIN + head)))
    code, text = made.goodbye()
    made.hang_up()
    assert code == "revoked-key"
    assert "sign with the key of the newest card" in text
    goes_on(rogue, [sent])


# --- who is let in ----------------------------------------------------------------------------------------------------


def stranger(folder: Path) -> TlsIdentity:
    """A TLS key made as a node makes one, which is on no card."""
    keys = Keyring(folder / "stranger")
    keys.new_tls()
    return keys.newest_tls()


def learns_nothing(made: Call) -> None:
    """The call breaks before a frame comes."""
    made.say(link.Hello(versions=(1,)))
    with pytest.raises(grpc.RpcError) as caught:
        made.hear()
    made.hang_up()
    assert caught.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAUTHENTICATED)
    for word in ("Harbour", "0088:", "hansa:"):
        assert word not in str(caught.value.details())


def test_an_unknown_certificate_learns_nothing(rogue: Rogue, tmp_path: Path) -> None:
    shop = rogue.at
    assert shop.line is not None
    pinned = rogue.read(lambda tx: cards.trusted(tx)[shop.id])
    learns_nothing(call(shop.line.target, stranger(tmp_path), pinned))
    goes_on(rogue, [rogue.put("Order", rogue.order("PO-1"))])


def test_the_server_certificate_and_its_list_of_roots_name_nobody(rogue: Rogue) -> None:
    """What a stranger sees before the handshake fails: a key, and one name that every node has."""
    shop = rogue.at
    assert shop.line is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    shown = peer_certificate(shop.line.target, context)
    certificate = x509.load_der_x509_certificate(shown)
    assert certificate.subject == certificate.issuer
    for word in (b"Harbour", b"0088", rogue.id.encode(), rogue.name.encode()):
        assert word not in shown


def peer_certificate(port: int, context: ssl.SSLContext) -> bytes:
    with socket.create_connection(("127.0.0.1", port)) as raw, context.wrap_socket(raw) as secured:
        shown = secured.getpeercert(binary_form=True)
        assert shown is not None
        return shown


def test_another_partners_subject_in_a_certificate_opens_no_door(rogue: Rogue, tmp_path: Path) -> None:
    """Names count for nothing: the same subject as a partner's certificate, over another key, is a stranger's."""
    shop = rogue.at
    assert shop.line is not None
    private = ec.generate_private_key(ec.SECP256R1())
    genuine = x509.load_pem_x509_certificate(rogue.identity().certificate_pem)
    builder = x509.CertificateBuilder(
        issuer_name=genuine.issuer,
        subject_name=genuine.subject,
        public_key=private.public_key(),
        serial_number=genuine.serial_number,
        not_valid_before=genuine.not_valid_before_utc,
        not_valid_after=genuine.not_valid_after_utc,
        extensions=list(genuine.extensions),
    )
    made = builder.sign(private, hashes.SHA256())
    identity = TlsIdentity(
        spki_sha256=spki_sha256(made),
        certificate_pem=made.public_bytes(serialization.Encoding.PEM),
        private_key_pem=private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )
    learns_nothing(call(shop.line.target, identity, rogue.read(lambda tx: cards.trusted(tx)[shop.id])))
    goes_on(rogue, [rogue.put("Order", rogue.order("PO-1"))])


def test_a_certificate_that_names_another_company_is_on_no_card_that_we_take(rogue: Rogue, tmp_path: Path) -> None:
    """A card whose TLS certificate says who its owner is, or is another partner's, is refused when it is added."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string("CN=Harbour Gifts")
    genuine = x509.load_pem_x509_certificate(rogue.identity().certificate_pem)
    named = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=private.public_key())
        .serial_number(1)
        .not_valid_before(genuine.not_valid_before_utc)
        .not_valid_after(genuine.not_valid_after_utc)
        .sign(private, hashes.SHA256())
    )
    stolen = TlsKey(certificate=genuine.public_bytes(serialization.Encoding.DER), spki_sha256=spki_sha256(genuine))
    foreign = TlsKey(certificate=named.public_bytes(serialization.Encoding.DER), spki_sha256=spki_sha256(named))
    for key, code in ((foreign, "bad-certificate"), (stolen, "bad-card")):
        other = companies.Company(tmp_path, f"other-{code}")

        def reissue(tx: Any, other: companies.Company = other, key: TlsKey = key) -> SignedCard:
            newest = cards.history(tx, other.id)[-1]
            signer = other.keys.signer(newest.card.signing_keys[0].key_id)
            return cards.issue(tx, other.ctx, replace(newest.card, tls_keys=(key,)), [signer]).signed

        card = cards.armoured([wire.encode(other.store.write(reissue))])
        with pytest.raises(RefusedError) as caught:
            rogue.at.do("partner.add", card=card)
        assert caught.value.code == code
    goes_on(rogue, [rogue.put("Order", rogue.order("PO-1"))])


def test_a_revoked_partner_learns_nothing(rogue: Rogue) -> None:
    """The open session ends with one word; every later call breaks before a frame, also on a resumed TLS session."""
    made = rogue.session()
    rogue.at.do("partner.revoke", partner=rogue.id, reason="between us")
    code, text = made.goodbye()
    assert code == "revoked"
    assert text == "this partner is no longer dealt with"
    made.hang_up()
    learns_nothing(rogue.dial())
    learns_nothing(rogue.dial())


def test_questions_without_end_are_answered_with_a_limit(rogue: Rogue) -> None:
    """A partner that asks more than it may is told so, and the session goes on."""
    made = rogue.session()
    for count in range(1, 81):
        made.say(link.Query(id=count, ping=True))
    answers = [made.wait_for(link.Answer) for _ in range(80)]
    refused = [one for one in answers if one.refused is not None]
    assert refused
    assert refused[0].refused == Reason(
        code="too-many-queries", text="at most 50 questions per second are answered", language="en"
    )
    made.hang_up()
    goes_on(rogue, [rogue.put("Order", rogue.order("PO-1"))])
