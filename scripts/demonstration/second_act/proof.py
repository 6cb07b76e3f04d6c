"""The second act's reckoning: every piece that a customer ordered was sent once, or waits; by the companies' own books.

The four systems' tables say what left which house for which customer order, and what was delivered of it. That is
compared with what was ordered, and with what the retailer's node says of each line; and each house's stock must be what
it was, less what left it.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table

from scripts.demonstration import facts
from scripts.demonstration.network import MANUFACTURER, RETAILER, SUPPLIER, Network
from scripts.demonstration.second_act.plan import Plan

__all__ = ["Account", "account", "check", "is_settled", "node_lines", "show"]

Key = tuple[str, str]
"""Customer order and item."""
FINDINGS_SHOWN_MAX = 20


@dataclass(slots=True)
class Account:
    """Pieces by customer order and item: sent and delivered, by house and in all."""

    sent: dict[str, Counter[Key]] = field(default_factory=dict)
    delivered: dict[str, Counter[Key]] = field(default_factory=dict)

    def book(self, house: str, key: Key, pieces: int, *, delivered: bool) -> None:
        """Add what left a house."""
        self.sent.setdefault(house, Counter())[key] += pieces
        self.delivered.setdefault(house, Counter())[key] += pieces if delivered else 0

    def total(self, key: Key) -> tuple[int, int]:
        """(sent, delivered) of a line by all houses."""
        return sum(one[key] for one in self.sent.values()), sum(one[key] for one in self.delivered.values())


def account(network: Network, plan: Plan) -> Account:
    """What the four systems' own tables say."""
    found = Account()
    codes = {facts.supplier_number(code): code for code in plan.items}
    gtins = {facts.gtin_of(code): code for code in plan.items}
    made = {one.number: code for code in plan.items if (one := facts.made_of(code)) is not None}
    for row in network.shop.execute(
        "SELECT n.customer_order, n.store, l.item, l.taken, g.delivered FROM goods_out g"
        " JOIN instruction n USING (number) JOIN instruction_line l USING (number) WHERE l.taken > 0"
    ):
        house = f"store {row['store']}"
        found.book(house, (row["customer_order"], row["item"]), row["taken"], delivered=bool(row["delivered"]))
    for row in network.supplier_erp.execute(
        "SELECT k.kundenauftrag, x.artikel_nr, p.menge * x.ve AS stueck, z.am FROM lieferung_position p"
        " JOIN lieferung h USING (lieferschein_nr) JOIN kunde_auftrag k USING (auftrag_nr)"
        " JOIN artikel x USING (artikel_nr) LEFT JOIN zustellung z USING (lieferschein_nr)"
        " WHERE k.kunden_bestell_nr NOT LIKE 'HG%'"
    ):
        key = (row["kundenauftrag"], codes.get(row["artikel_nr"], row["artikel_nr"]))
        found.book("Nordwind", key, row["stueck"], delivered=row["am"] is not None)
    for row in network.manufacturer_erp.execute(
        "SELECT c.client, c.ref_client, l.ref_article, l.pieces, e.livree FROM expedition e"
        " JOIN expedition_ligne l USING (no_expedition) JOIN commande c USING (client, no_commande)"
    ):
        code = made.get(row["ref_article"], row["ref_article"])
        # The maker knows the wholesaler's number only: whose piece it is follows from the item, which one order has.
        order = row["ref_client"] if row["client"] == RETAILER else _only_order_of(plan, code)
        house = "Atelier" if row["client"] == RETAILER else "Atelier for Nordwind"
        found.book(house, (order, code), row["pieces"], delivered=bool(row["livree"]))
    for row in network.warehouse.execute(
        "SELECT j.customer_order, m.gtin, m.pieces, m.delivered FROM movement m JOIN job j USING (number)"
    ):
        key = (row["customer_order"], gtins.get(row["gtin"], row["gtin"]))
        found.book("3PL", key, row["pieces"], delivered=bool(row["delivered"]))
    return found


def _only_order_of(plan: Plan, code: str) -> str:
    numbers = [want.number for want in plan.wants if any(line.code == code for line in want.lines)]
    return numbers[0] if len(numbers) == 1 else ""


