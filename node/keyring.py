"""Our private keys on disk, and the little cryptography around them: Ed25519 to sign, ECDSA P-256 for TLS.

A key is one file in HOME/keys, PKCS #8 in PEM, mode 0600 in a folder of mode 0700, encrypted when there is a
passphrase: ``signing-<number>-<key id>.pem`` and ``tls-<number>-<first 16 hex digits of the SPKI's SHA-256>.pem``, the
latter with its certificate in the same file. Higher numbers are newer.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shlex
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from node.core.card import TlsKey, key_id_of
from node.errors import ConfigError, RefusedError

__all__ = [
    "TLS_NAME",
    "KeySigner",
    "Keyring",
    "TlsIdentity",
    "check_certificate",
    "passphrase_from",
    "recovery_signer",
    "spki_sha256",
    "verify",
]

TLS_NAME = "hansa"
"""The subject alternative name in every certificate: whom we dial is told by the key, never by a name."""

_FILE = re.compile(r"(signing|tls)-([0-9]{4})-([0-9a-f]{16})\.pem").fullmatch
# RFC 5280, 4.1.2.5: "no well-defined expiration date". How long a key counts is for the card to say.
_NOT_BEFORE = datetime(2000, 1, 1, tzinfo=UTC)
_NOT_AFTER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
# The same for everybody: TLS servers may tell strangers the subjects of the certificates that they let in.
_SUBJECT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, TLS_NAME)])
_PUBLIC_KEYS_CACHED = 4096


@lru_cache(maxsize=_PUBLIC_KEYS_CACHED)
def _loaded(public_key: bytes) -> ed25519.Ed25519PublicKey:
    return ed25519.Ed25519PublicKey.from_public_bytes(public_key)


def verify(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether an Ed25519 signature is good (RFC 8032); bytes that are no key verify nothing."""
    try:
        _loaded(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class KeySigner:
    """One Ed25519 private key; implements `node.ports.Signer`."""

    key_id: str
    public_key: bytes
    _private: ed25519.Ed25519PrivateKey = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """The signature (64 bytes)."""
        return self._private.sign(message)


@dataclass(frozen=True, slots=True)
class TlsIdentity:
    """A certificate and its private key, as gRPC takes them: PEM, unencrypted."""

    spki_sha256: bytes
    certificate_pem: bytes
    private_key_pem: bytes = field(repr=False)


def spki_sha256(certificate: x509.Certificate) -> bytes:
    """The SHA-256 of a certificate's public key (SubjectPublicKeyInfo): what a partner is known by in TLS."""
    spki = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(spki).digest()


def check_certificate(key: TlsKey) -> None:
    """Check a certificate on a partner's card. Raises RefusedError ``bad-certificate``.

    It is self-signed with an ECDSA P-256 key that fits its hash, says nothing but `TLS_NAME`, and its key identifiers
    are its own: under another's identifier it would stand in that one's way where TLS looks certificates up.
    """
    try:
        certificate = x509.load_der_x509_certificate(key.certificate)
        public_key = certificate.public_key()
        certificate.verify_directly_issued_by(certificate)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        subject_id = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        issuer_id = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        sound = (
            isinstance(public_key, ec.EllipticCurvePublicKey)
            and isinstance(public_key.curve, ec.SECP256R1)
            and spki_sha256(certificate) == key.spki_sha256
            and names.get_values_for_type(x509.DNSName) == [TLS_NAME]
            and certificate.subject == _SUBJECT
            and subject_id == issuer_id == key.spki_sha256[:20]
        )
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.ExtensionNotFound):
        sound = False
    if not sound:
        raise RefusedError(
            "a TLS certificate on the card is not one that a node makes for its own key",
            code="bad-certificate",
            hint="Ask the partner for the file that `hansa partner card` writes today.",
        )


