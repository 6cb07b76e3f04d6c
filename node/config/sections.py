"""What can be set, with default, unit and meaning. The classes below are the manual as well."""

# The one function called in the defaults makes a dataclass field.
# ruff: noqa: RUF009

from __future__ import annotations

import os
from dataclasses import MISSING, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from node.config.orchestration import OrchestrationSettings
from node.config.setting import setting
from node.config.sites import PromisingSettings, SiteSettings
from node.core.incoterms import INCOTERMS
from node.errors import ConfigError

__all__ = [
    "FILE_NAME",
    "AdapterSettings",
    "CarrierSettings",
    "DatabaseSettings",
    "FreightSettings",
    "LimitSettings",
    "LogSettings",
    "MetricsSettings",
    "NodeSettings",
    "PartnerSettings",
    "ReplenishmentRule",
    "ReplenishmentSettings",
    "ReservationSettings",
    "RetentionSettings",
    "Settings",
    "SharingRule",
    "SharingSettings",
    "carrier_secret",
]

FILE_NAME = "hansa.toml"
"""The settings' file in the node's home."""


@dataclass(frozen=True, kw_only=True)
class NodeSettings:
    """How the node is reached, and how it ends. The address that partners dial is in our card: `hansa partner card`."""

    listen: str = setting("", "host:port on which partners reach us; empty: we only dial out", example="0.0.0.0:7420")
    grace_seconds: int = setting(20, "how long a stopping node may finish what is in hand", unit="s", least=0, most=600)


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings:
    """Where the node keeps everything. Give at most one of the three."""

    url: str = setting(
        "", "SQLAlchemy address; empty: SQLite in HOME/hansa.db", example="sqlite:////var/lib/hansa/hansa.db"
    )
    url_env: str = setting("", "environment variable that holds the address", example="HANSA_DATABASE")
    url_file: str = setting("", "file that holds the address", example="/run/secrets/database")


@dataclass(frozen=True, kw_only=True)
class LogSettings:
    """What the node writes about itself, on standard error."""

    level: str = setting("info", "least severity that is written", choices=("debug", "info", "warning", "error"))
    format: str = setting("text", "lines for people, or one JSON object per line", choices=("text", "json"))


@dataclass(frozen=True, kw_only=True)
class MetricsSettings:
    """Figures for Prometheus."""

    port: int = setting(0, "port of /metrics; 0: off", least=0, most=65535, example=9420)
    host: str = setting("127.0.0.1", "address on which /metrics is served")


@dataclass(frozen=True, kw_only=True)
class LimitSettings:
    """Everything has a limit. The defaults suit a node on one machine; partners never need to agree on them."""

    batch_bytes: int = setting(262_144, "size at which a batch is full", unit="bytes", least=1_024, most=2_097_152)
    batch_documents: int = setting(512, "documents in one batch", least=1, most=4_096)
    batch_documents_accepted: int = setting(4_096, "documents in one batch of a partner", least=1, most=100_000)
    batches_in_flight: int = setting(2, "batches sent and not yet receipted", least=1, most=16)
    waiting_documents: int = setting(
        1_000_000,
        "documents that may wait for one partner; beyond it nothing more is taken for it",
        least=1,
        most=1_000_000_000,
    )
    sessions_max: int = setting(256, "partners connected at once", least=1, most=10_000)
    queries_per_second: int = setting(
        50, "questions answered for one partner; more are refused", unit="1/s", least=1, most=10_000
    )
    query_items_max: int = setting(200, "items in one question", least=1, most=5_000)
    query_seconds: int = setting(5, "how long we wait for a partner's answer", unit="s", least=1, most=60)
    hello_seconds: int = setting(10, "how long a new session may take to say hello", unit="s", least=1, most=120)
    receipt_seconds: int = setting(
        60, "how long a batch may stay without receipt before the session is begun anew", unit="s", least=5, most=3_600
    )
    keepalive_seconds: int = setting(30, "how often a silent session is tried", unit="s", least=5, most=3_600)
    dial_first_ms: int = setting(
        200, "longest pause after the first failed call; doubles with each failure", unit="ms", least=1, most=60_000
    )
    dial_seconds_max: int = setting(
        300, "longest pause between calls; calling never ends", unit="s", least=1, most=86_400
    )
    aged_seconds: int = setting(600, "a document that has waited this long goes first", unit="s", least=1, most=86_400)
    handover_attempts_max: int = setting(
        20, "tries to hand a document to our own system before a human is asked", least=1, most=10_000
    )
    handover_first_seconds: int = setting(
        5, "pause after the first failed hand-over; doubles with each failure", unit="s", least=1, most=3_600
    )
    handover_seconds_max: int = setting(900, "longest pause between hand-overs", unit="s", least=1, most=86_400)
    control_bytes_max: int = setting(
        16_777_216, "largest request or answer on the control socket", unit="bytes", least=65_536, most=1_073_741_824
    )


