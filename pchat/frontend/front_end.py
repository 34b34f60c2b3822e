"""The front end's composition: registrations, presence and subscriptions, wired once.

Source: docs/spec/presence.md; docs/spec/sip-sign-in.md sections 3 and 5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IReactorTime

from pchat.frontend.contacts import RoamingContacts
from pchat.frontend.limits import PresenceLimits, RegistrationLimits
from pchat.frontend.persistence import Followed, PresenceRecords
from pchat.frontend.presentities import Presentities
from pchat.frontend.provisioning import ChatAddresses, Provisioning
from pchat.frontend.registrar import Registrar, Registration
from pchat.frontend.self_presence import SelfPresence
from pchat.frontend.service import PresenceService
from pchat.frontend.subscriptions import Subscriptions
from pchat.frontend.watchers import Watchers
from pchat.interfaces import IStore, Random

if TYPE_CHECKING:
    from pchat.directory.local import LocalDirectory
    from pchat.directory.people import Principal


class FrontEnd:
    """What a client talks to beside the chat service.

    Args:
        directory: Who is who, and who may chat.
        store: Keeps what outlives the process.
        addresses: Where persistent chat is; asked each time a client is told.
        clock: Time in seconds since 1970.
        random: Unpredictable bytes.
        presence_limits: Bounds of presence.
        registration_limits: Bounds of registrations.
        followed: Told which rooms a user follows.
    """

    def __init__(
        self,
        directory: LocalDirectory,
        store: IStore,
        addresses: Callable[[], ChatAddresses],
        clock: IReactorTime,
        random: Random,
        *,
        presence_limits: PresenceLimits | None = None,
        registration_limits: RegistrationLimits | None = None,
        followed: Followed | None = None,
    ) -> None:
        limits = presence_limits or PresenceLimits()
        records = PresenceRecords(store) if followed is None else PresenceRecords(store, followed)
        self.presentities = Presentities(records, clock, limits)
        self.watchers = Watchers(self.presentities, directory, clock, random, limits)
        self.self_presence = SelfPresence(self.presentities, self._registration_of, limits)
        self.provisioning = Provisioning(directory.enabled, addresses, limits)
        packages = (self.provisioning, RoamingContacts(), self.self_presence, self.watchers)
        self.subscriptions = Subscriptions(packages, clock, random, limits)
        # Exactly these are what real servers list; ``presence`` is subscribed to without being listed.
        events = ",".join(package.event for package in packages if package is not self.watchers)
        self.registrar = Registrar(clock, random, events, registration_limits or RegistrationLimits())
        self.presence = PresenceService(self.presentities, self._registration_of, random, limits)
        self._wire()

    def _wire(self) -> None:
        self.self_presence.end = self.subscriptions.end
        self.presentities.observers += [self.self_presence, self.watchers]
        self.presentities.needed_by += [self.self_presence.needs, self.watchers.needs]
        self.registrar.endpoint_added.append(self._endpoint_added)
        self.registrar.endpoint_gone.append(self._endpoint_gone)

    def stop(self) -> None:
        """Stop all timers."""
        self.registrar.stop()
        self.subscriptions.stop()
        self.watchers.stop()
        self.presentities.stop()

    def policy_changed(self, users: Iterable[Principal] | None = None) -> None:
        """Tell signed-in clients whether they may chat now, or where.

        Args:
            users: Whose policy changed; None if it may be everybody's.
        """
        self.subscriptions.refresh(self.provisioning.event, users)

    def user_changed(self, user: Principal) -> None:
        """Tell watchers of a user's new name or address."""
        self.watchers.user_changed(user)

    def user_ended(self, user: Principal, reason: str) -> None:
        """End all registrations of a user who may no longer be signed in; closing connections is not ours."""
        self.registrar.end_user(user, reason)

    def connection_lost(self, connection: Any) -> None:
        """Learn that a connection is gone: its subscriptions end, its registration waits."""
        self.subscriptions.connection_lost(connection)
        self.registrar.connection_lost(connection)

    def _registration_of(self, connection: Any) -> str:
        return self.registrar.id_of(connection)

    def _endpoint_added(self, registration: Registration) -> None:
        self.presentities.endpoint_added(registration.principal, registration.id)

    def _endpoint_gone(self, registration: Registration) -> None:
        # Signed out: there is nobody to tell any more, although the connection may still be open.
        if registration.connection is not None:
            self.subscriptions.connection_lost(registration.connection)
        self.presentities.endpoint_gone(registration.principal, registration.id)
