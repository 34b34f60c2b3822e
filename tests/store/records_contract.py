"""What every store must do with events, participants, servers and publications."""

from __future__ import annotations

import json
from typing import Any

from attrs import evolve

from pchat.interfaces import ITransaction
from pchat.store import messages, outbox, participants, publications, servers
from pchat.store.outbox import Event
from pchat.store.participants import Participation
from pchat.store.publications import ContainerRow, PublicationRow
from pchat.ticks import TICKS_PER_SECOND, from_unix
from tests.store.contract import NOON, StoreCase
from tests.store.support import new_message, outbox_rows

NOON_TICKS = from_unix(NOON)


def alice_in(room_id: int, event_id: str, time_ticks: int = NOON_TICKS) -> Participation:
    return Participation(
        event_id=event_id,
        time_ticks=time_ticks,
        room_id=room_id,
        room_uri=f"ma-chan://example.com/room-{room_id}",
        room_name=f"Room {room_id}",
        user_id=1,
        user_uri="sip:alice@example.com",
        user_name="Alice",
    )


async def present(txn: ITransaction) -> list[Any]:
    return await txn.query("select room_id, principal_id, run_id from participants order by room_id")


async def part_events(txn: ITransaction) -> list[Any]:
    return await txn.query(
        "select time_ticks, room_uri, room_name, user_uri, user_name, detail from outbox where kind = 'part'"
    )


async def mail_addresses(txn: ITransaction) -> list[Any]:
    return await txn.query("select kind, user_email from outbox order by server_sequence")