def _certify(private: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """A certificate that says nothing about its owner: partners compare its key with the card, nothing else."""
    public_key = private.public_key()
    spki = public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    spki_hash = hashlib.sha256(spki).digest()
    # The key identifiers let the TLS library tell the self-signed certificates of several partners apart.
    return (
        x509.CertificateBuilder()
        .subject_name(_SUBJECT)
        .issuer_name(_SUBJECT)
        .public_key(public_key)
        .serial_number(int.from_bytes(spki_hash[:16], "big") | 1)
        .not_valid_before(_NOT_BEFORE)
        .not_valid_after(_NOT_AFTER)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(TLS_NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier(spki_hash[:20]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier(spki_hash[:20], None, None), critical=False)
        .sign(private, hashes.SHA256())
    )


def recovery_signer(seed: bytes) -> KeySigner:
    """The offline recovery key from its seed (32 bytes), which is printed once and never stored."""
    return _signer(ed25519.Ed25519PrivateKey.from_private_bytes(seed))


def _signer(private: ed25519.Ed25519PrivateKey) -> KeySigner:
    public_key = private.public_key().public_bytes_raw()
    return KeySigner(key_id_of(public_key), public_key, private)


def passphrase_from(environment: Mapping[str, str]) -> bytes | None:
    """The passphrase that HANSA_PASSPHRASE holds, or the file that HANSA_PASSPHRASE_FILE names; None without.

    Raises ConfigError when the file cannot be read or is empty.
    """
    text = environment.get("HANSA_PASSPHRASE", "")
    named = environment.get("HANSA_PASSPHRASE_FILE", "")
    if not text and named:
        try:
            text = Path(named).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"HANSA_PASSPHRASE_FILE: {named} cannot be read ({error})", hint="Name a text file with one line."
            ) from None
        if not text:
            raise ConfigError(
                f"HANSA_PASSPHRASE_FILE: {named} is empty", hint="Write the passphrase on its first line."
            )
    return text.encode() or None


class Keyring:
    """The private keys of one node; implements `node.ports.Keyring`.

    Nothing is read before it is needed, and each key file once. `reload` forgets what was read.
    """

    def __init__(self, folder: Path, passphrase: bytes | None = None) -> None:
        self._folder = folder
        self._passphrase = passphrase
        self._signers: dict[str, KeySigner] = {}
        self._identities: dict[bytes, TlsIdentity] = {}

    def reload(self) -> None:
        """Read the key files again when they are next needed."""
        self._signers.clear()
        self._identities.clear()

    def key_ids(self) -> list[str]:
        """The signing keys that are there, newest first. Raises ConfigError."""
        return [one.name.removesuffix(".pem")[-16:] for one in reversed(self._files("signing"))]

    def signer(self, key_id: str) -> KeySigner:
        """The signer of this key. Raises ConfigError that names the missing or unreadable file."""
        found = self._signers.get(key_id)
        if found is None:
            path = self._path("signing", key_id)
            private = self._private(path)
            if not isinstance(private, ed25519.Ed25519PrivateKey) or _signer(private).key_id != key_id:
                raise _unfit(path, "it does not hold the Ed25519 key that its name says")
            found = self._signers[key_id] = _signer(private)
        return found

    def tls(self, spki_hash: bytes) -> TlsIdentity:
        """The TLS key with this SPKI hash. Raises ConfigError that names the missing or unreadable file."""
        found = self._identities.get(spki_hash)
        if found is None:
            path = self._path("tls", spki_hash.hex()[:16])
            private = self._private(path)
            certificate = self._certificate(path)
            if not isinstance(private, ec.EllipticCurvePrivateKey) or private.public_key() != certificate.public_key():
                raise _unfit(path, "its certificate belongs to another key")
            found = TlsIdentity(
                spki_sha256=spki_sha256(certificate),
                certificate_pem=certificate.public_bytes(serialization.Encoding.PEM),
                private_key_pem=private.private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                ),
            )
            self._identities[spki_hash] = found
        return found

    def newest_tls(self) -> TlsIdentity:
        """The newest TLS key that is there. Raises ConfigError when there is none."""
        files = self._files("tls")
        if not files:
            raise ConfigError(
                f"there is no TLS key in {self._folder}", hint="Run `hansa init`, or put the backup back."
            )
        return self.tls(spki_sha256(self._certificate(files[-1])))

    def new_signing(self, token: Callable[[int], bytes]) -> KeySigner:
        """Make and store a signing key. `token` gives unpredictable bytes. Raises ConfigError."""
        private = ed25519.Ed25519PrivateKey.from_private_bytes(token(32))
        signer = _signer(private)
        self._store("signing", signer.key_id, self._pem(private))
        self._signers[signer.key_id] = signer
        return signer

    def new_tls(self) -> TlsKey:
        """Make and store a TLS key with its certificate, as a card names it. Raises ConfigError."""
        private = ec.generate_private_key(ec.SECP256R1())
        certificate = _certify(private)
        pin = spki_sha256(certificate)
        self._store("tls", pin.hex()[:16], self._pem(private) + certificate.public_bytes(serialization.Encoding.PEM))
        return TlsKey(certificate=certificate.public_bytes(serialization.Encoding.DER), spki_sha256=pin)

    def drop(self, *, key_ids: frozenset[str], pins: frozenset[bytes]) -> None:
        """Delete these keys' files; keys that are not there are no error."""
        names = {("signing", one) for one in key_ids} | {("tls", pin.hex()[:16]) for pin in pins}
        for path in [*self._files("signing"), *self._files("tls")]:
            kind, _, name = path.name.removesuffix(".pem").split("-")
            if (kind, name) in names:
                path.unlink()
        self.reload()

    def _pem(self, private: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if self._passphrase is not None:
            encryption = serialization.BestAvailableEncryption(self._passphrase)
        return private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)

    def _files(self, kind: str) -> list[Path]:
        """The key files of a kind, oldest first."""
        if not self._folder.is_dir():
            return []
        _refuse_open(self._folder)
        found = [path for path in self._folder.iterdir() if (match := _FILE(path.name)) and match[1] == kind]
        return sorted(found)

    def _path(self, kind: str, name: str) -> Path:
        files = self._files(kind)
        for path in files:
            if path.name.endswith(f"-{name}.pem"):
                return path
        raise ConfigError(
            f"there is no file {kind}-*-{name}.pem in {self._folder}",
            hint="Put it back from your backup; if it is lost, run `hansa key recover` with the recovery key."
            + (" Or the database is an older copy than the keys that are here: put back the newest." * bool(files)),
        )

    def _read(self, path: Path) -> bytes:
        _refuse_open(path)
        try:
            return path.read_bytes()
        except OSError as error:
            raise ConfigError(
                f"the key file {path} cannot be read ({error.strerror})",
                hint="Run the node as the user who owns the file.",
            ) from None

    def _private(self, path: Path) -> object:
        data = self._read(path)
        encrypted = b"BEGIN ENCRYPTED PRIVATE KEY" in data
        if encrypted and self._passphrase is None:
            raise ConfigError(
                f"the key file {path} is encrypted, and no passphrase is given",
                hint="Set HANSA_PASSPHRASE, or HANSA_PASSPHRASE_FILE to a file that holds it.",
            )
        try:
            return serialization.load_pem_private_key(data, self._passphrase if encrypted else None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            why = "the passphrase is wrong, or it is damaged" if encrypted else "it is damaged"
            raise _unfit(path, why) from None

    def _certificate(self, path: Path) -> x509.Certificate:
        try:
            return x509.load_pem_x509_certificate(self._read(path))
        except ValueError:
            raise _unfit(path, "its certificate is missing or damaged") from None

    def _store(self, kind: str, name: str, data: bytes) -> None:
        """Write a new key file: whole and readable for us alone, or not at all."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _refuse_open(self._folder)
            numbers = [int(path.name.split("-")[1]) for path in self._files(kind)]
            path = self._folder / f"{kind}-{max(numbers, default=0) + 1:04d}-{name}.pem"
            temporary = path.with_suffix(".new")
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.rename(path)
            _sync_folder(self._folder)
        except OSError as error:
            raise ConfigError(
                f"no key can be written to {self._folder} ({error.strerror})",
                hint="The folder must be on a local disk and belong to the user who runs the node.",
            ) from None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_open(path: Path) -> None:
    """Raises ConfigError when others than the owner can read a key file or its folder."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror})", hint="Check its owner.") from None
    if mode & 0o077:
        wanted = "700" if path.is_dir() else "600"
        raise ConfigError(
            f"{path} is open to other users (mode {mode:04o}, expected 0{wanted})",
            hint=f"Run `chmod {wanted} {shlex.quote(str(path))}`; "
            "if others could have read it, rotate the keys as well.",
        )


def _unfit(path: Path, why: str) -> ConfigError:
    return ConfigError(f"the key file {path} cannot be used: {why}", hint="Put it back from your backup.")
