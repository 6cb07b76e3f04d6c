"""TLS by pinned keys: which certificates are let in, which we present, and whose key a caller has shown.

No certificate authority and no names: the self-signed certificates on the partners' cards are the roots, and all of
them have the same subject, so that no list of roots tells a stranger with whom we deal. Who a caller is, is told by the
SHA-256 of its key (SPKI) alone, on every call: the TLS layer lets in whoever holds any of the certificates, resumes
sessions of those that were removed since, and lets open streams live on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Protocol, cast

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from node.core.card import TlsKey
from node.keyring import TLS_NAME, TlsIdentity, spki_sha256

__all__ = ["CHANNEL_OPTIONS", "Trust", "channel_credentials", "peer_spki"]

CHANNEL_OPTIONS: list[tuple[str, str | int]] = [("grpc.ssl_target_name_override", TLS_NAME)]
"""For the channel: certificates name no host, since the key is what is compared."""

_CERTIFICATES_CACHED = 4096


class AuthContext(Protocol):
    """The part of a call's context that says how the caller was authenticated."""

    def auth_context(self) -> Mapping[str, Iterable[bytes]]: ...


class Trust:
    """What the server presents and whom it lets in; `replace` takes effect at the next handshake, while it runs."""

    def __init__(self, identity: TlsIdentity, trusted: Mapping[str, Sequence[TlsKey]]) -> None:
        self._lock = threading.Lock()
        self._current = _server_configuration(identity, trusted)
        self._changed = False

    def replace(self, identity: TlsIdentity, trusted: Mapping[str, Sequence[TlsKey]]) -> None:
        """From now on, present this key and let in these partners' keys."""
        configuration = _server_configuration(identity, trusted)
        with self._lock:
            self._current = configuration
            self._changed = True

    def server_credentials(self) -> grpc.ServerCredentials:
        """Credentials of a server that follows this object. For one server only."""
        # The published types forget that None means "as before".
        fetch = cast("Callable[[], grpc.ServerCertificateConfiguration]", self._fetch)
        return grpc.dynamic_ssl_server_credentials(self._current, fetch, require_client_authentication=True)

    def _fetch(self) -> grpc.ServerCertificateConfiguration | None:
        """Called by gRPC, on a thread of its own, before each handshake; None: as before."""
        with self._lock:
            if not self._changed:
                return None
            self._changed = False
            return self._current


def channel_credentials(identity: TlsIdentity, pinned: Sequence[TlsKey]) -> grpc.ChannelCredentials:
    """Credentials for calling the one partner whose TLS keys these are, presenting ours; with `CHANNEL_OPTIONS`."""
    return grpc.ssl_channel_credentials(
        root_certificates=b"".join(_pem(key.certificate) for key in pinned),
        private_key=identity.private_key_pem,
        certificate_chain=identity.certificate_pem,
    )


def peer_spki(context: AuthContext) -> bytes | None:
    """The SHA-256 of the caller's TLS key (SPKI); None when it has shown none."""
    shown = next(iter(context.auth_context().get("x509_pem_cert", ())), None)
    return None if shown is None else _spki_of_pem(shown)


@lru_cache(maxsize=_CERTIFICATES_CACHED)
def _spki_of_pem(pem: bytes) -> bytes | None:
    try:
        return spki_sha256(x509.load_pem_x509_certificate(pem))
    except ValueError:
        return None


@lru_cache(maxsize=_CERTIFICATES_CACHED)
def _pem(certificate: bytes) -> bytes:
    return x509.load_der_x509_certificate(certificate).public_bytes(serialization.Encoding.PEM)


def _server_configuration(
    identity: TlsIdentity, trusted: Mapping[str, Sequence[TlsKey]]
) -> grpc.ServerCertificateConfiguration:
    roots = [_pem(key.certificate) for keys in trusted.values() for key in keys]
    # gRPC wants a root even when nobody may come in. Our own certificate is nobody's: no partner has its key.
    return grpc.ssl_server_certificate_configuration(
        [(identity.private_key_pem, identity.certificate_pem)], b"".join(roots) or identity.certificate_pem
    )