class EventsContract(StoreCase):
    """Events, and who is in which room."""

    def test_events_and_posts_share_one_sequence(self) -> None:
        """Joins, posts and changes are numbered together, without gaps, in commit order."""
        event = Event("e1", "room_change", NOON_TICKS, room_id=1, detail='{"name": "x"}')
        asked = [
            self.store.append([new_message()]),
            self.store.write(outbox.record, self.store.server_id, [event]),
            self.store.append([new_message(), new_message()]),
        ]
        for ask in asked:
            self.result_of(ask)
        rows = self.result_of(self.store.read(outbox_rows))
        self.assertEqual(
            [(row[0], row[2]) for row in rows], [(1, "post"), (2, "room_change"), (3, "post"), (4, "post")]
        )
        self.assertEqual(self.result_of(self.store.read(outbox.depth)), 4)

    def test_an_event_that_was_undone_leaves_no_gap(self) -> None:
        """The number of an event whose change failed is given to the next one."""

        async def fails(txn: ITransaction) -> None:
            await outbox.record(txn, self.store.server_id, [Event("lost", "read", NOON_TICKS)])
            raise LookupError

        asked = [
            self.store.append([new_message()]),
            self.store.write(fails),
            self.store.append([new_message()]),
        ]
        self.result_of(asked[0])
        self.refused(asked[1], LookupError)
        self.result_of(asked[2])
        self.assertEqual([row[0] for row in self.result_of(self.store.read(outbox_rows))], [1, 2])

    def test_no_events_to_record(self) -> None:
        """Recording nothing takes no number."""
        self.result_of(self.store.write(outbox.record, self.store.server_id, []))
        self.result_of(self.store.append([new_message()]))
        self.assertEqual([row[0] for row in self.result_of(self.store.read(outbox_rows))], [1])

    def test_compliance_off_records_no_events(self) -> None:
        """With compliance off, joins are noted but not recorded."""
        store = self.started(record_events=False)
        self.result_of(store.write(participants.joined, store.server_id, "run", [alice_in(1, "e1")]))
        self.assertEqual(self.result_of(store.read(present)), [(1, 1, "run")])
        self.assertEqual(self.result_of(store.read(outbox.depth)), 0)

    def test_join_and_part(self) -> None:
        """Who enters is noted until he leaves; both are recorded, the part with its reason."""
        server = self.store.server_id
        self.result_of(
            self.store.write(participants.joined, server, "run", [alice_in(1, "e1"), alice_in(2, "e2")])
        )
        self.result_of(self.store.write(participants.parted, server, [alice_in(1, "e3")], "kicked"))
        self.assertEqual(self.result_of(self.store.read(present)), [(2, 1, "run")])
        rows = self.result_of(self.store.read(outbox_rows))
        self.assertEqual(
            [(row[1], row[2], row[4]) for row in rows],
            [("e1", "join", 1), ("e2", "join", 2), ("e3", "part", 1)],
        )
        [part] = self.result_of(self.store.read(part_events))
        self.assertEqual(json.loads(part[-1]), {"reason": "kicked"})

    def test_a_run_that_died_is_closed_by_the_next(self) -> None:
        """After a crash everybody left in rooms is parted, at the last moment the run was known to live."""
        first = self.result_of(self.store.write(servers.enter, "test", "run 1", NOON_TICKS, "example.com"))
        self.assertEqual(
            (first.server_id, first.previous_run_id, first.parted), (self.store.server_id, "", ())
        )
        self.result_of(self.store.write(participants.joined, first.server_id, "run 1", [alice_in(1, "e1")]))
        lived = NOON_TICKS + 60 * TICKS_PER_SECOND
        self.result_of(self.store.write(servers.alive, first.server_id, lived))
        second = self.result_of(self.store.write(servers.enter, "test", "run 2", lived + 999, "example.com"))
        self.assertEqual((second.previous_run_id, second.previous_alive), ("run 1", lived))
        self.assertEqual([person.user_uri for person in second.parted], ["sip:alice@example.com"])
        self.assertEqual(self.result_of(self.store.read(present)), [])
        self.assertEqual(
            self.result_of(self.store.read(part_events)),
            [
                (
                    lived,
                    "ma-chan://example.com/room-1",
                    "Room 1",
                    "sip:alice@example.com",
                    "Alice",
                    '{"reason": "crashed"}',
                )
            ],
        )
        third = self.result_of(self.store.write(servers.enter, "test", "run 3", lived + 9999, "example.com"))
        self.assertEqual(third.parted, ())

    def test_events_bear_the_mail_address(self) -> None:
        """The archive can file every event by mail address, one that a crash left to be written as well."""
        mail = "alice@mail.example.com"

        async def known(txn: ITransaction) -> None:
            await txn.run(
                "update principals set email = %s, display_name = '' where principal_id = 1", (mail,)
            )

        self.result_of(self.store.write(known))
        server = self.result_of(self.store.write(servers.enter, "test", "run 1", NOON_TICKS, "example.com"))
        entered = evolve(alice_in(1, "e1"), user_email=mail)
        self.result_of(self.store.write(participants.joined, server.server_id, "run 1", [entered]))
        self.result_of(self.store.append([new_message(author_email=mail)]))
        read = Event("e2", "read", NOON_TICKS, user_email=mail)
        self.result_of(self.store.write(outbox.record, server.server_id, [read]))
        again = self.result_of(self.store.write(servers.enter, "test", "run 2", NOON_TICKS, "example.com"))
        self.assertEqual(
            self.result_of(self.store.read(mail_addresses)),
            [("join", mail), ("post", mail), ("read", mail), ("part", mail)],
        )
        self.assertEqual([(gone.user_name, gone.user_email) for gone in again.parted], [("alice", mail)])

    def test_a_post_shows_that_the_server_lived(self) -> None:
        """The part of a crashed run never comes before a post of that run."""
        server = self.result_of(
            self.store.write(servers.enter, "test", "run 1", NOON_TICKS, "example.com")
        ).server_id
        self.result_of(self.store.write(participants.joined, server, "run 1", [alice_in(1, "e1")]))
        self.clock.advance(300)
        [posted] = self.result_of(self.store.append([new_message()]))
        self.result_of(self.store.write(servers.alive, server, NOON_TICKS))
        self.result_of(self.store.write(servers.enter, "test", "run 2", posted.ts + 5, "example.com"))
        self.assertEqual(self.result_of(self.store.read(part_events))[0][0], posted.ts)

    def test_another_servers_users_stay(self) -> None:
        """A server of a pool that starts again parts its own users only."""
        other = self.result_of(self.store.write(servers.enter, "other", "run 9", NOON_TICKS, "example.com"))
        self.assertNotEqual(other.server_id, self.store.server_id)
        self.result_of(self.store.write(participants.joined, other.server_id, "run 9", [alice_in(1, "e1")]))
        mine = self.result_of(self.store.write(servers.enter, "test", "run 2", NOON_TICKS, "example.com"))
        self.assertEqual(mine.parted, ())
        self.assertEqual(self.result_of(self.store.read(present)), [(1, 1, "run 9")])


