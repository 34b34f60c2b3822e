"""The administration interface described for programs, made from its routes: OpenAPI 3.1.

Source: OpenAPI Specification 3.1.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pchat import __version__
from pchat.admin.fields import FILTER_CHARACTERS, Field, Schema, Texts
from pchat.admin.routes import PREFIX, PUBLIC, Route
from pchat.admin.schemas import SCHEMAS, reference, word
from pchat.rooms.room import Role
from pchat.rooms.token_administration import SCOPES

_ABOUT = (
    "Administration of a persistent chat server. Every call carries a token (`pchatctl token add`);"
    " changes are written to the audit log. Listings are given in parts: `limit` and `offset` say which,"
    " and a `Link` header with `rel=next` tells that more follow."
)
#: What stands in the variable segments of paths.
_SEGMENTS: dict[str, Schema] = {
    "user": {"description": "Address of a user: `user@domain`, with or without `sip:`."},
    "group": {"description": "URI or name of a group."},
    "category": {"description": "Name or URI of a category."},
    "room": {"description": "Name, URI or GUID of a room."},
    "addin": {"description": "Name or GUID of an add-in."},
    "token": {"description": "Name of a token."},
    "setting": {"description": "Name of a setting."},
    "role": {"description": "A role in a room.", "schema": word(*(role.value for role in Role))},
}
_VARIABLE = re.compile(r"\{(\w+)\}")

_OK = {200: "Done", 201: "Made", 202: "Begun", 204: "Done; there is nothing to tell"}
_REFUSALS = {
    400: "Malformed, or a value that is not allowed",
    401: "No token, or one that is not valid",
    403: "The token does not cover this, or the rules forbid it",
    404: "There is no such thing",
    409: "In conflict with what exists, or somebody else changed it meanwhile",
    410: "The room is disabled",
    413: "The body is too large, or a limit is exceeded",
    414: "The address is too long",
    415: "The body is not application/json",
    429: "Too many wrong tokens from this address",
    500: "A bug of the server, or its outcome is not known",
    503: "The store cannot be used now; nothing was changed",
}
_ALWAYS = (400, 401, 403, 404, 414, 429, 500, 503)
_CHANGING = (409, 410, 413)
_WITH_BODY = (413, 415)


def describe(routes: Iterable[Route]) -> dict[str, Any]:
    """Write the description of the whole interface.

    Args:
        routes: All of its operations.
    """
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(f"/{PREFIX.strip('/')}/{route.path}", {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "pchat administration",
            "summary": "Users, rooms, messages and settings of a persistent chat server",
            "description": _ABOUT,
            "version": __version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "responses": {str(status): _refusal(status) for status in _REFUSALS},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of `pchatctl token add`. Scopes: "
                    + "; ".join(f"`{scope}`: {about}" for scope, about in SCOPES.items()),
                }
            },
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    public = route.scope == PUBLIC
    described: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "tags": [route.path.partition("/")[0]],
        # An array that is not empty tells the roles that are needed, also of a scheme that is no OAuth.
        "security": [] if public else [{"token": [route.scope]}],
        "responses": {str(route.status): _success(route)}
        | {str(status): {"$ref": f"#/components/responses/{status}"} for status in _statuses(route)},
    }
    parameters = [_segment(name) for name in _VARIABLE.findall(route.path)]
    parameters += [_filter(name, kind) for name, kind in route.filters.items()]
    if parameters:
        described["parameters"] = parameters
    if route.fields:
        described["requestBody"] = _body(route)
    return described


def _operation_id(route: Route) -> str:
    words = re.findall(r"[a-z]+", route.path)
    return route.method.lower() + "".join(map(str.capitalize, words))


def _statuses(route: Route) -> list[int]:
    found = {*_ALWAYS}
    if route.method != "GET":
        found.update(_CHANGING)
    if route.fields:
        found.update(_WITH_BODY)
    return sorted(found)


def _success(route: Route) -> dict[str, Any]:
    described: dict[str, Any] = {"description": _OK[route.status]}
    if route.answer:
        described["content"] = {"application/json": {"schema": reference(route.answer)}}
    if route.is_listing and route.method == "GET":
        described["headers"] = {
            "Link": {"description": 'Where the next part is: rel="next".', "schema": {"type": "string"}}
        }
    return described


def _refusal(status: int) -> dict[str, Any]:
    described: dict[str, Any] = {
        "description": _REFUSALS[status],
        "content": {"application/problem+json": {"schema": reference("Problem")}},
    }
    if status == 401:
        described["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}, "required": True}}
    if status == 429:
        described["headers"] = {
            "Retry-After": {"schema": {"type": "integer", "minimum": 1}, "required": True}
        }
    return described


def _segment(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
        **_SEGMENTS[name],
    }


def _filter(name: str, kind: Field) -> dict[str, Any]:
    schema = kind.schema()
    described: dict[str, Any] = {"name": name, "in": "query", "schema": schema}
    if "description" in schema:
        described["description"] = schema.pop("description")
    if isinstance(kind, Texts):
        described["explode"] = True
    for text in (schema, schema.get("items", {})):
        if "maxLength" in text:
            text["maxLength"] = FILTER_CHARACTERS
    return described


def _body(route: Route) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {name: kind.schema() for name, kind in route.fields.items()},
        "required": list(route.required),
        "additionalProperties": False,
    }
    return {"required": bool(route.required), "content": {"application/json": {"schema": schema}}}
