"""SERVICE: publishing, and who may see what is published.

Source: docs/spec/presence.md sections 1, 3, 4 and 7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger

from pchat.errors import SipRefused
from pchat.frontend import room_setting
from pchat.frontend.documents import FAULT_TYPE, SELF_TYPE, roaming_data, version_fault
from pchat.frontend.limits import PresenceLimits
from pchat.frontend.presentities import Presentities
from pchat.frontend.publications import PublicationRequest, VersionConflict
from pchat.frontend.reading import read_members, read_publish
from pchat.frontend.self_presence import touched_categories
from pchat.sip.message import Request, Response
from pchat.sip.uri import address_key

if TYPE_CHECKING:
    from pchat.directory.people import Principal

log = Logger()

PUBLISH = "application/msrtc-category-publish+xml"
SET_MEMBERS = "application/msrtc-setcontainermembers+xml"
SET_SUBSCRIBER = "application/msrtc-presence-setsubscriber+xml"


class PresenceService:
    """Answers SERVICE requests.

    Args:
        presentities: Everybody's presence.
        registration_of: Tells the registration of a connection, '' if it has none.
        random: Makes tags.
        limits: Bounds of the requests.
    """

    def __init__(
        self,
        presentities: Presentities,
        registration_of: Callable[[Any], str],
        random: Callable[[int], bytes],
        limits: PresenceLimits,
    ) -> None:
        self._presentities = presentities
        self._registration_of = registration_of
        self._random = random
        self._limits = limits
        self._room_setting_seen = False

    def service(self, connection: Any, request: Request) -> Deferred[Response]:
        """Carry out a SERVICE.

        Args:
            connection: The `pchat.interfaces.ISipConnection` it came by; its ``user`` is who asks.
            request: The request.

        Returns:
            The answer, after what it promises is durable; it fails with `SipRefused` or `StoreUnavailable`.
        """
        return ensureDeferred(self._service(connection, request))

    async def _service(self, connection: Any, request: Request) -> Response:
        user: Principal | None = connection.user
        if user is None or address_key(request.to.uri) != user.key:
            raise SipRefused(403, "Presence can be changed by its owner only")
        try:
            if request.content_type == PUBLISH:
                return await self._publish(connection, user, request)
            if request.content_type == SET_MEMBERS:
                changes = read_members(request.body, self._limits)
                await self._presentities.set_members(user, changes)
                return self._answer(request)
        except VersionConflict as conflict:
            return self._answer(request, 409, FAULT_TYPE, version_fault(conflict.conflicts))
        if request.content_type == SET_SUBSCRIBER:
            return self._answer(request)  # nobody is made to wait for an acknowledgement
        raise SipRefused(415, "Unsupported Media Type")

    async def _publish(self, connection: Any, user: Principal, request: Request) -> Response:
        document = read_publish(request.body, self._limits)
        if address_key(document.uri) != user.key:
            raise SipRefused(403, "Presence can be published by its owner only")
        self._note_room_setting(connection, document.items)
        presentities = self._presentities
        owner = self._registration_of(connection)
        presentity, touched = await presentities.publish(user, owner, document.items)
        written = touched_categories(presentity, touched, presentities.now())
        return self._answer(request, 200, SELF_TYPE, roaming_data(written))

    def _answer(
        self, request: Request, status: int = 200, content_type: str | None = None, body: bytes = b""
    ) -> Response:
        return request.response(status, to_tag=self._random(5).hex(), content_type=content_type, body=body)

    def _note_room_setting(self, connection: Any, items: Iterable[PublicationRequest]) -> None:
        """Log once how a client publishes followed rooms: no public document says it."""
        if self._room_setting_seen:
            return
        for item in items:
            if item.key.category == room_setting.CATEGORY:
                self._room_setting_seen = True
                log.info(
                    "{peer}: first roomSetting: container {container}, instance {instance}, {expire_type}",
                    peer=connection.peer,
                    container=item.key.container,
                    instance=item.key.instance,
                    expire_type=item.expire_type.value,
                )
                return
