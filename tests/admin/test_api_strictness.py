"""`pchat.admin.api` and `pchat.admin.fields`: what does not fit, and what fails."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from pchat.admin.api import AdministrationApi
from pchat.admin.fields import BODY_BYTES, LIST_ENTRIES, TEXT_CHARACTERS, parse_body
from pchat.admin.offline import at_once
from pchat.errors import AdministrationRefused, OurError, OutcomeUnknown, StoreUnavailable
from pchat.web.problems import Problem, problem_of
from pchat.xccos.codes import ResponseCode
from tests.admin.support import ACTOR, ApiCase, Asker, make_parts


class StrictnessTests(ApiCase):
    """What does not fit is refused before any rule is asked."""

    def test_unknown_member(self) -> None:
        """A misspelt member is refused instead of being ignored, and the known ones are told."""
        status, problem = self.call("POST", "users", {"uri": "a@example.com", "pasword": "x"})
        self.assertEqual((400, "invalid-request"), (status, problem["code"]))
        self.assertIn("'pasword'", problem["detail"])
        self.assertIn("password", problem["detail"].partition(";")[2])
        self.assertEqual([], self.good("GET", "users"))

    def test_wrong_kinds(self) -> None:
        """Each member has one kind; null is none of them."""
        for path, body in (
            ("users", {"uri": 5}),
            ("users", {"uri": None}),
            ("users", {"uri": "x" * (TEXT_CHARACTERS + 1)}),
            ("categories", {"name": "c", "invitations": "true"}),
            ("categories", {"name": "c", "invitations": 1}),
            ("categories", {"name": "c", "allowed_members": "example.com"}),
            ("categories", {"name": "c", "allowed_members": [["example.com"]]}),
            ("categories", {"name": "c", "allowed_members": ["a"] * (LIST_ENTRIES + 1)}),
            ("rooms", {"name": "r"}),
        ):
            self.assertEqual((400, "invalid-request"), self.refusal("POST", path, body), path)

    def test_no_body(self) -> None:
        """A body where none is read is refused: somebody expects it to do something."""
        self.assertEqual((400, "invalid-request"), self.refusal("GET", "users", {}))
        self.assertEqual((400, "invalid-request"), self.refusal("GET", "users?x=y"))

    def test_addresses(self) -> None:
        """What is not there is 404, what is there but not so is 405 and tells what is allowed."""
        for path in ("", "user", "users/a/b/c", "rooms/x/roles", "status/", "config/a/b"):
            self.assertEqual((404, "no-such-resource"), self.refusal("GET", path), path)
        status, problem = self.call("PATCH", "users")
        self.assertEqual((405, "allowed here: GET, POST"), (status, problem["detail"]))
        self.assertEqual((405, "method-not-allowed"), self.refusal("HEAD", "users"))
        self.assertEqual((400, "invalid-request"), self.refusal("GET", "users/%ff"))
        self.assertEqual(414, self.refusal("GET", "users/" + "a" * 20_000)[0])
        for path in ("/", "/api/v2/users", "users", "//api/v1/users"):
            status, _ = at_once(self.asker.api.call("GET", path, None, ACTOR))
            self.assertEqual(404, status, path)

    def test_settings(self) -> None:
        """Settings are shown, changed within their ranges, and nothing else."""
        self.assertEqual(30, self.good("GET", "config")["default-history"])
        self.assertEqual(50, self.good("PUT", "config/default-history", {"value": "50"})["default-history"])
        self.assertEqual(50, self.good("GET", "config")["default-history"])
        for name, value in (("default-history", "501"), ("default-history", "x"), ("colour", "red")):
            self.assertEqual(
                (400, "invalid-argument"), self.refusal("PUT", f"config/{name}", {"value": value})
            )
        self.assertEqual(
            (400, "invalid-request"), self.refusal("PUT", "config/default-history", {"value": 50})
        )

    def test_status(self) -> None:
        """The status is what the server tells of itself."""
        self.assertEqual({"version": "test"}, self.good("GET", "status"))

    @settings(max_examples=100, deadline=None)
    @given(
        st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "x"]),
        st.text(max_size=60),
        st.none() | st.dictionaries(st.text(max_size=5), st.none() | st.booleans() | st.text(max_size=5)),
    )
    def test_anything(self, method: str, path: str, body: dict[str, Any] | None) -> None:
        """Whatever is sent, the answer is one of ours, and never a bug."""
        asker = Asker()
        for prefix in ("/api/v1/", "/api/v1/rooms/", "/api/v1/users?", ""):
            status, value = at_once(asker.api.call(method, prefix + path, body, ACTOR))
            self.assertLess(status, 500)
            self.assertTrue(status < 400 or value["detail"])


class FailureTests(SynchronousTestCase):
    """When the server itself fails."""

    def test_bug(self) -> None:
        """A bug is answered 500 without details, and logged with its traceback."""

        async def broken() -> dict[str, Any]:
            raise OurError("the secret is 42")

        api = AdministrationApi(make_parts(), broken)
        status, problem = at_once(api.call("GET", "/api/v1/status", None, ACTOR))
        self.assertEqual((500, "internal"), (status, problem["code"]))
        self.assertNotIn("42", str(problem))
        self.assertEqual(1, len(self.flushLoggedErrors(OurError)))

    def test_store_away(self) -> None:
        """While the store cannot be used nothing changes, and the caller may try again."""
        parts = make_parts()

        def refuse(*_: object) -> Deferred[Any]:
            return fail(StoreUnavailable("the disk is full"))

        self.patch(parts.store, "write", refuse)
        api = AdministrationApi(parts, lambda: fail(OurError("not asked")))
        body = {"uri": "alice@example.com"}
        status, problem = at_once(api.call("POST", "/api/v1/users", body, ACTOR))
        self.assertEqual((503, "store-unavailable"), (status, problem["code"]))
        self.assertEqual((200, []), at_once(api.call("GET", "/api/v1/users", None, ACTOR)))

    def test_every_refusal_has_a_code(self) -> None:
        """Every code with which the rules may refuse has a title, and the status of its number."""
        for code in ResponseCode:
            if code in {ResponseCode.SUCCESS_OK, ResponseCode.ERROR_MSG_NOT_SUPPORTED}:
                continue
            problem = problem_of(AdministrationRefused(code, "no"))
            self.assertEqual(code.number, problem.status)
            self.assertRegex(problem.code, r"^[a-z-]+$")
        self.assertEqual("outcome-unknown", problem_of(OutcomeUnknown("?")).code)


class BodyTests(SynchronousTestCase):
    """`parse_body`: JSON from the network."""

    def test_object(self) -> None:
        """An object is taken, nothing is nothing."""
        self.assertEqual({"a": ["ä"]}, parse_body('{"a": ["ä"]}'.encode()))
        self.assertIsNone(parse_body(b""))

    def test_refused(self) -> None:
        """Anything else is refused, however large or deep."""
        for data in (
            b"{",
            b"[]",
            b'"a"',
            b"null",
            b'{"a": 1, "a": 2}',
            b'{"a": NaN}',
            b'{"a": "\xff"}',
            b"[" * 200_000,
            b'{"a":' * 150_000,
        ):
            with self.assertRaises(Problem) as caught:
                parse_body(data)
            self.assertEqual(400, caught.exception.status)
        with self.assertRaises(Problem) as caught:
            parse_body(b" " * (BODY_BYTES + 1))
        self.assertEqual(413, caught.exception.status)
