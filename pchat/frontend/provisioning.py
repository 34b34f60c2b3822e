"""The event vnd-microsoft-provisioning-v2: where the chat service is, and whether the user may use it.

Source: docs/spec/xccos.md section 7.1; docs/spec/sip-sign-in.md section 5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import frozen

from pchat.frontend.limits import PresenceLimits
from pchat.frontend.markup import escape
from pchat.frontend.reading import read_setting_groups
from pchat.frontend.subscription import Notification, Subscription
from pchat.sip.message import Request

if TYPE_CHECKING:
    from pchat.directory.people import Principal

CONTENT_TYPE = "application/vnd-microsoft-roaming-provisioning-v2+xml"
GROUP = "persistentChatConfiguration"
_NAMESPACE = "http://schemas.microsoft.com/2006/09/sip/provisiongrouplist-notification"


@frozen
class ChatAddresses:
    """Where clients find persistent chat.

    Args:
        pool_uri: URI that clients invite to be told the chat service.
        pool_uris: All such URIs.
        web_internal: Room management page, from inside; may be empty.
        web_external: The same from outside.
    """

    pool_uri: str
    pool_uris: tuple[str, ...]
    web_internal: str = ""
    web_external: str = ""


class Provisioning:
    """The package of the event.

    Args:
        enabled: Whether the policy lets a user use persistent chat.
        addresses: Where it is; asked each time, since an operator may change it.
        limits: Bounds of the request.
    """

    event = "vnd-microsoft-provisioning-v2"

    def __init__(
        self,
        enabled: Callable[[Principal], bool],
        addresses: Callable[[], ChatAddresses],
        limits: PresenceLimits,
    ) -> None:
        self._enabled = enabled
        self._addresses = addresses
        self._limits = limits

    async def subscribed(self, subscription: Subscription, request: Request, lasting: bool) -> Notification:
        """Tell the settings of the user, as far as he asks for their group."""
        if request.body:
            subscription.state = read_setting_groups(request.body, self._limits)
        wanted: frozenset[str] | None = subscription.state
        return Notification(CONTENT_TYPE, self.document(subscription.user, wanted is None or GROUP in wanted))

    def ended(self, subscription: Subscription) -> None:
        """Nothing is remembered."""

    def document(self, user: Principal, chat: bool = True) -> bytes:
        """Write the settings of a user.

        Args:
            user: Whose they are.
            chat: Whether the group of persistent chat is wanted.
        """
        groups = ""
        if chat:
            addresses = self._addresses()
            properties = (
                ("EnablePersistentChat", "true" if self._enabled(user) else "false"),
                ("DefaultPersistentChatPoolUri", addresses.pool_uri),
                ("PersistentChatPoolUris", " ".join(addresses.pool_uris)),
                ("PersistentChatWebManagerUriInt", addresses.web_internal),
                ("PersistentChatWebManagerUriExt", addresses.web_external),
            )
            entries = "".join(
                f'<property name="{name}">{escape(value)}</property>' for name, value in properties
            )
            entry_list = f"<propertyEntryList>{entries}</propertyEntryList>"
            groups = f'<provisionGroup name="{GROUP}">{entry_list}</provisionGroup>'
        return f'<provisionGroupList xmlns="{_NAMESPACE}">{groups}</provisionGroupList>'.encode()
