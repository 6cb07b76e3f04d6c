"""Operations on partners, on our card and on our keys."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from node import config, wire
from node.app.documents import orders
from node.app.links import cards, partners, positions, rotation
from node.app.operations import forms
from node.app.operations.node import moment
from node.app.operations.orders import send_fields
from node.app.operations.registry import Host, live_of, operation
from node.config import PartnerSettings
from node.core import card, link
from node.core.document.common import Contact
from node.core.rows import LinkRow, PartnerRow
from node.errors import ConfigError, RefusedError, UnavailableError
from node.ports import Transaction

__all__ = ["terms_fields"]


@operation("init")
def init(
    host: Host, *, name: str, id: str = "", endpoint: str = "", roles: list[str] | None = None, email: str = ""
) -> dict[str, Any]:
    """Make our keys and our first card. The recovery key is in the result, and stored nowhere."""
    contacts = (Contact(email=email),) if email else ()
    made = host.store.write(
        lambda tx: partners.init(
            tx, host.ctx, host.keys, name=name, partner_id=id, endpoint=endpoint, roles=roles or [], contacts=contacts
        )
    )
    return {"id": made.partner_id, "fingerprint": made.fingerprint, "recovery_key": made.recovery}


@operation("partner.card")
def partner_card(host: Host, *, set_name: str | None = None, set_endpoint: str | None = None) -> dict[str, Any]:
    """Our card file, and the fingerprint to compare. A new name or address makes a new card, which partners get.

    `set_endpoint` is "host:port", or "-" when we only dial out.
    """
    changes = {} if set_name is None else {"name": set_name.strip()}
    if set_endpoint is not None:
        changes["endpoint"] = "" if set_endpoint == "-" else config.check_endpoint(set_endpoint)
    if changes.get("name") == "":
        raise RefusedError("a company needs a name", code="no-name")
    if changes:
        held = host.store.write(lambda tx: rotation.change_card(tx, host.ctx, **changes))
        _new_card(host, held)

    def use_case(tx: Transaction) -> dict[str, Any]:
        own = tx.partners.own()
        newest = cards.history(tx, own.partner_id)[-1].card
        return {
            "id": own.partner_id,
            "name": newest.name,
            "endpoint": newest.endpoint,
            "fingerprint": partners.fingerprint_of(tx),
            "sequence": newest.sequence,
            "card": partners.own_card(tx),
        }

    return host.store.read(use_case)


@operation("partner.add")
def partner_add(host: Host, *, card: str, name: str | None = None, fingerprint: str | None = None) -> dict[str, Any]:
    """Take a partner's card file (its text): a new partner, or newer cards of one that we have.

    With the fingerprint that a person had from the partner itself, the card is confirmed at once.
    """
    row = host.store.write(lambda tx: partners.add(tx, host.ctx, card.encode(), name=name, expected=fingerprint))
    return _changed(host, row.partner_id)


@operation("partner.confirm")
def partner_confirm(host: Host, *, partner: str, fingerprint: str) -> dict[str, Any]:
    """A person has compared the fingerprint: countersign the card."""
    host.store.write(lambda tx: partners.confirm(tx, host.ctx, partner, fingerprint))
    return _changed(host, partner)


@operation("partner.go-live")
def partner_go_live(host: Host, *, partner: str) -> dict[str, Any]:
    """Agree that documents count; in force once the partner has agreed as well."""
    host.store.write(lambda tx: partners.go_live(tx, host.ctx, partner))
    return _changed(host, partner)


@operation("partner.revoke")
def partner_revoke(host: Host, *, partner: str, reason: str = "") -> dict[str, Any]:
    """Deal with this partner no more, and end its session now."""
    host.store.write(lambda tx: partners.revoke_partner(tx, host.ctx, partner, reason))
    return _changed(host, partner)


@operation("partner.resume")
def partner_resume(host: Host, *, partner: str) -> dict[str, Any]:
    """Let a stopped link try again: the next hello compares both accounts anew, and stops it if they do not fit."""
    host.store.write(lambda tx: positions.resume(tx, partner))
    return _changed(host, partner)


def _changed(host: Host, partner_id: str) -> dict[str, Any]:
    """Tell a running node that a partner has changed, and the caller what it is now."""
    if host.live is not None:
        host.live.reload()
        host.live.wake([partner_id])
    return partner_show(host, partner=partner_id)


@operation("partner.list")
def partner_list(host: Host) -> dict[str, Any]:
    """All partners."""
    connected = _connected(host)
    rows = host.store.read(lambda tx: [(row, partners.fingerprint_of(tx, row.partner_id)) for row in tx.partners.all()])
    return {"partners": [_summary(row, fingerprint, connected) for row, fingerprint in rows]}


def _connected(host: Host) -> set[str]:
    return {str(one["partner"]) for one in host.live.sessions()} if host.live else set()


def _summary(row: PartnerRow, fingerprint: str, connected: set[str]) -> dict[str, Any]:
    return {
        "id": row.partner_id,
        "name": row.name,
        "state": row.state,
        "usage": row.usage,
        "fingerprint": fingerprint,
        "connected": row.partner_id in connected,
        "we_live_at": moment(row.we_live_at),
        "they_live_at": moment(row.they_live_at),
        "confirmed_at": moment(row.confirmed_at),
        "last_seen_at": moment(row.last_seen_at),
        "added_at": moment(row.added_at),
    }


@operation("partner.show")
def partner_show(host: Host, *, partner: str) -> dict[str, Any]:
    """One partner: card, keys, positions of both links, what it takes."""
    connected = _connected(host)

    def use_case(tx: Transaction) -> dict[str, Any]:
        row = _partner(tx, partner)
        newest = cards.history(tx, partner)[-1].card
        keys = cards.keys_in_force(tx, partner)
        said = json.loads(row.last_hello) if row.last_hello else {}
        return {
            **_summary(row, partners.fingerprint_of(tx, partner), connected),
            "endpoint": newest.endpoint,
            "roles": list(newest.roles),
            "card_sequence": newest.sequence,
            "contacts": [wire.to_fields(one) for one in newest.contacts],
            "keys": [
                {
                    "key_id": one.key_id,
                    "from_number": one.from_number,
                    "until_number": one.until_number,
                    "revoked": one.revoked,
                }
                for one in keys
            ],
            "software": said.get("software", ""),
            "accepts": said.get("accepts", []),
            "links": [_link(one) for one in tx.links.all() if one.partner_id == partner],
        }

    return host.store.read(use_case)


def _partner(tx: Transaction, partner: str) -> PartnerRow:
    row = tx.partners.get(partner)
    if row is None or row.state == "self":
        raise RefusedError(f"there is no partner {partner!r}", code="unknown-partner", hint="see: hansa partner list")
    return row


def _link(row: LinkRow) -> dict[str, Any]:
    return {
        "direction": row.direction,
        "epoch": row.epoch,
        "number": row.number,
        "receipted_number": row.receipted_number,
        "chain": row.chain.hex(),
        "state": row.state,
        "reason": row.reason,
    }


@operation("partner.ping")
def partner_ping(host: Host, *, partner: str) -> dict[str, Any]:
    """Ask a connected partner for a sign of life; says how long the answer took."""
    live = live_of(host, "a ping")
    host.store.read(lambda tx: _partner(tx, partner))
    began = host.ctx.now()
    answer = live.ask(partner, link.Query(ping=True), host.ctx.settings.limits.query_seconds)
    if answer.refused is not None:
        raise UnavailableError(f"{partner} does not answer: {answer.refused.text}", hint="try again in a moment")
    taken = (host.ctx.now() - began).total_seconds()
    return {"partner": partner, "milliseconds": round(taken * 1000, 1)}


@operation("partner.terms")
def partner_terms(host: Host, *, partner: str, send: bool = False, number: str = "") -> dict[str, Any]:
    """The partner's trade terms in force, and those of our settings; `send` lets the partner have ours."""
    ours = host.ctx.settings.partner(partner)
    theirs = host.store.read(lambda tx: _terms_of(tx, partner))
    told: dict[str, Any] = {
        "partner": partner,
        "ours": {name: _plain(value) for name, value in asdict(ours).items()},
        "theirs": theirs,
    }
    if send:
        told["sent"] = send_fields(host, partner, "TradeTerms", terms_fields(ours), number)
    return told


