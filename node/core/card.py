"""Partner cards: who a partner is and which keys speak for it, and the rules by which one card follows another.

A card is signed as the bytes it is, after a domain string. The first card is signed by all of its own keys, so that
each proves that it is held; nobody vouches for it but the people who compare its fingerprint. Every later card names
the hash of the one before, keeps id and recovery hash, and is signed by a key of the card before, or by the offline
recovery key. New keys sign along with it. Signatures are checked by a function that is passed in; nothing here knows a
curve.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from node.core.document.common import Address, Contact, PartyIdentifier, Reason
from node.core.identifiers import check_participant
from node.errors import RefusedError

__all__ = [
    "CARD_DOMAIN",
    "CONFIRMATION_DOMAIN",
    "FINGERPRINT_BITS",
    "KEYS_MAX",
    "PROTOCOL_TYPES",
    "Card",
    "CardConfirmation",
    "CardUnit",
    "GoLive",
    "HeldCard",
    "Revocation",
    "Signature",
    "SignedCard",
    "SigningKey",
    "TlsKey",
    "canonical_fingerprint",
    "confirmation_bytes",
    "decode_secret",
    "derived_participant",
    "encode_secret",
    "fingerprint",
    "key_id_of",
    "verify_first",
    "verify_history",
    "verify_successor",
]

CARD_DOMAIN = b"hansa.v1 card\x00"
CONFIRMATION_DOMAIN = b"hansa.v1 confirmation\x00"

PROTOCOL_TYPES = frozenset({"PartnerCard", "CardConfirmation", "GoLive", "Revocation"})
"""Documents that the nodes exchange for themselves; "PartnerCard" carries the bytes of a SignedCard."""

FINGERPRINT_BITS = 100
"""Bits of SHA-256 in a fingerprint: more than can be searched for, few enough to read over the telephone."""

KEYS_MAX = 8
"""Most signing keys, and most TLS keys, on one card."""

PUBLIC_KEY_BYTES = 32
SHA256_BYTES = 32

# Crockford's base 32: no I, L, O or U, and those that are read for others are taken as what they look like.
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOKALIKES = str.maketrans({"O": "0", "I": "1", "L": "1", "-": "", " ": ""})

Verify = Callable[[bytes, bytes, bytes], bool]
"""(public key, signature, message) -> whether the Ed25519 signature is good."""


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """An Ed25519 public key (32 bytes) under the id that `key_id_of` gives it."""

    key_id: str = ""
    public_key: bytes = b""
    not_before: datetime | None = None
    not_after: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class TlsKey:
    """A self-signed certificate (DER), and the SHA-256 of its public key (SPKI), which is what counts."""

    certificate: bytes = b""
    spki_sha256: bytes = b""


@dataclass(frozen=True, kw_only=True)
class CardUnit:
    """A business unit inside the company that documents can be addressed to."""

    code: str = ""
    name: str = ""
    address: Address | None = None
    contacts: tuple[Contact, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Card:
    """Who a partner is, where it answers, and which keys speak for it: the oldest first, the newest last."""

    id: str = ""
    identifiers: tuple[PartyIdentifier, ...] = ()
    name: str = ""
    roles: tuple[str, ...] = ()
    sequence: int = 0
    previous_sha256: bytes = b""
    endpoint: str = ""
    signing_keys: tuple[SigningKey, ...] = ()
    tls_keys: tuple[TlsKey, ...] = ()
    recovery_sha256: bytes = b""
    units: tuple[CardUnit, ...] = ()
    contacts: tuple[Contact, ...] = ()
    issued_at: datetime | None = None
    accepts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Signature:
    """A signature, and the key that made it."""

    key_id: str = ""
    signature: bytes = b""


@dataclass(frozen=True, kw_only=True)
class SignedCard:
    """The bytes of a Card and who signed them; the recovery key's public key is there when that one signed."""

    body: bytes = b""
    signatures: tuple[Signature, ...] = ()
    recovery_public_key: bytes = b""


@dataclass(frozen=True, kw_only=True)
class CardConfirmation:
    """ "We have compared the fingerprint of your card and stand by it." `id` is the company whose card it is."""

    card_sha256: bytes = b""
    id: str = ""
    signature: Signature | None = None


@dataclass(frozen=True, kw_only=True)
class GoLive:
    """The company `id` agrees that the links carry productive documents from now on; in force when both have agreed."""

    id: str = ""
    agreed_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Revocation:
    """The company `id` says: this key of ours speaks for us only up to that number of our link to you."""

    id: str = ""
    key_id: str = ""
    last_good_number: int = 0
    revoked_at: datetime | None = None
    reason: Reason | None = None


