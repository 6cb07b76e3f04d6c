"""Two companies get to know each other, change their keys while documents are in flight, and part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from node import wire
from node.app.links import cards, exchange, partners, rotation
from node.app.links.outbox import enqueue_protocol
from node.core import link
from node.core.card import (
    CARD_DOMAIN,
    Card,
    CardConfirmation,
    GoLive,
    Revocation,
    Signature,
    SignedCard,
    SigningKey,
    decode_secret,
)
from node.errors import ConfigError, RefusedError
from node.keyring import KeySigner, recovery_signer
from tests.companies import Company, connect, deliver, swap

GLN_ONE, GLN_OTHER = "0088:4012345000009", "0088:4006381333931"


@pytest.fixture
def one(tmp_path: Path) -> Company:
    return Company(tmp_path, "Meyer Spielwaren", GLN_ONE)


@pytest.fixture
def other(tmp_path: Path) -> Company:
    return Company(tmp_path, "Toys and More")


def state(company: Company, of: Company) -> tuple[str, str]:
    row = company.partner(of)
    return row.state, row.usage


def signed_by(company: Company, partner: Company) -> str:
    """The key of ours that signed our newest batch to the partner."""
    at = company.link(partner, "out")
    head = company.read(lambda tx: tx.links.head_at(partner.id, "out", at.epoch, at.number))
    assert head is not None
    return wire.decode(link.BatchHead, head.head).key_id


def say_something(company: Company, partner: Company) -> None:
    """A document without consequences: the newest card again."""
    held = company.read(cards.history, company.id)[-1]
    company.do(enqueue_protocol, partner.id, "PartnerCard", wire.encode(held.signed))


def newest_key(company: Company) -> str:
    return company.read(cards.history, company.id)[-1].card.signing_keys[-1].key_id


def outcomes(company: Company, partner: Company) -> list[tuple[str, str, str]]:
    rows = company.read(lambda tx: tx.documents.search(partner_id=partner.id, direction="out"))
    return [(row.type, row.state, row.reasons) for row in reversed(rows)]


# --- getting to know each other ---------------------------------------------------------------------------------------


def test_two_commands_a_side_connect(one: Company, other: Company) -> None:
    assert (one.id, other.id[:6]) == (GLN_ONE, "hansa:")
    swap(one, other)
    assert state(one, other) == ("added", "TEST")
    connect(one, other)
    assert state(one, other) == state(other, one) == ("confirmed", "TEST")
    assert one.partner(other).name == "Toys and More"
    for here, there in ((one, other), (other, one)):
        assert here.link(there, "out").link_id == there.link(here, "in").link_id
        assert here.link(there, "out").chain == there.link(here, "in").chain
        assert [state for _, state, _ in outcomes(here, there)] == ["taken"]


def test_added_without_a_fingerprint_is_not_confirmed(one: Company, other: Company) -> None:
    one.do(partners.add, other.card(), expected=other.fingerprint)
    other.do(partners.add, one.card())
    connect(one, other)
    assert state(one, other) == state(other, one) == ("added", "TEST")
    with pytest.raises(RefusedError, match="not confirmed"):
        one.do(partners.go_live, other.id)
    other.do(partners.confirm, one.id, one.fingerprint.lower().replace("-", " "))
    connect(one, other)
    assert state(one, other) == state(other, one) == ("confirmed", "TEST")


def test_wrong_fingerprint_adds_nobody(one: Company, other: Company) -> None:
    with pytest.raises(RefusedError, match="not the one") as caught:
        one.do(partners.add, other.card(), expected=one.fingerprint)
    assert caught.value.code == "wrong-fingerprint"
    assert one.read(lambda tx: tx.partners.all()) == []
    with pytest.raises(RefusedError, match="is not a fingerprint"):
        one.do(partners.add, other.card(), expected="hello")


def test_both_agree_to_go_live(one: Company, other: Company) -> None:
    swap(one, other)
    connect(one, other)
    one.do(partners.go_live, other.id)
    connect(one, other)
    assert (state(one, other), state(other, one)) == (("confirmed", "TEST"), ("confirmed", "TEST"))
    other.do(partners.go_live, one.id)
    assert state(other, one) == ("confirmed", "PRODUCTION")
    connect(one, other)
    assert state(one, other) == ("confirmed", "PRODUCTION")


def test_card_file_survives_mail(one: Company, other: Company) -> None:
    mailed = b"Dear partner,\r\n\r\n" + one.card().replace(b"\n", b"\r\n") + b"\r\nRegards \xe4\r\n"
    assert other.do(partners.add, mailed, expected=one.fingerprint).partner_id == one.id


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "bad-card-file"),
        (b"-----BEGIN HANSA CARD-----\n!!!\n-----END HANSA CARD-----\n", "bad-card-file"),
        (b"-----BEGIN HANSA CARD-----\nAAAA\n-----END HANSA CARD-----\n", "unreadable"),
        (b" " * 2_000_000, "bad-card-file"),
    ],
)
def test_unfit_card_files(one: Company, data: bytes, code: str) -> None:
    with pytest.raises(RefusedError) as caught:
        one.do(partners.add, data)
    assert caught.value.code == code


def test_own_card_is_no_partner(one: Company) -> None:
    with pytest.raises(RefusedError, match="our own card"):
        one.do(partners.add, one.card())


def test_init_happens_once(one: Company) -> None:
    with pytest.raises(ConfigError, match="already"):
        one.do(partners.init, one.keys, name="Again")


def test_nobody_takes_over_an_id(one: Company, other: Company, tmp_path: Path) -> None:
    swap(one, other)
    impostor = Company(tmp_path, "impostor", GLN_ONE)
    with pytest.raises(RefusedError, match="another first card"):
        other.do(partners.add, impostor.card(), expected=impostor.fingerprint)


def test_nobody_takes_over_a_tls_key(one: Company, other: Company, tmp_path: Path) -> None:
    """Who puts another's certificate on its own card would be taken for that one, or shut it out."""
    swap(one, other)
    thief = Company(tmp_path, "thief")
    first = thief.read(cards.history, thief.id)[0].card
    victim = one.read(cards.history, one.id)[0].card
    forged = _signed(replace(first, tls_keys=victim.tls_keys), [thief.keys.signer(first.signing_keys[0].key_id)])
    with pytest.raises(RefusedError, match="another company's"):
        other.do(partners.add, cards.armoured([forged]).encode())


