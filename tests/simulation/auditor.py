"""Knows what must be true when everything has settled, and looks for it in the stores of both companies."""

from __future__ import annotations

from collections import Counter
from typing import Any

from node.app.stock import ledger
from node.core import link
from node.core.reservation import LIVE, UNWANTED
from node.core.reservation_rows import ReservationRow
from node.core.rows import DocumentRow, LinkRow
from tests.simulation.companies import Company
from tests.simulation.world import World

__all__ = ["audit", "audit_restored"]

FINAL = {"taken", "refused", "withdrawn"}


def audit(world: World) -> list[str]:
    """Every promise that the run has broken, in words; none when all is well."""
    found = list(world.forks)
    for company in world.companies:
        for session_end in company.refusals:
            if session_end.reason.code in ("fork", "restored-self", "broken", "bad-signature", "unknown-key"):
                found.append(f"{company.name}: {session_end.reason.code}: {session_end.reason.text}")
    for sender, receiver in ((world.buyer, world.seller), (world.seller, world.buyer)):
        found += _link(sender, receiver)
        found += _documents(sender, receiver)
        found += _receipts(sender, receiver)
        found += _erp(receiver)
    found += _books(world.buyer, world.seller)
    found += _stock(world.buyer, world.seller)
    found += world.oversold
    found += world.miscounted
    found += _holds(world.buyer, world.seller)
    if world.erp_keeps_holds:
        found += _erp_holds(world.seller)
    return found


def audit_restored(world: World) -> list[str]:
    """After a restore: no number means two things, and whoever is behind knows it and has stopped."""
    found = list(world.forks)
    for sender, receiver in ((world.buyer, world.seller), (world.seller, world.buyer)):
        out, incoming = _rows_of_link(sender, receiver)
        ours = _leaves(sender, receiver.id, "out")
        theirs = _leaves(receiver, sender.id, "in")
        for number in ours.keys() & theirs.keys():
            if ours[number] != theirs[number]:
                found.append(f"{sender.name}: number {number} means two things")
        behind = out.number < incoming.number or out.receipt_sequence > incoming.receipt_sequence
        if behind and sender.restored and out.state != "stopped" and _met(world):
            found.append(f"{sender.name} is behind its partner and has not stopped")
    return found


def _met(world: World) -> bool:
    return any(one.refusals for one in world.companies)


def _rows(company: Company, partner_id: str, direction: str) -> list[DocumentRow]:
    rows = company.read(lambda tx: tx.documents.search(partner_id=partner_id, direction=direction, limit=100_000))
    return sorted(rows, key=lambda row: (row.number is None, row.number or 0, row.document_id))


def _leaves(company: Company, partner_id: str, direction: str) -> dict[int, bytes]:
    return {row.number: row.leaf for row in _rows(company, partner_id, direction) if row.number is not None}


def _rows_of_link(sender: Company, receiver: Company) -> tuple[LinkRow, LinkRow]:
    out = sender.read(lambda tx: tx.links.get(receiver.id, "out"))
    incoming = receiver.read(lambda tx: tx.links.get(sender.id, "in"))
    assert out is not None
    assert incoming is not None
    return out, incoming


def _link(sender: Company, receiver: Company) -> list[str]:
    """Both heads are one head, and it follows from the leaves on either side."""
    out, incoming = _rows_of_link(sender, receiver)
    found = []
    if (out.number, out.chain) != (incoming.number, incoming.chain):
        found.append(f"{sender.name} -> {receiver.name}: heads differ: {out.number} and {incoming.number}")
    for company, partner, direction in ((sender, receiver, "out"), (receiver, sender, "in")):
        leaves = _leaves(company, partner.id, direction)
        if sorted(leaves) != list(range(1, len(leaves) + 1)):
            found.append(f"{company.name}: numbers with gaps: {sorted(leaves)[:20]}")
        chain = link.chain_start(out.link_id, sender.id, receiver.id, out.epoch)
        chain = link.chain_after(chain, (leaves[number] for number in sorted(leaves)))
        if chain != out.chain:
            found.append(f"{company.name}: its {direction} documents do not lead to the head")
    for row in (out, incoming):
        if row.state != "open":
            found.append(f"the link of {sender.name} stopped: {row.reason}")
    return found


def _documents(sender: Company, receiver: Company) -> list[str]:
    """Sent is received, once, in order, with the same outcome on both sides."""
    found = []
    sent = [row for row in _rows(sender, receiver.id, "out") if row.number is not None]
    got = _rows(receiver, sender.id, "in")
    for ours, theirs in zip(sent, got, strict=False):
        if ours.body != theirs.body or ours.number != theirs.number:
            found.append(f"{sender.name}: document {ours.number} differs on the other side")
        if ours.state != theirs.state:
            found.append(
                f"{sender.name}: {ours.type} {ours.doc_number} is {ours.state} here, {theirs.state} at {receiver.name}"
            )
    for row in [*_rows(sender, receiver.id, "out"), *got]:
        if row.state not in FINAL:
            found.append(f"{row.type} {row.doc_number} of {sender.name} never settled: {row.state}")
    known = {row.document_id: row for row in _rows(sender, receiver.id, "out")}
    lost = [document_id for document_id in sender.submitted if document_id not in known]
    found += [f"{sender.name}: document {document_id} was submitted and is gone" for document_id in lost]
    last: dict[str, int] = {}
    for row in sent:
        if row.document_id < last.get(row.object_key, 0):
            found.append(f"{sender.name}: {row.type} {row.doc_number} overtook another on {row.object_key}")
        last[row.object_key] = row.document_id
    return found


