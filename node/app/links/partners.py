"""Partners: setting up our own identity, adding and confirming partners, going live, and what their nodes say of keys.

Two commands a side connect two companies: each writes its card (`own_card`), and adds the other's with the fingerprint
that the other read out (`add`). A partner is "added" when we hold its card, and "confirmed" when both sides have
compared fingerprints and countersigned; only then are business documents exchanged. Links start in test.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from node import wire
from node.app.context import Context
from node.app.links.cards import (
    CARD_FILE_BYTES_MAX,
    KeyInForce,
    armoured,
    history,
    issue,
    keys_in_force,
    known_card,
    notes,
    partner_of,
    put_notes,
    read_card,
    read_card_file,
    remember_pins,
    send_card,
    signer_for,
    tls_for,
    tls_presented,
    trusted,
)
from node.app.links.outbox import enqueue_protocol
from node.app.stock import drawdown
from node.app.stock.inventory import resend_stock
from node.core.card import (
    PROTOCOL_TYPES,
    Card,
    CardConfirmation,
    GoLive,
    Revocation,
    Signature,
    SigningKey,
    TlsKey,
    canonical_fingerprint,
    confirmation_bytes,
    derived_participant,
    encode_secret,
    fingerprint,
    verify_first,
    verify_successor,
)
from node.core.document.common import Contact, PartyIdentifier, Reason
from node.core.identifiers import check_participant
from node.core.link import chain_start, link_id_of
from node.core.rows import CardRow, LinkRow, PartnerRow
from node.errors import ConfigError, RefusedError
from node.keyring import check_certificate, recovery_signer
from node.ports import Signer, Transaction

__all__ = [
    "CARD_FILE_BYTES_MAX",
    "PROTOCOL_TYPES",
    "Initialised",
    "KeyInForce",
    "KeyMaker",
    "NewSigner",
    "add",
    "confirm",
    "fingerprint_of",
    "go_live",
    "init",
    "keys_in_force",
    "known_card",
    "new_signing_key",
    "own_card",
    "partner_of",
    "revoke_partner",
    "signer_for",
    "take_protocol",
    "tls_for",
    "tls_presented",
    "trusted",
]

RECOVERY_SEED_BYTES = 32
_REVOKED = "We have revoked this partner"


class NewSigner(Signer, Protocol):
    """A signer whose public key can go on a card."""

    @property
    def public_key(self) -> bytes: ...


class KeyMaker(Protocol):
    """Makes and stores new private keys; `node.keyring.Keyring` does."""

    def new_signing(self, token: Callable[[int], bytes]) -> NewSigner:
        """A new signing key; `token(size)` gives unpredictable bytes. Raises ConfigError."""

    def new_tls(self) -> TlsKey:
        """A new TLS key. Raises ConfigError."""


@dataclass(frozen=True, slots=True)
class Initialised:
    """Our new identity. `recovery` is shown to the user once and stored nowhere."""

    partner_id: str
    fingerprint: str
    recovery: str


def new_signing_key(ctx: Context, maker: KeyMaker) -> tuple[NewSigner, SigningKey]:
    """A new signing key, and how a card names it."""
    signer = maker.new_signing(ctx.random.token)
    return signer, SigningKey(key_id=signer.key_id, public_key=signer.public_key, not_before=ctx.now())


def init(
    tx: Transaction,
    ctx: Context,
    maker: KeyMaker,
    *,
    name: str,
    partner_id: str = "",
    endpoint: str = "",
    roles: Sequence[str] = (),
    identifiers: Sequence[PartyIdentifier] = (),
    contacts: Sequence[Contact] = (),
    accepts: Sequence[str] = (),
) -> Initialised:
    """Make our keys and our first card. Without `partner_id`, one is derived from the first key.

    Raises ConfigError when this node has an identity already, RefusedError for an id that is none.
    """
    try:
        there = tx.partners.own()
    except ConfigError:
        pass
    else:
        raise ConfigError(
            f"this node is {there.partner_id} ({there.name}) already",
            hint="Use another --home for another company; `hansa key rotate` makes new keys.",
        )
    claimed = check_participant(partner_id) if partner_id else ""
    if not name.strip():
        raise RefusedError("a company needs a name", code="no-name", hint="Give --name.")
    signer, signing_key = new_signing_key(ctx, maker)
    seed = ctx.random.token(RECOVERY_SEED_BYTES)
    card = Card(
        id=claimed or derived_participant(signer.public_key),
        identifiers=tuple(identifiers),
        name=name.strip(),
        roles=tuple(roles),
        sequence=1,
        endpoint=endpoint,
        signing_keys=(signing_key,),
        tls_keys=(maker.new_tls(),),
        recovery_sha256=hashlib.sha256(recovery_signer(seed).public_key).digest(),
        contacts=tuple(contacts),
        issued_at=ctx.now(),
        accepts=tuple(accepts),
    )
    tx.partners.put(_partner_row(card, "self", card.name, ctx.now_micros()))
    held = issue(tx, ctx, card, [signer])
    return Initialised(card.id, fingerprint(held.sha256), encode_secret(seed))


def own_card(tx: Transaction) -> str:
    """Our card file, to be given to partners: all of our cards, so that they lead from the fingerprint to today."""
    return armoured(row.signed for row in tx.partners.cards(tx.partners.own().partner_id))


def fingerprint_of(tx: Transaction, partner_id: str = "") -> str:
    """The fingerprint of a partner's first card, or of our own. Raises RefusedError ``unknown-partner``."""
    rows = tx.partners.cards(partner_id or tx.partners.own().partner_id)
    if not rows:
        raise _unknown(partner_id)
    return fingerprint(rows[0].sha256)


