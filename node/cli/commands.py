"""What each command does: asks an operation of the node, running or not, and shows what it says."""

from __future__ import annotations

import contextlib
import os
import subprocess
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from time import monotonic
from typing import Any

from node import config, control
from node.cli import entry, views
from node.cli.meter import Meter
from node.cli.output import Output
from node.errors import ConfigError, RefusedError, UnavailableError

__all__ = ["COMMANDS", "run"]

Call = Callable[..., Any]
"""call(operation, **arguments) -> result."""

NOT_RUNNING = 4
FAILED = 1
_OF_EVERY_COMMAND = frozenset({"home", "json", "color", "command"})


def run(options: Namespace, output: Output) -> int:
    """Run the command that was asked for; returns the exit code. Raises HansaError."""
    home = config.home_folder(options.home, os.environ)
    if alone := _ALONE.get(options.command):
        return alone(home, options, output)
    with _caller(home, output) as call:
        return _SPECIAL.get(options.command, _ordinary)(call, options, output)


@contextlib.contextmanager
def _caller(home: Path, output: Output) -> Iterator[Call]:
    """Reaches the running node, or opens the home alone where none runs."""
    if not home.is_dir():
        raise ConfigError(f"{home}: there is no node's home", hint="hansa init makes one; --home names another")
    with contextlib.ExitStack() as held:
        client = _reach(home, held)
        if client is not None:
            reached = client

            def of_the_node(operation: str, **arguments: Any) -> Any:
                with Meter(output.note) as meter:
                    return reached.call(operation, arguments, meter.tell)

            yield of_the_node
            return
        settings = config.load(home)
        from node.app import operations
        from node.cli.local import open_host

        host = held.enter_context(open_host(settings))

        def alone(operation: str, **arguments: Any) -> Any:
            with Meter(output.note) as meter:
                return operations.run(host, operation, arguments, meter.tell)

        yield alone


def _reach(home: Path, held: contextlib.ExitStack) -> control.Client | None:
    """The running node, or None once the home is ours alone; `held` lets go of either. Raises UnavailableError."""
    until = monotonic() + control.PATIENCE_SECONDS
    while True:
        client = held.enter_context(control.connected(home))
        if client is not None:
            return client
        try:
            held.enter_context(control.exclusive(home, control.LOOK_AGAIN_SECONDS))
        except UnavailableError:
            # A node that is starting holds the home already, and answers in a moment.
            if monotonic() >= until:
                raise
        else:
            return None


def _ordinary(call: Call, options: Namespace, output: Output) -> int:
    """A command whose options are the operation's arguments."""
    return _shown(options.command, call(options.command, **arguments_of(options)), output)


def _shown(command: str, result: Any, output: Output) -> int:
    if output.json:
        output.result(result)
    else:
        views.VIEWS[command](output, result)
    return 0


def arguments_of(options: Namespace) -> dict[str, Any]:
    """The command's own options, without those that were not given."""
    given = {name: value for name, value in vars(options).items() if name not in _OF_EVERY_COMMAND}
    return {name: value for name, value in given.items() if value is not None and value != []}


# --- commands that need no home opened --------------------------------------------------------------------------------


def _init(home: Path, options: Namespace, output: Output) -> int:
    """Make the home: folder, settings, keys, database, card. What is there already stays as it is."""
    endpoint = options.advertise or options.listen
    if endpoint.startswith(("0.0.0.0:", "[::]:")):
        hint = "--advertise HOST:PORT is the address that goes into our card"
        raise ConfigError(f"partners cannot dial {endpoint}", hint=hint)
    if endpoint:
        config.check_endpoint(endpoint)
    text = _settings_text(options.listen)
    settings = config.parse(text, home)
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with control.exclusive(home):
            if settings.file.exists():
                settings = config.load(home)
            else:
                entry.write_new(settings.file, text.encode())
            from node.app import operations
            from node.cli.local import open_host

            arguments = {"id": options.id, "name": options.name, "endpoint": endpoint, "roles": options.role}
            with open_host(settings) as host:
                result = operations.run(host, "init", {**arguments, "email": options.email}, Meter(output.note).tell)
    except OSError as error:
        raise ConfigError(
            f"{home}: {error.strerror or error}", hint="name a folder that we may write: --home"
        ) from None
    return _shown("init", {**result, "home": str(home), "settings": str(settings.file)}, output)


def _settings_text(listen: str) -> str:
    """The first settings of a new home: what was given, and where the manual is."""
    line = f'listen = "{listen}"' if listen else '# listen = "0.0.0.0:7420"'
    return f"# Settings of this Hansa node; `hansa config describe` explains every one.\n\n[node]\n{line}\n"


def _run(home: Path, options: Namespace, output: Output) -> int:
    """Run the node in the foreground."""
    settings = config.load(home)
    from node.runtime import run_node

    return run_node(home, settings)


