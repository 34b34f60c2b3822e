"""`pchat.admin.https`: who is let in over HTTPS, and what HTTP says beside the answers."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs, eventAsText
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Request

from pchat.admin.https import FREE_FAILURES, api_resource
from pchat.config import WebLimits
from pchat.web.site import HARDENED_HEADERS, BoundedSite, Folder
from tests.admin.support import Asker

LIMITS = WebLimits(connections=4, body_bytes=4_096, request_seconds=30, idle_seconds=60)


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def value(self) -> Any:
        """The JSON value."""
        return json.loads(self.content)


class WebCase(SynchronousTestCase):
    """The site of a server with its interface, in memory."""

    secure = True

    def setUp(self) -> None:
        self.patch(Request, "isSecure", lambda request: self.secure)
        self.asker = Asker()
        self.clock = Clock()
        root = Folder()
        tokens = self.asker.parts.administration.tokens
        root.putChild(b"api", api_resource(self.asker.api, tokens, self.clock))
        self.site = BoundedSite(root, LIMITS, self.clock)
        self.token = self.make("ci", "read", "people")

    def make(self, name: str, *scopes: str) -> str:
        """Make a token; return its text."""
        made: str = self.asker.good("POST", "tokens", {"name": name, "scopes": list(scopes)})["token"]
        return made

    def ask(
        self, method: str, path: str, body: bytes = b"", *, token: str | None = "", **headers: str
    ) -> Answer:
        """Ask with the token of the case, another one, or (None) without any."""
        lines = [f"{method} {path} HTTP/1.1", "Host: a"]
        if token is not None:
            lines.append(f"Authorization: Bearer {token or self.token}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        channel: Any = self.site.buildProtocol(None)
        transport = StringTransport()
        channel.makeConnection(transport)
        channel.dataReceived("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        channel.connectionLost(Failure(ConnectionError()))
        head, _, content = transport.value().partition(b"\r\n\r\n")
        first, *rest = head.decode("latin-1").split("\r\n")
        fields = dict(line.split(": ", 1) for line in rest)
        return Answer(int(first.split()[1]), fields, content)

    def refused(self, answer: Answer, status: int, code: str) -> Answer:
        """Check that an answer is a problem."""
        self.assertEqual(
            (status, "application/problem+json"), (answer.status, answer.headers["Content-Type"])
        )
        self.assertEqual((status, code), (answer.value["status"], answer.value["code"]))
        return answer


class DoorTests(WebCase):
    """Tokens."""

    def test_let_in(self) -> None:
        """Who has a token is let in, and the change carries the token's name."""
        body = json.dumps({"uri": "alice@example.com"}).encode()
        made = self.ask("POST", "/api/v1/users", body, Content_Type="application/json")
        self.assertEqual((201, "token:ci"), (made.status, made.value["created_by"]))
        listed = self.ask("GET", "/api/v1/users")
        self.assertEqual((200, "application/json"), (listed.status, listed.headers["Content-Type"]))
        self.assertEqual(["sip:alice@example.com"], [user["uri"] for user in listed.value])

    def test_hardened(self) -> None:
        """Answers are not kept, not framed, not guessed at, and not for other origins."""
        for answer in (self.ask("GET", "/api/v1/users"), self.ask("GET", "/api/v1/users", token=None)):
            for name, value in HARDENED_HEADERS.items():
                self.assertEqual(value.decode(), answer.headers[name.decode()])
            self.assertIn("max-age=", answer.headers["Strict-Transport-Security"])
            self.assertNotIn("Set-Cookie", answer.headers)
            self.assertFalse([name for name in answer.headers if name.startswith("Access-Control")])

    def test_no_token(self) -> None:
        """Without a token nothing is told but that one is needed, not even what there is."""
        for path in ("/api/v1/users", "/api/v1/none", "/api", "/api/v1/users/%ff", "/api/v1/openapi.json/x"):
            answer = self.refused(self.ask("GET", path, token=None), 401, "unauthorized")
            self.assertEqual('Bearer realm="pchat"', answer.headers["WWW-Authenticate"])

    def test_odd_authorization(self) -> None:
        """What is no bearer token is none: other schemes, nothing behind the word, cookies, the query."""
        for text in (f"Basic {self.token}", "Bearer", "Bearer  ", self.token, ""):
            answer = self.ask("GET", "/api/v1/users", token=None, Authorization=text)
            self.refused(answer, 401, "unauthorized")
        self.refused(self.ask("GET", "/api/v1/users", token=None, Cookie=self.token), 401, "unauthorized")
        path = f"/api/v1/users?access_token={self.token}"
        self.refused(self.ask("GET", path, token=None), 401, "unauthorized")
        twice = self.ask("GET", "/api/v1/users", authorization=f"Bearer {self.token}")
        self.refused(twice, 401, "unauthorized")
        self.assertEqual(
            200, self.ask("GET", "/api/v1/users", token=None, Authorization=f"bEARER {self.token}").status
        )

    def test_wrong_token(self) -> None:
        """Unknown and revoked tokens are refused alike, and are not in the log."""
        old = self.make("old", "read")
        self.asker.good("DELETE", "tokens/old")
        with capturedLogs() as events:
            for token in (old, old[:-1], "pchat_" + "A" * 43, "\xff"):
                answer = self.refused(self.ask("GET", "/api/v1/users", token=token), 401, "unauthorized")
                self.assertIn('error="invalid_token"', answer.headers["WWW-Authenticate"])
            self.ask("GET", "/api/v1/users")
        text = "\n".join(eventAsText(event) for event in events)
        self.assertIn("unknown, expired or revoked token", text)
        for secret in (old, self.token):
            self.assertNotIn(secret.removeprefix("pchat_")[:20], text)

    def test_scope(self) -> None:
        """A token opens what its scopes name; the answer tells which one is missing."""
        answer = self.refused(self.ask("GET", "/api/v1/audit"), 403, "insufficient-scope")
        self.assertIn('error="insufficient_scope", scope="audit"', answer.headers["WWW-Authenticate"])

    def test_guessing(self) -> None:
        """Who sends many wrong tokens has to wait, longer each time; a right one is let in meanwhile."""
        for _ in range(FREE_FAILURES):
            self.assertEqual(401, self.ask("GET", "/api/v1/users", token="x").status)
        self.assertEqual(401, self.ask("GET", "/api/v1/users", token="x").status)
        for seconds in (1, 2, 4):
            answer = self.refused(self.ask("GET", "/api/v1/users", token="x"), 429, "too-many-requests")
            self.assertEqual(str(seconds), answer.headers["Retry-After"])
            self.assertEqual(200, self.ask("GET", "/api/v1/users").status)
            self.clock.advance(seconds)
            self.assertEqual(401, self.ask("GET", "/api/v1/users", token="x").status)

    def test_description(self) -> None:
        """The interface's description is for everybody."""
        answer = self.ask("GET", "/api/v1/openapi.json", token=None)
        self.assertEqual((200, "3.1.1"), (answer.status, answer.value["openapi"]))
        self.assertNotIn(self.token, answer.content.decode())

    def test_plain(self) -> None:
        """Without TLS nobody is let in, and no token is looked at."""
        self.secure = False
        self.refused(self.ask("GET", "/api/v1/users"), 403, "forbidden")
        self.refused(self.ask("GET", "/api/v1/openapi.json", token=None), 403, "forbidden")


