"""The story that the golden vectors tell, made from fixed keys, salts and instants.

Two companies exchange cards; one countersigns, sends two orders' worth of bytes and changes its key in between; the
other takes one document and refuses another. `python -m tests.vectors.story` writes `links.json` anew: only when the
contract itself has changed on purpose, since whoever wrote another implementation holds on to the old file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from node import wire
from node.core import link
from node.core.card import (
    CARD_DOMAIN,
    Card,
    CardConfirmation,
    HeldCard,
    Signature,
    SignedCard,
    SigningKey,
    TlsKey,
    confirmation_bytes,
    fingerprint,
)
from node.core.document.common import Contact, Reason
from node.core.evidence import FORMAT, Evidence, EvidenceLink, SignedHead
from node.keyring import KeySigner, recovery_signer

VECTORS = Path(__file__).with_name("links.json")
AT = datetime(2026, 5, 4, 8, 0, 0, 250_000, tzinfo=UTC)
BUYER, SELLER = "0088:4012345000009", "0060:123456789"


def key(word: str) -> KeySigner:
    """An Ed25519 key whose seed is the SHA-256 of a word."""
    return recovery_signer(hashlib.sha256(f"hansa vector {word}".encode()).digest())


def salt(number: int) -> bytes:
    """The salt of a document."""
    return hashlib.sha256(f"hansa vector salt {number}".encode()).digest()[:16]


def card_of(company: str, name: str, signers: Sequence[KeySigner], before: HeldCard | None = None) -> HeldCard:
    """A card with these keys, signed by them and by those of the card before."""
    body_card = Card(
        id=company,
        name=name,
        roles=("BUYER",) if company == BUYER else ("SELLER",),
        sequence=before.card.sequence + 1 if before else 1,
        previous_sha256=before.sha256 if before else b"",
        endpoint="node.example:7443" if company == SELLER else "",
        signing_keys=tuple(SigningKey(key_id=one.key_id, public_key=one.public_key, not_before=AT) for one in signers),
        tls_keys=(TlsKey(certificate=b"not a certificate", spki_sha256=hashlib.sha256(name.encode()).digest()),),
        recovery_sha256=hashlib.sha256(key(f"{company} recovery").public_key).digest(),
        contacts=(Contact(name="Käthe Ødegård", email="edi@example.org"),),
        issued_at=AT,
        accepts=("Order", "OrderResponse"),
    )
    body = wire.encode(body_card)
    signatures = tuple(Signature(key_id=one.key_id, signature=one.sign(CARD_DOMAIN + body)) for one in signers)
    return HeldCard(SignedCard(body=body, signatures=signatures), body_card)


class Line:
    """One direction of the link while the story is told."""

    def __init__(self, link_id: bytes) -> None:
        self.link_id = link_id
        self.start = self.chain = link.chain_start(link_id, BUYER, SELLER, 1)
        self.entries: list[link.BatchEntry] = []
        self.batches: list[link.Batch] = []
        self.receipts: list[link.Receipt] = []

    def send(self, signer: KeySigner, documents: Sequence[tuple[str, bytes]]) -> None:
        """A batch of documents under one signature."""
        first = len(self.entries) + 1
        entries = [
            link.BatchEntry(type=kind, salt=salt(first + i), body=body) for i, (kind, body) in enumerate(documents)
        ]
        self.chain = link.chain_after(self.chain, [link.leaf_of(one.salt, one.type, one.body) for one in entries])
        self.entries += entries
        head = wire.encode(
            link.BatchHead(
                link_id=self.link_id,
                sender=BUYER,
                receiver=SELLER,
                epoch=1,
                number=len(self.entries),
                chain=self.chain,
                key_id=signer.key_id,
                signed_at=AT + timedelta(seconds=len(self.entries)),
            )
        )
        self.batches.append(
            link.Batch(head=head, signature=signer.sign(link.BATCH_DOMAIN + head), entries=tuple(entries))
        )

    def receipt(self, signer: KeySigner, *outcomes: link.DocumentOutcome) -> None:
        """The receiver's receipt for all that was sent."""
        previous = hashlib.sha256(self.receipts[-1].body).digest() if self.receipts else b""
        body = wire.encode(
            link.ReceiptBody(
                link_id=self.link_id,
                sender=BUYER,
                receiver=SELLER,
                epoch=1,
                sequence=len(self.receipts) + 1,
                previous_sha256=previous,
                number=len(self.entries),
                chain=self.chain,
                outcomes=outcomes,
                given_at=AT + timedelta(seconds=len(self.entries), milliseconds=5),
                key_id=signer.key_id,
            )
        )
        self.receipts.append(link.Receipt(body=body, signature=signer.sign(link.RECEIPT_DOMAIN + body)))


def tell() -> tuple[dict[str, Any], Evidence]:
    """The vectors, and the evidence of the whole story."""
    old, new, seller_key = key("buyer old"), key("buyer new"), key("seller")
    buyer = [card_of(BUYER, "Buyer", [old])]
    buyer.append(card_of(BUYER, "Buyer", [old, new], buyer[0]))
    buyer.append(card_of(BUYER, "Buyer", [new], buyer[1]))
    seller = card_of(SELLER, "Seller", [seller_key])
    line = Line(link.link_id_of(buyer[0].sha256, seller.sha256))
    signature = Signature(key_id=old.key_id, signature=old.sign(confirmation_bytes(SELLER, seller.sha256)))
    confirmation = CardConfirmation(card_sha256=seller.sha256, id=SELLER, signature=signature)
    line.send(old, [("CardConfirmation", wire.encode(confirmation)), ("PartnerCard", wire.encode(buyer[1].signed))])
    line.receipt(seller_key)
    line.send(new, [("Order", b"exact bytes, never parsed for the chain"), ("Order", b"")])
    refused = Reason(code="unknown-item", text="no such item", language="en")
    line.receipt(seller_key, link.DocumentOutcome(number=4, outcome=link.Outcome.REFUSED, reasons=(refused,)))
    line.send(new, [("PartnerCard", wire.encode(buyer[2].signed))])
    evidence = Evidence(
        format=FORMAT,
        cards=tuple(one.signed for one in (*buyer, seller)),
        links=(
            EvidenceLink(
                link_id=line.link_id,
                sender=BUYER,
                receiver=SELLER,
                epoch=1,
                first=1,
                chain_before=line.start,
                entries=tuple(line.entries),
                heads=tuple(SignedHead(head=one.head, signature=one.signature) for one in line.batches),
                receipts=tuple(line.receipts),
            ),
        ),
    )
    return _vectors(line, [*buyer, seller], evidence), evidence


def _vectors(line: Line, cards: Sequence[HeldCard], evidence: Evidence) -> dict[str, Any]:
    return {
        "about": "hex throughout; a key's seed is SHA-256('hansa vector ' + word)",
        "fingerprints": {BUYER: fingerprint(cards[0].sha256), SELLER: fingerprint(cards[-1].sha256)},
        "cards": [wire.encode(one.signed).hex() for one in cards],
        "link_id": line.link_id.hex(),
        "chain_start": line.start.hex(),
        "leaves": [link.leaf_of(one.salt, one.type, one.body).hex() for one in line.entries],
        "chain": line.chain.hex(),
        "batches": [wire.encode(one).hex() for one in line.batches],
        "receipts": [wire.encode(one).hex() for one in line.receipts],
        "evidence": wire.encode(evidence).hex(),
    }


if __name__ == "__main__":
    VECTORS.write_text(json.dumps(tell()[0], indent=1) + "\n", encoding="utf-8")