def _config_check(home: Path, options: Namespace, output: Output) -> int:
    """Read the settings, and what they refer to."""
    path = home / config.FILE_NAME
    settings = config.load(home)
    from node.app import advice
    from node.app.sourcing import carriers
    from node.app.systems import loading
    from node.clock import SystemClock

    for one in settings.adapters:
        loading.open_adapter(settings, one, SystemClock(), "").close()  # reads its options and mappings, nothing else
    settings.database_url  # noqa: B018  # raises where the secret it names is missing
    result = {
        "file": str(path),
        "exists": path.exists(),
        "adapters": [one.name for one in settings.adapters],
        "sharing_rules": len(settings.sharing.rules),
        "replenishment_rules": len(settings.replenishment.rules),
        "partners": sorted(settings.partners),
        "warnings": [*advice.warnings(settings), *carriers.check_files(settings), *_rules_odd(home)],
    }
    return _shown("config.check", result, output)


def _rules_odd(home: Path) -> list[str]:
    """What is odd in HOME/rules.toml. Raises ConfigError where it cannot be used."""
    from node.config.rules import RULES_FILE, load_rules
    from node.core.rules import findings

    path = home / RULES_FILE
    return [f"{path}: {one.path}: {one.text}" for one in findings(load_rules(path))] if path.exists() else []


def _config_describe(home: Path, options: Namespace, output: Output) -> int:
    """The manual."""
    if output.json:
        output.result({"markdown": config.describe()})
    else:
        output.line(config.describe().rstrip())
    return 0


def _demo(home: Path, options: Namespace, output: Output) -> int:
    """Run the checkout's demonstration."""
    script = Path(__file__).resolve().parents[2] / "scripts" / "demo"
    if not script.is_file():
        raise ConfigError(
            "the demonstration is not installed with the node",
            hint="get the project's source and run its scripts/demo; it needs nothing but Python",
        )
    return subprocess.run([str(script), *options.arguments], check=False).returncode


def _evidence_verify(home: Path, options: Namespace, output: Output) -> int:
    """Check a file of evidence; needs no node."""
    expected = {}
    for one in options.expect:
        partner, equals, fingerprint = one.rpartition("=")
        if not equals:
            raise RefusedError(f"{one!r}: ID=FINGERPRINT is expected", code="bad-argument")
        expected[partner] = fingerprint
    from dataclasses import asdict

    from node import keyring
    from node.app.links import evidence

    report = evidence.verify(entry.read_bytes(options.file, None), expected, keyring.verify)
    counts = ("TAKEN", "REFUSED", "HELD")
    links = [
        {
            **{name: value for name, value in asdict(one).items() if name != "documents"},
            "first_at": one.first_at.isoformat() if one.first_at else "",
            "last_at": one.last_at.isoformat() if one.last_at else "",
            "erased": one.erased,
            **{word.lower(): one.count(word) for word in counts},
            "documents": [asdict(document) for document in one.documents],
        }
        for one in report.links
    ]
    result = {
        "sound": report.sound,
        "companies": [asdict(one) for one in report.companies],
        "links": links,
        "findings": [asdict(one) for one in report.findings],
    }
    _shown("evidence.verify", result, output)
    return 0 if report.sound else FAILED


# --- commands with more to do than ask --------------------------------------------------------------------------------


def _status(call: Call, options: Namespace, output: Output) -> int:
    result = call("status")
    _shown("status", result, output)
    return 0 if result["running"] else NOT_RUNNING


def _backup(call: Call, options: Namespace, output: Output) -> int:
    return _shown("backup", call("backup", folder=str(Path(options.folder).absolute())), output)


def _partner_card(call: Call, options: Namespace, output: Output) -> int:
    given = arguments_of(options)
    given.pop("out", None)
    result = call("partner.card", **given)
    if options.out:
        entry.write_new(Path(options.out), result["card"].encode())
        result = {**result, "file": options.out}
    return _shown("partner.card", result, output)


def _partner_add(call: Call, options: Namespace, output: Output) -> int:
    given = {**arguments_of(options), "card": entry.read_text(options.card)}
    return _shown("partner.add", call("partner.add", **given), output)


def _partner_revoke(call: Call, options: Namespace, output: Output) -> int:
    partner = call("partner.show", partner=options.partner)
    question = f"End the exchange with {partner['name']} ({partner['id']}) now?"
    entry.agreed(output, question, yes=options.yes)
    return _shown("partner.revoke", call("partner.revoke", partner=options.partner, reason=options.reason), output)


def _key_revoke(call: Call, options: Namespace, output: Output) -> int:
    entry.agreed(output, f"Declare key {options.key} lost or stolen, for all partners?", yes=options.yes)
    return _shown("key.revoke", call("key.revoke", key=options.key, reason=options.reason), output)


def _key_recover(call: Call, options: Namespace, output: Output) -> int:
    secret = entry.read_text("-" if options.recovery_key is None else options.recovery_key).strip()
    more = {} if options.sequence is None else {"sequence": options.sequence}
    return _shown("key.recover", call("key.recover", recovery_key=secret, reason=options.reason, **more), output)


