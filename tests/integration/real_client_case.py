"""What all stories with the real client share: a server with the demo rooms, and clients of it."""

from __future__ import annotations

import atexit
import functools
import os
import re
import ssl
import tempfile
from pathlib import Path
from typing import Any, ClassVar
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from pchat.client.endpoint import Endpoint, Place
from pchat.frontend.addresses import pool_uri
from tests.integration.server_process import ServerProcess
from tests.real_client.remote import RealClient, missing_client
from tests.real_client.traffic import history_replies, live_deliveries

HISTORY_REPLY = re.compile(r"(?s)^INFO .*rpl:bccontext")
PART_REPLY = re.compile(r"(?s)^INFO .*rpl:part")
ENDPOINT_SECONDS = 60.0
"""How long an endpoint that is not the real client has for everything it does."""

_missing = functools.cache(missing_client)


def guid_of(uri: str) -> str:
    """Return what a room is named by in joins and notices."""
    return uri.rpartition("/")[2]


def notice(name: str, uri: str) -> re.Pattern[str]:
    """Return what an INFO with a notice about a room looks like."""
    return re.compile(rf"(?s)^INFO .*<ntc id=\"ntc:{name}\".*{guid_of(uri)}")


@functools.cache
def server_for(stories: str) -> tuple[ServerProcess, dict[str, str]]:
    """Start the server of some stories, when the first of them needs it; it ends with the tests.

    Returns the URIs of its rooms by name as well.

    Under trial neither a module nor a class has a beginning and an end of its own.
    """
    server = ServerProcess("--demo")
    atexit.register(server.discard)
    server.start()
    return server, {room["name"]: room["uri"] for room in server.ctl("room", "list")}


class RealClientCase(SynchronousTestCase):
    """A server with the demo accounts and rooms, shared by the stories of a module."""

    own_server: ClassVar[bool] = False
    """Whether the stories of a class do to the server what those of others must not notice."""

    def setUp(self) -> None:
        """Find the server; without the client's libraries skip, or fail where CI demands them."""
        reason = _missing()
        if reason and os.environ.get("CI") == "true":
            raise RuntimeError(f"CI needs the real client of requirements-system.txt: {reason}")
        if reason:
            raise SkipTest(f"the real client cannot run here: {reason}")
        self.server, self.rooms = server_for(
            type(self).__qualname__ if self.own_server else type(self).__module__
        )

    def client(self, name: str, **options: Any) -> RealClient:
        """Start a client of a demo user, not signed in yet."""
        options.setdefault("password", self.server.demo_password(name))
        options.setdefault("authority", self.server.authority)
        client = RealClient(
            Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.server.home)),
            user=f"{name}@{self.server.domain}",
            server=self.server.sip,
            elsewhere=self.server.log_tail,
            **options,
        )
        self.addCleanup(client.close)
        return client

    def make_room(self, name: str, *options: str) -> str:
        """Make an open room and return its URI."""
        room = self.server.ctl("room", "add", name, "--category", "Demo", "--privacy", "open", *options)
        uri: str = room["uri"]
        return uri

    def in_room(self, name: str, uri: str, **options: Any) -> RealClient:
        """Start a client, sign it in and let it join a room; what is said from now on it gets live only."""
        client = self.client(name, **options)
        client.sign_in()
        client.join(uri)
        client.expect("sip", way="in", text=HISTORY_REPLY)
        return client

    def endpoint(self, name: str) -> Endpoint:
        """Sign a demo user in with a client of our own, which knows what the real client does not."""
        host, port = self.server.sip.rsplit(":", 1)
        context = ssl.create_default_context(cafile=self.server.authority)
        place = Place(host, int(port), context, f"frontend.{self.server.domain}")
        endpoint = Endpoint(place, f"{name}@{self.server.domain}", ENDPOINT_SECONDS)
        self.addCleanup(endpoint.close)
        endpoint.sign_in(self.server.demo_password(name))
        endpoint.open_chat(pool_uri(self.server.domain))
        return endpoint

    def leave(self, client: RealClient, uri: str) -> None:
        """Close a room's window, and wait for the answer: until then the plug-in does not forget the room."""
        client.command("leave", uri=uri)
        client.expect("left", uri=uri)
        client.expect("sip", way="in", text=PART_REPLY)

    def join_again(self, client: RealClient, uri: str) -> list[str]:
        """Join a room and return the texts of its history that are shown."""
        client.forget("message")
        client.join(uri)
        client.expect("sip", way="in", text=HISTORY_REPLY)
        client.users(uri)  # whatever it shows of the history comes before this answer
        return [event["text"] for event in client.unseen("message")]

    def refusal(self, client: RealClient, uri: str) -> str:
        """Try to join a room and return the reason that is shown."""
        client.command("join", uri=uri)
        reason: str = client.expect("notify", kind="error", text="Error joining chat room")["detail"]
        return reason

    def assert_each_once(self, client: RealClient) -> None:
        """No chat id twice among live deliveries, none twice inside one history reply; ids rise."""
        live = live_deliveries(client.traffic())
        for room in {delivery.room for delivery in live}:
            ids = [delivery.chat_id for delivery in live if delivery.room == room]
            self.assertEqual(ids, sorted(set(ids)), "live deliveries come in order, each once")
        for reply in history_replies(client.traffic()):
            ids = [delivery.chat_id for delivery in reply]
            self.assertEqual(ids, sorted(set(ids)), "a history reply has each message once, oldest first")