# --- adding and confirming --------------------------------------------------------------------------------------------


def add(
    tx: Transaction, ctx: Context, data: bytes, *, name: str | None = None, expected: str | None = None
) -> PartnerRow:
    """Take a partner's card file: a new partner, or newer cards of one that we have.

    `expected` is the fingerprint that a human had from the partner itself; with it, the partner is confirmed on our
    side. Raises RefusedError (``bad-card-file``, ``bad-card``, ``bad-certificate``, ``bad-fingerprint``,
    ``wrong-fingerprint``, ``own-card``).
    """
    signed = read_card_file(data)
    partner_id = read_card(signed[0]).card.id
    if partner_id == tx.partners.own().partner_id:
        raise RefusedError("this is our own card", code="own-card", hint="Add the file that the partner has sent.")
    if not tx.partners.cards(partner_id):
        _add_new(tx, ctx, signed, name)
    incoming = tx.links.get(partner_id, "in")
    assert incoming is not None
    for one in signed:
        _take_card(tx, ctx, partner_id, one, incoming.number)
    if expected is not None:
        return confirm(tx, ctx, partner_id, expected)
    return _partner(tx, partner_id)


def _add_new(tx: Transaction, ctx: Context, signed: Sequence[bytes], name: str | None) -> None:
    first = read_card(signed[0])
    verify_first(first, ctx.verify)
    _check_tls_keys(tx, first.card)
    card, own = first.card, history(tx, tx.partners.own().partner_id)
    now = ctx.now_micros()
    tx.partners.put(_partner_row(card, "added", name or card.name, now))
    tx.partners.put_card(CardRow(card.id, 1, signed[0], first.sha256, 0, b"", now))
    remember_pins(tx, card.id, (), card.tls_keys)
    link_id = link_id_of(own[0].sha256, first.sha256)
    for direction, sender, receiver in (("out", own[0].card.id, card.id), ("in", card.id, own[0].card.id)):
        tx.links.put(
            LinkRow(
                partner_id=card.id,
                direction=direction,
                link_id=link_id,
                epoch=1,
                number=0,
                chain=chain_start(link_id, sender, receiver, 1),
                receipted_number=0,
                receipt_sequence=0,
                receipt_sha256=b"",
                oldest_number=0,
                stock_change=0,
                state="open",
                reason="",
            )
        )
    # The partner may hold an older file of ours than today's.
    for held in own[1:]:
        send_card(tx, ctx, card.id, held)


def confirm(tx: Transaction, ctx: Context, partner_id: str, expected: str) -> PartnerRow:
    """A human has compared the fingerprint: countersign the partner's card, and let it know.

    A revoked partner is let in again. Raises RefusedError (``unknown-partner``, ``bad-fingerprint``,
    ``wrong-fingerprint``).
    """
    row = _partner(tx, partner_id)
    rows = tx.partners.cards(partner_id)
    given, actual = canonical_fingerprint(expected), fingerprint(rows[0].sha256)
    if given != actual:
        raise RefusedError(
            f"the fingerprint is {actual}, not {given}: this card is not the one that the partner read out",
            code="wrong-fingerprint",
            hint="Ask the partner again, by telephone. If it stays so, the card did not come from the partner.",
        )
    if row.state == "revoked":
        _readmit(tx, ctx, row)
    newest = rows[-1]
    if not newest.confirmed:
        signer = signer_for(tx, ctx, partner_id)
        signature = signer.sign(confirmation_bytes(partner_id, newest.sha256))
        confirmation = wire.encode(
            CardConfirmation(
                card_sha256=newest.sha256,
                id=partner_id,
                signature=Signature(key_id=signer.key_id, signature=signature),
            )
        )
        tx.partners.put_card(newest._replace(confirmed=confirmation))
        enqueue_protocol(tx, ctx, partner_id, "CardConfirmation", confirmation)
    return _settle(tx, ctx, partner_id)


