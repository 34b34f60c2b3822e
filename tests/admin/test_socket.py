"""`pchat.admin.socket` and `pchat.admin.client` over a real UNIX socket."""

from __future__ import annotations

import json
import os
import pwd
import socket
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

import pchat.admin.socket
from pchat.admin import client
from pchat.admin.api import AdministrationApi
from pchat.admin.client import ServerDoor, UnixConnection
from pchat.admin.fields import BODY_BYTES
from pchat.admin.socket import actor_of, admin_site
from pchat.errors import OperatorError
from pchat.web.problems import Problem
from tests.admin.support import PASSWORD, make_parts

reactor: Any = global_reactor
#: Seconds after which an answer over a local socket is stuck, not slow.
STUCK_SECONDS = 30.0


class SocketTests(TestCase):
    """Administration of a server over its socket; the client is another thread."""

    def setUp(self) -> None:
        made = tempfile.TemporaryDirectory(prefix="pchat-")
        self.addCleanup(made.cleanup)
        self.path = Path(made.name) / "admin.sock"
        self.parts = make_parts()
        self.status: Callable[[], Deferred[dict[str, Any]]] | None = None
        api = AdministrationApi(self.parts, self.tell_status)
        self.port = reactor.listenUNIX(os.fspath(self.path), admin_site(api, reactor), mode=0o600)
        self.addCleanup(self.port.stopListening)

    async def tell_status(self) -> dict[str, Any]:
        """Tell what the test wants."""
        if self.status is None:
            return {"version": "test"}
        return await self.status()

    def raw(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, str, bytes]:
        """Send one request as it is; return status, content type and body. For a thread."""
        connection = UnixConnection(self.path, STUCK_SECONDS)
        try:
            connection.request(
                method, path, body, {name.replace("_", "-"): it for name, it in headers.items()}
            )
            response = connection.getresponse()
            return response.status, response.getheader("Content-Type", ""), response.read()
        finally:
            connection.close()

    async def test_calls(self) -> None:
        """Several calls go over one connection; the actor is the local user behind it."""

        def work() -> list[Any]:
            door = ServerDoor(self.path)
            try:
                return [
                    door.call("POST", "/api/v1/users", {"uri": "älice@example.com"}),
                    door.call("POST", "/api/v1/users", {"uri": "alice@example.com", "password": PASSWORD}),
                    door.call("PUT", "/api/v1/users/alice@example.com/password", {"password": PASSWORD}),
                    door.call("GET", "/api/v1/status"),
                ]
            finally:
                door.close()

        refused, made, nothing, status = await deferToThread(work)
        self.assertEqual((400, "invalid-argument"), (refused[0], refused[1]["code"]))
        self.assertEqual(201, made[0])
        me = pwd.getpwuid(os.geteuid()).pw_name
        self.assertEqual(f"local:{me}", made[1]["created_by"])
        self.assertEqual((204, None), nothing)
        self.assertEqual((200, {"version": "test"}), status)

    async def test_forms(self) -> None:
        """Answers are JSON, refusals problem details; what is sent must be JSON and say so."""
        json_type = "application/json"
        self.assertEqual((200, json_type, b"[]"), await deferToThread(self.raw, "GET", "/api/v1/users"))
        for method, path, body, kind, expected in (
            ("GET", "/", None, "", 404),
            ("GET", "/api/v1/%ff", None, "", 400),
            ("PUT", "/api/v1/users", None, "", 405),
            ("POST", "/api/v1/users", b"{}", "text/plain", 415),
            ("POST", "/api/v1/users", b"{", json_type, 400),
            ("POST", "/api/v1/users", b"[]", json_type, 400),
            ("POST", "/api/v1/users", b"{}", f"{json_type}; charset=utf-8", 400),
        ):
            status, answered, text = await deferToThread(self.raw, method, path, body, Content_Type=kind)
            self.assertEqual((expected, "application/problem+json"), (status, answered), (method, path))
            self.assertEqual(expected, json.loads(text)["status"])

    async def test_too_large(self) -> None:
        """A body over the limit is not even read."""
        length = str(BODY_BYTES + 1)

        def work() -> int:
            connection = UnixConnection(self.path, STUCK_SECONDS)
            try:
                connection.putrequest("POST", "/api/v1/users")
                connection.putheader("Content-Length", length)
                connection.endheaders()
                return connection.getresponse().status
            finally:
                connection.close()

        self.assertEqual(413, await deferToThread(work))

    async def test_caller_goes_away(self) -> None:
        """A caller that does not wait for the answer harms nobody, and the next one is answered."""
        asked: Deferred[None] = Deferred()
        answer: Deferred[dict[str, Any]] = Deferred()

        def status() -> Deferred[dict[str, Any]]:
            asked.callback(None)
            return answer

        def ask() -> socket.socket:
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(os.fspath(self.path))
            connection.sendall(b"GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return connection

        self.status = status
        connection = await deferToThread(ask)
        await asked
        connection.close()
        # A whole exchange later the server has surely seen the end of the first connection.
        self.status = None
        self.assertEqual(200, (await deferToThread(self.raw, "GET", "/api/v1/status"))[0])
        answer.callback({})
        self.assertEqual(200, (await deferToThread(self.raw, "GET", "/api/v1/status"))[0])

    async def test_server_dies(self) -> None:
        """When the server goes before it answers, the operator is told that the outcome is not known."""
        listener = socket.socket(socket.AF_UNIX)
        path = self.path.with_name("dying.sock")
        listener.bind(os.fspath(path))
        listener.listen(1)

        def work() -> str:
            door = ServerDoor(path)
            taken, _ = listener.accept()
            taken.close()
            try:
                door.call("POST", "/api/v1/users", {"uri": "alice@example.com"})
            except OperatorError as error:
                return str(error)
            finally:
                door.close()
                listener.close()
            return "answered"

        self.assertRegex(
            await deferToThread(work), "gave no answer; whether the change was made is not known"
        )

    async def test_somebody_else_listens(self) -> None:
        """A socket of another user, in a directory that others can write, is told nothing."""
        self.patch(client, "peer_user", lambda connection: 54_321)

        def work(owner: int | None) -> str:
            try:
                ServerDoor(self.path, owner).close()
            except OperatorError as error:
                return str(error)
            return "trusted"

        self.assertIn("the user with the number 54321 listens there", await deferToThread(work, None))
        self.assertEqual("trusted", await deferToThread(work, 54_321))

    def test_private(self) -> None:
        """Nobody but the owner can even connect."""
        self.assertEqual(0o600, stat.S_IMODE(self.path.stat().st_mode))

    async def test_strangers(self) -> None:
        """A user who is neither root nor the server's own is refused, even if he gets to the socket."""
        self.patch(pchat.admin.socket, "peer_user", lambda connection: 54_321)
        for path in ("/api/v1/users", "/", "/api/v1/%ff"):
            status, kind, text = await deferToThread(self.raw, "GET", path)
            self.assertEqual((403, "application/problem+json"), (status, kind))
            self.assertEqual("forbidden", json.loads(text)["code"])


class ActorTests(SynchronousTestCase):
    """`actor_of`: who may administer, and what he is called."""

    def test_admitted(self) -> None:
        """Root, and whoever runs the server, come in under their names."""
        self.patch(os, "geteuid", lambda: 4_000_000)
        self.assertEqual("local:root", actor_of(0))
        self.assertEqual("local:4000000", actor_of(4_000_000))

    def test_refused(self) -> None:
        """Everybody else stays outside."""
        self.patch(os, "geteuid", lambda: 4_000_000)
        with self.assertRaises(Problem) as caught:
            actor_of(1)
        self.assertEqual((403, "forbidden"), (caught.exception.status, caught.exception.code))


class UnixConnectionTests(SynchronousTestCase):
    """`UnixConnection` where nobody listens."""

    def test_nobody(self) -> None:
        """A socket that a killed server left behind refuses, one that is not there is missing."""
        with tempfile.TemporaryDirectory(prefix="pchat-") as directory:
            path = Path(directory) / "admin.sock"
            self.assertRaises(FileNotFoundError, ServerDoor, path)
            left = socket.socket(socket.AF_UNIX)
            left.bind(os.fspath(path))
            left.close()
            self.assertRaises(ConnectionRefusedError, ServerDoor, path)
