"""One transaction as use cases see it: the stores of `node.ports` over one session."""

from __future__ import annotations

from contextlib import AbstractContextManager

from node import ports
from node.store.customer_orders import CustomerOrders, CustomerOrderStatements
from node.store.demand import Demand, DemandStatements
from node.store.disruptions import Disruptions, DisruptionStatements
from node.store.documents import Documents, DocumentStatements
from node.store.erp_holds import ErpHolds, ErpHoldStatements
from node.store.handovers import Handovers, HandoverStatements
from node.store.links import Links, LinkStatements
from node.store.offers import Offers, OfferStatements
from node.store.orders import Orders, OrderStatements
from node.store.partners import Partners, PartnerStatements
from node.store.performance import Performance, PerformanceStatements
from node.store.problems import Problems, ProblemStatements
from node.store.quotes import Quotes, QuoteStatements
from node.store.reservations import Reservations, ReservationStatements
from node.store.session import Session
from node.store.settings import Counters, CounterStatements, Settings, SettingStatements
from node.store.statements import Compiler
from node.store.stock import Stock, StockStatements

__all__ = ["Statements", "Work"]


class Statements:
    """Every statement of the store, compiled once per database."""

    def __init__(self, dialect_name: str) -> None:
        sql = Compiler(dialect_name)
        self.partners = PartnerStatements(sql)
        self.links = LinkStatements(sql)
        self.documents = DocumentStatements(sql)
        self.handovers = HandoverStatements(sql)
        self.orders = OrderStatements(sql)
        self.stock = StockStatements(sql)
        self.performance = PerformanceStatements(sql)
        self.demand = DemandStatements(sql)
        self.offers = OfferStatements(sql)
        self.disruptions = DisruptionStatements(sql)
        self.reservations = ReservationStatements(sql)
        self.erp_holds = ErpHoldStatements(sql)
        self.customer_orders = CustomerOrderStatements(sql)
        self.quotes = QuoteStatements(sql)
        self.problems = ProblemStatements(sql)
        self.settings = SettingStatements(sql)
        self.counters = CounterStatements(sql)
        self.stages: tuple[str, ...] = tuple(dict.fromkeys(sql.stages))
        """What makes the staging tables of a writing PostgreSQL connection."""


class Work:
    """Implements `node.ports.Transaction`; one per session, used by one transaction after the other."""

    partners: ports.PartnerStore
    links: ports.LinkStore
    documents: ports.DocumentStore
    handovers: ports.HandoverStore
    orders: ports.OrderStore
    stock: ports.StockStore
    performance: ports.PerformanceStore
    demand: ports.DemandStore
    offers: ports.OfferStore
    disruptions: ports.DisruptionStore
    reservations: ports.ReservationStore
    erp_holds: ports.ErpHoldStore
    customer_orders: ports.CustomerOrderStore
    quotes: ports.QuoteStore
    problems: ports.ProblemStore
    settings: ports.SettingStore

    def __init__(self, session: Session, sql: Statements) -> None:
        self.session = session
        counters = Counters(session, sql.counters)
        self.partners = Partners(session, sql.partners)
        self.links = Links(session, sql.links)
        self.documents = Documents(session, sql.documents, counters)
        self.handovers = Handovers(session, sql.handovers)
        self.orders = Orders(session, sql.orders, counters)
        self.stock = Stock(session, sql.stock, counters)
        self.performance = Performance(session, sql.performance)
        self.demand = Demand(session, sql.demand)
        self.offers = Offers(session, sql.offers)
        self.disruptions = Disruptions(session, sql.disruptions)
        self.reservations = Reservations(session, sql.reservations)
        self.erp_holds = ErpHolds(session, sql.erp_holds)
        self.customer_orders = CustomerOrders(session, sql.customer_orders, counters)
        self.quotes = Quotes(session, sql.quotes)
        self.problems = Problems(session, sql.problems)
        self.settings = Settings(session, sql.settings)

    def savepoint(self) -> AbstractContextManager[None]:
        """A part that can fail alone: leaving it by an exception undoes only what was done inside."""
        return self.session.savepoint()
