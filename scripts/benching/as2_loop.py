"""The same traffic as AS2 messages, where `pyas2lib` is installed: signed, encrypted, answered by a signed MDN.

Both partners in one process and without a network, so this is the cost of the cryptography and the MIME alone.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from node.clock import SystemClock

__all__ = ["available", "documents_per_s"]

PASSWORD = "bench"  # noqa: S105 - of a key that lives for one run


def available() -> str:
    """Why the comparison cannot be made here, or "" when it can."""
    try:
        import pyas2lib  # noqa: F401
    except ImportError:
        return "the Python package pyas2lib is not installed"
    except Exception as error:
        return f"pyas2lib cannot be used here: {error}"
    return ""


def _identity(name: str) -> tuple[bytes, bytes]:
    """A PKCS 12 file and the certificate of a new RSA key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = SystemClock().now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    file = pkcs12.serialize_key_and_certificates(
        name.encode(), key, certificate, None, serialization.BestAvailableEncryption(PASSWORD.encode())
    )
    return file, pem


def documents_per_s(body: bytes, count: int) -> float:
    """Messages of this body per second: built, parsed, answered, and the answer parsed."""
    from pyas2lib import Mdn, Message, Organization, Partner

    companies: dict[str, tuple[Any, Any]] = {}
    for name in ("buyer", "seller"):
        file, certificate = _identity(name)
        company = Organization(
            as2_name=name, sign_key=file, sign_key_pass=PASSWORD, decrypt_key=file, decrypt_key_pass=PASSWORD
        )
        partner = Partner(
            as2_name=name,
            verify_cert=certificate,
            encrypt_cert=certificate,
            sign=True,
            encrypt=True,
            digest_alg="sha256",
            mdn_mode="SYNC",
            mdn_digest_alg="sha256",
            validate_certs=False,
        )
        companies[name] = (company, partner)
    begun = time.perf_counter()
    for _ in range(count):
        sent = Message(companies["buyer"][0], companies["seller"][1])
        sent.build(body)
        received = Message()
        status, _, mdn = received.parse(
            sent.headers_str + b"\r\n" + sent.content,
            find_org_cb=lambda name: companies[name][0],
            find_partner_cb=lambda name: companies[name][1],
        )
        answer = Mdn()
        told, _ = answer.parse(mdn.headers_str + b"\r\n" + mdn.content, find_message_cb=lambda *_, m=sent: m)
        if status != "processed" or told != "processed":
            raise RuntimeError(f"the AS2 exchange failed: {status}, {told}")
    return count / (time.perf_counter() - begun)