class HeldCard(NamedTuple):
    """A card beside the signed bytes that it was read from."""

    signed: SignedCard
    card: Card

    @property
    def sha256(self) -> bytes:
        """The hash by which the next card, confirmations and hellos name this one."""
        return hashlib.sha256(self.signed.body).digest()


def key_id_of(public_key: bytes) -> str:
    """The id of a key: the first 16 hex digits of the SHA-256 of its public key."""
    return hashlib.sha256(public_key).hexdigest()[:16]


def derived_participant(first_public_key: bytes) -> str:
    """The participant id of a company that has no registered one, from the first signing key of its first card."""
    return f"hansa:{hashlib.sha256(first_public_key).hexdigest()[:32]}"


def fingerprint(card_sha256: bytes) -> str:
    """What people compare: 100 bits of a first card's hash in Crockford's base 32, "XXXX-XXXX-XXXX-XXXX-XXXX"."""
    number = int.from_bytes(card_sha256, "big") >> (8 * len(card_sha256) - FINGERPRINT_BITS)
    letters = [_LETTERS[(number >> shift) & 31] for shift in range(FINGERPRINT_BITS - 5, -1, -5)]
    return "-".join("".join(letters[i : i + 4]) for i in range(0, len(letters), 4))


def canonical_fingerprint(text: str) -> str:
    """A fingerprint as somebody typed it, in its one spelling. Raises RefusedError ``bad-fingerprint``."""
    plain = text.strip().upper().translate(_LOOKALIKES)
    if len(plain) * 5 != FINGERPRINT_BITS or set(plain) - set(_LETTERS):
        raise RefusedError(
            f"{text[:60]!r} is not a fingerprint",
            code="bad-fingerprint",
            hint="A fingerprint is 20 letters and digits, such as 7K2M-Q9XB-04ZT-HN5E-W8RC; see `hansa partner card`.",
        )
    return "-".join(plain[i : i + 4] for i in range(0, len(plain), 4))


def encode_secret(secret: bytes) -> str:
    """A secret as text to write down: base 32 in groups of five, with a check sum at the end."""
    checked = secret + hashlib.sha256(b"hansa.v1 secret\x00" + secret).digest()[:3]
    text = base64.b32encode(checked).decode().rstrip("=")
    return " ".join(text[i : i + 5] for i in range(0, len(text), 5))


def decode_secret(text: str) -> bytes:
    """The secret that `encode_secret` wrote. Raises RefusedError ``bad-secret`` when it was mistyped."""
    plain = "".join(text.upper().split()).replace("-", "").replace("0", "O").replace("1", "I").replace("8", "B")
    try:
        checked = base64.b32decode(plain + "=" * (-len(plain) % 8))
    except ValueError:
        checked = b""
    secret = checked[:-3]
    if not secret or encode_secret(secret).replace(" ", "") != plain:
        raise RefusedError(
            "this is not the recovery key: letters are missing, added or mistyped",
            code="bad-secret",
            hint="Type it as `hansa init` printed it; blanks and small letters do not matter.",
        )
    return secret


def confirmation_bytes(card_id: str, card_sha256: bytes) -> bytes:
    """What a card confirmation's signature covers."""
    return CONFIRMATION_DOMAIN + card_sha256 + card_id.encode()


def verify_first(held: HeldCard, verify: Verify) -> None:
    """Check a first card: complete, and signed by each of its own keys. Raises RefusedError ``bad-card``."""
    card = held.card
    _check_shape(card)
    if card.sequence != 1 or card.previous_sha256:
        raise _refused(card, f"it is card {card.sequence} of its owner; the first one is needed, too")
    if card.id.startswith("hansa:") and card.id != derived_participant(card.signing_keys[0].public_key):
        raise _refused(card, "its participant id is derived from another key")
    _check_new_keys(held, frozenset(), verify)


