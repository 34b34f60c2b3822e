"""Tokens: made, told once, good for what they are good for, until they expire or are revoked."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import ensureDeferred

from pchat import ticks
from pchat.admin.offline import at_once
from pchat.admin.routes import Caller
from pchat.rooms.token_administration import LONGEST_DAYS, MOST_TOKENS, SCOPES
from pchat.store.tokens import load_tokens
from tests.admin.support import ApiCase

DAY = 86_400


class TokenTests(ApiCase):
    """The resource tokens."""

    def setUp(self) -> None:
        super().setUp()
        self.tokens = self.asker.parts.administration.tokens

    def make(self, name: str = "ci", *scopes: str, **others: str) -> Any:
        """Make a token."""
        return self.good("POST", "tokens", {"name": name, "scopes": list(scopes) or ["read"], **others})

    def by(self, secret: str, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, str]:
        """Ask with a token; return status and code."""
        found = self.tokens.find(secret)
        assert found is not None
        caller = Caller(f"token:{found[0]}", found[1])
        answer = at_once(self.asker.api.reply(method, f"/api/v1/{path}", body, caller))
        return answer.status, answer.value.get("code", "") if isinstance(answer.value, dict) else ""

    def test_life(self) -> None:
        """A token is made, found by its secret, listed without it, and useless once revoked."""
        made = self.make("ci", "rooms", "read")
        self.assertRegex(made["token"], r"^pchat_[A-Za-z0-9_-]{43}$")
        self.assertEqual((["read", "rooms"], "active"), (made["scopes"], made["state"]))
        self.assertEqual(("ci", frozenset({"read", "rooms"})), self.tokens.find(made["token"]))
        (listed,) = self.good("GET", "tokens")
        self.assertEqual({key: value for key, value in made.items() if key != "token"}, listed)
        self.assertEqual((204, None), self.call("DELETE", "tokens/ci"))
        self.assertIsNone(self.tokens.find(made["token"]))
        (listed,) = self.good("GET", "tokens")
        self.assertEqual("revoked", listed["state"])
        self.assertEqual((400, "invalid-argument"), self.refusal("DELETE", "tokens/ci"))
        self.assertEqual((404, "no-such-resource"), self.refusal("DELETE", "tokens/other"))

    def test_kept(self) -> None:
        """The store keeps a hash; a server that starts later knows the token all the same."""
        secret = self.make()["token"]
        (kept,) = at_once(self.asker.parts.store.read(load_tokens))
        self.assertEqual(32, len(kept.verifier))
        self.assertNotIn(secret.removeprefix("pchat_"), repr(kept))
        at_once(ensureDeferred(self.asker.parts.administration.load()))
        self.assertEqual(("ci", frozenset({"read"})), self.tokens.find(secret))

    def test_expiry(self) -> None:
        """A token is good for a year, or until the time that was given, and not a moment longer."""
        clock: Any = self.asker.parts.administration.tokens._clock
        start = ticks.from_unix(clock.seconds())
        usual = self.make("usual")
        self.assertEqual(ticks.to_iso(start + 365 * DAY * ticks.TICKS_PER_SECOND), usual["expires_on"])
        short = self.make("short", expires_on=ticks.to_iso(start + 10 * ticks.TICKS_PER_SECOND))
        clock.advance(9.9)
        self.assertIsNotNone(self.tokens.find(short["token"]))
        clock.advance(0.1)
        self.assertIsNone(self.tokens.find(short["token"]))
        self.assertEqual(["active", "expired"], [token["state"] for token in self.good("GET", "tokens")])
        again = self.make("short")
        self.assertNotEqual(short["token"], again["token"])
        self.assertIsNone(self.tokens.find(short["token"]))

    def test_refused(self) -> None:
        """Bad names, scopes and times are refused; so is a name in use."""
        self.make()
        far = ticks.to_iso(ticks.from_unix(1_700_000_000 + (LONGEST_DAYS + 1) * DAY))
        for body, expected in (
            ({"name": "ci", "scopes": ["read"]}, (409, "duplicate-name")),
            ({"name": "", "scopes": ["read"]}, (400, "invalid-argument")),
            ({"name": "a b", "scopes": ["read"]}, (400, "invalid-argument")),
            ({"name": "x" * 65, "scopes": ["read"]}, (400, "invalid-argument")),
            ({"name": "x\n", "scopes": ["read"]}, (400, "invalid-argument")),
            ({"name": "x", "scopes": []}, (400, "invalid-argument")),
            ({"name": "x", "scopes": ["all"]}, (400, "invalid-request")),
            ({"name": "x"}, (400, "invalid-request")),
            ({"name": "x", "scopes": ["read"], "expires_on": "soon"}, (400, "invalid-request")),
            ({"name": "x", "scopes": ["read"], "expires_on": "2030-13-01"}, (400, "invalid-request")),
            ({"name": "x", "scopes": ["read"], "expires_on": "2001-01-01"}, (400, "invalid-argument")),
            ({"name": "x", "scopes": ["read"], "expires_on": far}, (400, "invalid-argument")),
        ):
            self.assertEqual(expected, self.refusal("POST", "tokens", body), body)
        self.assertEqual(1, len(self.good("GET", "tokens")))

    def test_scopes(self) -> None:
        """Each scope opens its own routes and no others."""
        for scope in SCOPES:
            secret = self.make(scope, scope)["token"]
            for route in self.asker.api.routes:
                path = route.path.replace("{", "").replace("}", "")
                answer = self.by(secret, route.method, path, {"x": 1} if route.fields else None)
                refused = (403, "insufficient-scope")
                self.assertEqual(answer == refused, route.scope not in {scope, "public"}, (scope, path))

    def test_no_more_than_own(self) -> None:
        """A token makes no token that may do more than itself, and does not cut itself off."""
        secret = self.make("root", "tokens", "read")["token"]
        wider = {"name": "wider", "scopes": ["read", "people"]}
        self.assertEqual((403, "permission"), self.by(secret, "POST", "tokens", wider))
        narrower = {"name": "narrower", "scopes": ["read"]}
        self.assertEqual((201, ""), self.by(secret, "POST", "tokens", narrower))
        self.assertEqual((403, "permission"), self.by(secret, "DELETE", "tokens/root"))
        self.assertEqual("token:root", self.good("GET", "tokens")[1]["created_by"])

    def test_number(self) -> None:
        """There is an end to the number of tokens; the name of a revoked one can still be used."""
        for number in range(MOST_TOKENS):
            self.make(f"t{number}")
        self.assertEqual(
            (413, "limit-exceeded"), self.refusal("POST", "tokens", {"name": "x", "scopes": ["read"]})
        )
        self.good("DELETE", "tokens/t7")
        self.make("t7")