def node_lines(network: Network, plan: Plan) -> dict[Key, dict[str, Any]]:
    """What the retailer's node says of each line, by customer order and item."""
    gtins = {facts.gtin_of(code): code for code in plan.items}
    told = network.retailer.ask("order.find", limit=1000)["orders"]
    return {
        (order["number"], gtins.get(line["item"], line["item"])): {**line, "state": order["state"]}
        for order in told
        for line in order["lines"]
    }


def is_settled(network: Network, plan: Plan) -> bool:
    """Whether nothing moves any more: what was sent has arrived as far as it will, and the node knows it all."""
    books, lines = account(network, plan), node_lines(network, plan)
    for key, wanted in _ordered(plan):
        line = lines.get(key)
        sent, delivered = books.total(key)
        if line is None or Decimal(line["open"]) or any(piece["state"] in _MOVING for piece in line["pieces"]):
            return False
        if (sent, delivered) != (wanted - int(Decimal(line["back_ordered"])), int(Decimal(line["delivered"]))):
            return False
    return True


_MOVING = ("planned", "holding", "held", "ordering", "in_doubt", "ordered", "accepted", "ready", "cancelling")


def _ordered(plan: Plan) -> Iterator[tuple[Key, int]]:
    for want in plan.wants:
        for line in want.lines:
            yield (want.number, line.code), line.quantity


def check(network: Network, plan: Plan) -> list[str]:
    """Every difference, in words."""
    findings = [*_lines(network, plan), *_stock(network), *_secrets(network, plan)]
    for company in network.companies:
        told = company.ask("reservation.verify")
        findings += [f"{company.name}: the stock ledger differs: {one}" for one in told["differences"]]
    for row in network.supplier_erp.execute("SELECT beleg, text FROM fehlerprotokoll"):
        findings.append(f"Nordwind could not book {row['beleg']}: {row['text']}")
    return findings


def _lines(network: Network, plan: Plan) -> Iterator[str]:
    books, lines = account(network, plan), node_lines(network, plan)
    wanted = dict(_ordered(plan))
    for key, ordered in wanted.items():
        name, line = f"{key[0]} item {key[1]}", lines.get(key)
        if line is None:
            yield f"{name}: the node does not know it"
            continue
        figures = {word: int(Decimal(line[word])) for word in ("delivered", "under_way", "back_ordered", "cancelled")}
        if sum(figures.values()) != ordered or Decimal(line["open"]):
            yield f"{name}: {ordered} ordered, the node accounts for {figures}, open {line['open']}"
        sent, delivered = books.total(key)
        if sent + figures["back_ordered"] + figures["cancelled"] != ordered:
            yield f"{name}: {ordered} ordered, {sent} sent by all houses, {figures['back_ordered']} back-ordered"
        if (sent, delivered) != (figures["delivered"] + figures["under_way"], figures["delivered"]):
            yield f"{name}: the houses sent {sent} and delivered {delivered}, the node says {figures}"
    for house, counter in books.sent.items():
        for key in counter.keys() - wanted.keys():
            yield f"{house} sent {counter[key]} of {key[1]} for {key[0] or 'nobody'}, which nobody ordered"


_STOCK = (
    (
        "shop",
        "a store",
        "SELECT store || ' ' || s.item, on_hand, opening + COALESCE((SELECT SUM(pieces) FROM shelf_receipt r"
        " WHERE r.store = s.store AND r.item = s.item), 0) - COALESCE((SELECT SUM(l.taken) FROM instruction n"
        " JOIN instruction_line l USING (number) WHERE n.store = s.store AND l.item = s.item), 0) FROM shelf s",
    ),
    (
        "warehouse",
        "the 3PL",
        "SELECT gtin, on_dock, opening - COALESCE((SELECT SUM(pieces) FROM movement m WHERE m.gtin = g.gtin), 0)"
        " FROM goods g",
    ),
    (
        "supplier_erp",
        "Nordwind",
        "SELECT artikel_nr, menge, anfang - COALESCE((SELECT SUM(p.geliefert) FROM auftrag_position p"
        " JOIN kunde_auftrag k USING (auftrag_nr) WHERE p.artikel_nr = katalog.artikel_nr"
        " AND k.kunden_bestell_nr NOT LIKE 'HG%'), 0) FROM katalog JOIN (SELECT artikel_nr, menge FROM bestand)"
        " USING (artikel_nr)",
    ),
    (
        "manufacturer_erp",
        "Atelier",
        "SELECT a.ref_article, stock, depart - COALESCE((SELECT SUM(pieces) FROM expedition_ligne e"
        " WHERE e.ref_article = a.ref_article), 0) / contenu - COALESCE((SELECT SUM(unites) FROM ordre_fabrication o"
        " JOIN demande_reappro d USING (no_demande, ligne) WHERE o.ref_article = a.ref_article AND o.du_stock"
        " AND d.recu_le >= (SELECT valeur FROM parametre WHERE nom = 'vente_le')), 0)"
        " FROM article a JOIN tarif USING (ref_article)",
    ),
)


