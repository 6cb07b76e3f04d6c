"""What Alembic runs: the migrations on the connection that `node.store.upgrade` hands over, in its transaction."""

from __future__ import annotations

from alembic import context

from node.store.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=True,
)
context.run_migrations()
