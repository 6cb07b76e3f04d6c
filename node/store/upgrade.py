"""Bring a database to the newest schema, and refuse one that a newer program has written."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from node.errors import ConfigError
from node.store.schema import REVISION

__all__ = ["MIGRATIONS", "found_revision", "require_newest", "upgrade"]

MIGRATIONS = Path(__file__).parent / "migrations"

_VERSION = sa.table("alembic_version", sa.column("version_num"))


def found_revision(connection: sa.Connection) -> str | None:
    """The revision of the database's schema; None when it is empty."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(sa.select(_VERSION)).scalar()
    return found


def upgrade(connection: sa.Connection) -> None:
    """Create the tables or migrate them, in one transaction. Raises ConfigError when the database is newer than we."""
    with connection.begin():
        found = found_revision(connection)
        if found == REVISION:
            return
        _refuse_newer(found)
        # Half a second to import, and not needed on most starts.
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def require_newest(connection: sa.Connection) -> None:
    """Raise ConfigError unless the database has exactly our schema: who only reads cannot migrate."""
    with connection.begin():
        found = found_revision(connection)
    if found == REVISION:
        return
    _refuse_newer(found)
    raise ConfigError(
        f"the database has schema {found or 'none'}, this program needs {REVISION}",
        hint="Start the node of this version once: it brings the database up to date.",
    )


def _refuse_newer(found: str | None) -> None:
    if found is not None and found > REVISION:
        raise ConfigError(
            f"the database has schema {found}, written by a newer version; this program knows schemas up to {REVISION}",
            hint="Install the newer version again, or restore the backup made before it was installed.",
        )