def _stock(network: Network) -> Iterator[str]:
    """In every house: what lies there is what lay there, and what came, less what left."""
    for name, house, query in _STOCK:
        connection: sqlite3.Connection = getattr(network, name)
        for item, there, expected in connection.execute(query):
            if there != expected:
                yield f"{house}, {item}: {there} in stock, {expected} expected"


def _secrets(network: Network, plan: Plan) -> Iterator[str]:
    """In the drop shipment over three, nobody is named beyond the next company; the customer's address is there."""
    want = plan.of("drop ship")
    row = network.manufacturer_erp.execute("SELECT * FROM commande WHERE client = ?", (SUPPLIER,)).fetchone()
    if row is None or not row["nom"] or not row["rue"]:
        yield "the maker does not know to whom it sends the drop shipment"
        return
    at_maker = str(network.manufacturer.ask("order.show", order=row["no_commande"])) + str(dict(row))
    at_shop = str(network.retailer.ask("order.show", order=want.number))
    for text, names, who in (
        (at_maker, (RETAILER, network.retailer.name, want.number), "the maker learns of the shop"),
        (at_shop, (MANUFACTURER, network.manufacturer.name, row["no_commande"]), "the shop learns of the maker"),
    ):
        for name in names:
            if name in text:
                yield f"{who}: its books name {name}"


def show(network: Network, plan: Plan, findings: list[str], console: Console) -> None:
    """The houses' books as a table, and what does not fit."""
    books, lines = account(network, plan), node_lines(network, plan)
    table = Table(title="What became of every piece that customers ordered of Harbour Gifts?", title_justify="left")
    table.add_column("", no_wrap=True)
    for title in ("orders", "pieces", "delivered", "on the way", "back-ordered"):
        table.add_column(title, justify="right")
    for house in sorted(books.sent):
        sent, delivered = books.sent[house], books.delivered[house]
        pieces, there = sum(sent.values()), sum(delivered.values())
        orders = len({order for order, _ in sent})
        table.add_row(f"sent by {house}", str(orders), str(pieces), str(there), str(pieces - there), "")
    waiting = {key: int(Decimal(line["back_ordered"])) for key, line in lines.items()}
    pieces = sum(waiting.values())
    orders = len({order for (order, _), count in waiting.items() if count})
    table.add_row("waits for supply", str(orders), str(pieces), "", "", str(pieces), end_section=True)
    total = sum(pieces for _, pieces in _ordered(plan))
    there = sum(sum(one.values()) for one in books.delivered.values())
    gone = sum(sum(one.values()) for one in books.sent.values())
    table.add_row("ordered by customers", str(len(plan.wants)), str(total), str(there), str(gone - there), str(pieces))
    console.print(table)
    for finding in findings[:FINDINGS_SHOWN_MAX]:
        console.print(f"[red]finding:[/] {finding}", markup=True)
    if len(findings) > FINDINGS_SHOWN_MAX:
        console.print(f"[red]and {len(findings) - FINDINGS_SHOWN_MAX} more findings[/]")


def by_source(line: Mapping[str, Any]) -> dict[str, int]:
    """Pieces of a line that live, by where they come from."""
    found: Counter[str] = Counter()
    for piece in line["pieces"]:
        if not piece["dead"]:
            found[piece["partner_id"] or piece["location"]] += int(Decimal(piece["quantity"]))
    return dict(found)