def _settle(tx: Transaction, ctx: Context, partner_id: str) -> PartnerRow:
    """Both have countersigned: the partner is confirmed. Both have agreed to go live: the links are productive."""
    row = _partner(tx, partner_id)
    ours = any(card.confirmed for card in tx.partners.cards(partner_id))
    if row.state == "added" and ours and notes(tx, partner_id).confirmation:
        row = row._replace(state="confirmed", confirmed_at=ctx.now_micros())
    if row.usage == "TEST" and row.we_live_at is not None and row.they_live_at is not None:
        row = row._replace(usage="PRODUCTION")
        # What was told in test does not count, neither by us nor by the partner.
        resend_stock(tx, partner_id)
        if told := tx.stock.current_snapshot(partner_id):
            tx.stock.put_snapshot(told._replace(state="old"))
        drawdown.forget_tests(tx, ctx, partner_id)
    tx.partners.put(row)
    return row


def go_live(tx: Transaction, ctx: Context, partner_id: str) -> PartnerRow:
    """Agree that the links carry productive documents; in force once the partner has agreed as well.

    Raises RefusedError (``unknown-partner``, ``not-confirmed``).
    """
    row = _partner(tx, partner_id)
    if row.state != "confirmed":
        raise RefusedError(
            f"{row.name} is {row.state}, not confirmed by both sides",
            code="not-confirmed",
            hint="Compare fingerprints on both sides first (`hansa partner confirm`), and connect once.",
        )
    if row.we_live_at is None:
        now = ctx.now()
        agreement = GoLive(id=tx.partners.own().partner_id, agreed_at=now)
        enqueue_protocol(tx, ctx, partner_id, "GoLive", wire.encode(agreement))
        tx.partners.put(row._replace(we_live_at=wire.micros(now)))
    return _settle(tx, ctx, partner_id)


def revoke_partner(tx: Transaction, ctx: Context, partner_id: str, reason: str = "") -> PartnerRow:
    """Deal with this partner no more: it cannot connect, and the shell must end its sessions now.

    What was exchanged stays, as evidence; `confirm` lets it in again. Raises RefusedError ``unknown-partner``.
    """
    row = _partner(tx, partner_id)._replace(state="revoked")
    tx.partners.put(row)
    for direction in ("out", "in"):
        there = tx.links.get(partner_id, direction)
        if there is not None and there.state == "open":
            tx.links.put(there._replace(state="stopped", reason=f"{_REVOKED}. {reason}".strip()))
    return row


def _readmit(tx: Transaction, ctx: Context, row: PartnerRow) -> None:
    tx.partners.put(row._replace(state="added" if row.confirmed_at is None else "confirmed"))
    for direction in ("out", "in"):
        there = tx.links.get(row.partner_id, direction)
        if there is not None and there.reason.startswith(_REVOKED):
            tx.links.put(there._replace(state="open", reason=""))
    for held in history(tx, tx.partners.own().partner_id)[1:]:
        send_card(tx, ctx, row.partner_id, held)


# --- what a partner's node says ---------------------------------------------------------------------------------------


def take_protocol(
    tx: Transaction, ctx: Context, partner_id: str, document_type: str, body: bytes, number: int
) -> list[Reason]:
    """Apply a document of `PROTOCOL_TYPES` that came as `number` of the partner's link; [] when it is taken."""
    try:
        if document_type == "PartnerCard":
            _take_card(tx, ctx, partner_id, body, number)
        elif document_type == "CardConfirmation":
            _take_confirmation(tx, ctx, partner_id, body)
        elif document_type == "GoLive":
            _take_go_live(tx, ctx, partner_id, wire.decode(GoLive, body))
        elif document_type == "Revocation":
            _take_revocation(tx, partner_id, wire.decode(Revocation, body), number)
        else:
            raise RefusedError(f"{document_type[:60]!r} is no document of the protocol", code="unknown-type")
    except RefusedError as error:
        return [Reason(code=error.code, text=error.message, language="en")]
    return []


