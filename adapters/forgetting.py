"""Forgetting staged rows: raw values go when no extract has had them for long, what is needed to recognise them stays.

Of each document it is kept on which day (of UTC, as a number) an extract last had it; of rows that are staged one by
one, only of those that the newest complete extract lacks, since when: so that an extract in which nothing has changed
writes nothing, and a list that came once and for all stays.
"""

# ruff: noqa: S608 - names of tables are quoted by `quoted`, conditions are fixed, values are bound.
from __future__ import annotations

import sqlite3
from collections.abc import Collection, Set
from datetime import UTC, datetime

from adapters.intake import Source, quoted

__all__ = ["day_of", "forget_rows", "note_extract", "note_numbers"]


def day_of(at: datetime) -> int:
    """The day of an instant, counted as `date.toordinal` does, in UTC."""
    return at.astimezone(UTC).toordinal()


def note_numbers(connection: sqlite3.Connection, day: int, last: int) -> None:
    """Remember how far the sequence has come on this day: findings have a number, but no date."""
    connection.execute(
        "INSERT INTO hansa_days (day, seq) VALUES (?, ?)"
        " ON CONFLICT (day) DO UPDATE SET seq = excluded.seq WHERE seq <> excluded.seq",
        (day, last),
    )


def note_extract(connection: sqlite3.Connection, source: Source, keys: Set[str], day: int, complete: bool) -> None:
    """An extract of this day had these keys. Of single rows, only a complete one tells which are gone."""
    if not source.by_row:
        statement = "SELECT key FROM hansa_seen WHERE source = ? AND day >= ?"
        known = {key for (key,) in connection.execute(statement, (source.name, day))}
        _put(connection, source, keys - known, day)
    elif complete:
        _note_absent(connection, source, keys, day)


def _note_absent(connection: sqlite3.Connection, source: Source, keys: Set[str], day: int) -> None:
    name = quoted(source.name)
    known = {key for (key,) in connection.execute("SELECT key FROM hansa_seen WHERE source = ?", (source.name,))}
    count = connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
    if count - len(known) == len(keys) and known.isdisjoint(keys):
        return
    absent = {key for (key,) in connection.execute(f"SELECT hansa_key FROM {name}")} - keys
    statement = "DELETE FROM hansa_seen WHERE source = ? AND key = ?"
    connection.executemany(statement, [(source.name, key) for key in known - absent])
    _put(connection, source, absent - known, day)


def _put(connection: sqlite3.Connection, source: Source, keys: Set[str], day: int) -> None:
    statement = "INSERT OR REPLACE INTO hansa_seen (source, key, day) VALUES (?, ?, ?)"
    connection.executemany(statement, [(source.name, key, day) for key in keys])


def forget_rows(
    connection: sqlite3.Connection, before: int, stored: int, lists: Collection[str], today: int | None
) -> int:
    """Forget what no extract has had since the day `before`, and old findings; how many documents and rows.

    Only what the number `stored` covers; of `lists`, which nobody is offered, everything. A document keeps its hash;
    one that was rejected does not, as it was never sent. A stock row goes as a whole: coming back, its figure is told
    again, which has no second effect. Documents of which no day is known count from `today` on.
    """
    if today is not None:
        connection.execute(
            "INSERT OR IGNORE INTO hansa_seen (source, key, day) SELECT source, key, ? FROM hansa_documents"
            " WHERE seq IS NOT NULL",
            (today,),
        )
    count = _forget_documents(connection, before, stored)
    count += _forget_one_by_one(connection, before, stored, lists)
    _forget_findings(connection, before, stored)
    return count


def _forget_documents(connection: sqlite3.Connection, before: int, stored: int) -> int:
    old = connection.execute(
        "SELECT source, key, EXISTS (SELECT 1 FROM hansa_rejected AS r WHERE r.source = d.source AND r.key = d.key)"
        " FROM hansa_documents AS d JOIN hansa_seen USING (source, key) WHERE day < ? AND seq <= ?",
        (before, stored),
    ).fetchall()
    for source, key, rejected in old:
        connection.execute(f"DELETE FROM {quoted(source)} WHERE hansa_key = ?", (key,))
        if rejected:
            connection.execute("DELETE FROM hansa_documents WHERE source = ? AND key = ?", (source, key))
            connection.execute("DELETE FROM hansa_rejected WHERE source = ? AND key = ?", (source, key))
        else:
            connection.execute("UPDATE hansa_documents SET seq = NULL WHERE source = ? AND key = ?", (source, key))
        connection.execute("DELETE FROM hansa_seen WHERE source = ? AND key = ?", (source, key))
    return len(old)


def _forget_one_by_one(connection: sqlite3.Connection, before: int, stored: int, lists: Collection[str]) -> int:
    old = connection.execute(
        "SELECT source, key FROM hansa_seen AS s WHERE day < ?"
        " AND NOT EXISTS (SELECT 1 FROM hansa_documents AS d WHERE d.source = s.source AND d.key = s.key)",
        (before,),
    ).fetchall()
    count = 0
    for source, key in old:
        taken = "" if source in lists else f" AND hansa_seq <= {stored:d}"
        done = connection.execute(f"DELETE FROM {quoted(source)} WHERE hansa_key = ?{taken}", (key,))
        if done.rowcount:
            connection.execute("DELETE FROM hansa_seen WHERE source = ? AND key = ?", (source, key))
            connection.execute("DELETE FROM hansa_rejected WHERE source = ? AND key = ?", (source, key))
            count += 1
    return count


def _forget_findings(connection: sqlite3.Connection, before: int, stored: int) -> None:
    """Findings tell values, too. Those of a file that could not be put away yet will be written beside it."""
    last = connection.execute("SELECT max(seq) FROM hansa_days WHERE day < ?", (before,)).fetchone()[0]
    if last is None:
        return
    connection.execute(
        "DELETE FROM hansa_findings WHERE seq <= ? AND NOT EXISTS"
        " (SELECT 1 FROM hansa_files WHERE state <> 'waiting' AND first < seq AND seq <= last)",
        (min(last, stored),),
    )
    connection.execute("DELETE FROM hansa_days WHERE day < ? AND seq < ?", (before, last))
