"""The operation that tells how partners keep what they say, and how long they take."""

from __future__ import annotations

from typing import Any

from node.app.operations.registry import Host, operation
from node.app.stock import performance
from node.errors import RefusedError

__all__: list[str] = []


@operation("partner.performance")
def told(host: Host, *, partner: str | None = None) -> dict[str, Any]:
    """Every partner's performance; of one partner also day by day. Raises RefusedError ``unknown-partner``."""
    partners = host.store.read(lambda tx: performance.told(tx, host.ctx, partner))
    if partner and not partners:
        raise RefusedError(f"there is no partner {partner}", code="unknown-partner", hint="see: hansa partner list")
    days = host.store.read(lambda tx: performance.history(tx, host.ctx, partner)) if partner else []
    return {"partners": partners, "history": days}
