"""Holds on stock in a database, by configured statements: taken, made longer, turned into an order's, given back.

Each runs once for a hold, in one transaction with the row of the inbox table that remembers it. A statement that finds
or changes no row says that the stock is not there, and undoes the whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from adapters.base import Hold, HoldAnswer
from adapters.cells import as_text, cell
from node.errors import AdapterError, ConfigError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

__all__ = ["HoldStatements", "SqlHolds", "hold_statements"]

_TAKEN, _ENDED = "Hold", "HoldEnded"
_TOO_LATE = "the hold has ended already"
_KEYS = ("reserve", "extend", "confirm", "release")


@dataclass(frozen=True, slots=True)
class HoldStatements:
    """The section ``[holds]`` of a mapping. Without `confirm`, an order that took a hold up releases it."""

    reserve: tuple[str, ...]
    extend: tuple[str, ...]
    confirm: tuple[str, ...]
    release: tuple[str, ...]


def hold_statements(data: Mapping[str, Any] | None, where: str) -> HoldStatements | None:
    """The section as read, None where there is none. Raises ConfigError."""
    if data is None:
        return None
    found: dict[str, tuple[str, ...]] = {}
    for key, value in data.items():
        texts = [value] if isinstance(value, str) else value
        if key not in _KEYS or not isinstance(texts, list) or not all(isinstance(one, str) and one for one in texts):
            raise ConfigError(f"{where}: {key!r}: not understood", hint=f"SQL, or a list, for {', '.join(_KEYS)}.")
        found[key] = tuple(texts)
    if not found.get("reserve") or not found.get("release"):
        raise ConfigError(f"{where}: reserve and release are needed", hint="What is taken must be given back, too.")
    return HoldStatements(*(found.get(key, ()) for key in _KEYS))


class SqlHolds:
    """Runs the statements; `table` is the inbox table, which is there."""

    def __init__(self, engine: Engine, statements: HoldStatements, table: str) -> None:
        self._engine = engine
        self._statements = statements
        self._table = table

    def reserve(self, hold: Hold) -> HoldAnswer:
        """As `adapters.base.Reserves.reserve`; the database's own errors are the caller's."""
        with self._engine.connect() as connection, connection.begin() as transaction:
            known = self._claim(connection, hold, _TAKEN)
            if known is not None:
                kind, reference = known
                if kind == _ENDED:
                    return HoldAnswer(refused=_TOO_LATE)
                self._run(connection, self._statements.extend, {**_values(hold), "reference": reference})
                return HoldAnswer(reference)
            answer = self._run(connection, self._statements.reserve, _values(hold))
            if answer is None:
                transaction.rollback()
                return HoldAnswer(refused="there is not enough of it")
            self._set(connection, hold, _TAKEN, answer or hold.reservation_id)
        return HoldAnswer(answer or hold.reservation_id)

    def end(self, hold: Hold, order: str | None = None, taken: Decimal = Decimal(0)) -> None:
        """Turn a hold into that of an order, or give it back where none is named. Twice has no second effect."""
        statements = self._statements.confirm if order is not None else ()
        with self._engine.begin() as connection:
            known = self._claim(connection, hold, _ENDED)
            if known is None or known[0] == _ENDED:
                return  # never taken, and never will be now; or ended before
            values = {**_values(hold), "reference": known[1], "order": order or "", "taken": taken}
            self._run(connection, statements or self._statements.release, values)
            self._set(connection, hold, _ENDED, known[1])

    def _claim(self, connection: Connection, hold: Hold, kind: str) -> tuple[str, str] | None:
        """What is remembered of a hold (kind, reference), or None after it was put down as of this kind."""
        from sqlalchemy import text
        from sqlalchemy.exc import IntegrityError

        identity = _identity(hold)
        lock = " FOR UPDATE" if self._engine.dialect.name == "postgresql" else ""
        find = text(f"SELECT document_type, reference FROM {self._table} WHERE identity = :identity{lock}")  # noqa: S608
        row = connection.execute(find, {"identity": identity}).first()
        if row is not None:
            return str(row[0]), str(row[1])
        claim = text(
            f"INSERT INTO {self._table} (identity, document_type, reference) VALUES (:identity, :kind, '')"  # noqa: S608
        )
        try:
            connection.execute(claim, {"identity": identity, "kind": kind})
        except IntegrityError as error:
            raise AdapterError("another process is at work on this hold", hint="It is tried again.") from error
        return None

    def _set(self, connection: Connection, hold: Hold, kind: str, reference: str) -> None:
        from sqlalchemy import text

        done = text(
            f"UPDATE {self._table} SET document_type = :kind, reference = :reference WHERE identity = :identity"  # noqa: S608
        )
        connection.execute(done, {"kind": kind, "reference": reference, "identity": _identity(hold)})

    def _run(self, connection: Connection, statements: Sequence[str], values: Mapping[str, Any]) -> str | None:
        """The last answer that a statement gives, "" for none; None when one finds or changes no row."""
        from sqlalchemy import text

        bound = {name: _bound(value, self._engine.dialect.name) for name, value in values.items()}
        answer = ""
        for sql in statements:
            result = connection.execute(text(sql), bound)
            if result.returns_rows:
                row = result.first()
                if row is None:
                    return None
                answer = as_text(cell(row[0]))
            elif result.rowcount == 0:
                return None
        return answer


def _identity(hold: Hold) -> str:
    return f"hold|{hold.partner}|{hold.reservation_id}"


def _values(hold: Hold) -> dict[str, Any]:
    return {
        "reservation": hold.reservation_id,
        "partner": hold.partner,
        "item": hold.number,
        "gtin": hold.gtin,
        "location": hold.location,
        "quantity": hold.quantity,
        "unit": hold.unit,
        "until": hold.until,
        "reference": "",
        "order": "",
        "taken": Decimal(0),
    }


def _bound(value: Any, dialect: str) -> Any:
    """SQLite knows neither decimals nor instants."""
    if dialect != "sqlite":
        return value
    if isinstance(value, Decimal):
        return float(value)
    return value if isinstance(value, str) else value.isoformat()
