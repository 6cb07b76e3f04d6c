"""The tables agree with the row types, and the migrations with the tables, on both engines."""

from __future__ import annotations

import re
import typing
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from node.core import reservation_rows, rows
from node.store.schema import DOCUMENT_COLUMNS, LINE_EVENT, METADATA, REVISION, TABLES
from node.store.upgrade import MIGRATIONS
from node.store.work import Statements
from tests.stores import Server

SQL_TYPES = {str: sa.Text, int: sa.BigInteger, bytes: sa.LargeBinary}


ROWS = [getattr(module, name) for module in (rows, reservation_rows) for name in module.__all__]


@pytest.mark.parametrize("row", ROWS)
def test_every_row_type_has_its_table(row: Any) -> None:
    whole = DOCUMENT_COLUMNS if row is rows.DocumentRow else TABLES[row].columns
    columns = [column for column in whole if column is not LINE_EVENT.c.event_id]
    assert [column.name for column in columns] == list(row._fields)
    for column, hint in zip(columns, typing.get_type_hints(row).values(), strict=True):
        kinds = [kind for kind in typing.get_args(hint) or (hint,) if kind is not type(None)]
        assert len(kinds) == 1
        assert isinstance(column.type, SQL_TYPES[kinds[0]]), column
        assert column.nullable == (type(None) in typing.get_args(hint)), column


def test_the_newest_migration_is_the_one_the_program_names() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    assert script.get_heads() == [REVISION]
    assert all(re.fullmatch(r"\d{4}", revision.revision) for revision in script.walk_revisions())


def test_models_and_migrations_agree(store_url: str) -> None:
    engine = sa.create_engine(store_url.replace("postgresql:", "postgresql+psycopg:"), poolclass=sa.NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, METADATA) == []
    engine.dispose()


def squeezed(text: str) -> str:
    """The text with its constraints in alphabetical order: which comes first says nothing."""
    return "\n".join(sorted(line.strip().rstrip(",") for line in text.splitlines()))


def test_sqlite_says_the_same_of_both(sqlite_url: str) -> None:
    """What Alembic does not compare: checks, conditions of indexes, how rows lie."""
    made = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    METADATA.create_all(made)
    migrated = sa.create_engine(sqlite_url, poolclass=sa.NullPool)
    query = sa.text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'")
    found = []
    for engine in (made, migrated):
        with engine.connect() as connection:
            found.append({name: squeezed(sql) for name, sql in connection.execute(query)})
        engine.dispose()
    assert found[0] == found[1]


def test_postgresql_says_the_same_of_both(postgres_server: Server, postgres_url: str) -> None:
    postgres_server.run("DROP DATABASE IF EXISTS made", "CREATE DATABASE made")
    queries = [
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'",
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace AND conrelid <> 'alembic_version'::regclass",
        "SELECT table_name||'.'||column_name, concat_ws(' ', data_type, collation_name, is_nullable, column_default)"
        " FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'",
    ]
    found: list[list[dict[str, str]]] = []
    for url in (postgres_server.url("made"), postgres_url):
        engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"), poolclass=sa.NullPool)
        with engine.begin() as connection:
            if url != postgres_url:
                METADATA.create_all(connection)
                connection.execute(sa.text("CREATE TABLE alembic_version (version_num text)"))
            found.append([dict(connection.execute(sa.text(query)).all()) for query in queries])
        engine.dispose()
    assert found[0] == found[1]
    postgres_server.run("DROP DATABASE made")


