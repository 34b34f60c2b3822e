"""What texts of the configuration must look like: a check a form, raising ValueError with the reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from pchat.config.sections import split_address

#: RFC 1035 section 2.3.4: a host name has at most 255 octets on the wire, 253 as text.
HOST_NAME_LENGTH = 253
#: A NetBIOS name has 16 bytes, the last of which tells the kind of service.
NETBIOS_LENGTH = 15
#: Names of ours go into log lines, headers and the store.
NAME_LENGTH = 64
#: UNIX socket paths on Linux: ``sun_path`` has 108 bytes with its closing NUL (unix(7)).
SOCKET_PATH_BYTES = 107

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NETBIOS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]*[A-Za-z0-9])?")


def domain(text: str) -> str:
    """Check a domain; it is returned in lower case."""
    if len(text) > HOST_NAME_LENGTH or not _HOST_NAME.fullmatch(text):
        raise ValueError("must be a domain name, such as example.com")
    return text.lower()


def host(text: str) -> str:
    """Check a host name that may be left empty."""
    return domain(text) if text else text


def netbios(text: str) -> str:
    """Check a NetBIOS domain name that may be left empty; it is returned in capitals."""
    if text and (len(text) > NETBIOS_LENGTH or not _NETBIOS.fullmatch(text)):
        raise ValueError(f"must be a NetBIOS name of at most {NETBIOS_LENGTH} characters, such as EXAMPLE")
    return text.upper()


def name(text: str) -> str:
    """Check a name that goes into headers and log lines."""
    if len(text) > NAME_LENGTH or not _NAME.fullmatch(text):
        raise ValueError(f"must be at most {NAME_LENGTH} letters, digits, blanks, dots, _ or -")
    return text


def address(text: str) -> str:
    """Check ``host:port``."""
    split_address(text)
    return text


def store(text: str) -> str:
    """Check the store's URL."""
    if text.startswith(("postgresql:", "postgres:")):
        raise ValueError('PostgreSQL is not supported by this version; use "sqlite"')
    if text != "sqlite":
        raise ValueError('must be "sqlite"')
    return text


def url(text: str) -> str:
    """Check an HTTP address that may be left empty; a closing slash is dropped."""
    parts = urlsplit(text)
    if text and (
        parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment
    ):
        raise ValueError("must be a web address, such as https://chat.example.com:8443")
    return text.rstrip("/")


FORMS: dict[str, Callable[[str], str]] = {
    "address": address,
    "domain": domain,
    "host": host,
    "name": name,
    "netbios": netbios,
    "store": store,
    "url": url,
}
