"""`pchat.admin.openapi`: the interface's description of itself."""

from __future__ import annotations

import json
import re
from typing import Any

from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from twisted.trial.unittest import SynchronousTestCase

from pchat.admin.openapi import describe
from pchat.admin.routes import NOTHING, PUBLIC, Answer, Call, Route
from pchat.admin.schemas import SCHEMAS
from pchat.rooms.token_administration import SCOPES
from tests.admin.support import Asker


def references(value: object) -> set[str]:
    """Collect the names of all schemas that a part of a description refers to."""
    return set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(value)))


class RouteTests(SynchronousTestCase):
    """Every route tells what it is."""

    def setUp(self) -> None:
        self.routes = Asker().api.routes

    def test_told(self) -> None:
        """Each has a summary in one line, a scope, and the schema of what it answers."""
        for route in self.routes:
            name = f"{route.method} {route.path}"
            self.assertRegex(route.summary, r"^[A-Z][^\n]{3,99}[^.\n]$", name)
            self.assertIn(route.scope, {*SCOPES, PUBLIC}, name)
            if route.status == 204:
                self.assertEqual("", route.answer, name)
            else:
                self.assertIn(route.answer, SCHEMAS, name)

    def test_scopes(self) -> None:
        """Who may only look changes nothing; messages and the audit log are not for everybody who looks."""
        looking = {"read", "messages", "audit", "tokens", PUBLIC}
        changing = {"people", "rooms", "messages", "settings", "tokens"}
        for route in self.routes:
            name = f"{route.method} {route.path}"
            self.assertIn(route.scope, looking if route.method == "GET" else changing, name)
            if route.path.startswith(("messages", "audit", "tokens")):
                self.assertEqual(route.path.partition("/")[0], route.scope, name)
        self.assertEqual(["openapi.json"], [route.path for route in self.routes if route.scope == PUBLIC])

    def test_once(self) -> None:
        """No two routes are the same."""
        names = [(route.method, re.sub(r"\{\w+\}", "{}", route.path)) for route in self.routes]
        self.assertEqual(len(names), len(set(names)))


class DescriptionTests(SynchronousTestCase):
    """The document that programs read."""

    def setUp(self) -> None:
        self.description: Any = Asker().good("GET", "openapi.json")

    def operations(self) -> list[tuple[str, Any]]:
        """List all operations with what they are called."""
        return [
            (f"{method} {path}", operation)
            for path, methods in self.description["paths"].items()
            for method, operation in methods.items()
        ]

    def test_valid(self) -> None:
        """It is a valid OpenAPI 3.1 document, and survives being written as JSON."""
        self.assertEqual("3.1.1", self.description["openapi"])
        validate(json.loads(json.dumps(self.description)), cls=OpenAPIV31SpecValidator)

    def test_validator_sees_faults(self) -> None:
        """The validator is one: a parameter that the path does not have is found."""
        first = next(iter(self.description["paths"].values()))
        first["get"]["parameters"] = [{"name": "x", "in": "nowhere"}]
        self.assertTrue(list(OpenAPIV31SpecValidator(self.description).iter_errors()))

    def test_complete(self) -> None:
        """Every operation has a name of its own, its errors as problems, and a token's scope."""
        names = [operation["operationId"] for _, operation in self.operations()]
        self.assertEqual(len(names), len(set(names)))
        for name, operation in self.operations():
            refusals = {status for status in operation["responses"] if status >= "400"}
            self.assertLessEqual({"400", "401", "403", "404", "414", "429", "500", "503"}, refusals, name)
            if "requestBody" in operation:
                self.assertLessEqual({"413", "415"}, refusals, name)
            if not name.startswith("get "):
                self.assertIn("409", refusals, name)
            expected = [] if name.endswith("openapi.json") else [1]
            self.assertEqual(expected, [len(needed["token"]) for needed in operation["security"]], name)
        self.assertEqual(
            {"bearer"},
            {scheme["scheme"] for scheme in self.description["components"]["securitySchemes"].values()},
        )

    def test_schemas(self) -> None:
        """Every schema that is referred to is there, and none is there for nothing."""
        self.assertEqual(set(SCHEMAS), references(self.description) | {"Problem"})

    def test_listings(self) -> None:
        """Every listing is given in parts."""
        for name, operation in self.operations():
            answer = operation["responses"].get("200", {})
            names = references(answer)
            if name.startswith("get ") and any(SCHEMAS[each].get("type") == "array" for each in names):
                filters = {parameter["name"] for parameter in operation["parameters"]}
                self.assertLessEqual({"limit", "offset"}, filters, name)
                self.assertIn("Link", answer["headers"], name)

    def test_unknown_segment(self) -> None:
        """A variable segment that nobody has described is found when the description is made."""

        async def nothing(call: Call) -> Answer:
            return NOTHING

        with self.assertRaises(KeyError):
            describe([Route("GET", "things/{thing}", nothing, summary="x", scope="read", status=204)])
