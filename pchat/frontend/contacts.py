"""The event vnd-microsoft-roaming-contacts: an empty contact list.

Contact lists are not kept; an empty one lets clients go on, and only some answers are harmless.

Source: docs/spec/sip-sign-in.md sections 5 and 9.
"""

from __future__ import annotations

from pchat.frontend.subscription import Notification, Subscription
from pchat.sip.message import Request

#: deltaNum must not be zero ([MS-SIP]); ``~`` is the group that clients call "Other Contacts".
CONTACT_LIST = b'<contactList deltaNum="1"><group id="1" name="~" externalURI=""/></contactList>'
CONTENT_TYPE = "application/vnd-microsoft-roaming-contacts+xml"


class RoamingContacts:
    """The package of the event."""

    event = "vnd-microsoft-roaming-contacts"

    async def subscribed(self, subscription: Subscription, request: Request, lasting: bool) -> Notification:
        """Tell the contact list."""
        return Notification(CONTENT_TYPE, CONTACT_LIST)

    def ended(self, subscription: Subscription) -> None:
        """Nothing is remembered."""