@dataclass(frozen=True, kw_only=True)
class AdapterSettings:
    """One of our own systems (files, a database, an ERP). Changes are taken only after `hansa adapter start NAME`."""

    name: str = setting(MISSING, "our name for it", example="shop")
    kind: str = setting(MISSING, "the adapter that speaks to it", example="csv")
    every_seconds: int = setting(60, "how often it is asked for changes", unit="s", least=1, most=604_800)
    start_from: str = setting(
        "", "take only what is dated from here on, where nothing was pulled yet", example="2026-12-01"
    )
    usage: str = setting(
        "production",
        "which documents it is handed: productive ones, or those of links that are still in test",
        choices=("production", "test"),
    )
    documents: tuple[str, ...] = setting(
        (), "document types that are handed to it; empty: all that it takes", example=("Order", "OrderChange")
    )
    reserves: tuple[str, ...] = setting(
        (),
        "patterns of our locations whose stock it sells, and keeps holds on when partners ask for them; the adapter "
        "must be able to",
        example=("DC*",),
    )
    options: dict[str, Any] = setting(
        {}, "the adapter's own settings; the adapter says which", example={"folder": "/srv/erp/out"}
    )


@dataclass(frozen=True, kw_only=True)
class SharingRule:
    """Who sees what of our stock. The first rule that fits decides; nothing fits: nothing is told."""

    partner: str = setting("*", "partner id, or * for all", example="0088:4012345000009")
    item: str = setting("*", "pattern of our item number", example="CHEW-*")
    location: str = setting("*", "pattern of our location code", example="DC*")
    figure: str = setting(
        MISSING,
        "the exact figure, at most `cap`, the lower end of its band, only whether there is any, or nothing",
        choices=("exact", "capped", "band", "yes_no", "hidden"),
    )
    cap: int = setting(0, "with capped: the largest figure told", unit="in the item's unit", least=0, example=100)
    bands: tuple[int, ...] = setting(
        (), "with band: the lower ends, growing", unit="in the item's unit", example=(1, 10, 100)
    )
    reserve_percent: int = setting(0, "part of the stock that we keep for ourselves", unit="%", least=0, most=100)


@dataclass(frozen=True, kw_only=True)
class SharingSettings:
    """Which figures of our stock partners see. Without rules, nothing is told."""

    rules: tuple[SharingRule, ...] = setting((), "the rules, in order")


@dataclass(frozen=True, kw_only=True)
class ReservationSettings:
    """Holds on stock: what partners may ask of us, how we ask them, and what nobody gets of our stock."""

    pieces_max: int = setting(
        10_000, "most that one partner may hold of our stock at once", unit="pieces, all items together", least=0
    )
    holds_max: int = setting(10_000, "holds that one partner may have at once", least=0, most=1_000_000)
    hold_seconds_max: int = setting(
        14_400, "longest hold that we grant; who asks for longer gets this", unit="s", least=1, most=31_536_000
    )
    extensions_max: int = setting(3, "how often a hold may be extended", least=0, most=1_000)
    hold_seconds: int = setting(900, "for how long we ask, if nothing else is said", unit="s", least=1, most=31_536_000)
    answer_seconds: int = setting(
        120, "a request of ours that reaches the partner later is not granted any more", unit="s", least=1, most=86_400
    )
    erp_seconds: int = setting(
        20,
        "where our ERP keeps holds too: how long it has to answer before a request is refused",
        unit="s",
        least=1,
        most=86_400,
    )
    margin_seconds: int = setting(
        30, "so much earlier than the partner says, a hold counts as ended here", unit="s", least=0, most=86_400
    )
    safety_stock: Decimal = setting(
        Decimal(0), "kept back of each item at each location", unit="in the item's unit", least=0
    )
    exposure: str = setting(
        "none",
        "whether our ERP sells the same stock: then the largest fall of a figure by its own sales is kept back",
        choices=("none", "measured"),
    )
    exposure_hours: int = setting(24, "how long such a fall counts", unit="h", least=1, most=8_760)
    keep_days: int = setting(30, "how long holds that have ended can be looked up", unit="days", least=1, most=36_525)


@dataclass(frozen=True, kw_only=True)
class ReplenishmentRule:
    """When our stock of an item falls below a point, a partner is asked for more."""

    item: str = setting(MISSING, "our item number", example="CHEW-1")
    partner: str = setting(MISSING, "who is asked", example="0088:4012345000009")
    location: str = setting("", "our location; empty: all together", example="DC1")
    reorder_point: Decimal = setting(MISSING, "below this we ask", unit="in `unit`", example=Decimal(20))
    order_up_to: Decimal = setting(MISSING, "we ask for what brings us to this", unit="in `unit`", example=Decimal(100))
    multiple: Decimal = setting(Decimal(1), "what we ask for is a multiple of this", unit="in `unit`")
    unit: str = setting("C62", "UN/ECE Rec 20 code of the unit")
    gtin: str = setting("", "the item's GTIN, for the request")
    seller_number: str = setting("", "the partner's number of the item, for the request")


