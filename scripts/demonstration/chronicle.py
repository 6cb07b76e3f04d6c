"""Questions about a run of the demonstration, answered from the three ERPs' tables and the nodes' positions."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from datetime import datetime

from scripts.demonstration import facts
from scripts.demonstration.network import Network
from scripts.demonstration.reckoning import Expected
from scripts.demonstration.trade import Trade

__all__ = ["chain_findings", "first_trigger", "is_complete", "latencies"]

PROBE_AFTER_SEQUENCE = 10


def first_trigger(supplier_erp: sqlite3.Connection, trade: Trade) -> tuple[int, str] | None:
    """The first order after a few that brings an article below its reorder point, and the article.

    Only articles with a GTIN that nobody cancels, so that it is certain; and only in the first half of the orders.
    """
    reduced = {(one.order.number, line.line_id) for one in trade.cancellations for line in one.lines}
    numbers = {facts.supplier_number(code): code for code in trade.items}
    points = {
        numbers[row["artikel_nr"]]: (row["artikel_nr"], row["anfang"] * row["ve"] - row["melde_menge"])
        for row in supplier_erp.execute(
            "SELECT * FROM meldebestand JOIN artikel USING (artikel_nr) JOIN bestand USING (artikel_nr)"
            " WHERE ean IS NOT NULL"
        )
    }
    ordered: defaultdict[str, int] = defaultdict(int)
    # Afterwards there should be orders enough for the rest of the story.
    for order in trade.customer_orders[: len(trade.customer_orders) // 2]:
        for line in order.lines:
            if line.code not in points:
                continue
            if (order.number, line.line_id) in reduced:
                del points[line.code]
                continue
            article, slack = points[line.code]
            ordered[line.code] += line.quantity
            if ordered[line.code] > slack:
                if order.sequence > PROBE_AFTER_SEQUENCE:
                    return order.sequence, article
                del points[line.code]
    return None


def latencies(network: Network) -> list[float]:
    """For each request, the seconds from the latest order of its item before it to its row, by the machine's clock."""
    placed: defaultdict[str, list[datetime]] = defaultdict(list)
    for row in network.shop.execute(
        "SELECT l.item, p.placed_at FROM order_lines l JOIN papers p USING (number) WHERE p.placed_at IS NOT NULL"
    ):
        placed[facts.supplier_number(row["item"])].append(datetime.fromisoformat(row["placed_at"]))
    found = []
    for row in network.manufacturer_erp.execute("SELECT ref_client, recu_le FROM demande_reappro"):
        at = datetime.fromisoformat(row["recu_le"])
        before = [moment for moment in placed[row["ref_client"]] if moment <= at]
        if before:
            found.append((at - max(before)).total_seconds())
    return found


def is_complete(network: Network, expected: Expected) -> bool:
    """Whether everything has arrived: papers answered, bills there, goods and returns booked, nothing on its way."""
    shop, supplier = network.shop, network.supplier_erp
    bills = sum(bill.documents for bill in (*expected.invoiced.values(), *expected.credited.values()))
    received = sum(line.despatched - line.short for line in expected.lines.values())
    returned = sum(line.returned for line in expected.lines.values())
    counts = (
        (shop, "SELECT COUNT(*) FROM answered", len(expected.orders) + expected.reductions),
        (shop, "SELECT COUNT(*) FROM invoices", bills),
        (supplier, "SELECT SUM(empfangen * ve) FROM auftrag_position JOIN artikel USING (artikel_nr)", received),
        (supplier, "SELECT SUM(retourniert * ve) FROM auftrag_position JOIN artikel USING (artikel_nr)", returned),
    )
    if any((connection.execute(query).fetchone()[0] or 0) < wanted for connection, query, wanted in counts):
        return False
    asked = network.manufacturer_erp.execute("SELECT COUNT(*) FROM demande_reappro").fetchone()[0]
    promised = supplier.execute("SELECT COUNT(*) FROM eingang_nachschub").fetchone()[0]
    return bool(asked == promised and not _on_their_way(network))


def _on_their_way(network: Network) -> bool:
    """Whether a node has documents to send, to be receipted, or to hand over."""
    for company in network.companies:
        status = company.status()
        if status is None or status["handovers"].get("waiting"):
            return True
        if any(one["waiting"] or one["unreceipted"] or not one["connected"] for one in status["partners"]):
            return True
    return False


def chain_findings(network: Network) -> list[str]:
    """What the nodes say is wrong: heads that differ, documents refused, held or stuck."""
    findings: list[str] = []
    told = {company.id: company.status() for company in network.companies}
    for company in network.companies:
        status = told[company.id]
        if status is None:
            findings.append(f"{company.name}'s node does not answer")
            continue
        findings += [f"{company.name}: {one['what']} is stuck: {one['why']}" for one in status["stuck"]]
        for partner in status["partners"]:
            other = told[partner["id"]]
            back = next((one for one in other["partners"] if one["id"] == company.id), None) if other else None
            if back is None or partner["sent"] != back["received"]:
                findings.append(
                    f"{company.name} sent {partner['sent']} documents to {partner['name']}, which has others"
                )
            for word in ("refused", "refused_by_partner", "held", "waiting"):
                if partner[word]:
                    findings.append(f"{company.name}: {partner[word]} documents {word} with {partner['name']}")
    return findings
