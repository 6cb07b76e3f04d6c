"""New keys for old: rotation with an overlap and no shared minute, revocation by position, recovery of a lost identity.

Rotation is three steps, each when all partners are ready, however long one of them is away:
1 a card with old and new keys goes to every partner, and each is served with the new keys once it has taken that card;
2 when all have, a card without the old keys goes out; 3 when all have taken that one, the old key files can go.
`advance` does what is due: after each of the commands here, and every minute or so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from node import wire
from node.app.context import Context
from node.app.links.cards import active_partners, history, issue, known_card, notes, put_notes, send_card, signer_for
from node.app.links.outbox import enqueue_protocol
from node.app.links.partners import KeyMaker, new_signing_key
from node.core.card import Card, HeldCard, Revocation, decode_secret
from node.core.document.common import Reason
from node.errors import RefusedError
from node.keyring import recovery_signer
from node.ports import Signer, Transaction

__all__ = ["Advanced", "advance", "change_card", "recover_keys", "revoke_key", "rotate_keys"]

_CHANGEABLE = frozenset({"name", "roles", "identifiers", "endpoint", "units", "contacts", "accepts"})


@dataclass(frozen=True, slots=True)
class Advanced:
    """What `advance` has done, and which private keys nobody needs any more (the shell deletes their files)."""

    card: HeldCard | None
    revocations: int
    unused_key_ids: frozenset[str]
    unused_pins: frozenset[bytes]


def change_card(tx: Transaction, ctx: Context, /, **changes: Any) -> HeldCard:
    """A new card with the same keys that says something else: name, roles, endpoint, units, contacts, ...

    Every partner gets it. Raises RefusedError for a field that a card keeps for ever.
    """
    if fixed := changes.keys() - _CHANGEABLE:
        raise RefusedError(f"a card's {min(fixed)} cannot be changed so", code="bad-argument")
    own = _own_cards(tx)
    return _publish(tx, ctx, own, [], **changes)


def rotate_keys(tx: Transaction, ctx: Context, maker: KeyMaker) -> HeldCard:
    """Step 1 of a rotation: make a new signing key and a new TLS key, and a card that carries old and new.

    Raises RefusedError ``rotation-under-way`` while an earlier one has not reached all partners.
    """
    own = _own_cards(tx)
    card = own[-1].card
    if len(card.signing_keys) > 1 or len(card.tls_keys) > 1:
        waiting = [row.name for row in active_partners(tx) if not _knows(tx, row.partner_id, own, card)]
        raise RefusedError(
            f"the rotation before has not reached everybody; waiting for {', '.join(waiting) or 'the next minute'}",
            code="rotation-under-way",
            hint="Wait, or finish it by force; a partner that has not taken the card then needs our card as a file.",
        )
    signer, signing_key = new_signing_key(ctx, maker)
    return _publish(
        tx,
        ctx,
        own,
        [signer],
        signing_keys=(*card.signing_keys, signing_key),
        tls_keys=(*card.tls_keys, maker.new_tls()),
    )


def revoke_key(tx: Transaction, ctx: Context, maker: KeyMaker, key_id: str, reason: str) -> Advanced:
    """Our signing key no longer speaks for us, towards each partner from where its link stands.

    A partner that knows no other key of ours gets a new one first; so nothing in flight is lost. New TLS keys are made
    too, since whoever took the one file may have taken the other. Raises RefusedError ``unknown-key``.
    """
    own = _own_cards(tx)
    card = own[-1].card
    if all(key.key_id != key_id for held in own for key in held.card.signing_keys):
        raise RefusedError(
            f"{key_id[:32]!r} is no signing key of ours", code="unknown-key", hint="See `hansa key list`."
        )
    noted = notes(tx, card.id)
    noted.revoking[key_id] = reason
    put_notes(tx, card.id, noted)
    if all(key.key_id in noted.revoking for key in card.signing_keys):
        signer, signing_key = new_signing_key(ctx, maker)
        _publish(
            tx,
            ctx,
            own,
            [signer],
            signing_keys=(*card.signing_keys, signing_key),
            tls_keys=(*card.tls_keys[-1:], maker.new_tls()),
        )
    return advance(tx, ctx)


def recover_keys(
    tx: Transaction, ctx: Context, maker: KeyMaker, recovery: str, *, reason: str, sequence: int | None = None
) -> HeldCard:
    """All keys are lost or stolen: new ones, vouched for by the recovery key as `init` printed it.

    The card drops every older key at once, and from now on only the new ones are used: every partner needs our card
    as a file before it can be reached again. `sequence` is for when a thief has issued cards in our name: the number
    must be higher than theirs. Raises RefusedError ``bad-secret`` or ``wrong-recovery-key``.
    """
    own = _own_cards(tx)
    newest = own[-1]
    signer = recovery_signer(decode_secret(recovery))
    if _sha256(signer.public_key) != newest.card.recovery_sha256:
        raise RefusedError("this is the recovery key of another identity", code="wrong-recovery-key")
    noted = notes(tx, newest.card.id)
    noted.revoking |= {key.key_id: reason for key in newest.card.signing_keys}
    put_notes(tx, newest.card.id, noted)
    fresh, signing_key = new_signing_key(ctx, maker)
    card = replace(
        newest.card,
        sequence=max(sequence or 0, newest.card.sequence + 1),
        previous_sha256=newest.sha256,
        signing_keys=(signing_key,),
        tls_keys=(maker.new_tls(),),
        issued_at=ctx.now(),
    )
    held = issue(tx, ctx, card, [signer, fresh], recovery=signer.public_key)
    _send_to_all(tx, ctx, held)
    _assume_known(tx, held)
    return held


def _assume_known(tx: Transaction, held: HeldCard) -> None:
    """Use the card's keys towards everybody, since the older ones are gone; who lacks the card gets it as a file.

    Were they used on, a partner that has taken the card already, while its receipt was lost, could not be reached.
    """
    for row in active_partners(tx):
        noted = notes(tx, row.partner_id)
        noted.known = held.card.sequence
        put_notes(tx, row.partner_id, noted)


def advance(tx: Transaction, ctx: Context, *, force: bool = False) -> Advanced:
    """Go on with what is under way, as far as partners are ready.

    `force` drops old keys without waiting: partners that have not taken the new card need it as a file.
    """
    own = _own_cards(tx)
    partners = active_partners(tx)
    sent = sum(_tell_revoked(tx, ctx, row.partner_id) for row in partners)
    issued = None
    kept = _kept(tx, own[-1].card)
    if kept != own[-1].card and (force or all(_knows(tx, row.partner_id, own, kept) for row in partners)):
        issued = _publish(tx, ctx, own, [], signing_keys=kept.signing_keys, tls_keys=kept.tls_keys)
        own = [*own, issued]
        if force:
            _assume_known(tx, issued)
    newest = own[-1].card
    if len(own) == 1 or any(known_card(tx, row.partner_id, own) != own[-1] for row in partners):
        return Advanced(issued, sent, frozenset(), frozenset())
    signing = {key.key_id for held in own for key in held.card.signing_keys}
    pins = {key.spki_sha256 for held in own for key in held.card.tls_keys}
    noted = notes(tx, newest.id)
    current = {key.key_id for key in newest.signing_keys}
    if noted.revoking.keys() - current:
        noted.revoking = {key_id: why for key_id, why in noted.revoking.items() if key_id in current}
        put_notes(tx, newest.id, noted)
    return Advanced(
        issued, sent, frozenset(signing - current), frozenset(pins - {key.spki_sha256 for key in newest.tls_keys})
    )


def _tell_revoked(tx: Transaction, ctx: Context, partner_id: str) -> int:
    """Send the revocations that are due to a partner which knows another key of ours by now; returns how many."""
    own_id = tx.partners.own().partner_id
    revoking = notes(tx, own_id).revoking
    noted = notes(tx, partner_id)
    outgoing = tx.links.get(partner_id, "out")
    due = [key_id for key_id in revoking if key_id not in noted.told]
    if not due or outgoing is None or signer_for(tx, ctx, partner_id).key_id in revoking:
        return 0
    for key_id in due:
        revocation = Revocation(
            id=own_id,
            key_id=key_id,
            last_good_number=outgoing.number,
            revoked_at=ctx.now(),
            reason=Reason(code="revoked", text=revoking[key_id], language="en"),
        )
        enqueue_protocol(tx, ctx, partner_id, "Revocation", wire.encode(revocation))
    noted.told = [*noted.told, *due]
    put_notes(tx, partner_id, noted)
    return len(due)


def _kept(tx: Transaction, card: Card) -> Card:
    """The card with only the newest keys that are not to be revoked."""
    revoking = notes(tx, card.id).revoking
    good = tuple(key for key in card.signing_keys if key.key_id not in revoking)
    return replace(card, signing_keys=good[-1:] or card.signing_keys, tls_keys=card.tls_keys[-1:])


def _knows(tx: Transaction, partner_id: str, own: Sequence[HeldCard], wanted: Card) -> bool:
    """Whether the partner holds a card of ours that names the newest keys of `wanted`."""
    known = known_card(tx, partner_id, own)
    return (
        known is not None
        and wanted.signing_keys[-1] in known.card.signing_keys
        and wanted.tls_keys[-1] in known.card.tls_keys
    )


def _publish(
    tx: Transaction, ctx: Context, own: Sequence[HeldCard], fresh: Sequence[Signer], **changes: Any
) -> HeldCard:
    """Our next card, signed by the keys of the one before that still count and by the new ones, sent to everybody."""
    newest = own[-1]
    card = replace(
        newest.card,
        **changes,
        sequence=newest.card.sequence + 1,
        previous_sha256=newest.sha256,
        issued_at=ctx.now(),
    )
    revoking = notes(tx, card.id).revoking
    held = [key.key_id for key in newest.card.signing_keys]
    signers = [ctx.keyring.signer(one) for one in ([one for one in held if one not in revoking] or held)]
    made = issue(tx, ctx, card, [*signers, *fresh])
    _send_to_all(tx, ctx, made)
    return made


def _send_to_all(tx: Transaction, ctx: Context, held: HeldCard) -> None:
    for row in active_partners(tx):
        send_card(tx, ctx, row.partner_id, held)


def _own_cards(tx: Transaction) -> list[HeldCard]:
    return history(tx, tx.partners.own().partner_id)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