def _signed(card: Card, signers: Sequence[KeySigner], recovery: bytes = b"") -> bytes:
    body = wire.encode(card)
    signatures = tuple(Signature(key_id=one.key_id, signature=one.sign(CARD_DOMAIN + body)) for one in signers)
    return wire.encode(SignedCard(body=body, signatures=signatures, recovery_public_key=recovery))


# --- what a partner's node says ---------------------------------------------------------------------------------------


def test_forged_statements_are_refused(one: Company, other: Company) -> None:
    swap(one, other)
    connect(one, other)
    sha256 = other.read(cards.history, other.id)[0].sha256
    key_id = newest_key(one)
    forged: dict[str, list[CardConfirmation | GoLive | Revocation]] = {
        "CardConfirmation": [
            CardConfirmation(card_sha256=bytes(32), id=other.id),
            CardConfirmation(card_sha256=sha256, id=one.id),
            CardConfirmation(card_sha256=sha256, id=other.id, signature=Signature(key_id=key_id, signature=bytes(64))),
        ],
        "GoLive": [GoLive(id=other.id, agreed_at=one.clock.now()), GoLive(id=one.id)],
        "Revocation": [
            Revocation(id=other.id, key_id=newest_key(other)),
            Revocation(id=one.id, key_id="0" * 16),
            Revocation(id=one.id, key_id=key_id, last_good_number=9_999),
        ],
    }
    for kind, bodies in forged.items():
        for body in bodies:
            one.do(enqueue_protocol, other.id, kind, wire.encode(body))
    one.do(enqueue_protocol, other.id, "GoLive", b"\xff\xff")
    one.do(enqueue_protocol, other.id, "PartnerCard", b"")
    before = other.partner(one)._replace(last_hello="", last_seen_at=None)
    connect(one, other)
    assert {said for kind, said, _ in outcomes(one, other)[1:]} == {"refused"}
    assert other.partner(one)._replace(last_hello="", last_seen_at=None) == before


# --- keys -------------------------------------------------------------------------------------------------------------


def rotated(company: Company) -> tuple[str, str]:
    old = newest_key(company)
    company.do(rotation.rotate_keys, company.keys)
    return old, newest_key(company)


def test_keys_rotate_without_a_shared_minute(one: Company, other: Company) -> None:
    swap(one, other)
    connect(one, other)
    old, new = rotated(one)
    pins = [key.spki_sha256 for key in one.read(cards.history, one.id)[-1].card.tls_keys]
    assert (one.read(cards.tls_for, other.id), one.read(cards.tls_presented)) == (pins[0], pins[0])
    with pytest.raises(RefusedError, match="waiting for Toys and More"):
        one.do(rotation.rotate_keys, one.keys)

    assert one.do(rotation.advance).card is None
    assert deliver(one, other) == 1
    assert signed_by(one, other) == old
    assert {other.read(cards.partner_of, pin) for pin in pins} == {one.id}
    assert (one.read(cards.tls_for, other.id), one.read(cards.tls_presented)) == (pins[1], pins[1])

    say_something(one, other)
    deliver(one, other)
    assert signed_by(one, other) == new

    assert one.do(rotation.advance).card is not None
    connect(one, other)
    in_force = {key.key_id: key.until_number for key in other.read(cards.keys_in_force, one.id)}
    assert in_force == {new: None, old: 4}
    assert other.read(cards.partner_of, pins[0]) is None
    assert other.read(cards.partner_of, pins[1]) == one.id

    done = one.do(rotation.advance)
    assert done.unused_key_ids == {old}
    assert done.unused_pins == {pins[0]}
    one.keys.drop(key_ids=done.unused_key_ids, pins=done.unused_pins)
    assert one.keys.key_ids() == [new]
    say_something(one, other)
    connect(one, other)
    assert all(said == "taken" for _, said, _ in outcomes(one, other))


