"""The settings of a node: `load(home)` reads HOME/hansa.toml, `Settings()` are the defaults, `describe()` the manual.

Secrets stay out of the file: `url_env` names an environment variable, `url_file` a file that holds the value.
"""

from __future__ import annotations

from node.config.manual import describe
from node.config.reading import check_endpoint, home_folder, load, parse
from node.config.sections import (
    FILE_NAME,
    AdapterSettings,
    CarrierSettings,
    DatabaseSettings,
    FreightSettings,
    LimitSettings,
    LogSettings,
    MetricsSettings,
    NodeSettings,
    PartnerSettings,
    ReplenishmentRule,
    ReplenishmentSettings,
    ReservationSettings,
    RetentionSettings,
    Settings,
    SharingRule,
    SharingSettings,
    carrier_secret,
)
from node.config.sites import CostRule, PromisingSettings, SafetyRule, SiteSettings

__all__ = [
    "FILE_NAME",
    "AdapterSettings",
    "CarrierSettings",
    "CostRule",
    "DatabaseSettings",
    "FreightSettings",
    "LimitSettings",
    "LogSettings",
    "MetricsSettings",
    "NodeSettings",
    "PartnerSettings",
    "PromisingSettings",
    "ReplenishmentRule",
    "ReplenishmentSettings",
    "ReservationSettings",
    "RetentionSettings",
    "SafetyRule",
    "Settings",
    "SharingRule",
    "SharingSettings",
    "SiteSettings",
    "carrier_secret",
    "check_endpoint",
    "describe",
    "home_folder",
    "load",
    "parse",
]
