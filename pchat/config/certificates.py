"""Checks a listener's certificate and key when the server starts, so that clients do not find out first."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from pchat.errors import ConfigError

#: A chain of certificates is some kB; anything larger is the wrong file.
PEM_BYTES = 1 << 20


def check_key_pair(certificate: Path, key: Path, listener: str) -> None:
    """Check that both files can be read, are PEM and belong together.

    Args:
        certificate: PEM file whose first certificate is the server's.
        key: PEM file of its private key, without a password.
        listener: The listener's place in the configuration, ``sip.listeners[0]``.

    Raises:
        ConfigError: They cannot be used; names the key of the file at fault.
    """
    chain_pem = _read(certificate, f"{listener}.certificate")
    key_pem = _read(key, f"{listener}.key")
    try:
        chain = x509.load_pem_x509_certificates(chain_pem)
        public_key = chain[0].public_key()
    except ValueError as error:
        raise ConfigError(f"{listener}.certificate", f"{certificate} holds no PEM certificate") from error
    try:
        private_key = load_pem_private_key(key_pem, password=None)
    except (ValueError, TypeError) as error:  # TypeError: the key needs a password
        raise ConfigError(f"{listener}.key", f"{key} holds no PEM private key without a password") from error
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if public_key.public_bytes(*form) != private_key.public_key().public_bytes(*form):
        raise ConfigError(f"{listener}.key", f"{key} does not belong to the certificate in {certificate}")


def _read(path: Path, key: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(PEM_BYTES)
    except OSError as error:
        raise ConfigError(key, f"{path} cannot be read: {error.strerror}") from error
