"""All that talks to partners: the server, a dialler for each partner with an address, and who may connect at all."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

import grpc

from node import keyring
from node.app.links import cards
from node.core.card import TlsKey
from node.core.document.common import Reason
from node.ports import Transaction
from node.transport import tls
from node.transport.client import Dialler
from node.transport.contract import REVOKED, Services
from node.transport.hub import Hub
from node.transport.server import Server

__all__ = ["Links", "Peers"]

_log = logging.getLogger("hansa.link")


@dataclass(frozen=True, slots=True)
class Peers:
    """Who may connect, as the newest cards say: keys and address of each partner, and which key of ours it is shown."""

    own_id: str
    presented: bytes
    trusted: dict[str, tuple[TlsKey, ...]]
    endpoints: dict[str, str] = field(default_factory=dict)
    shown_to: dict[str, bytes] = field(default_factory=dict)


def read_peers(tx: Transaction) -> Peers:
    """What the store says now. Raises ConfigError when this node has no identity yet."""
    own_id = tx.partners.own().partner_id
    trusted = cards.trusted(tx)
    return Peers(
        own_id=own_id,
        presented=cards.tls_presented(tx),
        trusted=trusted,
        endpoints={one: cards.history(tx, one)[-1].card.endpoint for one in trusted},
        shown_to={one: cards.tls_for(tx, one) for one in trusted},
    )


class Links:
    """The transport of one node. `reload` makes it follow partners, cards and keys."""

    def __init__(self, services: Services, keys: keyring.Keyring) -> None:
        self._services = services
        self._settings = services.ctx.settings
        self._keys = keys
        self._peers = Peers("", b"", {})
        self._trust: tls.Trust | None = None
        self._server: Server | None = None
        self._diallers: dict[str, Dialler] = {}
        self._dialling: dict[str, asyncio.Task[None]] = {}
        self._reloading = asyncio.Lock()
        self._hub: Hub | None = None

    @property
    def hub(self) -> Hub:
        """The sessions. Only after `start`."""
        assert self._hub is not None
        return self._hub

    @property
    def port(self) -> int:
        """The port that partners dial; 0 when we only dial out."""
        return self._server.port if self._server is not None else 0

    def dialler(self, partner_id: str) -> Dialler | None:
        """Who calls this partner; None when its card names no address."""
        return self._diallers.get(partner_id)

    async def start(self) -> None:
        """Listen and dial. Raises ConfigError."""
        services = self._services
        peers = self._peers = await services.store.read_async(read_peers)
        # Without them every session would end at its first batch, and only the log would know why.
        await services.store.read_async(lambda tx: cards.check_signers(tx, services.ctx))
        self._hub = Hub(self._services, peers.own_id, sessions_max=self._settings.limits.sessions_max)
        self._trust = tls.Trust(self._keys.tls(peers.presented), peers.trusted)
        if self._settings.node.listen:
            self._server = Server(
                self._hub,
                listen=self._settings.node.listen,
                credentials=self._trust.server_credentials(),
                spki_of=tls.peer_spki,
                partner_of=self._partner_of,
                keepalive_seconds=self._settings.limits.keepalive_seconds,
            )
            await self._server.start()
        self._dial()

    async def reload(self) -> None:
        """Follow what the store says now: sessions that no longer fit end, new partners are let in and dialled."""
        async with self._reloading:
            peers = await self._services.store.read_async(read_peers)
            self._keys.reload()
            assert self._trust is not None
            self._trust.replace(self._keys.tls(peers.presented), peers.trusted)
            gone = self._peers.trusted.keys() - peers.trusted.keys()
            self._peers = peers
            for partner_id in gone:
                text = "this partner is no longer dealt with"
                self.hub.stop(partner_id, Reason(code=REVOKED, text=text, language="en"))
            for session in self.hub.open():
                keys = {key.spki_sha256 for key in peers.trusted.get(session.partner_id, ())}
                if session.tls_keys and not session.tls_keys & keys:
                    text = "the TLS key of this call is on no card that counts any more"
                    session.stop(Reason(code="dropped-key", text=text, language="en"))
            self._dial()

    def sign_of_life(self, partner_id: str) -> None:
        """The partner has called us: our own calls need not wait any longer when this one ends."""
        dialler = self._diallers.get(partner_id)
        if dialler is not None:
            dialler.sign_of_life()

    async def stop(self, seconds: float) -> None:
        """Take no more calls, say goodbye, and end within about so many seconds."""
        if self._server is not None:
            await self._server.leave()
        if self._hub is not None:
            await self._hub.close(seconds)
        for task in self._dialling.values():
            task.cancel()
        await asyncio.gather(*self._dialling.values(), return_exceptions=True)
        if self._server is not None:
            await self._server.stop(1.0)

    async def _partner_of(self, spki: bytes) -> str | None:
        return await self._services.store.read_async(lambda tx: cards.partner_of(tx, spki))

    def _dial(self) -> None:
        """One dialler for each partner with an address; a changed address counts from the next call on."""
        wanted = {one: endpoint for one, endpoint in self._peers.endpoints.items() if endpoint}
        for partner_id in self._diallers.keys() - wanted.keys():
            self._diallers.pop(partner_id).stop()
        for partner_id, endpoint in wanted.items():
            dialler = self._diallers.get(partner_id)
            if dialler is None:
                self._diallers[partner_id] = dialler = self._dialler(partner_id, endpoint)
                task = asyncio.create_task(dialler.run(), name=f"dial {partner_id}")
                self._dialling[partner_id] = task
            elif dialler.endpoint != endpoint:
                dialler.endpoint = endpoint
                dialler.sign_of_life()

    def _dialler(self, partner_id: str, endpoint: str) -> Dialler:
        limits = self._settings.limits
        return Dialler(
            self.hub,
            partner_id,
            endpoint,
            credentials=lambda: self._credentials(partner_id),
            tls_keys=lambda: frozenset(key.spki_sha256 for key in self._peers.trusted.get(partner_id, ())),
            options=tls.CHANNEL_OPTIONS,
            random=self._services.ctx.random,
            first_seconds=limits.dial_first_ms / 1000,
            longest_seconds=limits.dial_seconds_max,
            keepalive_seconds=limits.keepalive_seconds,
        )

    def _credentials(self, partner_id: str) -> grpc.ChannelCredentials:
        pinned = self._peers.trusted.get(partner_id, ())
        return tls.channel_credentials(self._keys.tls(self._peers.shown_to[partner_id]), pinned)
