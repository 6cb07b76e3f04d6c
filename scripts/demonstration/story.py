"""The demonstration's story: what happens, in which order, and what a buyer gets to see of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from scripts.demonstration import chronicle, erp_retailer, erp_supplier, facts, screen, settlement
from scripts.demonstration.company import CommandError, Company
from scripts.demonstration.network import Network
from scripts.demonstration.reckoning import Expected
from scripts.demonstration.trade import Trade

__all__ = ["Story"]

STEP_SECONDS_MAX = 180
LOTS = 8


@dataclass
class Story:
    """One run through the trade; `findings` is what did not add up."""

    network: Network
    trade: Trade
    expected: Expected
    console: Console
    released: int = 0
    findings: list[str] = field(default_factory=list)

    def tell(self) -> bool:
        """Tell all of it; whether everything added up."""
        network = self.network
        self._scene("Live availability across companies")
        self._availability()
        self._scene("Customers order; each order goes to the supplier as a drop-ship order")
        self._probe()
        lots = self._lots()
        self._release(lots[0])
        self._scene("The supplier's node is killed (SIGKILL) while orders come in")
        self._supplier_dies(lots[1])
        self._scene("Keys are rotated on both sides while orders come in")
        for company in (network.retailer, network.supplier):
            self._command(company, "key", "rotate")
        self._release(lots[2])
        self._scene("The rest of the orders")
        for through in lots[3:]:
            self._release(through)
        self.console.print(f"{self.released} orders, cancellations and changes are answered.")
        self._scene("Where is my order? One look-up over both companies")
        self._late_piece()
        self._scene("The days after: late pieces come, are despatched, received, invoiced")
        erp_supplier.close(network.supplier_erp, self.trade.last_sequence)
        self._drain()
        self._scene("Replenishment: from the customer's order to a row in the manufacturer's ERP")
        self._replenishment()
        self._scene("Evidence, checked as a third party would, without any node")
        self._evidence()
        self._scene("Summary")
        return self._summary()

    # --- scenes ----------------------------------------------------------------------------------------------------

    def _availability(self) -> None:
        """What the retailer sees of the supplier's stock."""
        network = self.network
        wanted = [item.code for item in self.trade.items.values() if facts.gtin_of(item.code)][:2]
        gtins = [facts.gtin_of(code) for code in wanted]

        def arrived() -> bool:
            try:
                figures = network.retailer.told("availability", *gtins)["figures"]
            except CommandError:
                return False
            return {one["item"] for one in figures if one["partner_id"] == network.supplier.id} != set()

        network.wait("the supplier's stock", arrived, STEP_SECONDS_MAX, every=0.5)
        self._command(network.retailer, "availability", *gtins)

    def _lots(self) -> list[int]:
        """The numbers up to which each lot of what is left goes out."""
        left = self.trade.last_sequence - self.released
        return [self.released + left * place // LOTS for place in range(1, LOTS + 1)]

    def _probe(self) -> None:
        """One order alone that brings an item below its reorder point, timed to the row in the manufacturer's ERP."""
        found = chronicle.first_trigger(self.network.supplier_erp, self.trade)
        if found is None:
            return
        sequence, article = found
        self._release(sequence - 1)
        rows = "SELECT recu_le FROM demande_reappro WHERE ref_client = ?"
        manufacturer = self.network.manufacturer_erp
        if manufacturer.execute(rows, (article,)).fetchone() is not None:
            return
        erp_retailer.release(self.network.shop, sequence)
        self.released = sequence
        arrived: list[str] = []

        def there() -> bool:
            arrived.extend(row[0] for row in manufacturer.execute(rows, (article,)))
            return bool(arrived)

        self.network.wait(f"the request for article {article}", there, STEP_SECONDS_MAX, every=0.02)
        placed = self.network.shop.execute("SELECT placed_at FROM papers WHERE sequence = ?", (sequence,)).fetchone()[0]
        seconds = (_moment(arrived[0]) - _moment(placed)).total_seconds()
        self.console.print(
            f"Order HG{sequence:06d} brought article {article} below its reorder point:"
            f" [bold]{seconds:.2f} s[/] from the customer's click to the row in Atelier Meuble's ERP,"
            " through two nodes and three ERPs (the shop's folder is looked into once a second)."
        )

    def _supplier_dies(self, through: int) -> None:
        network = self.network
        network.supplier.kill()
        erp_retailer.release(network.shop, through)
        self.released = through

        def piled_up() -> bool:
            status = network.retailer.status()
            return status is not None and any(one["waiting"] for one in status["partners"])

        network.wait("orders that wait for the supplier", piled_up, STEP_SECONDS_MAX)
        status = network.retailer.status() or {"partners": []}
        waiting = sum(one["waiting"] for one in status["partners"])
        self.console.print(f"Nordwind's node is gone; {waiting} documents wait at Harbour Gifts, on disk.")
        began = time.monotonic()
        network.supplier.node.start()
        network.supplier.wait_ready()
        self._release(through)
        self.console.print(f"Back, and caught up {time.monotonic() - began:.1f} s after its start.")

    def _late_piece(self) -> None:
        """An order of which a piece is not there yet; one of which a part has left, where there is one by now."""
        query = (
            "SELECT number, COUNT(*) AS lines,"
            " EXISTS (SELECT 1 FROM despatches d WHERE d.order_number = s.number) AS left_in_part"
            " FROM line_status s GROUP BY number"
            " ORDER BY SUM(back_ordered) > 0 AND SUM(accepted) > 0 DESC, left_in_part DESC, ABS(lines - 5), number"
            " LIMIT 1"
        )
        found = self.network.shop.execute(query).fetchone()
        self._command(self.network.retailer, "order", "show", str(found["number"]))

    def _drain(self) -> None:
        """Let everything that is on its way arrive; the bar counts pieces invoiced."""
        wanted = sum(line.despatched for line in self.expected.lines.values())
        shop = self.network.shop
        with self._bar("pieces invoiced", wanted) as advance:

            def done() -> bool:
                advance(
                    shop.execute(
                        "SELECT COALESCE(SUM(quantity), 0) FROM invoice_lines JOIN invoices USING (invoice)"
                        " WHERE type = '380'"
                    ).fetchone()[0]
                )
                return chronicle.is_complete(self.network, self.expected)

            self.network.wait("the last documents", done, STEP_SECONDS_MAX, every=0.25)

    def _replenishment(self) -> None:
        seconds = chronicle.latencies(self.network)
        if seconds:
            self.console.print(
                f"{len(seconds)} request lines; from the latest order of the item to the row:"
                f" median {median(seconds):.2f} s, fastest {min(seconds):.2f} s, slowest {max(seconds):.2f} s"
                " (orders were placed in lots, so most waited for their turn)."
            )
        rows = self.network.manufacturer_erp.execute(
            "SELECT d.no_demande, d.ref_article, d.qte_pieces, o.unites, a.unite, a.contenu, o.date_prevue"
            " FROM demande_reappro d JOIN ordre_fabrication o USING (no_demande, ligne)"
            " JOIN article a ON a.ref_article = o.ref_article ORDER BY d.recu_le LIMIT 3"
        )
        for row in rows:
            self.console.print(
                f"  {row['no_demande']}: {row['qte_pieces']} pieces of {row['ref_article']} ="
                f" {row['unites']} {row['unite']} of {row['contenu']}, ready on {row['date_prevue']}"
            )

    def _evidence(self) -> None:
        for holder, partner in ((self.network.retailer, self.network.supplier), self.network.links[1]):
            file = self.network.folder / f"evidence-{holder.home.name}-{partner.home.name}.hansa"
            file.unlink(missing_ok=True)
            self._command(holder, "evidence", "export", partner.id, "--out", str(file))
            expected = [f"--expect={one.id}={self.network.fingerprints[one.id]}" for one in (holder, partner)]
            try:
                self._command(holder, "evidence", "verify", str(file), *expected)
            except CommandError as error:
                self.findings.append(f"the evidence of {holder.name} does not verify: {error}")

    def _summary(self) -> bool:
        network = self.network
        result = settlement.settle(self.expected, network.supplier_erp, network.shop, network.manufacturer_erp)
        result.findings += self.findings
        result.findings += chronicle.chain_findings(network)
        settlement.show(result, self.console)
        for restart in network.restarts:
            self.console.print(f"[yellow]{restart}; nothing was lost[/]")
        if result.is_clean:
            self.console.print(
                "[bold green]Everything adds up[/]: every order is accounted for, quantities and money are equal at"
                " both companies and to the calculation from the input; chains and evidence verify."
            )
        else:
            self.console.print("[bold red]It does not add up.[/]")
        return result.is_clean

    # --- means -------------------------------------------------------------------------------------------------------

    def _release(self, through: int) -> None:
        """Let customers order up to a number, and wait until each of these papers has its answer."""
        if through > self.released:
            erp_retailer.release(self.network.shop, through)
            self.released = through
        with self._bar("orders and cancellations answered", self.trade.last_sequence) as advance:

            def answered() -> bool:
                count = self.network.shop.execute("SELECT COUNT(*) FROM answered").fetchone()[0]
                advance(count)
                return int(count) >= through

            self.network.wait(f"answers up to number {through}", answered, STEP_SECONDS_MAX)

    @contextmanager
    def _bar(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self.console, disable=not self.console.is_terminal) as progress:
            task = progress.add_task(what, total=total)
            yield lambda count: progress.update(task, completed=count)

    def _scene(self, title: str) -> None:
        screen.scene(self.console, title)

    def _command(self, company: Company, *arguments: str) -> None:
        screen.command(self.console, company, *arguments)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
