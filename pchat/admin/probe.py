"""``pchatctl test-message``: does a message get through, and how fast?"""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import click
from attrs import asdict

from pchat.admin.output import print_details
from pchat.admin.program import Verb
from pchat.admin.session import Session, address
from pchat.client.endpoint import PasswordMissing, Place
from pchat.client.exchange import Person, Times, exchange
from pchat.config import Config
from pchat.config.sections import SipListener, split_address
from pchat.directory.people import check_user_uri
from pchat.errors import OperatorError
from pchat.frontend.addresses import pool_uri
from pchat.ops.announcement import DEMO_ACCOUNTS

#: Beside the certificate, as ``pchatctl init`` puts it.
AUTHORITY = "ca.pem"
UNSPECIFIED = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what listens everywhere is here too


@click.command("test-message", cls=Verb)
@click.option("--from", "sender", metavar="URI", required=True, help="Who says something.")
@click.option("--to", "receiver", metavar="URI", required=True, help="Who must hear it.")
@click.option("--room", metavar="ROOM", help="Where; otherwise in a room that both belong to.")
@click.option(
    "--credentials",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    envvar="PCHAT_TEST_CREDENTIALS",
    help="JSON object, password by address; by default the demo's accounts.",
)
@click.option(
    "--ca",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Whom to trust; by default ca.pem beside the listener's certificate, or the system's CAs.",
)
@click.option("--timeout", type=click.FloatRange(0.1, 3600), default=30, show_default=True, metavar="SECONDS")
@click.pass_obj
def test_message(
    session: Session,
    sender: str,
    receiver: str,
    room: str | None,
    credentials: Path | None,
    ca: Path | None,
    timeout: float,
) -> None:
    """Send a message from one user to another through the real SIP listener, and tell how long it took.

    The message stays in the room: use a room of its own. Both accounts must be able to sign in.
    """
    config = session.config()
    passwords = _passwords(config, credentials)
    people = (_person(sender, passwords), _person(receiver, passwords))
    where = None if room is None else session.ask("GET", address("rooms", room))["uri"]
    place = _place(config, ca)
    try:
        times = exchange(place, pool_uri(config.server.domain), people, where, timeout)
    except PasswordMissing as error:
        raise OperatorError(f"{error}; name a file that has it with --credentials") from error
    found = _shown(place, times)
    session.show(found, print_details)


def _shown(place: Place, times: Times) -> dict[str, Any]:
    seconds = {
        f"{name}_ms": round(value * 1_000, 1) for name, value in asdict(times).items() if name != "room"
    }
    return {
        "result": "success",
        "target": f"{place.host}:{place.port}",
        "room": times.room,
        "latency_ms": seconds.pop("delivered_ms"),
        **seconds,
    }


def _person(text: str, passwords: dict[str, str]) -> Person:
    user = check_user_uri(text).removeprefix("sip:")
    return Person(user, passwords.get(user.casefold()))


def _passwords(config: Config, path: Path | None) -> dict[str, str]:
    demo = config.server.data.parent / DEMO_ACCOUNTS
    found = path or (demo if demo.exists() else None)
    if found is None:
        return {}
    try:
        content = json.loads(found.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OperatorError(f"{found} cannot be read: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise OperatorError(f"{found} must be a JSON object of passwords by address")
    return {name.removeprefix("sip:").casefold(): value for name, value in content.items()}


def _place(config: Config, ca: Path | None) -> Place:
    listener = next((one for one in config.sip.listeners if one.mode == "client"), None)
    if listener is None:
        raise OperatorError("there is no listener for clients in [[sip.listeners]]")
    host, port = split_address(_listening(config, listener))
    name = config.server.host or f"frontend.{config.server.domain}"
    return Place(UNSPECIFIED.get(host, host), port, _tls(listener, ca), name)


def _listening(config: Config, listener: SipListener) -> str:
    """Tell the address that the running server really has; a configured port may be 0."""
    try:
        found = json.loads((config.server.run / "listening.json").read_text(encoding="utf-8"))
        return str(found["sip"][config.sip.listeners.index(listener)])
    except (OSError, ValueError, LookupError):
        raise OperatorError("the server does not listen") from None


def _tls(listener: SipListener, ca: Path | None) -> ssl.SSLContext | None:
    if listener.certificate is None:
        return None
    beside = listener.certificate.parent / AUTHORITY
    authority = ca or (beside if beside.exists() else None)
    try:
        return ssl.create_default_context(cafile=authority)
    except OSError as error:
        raise OperatorError(f"{authority} cannot be used: {error}") from error