def test_documents_in_flight_while_keys_change(one: Company, other: Company) -> None:
    """A batch was formed and signed with the old key, and lost; meanwhile the partner took the new card as a file."""
    swap(one, other)
    connect(one, other)
    say_something(one, other)
    formed = one.do(exchange.next_batch, other.id, one.link(other, "out").number)
    assert formed is not None
    _, new = rotated(one)
    other.do(partners.add, one.card())
    connect(one, other)
    one.do(rotation.advance)
    connect(one, other)
    assert signed_by(one, other) == new
    assert other.link(one, "in").number == one.link(other, "out").number == 4
    late = other.do(exchange.take_batch, one.id, formed[0])
    assert isinstance(late, exchange.Taken)
    assert late.documents == 0


def test_a_rotation_can_be_finished_by_force(one: Company, other: Company) -> None:
    swap(one, other)
    connect(one, other)
    old, new = rotated(one)
    assert one.do(rotation.advance).card is None
    assert one.do(rotation.advance, force=True).card is not None
    assert one.do(partners.signer_for, other.id).key_id == new
    other.do(partners.add, one.card())
    connect(one, other)
    assert {key.key_id: key.until_number for key in other.read(cards.keys_in_force, one.id)} == {new: None, old: 1}
    assert all(said == "taken" for _, said, _ in outcomes(one, other))


def test_each_partner_is_served_with_the_key_that_it_knows(one: Company, other: Company, tmp_path: Path) -> None:
    third = Company(tmp_path, "Third")
    for partner in (other, third):
        swap(one, partner)
        connect(one, partner)
    old, new = rotated(one)
    connect(one, other)
    for partner in (other, third):
        say_something(one, partner)
    connect(one, other)
    assert signed_by(one, other) == new
    assert one.store.read(lambda tx: cards.signer_for(tx, one.ctx, third.id)).key_id == old
    assert one.do(rotation.advance).card is None
    connect(one, third)
    assert one.do(rotation.advance).card is not None


def test_a_partner_added_during_a_rotation_may_hold_the_older_file(one: Company, other: Company) -> None:
    file = one.card()
    _, new = rotated(one)
    one.do(partners.add, other.card(), expected=other.fingerprint)
    other.do(partners.add, file, expected=one.fingerprint)
    connect(one, other)
    assert state(one, other) == state(other, one) == ("confirmed", "TEST")
    say_something(one, other)
    connect(one, other)
    assert signed_by(one, other) == new


def test_a_partner_added_after_rotations_trusts_the_whole_file(one: Company, other: Company) -> None:
    rotated(one)
    assert one.do(rotation.advance).card is not None
    swap(one, other)
    connect(one, other)
    assert state(one, other) == state(other, one) == ("confirmed", "TEST")
    assert [key.until_number for key in other.read(cards.keys_in_force, one.id)] == [None, 0]


def test_the_only_key_is_revoked_by_position(one: Company, other: Company) -> None:
    swap(one, other)
    connect(one, other)
    old = newest_key(one)
    one.do(rotation.revoke_key, one.keys, old, "the laptop was stolen")
    new = newest_key(one)
    connect(one, other)
    assert one.do(rotation.advance).revocations == 1
    connect(one, other)
    keys = {key.key_id: (key.until_number, key.revoked) for key in other.read(cards.keys_in_force, one.id)}
    assert keys == {new: (None, False), old: (2, True)}
    one.do(rotation.advance)
    connect(one, other)
    assert [key.key_id for key in other.read(cards.history, one.id)[-1].card.signing_keys] == [new]
    assert all(said == "taken" for _, said, _ in outcomes(one, other))

    thief = one.keys.signer(old)
    head = wire.encode(_next_head(one, other, old))
    entry = link.BatchEntry(type="GoLive", salt=b"s" * 16, body=b"")
    forged = link.Batch(head=head, signature=thief.sign(link.BATCH_DOMAIN + head), entries=(entry,))
    refused = other.do(exchange.take_batch, one.id, forged)
    assert isinstance(refused, exchange.Refusal)
    assert refused.code == "revoked-key"