def _terms_of(tx: Transaction, partner: str) -> dict[str, Any] | None:
    """The newest trade terms that the partner has sent, without their header."""
    _partner(tx, partner)
    told = orders.terms_told(tx, partner)
    return {name: value for name, value in wire.to_fields(told).items() if name != "header"} if told else None


def _plain(value: Any) -> bool | int | str:
    return "" if value is None else value if isinstance(value, bool | int) else str(value)


def terms_fields(terms: PartnerSettings) -> dict[str, Any]:
    """Our settings for a partner as the fields of a TradeTerms document. Raises ConfigError."""
    tolerance = {
        "quantity_over": terms.quantity_over_percent,
        "quantity_under": terms.quantity_under_percent,
        "price": terms.price_percent,
        "days_early": terms.days_early,
        "days_late": terms.days_late,
    }
    agreed = {
        name: value if isinstance(value, int) else str(value) for name, value in tolerance.items() if value is not None
    }
    fields: dict[str, Any] = {"auto_accept": terms.auto_accept}
    if agreed:
        fields["tolerance"] = agreed
    for name in ("order_minimum", "credit_limit"):
        if text := getattr(terms, name):
            amount, _, currency = text.partition(" ")
            if not currency:
                raise ConfigError(
                    f"partners: {name}: expected an amount and a currency such as 250.00 EUR, not {text!r}"
                )
            fields[name] = {"amount": amount, "currency": currency}
    payment: dict[str, Any] = {"net_days": terms.payment_days} if terms.payment_days else {}
    if terms.discount_percent:
        payment |= {"discount_days": terms.discount_days, "discount_percent": str(terms.discount_percent)}
    if payment:
        fields["payment_terms"] = payment
    if terms.incoterms:
        fields["delivery_terms"] = forms.delivery(terms.incoterms, terms.incoterms_place)
    if terms.lead_days:
        fields["lead_times"] = [{"days": terms.lead_days}]
    return fields


