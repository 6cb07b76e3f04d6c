"""What the store knows of cards: histories, which keys speak for whom, and which of our own keys a partner knows.

A partner learns of our new card when it takes the document that carries it, each partner at its own time. Until then we
go on with a key that it knows. What we know of that is kept in one small note for each partner.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from node import wire
from node.app.context import Context
from node.app.links.outbox import enqueue_protocol
from node.core.card import CARD_DOMAIN, Card, HeldCard, Signature, SignedCard, SigningKey, TlsKey
from node.core.rows import CardRow, PartnerRow
from node.errors import RefusedError
from node.ports import Signer, Transaction

__all__ = [
    "KeyInForce",
    "Notes",
    "active_partners",
    "armoured",
    "check_signers",
    "history",
    "issue",
    "keys_in_force",
    "known_card",
    "notes",
    "partner_of",
    "put_notes",
    "read_card",
    "read_card_file",
    "remember_pins",
    "send_card",
    "signer_for",
    "tls_for",
    "tls_presented",
    "trusted",
]

CARD_FILE_BYTES_MAX = 1_048_576
"""Largest card file that is read."""

_BEGIN, _END = "-----BEGIN HANSA CARD-----", "-----END HANSA CARD-----"
_BLOCK = re.compile(f"{_BEGIN}(.*?){_END}", re.DOTALL)
_CARDS_CACHED = 1024


class KeyInForce(NamedTuple):
    """A partner's signing key, and between which numbers of its link to us it speaks."""

    key_id: str
    public_key: bytes
    from_number: int
    until_number: int | None  # None: still speaks
    not_after: datetime | None
    revoked: bool


@dataclass
class Notes:
    """What we remember of one partner's and our own cards beside the cards themselves."""

    known: int | None = None  # our newest card that the partner is known to hold
    sent: dict[int, int] = field(default_factory=dict)  # sequence of our card -> document that carries it
    confirmation: str = ""  # the partner's CardConfirmation over a card of ours, in hexadecimal
    revoked: dict[str, int] = field(default_factory=dict)  # key of the partner's -> last good number
    told: list[str] = field(default_factory=list)  # keys of ours whose revocation the partner was sent
    revoking: dict[str, str] = field(default_factory=dict)  # our own row: key that we revoke -> why


def notes(tx: Transaction, partner_id: str) -> Notes:
    """What we remember of a partner (or, under our own id, of ourselves)."""
    text = tx.settings.get(f"cards/{partner_id}")
    if not text:
        return Notes()
    found = Notes(**json.loads(text))
    found.sent = {int(sequence): document_id for sequence, document_id in found.sent.items()}
    return found


def put_notes(tx: Transaction, partner_id: str, what: Notes) -> None:
    """Remember it."""
    tx.settings.put(f"cards/{partner_id}", json.dumps(vars(what), sort_keys=True))


@lru_cache(maxsize=_CARDS_CACHED)
def read_card(signed: bytes) -> HeldCard:
    """The card in these SignedCard bytes, not verified. Raises InvalidFieldsError."""
    outer = wire.decode(SignedCard, signed)
    return HeldCard(outer, wire.decode(Card, outer.body))


def armoured(cards: Iterable[bytes]) -> str:
    """A card file: signed cards from the first one on, as text that survives mail and paste."""
    blocks = []
    for signed in cards:
        text = base64.b64encode(signed).decode()
        lines = [text[i : i + 76] for i in range(0, len(text), 76)]
        blocks.append("\n".join([_BEGIN, *lines, _END]) + "\n")
    return "".join(blocks)


def read_card_file(data: bytes) -> list[bytes]:
    """The signed cards in a card file. Raises RefusedError ``bad-card-file``."""
    hint = "Give the file that the partner's `hansa partner card` wrote, whole."
    if len(data) > CARD_FILE_BYTES_MAX:
        raise RefusedError(f"the card file has {len(data)} bytes; that is too much", code="bad-card-file", hint=hint)
    text = data.decode("ascii", errors="replace")
    try:
        cards = [base64.b64decode("".join(block.split()), validate=True) for block in _BLOCK.findall(text)]
    except ValueError:
        raise RefusedError("the card file is damaged", code="bad-card-file", hint=hint) from None
    if not cards:
        raise RefusedError("there is no card in this file", code="bad-card-file", hint=hint)
    return cards


def history(tx: Transaction, partner_id: str) -> list[HeldCard]:
    """A company's cards from the first to the newest; [] for a company without any."""
    return [read_card(row.signed) for row in tx.partners.cards(partner_id)]


# --- a partner's keys -------------------------------------------------------------------------------------------------


def keys_in_force(tx: Transaction, partner_id: str) -> list[KeyInForce]:
    """Every signing key that a partner's cards ever named, newest first, with the numbers between which it speaks."""
    rows = tx.partners.cards(partner_id)
    revoked = notes(tx, partner_id).revoked
    found: dict[str, tuple[SigningKey, int]] = {}
    until: dict[str, int] = {}
    for row in rows:
        named = {key.key_id: key for key in read_card(row.signed).card.signing_keys}
        for key_id in found.keys() - named.keys():
            until.setdefault(key_id, row.from_number)
        for key_id, key in named.items():
            found[key_id] = (key, found[key_id][1] if key_id in found else row.from_number)
            until.pop(key_id, None)
    keys = []
    for key_id, (key, since) in reversed(found.items()):
        ends = [number for number in (until.get(key_id), revoked.get(key_id)) if number is not None]
        last = min(ends) if ends else None
        keys.append(KeyInForce(key_id, key.public_key, since, last, key.not_after, key_id in revoked))
    return keys