def _next_head(sender: Company, receiver: Company, key_id: str) -> link.BatchHead:
    at = sender.link(receiver, "out")
    chain = link.chain_after(at.chain, [link.leaf_of(b"s" * 16, "GoLive", b"")])
    return link.BatchHead(
        link_id=at.link_id,
        sender=sender.id,
        receiver=receiver.id,
        epoch=at.epoch,
        number=at.number + 1,
        chain=chain,
        key_id=key_id,
        signed_at=sender.clock.now(),
    )


def test_lost_keys_are_recovered_by_file(one: Company, other: Company) -> None:
    swap(one, other)
    connect(one, other)
    old = newest_key(one)
    one.keys.drop(key_ids=frozenset({old}), pins=frozenset())
    with pytest.raises(ConfigError, match=f"signing-\\*-{old}.pem"):
        one.do(partners.signer_for, other.id)
    with pytest.raises(RefusedError, match="mistyped"):
        one.do(rotation.recover_keys, one.keys, one.recovery[:-1], reason="disk lost")
    with pytest.raises(RefusedError, match="another identity"):
        one.do(rotation.recover_keys, one.keys, other.recovery, reason="disk lost")
    one.do(rotation.recover_keys, one.keys, one.recovery.lower(), reason="disk lost")
    pin = one.read(cards.history, one.id)[-1].card.tls_keys[0].spki_sha256
    assert one.read(cards.tls_for, other.id) == one.read(cards.tls_presented) == pin
    other.do(partners.add, one.card())
    assert other.read(partners.partner_of, pin) == one.id
    connect(one, other)
    assert other.read(cards.history, one.id)[-1].card.sequence == 2
    assert other.read(cards.keys_in_force, one.id)[-1].until_number == 1
    assert signed_by(one, other) == newest_key(one)


def test_a_card_of_a_thief_does_not_shut_the_owner_out(one: Company, other: Company) -> None:
    swap(one, other)
    connect(one, other)
    rotated(one)  # by the thief, in the owner's name
    other.do(partners.add, one.card())
    first = one.read(cards.history, one.id)[0]
    recovery = recovery_signer(decode_secret(one.recovery))
    fresh = one.keys.new_signing(one.ctx.random.token)
    card = replace(
        first.card,
        sequence=2,
        previous_sha256=first.sha256,
        signing_keys=(SigningKey(key_id=fresh.key_id, public_key=fresh.public_key),),
        tls_keys=(one.keys.new_tls(),),
    )
    with pytest.raises(RefusedError, match="count higher than 2"):
        other.do(partners.add, cards.armoured([_signed(card, [recovery, fresh], recovery.public_key)]).encode())
    card = replace(card, sequence=7)
    other.do(partners.add, cards.armoured([_signed(card, [recovery, fresh], recovery.public_key)]).encode())
    newest = other.read(cards.history, one.id)[-1].card
    assert (newest.sequence, newest.signing_keys) == (7, card.signing_keys)


def test_the_card_says_something_new(one: Company, other: Company) -> None:
    swap(one, other)
    connect(one, other)
    one.do(rotation.change_card, endpoint="node.meyer.example:7443", name="Meyer GmbH")
    connect(one, other)
    assert other.read(cards.history, one.id)[-1].card.endpoint == "node.meyer.example:7443"
    assert other.partner(one).name == "Meyer GmbH"
    with pytest.raises(RefusedError):
        one.do(rotation.change_card, id="0088:1")


# --- parting ----------------------------------------------------------------------------------------------------------


def test_a_revoked_partner_is_out_at_once(one: Company, other: Company) -> None:
    swap(one, other)
    connect(one, other)
    pin = other.read(cards.history, other.id)[-1].card.tls_keys[0].spki_sha256
    assert one.read(partners.partner_of, pin) == other.id
    say_something(other, one)
    formed = other.do(exchange.next_batch, one.id, other.link(one, "out").number)
    assert formed is not None
    one.do(partners.revoke_partner, other.id, "the contract ended")
    assert one.read(partners.partner_of, pin) is None
    assert other.id not in one.read(partners.trusted)
    assert one.link(other, "in").state == "stopped"
    late = one.do(exchange.take_batch, other.id, formed[0])
    assert isinstance(late, exchange.Refusal)
    assert late.code == "revoked"
    assert "contract" not in late.text, "why is for ourselves"

    one.do(rotation.rotate_keys, one.keys)
    one.do(partners.confirm, other.id, other.fingerprint)
    assert state(one, other) == ("confirmed", "TEST")
    connect(other, one)
    assert one.link(other, "in").number == 2
    assert [held.card.sequence for held in other.read(cards.history, one.id)] == [1, 2]