def _adapter_check(call: Call, options: Namespace, output: Output) -> int:
    result = call("adapter.check", name=options.name)
    _shown("adapter.check", result, output)
    return 0 if result["good"] else FAILED


def _adapter_start(call: Call, options: Namespace, output: Output) -> int:
    given = {"name": options.name, **({"start_from": options.start_from} if options.start_from else {})}
    if not options.yes:
        views.VIEWS["adapter.preview"](output, call("adapter.preview", **given))
    entry.agreed(output, f"Let {options.name} send this, and what changes from now on?", yes=options.yes)
    return _shown("adapter.start", call("adapter.start", **given), output)


def _availability(call: Call, options: Namespace, output: Output) -> int:
    result = call("availability", **arguments_of(options))
    _shown("availability", result, output)
    return 0


def _order_list(call: Call, options: Namespace, output: Output) -> int:
    given = arguments_of(options)
    only_open = given.pop("open")
    result = call("order.list", **given)
    if only_open:
        result = {**result, "orders": [one for one in result["orders"] if one["status"] not in views.ENDED]}
    return _shown("order.list", result, output)


def _by_hand(call: Call, options: Namespace, output: Output) -> int:
    """A document from a file or from options."""
    given = arguments_of(options)
    file = given.pop("file", None)
    if file is not None:
        kept: Mapping[str, Any] = {name: given[name] for name in ("partner", "number", "order") if name in given}
        return _shown("order.sent", call(options.command, **kept, fields=entry.read_fields(file)), output)
    for name, key in (("line", "lines"), ("damaged", "damaged")):
        said = given.pop(name, [])
        if said:
            given[key] = (
                said if options.command == "order.cancel" else [entry.pieces(one, options.command) for one in said]
            )
    return _shown("order.sent", call(options.command, **given), output)


def _reservation_request(call: Call, options: Namespace, output: Output) -> int:
    given = arguments_of(options)
    given["lines"] = [entry.pieces(one, options.command) for one in given.pop("line")]
    return _shown("reservation.request", call("reservation.request", **given), output)


def _reservation_verify(call: Call, options: Namespace, output: Output) -> int:
    result = call("reservation.verify")
    _shown("reservation.verify", result, output)
    return 0 if result["good"] else FAILED


def _carrier_check(call: Call, options: Namespace, output: Output) -> int:
    result = call("carrier.check", **arguments_of(options))
    _shown("carrier.check", result, output)
    return 0 if result["good"] else FAILED


def _rules_check(call: Call, options: Namespace, output: Output) -> int:
    given = {"rules": entry.read_text(options.rules), "file": options.rules} if options.rules else {}
    result = call("rules.check", **given)
    _shown("rules.check", result, output)
    return 0 if result["good"] else FAILED


def _rules_simulate(call: Call, options: Namespace, output: Output) -> int:
    given = arguments_of(options)
    file = given.pop("rules")
    if problems := given.pop("problems", None):
        given["problems"] = entry.read_lines(problems)
    return _shown("rules.simulate", call("rules.simulate", rules=entry.read_text(file), file=file, **given), output)


def _evidence_export(call: Call, options: Namespace, output: Output) -> int:
    given = arguments_of(options)
    given["out"] = str(Path(options.out).absolute())
    if shown := given.pop("document", None):
        given["documents"] = shown
    return _shown("evidence.export", call("evidence.export", **given), output)


_ALONE: dict[str, Callable[[Path, Namespace, Output], int]] = {
    "init": _init,
    "run": _run,
    "demo": _demo,
    "evidence.verify": _evidence_verify,
    "config.check": _config_check,
    "config.describe": _config_describe,
}
_SPECIAL: dict[str, Callable[[Call, Namespace, Output], int]] = {
    "status": _status,
    "backup": _backup,
    "partner.card": _partner_card,
    "partner.add": _partner_add,
    "partner.revoke": _partner_revoke,
    "key.revoke": _key_revoke,
    "key.recover": _key_recover,
    "adapter.check": _adapter_check,
    "adapter.start": _adapter_start,
    "availability": _availability,
    "order.list": _order_list,
    "reservation.request": _reservation_request,
    "reservation.verify": _reservation_verify,
    "carrier.check": _carrier_check,
    "rules.check": _rules_check,
    "rules.simulate": _rules_simulate,
    "evidence.export": _evidence_export,
    **dict.fromkeys(
        (
            "order.place",
            "order.respond",
            "order.despatch",
            "order.receive",
            "order.invoice",
            "order.change",
            "order.cancel",
            "order.ready",
            "order.collected",
            "order.not_collected",
        ),
        _by_hand,
    ),
}
COMMANDS = frozenset(_ALONE) | frozenset(_SPECIAL)
"""Commands that are more than one call of the operation of the same name."""
