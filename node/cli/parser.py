"""The command line: every command with its arguments and its help. Knows nothing of what the commands do."""

from __future__ import annotations

import argparse
from collections.abc import Callable

__all__ = ["build_parser"]

Parser = argparse.ArgumentParser
Group = Callable[..., Parser]

DESCRIPTION = "A small node beside your ERP: partner companies exchange signed stock, orders, despatches and invoices."
EPILOG = "Start with: hansa init, hansa run. `hansa COMMAND --help` says what a command does."
_STATES = ("waiting", "sent", "taken", "refused", "held", "withdrawn")
EXIT_CODES = (
    """exit codes: 0 done, 1 failed, 2 settings or usage, 3 refused, 4 not now (try again), 5 our own system failed"""
)


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: Parser, *_: object) -> None:
        from importlib.metadata import version

        print(f"hansa {version('hansa')}")
        parser.exit()


def build_parser() -> Parser:
    """The whole command line."""
    parser = Parser(prog="hansa", description=DESCRIPTION, epilog=f"{EPILOG}\n{EXIT_CODES}", formatter_class=_Help)
    parser.set_defaults(home=None, json=False, color=True)
    _add_globals(parser)
    parser.add_argument("--version", action=_Version, nargs=0, help="say which version this is")
    add = _adder(parser, "commands", "")
    _node_commands(add)
    _partner_commands(_adder(add("partner", "companies we exchange documents with"), "partner commands", "partner."))
    _key_commands(_adder(add("key", "our signing keys"), "key commands", "key."))
    _adapter_commands(
        _adder(add("adapter", "our own systems: files, databases, the ERP"), "adapter commands", "adapter.")
    )
    _availability(add("availability", "what is there of an item, at our sites and at partners", "availability"))
    _order_commands(_adder(add("order", "orders, and what follows on them, by hand"), "order commands", "order."))
    several = _adder(add("orders", "customer orders all together"), "orders commands", "orders.")
    stuck = several("stuck", "what waits, for whom, since when, and what to do")
    stuck.add_argument("--limit", type=int, default=200, metavar="N", help="at most so many (200)")
    holds = add("reservation", "stock that is held: by us for partners, and by partners for us")
    _reservation_commands(_adder(holds, "reservation commands", "reservation."))
    _document_commands(_adder(add("documents", "what was sent and received"), "document commands", "documents."))
    _carrier_commands(_adder(add("carrier", "carriers: their rates and quotes"), "carrier commands", "carrier."))
    _rules_commands(_adder(add("rules", "how customer orders are sourced, in HOME/rules.toml"), "commands", "rules."))
    _disruption_commands(
        _adder(add("disruption", "what will not come as promised"), "disruption commands", "disruption.")
    )
    stock = _adder(add("stock", "our own stock"), "stock commands", "stock.")
    stock("warnings", "what runs out soon, by stock, expected supply and demand lately").add_argument(
        "items", nargs="*", metavar="ITEM", help="only these"
    )
    _evidence_commands(_adder(add("evidence", "proof for a third party"), "evidence commands", "evidence."))
    _config_commands(_adder(add("config", "the settings in HOME/hansa.toml"), "config commands", "config."))
    return parser


