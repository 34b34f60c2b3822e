"""What the chat service is called."""

from __future__ import annotations

from attrs import frozen

from pchat.sip.uri import address_key


def pool_uri(domain: str) -> str:
    """Tell the URI of the channel service of a domain."""
    return f"sip:GC-1-PersistentChatService-1@{domain}"


@frozen
class Addresses:
    """What the chat service is called.

    Args:
        domain: SIP domain of the users.
        pool_uri: URI of this server's channel service.
        lookup_uri: URI that clients ask for it.
        source: Our host name, for ``source=`` in diagnostics.
    """

    domain: str
    pool_uri: str
    lookup_uri: str
    source: str

    def is_chat_service(self, uri: str) -> bool:
        """Whether an INVITE to this URI is for us."""
        return address_key(uri) in {address_key(self.pool_uri), address_key(self.lookup_uri)}