def verify_successor(
    held: HeldCard, history: Sequence[HeldCard], verify: Verify, revoked: frozenset[str] = frozenset()
) -> None:
    """Check that a card follows from the cards before it, of which there is at least one.

    A key of the newest card that is not in `revoked` must have signed it; or the recovery key, which may name any card
    of the history, so that a thief's card cannot shut the owner out. Raises RefusedError ``bad-card``.
    """
    card, newest = held.card, history[-1]
    _check_shape(card)
    if card.id != newest.card.id:
        raise _refused(card, f"it is no successor of a card of {newest.card.id}")
    if card.recovery_sha256 != newest.card.recovery_sha256:
        raise _refused(card, "it names another recovery key than the first card")
    known = frozenset(key.key_id for one in history for key in one.card.signing_keys)
    if held.signed.recovery_public_key:
        _check_recovery(held, history, verify)
    else:
        if card.sequence != newest.card.sequence + 1 or card.previous_sha256 != newest.sha256:
            raise _refused(card, f"it does not follow card {newest.card.sequence}, the newest that we hold")
        keys = {key.key_id: key.public_key for key in newest.card.signing_keys if key.key_id not in revoked}
        if not any(
            one.key_id in keys and verify(keys[one.key_id], one.signature, CARD_DOMAIN + held.signed.body)
            for one in held.signed.signatures
        ):
            raise _refused(card, f"no key in force of card {newest.card.sequence} has signed it")
    if back := {key.key_id for key in card.signing_keys} & revoked:
        raise _refused(card, f"it brings back the revoked key {min(back)}")
    _check_new_keys(held, known, verify)


def verify_history(history: Sequence[HeldCard], verify: Verify) -> None:
    """Check a company's cards from the first one on. Raises RefusedError ``bad-card``."""
    verify_first(history[0], verify)
    for position, held in enumerate(history[1:], start=1):
        verify_successor(held, history[:position], verify)


def _check_recovery(held: HeldCard, history: Sequence[HeldCard], verify: Verify) -> None:
    card, public_key = held.card, held.signed.recovery_public_key
    if hashlib.sha256(public_key).digest() != card.recovery_sha256:
        raise _refused(card, "its recovery key is not the one that the first card commits to")
    if card.sequence <= history[-1].card.sequence or card.previous_sha256 not in {one.sha256 for one in history}:
        raise _refused(card, f"it must name a card that we hold, and count higher than {history[-1].card.sequence}")
    key_id = key_id_of(public_key)
    message = CARD_DOMAIN + held.signed.body
    if not any(one.key_id == key_id and verify(public_key, one.signature, message) for one in held.signed.signatures):
        raise _refused(card, "the recovery key's signature does not fit")


def _check_new_keys(held: HeldCard, known: frozenset[str], verify: Verify) -> None:
    """Each signing key that the card brings has signed it: a card cannot claim a key that its owner does not hold."""
    signatures = {one.key_id: one.signature for one in held.signed.signatures}
    for key in held.card.signing_keys:
        if key.key_id in known:
            continue
        signature = signatures.get(key.key_id)
        if signature is None or not verify(key.public_key, signature, CARD_DOMAIN + held.signed.body):
            raise _refused(held.card, f"its key {key.key_id} has not signed it")


def _check_shape(card: Card) -> None:
    try:
        if check_participant(card.id) != card.id:
            raise _refused(card, "its participant id is not in the one spelling of its scheme")
    except RefusedError as error:
        raise _refused(card, error.message) from None
    if not card.name.strip():
        raise _refused(card, "it has no name")
    if card.issued_at is None:
        raise _refused(card, "it does not say when it was issued")
    if len(card.recovery_sha256) != SHA256_BYTES:
        raise _refused(card, "it does not commit to a recovery key")
    if not 1 <= len(card.signing_keys) <= KEYS_MAX or not 1 <= len(card.tls_keys) <= KEYS_MAX:
        raise _refused(card, f"it must carry 1 to {KEYS_MAX} signing keys, and as many TLS keys")
    for key in card.signing_keys:
        if len(key.public_key) != PUBLIC_KEY_BYTES or key.key_id != key_id_of(key.public_key):
            raise _refused(card, f"its key {key.key_id[:32]!r} is not an Ed25519 key under its own id")
    if any(len(key.spki_sha256) != SHA256_BYTES or not key.certificate for key in card.tls_keys):
        raise _refused(card, "one of its TLS keys lacks the certificate or its hash")
    ids = [key.key_id for key in card.signing_keys]
    pins = [key.spki_sha256 for key in card.tls_keys]
    if len(set(ids)) != len(ids) or len(set(pins)) != len(pins):
        raise _refused(card, "it names a key twice")


def _refused(card: Card, why: str) -> RefusedError:
    return RefusedError(
        f"the card of {card.id[:60] or 'nobody'} cannot be taken: {why}",
        code="bad-card",
        hint="Ask the partner for the file that `hansa partner card` writes today.",
    )
