"""How the node as a whole looks to a person: its home, who is connected, what waits, what cannot be used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from node.cli import adapter_views
from node.cli.output import Output, shown
from node.cli.words import moment

__all__ = ["VIEWS", "standing", "unusable_files"]

Result = Mapping[str, Any]


def _init(output: Output, made: Result) -> None:
    output.line(f"This node is {made['id']}.")
    output.pairs([("home", made["home"]), ("settings", made["settings"]), ("fingerprint", made["fingerprint"])])
    output.heading("Recovery key: write it down now, and keep it away from this machine. It is not shown again.")
    output.line(f"    {made['recovery_key']}")
    output.line()
    output.line("Next: hansa run; hansa partner card --out OUR.card and send it; hansa partner add THEIR.card")


def _status(output: Output, told: Result) -> None:
    state = "is running" if told["running"] else "is not running (hansa run)"
    output.line(f"{told['name']} ({told['id']}) {state}")
    output.heading("Partners")
    output.table(
        ["partner", "id", "state", "link", "waiting", "sent", "receipted", "received", "refused", "held"],
        [
            [
                one["name"],
                one["id"],
                standing(one),
                "up" if one["connected"] else f"down, seen {moment(one['last_seen_at']) or 'never'}",
                *(str(one[name]) for name in ("waiting", "sent")),
                str(one["sent"] - one["unreceipted"]),
                str(one["received"]),
                str(one["refused"] + one["refused_by_partner"]),
                str(one["held"]),
            ]
            for one in told["partners"]
        ],
        empty="none yet: hansa partner add FILE",
        right="waiting sent receipted received refused held",
        optional="waiting refused held",
    )
    if told["adapters"]:
        output.heading("Adapters")
        adapter_views.table(output, told["adapters"])
    waiting = {name: count for name, count in told["handovers"].items() if name not in ("posted", "refused")}
    if waiting:
        output.line()
        output.line("hand-over to our systems: " + ", ".join(f"{count} {name}" for name, count in waiting.items()))
    unusable_files(output, told)
    if told["stuck"]:
        output.heading("Stuck: a person must decide")
        output.table(
            ["kind", "document", "partner", "what", "why"],
            [[one["kind"], shown(one["document"]), one["partner"], one["what"], one["why"]] for one in told["stuck"]],
            empty="",
            right="document",
        )


def standing(one: Result) -> str:
    """How far a partner is: added, confirmed in test, live, revoked."""
    if one["state"] != "confirmed":
        return str(one["state"])
    return "live" if one["usage"] == "PRODUCTION" else "in test"


def _backup(output: Output, made: Result) -> None:
    output.line(f"copied to {made['folder']}:")
    output.table(
        ["file", "bytes"], [[name, str(size)] for name, size in made["files"].items()], empty="", right="bytes"
    )
    if made["copy_database_by"]:
        output.line("the database is not in it: a PostgreSQL server has its own tool for that, so run")
        output.line(f"  {made['copy_database_by']}")
    for name in made["unread"]:
        output.note(f"{name} cannot be read as TOML: what it names is not in the copy")
    missing = [f"the private keys in {made['keys']}", *made["secrets"]]
    output.line(f"not in it, keep a copy of them elsewhere: {', '.join(missing)}")
    output.line("to restore: put it into an empty home, with the keys folder; then hansa config check, hansa run")
    if made["copy_database_by"]:
        output.line("  hansa.db goes with pg_restore into the database that [database] names")
    elif made["database_elsewhere"]:
        output.line("  hansa.db goes to where [database] says")
    for name, path in made["outside"].items():
        output.line(f"  {name} goes to {path}")


def _config_check(output: Output, told: Result) -> None:
    output.line(f"{told['file']}: " + ("good" if told["exists"] else "not there; all settings have their defaults"))
    output.pairs([("adapters", shown(told["adapters"])), ("partners", shown(told["partners"]))])
    for one in told["warnings"]:
        output.note(f"warning: {one}")


def unusable_files(output: Output, told: Result) -> None:
    """Files that cannot be used as they are now: why, what holds until they are mended, and what says more."""
    for one in told["unusable_files"]:
        output.heading(f"{one['file']} cannot be used")
        output.line(f"  why         {one['why']}")
        output.line(f"  meanwhile   {one['meanwhile']}")
        output.line(f"  what to do  mend it, it is read again by itself; {one['to_do']} says everything that is wrong")


VIEWS: dict[str, Callable[[Output, Any], None]] = {
    "init": _init,
    "status": _status,
    "backup": _backup,
    "config.check": _config_check,
}
