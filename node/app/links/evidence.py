"""Evidence: put what we hold of the links with a partner into one file, and check such a file.

The file carries both companies' cards, every document with its salt (or only the leaf of what is erased, or not to be
shown), the signed heads and the receipts. Personal data stays out unless it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from node import wire
from node.core.card import PROTOCOL_TYPES, SignedCard
from node.core.evidence import FORMAT, Evidence, EvidenceLink, Report, SignedHead, examine
from node.core.link import BatchEntry, Receipt, chain_start
from node.core.rows import DocumentRow, LinkRow
from node.errors import RefusedError
from node.ports import Transaction, Verifier

__all__ = ["PAGE", "export", "verify"]

PAGE = 500
"""Rows read from the store at once."""


def export(
    tx: Transaction,
    partner_id: str,
    *,
    disclose: Callable[[DocumentRow], bool] | None = None,
    personal: bool = False,
) -> bytes:
    """Both directions of the links with a partner, as the bytes of `hansa.v1.Evidence`.

    Of documents for which `disclose` says no, only the leaf goes out: the file still verifies as a whole, and shows
    only what is at issue. What the nodes say of keys is always in it. Raises RefusedError ``unknown-partner``.
    """
    own = tx.partners.own().partner_id
    cards = [*tx.partners.cards(own), *tx.partners.cards(partner_id)]
    links: list[EvidenceLink] = []
    for direction in ("out", "in"):
        row = tx.links.get(partner_id, direction)
        if row is None:
            raise RefusedError(
                f"there is no link with {partner_id[:60]!r}", code="unknown-partner", hint="See `hansa partner list`."
            )
        links.extend(
            _link(tx, row, epoch, own, disclose or (lambda _row: True), personal=personal)
            for epoch in range(1, row.epoch + 1)
        )
    evidence = Evidence(
        format=FORMAT, cards=tuple(wire.decode(SignedCard, row.signed) for row in cards), links=tuple(links)
    )
    return wire.encode(evidence)


def _link(
    tx: Transaction,
    row: LinkRow,
    epoch: int,
    own: str,
    disclose: Callable[[DocumentRow], bool],
    *,
    personal: bool,
) -> EvidenceLink:
    sender, receiver = (own, row.partner_id) if row.direction == "out" else (row.partner_id, own)
    return EvidenceLink(
        link_id=row.link_id,
        sender=sender,
        receiver=receiver,
        epoch=epoch,
        first=1,
        chain_before=chain_start(row.link_id, sender, receiver, epoch),
        entries=tuple(_entry(document, disclose, personal=personal) for document in _documents(tx, row, epoch)),
        heads=tuple(_heads(tx, row, epoch)),
        receipts=tuple(_receipts(tx, row, epoch)),
    )


def _entry(row: DocumentRow, disclose: Callable[[DocumentRow], bool], *, personal: bool) -> BatchEntry:
    if row.body is None or not row.salt or not (row.type in PROTOCOL_TYPES or disclose(row)):
        return BatchEntry(leaf=row.leaf)
    if not personal:
        return BatchEntry(type=row.type, salt=row.salt, body=row.body)
    return BatchEntry(
        type=row.type,
        salt=row.salt,
        body=row.body,
        personal_salt=row.personal_salt,
        personal=row.personal or b"",
    )


def _documents(tx: Transaction, row: LinkRow, epoch: int) -> Iterator[DocumentRow]:
    number = 0
    while page := tx.documents.span(row.partner_id, row.direction, epoch, number + 1, number + PAGE):
        yield from page
        number += PAGE


def _heads(tx: Transaction, row: LinkRow, epoch: int) -> Iterator[SignedHead]:
    number = 0
    while page := tx.links.heads_after(row.partner_id, row.direction, epoch, number, PAGE):
        yield from (SignedHead(head=one.head, signature=one.signature) for one in page)
        number = page[-1].number


def _receipts(tx: Transaction, row: LinkRow, epoch: int) -> Iterator[Receipt]:
    sequence = 0
    while page := tx.links.receipts_after(row.partner_id, row.direction, epoch, sequence, PAGE):
        yield from (Receipt(body=one.body, signature=one.signature) for one in page)
        sequence = page[-1].sequence


def verify(data: bytes, expected: Mapping[str, str], check: Verifier) -> Report:
    """What a file of evidence proves, against the fingerprints that the reader expects by participant id.

    Needs no store. Raises RefusedError when the file is no evidence at all.
    """
    try:
        evidence = wire.decode(Evidence, data)
    except RefusedError as error:
        raise RefusedError(
            f"this file is no evidence ({error.message})",
            code="unreadable",
            hint="Give the file that `hansa evidence export` wrote, whole.",
        ) from None
    return examine(evidence, expected, check, wire.decode)
