"""Where a conversation takes place: the server, who takes part, and what their names mean."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from attrs import evolve

from pchat import ticks
from pchat.config import Config, ServerConfig, SipLimits
from pchat.config.sections import SipConfig
from pchat.sip.message import Request, Response
from pchat.testing.memory import MemoryServer, now_or_never
from tests.auth import peer
from tests.conversations.client import Client, shown

ADMINISTRATOR = "unix:root"
#: Seconds between two looks at the clients while time passes.
LOOK_SECONDS = 5.0
_REPEATED = re.compile(r"\{(\d+) times (.+?)\}")
_NAMED = re.compile(r"\{([A-Za-z][\w .-]*)\}")


class ScriptFailed(AssertionError):
    """Something is not as the script says."""


class Stage:
    """The server and everybody who talks to it."""

    def __init__(self) -> None:
        self.schemes: tuple[str, ...] = ("none",)
        self.limits = SipLimits()
        self.directory: Path | None = None
        self.clients: dict[str, Client] = {}
        self.passwords: dict[str, str] = {}
        self.events_before = 0
        self._server: MemoryServer | None = None

    # -- the server

    @property
    def server(self) -> MemoryServer:
        """The server; it begins when it is first needed."""
        if self._server is None:
            self._server = self._start(None)
            self.do(self.people.set_policy(ADMINISTRATOR, True))
        return self._server

    @property
    def is_running(self) -> bool:
        """Whether the server has begun."""
        return self._server is not None

    def _start(self, after: MemoryServer | None) -> MemoryServer:
        config = Config()
        config = evolve(config, sip=evolve(SipConfig(), limits=self.limits))
        if self.directory is not None:
            config = evolve(config, server=ServerConfig(data=self.directory))
        return MemoryServer(self.schemes, config, on_disk=self.directory is not None, after=after)

    def keep_on_disk(self) -> None:
        """Give the store a file, so that the server can begin again."""
        self.directory = Path(tempfile.mkdtemp(prefix="pchat-conversation-"))

    def restart(self, *, killed: bool) -> None:
        """End the server, orderly or not, and begin again on the same store."""
        if self.directory is None:
            raise ScriptFailed("the script must say before: The server keeps its store on disk")
        ended = self.server
        if killed:
            ended.kill()
            for client in self.clients.values():
                client.forget_connection()
        else:
            ended.stop()
            self.settle()
        self._server = self._start(ended)

    def end(self) -> None:
        """Clean up."""
        if self._server is not None:
            self._server.stop()
        if self.directory is not None:
            shutil.rmtree(self.directory)

    @property
    def people(self) -> Any:
        """Administration of people."""
        return self.server.administration.people

    @property
    def rooms(self) -> Any:
        """Administration of rooms."""
        return self.server.administration.rooms

    @property
    def categories(self) -> Any:
        """Administration of categories."""
        return self.server.administration.categories

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Let the administrator do something, which must succeed at once."""
        return now_or_never(work)

    def events(self) -> list[str]:
        """Return the compliance events so far, one line each."""

        async def read(txn: Any) -> list[tuple[Any, ...]]:
            rows: list[tuple[Any, ...]] = await txn.query(
                "select kind, user_uri, room_name, chat_id, text, detail from outbox order by server_sequence"
            )
            return rows

        lines = []
        for kind, user, room, chat_id, text, detail in now_or_never(self.server.store.read(read)):
            line = f"{kind} {user.removeprefix('sip:').removesuffix('@example.com')} {room}"
            line += f" #{chat_id}" if chat_id else ""
            line += f' "{text}"' if text is not None else ""
            lines.append(line + (f" {detail}" if detail not in {"{}", ""} else ""))
        return lines

    # -- who takes part

    def client(self, name: str) -> Client:
        """Find an endpoint by its name; the first use makes it."""
        if name not in self.clients:
            number = len(self.clients) + 1
            self.clients[name] = Client(name, number, name.split(maxsplit=1)[0].lower())
        return self.clients[name]

    def connect(self, client: Client, host: str = "192.0.2.7") -> None:
        """Open a connection for an endpoint."""
        client.connected(self.server.connect(host))

    def prepare_ntlm(self, client: Client, password: str | None = None, version: int | None = 4) -> None:
        """Give an endpoint what it needs to prove who its user is."""
        known = self.passwords.get(client.user, "")
        client.ntlm = peer.Client(
            client.user, "EXAMPLE", password if password is not None else known, version=version
        )
        client.ntlm.uri = client.uri

    # -- what happens

    def settle(self) -> None:
        """Let everybody read and answer until nothing moves."""
        moving = True
        while moving:
            # Everybody reads in each round, also when somebody before him got something.
            came = [client.pull() for client in self.clients.values()]
            moving = any(came)

    def pass_time(self, seconds: float) -> None:
        """Let time go by, with clients that answer meanwhile."""
        left = seconds
        while left > 0:
            part = min(LOOK_SECONDS, left)
            self.server.pass_time(part)
            self.settle()
            left -= part

    def check_accounted(self) -> None:
        """Fail if somebody got what nobody expected.

        Raises:
            ScriptFailed: A message, or the end of a connection, is left over.
        """
        for client in self.clients.values():
            if client.inbox:
                raise ScriptFailed(
                    f"{client.name} got {len(client.inbox)} message(s) that the script does not expect:\n"
                    + "\n\n".join(map(shown, client.inbox))
                )
            if client.empty_lines:
                raise ScriptFailed(f"{client.name} got an empty line that the script does not expect")
            if client.disconnected:
                raise ScriptFailed(f"{client.name} was disconnected, which the script does not expect")

    def next_message(self, client: Client, wanted: str) -> Request | Response:
        """Take the oldest message that the script has not accounted for."""
        if not client.inbox:
            end = ", and was disconnected" if client.disconnected else ""
            raise ScriptFailed(f"{client.name} should receive {wanted}, but got nothing{end}")
        return client.inbox.popleft()

    def swallow(self) -> None:
        """Account for everything that came, in preparations only."""
        self.settle()
        for client in self.clients.values():
            client.inbox.clear()

    # -- what names mean

    def filled(self, text: str, client: Client | None = None) -> str:
        """Replace what stands in braces.

        Raises:
            ScriptFailed: A name means nothing.
        """
        text = _REPEATED.sub(lambda found: int(found[1]) * found[2], text)
        return _NAMED.sub(lambda found: self._meaning(found[1], client), text)

    def _meaning(self, name: str, client: Client | None) -> str:
        base, _, part = name.partition(".")
        tree = self.server.parts.base.tree
        room = tree.room_by_name(base)
        if room is not None:
            forms = {
                "": room.uri,
                "guid": room.guid,
                "guid in capitals": room.guid.upper(),
                "updated on": ticks.to_iso(room.updated_on),
            }
            if part in forms:
                return str(forms[part])
        category = tree.category_by_name(base)
        if category is not None:
            return str(category.uri)
        if name == "root":
            return str(tree.root_uri)
        addin = self.server.administration.registered_addins.by_name(base)
        if addin is not None:
            return str(addin.guid)
        group = self.server.parts.base.directory.group_by_name(base.casefold())
        if group is not None:
            return str(group.uri)
        if base in self.clients:
            client, name = self.clients[base], part
        meanings: dict[str, Callable[[Client], str]] = {
            "signature": lambda one: "{signature}",
            "opaque": lambda one: one.ntlm.opaque if one.ntlm else "",
            "answer to challenge": lambda one: one.answer_to_challenge(),
            "port": lambda one: str(one.port),
            "call-id": lambda one: one.dialog.call_id if one.dialog else "",
            "own tag": lambda one: one.dialog.local_tag if one.dialog else "",
            "nonce": lambda one: one.nonce,
            "digest": lambda one: one.digest(self.passwords[one.user]),
            "subscription tag": lambda one: one.subscription_tag,
            "service tag": lambda one: one.dialog.remote_tag if one.dialog else "",
        }
        if client is None or name not in meanings:
            raise ScriptFailed(f"{{{name}}} means nothing here")
        return meanings[name](client)