def publication(category: str = "note", **changed: Any) -> PublicationRow:
    values: dict[str, Any] = {
        "category": category,
        "container": 100,
        "instance": 4_294_967_295,
        "version": 1,
        "expire_type": "static",
        "expires_at": None,
        "published_at": NOON_TICKS,
        "owner": "",
        "payload": "<note>日本\n</note>".encode(),
    }
    return PublicationRow(**{**values, **changed})


class PublicationsContract(StoreCase):
    """Presence categories and containers."""

    def rows(self, principal_id: int = 1) -> list[PublicationRow]:
        found: list[PublicationRow] = self.result_of(
            self.store.read(publications.load_publications, principal_id)
        )
        return found

    def test_a_publication_comes_back_byte_for_byte(self) -> None:
        """What a client published is given back unchanged."""
        row = publication("roomSetting", payload=b"<roomSetting>\xe5\x8c\x97</roomSetting>")
        self.result_of(self.store.write(publications.change_publications, 1, [row]))
        self.assertEqual(self.rows(), [row])
        self.assertEqual(self.rows(2), [])

    def test_change_and_remove_in_one(self) -> None:
        """One request changes some rows, removes others and leaves the rest alone."""
        a, b, c = (publication(name) for name in "abc")
        self.result_of(self.store.write(publications.change_publications, 1, [a, b, c]))
        newer = publication("b", version=2, payload=b"<b/>")
        self.result_of(
            self.store.write(publications.change_publications, 1, [newer], [a.key, ("never", 0, 0)])
        )
        self.assertEqual(self.rows(), [newer, c])

    def test_containers(self) -> None:
        """Containers are kept with their version and members, and replaced one by one."""
        rows = [ContainerRow(200, 1, "sameEnterprise"), ContainerRow(32000, 3, "user mallory@example.com")]
        self.result_of(self.store.write(publications.save_containers, 1, rows))
        changed = ContainerRow(200, 2, "everyone")
        self.result_of(self.store.write(publications.save_containers, 1, [changed]))
        found = self.result_of(self.store.read(publications.load_containers, 1))
        self.assertEqual(found, [changed, rows[1]])


class RestartContract(StoreCase):
    """What outlives the process."""

    def again(self, store: Any) -> Any:
        """Make another store, not started, on the place of one that was stopped."""
        raise NotImplementedError

    def test_everything_is_there_after_a_restart(self) -> None:
        """Messages, numbers, events and our number in the pool go on where they were."""
        self.result_of(self.store.append([new_message(chat="before")]))
        self.result_of(self.store.stop())
        store = self.again(self.store)
        self.result_of(store.start())
        self.addCleanup(lambda: self.result_of(store.stop()))
        self.assertEqual(store.server_id, self.store.server_id)
        self.assertNotEqual(store.run_id, "")
        self.assertEqual(self.result_of(store.append([new_message(chat="after")]))[0].chat_id, 2)
        found = self.result_of(store.read(messages.last_messages, 1, 10))
        self.assertEqual([(m.chat_id, m.chat) for m in found], [(1, "before"), (2, "after")])
        self.assertEqual([row[0] for row in self.result_of(store.read(outbox_rows))], [1, 2])
