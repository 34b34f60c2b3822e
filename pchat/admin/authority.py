"""A certificate authority that signs one server certificate and is then forgotten.

Its private key is never written: clients are told to trust this CA, and who copies the server's
directory must not be able to pose as other servers. RSA, since every client that speaks TLS 1.2 accepts it.

Source: RFC 5280 sections 4.2.1.3, 4.2.1.6, 4.2.1.9 and 4.2.1.12.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

KEY_BITS = 2048
#: Nothing renews these certificates; whoever wants shorter lives brings his own.
LIFETIME = timedelta(days=3650)
#: Clients whose clocks are behind accept a certificate that was made a moment ago.
CLOCK_SKEW = timedelta(days=1)
#: RFC 5280 appendix A.1, ub-common-name.
COMMON_NAME_LENGTH = 64


@frozen(repr=False)
class ServerIdentity:
    """PEM texts: the CA's certificate, the server's certificate, and the server's private key."""

    authority: bytes
    certificate: bytes
    key: bytes


def make_identity(names: Sequence[str], domain: str, now: datetime) -> ServerIdentity:
    """Make a CA and a server certificate signed by it.

    Args:
        names: Host names and IP addresses that clients may know the server by; the first is its common name.
        domain: SIP domain, for the CA's own name.
        now: The present time, with its zone.
    """
    authority_key = rsa.generate_private_key(65537, KEY_BITS)
    server_key = rsa.generate_private_key(65537, KEY_BITS)
    authority_name = _name(f"pchat CA of {domain}")
    authority = (
        _builder(authority_name, authority_name, authority_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign_certificates=True), critical=True)
        .add_extension(_key_id(authority_key.public_key()), critical=False)
        .sign(authority_key, SHA256())
    )
    certificate = (
        _builder(_name(names[0]), authority_name, server_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(list(map(_general_name, names))), critical=False)
        .add_extension(_key_id(server_key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
                _key_id(authority_key.public_key())
            ),
            critical=False,
        )
        .sign(authority_key, SHA256())
    )
    return ServerIdentity(
        authority=authority.public_bytes(Encoding.PEM),
        certificate=certificate.public_bytes(Encoding.PEM),
        key=server_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: rsa.RSAPublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + LIFETIME)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:COMMON_NAME_LENGTH])])


def _key_id(key: rsa.RSAPublicKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key)


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        key_encipherment=not sign_certificates,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
