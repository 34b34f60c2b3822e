"""Domains that a change names for the first time: they become principals in its own transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import evolve

from pchat.directory.local import LocalDirectory
from pchat.directory.people import PrincipalKind
from pchat.interfaces import ITransaction
from pchat.rooms.scope import ScopeLists
from pchat.store.changes import Stamp
from pchat.store.people import NewPrincipal, insert_principal

Pairs = Sequence[tuple[str, int]]


class NewDomains:
    """The domains that one change makes known.

    A number below zero stands for each until the store has given it one, so that a change can be decided
    on whole before anything is written, and leaves nothing behind if it is refused.

    Args:
        directory: Who is known already.
        new_guid: Makes a GUID.
    """

    def __init__(self, directory: LocalDirectory, new_guid: Callable[[], str]) -> None:
        self._directory = directory
        self._new_guid = new_guid
        self._numbers: dict[str, int] = {}

    def number(self, name: str) -> int:
        """Tell the number that stands for a domain.

        Args:
            name: The domain, in lower case.
        """
        return self._numbers.setdefault(name, -1 - len(self._numbers))

    def names(self) -> list[str]:
        """Tell the domains that are not the server's own, sorted."""
        return sorted(self._numbers.keys() - {self._directory.domain})

    def records(self) -> Mapping[int, NewPrincipal]:
        """Make what is stored of the domains, by the numbers that stand for them."""
        return {
            number: NewPrincipal(self._new_guid(), name, name, PrincipalKind.DOMAIN, name)
            for name, number in self._numbers.items()
        }

    def uri(self, number: int) -> str:
        """Tell the URI of a principal, new or known.

        Raises:
            LookupError: There is no such principal.
        """
        if number < 0:
            return list(self._numbers)[-1 - number]
        return self._directory.uri_of(number)

    def spelt_out(self, lists: ScopeLists) -> ScopeLists:
        """Write the people and groups of each new domain into lists that name it.

        `pchat.rooms.access` knows nothing of a new domain; with its people named one by one it comes to the
        decisions that it will come to once the domain is known.
        """
        if not self._numbers:
            return lists
        people = {
            number: {principal.id for principal in self._directory.belonging_to(name)}
            for name, number in self._numbers.items()
        }

        def spelt(numbers: frozenset[int]) -> frozenset[int]:
            return numbers.union(*(people[number] for number in numbers if number in people))

        return evolve(
            lists,
            allowed=spelt(lists.allowed),
            denied=spelt(lists.denied),
            creators=spelt(lists.creators),
        )


async def insert_domains(
    txn: ITransaction, stamp: Stamp, domains: Mapping[int, NewPrincipal]
) -> Mapping[int, int]:
    """Store new domains.

    Args:
        txn: The transaction.
        stamp: Who makes them known, and when.
        domains: As `NewDomains.records` tells them.

    Returns:
        The numbers that the store gave, by those that stood for them.
    """
    return {number: (await insert_principal(txn, new, stamp)).principal_id for number, new in domains.items()}


def numbered(pairs: Pairs, numbers: Mapping[int, int]) -> Pairs:
    """Put the numbers that the store gave in the place of those that stood for them."""
    return [(name, numbers.get(number, number)) for name, number in pairs]