@dataclass(frozen=True, kw_only=True)
class ReplenishmentSettings:
    """Requests for more stock, formed the moment our own stock changes."""

    commitment: str = setting("planned", "how much a request binds us", choices=("information", "planned", "firm"))
    repeat_hours: int = setting(72, "a request without effect is made again after this", unit="h", least=1, most=8_760)
    rules: tuple[ReplenishmentRule, ...] = setting((), "one rule for each item and partner")


@dataclass(frozen=True, kw_only=True)
class RetentionSettings:
    """How long documents are kept. What is erased leaves its hash, so the rest can still be verified."""

    default_days: int = setting(3_653, "for types that `days` does not name", unit="days", least=1, most=36_525)
    days: dict[str, int] = setting({}, "by document type", unit="days", least=1, most=36_525, example={"Forecast": 400})
    stock_days: int = setting(
        30,
        "stock reports, if `days` does not name them: newer figures replace them soon",
        unit="days",
        least=1,
        most=36_525,
    )
    personal_days: int = setting(
        90, "consumers' names and addresses beside a document", unit="days", least=1, most=36_525
    )
    staging_days: int = setting(
        90,
        "what adapters keep of rows that were taken and are in no extract any more, and the files that they have put "
        "into processed and rejected",
        unit="days",
        least=1,
        most=36_525,
    )
    quarantine_days: int = setting(
        365,
        "files that adapters could not read and have put into quarantine; 0: until somebody deletes them",
        unit="days",
        least=0,
        most=36_525,
    )
    archive: str = setting(
        "", "folder that takes documents before they are erased; empty: none", example="/srv/archive"
    )


_ASKED = "an answer to our order beyond it waits for `hansa order confirm`; not set: we take any"


@dataclass(frozen=True, kw_only=True)
class PartnerSettings:
    """What we agreed with one partner; goes to it as a TradeTerms document."""

    orders: str = setting(
        "erp",
        "its orders go to our own system, or we source them ourselves over our sites and partners",
        choices=("erp", "orchestrate"),
    )
    auto_accept: bool = setting(
        False,
        "orders that pass minimum and credit limit are accepted at once; otherwise our own system or a human answers",
    )
    quantity_over_percent: Decimal | None = setting(
        None, "more than ordered that we take, and do not remark on; " + _ASKED, unit="%", least=0, most=1_000
    )
    quantity_under_percent: Decimal | None = setting(
        None, "less than ordered that we take; " + _ASKED, unit="%", least=0, most=100
    )
    price_percent: Decimal | None = setting(
        None, "above the order's price that we take; a lower one always; " + _ASKED, unit="%", least=0, most=100
    )
    days_early: int | None = setting(
        None, "days before the wanted one that we take; " + _ASKED, unit="days", least=0, most=366
    )
    days_late: int | None = setting(
        None, "days after the wanted one that we take; " + _ASKED, unit="days", least=0, most=366
    )
    order_minimum: str = setting("", "least amount of an order", example="250.00 EUR")
    credit_limit: str = setting("", "most that may be open", example="20000.00 EUR")
    payment_days: int = setting(0, "days after the invoice; 0: not agreed", unit="days", least=0, most=366)
    discount_percent: Decimal = setting(
        Decimal(0), "cash discount within discount_days; 0: none", unit="%", least=0, most=100
    )
    discount_days: int = setting(0, "days after the invoice for the cash discount", unit="days", least=0, most=366)
    incoterms: str = setting(
        "",
        "who carries goods, costs and risk how far (Incoterms 2020; DAT of 2010); our orders by hand carry it",
        choices=INCOTERMS,
        example="DAP",
    )
    incoterms_place: str = setting("", "the place that the rule names", example="Hamburg, Hafenstr. 1")
    hold_pieces_max: int = setting(
        0, "most that this partner may hold of our stock at once; 0: as for all", unit="pieces", least=0
    )
    lead_days: int = setting(0, "usual days from order to delivery; 0: not agreed", unit="days", least=0, most=366)