def _receipts(sender: Company, receiver: Company) -> list[str]:
    verified = sender.read(lambda tx: tx.links.receipts_after(receiver.id, "out", 1, 0, 100_000))
    given = receiver.read(lambda tx: tx.links.receipts_after(sender.id, "in", 1, 0, 100_000))
    if [row.body for row in verified] != [row.body for row in given]:
        return [f"{sender.name} verified {len(verified)} receipts, {receiver.name} gave {len(given)}"]
    return []


def _erp(company: Company) -> list[str]:
    """What was taken for the ERP is in the ERP, once; nothing else is."""
    taken = Counter(
        row.document_id
        for row in company.read(lambda tx: tx.documents.search(direction="in", state="taken", limit=100_000))
        if row.duplicate_of is None and row.type in company.erp.accepts()
    )
    posted = company.read(lambda tx: tx.handovers.counts()).get("posted", 0)
    found = []
    if posted != len(taken) or len(company.erp.posted) != len(taken):
        found.append(f"{company.name}: {len(taken)} taken, {posted} handed over, {len(company.erp.posted)} in the ERP")
    return found


def _book(company: Company, partner_id: str) -> dict[str, Any]:
    def read(tx: Any) -> dict[str, Any]:
        orders = tx.orders.search(partner_id=partner_id, limit=100_000)
        ids = {order.order_id: order for order in orders}
        book: dict[str, Any] = {order.number: {"revision": order.revision} for order in orders}
        for line in tx.orders.lines(list(ids)):
            book[ids[line.order_id].number][line.line_id] = line.quantity
        for event in tx.orders.events(list(ids)):
            if event.standing:
                place = book[ids[event.order_id].number].setdefault("events", Counter())
                place[event.line_id, event.event, event.on] += event.quantity
        return book

    return company.read(read)


def _books(buyer: Company, seller: Company) -> list[str]:
    """Both sides tell the same of every order that the seller took."""
    ours, theirs = _book(buyer, seller.id), _book(seller, buyer.id)
    refused = {
        row.doc_number
        for row in _rows(buyer, seller.id, "out")
        if row.type == "Order" and row.state in ("refused", "withdrawn")
    }
    found = []
    for number in sorted(ours.keys() | theirs.keys()):
        if number in refused:
            continue
        if ours.get(number) != theirs.get(number):
            found.append(f"order {number}: {ours.get(number)} at the buyer, {theirs.get(number)} at the seller")
    return found


def _stock(buyer: Company, seller: Company) -> list[str]:
    """The buyer sees the seller's stock as it is."""

    def figures(company: Company, owner: str) -> dict[str, tuple[int | None, int | None]]:
        keys = [f"no:{seller.id}:ITEM-{n}" for n in range(1, 6)]
        rows = company.read(lambda tx: ledger.net(tx, tx.stock.figures(keys)))
        return {row.item_key: (row.on_hand, row.available) for row in rows if row.partner_id == owner}

    told, own = figures(buyer, seller.id), figures(seller, "")
    return [] if told == own else [f"stock: {own} at the seller, {told} seen by the buyer"]


def _holds(buyer: Company, seller: Company) -> list[str]:
    """Counters are the sums of what counts, and both think the same of every hold, and of how much it still has."""
    found = [f"{one.name}: {wrong}" for one in (buyer, seller) for wrong in one.read(ledger.verify)]
    got, given = _reservations(buyer, "requester"), _reservations(seller, "grantor")
    for name, ours in got.items():
        theirs = given.get(name)
        if ours.state == "requested" and ours.expires_at <= buyer.ctx.now_micros():
            found.append(f"hold {name} was never answered and never ended")
        elif ours.granted and (theirs is None or theirs.quantity < ours.quantity):
            found.append(f"hold {name}: {ours} at the buyer, {theirs} at the seller")
        elif theirs is not None and {ours.state, theirs.state} <= LIVE and ours.granted != theirs.granted:
            found.append(f"hold {name} has {ours.granted} at the buyer and {theirs.granted} at the seller")
        elif theirs is not None and ours.state in UNWANTED - {"expired"} and theirs.state in LIVE:
            found.append(f"hold {name} is {ours.state} at the buyer and {theirs.state} at the seller")
    return found


def _erp_holds(company: Company) -> list[str]:
    """The ERP keeps what the node holds, and nothing else; nothing waits for its answer."""
    found = []
    for name, row in _reservations(company, "grantor").items():
        if row.reservation_id.startswith("order|"):
            continue
        at_erp = company.erp.kept.get((row.partner_id, name), "never asked")
        if row.state == "pending":
            found.append(f"hold {name} waits for the ERP for ever")
        elif (at_erp == "kept") != (row.state in LIVE):
            found.append(f"hold {name} is {row.state} at {company.name} and {at_erp} in its ERP")
        elif row.state in ("confirmed", "reflected") and at_erp != "ordered":
            found.append(f"hold {name} was taken up by an order, and is {at_erp} in the ERP of {company.name}")
    return found


def _reservations(company: Company, role: str) -> dict[str, ReservationRow]:
    rows = company.read(lambda tx: tx.reservations.search(role=role, limit=100_000))
    return {row.reservation_id: row for row in rows}
