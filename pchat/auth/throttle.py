"""A delay for wrong passwords that grows with each one, per account and source address."""

from __future__ import annotations

import ipaddress

from attrs import define
from twisted.internet.interfaces import IReactorTime

#: The delay doubles from here.
FIRST_DELAY_SECONDS = 1.0
#: A minute or more would look like a dead server to people and clients.
LONGEST_DELAY_SECONDS = 59.0
#: After so long without a wrong password everything is forgotten.
QUIET_SECONDS = 900.0
#: About 3 MB; whoever wants an entry dropped must first fail this many sign-ins.
MAX_ENTRIES = 10_000


@define
class _Failures:
    count: int
    last: float
    blocked_until: float


class LoginThrottle:
    """Remembers wrong passwords; one for the whole server, so that reconnecting does not help.

    A source is an IPv4 address or the /64 network of an IPv6 address, since one machine owns a whole /64.
    Another source is not slowed, so that nobody can lock somebody else out.

    Args:
        clock: Tells the time; no timers are started.
        free: Failures that cost nothing: only those beyond are slowed.
    """

    def __init__(self, clock: IReactorTime, free: int = 0) -> None:
        self._clock = clock
        self._free = free
        self._failures: dict[tuple[str, str], _Failures] = {}  # oldest failure first

    def wait(self, account: str, source: str) -> float:
        """Tell how long the next attempt must wait before its password may be looked at.

        Args:
            account: The account as it was named, known or not.
            source: Address of the peer, without its port.

        Returns:
            Seconds, 0.0 if none.
        """
        entry = self._failures.get(_key(account, source))
        return max(0.0, entry.blocked_until - self._now()) if entry else 0.0

    def failed(self, account: str, source: str) -> float:
        """Record a wrong password.

        Returns:
            Seconds to let pass before it is answered: 1, 2, 4 and so on, below 60.
        """
        now, key = self._now(), _key(account, source)
        self._forget(now)
        entry = self._failures.pop(key, None)
        count = entry.count + 1 if entry else 1
        slowed = count - self._free
        # The exponent is capped too: nobody needs 2 ** 100000.
        delay = (
            min(FIRST_DELAY_SECONDS * 2.0 ** min(slowed - 1, 10), LONGEST_DELAY_SECONDS)
            if slowed > 0
            else 0.0
        )
        self._failures[key] = _Failures(count, now, now + delay)
        return delay

    def succeeded(self, account: str, source: str) -> None:
        """Forget the wrong passwords that came before a right one."""
        self._failures.pop(_key(account, source), None)

    def __len__(self) -> int:
        return len(self._failures)

    def _now(self) -> float:
        return float(self._clock.seconds())

    def _forget(self, now: float) -> None:
        """Drop what is quiet, and the oldest if there are too many; entries are in the order of time."""
        while self._failures:
            key, entry = next(iter(self._failures.items()))
            if now - entry.last < QUIET_SECONDS and len(self._failures) < MAX_ENTRIES:
                return
            del self._failures[key]


def _key(account: str, source: str) -> tuple[str, str]:
    return account, network_of(source)


def network_of(source: str) -> str:
    """Tell what one peer is counted by: an IPv4 address, or the /64 network that one machine owns whole.

    Args:
        source: Its address, without a port; what is no IP address stays as it is.
    """
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return source
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
