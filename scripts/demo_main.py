"""The demonstration: a supplier, a retailer, a manufacturer and a 3PL with their systems trade through their nodes."""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from node.errors import HansaError
from scripts.demonstration import network, reckoning, trade, trade_generator
from scripts.demonstration.company import CommandError, Company
from scripts.demonstration.second_act.story import SecondAct
from scripts.demonstration.story import Story

WIDTH = 150
"""Columns of the output where it goes to a file."""

_DESCRIPTION = """\
Runs four companies on this machine, each with its own system and its own node, and a carrier, in nine processes:
  Harbour Gifts       a retailer: web shop, CSV and Excel files
  Nordwind Wholesale  a supplier: SQL ERP, no open port, its node dials out
  Atelier Meuble      a manufacturer: another SQL ERP, other names, units and item numbers
  Quayside Logistics  a 3PL: keeps the retailer's goods, speaks JSON lines, no open port
  Swift Parcel        a carrier: no node, quotes prices over HTTP on this machine
and plays two acts: a trade between retailer, supplier and manufacturer; then customers' orders that the retailer's node
sources over all of them. Each act ends with a summary from the companies' own tables, the first one compared with an
independent calculation from the input file; exits with 1 if anything does not add up.
"""


def main() -> int:
    """Run the demonstration; returns the exit code."""
    options = _parser().parse_args()
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH)
    given = options.folder is not None
    folder = Path(options.folder).absolute() if given else Path(tempfile.mkdtemp(prefix="hansa-demo-"))
    if given and folder.exists() and any(folder.iterdir()):
        console.print(f"{folder} is not empty: name a new folder")
        return 2
    began = time.monotonic()
    good = False
    # Being told to end is as good as Ctrl-C, which a shell lets a program in the background ignore: the companies'
    # processes end with us.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    try:
        good = _run(options, folder, console, began)
    except KeyboardInterrupt:
        console.print("stopped")
    except (HansaError, CommandError) as error:
        console.print(f"[red]{error}[/] {getattr(error, 'hint', '')}")
    if good and not given:
        shutil.rmtree(folder, ignore_errors=True)
    elif not good:
        console.print(f"What there is lies in {folder}; the nodes' logs are in */node.log.")
    return 0 if good else 1


def _run(options: argparse.Namespace, folder: Path, console: Console, began: float) -> bool:
    source = Path(options.data) if options.data else folder / "generated.csv"
    if options.data is None:
        trade_generator.generate(source, options.orders, options.seed)
    start = options.start if options.start is not None else trade.START_DEFAULT if options.data else ""
    found = trade.read_trade(source, start=start, orders=options.orders)
    expected = reckoning.calculate(source, start, options.orders, trade.ITEMS_MIN)
    _introduce(console, options, found)
    made = network.set_up(folder, found, lambda text: console.print(f"  {text}"))
    try:
        console.print(f"  ready after {time.monotonic() - began:.0f} s")
        if options.accidents:
            made.accident = _accidents(made, console, options.accidents, options.seed)
        good = Story(made, found, expected, console).tell()
        console.print(f"The first act took {time.monotonic() - began:.0f} s.")
        good = good and SecondAct(made, found, console).tell()
        console.print(f"The whole took {time.monotonic() - began:.0f} s.")
        if options.keep:
            _keep(console, made)
    finally:
        made.stop()
    return good


def _accidents(made: network.Network, console: Console, every: float, seed: int) -> Callable[[], None]:
    """A function that kills a random node, whoever is at what, so many seconds after the last one killed has come back.

    Counted from then, a busy machine still gets on between two accidents, however long its nodes take to start.
    """
    dice = random.Random(seed)
    due = [time.monotonic() + every]
    away: list[Company] = []

    def accident() -> None:
        if away and away[0].status() is not None:
            away.clear()
            due[0] = time.monotonic() + every
        if away or time.monotonic() < due[0]:
            return
        victim = dice.choice(made.companies)
        if victim.node.is_running:
            victim.node.murder()
            console.print(f"[red]kill -9 {victim.node.pid}[/] ({victim.node.name})")
            away.append(victim)

    return accident


def _introduce(console: Console, options: argparse.Namespace, found: trade.Trade) -> None:
    """Say what the input is, and what became of each of its rows."""
    console.rule("[bold]The trade", align="left")
    if options.data:
        console.print(f"Real input: {options.data}")
    else:
        console.print(f"Generated input, seed {options.seed}; the figures behind it are in trade_generator.py")
    console.print(
        f"{len(found.customer_orders)} customer orders with {found.lines} lines of {len(found.items)} items,"
        f" {len(found.cancellations)} cancellations and changes, from {found.first_at:%Y-%m-%d %H:%M} on."
    )
    console.print(f"Rows used: {_counts(found.used)}.")
    console.print(f"Rows not used: {_counts(found.unused)}.")
    console.print("GTINs (restricted range), pack sizes, VAT rates, stock and reorder points are generated: facts.py")


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in counter.most_common()) or "none"


def _keep(console: Console, made: network.Network) -> None:
    """Leave everything running until Ctrl-C."""
    console.print("\nStill running; try in another terminal (Ctrl-C here ends it):")
    for company in made.companies:
        console.print(f"  hansa --home {company.home} status", markup=False)
    console.print(f"  hansa --home {made.retailer.home} order find --limit 5", markup=False)
    console.print(f"  hansa --home {made.retailer.home} order why WEB-0001", markup=False)
    try:
        while True:
            made.tend()
            time.sleep(0.5)
    except KeyboardInterrupt:
        console.print("stopping")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/demo", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", metavar="FILE", help="retail transactions (UCI Online Retail, CSV or CSV.gz)")
    parser.add_argument(
        "--orders", type=int, default=trade.ORDERS_DEFAULT, metavar="N", help="customer orders at least (%(default)s)"
    )
    parser.add_argument(
        "--start", metavar="INVOICE", help=f"invoice of the file to begin with (with --data: {trade.START_DEFAULT})"
    )
    parser.add_argument(
        "--seed", type=int, default=trade_generator.SEED_DEFAULT, help="of the generated trade (%(default)s)"
    )
    parser.add_argument("--folder", help="where everything is kept; without it a temporary folder, removed at the end")
    parser.add_argument(
        "--accidents",
        type=float,
        metavar="SECONDS",
        help="kill -9 a random node, so many seconds after the last one has come back",
    )
    parser.add_argument("--keep", action="store_true", help="leave the companies running at the end, to try commands")
    return parser


if __name__ == "__main__":
    sys.exit(main())