# --- our keys ---------------------------------------------------------------------------------------------------------


@operation("key.list")
def key_list(host: Host) -> dict[str, Any]:
    """Our signing keys: on which cards they are, and whether their files are here."""
    here = set(host.ctx.keyring.key_ids())

    def use_case(tx: Transaction) -> list[dict[str, Any]]:
        own = tx.partners.own().partner_id
        newest = {key.key_id for key in cards.history(tx, own)[-1].card.signing_keys}
        revoking = cards.notes(tx, own).revoking
        told: list[dict[str, Any]] = []
        for held in cards.history(tx, own):
            for key in held.card.signing_keys:
                if all(one["key_id"] != key.key_id for one in told):
                    told.append(
                        {
                            "key_id": key.key_id,
                            "since": moment(wire.micros(key.not_before)) if key.not_before else "",
                            "card": held.card.sequence,
                            "in_force": key.key_id in newest and key.key_id not in revoking,
                            "revoked": key.key_id in revoking,
                            "file_here": key.key_id in here,
                        }
                    )
        return told

    return {"keys": host.store.read(use_case)}


@operation("key.rotate")
def key_rotate(host: Host) -> dict[str, Any]:
    """Make new keys. Partners take the new card on their links; each is served with the new keys from then on."""
    held = host.store.write(lambda tx: rotation.rotate_keys(tx, host.ctx, host.keys))
    return _new_card(host, held)


@operation("key.revoke")
def key_revoke(host: Host, *, key: str, reason: str) -> dict[str, Any]:
    """A signing key of ours no longer speaks for us; where it was the only one, a new one is made first."""
    host.store.write(lambda tx: rotation.revoke_key(tx, host.ctx, host.keys, key, reason))
    return _new_card(host, None)


@operation("key.recover")
def key_recover(host: Host, *, recovery_key: str, reason: str, sequence: int | None = None) -> dict[str, Any]:
    """All keys are lost or stolen: make new ones, vouched for by the recovery key that `init` printed."""
    held = host.store.write(
        lambda tx: rotation.recover_keys(tx, host.ctx, host.keys, recovery_key, reason=reason, sequence=sequence)
    )
    return _new_card(host, held)


def _new_card(host: Host, held: card.HeldCard | None) -> dict[str, Any]:
    """Let the running node use what is new, and tell the partners."""
    if host.live is not None:
        host.live.reload()
        host.live.wake([row.partner_id for row in host.store.read(lambda tx: tx.partners.all())])
    return {**key_list(host), "card": held.card.sequence if held else None}
