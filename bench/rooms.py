"""What questions about rooms cost where there are as many rooms and people as a pool may have.

Run as ``python bench/rooms.py``; see bench/README.md. Everything is in memory and in one process: commands
run as in a server, up to the text of their replies; nothing is sent and no store is asked.

33 000 rooms in 50 categories, half of which the asker is in the scope of; 3 % open, 3 % secret, 30 members
each; 150 000 users; a room with 16 000 of them (docs/spec/persistent-chat-server.md section 10).
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast

from attrs import define, evolve
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pchat.directory.local import LocalDirectory
from pchat.directory.people import Principal
from pchat.rooms.access import Access
from pchat.rooms.addins import Addins
from pchat.rooms.blocks import Blocks
from pchat.rooms.eligible import USERS, Criterion, Eligible
from pchat.rooms.roster import Rosters
from pchat.rooms.roster_query import RosterQuery
from pchat.rooms.search import Search
from pchat.rooms.settings import Settings
from pchat.rooms.slices import SLICE
from pchat.rooms.tree import NodeTree
from pchat.store.people import PolicyRecord, PrincipalRecord
from pchat.store.rooms import CategoryRecord, NodeChange, RoomRecord
from pchat.xccos.arguments import RoomKey
from pchat.xccos.room_commands import RoomQuestion
from pchat.xccos.search_commands import RoomSearch

USER_COUNT, ROOM_COUNT, CATEGORY_COUNT, PRESENT = 150_000, 33_000, 50, 16_000
DOMAIN_NUMBER = USER_COUNT + 1
NOBODY: frozenset[int] = frozenset()
AUDIT: tuple[str, int, str, int, int] = (
    "unix:root",
    638_000_000_000_000_000,
    "unix:root",
    638_000_000_000_000_000,
    0,
)
#: Numbers as in the store: open, closed, secret.
PRIVACIES = (6,) + 31 * (3,) + (2,)


@define(eq=False)
class Asker:
    """Stands for a session: it only takes what is answered."""

    user: Principal
    legacy_masks: bool = False
    answered: int = 0

    def reply(self, command: object, code: object, data: str = "") -> None:
        """Take the text of a reply."""
        self.answered = len(data)


def people() -> LocalDirectory:
    """Make everybody, and a domain that everybody belongs to."""
    directory = LocalDirectory("example.com")
    for number in range(1, USER_COUNT + 1):
        name = f"user{number}"
        uri = f"sip:{name}@example.com"
        directory.apply_principal(
            PrincipalRecord(number, f"{number:032x}", uri, uri, 5, name, f"User {number}", "", uri[4:], 0)
        )
    directory.apply_principal(
        PrincipalRecord(DOMAIN_NUMBER, "d", "example.com", "example.com", 8, "example.com", "", "", "", 0)
    )
    directory.apply_policy(PolicyRecord("global", 0, True, ""))
    return directory


def nodes(chance: random.Random) -> NodeTree:
    """Make categories and rooms."""
    tree = NodeTree("example.com")
    everybody, one = frozenset({DOMAIN_NUMBER}), frozenset({1})
    categories = [
        CategoryRecord(
            *(number, f"c{number}", f"Category {number}", "", True, False, True, *AUDIT),
            allowed=everybody if number % 2 else one,
            denied=NOBODY,
            creators=NOBODY,
        )
        for number in range(1, CATEGORY_COUNT + 1)
    ]
    lobby = RoomRecord(0, "", 1, "", "For tests", 3, 4, None, None, False, 0, *AUDIT, NOBODY, NOBODY, NOBODY)
    rooms = [
        evolve(
            lobby,
            room_id=number,
            guid=f"{number:032x}",
            category_id=1 + number % CATEGORY_COUNT,
            name=f"Room {chance.random()}",
            privacy=chance.choice(PRIVACIES),
            members=frozenset(chance.sample(range(1, USER_COUNT), 30)),
        )
        for number in range(1, ROOM_COUNT + 1)
    ]
    tree.load(NodeChange(1, tuple(categories), tuple(rooms)))
    return tree


CLOCK = Clock()


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a command that waits for nothing but the next turns of the reactor."""
    done = ensureDeferred(work)
    CLOCK.advance(0)
    if not done.called:
        raise AssertionError("the command waits")


def tell(what: str, work: Callable[[], object], asker: Asker) -> None:
    """Do something six times; print what it took the first time and at best, and how long the reply is."""
    taken = []
    for _ in range(6):
        started = time.perf_counter()
        work()
        taken.append(1_000 * (time.perf_counter() - started))
    print(
        f"{what:<40} first {taken[0]:7.2f} ms, then {min(taken[1:]):7.2f} ms, {asker.answered:>9} characters"
    )


def main() -> None:
    """Build it all, ask, and print what it took."""
    directory, tree = people(), nodes(random.Random(7))
    access, settings, rosters = Access(directory), Settings(), Rosters(75)
    blocks = Blocks(rosters, access, directory, Addins(), "https://frontend.example.com/")
    asker = Asker(cast(Principal, directory.by_id(2)))
    # Searches of rooms do not ask the store; nothing of it is needed.
    search = Search(tree, access, settings, blocks, directory, rosters, cast(Any, None), CLOCK)

    def find(wish: RoomSearch) -> None:
        run(search.cmd_chansrch(cast(Any, asker), cast(Any, None), wish))

    tell("chansrch, all rooms", lambda: find(RoomSearch("BYNAME", "", False, None)), asker)
    tell("chansrch, nothing found", lambda: find(RoomSearch("BYNAME", "zebra", True, None)), asker)
    member = RoomSearch("BYMEMBER", "sip:user7@example.com", False, None)
    tell("chansrch, rooms of a user", lambda: find(member), asker)
    large_room(tree, access, rosters, blocks, settings, directory, asker)
    eligible = Eligible(access, directory)
    some = list(directory.principals())[:SLICE]
    unknown = Criterion.of("zebra")
    tell("prinsrch, one slice of the reactor", lambda: list(eligible.called(unknown, USERS, some)), asker)


def large_room(
    tree: NodeTree,
    access: Access,
    rosters: Rosters,
    blocks: Blocks,
    settings: Settings,
    directory: LocalDirectory,
    asker: Asker,
) -> None:
    """Fill a room, ask who is in it, and let everybody leave."""
    room = next(found for found in tree.rooms() if access.refusal_to_see_roster(asker.user, found) is None)
    sessions = [Asker(cast(Principal, directory.by_id(number))) for number in range(1, PRESENT + 1)]
    roster = rosters.of(room)
    started = time.perf_counter()
    for session in sessions:
        roster.add(cast(Any, session), access.mask(session.user, room))
        blocks.joined([room], cast(Any, session), {})
    print(f"{PRESENT} joins, with their replies: {time.perf_counter() - started:.2f} s")
    query = RosterQuery(tree, access, settings, rosters, blocks)
    wish = RoomQuestion(RoomKey("example.com", room.guid))
    tell("getroster", lambda: run(query.cmd_getroster(cast(Any, asker), cast(Any, None), wish)), asker)
    started = time.perf_counter()
    for session in sessions:
        roster.remove(cast(Any, session))
    print(f"{PRESENT} parts: {time.perf_counter() - started:.2f} s")


if __name__ == "__main__":
    main()
