"""The second act's story: what happens, in which order, and what a buyer gets to see of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from rich.console import Console

from node.clock import SystemClock
from scripts.demonstration import erp_supplier, facts, screen
from scripts.demonstration.company import Company
from scripts.demonstration.network import Network
from scripts.demonstration.second_act import factory, plan, proof, settings, stores, third_party, wholesale
from scripts.demonstration.second_act.addresses import address_of
from scripts.demonstration.second_act.plan import Plan, Want
from scripts.demonstration.trade import Trade

__all__ = ["SecondAct"]

STEP_SECONDS_MAX = 180
_AT_REST = ("delivered", "despatched", "back_ordered", "ready")


@dataclass
class SecondAct:
    """One run; `findings` is what did not come out as told."""

    network: Network
    trade: Trade
    console: Console
    findings: list[str] = field(default_factory=list)
    plan: Plan = field(default_factory=Plan)

    def tell(self) -> bool:
        """Tell all of it; whether everything added up."""
        self._scene("Second act: customers order of the shop, four companies and a carrier fulfil")
        self._open()
        self._crowd()
        self._split()
        self._rejected()
        self._collected()
        self._third_party()
        self._waiting()
        self._drop_ship()
        return self._summary()

    # --- scenes -----------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        """Everybody opens: figures and prices reach the shop's node."""
        network = self.network
        numbers = wholesale.free_pieces(network.supplier_erp)
        free = {code: numbers.get(facts.supplier_number(code), 0) for code in self.trade.items}
        exclusive = settings.exclusive_items(self.trade.items.values())
        self.plan = plan.make(self.trade, free, exclusive)
        made = self.plan
        erp_supplier.close(network.supplier_erp, self.trade.last_sequence)
        wholesale.begin(
            network.supplier_erp, {facts.supplier_number(code): pieces for code, pieces in made.drop_shelf.items()}
        )
        factory.begin(network.manufacturer_erp, made.made_units)
        names = {code: self.trade.items[code].description for code in made.dock}
        third_party.store_goods(
            network.warehouse,
            network.retailer.id,
            [(facts.gtin_of(code), names[code], pieces) for code, pieces in made.dock.items()],
        )
        stores.open_shelves(network.shop, made.shelves)
        for want in made.wants:
            self._write_down(want)
        self.console.print(
            "Nordwind and Atelier show the shop their stock and prices; Quayside Logistics keeps goods of the shop's;"
            " Swift Parcel quotes freight over HTTP."
        )
        network.wait("stock and prices of all four", self._is_known, STEP_SECONDS_MAX, every=0.25)
        want = made.of("split")
        self._command(network.retailer, "availability", facts.gtin_of(want.lines[0].code))
        address = address_of(want.customer, want.country)
        to = ["--country", address.country, "--postal-code", address.postal_code, "--weight", "1.5"]
        self._command(network.retailer, "carrier", "quote", *to, "--currency", "GBP", "--from-country", "GB")

    def _is_known(self) -> bool:
        """Whether figures of the four have come, and the two price lists."""
        network = self.network
        gtins = [facts.gtin_of(self.plan.of(role).lines[0].code) for role in ("split", "third party", "drop ship")]
        figures = network.retailer.ask("availability", items=gtins)["figures"]
        seen = {one["partner_id"] for one in figures if Decimal(str(one["available"] or 0)) > 0}
        lists = network.retailer.ask("documents.list", type="ItemCatalogue", direction="in")["documents"]
        everybody = {network.supplier.id, network.manufacturer.id, network.logistics.id}
        ours = {one["item"] for one in figures if not one["partner_id"]}
        at_wholesaler = network.supplier.ask("availability", items=[gtins[2]])["figures"]
        chain = {one["partner_id"] for one in at_wholesaler}
        return everybody <= seen and bool(ours) and len(lists) >= 2 and network.manufacturer.id in chain

    def _crowd(self) -> None:
        wants = [want for want in self.plan.wants if not want.role]
        self._scene(f"{len(wants)} customers order at once; the node sources them together, by cost")
        stores.release(self.network.shop, [want.number for want in wants])
        self._wait_for([want.number for want in wants], "the web shop's orders")
        told = self._orders([want.number for want in wants])
        sources: dict[str, int] = {}
        parcels = 0
        for order in told.values():
            used = set()
            for line in order["lines"]:
                for name, pieces in proof.by_source(line).items():
                    sources[name] = sources.get(name, 0) + pieces
                    used.add(name)
            parcels += len(used)
        names = {company.id: company.name for company in self.network.companies}
        for name, pieces in sorted(sources.items(), key=lambda one: -one[1]):
            self.console.print(f"  {pieces:>4} pieces from {names.get(name, name) or 'supply that is still to come'}")
        self.console.print(f"  {len(told)} orders in {parcels} parts.")

    def _split(self) -> None:
        want = self.plan.of("split")
        self._scene("An order that nobody can fulfil alone: split over a store, the wholesaler and the maker")
        self._place(want)
        self._show(want)
        self._command(self.network.retailer, "order", "why", want.number)
        used = {name for line in self._lines(want) for name in proof.by_source(line)}
        needed = {"HARBOUR", self.network.supplier.id, self.network.manufacturer.id}
        self._expect(needed <= used, f"{want.number} was to come from three companies, and comes from {sorted(used)}")

    def _rejected(self) -> None:
        want = self.plan.of("rejected")
        code, leaves = self.plan.blocked_leaves
        self._scene("The wholesaler holds eight, then rejects three: only these are sourced again")
        article = facts.supplier_number(code)
        free = wholesale.free_pieces(self.network.supplier_erp)[article]
        wholesale.block(self.network.supplier_erp, article, free - leaves)
        self._place(want)
        self._show(want)
        found = proof.by_source(self._lines(want)[0])
        rest = sum(pieces for name, pieces in found.items() if name != self.network.supplier.id)
        right = found.get(self.network.supplier.id) == leaves and rest == want.lines[0].quantity - leaves
        self._expect(right, f"{want.number} was to come with {leaves} from the wholesaler, and comes as {found}")

    def _collected(self) -> None:
        want = self.plan.of("collected")
        self._scene("By telephone: a customer collects in the store")
        line = want.lines[0]
        network = self.network
        arguments = ["--number", want.number, "--kind", "pick_up", "--collect-at", want.collect_at]
        arguments += ["--channel", plan.COUNTER, "--customer", want.customer, "--currency", "GBP"]
        arguments += ["--line", f"{facts.gtin_of(line.code)}={line.quantity}@{line.price:f}"]
        self._command(network.retailer, "order", "place", *arguments)
        network.wait(
            f"the pieces of {want.number} to lie ready",
            lambda: stores.arrived(network.shop, want.number) and self._states(want) == {"ready"},
            STEP_SECONDS_MAX,
        )
        self.console.print(f"{want.number} lies ready at {want.collect_at}; the customer comes.")
        stores.collect(network.shop, want.number)
        network.wait(f"{want.number} to be collected", lambda: self._states(want) == {"delivered"}, STEP_SECONDS_MAX)
        self._show(want)

    def _third_party(self) -> None:
        want = self.plan.of("third party")
        self._scene("From our own goods at the 3PL, while the carrier does not answer")
        self.network.silence.touch()
        self._place(want)
        why = self.network.retailer.ask("order.why", order=want.number)
        remarks = [text for one in why["decisions"] for text in one["why"].get("findings", ()) if "stand in" in text]
        for text in remarks[:1]:
            self.console.print(f"The decision says: {text}.")
        self._expect(bool(remarks), f"{want.number} was to be priced by the table that stands in for the carrier")
        self.network.silence.unlink()
        self._show(want)
        rows = self.network.warehouse.execute(
            "SELECT m.*, j.name, j.city FROM movement m JOIN job j USING (number) WHERE customer_order = ?",
            (want.number,),
        ).fetchall()
        for row in rows:
            self.console.print(
                f"Quayside's own book: {row['pieces']} of {row['gtin']} left as {row['despatch']} for {row['name']},"
                f" {row['city']} ({row['tracking']})"
            )
        self._expect(bool(rows), f"{want.number} was to leave the 3PL's dock")

    def _waiting(self) -> None:
        wants = [self.plan.of(f"waiting {place}") for place in (1, 2, 3)]
        store, code, pieces = self.plan.receipt
        self._scene("Nobody has it: customers wait, and are served in order when goods come in")
        for want in wants:
            stores.release(self.network.shop, [want.number])
            self._wait_for([want.number], f"{want.number} to wait")
        self._command(self.network.retailer, "orders", "stuck")
        self.console.print(f"{pieces} pieces of {code} come in at {store}'s back door.")
        stores.receive(self.network.shop, store, code, pieces)
        self.network.wait(
            "the goods to be given out", lambda: sum(self._served(want) for want in wants) == pieces, STEP_SECONDS_MAX
        )
        self._wait_for([want.number for want in wants], "the goods to leave")
        for want in sorted(wants, key=lambda one: (-one.priority, one.number)):
            first = ", ordered as important" if want.priority else ""
            served, wanted = self._served(want), want.lines[0].quantity
            self.console.print(f"  {want.number}{first}: {served} of {wanted} sent, {wanted - served} still wait")
        got = [self._served(want) for want in wants]
        self._expect(got == [pieces - 6, 6, 0], f"the goods were to be given as 6 to the important one first: {got}")

    def _drop_ship(self) -> None:
        want = self.plan.of("drop ship")
        network = self.network
        self._scene("A drop shipment over three companies: each knows its neighbour only, and the customer's address")
        self.console.print(
            "Nordwind's node sources the shop's orders by itself from now on (its settings say so, and it restarts)."
        )
        file = network.supplier.home / "hansa.toml"
        network.supplier.node.stop()
        file.write_text(settings.orchestrated(file.read_text(encoding="utf-8"), network.retailer.id), encoding="utf-8")
        network.supplier.node.start()
        network.supplier.wait_ready()
        self._place(want)
        self._show(want)
        row = network.manufacturer_erp.execute(
            "SELECT c.*, e.suivi FROM commande c LEFT JOIN expedition e USING (client, no_commande) WHERE c.client = ?",
            (network.supplier.id,),
        ).fetchone()
        self._expect(row is not None, f"{want.number} was to reach the maker")
        if row is not None:
            self.console.print(
                f"Atelier's own book: order {row['no_commande']} of {row['client']} (Nordwind), to {row['nom']},"
                f" {row['rue']}, {row['code_postal']} {row['ville']}: sent as {row['suivi']}"
            )
        used = {name for line in self._lines(want) for name in proof.by_source(line)}
        self._expect(used == {network.supplier.id}, f"{want.number} was to come from the wholesaler alone: {used}")

    def _summary(self) -> bool:
        network = self.network
        network.wait("the last news", lambda: proof.is_settled(network, self.plan), STEP_SECONDS_MAX, every=0.5)
        self._scene("Summary of the second act")
        findings = [*self.findings, *proof.check(network, self.plan)]
        proof.show(network, self.plan, findings, self.console)
        for company in network.companies:
            self._command(company, "reservation", "verify")
        if findings:
            self.console.print("[bold red]The second act does not add up.[/]")
        else:
            self.console.print(
                "[bold green]Every piece is where it should be[/]: delivered, on its way or back-ordered, once, by the"
                " four companies' own books and the nodes'; no stock was promised twice."
            )
        return not findings

    # --- means ------------------------------------------------------------------------------------------------------

    def _place(self, want: Want) -> None:
        """Let an order out to the node, and wait until nothing of it moves."""
        lines = ", ".join(f"{line.quantity} of {line.code}" for line in want.lines)
        self.console.print(f"{want.number}: a customer orders {lines}.")
        stores.release(self.network.shop, [want.number])
        self._wait_for([want.number], f"{want.number}")

    def _wait_for(self, numbers: list[str], what: str) -> None:
        def at_rest() -> bool:
            told = self._orders(numbers)
            return len(told) == len(numbers) and all(map(_rests, told.values()))

        self.network.wait(what, at_rest, STEP_SECONDS_MAX)

    def _orders(self, numbers: list[str]) -> dict[str, dict[str, Any]]:
        wanted = set(numbers)
        told = self.network.retailer.ask("order.find", limit=1000)["orders"]
        return {one["number"]: one for one in told if one["number"] in wanted}

    def _lines(self, want: Want) -> list[dict[str, Any]]:
        order = self._orders([want.number]).get(want.number)
        return list(order["lines"]) if order else []

    def _states(self, want: Want) -> set[str]:
        return {piece["state"] for line in self._lines(want) for piece in line["pieces"] if not piece["dead"]}

    def _served(self, want: Want) -> int:
        return sum(int(Decimal(line["under_way"])) + int(Decimal(line["delivered"])) for line in self._lines(want))

    def _write_down(self, want: Want) -> None:
        address = address_of(want.customer, want.country)
        now: datetime = SystemClock().now().astimezone(UTC)
        row = {
            "number": want.number,
            "kind": want.kind,
            "channel": plan.CHANNEL,
            "customer": want.customer,
            "name": address.name,
            "street": address.street,
            "city": address.city,
            "postal_code": address.postal_code,
            "country": address.country,
            "collect_at": want.collect_at,
            "priority": want.priority,
            "at": now.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "by_hand": int(want.by_hand),
        }
        stores.want(
            self.network.shop, row, [(one.line_id, one.code, one.quantity, f"{one.price:f}") for one in want.lines]
        )

    def _expect(self, right: bool, otherwise: str) -> None:
        if not right:
            self.findings.append(otherwise)

    def _scene(self, title: str) -> None:
        screen.scene(self.console, title)

    def _show(self, want: Want) -> None:
        """The customer order's status; the orders behind it are told by the same command, further down."""
        screen.command(self.console, self.network.retailer, "order", "show", want.number, until="Orders behind it")

    def _command(self, company: Company, *arguments: str) -> None:
        screen.command(self.console, company, *arguments)


def _rests(order: dict[str, Any]) -> bool:
    """Whether everything of an order has left, lies ready or waits for supply."""
    pieces = [piece for line in order["lines"] for piece in line["pieces"] if not piece["dead"]]
    return (
        bool(pieces)
        and all(piece["state"] in _AT_REST for piece in pieces)
        and not any(Decimal(line["open"]) for line in order["lines"])
    )
