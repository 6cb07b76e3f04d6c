"""Cards: which ones are complete, which follow from which, and what people compare."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from node import wire
from node.core.card import (
    CARD_DOMAIN,
    KEYS_MAX,
    Card,
    HeldCard,
    Signature,
    SignedCard,
    SigningKey,
    TlsKey,
    canonical_fingerprint,
    decode_secret,
    derived_participant,
    encode_secret,
    fingerprint,
    key_id_of,
    verify_first,
    verify_history,
    verify_successor,
)
from node.errors import RefusedError
from node.keyring import verify

AT = datetime(2026, 5, 4, 8, tzinfo=UTC)


class Key:
    """A signing key from a word."""

    def __init__(self, word: str) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(word.encode()).digest())
        self.public_key = self._private.public_key().public_bytes_raw()
        self.key_id = key_id_of(self.public_key)
        self.named = SigningKey(key_id=self.key_id, public_key=self.public_key)

    def sign(self, message: bytes) -> Signature:
        return Signature(key_id=self.key_id, signature=self._private.sign(message))


A, B, C, RECOVERY, THIEF = (Key(word) for word in ("a", "b", "c", "recovery", "thief"))
TLS = TlsKey(certificate=b"certificate", spki_sha256=bytes(32))
FIRST = Card(
    id="0088:4012345000009",
    name="Meyer",
    sequence=1,
    signing_keys=(A.named,),
    tls_keys=(TLS,),
    recovery_sha256=hashlib.sha256(RECOVERY.public_key).digest(),
    issued_at=AT,
)


def signed(card: Card, keys: Sequence[Key], recovery: bytes = b"") -> HeldCard:
    body = wire.encode(card)
    signatures = tuple(key.sign(CARD_DOMAIN + body) for key in keys)
    return HeldCard(SignedCard(body=body, signatures=signatures, recovery_public_key=recovery), card)


def after(before: HeldCard, keys: Sequence[Key], **changes: Any) -> Card:
    return replace(
        before.card,
        sequence=before.card.sequence + 1,
        previous_sha256=before.sha256,
        signing_keys=tuple(key.named for key in keys),
        **changes,
    )


def why(held: HeldCard, history: Sequence[HeldCard] = (), revoked: frozenset[str] = frozenset()) -> str:
    """Why a card is refused."""
    with pytest.raises(RefusedError) as caught:
        verify_successor(held, history, verify, revoked) if history else verify_first(held, verify)
    assert caught.value.code == "bad-card"
    return caught.value.message


def test_first_card() -> None:
    verify_first(signed(FIRST, [A]), verify)
    derived = replace(FIRST, id=derived_participant(A.public_key), signing_keys=(A.named, B.named))
    verify_first(signed(derived, [A, B]), verify)
    assert "derived from another key" in why(signed(replace(derived, signing_keys=(B.named, A.named)), [A, B]))
    assert f"its key {B.key_id} has not signed it" in why(signed(derived, [A]))
    assert "the first one is needed" in why(signed(replace(FIRST, sequence=2), [A]))


def test_a_signature_of_other_bytes_is_none() -> None:
    held = signed(FIRST, [A])
    other = replace(held.signed, body=held.signed.body + b" ")
    assert "has not signed it" in why(HeldCard(other, FIRST))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"id": "0088:4012345000008"}, "check digit"),
        ({"id": "9930:de123456789"}, "one spelling"),
        ({"name": " "}, "no name"),
        ({"issued_at": None}, "when it was issued"),
        ({"recovery_sha256": b""}, "recovery key"),
        ({"signing_keys": ()}, "1 to"),
        ({"tls_keys": ()}, "1 to"),
        (
            {"tls_keys": tuple(TlsKey(certificate=b"c", spki_sha256=bytes([i] * 32)) for i in range(KEYS_MAX + 1))},
            "1 to",
        ),
        ({"signing_keys": (replace(A.named, key_id=B.key_id),)}, "under its own id"),
        ({"signing_keys": (replace(A.named, public_key=b"short"),)}, "under its own id"),
        ({"tls_keys": (TlsKey(certificate=b"c", spki_sha256=b"short"),)}, "its hash"),
        ({"tls_keys": (TLS, TLS)}, "a key twice"),
        ({"signing_keys": (A.named, A.named)}, "a key twice"),
    ],
)
def test_incomplete_cards(changes: dict[str, Any], text: str) -> None:
    assert text in why(signed(replace(FIRST, **changes), [A]))


def test_successors() -> None:
    first = signed(FIRST, [A])
    overlap = signed(after(first, [A, B]), [A, B])
    alone = signed(after(overlap, [B]), [B])
    verify_history([first, overlap, alone], verify)
    assert "does not follow card 1" in why(alone, [first])
    assert "does not follow card 3" in why(overlap, [first, overlap, alone])
    assert "no key in force of card 1 has signed it" in why(signed(after(first, [B]), [B]), [first])
    assert f"its key {B.key_id} has not signed it" in why(signed(after(first, [A, B]), [A]), [first])
    assert "no successor of a card of" in why(signed(after(first, [A], id="0060:123456789"), [A]), [first])
    assert "another recovery key" in why(signed(after(first, [A], recovery_sha256=bytes(32)), [A]), [first])


def test_revoked_keys_sign_no_cards_and_do_not_come_back() -> None:
    first = signed(FIRST, [A])
    overlap = signed(after(first, [A, B]), [A, B])
    revoked = frozenset({A.key_id})
    assert "no key in force" in why(signed(after(overlap, [A, C]), [A, C]), [first, overlap], revoked)
    assert "brings back the revoked key" in why(signed(after(overlap, [A, B]), [B]), [first, overlap], revoked)
    verify_successor(signed(after(overlap, [B]), [B]), [first, overlap], verify, revoked)


def test_the_recovery_key_outranks_a_thief() -> None:
    first = signed(FIRST, [A])
    stolen = signed(after(first, [THIEF]), [A, THIEF])
    verify_successor(stolen, [first], verify)
    card = replace(after(first, [C]), sequence=3)
    back = signed(card, [RECOVERY, C], RECOVERY.public_key)
    verify_history([first, stolen, back], verify)
    history = [first, stolen]
    assert "not the one that the first card commits to" in why(signed(card, [THIEF, C], THIEF.public_key), history)
    assert "the recovery key's signature" in why(signed(card, [C], RECOVERY.public_key), history)
    low = replace(card, sequence=2)
    assert "count higher than 2" in why(signed(low, [RECOVERY, C], RECOVERY.public_key), history)
    loose = replace(card, previous_sha256=bytes(32))
    assert "must name a card that we hold" in why(signed(loose, [RECOVERY, C], RECOVERY.public_key), history)


def test_fingerprints() -> None:
    digest = hashlib.sha256(b"card").digest()
    shown = fingerprint(digest)
    assert [len(group) for group in shown.split("-")] == [4] * 5
    assert fingerprint(bytes(32)) == "0000-0000-0000-0000-0000"
    assert fingerprint(b"\xff" * 32) == "ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ"
    assert fingerprint(bytes([*digest[:12], digest[12] ^ 0x10, *digest[13:]])) != shown
    assert canonical_fingerprint("oil0-0000 0000 0000-000o") == "0110-0000-0000-0000-0000"
    for wrong in ("", "0000", "U" * 20, "0" * 21, shown + "-0"):
        with pytest.raises(RefusedError):
            canonical_fingerprint(wrong)


@given(st.binary(min_size=32, max_size=32))
def test_fingerprints_survive_the_telephone(digest: bytes) -> None:
    shown = fingerprint(digest)
    assert canonical_fingerprint(shown.lower().replace("-", "").replace("1", "l").replace("0", "o")) == shown


@given(st.binary(min_size=32, max_size=32))
def test_secrets_survive_paper(secret: bytes) -> None:
    text = encode_secret(secret)
    assert decode_secret(text.lower().replace("o", "0").replace("i", "1")) == secret


@given(st.binary(min_size=32, max_size=32), st.data())
def test_mistyped_secrets_are_noticed(secret: bytes, data: st.DataObject) -> None:
    text = encode_secret(secret).replace(" ", "")
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"))
    wrong = text[:place] + letter + text[place + 1 :]
    if wrong != text:
        with pytest.raises(RefusedError):
            decode_secret(wrong)
    for bad in ("", text[1:], text[:-1], text + "A", "é" * 56):
        with pytest.raises(RefusedError):
            decode_secret(bad)