STATEMENTS = Statements("sqlite")
PLANS = {
    "documents.find": (STATEMENTS.documents.find, "ix_document_identity"),
    "documents.span": (STATEMENTS.documents.span, "ix_document_number"),
    "documents.take_sent": (STATEMENTS.documents.take_sent, "ix_document_number"),
    "documents.urgent": (STATEMENTS.documents.urgent, "COVERING INDEX ix_document_waiting"),
    "documents.first_come": (STATEMENTS.documents.first_come, "ix_document_open"),
    "documents.first_waiting": (STATEMENTS.documents.first_waiting, "ix_document_open"),
    "documents.count_waiting": (STATEMENTS.documents.count_waiting, "ix_document_open"),
    "documents.count_numbered": (STATEMENTS.documents.count_numbered, "COVERING INDEX ix_document_number"),
    "documents.count_open": (STATEMENTS.documents.count_open, "ix_document_open"),
    "documents.of_ids": (STATEMENTS.documents.of_ids, "INTEGER PRIMARY KEY"),
    "documents.number": (STATEMENTS.documents.number, "INTEGER PRIMARY KEY"),
    "documents.waiting_partners": (STATEMENTS.documents.waiting_partners, "ix_document_waiting"),
    "documents.held_objects": (STATEMENTS.documents.held_objects, "ix_document_held"),
    "documents.erasable": (STATEMENTS.documents.erasable[False], "ix_document_kept"),
    "documents.erasable_personal": (STATEMENTS.documents.erasable[True], "ix_document_personal"),
    "documents.search": (STATEMENTS.documents.search([], "held"), "ix_document_fallen"),
    "handovers.due": (STATEMENTS.handovers.due, "ix_handover_due"),
    "orders.find": (STATEMENTS.orders.find, "ix_orders_identity"),
    "orders.lines": (STATEMENTS.orders.lines, "order_line USING PRIMARY KEY"),
    "orders.events": (STATEMENTS.orders.events, "ix_line_event_order"),
    "reservations.get": (STATEMENTS.reservations.get, "reservation USING PRIMARY KEY (reservation_id=?)"),
    "reservations.find": (STATEMENTS.reservations.find, "reservation USING PRIMARY KEY"),
    "reservations.of_orders": (STATEMENTS.reservations.of_orders, "ix_reservation_order"),
    "reservations.of_pieces": (STATEMENTS.reservations.of_pieces, "ix_reservation_piece"),
    "reservations.due": (STATEMENTS.reservations.due, "ix_reservation_due"),
    "reservations.due_of": (STATEMENTS.reservations.due_of, "ix_reservation_item"),
    "reservations.held_by": (STATEMENTS.reservations.held_by, "ix_reservation_partner (partner_id=? AND item_key=?)"),
    "reservations.total_of": (STATEMENTS.reservations.total_of, "ix_reservation_partner"),
    # By that of what is covered, or that of all holds: without figures SQLite takes either.
    "reservations.covered": (STATEMENTS.reservations.covered, "(item_key=?)"),
    "customer_orders.hindered": (STATEMENTS.customer_orders.hindered, "ix_piece_back_ordered"),
    "reservations.forgettable": (STATEMENTS.reservations.forgettable, "ix_reservation_done"),
    "reservations.counters": (STATEMENTS.reservations.counters, "stock_counter USING PRIMARY KEY"),
    "stock.figure": (STATEMENTS.stock.figure, "stock USING PRIMARY KEY (item_key=?)"),
    "stock.figures": (STATEMENTS.stock.figures, "stock USING PRIMARY KEY (item_key=?)"),
    "stock.own_figure": (STATEMENTS.stock.own_figure, "ix_own_stock_key (item_key=?)"),
    "stock.own_figures": (STATEMENTS.stock.own_figures, "ix_own_stock_key (item_key=?)"),
    "stock.own_changed": (STATEMENTS.stock.own_changed, "own_stock USING INTEGER PRIMARY KEY (rowid>?)"),
    "stock.drop": (STATEMENTS.stock.drop, "ix_stock_snapshot"),
}
MAY_SORT = {"orders.lines", "reservations.of_orders", "reservations.of_pieces"}  # the few of one order or piece


@pytest.mark.parametrize("name", PLANS)
def test_what_is_asked_often_goes_by_an_index(name: str) -> None:
    sql, index = PLANS[name]
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    METADATA.create_all(engine)
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", ("1",) * sql.count("?")).all()
    engine.dispose()
    plan = [row[3] for row in rows]
    assert any(index in step for step in plan), plan
    assert name in MAY_SORT or not any("TEMP B-TREE FOR" in step and "ORDER" in step for step in plan), plan
    assert not any(
        re.fullmatch(r"SCAN (document|content|stock|own_stock|orders|order_line|line_event)", step) for step in plan
    ), plan
