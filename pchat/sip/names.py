"""Names of header fields: compact forms, and the key under which a field is looked up.

Source: RFC 3261 sections 7.3.1 and 7.3.3; IANA "Session Initiation Protocol (SIP) Parameters".
"""

from __future__ import annotations

from typing import Final

#: Compact form to long form. Source: RFC 3261 section 7.3.3 and the IANA table of header fields.
COMPACT: Final = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "n": "Identity-Info",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}
_USUAL: Final = """
    Accept Accept-Language Allow Allow-Events Authentication-Info Authorization Call-ID Contact
    Content-Encoding Content-Length Content-Type CSeq Date Event Expires From In-Reply-To Max-Forwards
    Min-Expires Ms-Diagnostics Ms-Diagnostics-Public Ms-Keep-Alive P-Asserted-Identity
    P-Preferred-Identity Proxy-Authenticate Proxy-Authentication-Info Proxy-Authorization Proxy-Require
    Record-Route Refer-To Referred-By Require Retry-After Route Server Session-Expires Subject
    Subscription-State Supported Timestamp To Unsupported User-Agent Via Warning WWW-Authenticate
"""
#: Usual spellings to the key they are looked up by, so that most names cost one dictionary access.
KEYS: Final = {
    spelling: name.lower() for name in _USUAL.split() for spelling in (name, name.lower(), name.upper())
}


def header_key(name: str) -> str:
    """Return the lower-case long name that a header is looked up by."""
    return (KEYS.get(name) or long_name(name)).lower()


def long_name(name: str) -> str:
    """Return the long form of a compact header name, and any other name as it is."""
    return COMPACT.get(name.lower(), name) if len(name) == 1 else name
