"""The SQL shell: one schema and one set of statements, on SQLite and PostgreSQL. `node.store.database` opens it."""
