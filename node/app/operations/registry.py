"""What an operation is: a named function of the node's host, called alike by the running node and by a lone command.

Arguments arrive as JSON. What they may be is said once, by the function's own signature, and checked here.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

from adapters.base import Adapter
from node.app.context import Context
from node.app.links.partners import KeyMaker
from node.core import link
from node.core.decimals import parse_decimal
from node.errors import RefusedError, UnavailableError
from node.ports import Store

__all__ = ["OPERATIONS", "Host", "Keys", "Live", "Operation", "Report", "live_of", "operation", "run"]


class Report(Protocol):
    """Hears how a long operation goes on."""

    def __call__(self, text: str, done: int = 0, total: int = 0, /) -> None:
        """What is being done now, how much of it is done, and of how much; 0: nobody knows."""


class Live(Protocol):
    """What only a running node can do. All of it may be called from a worker thread."""

    def ask(self, partner_id: str, query: link.Query, seconds: float) -> link.Answer:
        """Ask a connected partner. Raises UnavailableError when it is not connected or does not answer in time."""

    def wake(self, partner_ids: Sequence[str]) -> None:
        """Something waits for these partners."""

    def reload(self) -> None:
        """Partners, cards or keys have changed: sessions that no longer fit are ended, new ones begun."""

    def sessions(self) -> list[dict[str, Any]]:
        """The sessions that are open, one JSON-able dict each with `partner` and `since`."""


class Keys(KeyMaker, Protocol):
    """Makes keys, and forgets those that nobody needs; `node.keyring.Keyring` does."""

    def drop(self, *, key_ids: frozenset[str], pins: frozenset[bytes]) -> None:
        """Delete these keys' files."""


class Host(Protocol):
    """A node, running or not, as operations see it."""

    @property
    def store(self) -> Store: ...
    @property
    def ctx(self) -> Context: ...
    @property
    def live(self) -> Live | None:
        """None when no node is running."""

    def backup(self, target: Path) -> str:
        """Copy the database into a new file: "". Of a database with tools of its own for this, the command to run.

        Raises ConfigError when it cannot be done.
        """

    @property
    def keys(self) -> Keys:
        """Our private keys, where new ones can be made."""

    def adapter(self, name: str, start_from: str = "") -> AbstractContextManager[Adapter]:
        """The adapter of this name, for one user at a time; `start_from` is a day other than the one agreed.

        Raises ConfigError when there is none or it is set wrong.
        """


@dataclass(frozen=True, slots=True)
class Operation:
    """A named function; its signature after the host says which arguments it takes."""

    name: str
    function: Callable[..., Any]
    reports: bool


OPERATIONS: dict[str, Operation] = {}
"""Every operation by name, such as "order.place"."""

Function = TypeVar("Function", bound=Callable[..., Any])


def operation(name: str) -> Callable[[Function], Function]:
    """Register a function(host, *, ...) -> JSON-able. A parameter `report` takes lines of progress."""

    def register(function: Function) -> Function:
        reports = "report" in inspect.signature(function).parameters
        OPERATIONS[name] = Operation(name, function, reports)
        return function

    return register


def run(host: Host, name: str, arguments: Mapping[str, Any], report: Report) -> Any:
    """Check the arguments and run. Raises RefusedError for an unknown operation or argument, and what it raises."""
    found = OPERATIONS.get(name)
    if found is None:
        raise RefusedError(
            f"there is no operation {name!r}", code="unknown-operation", hint="node and command may differ"
        )
    given = _checked(found, arguments)
    if given.get("partner"):
        given["partner"] = _partner_id(host, given["partner"])
    if found.reports:
        given["report"] = report
    return found.function(host, **given)


def _partner_id(host: Host, said: str) -> str:
    """The id of the partner that is called by this id or by our name for it; what is neither stays as it was said.

    Raises RefusedError ``ambiguous`` where several partners have the name.
    """
    rows = host.store.read(lambda tx: [] if tx.partners.get(said) else tx.partners.all())
    named = [row.partner_id for row in rows if row.name.casefold() == said.casefold()]
    if len(named) > 1:
        raise RefusedError(
            f"{said!r} is the name of {len(named)} partners", code="ambiguous", hint=f"give the id: {', '.join(named)}"
        )
    return named[0] if named else said


def live_of(host: Host, what: str) -> Live:
    """The running node. Raises UnavailableError that says what needs it."""
    if host.live is None:
        raise UnavailableError(f"{what} needs the running node", hint="start it with: hansa run")
    return host.live


def _checked(found: Operation, arguments: Mapping[str, Any]) -> dict[str, Any]:
    kinds = get_type_hints(found.function)
    allowed = {
        name: one for name, one in list(inspect.signature(found.function).parameters.items())[1:] if name != "report"
    }
    made: dict[str, Any] = {}
    for name, value in arguments.items():
        if name not in allowed:
            raise _bad(name, f"{found.name} takes {', '.join(allowed) or 'no arguments'}")
        if value is not None or _optional(kinds[name]):
            made[name] = None if value is None else _convert(name, kinds[name], value)
    for name, one in allowed.items():
        if name not in made and one.default is inspect.Parameter.empty:
            raise _bad(name, f"{found.name} needs it")
    return made


def _bad(name: str, text: str) -> RefusedError:
    return RefusedError(f"{name}: {text}", code="bad-argument")


def _optional(kind: Any) -> bool:
    return get_origin(kind) in (Union, types.UnionType) and type(None) in get_args(kind)


def _convert(name: str, kind: Any, value: Any) -> Any:
    """A JSON value as the parameter wants it. Raises RefusedError that says what was expected."""
    if _optional(kind):
        kind = next(one for one in get_args(kind) if one is not type(None))
    if get_origin(kind) is list:
        if not isinstance(value, list):
            raise _bad(name, "a list is expected")
        return [_convert(f"{name}[{index}]", get_args(kind)[0], one) for index, one in enumerate(value)]
    if get_origin(kind) is dict:
        if not isinstance(value, dict):
            raise _bad(name, "an object is expected")
        return value
    if kind is Decimal and isinstance(value, str | int) and not isinstance(value, bool):
        try:
            return parse_decimal(str(value))
        except (ValueError, RefusedError) as error:
            raise _bad(name, str(error)) from None
    if kind is date and isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise _bad(name, f"a date such as 2026-12-01 is expected, not {value[:40]!r}") from None
    if type(value) is not kind:
        words = {str: "text", int: "a whole number", bool: "true or false", Decimal: "a number", date: "a date"}
        raise _bad(name, f"{words.get(kind, 'another kind of value')} is expected, not {value!r:.40}")
    return value
