"""REGISTER: who is signed in, by which connection, until when.

Source: RFC 3261 section 10.3; docs/spec/sip-sign-in.md section 3; docs/spec/presence.md section 2.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attrs import define
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pchat.errors import SipRefused
from pchat.frontend.deadlines import Deadlines
from pchat.frontend.limits import RegistrationLimits
from pchat.interfaces import Random
from pchat.sip.grammar import read_number
from pchat.sip.headers import Address
from pchat.sip.message import Request, Response
from pchat.sip.uri import address_key

if TYPE_CHECKING:
    from pchat.directory.people import Principal

log = Logger()

#: COMPAT(pidgin-sipe): one line a value; a list on one line is not understood.
SUPPORTED = ("msrtc-event-categories", "adhoclist")
#: Seconds without traffic after which clients send a keep-alive.
KEEP_ALIVE_SECONDS = 300
_EPID = re.compile(r"[0-9A-Za-z]{1,32}")
_INSTANCE = re.compile(r"<urn:uuid:[0-9A-Fa-f-]{36}>")


@define(eq=False)
class Registration:
    """One endpoint of a user.

    Args:
        id: Our name for it, random.
        principal: Whose it is.
        connection: The `pchat.interfaces.ISipConnection` it came by; None after that was lost.
        contact: URI of the Contact, as written.
        epid: Endpoint id that the client gave itself; equal for two clients on one host.
        instance: ``+sip.instance`` with its angle brackets, or ''.
        expires_at: Seconds by the clock.
    """

    id: str
    principal: Principal
    connection: Any
    contact: str
    epid: str
    instance: str
    expires_at: float = 0.0


class Registrar:
    """All registrations.

    Args:
        clock: Time in seconds.
        random: Makes tags and names.
        events: Value of Allow-Events, without blanks.
        limits: How long and how many.
    """

    def __init__(self, clock: IReactorTime, random: Random, events: str, limits: RegistrationLimits) -> None:
        #: Called with a new registration.
        self.endpoint_added: list[Callable[[Registration], None]] = []
        #: Called with a registration that is no more; it keeps its connection, if that is not lost.
        self.endpoint_gone: list[Callable[[Registration], None]] = []
        self._clock = clock
        self._random = random
        self._events = events
        self._limits = limits
        self._by_connection: dict[Any, Registration] = {}
        self._by_principal: dict[int, dict[str, Registration]] = {}
        self._deadlines: Deadlines[Registration] = Deadlines(clock, self._expired)

    def __len__(self) -> int:
        return sum(map(len, self._by_principal.values()))

    def stop(self) -> None:
        """Stop all timers."""
        self._deadlines.stop()

    def find(self, connection: Any) -> Registration | None:
        """Find the registration of a connection."""
        return self._by_connection.get(connection)

    def id_of(self, connection: Any) -> str:
        """Tell the name of the registration of a connection, '' if it has none."""
        registration = self._by_connection.get(connection)
        return registration.id if registration is not None else ""

    def of(self, principal: Principal) -> list[Registration]:
        """List the registrations of a user, the oldest first."""
        return list(self._by_principal.get(principal.id, {}).values())

    # -- requests

    def register(self, connection: Any, request: Request, principal: Principal) -> Response:
        """Carry out a REGISTER of somebody who is authenticated.

        Args:
            connection: The `pchat.interfaces.ISipConnection` it came by.
            request: The request.
            principal: Who asks.

        Returns:
            The 200.

        Raises:
            SipRefused: 400 malformed, 403 for somebody else or once too often.

        Source: docs/spec/sip-sign-in.md section 3.
        """
        if address_key(request.to.uri) != principal.key:
            raise SipRefused(403, "Only the own address can be registered", warning="Address is not yours")
        contact = self._contact(request)
        seconds = self._granted(request, contact)
        if not seconds:
            registration = self._by_connection.get(connection)
            if registration is not None:
                self.remove(registration, "signed out")
            return request.response(200, to_tag=self._random(5).hex(), headers=[("Expires", "0")])
        if contact is None:
            raise SipRefused(400, "Missing Contact")
        registration = self._bind(connection, request, contact, principal)
        registration.expires_at = self._clock.seconds() + seconds
        self._deadlines.set(registration, registration.expires_at)
        return self._accept(request, registration, seconds)

    def _contact(self, request: Request) -> Address | None:
        contacts = request.contacts
        if len(contacts) > 1:
            raise SipRefused(400, "More than one Contact")
        if contacts and len(contacts[0].uri) > self._limits.contact_length:
            raise SipRefused(400, "Contact is too long")
        return contacts[0] if contacts else None

    def _granted(self, request: Request, contact: Address | None) -> int:
        """Tell for how many seconds; 0 means sign-out. The Contact's own word beats the header's."""
        wanted = request.expires
        if contact is not None and contact.params.get("expires") is not None:
            wanted = read_number(contact.params["expires"] or "", 2**32 - 1, "expires of Contact")
        if wanted is None:
            wanted = self._limits.longest
        # RFC 3261 would have 423 for short ones; a client of ours hangs on it.
        return min(max(wanted, self._limits.shortest), self._limits.longest) if wanted else 0

    def _bind(
        self, connection: Any, request: Request, contact: Address, principal: Principal
    ) -> Registration:
        registration = self._by_connection.get(connection)
        if registration is not None and registration.principal is not principal:
            raise SipRefused(403, "Connection belongs to somebody else")
        epid = request.from_.params.get("epid") or ""
        instance = contact.params.get("+sip.instance") or ""
        epid = epid if _EPID.fullmatch(epid) else ""
        instance = instance if _INSTANCE.fullmatch(instance) else ""
        if registration is None:
            registration = self._returned(principal, instance)
        added = registration is None
        if registration is None:
            self._make_room(principal)
            registration = Registration(
                self._random(8).hex(), principal, connection, contact.uri, epid, instance
            )
        registration.connection = connection
        registration.contact, registration.epid, registration.instance = contact.uri, epid, instance
        self._by_connection[connection] = registration
        self._by_principal.setdefault(principal.id, {})[registration.id] = registration
        if added:
            log.info("{peer}: registered {user}", peer=connection.peer, user=principal.uri)
            for tell in self.endpoint_added:
                tell(registration)
        return registration

    def _returned(self, principal: Principal, instance: str) -> Registration | None:
        """Find the registration of an endpoint whose connection was lost and that comes back now.

        Two clients on one host have equal instances; only one without a connection can be the same.
        """
        if not instance:
            return None
        lost = (
            other for other in self.of(principal) if other.connection is None and other.instance == instance
        )
        return next(lost, None)

    def _make_room(self, principal: Principal) -> None:
        mine = self.of(principal)
        if len(mine) < self._limits.endpoints:
            return
        lost = next((other for other in mine if other.connection is None), None)
        if lost is None:
            text = "You are signed in too many times"
            raise SipRefused(403, "Too many endpoints", warning=text)
        self.remove(lost, "replaced by a newer endpoint")

    def _accept(self, request: Request, registration: Registration, seconds: int) -> Response:
        """Write the 200 in exactly the form that clients need."""
        contact = f"<{registration.contact}>;expires={seconds}"
        if registration.instance:
            contact += f';+sip.instance="{registration.instance}"'
        if registration.instance and registration.epid:
            opaque = f"opaque=user:epid:{registration.epid}"
            contact += f';gruu="{registration.principal.uri};{opaque};gruu"'
        headers = [("Contact", contact), ("Expires", str(seconds)), ("Allow-Events", self._events)]
        headers += [("Supported", value) for value in SUPPORTED]
        headers.append(("Server", "RTC/5.0"))
        keep_alive = f"UAS; tcp=no; hop-hop=yes; end-end=no; timeout={KEEP_ALIVE_SECONDS}"
        headers.append(("ms-keep-alive", keep_alive))
        return request.response(200, to_tag=self._random(5).hex(), headers=headers)

    # -- ends

    def connection_lost(self, connection: Any) -> None:
        """Learn that a connection is gone; the registration waits for its endpoint until its time is over."""
        registration = self._by_connection.pop(connection, None)
        if registration is not None:
            registration.connection = None

    def end_user(self, principal: Principal, reason: str) -> None:
        """Remove all registrations of a user: he may no longer be signed in."""
        for registration in self.of(principal):
            self.remove(registration, reason)

    def remove(self, registration: Registration, reason: str) -> None:
        """Remove a registration and tell everybody; one that is gone already is fine."""
        mine = self._by_principal.get(registration.principal.id, {})
        if mine.pop(registration.id, None) is None:
            return
        if not mine:
            del self._by_principal[registration.principal.id]
        self._deadlines.cancel(registration)
        if registration.connection is not None:
            self._by_connection.pop(registration.connection, None)
        peer = getattr(registration.connection, "peer", "lost connection")
        log.info(
            "{peer}: {user} is no longer registered: {reason}",
            peer=peer,
            user=registration.principal.uri,
            reason=reason,
        )
        for tell in self.endpoint_gone:
            tell(registration)

    def _expired(self, registration: Registration) -> None:
        self.remove(registration, "registration ran out")
