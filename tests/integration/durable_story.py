"""What the stories about durability share: a server, people in its room, and what was promised them."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench.load.accounts import make_crowd
from tests.integration.durable_channel import Place
from tests.integration.durable_client import Crowd, Ledger, Talker
from tests.integration.durable_record import Record, problems
from tests.integration.server_process import ServerProcess

SEED = int(os.environ.get("PCHAT_SEED", "0")) or random.SystemRandom().getrandbits(32)
TALKERS = 4
WINDOW = 16
"""Posts that each client keeps on their way."""
LONG_TEXT = 6_000
"""Longer than a page of the database."""


class Story(SynchronousTestCase):
    """A server of its own with users who may talk in one room."""

    def setUp(self) -> None:
        self.random = random.Random(SEED)
        self.ledger = Ledger()
        self.number = 0
        self.run_name = "first"

    def directory(self) -> Path:
        """Make a directory that is removed in the end."""
        path = tempfile.mkdtemp(prefix="pchat-durable-")
        self.addCleanup(shutil.rmtree, path)
        return Path(path)

    def make_server(
        self, transport: str = "tls", under: Sequence[str] = (), data: Path | None = None
    ) -> None:
        """Make a server; it does not run yet."""
        self.server = ServerProcess(under=under)
        self.addCleanup(self.server.discard)
        self.server.configure("auth", schemes=["none"])
        self.server.configure("sip.listeners", transport=transport)
        if data is not None:
            self.server.configure("server", data=str(data))
        self.database = (data or self.server.directory / "data") / "pchat.sqlite"
        self.authority = self.server.authority if transport == "tls" else None
        self.people = make_crowd(self.server.config, TALKERS)

    def next_text(self) -> str:
        """Make up a text that nobody has said yet; now and then a long one."""
        self.number += 1
        filling = "x" * (LONG_TEXT if self.random.random() < 0.02 else self.random.randrange(100))
        return f"{self.run_name}.{self.number:07d}.{filling}"

    def talker(self, user: str) -> Talker:
        """Connect a user."""
        pool = f"sip:GC-1-PersistentChatService-1@{self.server.domain}"
        place = Place(self.server.sip, self.authority, pool, self.people.room)
        return Talker(user, place, self.ledger, self.next_text)

    def crowd(self) -> Crowd:
        """Make an empty crowd that is closed in the end."""
        crowd = Crowd(self.server.log_tail)
        self.addCleanup(crowd.close)
        return crowd

    def enter(self, users: Sequence[str]) -> Crowd:
        """Let users into the room of the running server."""
        crowd = self.crowd()
        crowd.enter(users, self.talker)
        self.assertEqual([talker.joined for talker in crowd.talkers], [True] * len(users))
        return crowd

    def talk(self, crowd: Crowd, more: int, window: int = WINDOW) -> None:
        """Talk until so many more posts are answered 200."""
        enough = len(self.ledger.promised) + more
        for talker in crowd.talkers:
            talker.talk(window)
        crowd.run_until(lambda: len(self.ledger.promised) >= enough)

    def fall_silent(self, crowd: Crowd) -> None:
        """Say no more, and wait for every answer."""
        for talker in crowd.talkers:
            talker.talk(0)
        crowd.run_until(lambda: not any(talker.outstanding for talker in crowd.talkers))

    def assert_kept(self, kills: Sequence[int] = ()) -> Record:
        """The store keeps every promise and holds nothing that it should not."""
        record = Record.read(self.database)
        self.assertEqual(problems(record, self.ledger, kills), [])
        return record
