"""The conformance suite on all adapters, the SQL one on SQLite and on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.testing import AdapterConformance, HoldConformance, StockConformance
from tests.adapters.rigs import FilesRig, HoldingRig, LinesRig, LotFilesRig, LotLinesRig, LotSqlRig, SqlRig


class TestFiles(AdapterConformance):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> FilesRig:
        return FilesRig(tmp_path)


class TestSqlite(AdapterConformance):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> SqlRig:
        return SqlRig(tmp_path, "sqlite:///erp.db")


class TestPostgres(AdapterConformance):
    @pytest.fixture
    def rig(self, tmp_path: Path, postgres_database: str) -> SqlRig:
        return SqlRig(tmp_path, postgres_database)


class TestJsonLines(AdapterConformance):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> LinesRig:
        return LinesRig(tmp_path)


class TestHoldsInSqlite(HoldConformance):
    @pytest.fixture
    def hold_rig(self, tmp_path: Path) -> HoldingRig:
        return HoldingRig(tmp_path, "sqlite:///erp.db")


class TestHoldsInSqliteReleasedByOrders(HoldConformance):
    @pytest.fixture
    def hold_rig(self, tmp_path: Path) -> HoldingRig:
        return HoldingRig(tmp_path, "sqlite:///erp.db", confirming=False)


class TestHoldsInPostgres(HoldConformance):
    @pytest.fixture
    def hold_rig(self, tmp_path: Path, postgres_database: str) -> HoldingRig:
        return HoldingRig(tmp_path, postgres_database)


class TestStockInFiles(StockConformance):
    @pytest.fixture
    def stock_rig(self, tmp_path: Path) -> LotFilesRig:
        return LotFilesRig(tmp_path)


class TestStockInSqlite(StockConformance):
    @pytest.fixture
    def stock_rig(self, tmp_path: Path) -> LotSqlRig:
        return LotSqlRig(tmp_path, "sqlite:///erp.db")


class TestStockInPostgres(StockConformance):
    @pytest.fixture
    def stock_rig(self, tmp_path: Path, postgres_database: str) -> LotSqlRig:
        return LotSqlRig(tmp_path, postgres_database)


class TestStockInJsonLines(StockConformance):
    @pytest.fixture
    def stock_rig(self, tmp_path: Path) -> LotLinesRig:
        return LotLinesRig(tmp_path)
