"""SUBSCRIBE: dialogs of all connections, each led to the package of its event.

Source: RFC 6665 section 4.2; docs/spec/sip-sign-in.md section 5.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pchat.errors import SipRefused
from pchat.frontend.deadlines import Deadlines
from pchat.frontend.limits import PresenceLimits
from pchat.frontend.subscription import TAG_BYTES, Notification, Subscription
from pchat.interfaces import Random
from pchat.sip.message import Request, Response

log = Logger()


class EventPackage(Protocol):
    """What is behind an event name."""

    @property
    def event(self) -> str:
        """The event's name, in lower case."""

    async def subscribed(self, subscription: Subscription, request: Request, lasting: bool) -> Notification:
        """Take a SUBSCRIBE, the first or a later one of a dialog.

        Args:
            subscription: The dialog; ``state`` is the package's own.
            request: The SUBSCRIBE.
            lasting: False if only the present state is asked for (``Expires: 0``): nothing is kept.

        Returns:
            The full state. From its last wait on, the package must send what is newer itself.

        Raises:
            SipRefused: The subscription is not to be.
        """

    def ended(self, subscription: Subscription) -> None:
        """Forget a dialog; it may be one that was never begun."""


class Subscriptions:
    """All subscription dialogs.

    Args:
        packages: What can be subscribed to.
        clock: Time in seconds.
        random: Makes tags.
        limits: How many dialogs a connection may have, and for how long.
    """

    def __init__(
        self, packages: Iterable[EventPackage], clock: IReactorTime, random: Random, limits: PresenceLimits
    ) -> None:
        self._packages = {package.event: package for package in packages}
        self._clock = clock
        self._random = random
        self._limits = limits
        self._dialogs: dict[Any, dict[str, Subscription]] = {}
        self._beginning: dict[Any, int] = {}
        self._deadlines: Deadlines[Subscription] = Deadlines(clock, self.end)

    def __len__(self) -> int:
        return sum(map(len, self._dialogs.values()))

    @property
    def events(self) -> str:
        """Names of the events, as they stand in Allow-Events: without blanks, since clients do not trim."""
        return ",".join(self._packages)

    def stop(self) -> None:
        """Stop all timers."""
        self._deadlines.stop()

    def subscribe(self, connection: Any, request: Request) -> Deferred[Response]:
        """Carry out a SUBSCRIBE.

        Args:
            connection: The `pchat.interfaces.ISipConnection` it came by; its ``user`` is who asks.
            request: The request.

        Returns:
            The answer; it fails with `SipRefused` or `StoreUnavailable`.
        """
        return ensureDeferred(self._subscribe(connection, request))

    async def _subscribe(self, connection: Any, request: Request) -> Response:
        if connection.user is None:
            raise SipRefused(403, "Forbidden")
        expires = self._granted(request)
        if request.to.tag is not None:
            return await self._within(self._find(connection, request), request, expires)
        event = _event_of(request)
        if event not in self._packages:
            return request.response(489, headers=[("Allow-Events", self.events)])
        return await self._begin(connection, request, event, expires)

    def _granted(self, request: Request) -> int:
        longest = self._limits.subscription_seconds
        wanted = longest if request.expires is None else request.expires
        return min(max(wanted, self._limits.shortest_subscription), longest) if wanted else 0

    async def _begin(self, connection: Any, request: Request, event: str, expires: int) -> Response:
        count = len(self._dialogs.get(connection, ())) + self._beginning.get(connection, 0)
        if count >= self._limits.subscriptions:
            raise SipRefused(503, "Too many subscriptions", retry_after=60)
        subscription = Subscription(
            connection,
            connection.user,
            Request(request.method, request.uri, request.headers),  # its body is not kept
            self._random(TAG_BYTES).hex(),
            self._clock,
            self._random,
            self.end,
        )
        subscription.expires_at = self._clock.seconds() + expires
        self._beginning[connection] = self._beginning.get(connection, 0) + 1
        package = self._packages[event]
        try:
            notification = await package.subscribed(subscription, request, lasting=expires > 0)
        except BaseException:
            package.ended(subscription)
            raise
        finally:
            self._beginning[connection] -= 1
            if not self._beginning[connection]:
                del self._beginning[connection]
        if expires and connection.connected:
            self._dialogs.setdefault(connection, {})[subscription.local_tag] = subscription
            self._deadlines.set(subscription, subscription.expires_at)
        elif expires:
            package.ended(subscription)
        return self._answer(subscription, request, expires, notification)

    async def _within(self, subscription: Subscription, request: Request, expires: int) -> Response:
        subscription.refreshed(request)
        if not expires:
            self.end(subscription)
            return self._answer(subscription, request, 0, None)
        package = self._packages[_event_of(subscription.request)]
        notification = await package.subscribed(subscription, request, lasting=True)
        if not self._known(subscription):
            package.ended(subscription)
            raise SipRefused(481, "Subscription Does Not Exist")
        subscription.expires_at = self._clock.seconds() + expires
        self._deadlines.set(subscription, subscription.expires_at)
        return self._answer(subscription, request, expires, notification)

    def _find(self, connection: Any, request: Request) -> Subscription:
        subscription = self._dialogs.get(connection, {}).get(request.to.tag or "")
        if (
            subscription is None
            or not subscription.owns(request)
            or _event_of(request) not in ("", _event_of(subscription.request))
        ):
            raise SipRefused(481, "Subscription Does Not Exist")
        return subscription

    def _known(self, subscription: Subscription) -> bool:
        return subscription.local_tag in self._dialogs.get(subscription.connection, {})

    def _answer(
        self, subscription: Subscription, request: Request, expires: int, notification: Notification | None
    ) -> Response:
        connection = subscription.connection
        # COMPAT(pidgin-sipe): without Event it does not look at the body.
        headers = [("Event", subscription.event), ("Expires", str(expires))]
        headers += [("Record-Route", value) for value in request.headers.get_all("Record-Route")]
        transport = connection.transport_name.lower()
        headers.append(("Contact", f"<sip:{connection.local_address};transport={transport}>"))
        headers += [("Supported", "ms-benotify"), ("Supported", "ms-piggyback-first-notify")]
        state = f"active;expires={expires}" if expires else "terminated;expires=0"
        tag = subscription.local_tag
        # A single look has no dialog in which a separate notification could come.
        if notification is None or not (subscription.piggyback or not expires):
            if notification is not None:
                # After the answer, which is what the client must see first.
                self._clock.callLater(0, self._notify_later, subscription, notification)
            return request.response(200, headers=headers, to_tag=tag)
        headers.append(("ms-piggyback-cseq", str(subscription.next_cseq())))
        headers.append(("subscription-state", state))
        headers += [("Require", extension) for extension in notification.extensions]
        return request.response(
            200, headers=headers, to_tag=tag, content_type=notification.content_type, body=notification.body
        )

    def _notify_later(self, subscription: Subscription, notification: Notification) -> None:
        if self._known(subscription):
            subscription.notify(notification)

    def end(self, subscription: Subscription) -> None:
        """End a dialog: the client asked for it, its time is over or it is replaced."""
        dialogs = self._dialogs.get(subscription.connection, {})
        if dialogs.pop(subscription.local_tag, None) is None:
            return
        if not dialogs:
            del self._dialogs[subscription.connection]
        self._deadlines.cancel(subscription)
        self._packages[_event_of(subscription.request)].ended(subscription)

    def connection_lost(self, connection: Any) -> None:
        """End all dialogs of a connection: it is gone, or its user signed out."""
        for subscription in list(self._dialogs.get(connection, {}).values()):
            self.end(subscription)

    def refresh(self, event: str, users: Iterable[Any] | None = None) -> None:
        """Tell subscribers of an event its full state anew, since something outside of them changed.

        Args:
            event: The event's name, in lower case.
            users: Whose subscriptions; None for everybody's.
        """
        wanted = None if users is None else set(users)
        for dialogs in list(self._dialogs.values()):
            for subscription in list(dialogs.values()):
                if _event_of(subscription.request) == event and (
                    wanted is None or subscription.user in wanted
                ):
                    ensureDeferred(self._refresh(subscription)).addErrback(
                        lambda failure: log.failure("notification failed", failure)
                    )

    async def _refresh(self, subscription: Subscription) -> None:
        package = self._packages[_event_of(subscription.request)]
        notification = await package.subscribed(subscription, subscription.request, lasting=True)
        self._notify_later(subscription, notification)


def _event_of(request: Request) -> str:
    return request.headers.get("Event", "").partition(";")[0].strip().lower()
