"""`pchat.admin.client.open_door`: the way to a server, or to its store."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pchat.admin.client import Door, ServerDoor, open_door
from pchat.admin.offline import OfflineDoor, at_once
from pchat.config import Config, load_config
from pchat.errors import OperatorError
from pchat.foundation import open_store
from pchat.interfaces import ITransaction
from pchat.store.lock import StoreLock
from pchat.store.participants import Participation, joined
from pchat.store.servers import alive, enter
from pchat.testing.store import counting_random
from tests.admin.support import make_home

#: The last moment, in ticks, at which the killed server is known to have lived.
LAST_ALIVE = 10_000_000_000


class DoorCase(SynchronousTestCase):
    """The configuration of a server that does not run."""

    def setUp(self) -> None:
        made = tempfile.TemporaryDirectory(prefix="pchat-")
        self.addCleanup(made.cleanup)
        self.config: Config = load_config(make_home(Path(made.name).resolve()))
        self.time = Clock()

    def open(self) -> Door:
        """Open a door; waiting takes no time."""
        return open_door(self.config, pause=self.time.advance, now=self.time.seconds)


class OpenDoorTests(DoorCase):
    """Which door is taken."""

    def test_no_server(self) -> None:
        """Without a server the store itself is opened at once; afterwards it is free again."""
        for _ in range(2):
            door = self.open()
            self.assertIsInstance(door, OfflineDoor)
            self.assertFalse(door.running)
            self.assertEqual((200, []), door.call("GET", "/api/v1/users"))
            door.close()
        self.assertEqual(0, self.time.seconds())

    def test_stale_socket(self) -> None:
        """The socket of a killed server does not keep anybody from the store."""
        left = socket.socket(socket.AF_UNIX)
        left.bind(os.fspath(self.config.server.admin_socket))
        left.close()
        door = self.open()
        self.addCleanup(door.close)
        self.assertIsInstance(door, OfflineDoor)

    def test_server(self) -> None:
        """A server that listens is asked, and the store is left alone."""
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(os.fspath(self.config.server.admin_socket))
        listener.listen(1)
        door = self.open()
        self.addCleanup(door.close)
        self.assertIsInstance(door, ServerDoor)
        self.assertFalse(self.config.database.exists())

    def test_store_in_use(self) -> None:
        """A store that is in use while nobody answers is waited for, then told in one clear line."""
        lock = StoreLock(self.config.database)
        lock.take()
        self.addCleanup(lock.release)
        with self.assertRaises(OperatorError) as caught:
            self.open()
        text = str(caught.exception)
        self.assertIn(f"in use by process {os.getpid()}", text)
        self.assertIn(f"nothing answers at {self.config.server.admin_socket}", text)
        self.assertGreater(self.time.seconds(), 5)

    def test_store_in_use_for_a_moment(self) -> None:
        """Two commands at the same time: the second waits for the first."""
        lock = StoreLock(self.config.database)
        lock.take()
        self.time.callLater(1, lock.release)
        door = self.open()
        door.close()
        self.assertGreater(self.time.seconds(), 0.9)

    def test_no_store(self) -> None:
        """Where the store cannot be, nobody waits."""
        self.config.server.data.rmdir()
        with self.assertRaises(OperatorError) as caught:
            self.open()
        self.assertIn(str(self.config.server.data), str(caught.exception))
        self.assertEqual(0, self.time.seconds())


class CrashedServerTests(DoorCase):
    """Administration after a server was killed."""

    def test_parts_keep_their_time(self) -> None:
        """A change made before the next start does not make the dead server live longer."""
        door = self.open()
        for path, body in (
            ("users", {"uri": "alice@example.com"}),
            ("categories", {"name": "Work", "allowed_members": ["example.com"]}),
            ("rooms", {"name": "Lobby", "category": "Work"}),
        ):
            self.assertEqual(201, door.call("POST", f"/api/v1/{path}", body)[0])
        door.close()
        self._die_with_alice_in_the_room()

        door = self.open()
        self.assertEqual(200, door.call("GET", "/api/v1/rooms")[0])
        self.assertEqual(200, door.call("PATCH", "/api/v1/rooms/Lobby", {"name": "Hall"})[0])
        self.assertEqual(200, door.call("PATCH", "/api/v1/rooms/Hall", {"name": "Yard"})[0])
        door.close()

        store = open_store(self.config, self.time, counting_random())
        at_once(store.start())
        self.addCleanup(store.stop)
        self.assertEqual([(LAST_ALIVE, '{"reason": "crashed"}')], at_once(store.read(_parts)))

    def _die_with_alice_in_the_room(self) -> None:
        store = open_store(self.config, self.time, counting_random())
        at_once(store.start())
        name = self.config.server.name
        row = at_once(store.write(enter, name, store.run_id, LAST_ALIVE - 5, "example.com"))
        alice = Participation(
            event_id="0" * 32,
            time_ticks=LAST_ALIVE - 4,
            room_id=1,
            room_uri="ma-chan://example.com/1",
            room_name="Lobby",
            user_id=1,
            user_uri="sip:alice@example.com",
            user_name="Alice",
        )
        at_once(store.write(joined, row.server_id, store.run_id, [alice]))
        at_once(store.write(alive, row.server_id, LAST_ALIVE))
        at_once(store.stop())


async def _parts(txn: ITransaction) -> list[tuple[Any, ...]]:
    return await txn.query("select time_ticks, detail from outbox where kind = 'part'")