def remember_pins(tx: Transaction, partner_id: str, before: Sequence[TlsKey], after: Sequence[TlsKey]) -> None:
    """Know the partner by the TLS keys of its newest card, and by these alone."""
    for key in before:
        tx.settings.put(f"tls/{key.spki_sha256.hex()}", "")
    for key in after:
        tx.settings.put(f"tls/{key.spki_sha256.hex()}", partner_id)


def partner_of(tx: Transaction, spki_sha256: bytes) -> str | None:
    """The partner whose newest card names this TLS key (SHA-256 of its SPKI); None for strangers and revoked ones."""
    partner_id = tx.settings.get(f"tls/{spki_sha256.hex()}")
    if not partner_id:
        return None
    row = tx.partners.get(partner_id)
    return partner_id if row is not None and row.state in ("added", "confirmed") else None


def active_partners(tx: Transaction) -> list[PartnerRow]:
    """Partners that may connect."""
    return [row for row in tx.partners.all() if row.state in ("added", "confirmed")]


def trusted(tx: Transaction) -> dict[str, tuple[TlsKey, ...]]:
    """The TLS keys of every partner that may connect: what the transport lets in, and expects when it dials."""
    return {row.partner_id: history(tx, row.partner_id)[-1].card.tls_keys for row in active_partners(tx)}


# --- our own keys -----------------------------------------------------------------------------------------------------


def known_card(tx: Transaction, partner_id: str, own: Sequence[HeldCard]) -> HeldCard | None:
    """Our newest card that this partner is known to hold; None when it has not yet shown that it holds any."""
    noted = notes(tx, partner_id)
    for held in reversed(own):
        sequence = held.card.sequence
        if noted.known is not None and sequence <= noted.known:
            return held
        document_id = noted.sent.get(sequence)
        if document_id is None:
            continue
        row = tx.documents.get(document_id)
        if row is not None and row.state == "taken":
            return held
    return None


def signer_for(tx: Transaction, ctx: Context, partner_id: str) -> Signer:
    """Our newest signing key that this partner knows, that we still hold, and that we are not about to revoke.

    When there is none, the newest one: the partner then needs our newest card as a file. Raises ConfigError.
    """
    own_id = tx.partners.own().partner_id
    own = history(tx, own_id)
    newest = own[-1].card.signing_keys
    if len(own) == 1 and len(newest) == 1:
        return ctx.keyring.signer(newest[0].key_id)
    known = known_card(tx, partner_id, own)
    # A partner that was just added may hold an older file of ours; our oldest key that still counts is on that, too.
    candidates = [key.key_id for key in reversed(known.card.signing_keys)] if known else [newest[0].key_id]
    held = set(ctx.keyring.key_ids())
    revoking = notes(tx, own_id).revoking
    usable = [key_id for key_id in candidates if key_id in held]
    good = [key_id for key_id in usable if key_id not in revoking]
    return ctx.keyring.signer((good or usable or [newest[-1].key_id])[0])


def check_signers(tx: Transaction, ctx: Context) -> None:
    """Open every signing key that we are to sign with. Raises ConfigError that names the file that cannot be used."""
    newest = history(tx, tx.partners.own().partner_id)[-1].card.signing_keys[-1]
    ctx.keyring.signer(newest.key_id)
    for row in active_partners(tx):
        signer_for(tx, ctx, row.partner_id)


def tls_for(tx: Transaction, partner_id: str) -> bytes:
    """The SPKI hash of our newest TLS key that this partner knows: to be presented when we dial it."""
    return _pins_known(tx, partner_id, history(tx, tx.partners.own().partner_id))[-1]


def tls_presented(tx: Transaction) -> bytes:
    """The SPKI hash of our newest TLS key that all partners know: to be presented to whoever dials us.

    When there is none that all know, the oldest one that our newest card names.
    """
    own = history(tx, tx.partners.own().partner_id)
    newest = [key.spki_sha256 for key in own[-1].card.tls_keys]
    common = set(newest)
    for row in active_partners(tx):
        common &= set(_pins_known(tx, row.partner_id, own))
    return next((pin for pin in reversed(newest) if pin in common), newest[0])


def _pins_known(tx: Transaction, partner_id: str, own: Sequence[HeldCard]) -> list[bytes]:
    """The SPKI hashes of ours that the partner knows, oldest first; never empty."""
    known = known_card(tx, partner_id, own)
    if known is None:
        return [own[-1].card.tls_keys[0].spki_sha256]
    return [key.spki_sha256 for key in known.card.tls_keys]


def issue(tx: Transaction, ctx: Context, card: Card, signers: Sequence[Signer], recovery: bytes = b"") -> HeldCard:
    """Sign and store a card of our own; `recovery`: the recovery key's public key when it is among `signers`."""
    body = wire.encode(card)
    signatures = tuple(Signature(key_id=one.key_id, signature=one.sign(CARD_DOMAIN + body)) for one in signers)
    signed = SignedCard(body=body, signatures=signatures, recovery_public_key=recovery)
    held = HeldCard(signed, card)
    tx.partners.put_card(
        CardRow(
            partner_id=card.id,
            sequence=card.sequence,
            signed=wire.encode(signed),
            sha256=held.sha256,
            from_number=0,
            confirmed=b"",
            added_at=ctx.now_micros(),
        )
    )
    return held


def send_card(tx: Transaction, ctx: Context, partner_id: str, held: HeldCard) -> None:
    """Let a card of ours wait for the partner, and note which document carries it."""
    noted = notes(tx, partner_id)
    if held.card.sequence not in noted.sent:
        document_id = enqueue_protocol(tx, ctx, partner_id, "PartnerCard", wire.encode(held.signed))
        noted.sent[held.card.sequence] = document_id
        put_notes(tx, partner_id, noted)