def _take_card(tx: Transaction, ctx: Context, partner_id: str, signed: bytes, number: int) -> None:
    """A card that we hold changes nothing; a new one must follow from those we hold."""
    held = read_card(signed)
    rows = tx.partners.cards(partner_id)
    if any(row.sha256 == held.sha256 for row in rows):
        return
    cards = [read_card(row.signed) for row in rows]
    if held.card.sequence == 1 and held.card.id == partner_id:
        raise RefusedError(
            f"{partner_id} has another first card, with fingerprint {fingerprint(cards[0].sha256)}; "
            f"this one has {fingerprint(held.sha256)}",
            code="bad-card",
            hint="A company keeps its first card for ever. Its recovery key (`hansa key recover`) brings it back.",
        )
    verify_successor(held, cards, ctx.verify, frozenset(notes(tx, partner_id).revoked))
    _check_tls_keys(tx, held.card)
    tx.partners.put_card(CardRow(partner_id, held.card.sequence, signed, held.sha256, number, b"", ctx.now_micros()))
    newest = cards[-1].card
    remember_pins(tx, partner_id, newest.tls_keys, held.card.tls_keys)
    row = _partner(tx, partner_id)
    if row.name == newest.name:
        tx.partners.put(row._replace(name=held.card.name))


def _check_tls_keys(tx: Transaction, card: Card) -> None:
    ours = {key.spki_sha256 for held in history(tx, tx.partners.own().partner_id) for key in held.card.tls_keys}
    for key in card.tls_keys:
        check_certificate(key)
        taken = tx.settings.get(f"tls/{key.spki_sha256.hex()}")
        if key.spki_sha256 in ours or (taken and taken != card.id):
            raise RefusedError("a TLS key on the card is another company's", code="bad-card")


def _take_confirmation(tx: Transaction, ctx: Context, partner_id: str, body: bytes) -> None:
    said = wire.decode(CardConfirmation, body)
    own = tx.partners.own().partner_id
    ours = next((row for row in tx.partners.cards(own) if row.sha256 == said.card_sha256), None)
    if said.id != own or ours is None:
        raise RefusedError("this confirmation is not of a card of ours", code="bad-confirmation")
    made = said.signature or Signature()
    message = confirmation_bytes(own, said.card_sha256)
    if not any(
        key.key_id == made.key_id and not key.revoked and ctx.verify(key.public_key, made.signature, message)
        for key in keys_in_force(tx, partner_id)
    ):
        raise RefusedError("the confirmation's signature does not fit a key of the partner's", code="bad-signature")
    noted = notes(tx, partner_id)
    noted.confirmation = body.hex()
    noted.known = max(noted.known or 0, ours.sequence)
    put_notes(tx, partner_id, noted)
    _settle(tx, ctx, partner_id)


def _take_go_live(tx: Transaction, ctx: Context, partner_id: str, said: GoLive) -> None:
    row = _partner(tx, partner_id)
    if said.id != partner_id or said.agreed_at is None:
        raise RefusedError("this agreement is not the sender's own, or lacks its instant", code="bad-agreement")
    if row.state != "confirmed":
        raise RefusedError("the cards are not confirmed by both sides yet", code="not-confirmed")
    if row.they_live_at is None:
        tx.partners.put(row._replace(they_live_at=wire.micros(said.agreed_at)))
    _settle(tx, ctx, partner_id)


def _take_revocation(tx: Transaction, partner_id: str, said: Revocation, number: int) -> None:
    if said.id != partner_id:
        raise RefusedError("a company revokes its own keys only", code="bad-revocation")
    if said.last_good_number >= number:
        raise RefusedError("the last good number lies ahead of the revocation itself", code="bad-revocation")
    if all(key.key_id != said.key_id for key in keys_in_force(tx, partner_id)):
        raise RefusedError(f"key {said.key_id[:32]!r} is on no card that we hold", code="unknown-key")
    noted = notes(tx, partner_id)
    before = noted.revoked.get(said.key_id, said.last_good_number)
    noted.revoked[said.key_id] = min(before, said.last_good_number)
    put_notes(tx, partner_id, noted)


# --- rows -------------------------------------------------------------------------------------------------------------


def _partner(tx: Transaction, partner_id: str) -> PartnerRow:
    row = tx.partners.get(partner_id)
    if row is None or row.state == "self":
        raise _unknown(partner_id)
    return row


def _unknown(partner_id: str) -> RefusedError:
    return RefusedError(
        f"there is no partner {partner_id[:60]!r}", code="unknown-partner", hint="See `hansa partner list`."
    )


def _partner_row(card: Card, state: str, name: str, now: int) -> PartnerRow:
    return PartnerRow(
        partner_id=card.id,
        name=name,
        state=state,
        usage="TEST",
        we_live_at=None,
        they_live_at=None,
        confirmed_at=None,
        last_seen_at=None,
        last_hello="",
        terms="",
        added_at=now,
    )