class _Help(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of descriptions, and wide columns."""

    def __init__(self, prog: str, **kwargs: object) -> None:
        super().__init__(prog, max_help_position=30, width=110)

    def add_argument(self, action: argparse.Action) -> None:
        """Leaves room for the indent of commands, without which the longest one would stand alone on its line."""
        super().add_argument(action)
        if isinstance(action, argparse._SubParsersAction):
            self._action_max_length += 2


def _add_globals(parser: Parser, *, below: bool = False) -> None:
    """The options that stand before or after the command's name alike."""

    def otherwise(value: object) -> object:
        return argparse.SUPPRESS if below else value

    group = parser.add_argument_group("everywhere")
    group.add_argument(
        "--home", metavar="FOLDER", default=otherwise(None), help="the node's home; else $HANSA_HOME, else ~/.hansa"
    )
    group.add_argument("--json", action="store_true", default=otherwise(False), help="answer in JSON, for programs")
    group.add_argument("--no-color", dest="color", action="store_false", default=otherwise(True), help="no colours")


def _adder(parser: Parser, title: str, prefix: str) -> Group:
    """A function that adds commands below this parser."""
    commands = parser.add_subparsers(title=title, metavar="COMMAND", required=True)

    def add(name: str, meaning: str, command: str = "", *, more: str = "") -> Parser:
        text = f"{meaning[0].upper()}{meaning[1:]}.{' ' + more if more else ''}"
        made: Parser = commands.add_parser(name, help=meaning, description=text, formatter_class=_Help)
        if command or prefix:
            made.set_defaults(command=command or prefix + name)
        _add_globals(made, below=True)
        return made

    return add


def _node_commands(add: Group) -> None:
    init = add(
        "init",
        "make a home: settings, keys, database and our card",
        "init",
        more="Prints the recovery key once: write it down and keep it away from this machine.",
    )
    init.add_argument(
        "--id",
        default="",
        metavar="ID",
        help="our participant id, such as 0088:4012345000009 (a GLN); without, our key makes one",
    )
    init.add_argument("--name", required=True, help="our company's name")
    init.add_argument("--role", action="append", default=[], help="retailer, supplier, ...; may be repeated")
    init.add_argument(
        "--listen", default="", metavar="HOST:PORT", help="where partners reach us; without it we dial out"
    )
    init.add_argument(
        "--advertise", default="", metavar="HOST:PORT", help="the address in our card; else that of --listen"
    )
    init.add_argument("--email", default="", help="whom partners write to")
    add("run", "run the node until it is told to stop (SIGTERM or Ctrl-C)", "run")
    add(
        "status",
        "who is connected, what waits, what is stuck",
        "status",
        more="Exits with 4 when the node is not running.",
    )
    backup = add(
        "backup",
        "copy the database, the settings and every file that they name while the node runs",
        "backup",
        more="The private keys are not in it, nor files with secrets: keep HOME/keys by itself.",
    )
    backup.add_argument("folder", help="an empty or new folder that takes the copy")
    add(
        "demo", "show what the node does, on real trade data", "demo", more="Runs scripts/demo of a checkout."
    ).add_argument("arguments", nargs="*", help="for the demonstration; after -- when they begin with -")


def _partner_commands(add: Group) -> None:
    card = add("card", "show or write our own card, for partners to add")
    card.add_argument("--out", metavar="FILE", help="write the card to this file")
    card.add_argument("--set-name", metavar="TEXT", help="first make a new card with this name; every partner gets it")
    card.add_argument(
        "--set-endpoint", metavar="HOST:PORT", help="the same with a new address; - when we only dial out"
    )
    new = add(
        "add", "take a partner's card", more="Nothing is exchanged before both have compared fingerprints (confirm)."
    )
    new.add_argument("card", metavar="FILE", help="the card; - reads what is pasted")
    new.add_argument("--fingerprint", metavar="TEXT", help="as the partner read it to you: confirms the card at once")
    new.add_argument("--name", help="our name for the partner; else the card's")
    confirm = add("confirm", "countersign a partner's card after comparing its fingerprint, by telephone say")
    confirm.add_argument("partner", metavar="ID")
    confirm.add_argument("fingerprint", help="as the partner read it to you")
    add("list", "all partners")
    _partner(add("show", "one partner: cards, keys, positions, what it accepts"))
    add("performance", "how partners keep what they say, and how long they take").add_argument(
        "partner", nargs="?", metavar="ID", help="only this partner, and day by day"
    )
    _partner(add("ping", "ask a connected partner for a sign of life"))
    _partner(add("go-live", "agree that documents count from now on; starts when both sides have agreed"))
    _partner(add("resume", "let a stopped link try again, once it is cleared up why it stopped"))
    revoke = _partner(add("revoke", "end the exchange with a partner now, and close its session"))
    revoke.add_argument("--reason", default="", help="kept for ourselves; the partner is not told")
    revoke.add_argument("--yes", action="store_true", help="do not ask")
    terms = _partner(add("terms", "the trade terms in force, and those of our settings"))
    terms.add_argument("--send", action="store_true", help="send those of our settings to the partner")
    terms.add_argument("--number", help="with --send: our number of this document")


def _partner(parser: Parser) -> Parser:
    parser.add_argument("partner", metavar="ID", help="the partner's participant id, or our name for it")
    return parser


def _key_commands(add: Group) -> None:
    add("list", "our keys, and since when they are in force")
    add("rotate", "make new keys; partners get the new card on their links, and the old key still counts until then")
    revoke = add(
        "revoke", "declare a key of ours stolen or lost", more="Documents after the last good one do not count."
    )
    revoke.add_argument("key", metavar="KEY_ID")
    revoke.add_argument("--reason", required=True, help="kept, and sent to the partners")
    revoke.add_argument("--yes", action="store_true", help="do not ask")
    recover = add("recover", "all keys are lost or stolen: make new ones with the recovery key that init printed")
    recover.add_argument("--recovery-key", metavar="FILE", help="a file that holds it; without, it is read as typed")
    recover.add_argument("--reason", required=True, help="kept, and sent to the partners")
    recover.add_argument(
        "--sequence", type=int, metavar="N", help="where a thief has issued cards: above the last of them"
    )


def _adapter_commands(add: Group) -> None:
    add("list", "the adapters of our settings, and where they stand")
    for name, meaning in (
        ("check", "try settings, connection and mapping, changing nothing"),
        ("preview", "show what a pull would send and what would be refused, sending nothing"),
        ("pull", "take what is new now, and try again what was refused"),
    ):
        parser = add(name, meaning)
        parser.add_argument("name", help="the adapter's name in our settings")
        if name == "preview":
            parser.add_argument("--limit", type=int, default=20, metavar="N", help="documents shown at most (20)")
    start = add("start", "let an adapter send: shows what its first pull would send, and waits for a yes")
    start.add_argument("name", help="the adapter's name in our settings")
    start.add_argument("--start-from", metavar="DATE", help="take only what is dated from this day on")
    start.add_argument("--yes", action="store_true", help="do not ask")


def _availability(parser: Parser) -> None:
    parser.add_argument("items", nargs="+", metavar="ITEM", help="GTIN, our item number or a partner's")
    parser.add_argument("--location", metavar="CODE", help="only there")
    parser.add_argument("--partner", metavar="ID", help="only this partner's; - is our own stock")
    parser.add_argument("--quantity", metavar="N", help="say when so many can be had, from where, and how sure it is")
    parser.add_argument("--by", metavar="DATE", help="with --quantity: wanted by this day, instead of today")
    parser.add_argument("--max-age", type=int, metavar="SECONDS", help="ask partners whose figures are older")


def _order_commands(add: Group) -> None:
    place = _by_hand(
        add("place", "take a customer's order and find its sources; with --partner, send an order to that partner"),
        partner=True,
    )
    _customer_arguments(place)
    place.add_argument("--line", action="append", default=[], metavar="ITEM=QTY[@PRICE]", help="may be repeated")
    place.add_argument("--currency", help="of the prices, such as EUR")
    place.add_argument("--unit", default="C62", help="UN/ECE Rec 20 code of the quantities (C62: pieces)")
    place.add_argument("--deliver", metavar="DATE", help="when it is wanted")
    place.add_argument("--ship-to", metavar="CODE", help="our location that takes the goods")
    place.add_argument(
        "--incoterms", metavar="RULE PLACE", help="such as 'DAP Hamburg'; without: what is agreed; '' for none"
    )
    place.add_argument("--customer-order", metavar="NUMBER", help="the customer's order that this fulfils")
    respond = _by_hand(add("respond", "answer an order, or the change of it that waits"), order=True, reason=True)
    kind = respond.add_mutually_exclusive_group()
    kind.add_argument("--accept", action="store_true", help="all of it")
    kind.add_argument("--reject", action="store_true", help="none of it; needs --reason")
    respond.add_argument(
        "--line",
        action="append",
        default=[],
        metavar="LINE=QTY[@DATE]",
        help="so much of this line, the rest is rejected; lines not named stay open",
    )
    respond.add_argument("--deliver", metavar="DATE", help="when it comes")
    despatch = _by_hand(add("despatch", "say that goods are on their way"), order=True)
    despatch.add_argument("--line", action="append", default=[], metavar="LINE=QTY", help="without: all that is open")
    despatch.add_argument("--carrier", default="", help="who carries the goods")
    despatch.add_argument("--tracking", default="", help="the carrier's number")
    despatch.add_argument("--deliver", metavar="DATE", help="when they arrive")
    receive = _by_hand(add("receive", "say what has arrived"), order=True, reason=True)
    receive.add_argument(
        "--line", action="append", default=[], metavar="LINE=QTY", help="without: all that is on its way"
    )
    receive.add_argument("--damaged", action="append", default=[], metavar="LINE=QTY", help="of these, damaged")
    invoice = _by_hand(add("invoice", "invoice what was despatched and not yet invoiced"), order=True)
    invoice.add_argument(
        "--line", action="append", default=[], metavar="LINE=QTY[@PRICE]", help="without: all of it, as agreed"
    )
    invoice.add_argument("--tax", metavar="PERCENT", help="VAT rate of all lines (category S)")
    invoice.add_argument("--due", metavar="DATE", help="when it is to be paid")
    change = _by_hand(add("change", "ask for other quantities or prices of an order of ours"), order=True, reason=True)
    change.add_argument(
        "--line", action="append", default=[], metavar="LINE=QTY[@PRICE]", help="new values; 0 takes it away"
    )
    cancel = _by_hand(add("cancel", "ask to cancel an order of ours, or lines of it"), order=True, reason=True)
    cancel.add_argument("--line", action="append", default=[], metavar="LINE", help="without: the whole order")
    confirm = add(
        "confirm",
        "confirm an answer that is outside our tolerances, or refuse it",
        more="`hansa order show` says what is different. Refusing asks the seller to cancel these lines.",
    )
    confirm.add_argument("order", metavar="ORDER", help="the order's number")
    confirm.add_argument("--refuse", action="store_true", help="ask to cancel these lines instead")
    confirm.add_argument(
        "--line", action="append", dest="lines", default=[], metavar="LINE", help="only this; may be repeated"
    )
    confirm.add_argument("--reason", help="why, for people")
    confirm.add_argument("--number", metavar="N", help="our number of this document; without, the node makes one")
    confirm.add_argument("--partner", metavar="ID", help="where several use the order's number")
    show = add("show", "one order over all companies: ordered, accepted, despatched, received, invoiced")
    show.add_argument("order", metavar="NUMBER", help="ours, the partner's, or the customer order's")
    show.add_argument("--partner", metavar="ID", help="where several partners use the number")
    _customer_commands(add)
    orders = add("list", "orders, newest first")
    orders.add_argument("--partner", metavar="ID", help="only with this partner")
    orders.add_argument("--open", action="store_true", help="only those with something left to do")
    orders.add_argument("--limit", type=int, default=50, metavar="N", help="at most so many (50)")


def _reservation_commands(add: Group) -> None:
    listed = add("list", "holds that stand or are asked for, by their end")
    listed.add_argument("--partner", metavar="ID", help="only with this partner")
    listed.add_argument("--item", help="GTIN or our item number")
    listed.add_argument("--side", choices=("given", "got", "own"), help="by us, by partners, or for ourselves")
    listed.add_argument("--all", action="store_true", help="also what has ended, and what orders took up")
    listed.add_argument("--limit", type=int, default=50, metavar="N", help="at most so many (50)")
    request = add("request", "ask a partner to hold stock for us")
    request.add_argument("partner", metavar="ID", help="the partner's participant id")
    request.add_argument("--line", action="append", required=True, metavar="ITEM=QTY", help="may be repeated")
    request.add_argument("--unit", default="C62", help="UN/ECE Rec 20 code of the quantities (C62: pieces)")
    request.add_argument("--location", default="", metavar="CODE", help="the partner's location; else any one")
    request.add_argument("--seconds", type=int, metavar="N", help="for how long; else as the settings say")
    request.add_argument("--complete", action="store_true", help="every line in full, or nothing")
    for name, meaning in (
        ("show", "one hold, with its state and why"),
        ("extend", "ask for a later end of a hold that we got"),
        ("release", "give a hold back, or take back one that we gave"),
    ):
        parser = add(name, meaning)
        parser.add_argument("reservation", metavar="RESERVATION", help="its id in `hansa reservation list`")
        parser.add_argument("--partner", metavar="ID", help="where several have chosen the same id")
        if name == "extend":
            parser.add_argument("--seconds", type=int, metavar="N", help="from now; else as the settings say")
        if name == "release":
            parser.add_argument("--reason", default="", help="why; the partner is told")
            parser.add_argument("--quantity", metavar="N", help="only so much of it, in its unit; else all of it")
    add("verify", "prove that every count is the sum of its holds and orders", more="Exits with 1 when one is not.")


_CUSTOMER_KINDS = (
    *("ship_to_home", "drop_ship", "third_party", "pick_up", "ship_from_store", "transfer", "cross_dock"),
    *("pre_order", "replenishment"),
)


def _customer_arguments(parser: Parser) -> None:
    """What only a customer's order has."""
    group = parser.add_argument_group("a customer's order")
    group.add_argument("--kind", choices=_CUSTOMER_KINDS, help="how it reaches the customer (ship_to_home)")
    group.add_argument("--channel", help="where it comes from; its number is one of this channel's")
    group.add_argument("--customer", metavar="KEY", help="pseudonymous key of the customer")
    group.add_argument("--country", metavar="CODE", help="where it goes: ISO 3166-1")
    group.add_argument("--postal-code", metavar="CODE", help="where it goes")
    group.add_argument("--collect-at", metavar="CODE", help="our location at which it is collected")
    group.add_argument("--not-after", metavar="DATE", help="of no use later")
    group.add_argument("--launch-on", metavar="DATE", help="a pre-order may be sent from this day on")
    group.add_argument("--priority", type=int, metavar="N", help="higher goes first")
    group.add_argument("--prefer", choices=("fastest", "cheapest"), help="what the customer would rather have")
    group.add_argument("--no-split", action="store_true", default=None, help="all of it from one source")
    group.add_argument("--no-merge", action="store_true", default=None, help="never put together with another order")


def _customer_commands(add: Group) -> None:
    find = add("find", "customer orders by customer, item or partner, newest first")
    find.add_argument("--customer", metavar="KEY")
    find.add_argument("--sku", metavar="ITEM", help="GTIN, our item number or a partner's")
    find.add_argument("--partner", metavar="ID", help="that this partner is involved in")
    find.add_argument("--state", help="captured, waiting, approval, human, active, done, cancelled, template")
    find.add_argument("--limit", type=int, default=50, metavar="N", help="at most so many (50)")
    why = add("why", "why a customer order is sourced as it is: candidates, costs and the rule that decided")
    why.add_argument("order", metavar="NUMBER")
    approve = add("approve", "let a customer order go on that waits for a human; look again for back orders")
    approve.add_argument("order", metavar="NUMBER")
    approve.add_argument("--reason", default="", help="kept with the order")
    for name, meaning, lines in (
        ("ready", "goods lie ready to be collected", "so much in all; without: everything"),
        ("collected", "the customer has collected goods", "so much more; without: all that is left"),
        ("not-collected", "nobody collects what is left: it goes back to stock", "of this line; without: all"),
    ):
        parser = add(name, meaning, f"order.{name.replace('-', '_')}")
        parser.add_argument("order", metavar="NUMBER", help="the customer order's")
        parser.add_argument("--line", action="append", default=[], metavar="LINE=QTY", help=lines)
        parser.add_argument("--number", metavar="N", help="our number of this document; without, the node makes one")
        parser.add_argument("--reason", default="", help="why, for people")
    resend = add("resend", "send what a failed delivery did not bring again, or take it off the order")
    resend.add_argument("order", metavar="NUMBER", help="the customer order's")
    resend.add_argument(
        "--line", action="append", dest="lines", default=[], metavar="LINE", help="only this; may be repeated"
    )
    resend.add_argument("--cancel", action="store_true", help="it is wanted no more")
    resend.add_argument("--reason", default="", help="why, for people")


def _by_hand(parser: Parser, *, partner: bool = False, order: bool = False, reason: bool = False) -> Parser:
    """Arguments of every document that is made by hand."""
    if order:
        parser.add_argument("order", nargs="?", metavar="ORDER", help="the order's number; not needed with --file")
    parser.add_argument(
        "--number", metavar="N", help="our number of this document; numbers are your company's, never ours"
    )
    parser.add_argument("--file", metavar="FILE", help="the document as JSON fields instead; - reads standard input")
    parser.add_argument(
        "--partner", metavar="ID", help="the partner" if partner else "where several use the order's number"
    )
    if reason:
        parser.add_argument("--reason", default="", help="why, for people")
    return parser


def _document_commands(add: Group) -> None:
    listed = add("list", "documents, newest first")
    listed.add_argument("--partner", metavar="ID", help="only with this partner")
    listed.add_argument("--direction", choices=("out", "in"), help="sent or received")
    listed.add_argument("--type", help="such as Order")
    listed.add_argument("--state", choices=_STATES, metavar="STATE", help=", ".join(_STATES))
    listed.add_argument("--number", help="the document's own number")
    listed.add_argument("--before", type=int, metavar="ID", help="older than this document; for the next page")
    listed.add_argument("--limit", type=int, default=50, metavar="N", help="at most so many (50)")
    for name, meaning in (
        ("show", "one document, with all its fields"),
        ("withdraw", "take back a document that has not been sent yet"),
        ("release", "decide on a document that is stuck: take it after all, or hand it over again"),
    ):
        parser = add(name, meaning)
        parser.add_argument("document", type=int, metavar="ID", help="its id in `hansa documents list`")
        if name == "release":
            parser.add_argument("--refuse", metavar="REASON", help="refuse the held document instead")


def _carrier_commands(add: Group) -> None:
    add("list", "the carriers of our settings, and our own rate")
    check = add(
        "check",
        "read rates, mappings and postal codes, and say what is wrong",
        more="Exits with 1 when a carrier cannot be used. Asks no carrier: `hansa carrier quote` does.",
    )
    check.add_argument("carrier", nargs="?", default="", metavar="CARRIER", help="only this one")
    quote = add("quote", "what a shipment costs: by tables, and asked now where a carrier quotes by itself")
    quote.add_argument("carrier", nargs="?", default="", metavar="CARRIER", help="only this one")
    quote.add_argument("--country", required=True, metavar="CODE", help="whereto, ISO 3166-1, such as DE")
    quote.add_argument("--postal-code", required=True, metavar="CODE", help="whereto")
    quote.add_argument("--weight", required=True, metavar="KG", help="of all of it")
    quote.add_argument("--volume", metavar="LITRES", help="of all of it")
    quote.add_argument("--currency", metavar="CODE", help="in which it is to be quoted; without, in the carrier's own")
    quote.add_argument("--from-country", default="", metavar="CODE", help="where it begins")
    quote.add_argument("--from-postal-code", default="", metavar="CODE", help="where it begins")


def _rules_commands(add: Group) -> None:
    check = add(
        "check",
        "say what is wrong with the rules: unknown keys, circles, rules for everything or nothing",
        more="Exits with 1 when something is.",
    )
    check.add_argument("--rules", metavar="FILE", help="these instead of those in force")
    add("show", "the rules in force, in their order, and their strategies")
    simulate = add("simulate", "replay past orders under other rules, and show both side by side; changes nothing")
    simulate.add_argument("--rules", required=True, metavar="FILE", help="the rules to try")
    simulate.add_argument("--since", metavar="DATE", help="only orders that were sourced from this day on")
    simulate.add_argument("--orders", type=int, default=500, metavar="N", help="the newest, at most so many (500)")
    simulate.add_argument("--problems", metavar="FILE", help="sourcing problems as JSON instead, one on each line")


def _disruption_commands(add: Group) -> None:
    send = add("send", "tell partners what will not come as promised", more="Without --partner: those it concerns.")
    send.add_argument("kind", choices=("delay", "shortage", "capacity", "closure"), help="what is wrong")
    send.add_argument("items", nargs="*", metavar="ITEM", help="our item numbers; without, everything")
    send.add_argument("--number", help="our number of the notice; the same again corrects it")
    send.add_argument("--location", metavar="CODE", help="only there")
    send.add_argument("--left", metavar="N", help="so much of each item can still be had or sent; without, nothing")
    send.add_argument("--unit", metavar="CODE", help="UN/ECE Rec 20 code of --left (C62: pieces)")
    send.add_argument("--days-late", type=int, metavar="DAYS", help="of a delay: how much later")
    send.add_argument("--since", metavar="DATE", help="else today")
    send.add_argument("--until", metavar="DATE", help="the last day; else until further notice")
    send.add_argument("--reason", metavar="TEXT", help="told to these partners, and not passed on")
    send.add_argument("--partner", dest="partners", action="append", default=[], metavar="ID", help="may be repeated")
    listing = add("list", "the notices in force, ours and partners'")
    listing.add_argument("--all", action="store_true", help="those that have ended too")
    ending = add("end", "all is well again: ends a notice of ours wherever it was told")
    ending.add_argument("number", metavar="NUMBER", help="our number of the notice")


def _evidence_commands(add: Group) -> None:
    export = add("export", "write one file that proves what was exchanged with a partner")
    _partner(export)
    export.add_argument("--out", required=True, metavar="FILE")
    verify = add(
        "verify", "check such a file, without a node", more="Give the fingerprints that you know from elsewhere."
    )
    verify.add_argument("file", metavar="FILE")
    verify.add_argument("--expect", action="append", default=[], metavar="ID=FINGERPRINT", help="may be repeated")


def _config_commands(add: Group) -> None:
    add("check", "read the settings and say what is wrong")
    add("describe", "the manual of all settings")