class HttpTests(WebCase):
    """Methods, bodies and sizes."""

    def test_head(self) -> None:
        """HEAD tells of a resource what GET does, without its content."""
        got, head = self.ask("GET", "/api/v1/users"), self.ask("HEAD", "/api/v1/users")
        self.assertEqual((200, b""), (head.status, head.content))
        for name in ("Content-Type", "Content-Length", "Cache-Control"):
            self.assertEqual(got.headers[name], head.headers[name])
        missing = self.ask("HEAD", "/api/v1/users/nobody@example.com")
        self.assertEqual((404, b""), (missing.status, missing.content))

    def test_methods(self) -> None:
        """A method that is not there is refused with those that are."""
        for method in ("PUT", "OPTIONS", "TRACE", "QUERY"):
            answer = self.refused(self.ask(method, "/api/v1/users"), 405, "method-not-allowed")
            self.assertEqual("GET, POST, HEAD", answer.headers["Allow"])
        answer = self.ask("HEAD", "/api/v1/rooms/x/move")
        self.assertEqual((405, "POST", b""), (answer.status, answer.headers["Allow"], answer.content))

    def test_bodies(self) -> None:
        """Bodies must be JSON, say so, and be of a bounded size; so must addresses."""
        users, kind = "/api/v1/users", "application/json"
        self.refused(self.ask("POST", users, b"{}", Content_Type="text/plain"), 415, "unsupported-media-type")
        self.refused(self.ask("POST", users, b"{}"), 415, "unsupported-media-type")
        self.refused(self.ask("POST", users, b"{", Content_Type=kind), 400, "invalid-request")
        self.refused(self.ask("POST", users, Content_Type=kind), 400, "invalid-request")
        self.refused(self.ask("GET", users, b"{}", Content_Type=kind), 400, "invalid-request")
        self.refused(self.ask("POST", users, b" " * 4_097, Content_Type=kind), 413, "content-too-large")
        self.refused(self.ask("GET", f"{users}/{'a' * 9_000}"), 414, "invalid-request")
        self.refused(self.ask("GET", f"{users}/{'a' * 20_000}"), 414, "invalid-request")
        self.refused(self.ask("GET", users, X_Long="a" * 20_000), 431, "invalid-request")

    def test_link(self) -> None:
        """A part of a listing tells where the next one is, below this very address."""
        for name in "ab":
            self.asker.good("POST", "users", {"uri": f"{name}@example.com"})
        answer = self.ask("GET", "/api/v1/users?limit=1")
        self.assertEqual('</api/v1/users?limit=1&offset=1>; rel="next"', answer.headers["Link"])
        address = answer.headers["Link"].split(">")[0][1:]
        self.assertEqual("sip:b@example.com", self.ask("GET", address).value[0]["uri"])