@dataclass(frozen=True, kw_only=True)
class FreightSettings:
    """What goods cost on their way where no carrier is set, and where postal codes lie."""

    postal_codes: tuple[str, ...] = setting(
        (),
        "tables of postal codes with latitude and longitude, as https://download.geonames.org/export/zip/ gives them "
        "(CC BY 4.0); without them no distance is known",
        example=("postal/DE.txt", "postal/FR.txt"),
    )
    currency: str = setting("", "of `cost` and `cost_per_km`; empty: they hold in every currency", example="EUR")
    cost: Decimal = setting(Decimal(0), "of a parcel where no carrier is set for its source", least=0)
    cost_per_km: Decimal = setting(Decimal(0), "on top, where the distance is known", least=0)
    transit_days: int = setting(2, "on the way where no carrier is set for its source", unit="days", least=0, most=90)


@dataclass(frozen=True, kw_only=True)
class CarrierSettings:
    """A carrier: a table of rates, or one that quotes by itself through an adapter. `hansa carrier check` tries it."""

    kind: str = setting("table", "`table`, or the adapter that asks the carrier", example="http")
    file: str = setting(MISSING, "the table of rates, or the adapter's mapping", example="carriers/parcel.toml")
    sources: tuple[str, ...] = setting(
        ("|*",),
        "patterns of the sources that it serves, written as partner id, bar, location; the default is our own sites",
        example=("|DC*", "0088:4012345000009|*"),
    )
    currency: str = setting("", "in which it quotes; empty: the order's", example="EUR")
    url: str = setting("", "where it quotes", example="https://api.carrier.example/v1/rates")
    secret_env: str = setting("", "environment variable that holds its key", example="CARRIER_KEY")
    secret_file: str = setting("", "file that holds its key", example="/run/secrets/carrier")
    ca_file: str = setting("", "certificates that it is checked against; empty: those that the machine trusts")
    timeout_seconds: int = setting(3, "how long one answer may take, from beginning to end", unit="s", least=1, most=60)
    cache_seconds: int = setting(3_600, "how long a quote holds", unit="s", least=1, most=604_800)
    retry_seconds: int = setting(
        60, "how long a carrier that did not answer a question is not asked it again", unit="s", least=1, most=86_400
    )
    fallback: str = setting("", "the carrier, of kind table, whose rates stand in for an answer", example="parcel")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings of one node."""

    home: Path = field(default=Path(), metadata={"hidden": True})
    node: NodeSettings = field(default_factory=NodeSettings)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    log: LogSettings = field(default_factory=LogSettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    adapters: tuple[AdapterSettings, ...] = ()
    sharing: SharingSettings = field(default_factory=SharingSettings)
    reservations: ReservationSettings = field(default_factory=ReservationSettings)
    replenishment: ReplenishmentSettings = field(default_factory=ReplenishmentSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    partners: dict[str, PartnerSettings] = field(default_factory=dict)
    freight: FreightSettings = field(default_factory=FreightSettings)
    carriers: dict[str, CarrierSettings] = field(default_factory=dict)
    sites: dict[str, SiteSettings] = field(default_factory=dict)
    promising: PromisingSettings = field(default_factory=PromisingSettings)
    orchestration: OrchestrationSettings = field(default_factory=OrchestrationSettings)

    @property
    def file(self) -> Path:
        """The settings' file."""
        return self.home / FILE_NAME

    @property
    def database_url(self) -> str:
        """The database's address. Raises ConfigError when what it refers to is not there."""
        given = self.database
        return (
            given.url
            or _secret(self, "database.url", given.url_env, given.url_file)
            or f"sqlite:///{self.home / 'hansa.db'}"
        )

    def partner(self, partner_id: str) -> PartnerSettings:
        """What is set for this partner; the defaults where nothing is."""
        return self.partners.get(partner_id) or PartnerSettings()

    def adapter(self, name: str) -> AdapterSettings:
        """The adapter of this name. Raises ConfigError that names those there are."""
        for one in self.adapters:
            if one.name == name:
                return one
        names = ", ".join(one.name for one in self.adapters) or "none"
        raise ConfigError(f"{self.file}: there is no adapter {name!r}", hint=f"adapters are: {names}")


def carrier_secret(settings: Settings, name: str) -> str:
    """The key of a carrier, "" where none is set. Raises ConfigError when what names it is not there."""
    one = settings.carriers[name]
    return _secret(settings, f'carriers."{name}".secret', one.secret_env, one.secret_file)


def _secret(settings: Settings, key: str, variable: str, file: str) -> str:
    """The text of an environment variable or of a file, or "" where neither is named."""
    if variable:
        text = os.environ.get(variable, "")
        if not text:
            raise ConfigError(f"{settings.file}: {key}_env: the environment has no {variable}", hint=f"set {variable}")
        return text
    if not file:
        return ""
    path = settings.home / file
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{settings.file}: {key}_file: {path} cannot be read: {error}") from None
    if not text:
        raise ConfigError(f"{settings.file}: {key}_file: {path} is empty")
    return text
