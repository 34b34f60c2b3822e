"""Drive libpurple and pidgin-sipe without a window: JSON lines in, JSON lines out.

Run as ``python -m tests.real_client.client --user alice@example.com …``. A line on standard input is
an object with the key ``cmd``:

    connect | disconnect | quit
    rooms                 ask for the room list: events room …, rooms-done
    join   uri            join a room: joined
    send   uri text       post to a joined room
    leave  uri            close its window: left
    users  uri            who is shown in it: users
    drop                  shut the sockets down, as if the network had gone

A line on standard output is an event: an object with the key ``ev`` (ready, state, error, notify,
request, room, rooms-done, joined, left, message, room-notice, users, user-joined, user-left, result, sip,
internal-error, bye). ``sip`` carries one SIP message as the plugin logs it.
"""

from __future__ import annotations

import argparse
import json
import locale
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.real_client import purple_api as api
from tests.real_client.conversations import Conversations
from tests.real_client.events import UserInterface
from tests.real_client.glib import IO_HUP, IO_IN, MainLoop
from tests.real_client.libraries import Callbacks, Library, LibraryMissing, octets, text
from tests.real_client.markup import to_markup
from tests.real_client.sax_repair import mark_sax1, sax1_is_lost
from tests.real_client.traffic import logged_message

INTERFACE_ID = b"pchat-test-client"
PLUGIN = b"prpl-sipe"
QUIT_MS = 200
"""How long the plugin gets to send its sign-out."""


class Client:
    """The process: one account, its windows, and the commands that move them."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._started = time.monotonic()
        self._log = options.debug_log.open("a", encoding="utf-8", buffering=1)
        self._callbacks = Callbacks(self._failed)
        self._loop = MainLoop(self._failed)
        self._purple = Library("libpurple.so.0", api.PROTOTYPES)
        self._conversations = Conversations(self._loop.glib, self._purple)
        self._interface = UserInterface(
            self._purple, self._callbacks, self._conversations, self.emit, self._disconnected
        )
        self._stay_offline = False
        self._input = b""

    # -- output

    def emit(self, event: str, **fields: Any) -> None:
        """Write an event; fields that are None are left out."""
        record: dict[str, Any] = {"ev": event, "t": round(time.monotonic() - self._started, 3)}
        record.update((key, value) for key, value in fields.items() if value is not None)
        sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
        sys.stdout.flush()

    def _failed(self, error: Exception) -> None:
        self.emit("internal-error", text="".join(traceback.format_exception(error)))

    def _debug(self, level: int, category: bytes, line: bytes) -> None:
        shown = (text(line) or "").rstrip("\n")
        name = api.DEBUG_LEVELS[level] if level < len(api.DEBUG_LEVELS) else str(level)
        self._log.write(f"({name}) {text(category) or '-'} {shown}\n")
        message = logged_message(shown)
        if message:
            self.emit("sip", **message)

    # -- start

    def run(self) -> None:
        """Start libpurple, sign nobody in yet, and obey standard input until its end."""
        self._start_purple()
        repaired = mark_sax1("libsipe.so") if sax1_is_lost() else 0
        self._interface.connect_signals()
        self._make_account()
        self.emit("ready", purple=text(self._purple.purple_core_get_version()), sax_repaired=repaired)
        self._loop.watch(0, IO_IN | IO_HUP, self._readable)
        self._loop.run()
        self._purple.purple_core_quit()
        self.emit("bye")

    def _start_purple(self) -> None:
        purple, callbacks, profile = self._purple, self._callbacks, self._options.profile
        # libpurple calls setlocale() itself, and pidgin-sipe converts NTLM names and passwords
        # from whatever character set that gives
        for name in ("LC_ALL", "LANG"):
            if "utf" not in os.environ.get(name, "").lower():
                os.environ[name] = "C.UTF-8"
        locale.setlocale(locale.LC_ALL, "")
        profile.mkdir(parents=True, exist_ok=True)
        purple.purple_util_set_user_dir(os.fsencode(profile))
        purple.purple_debug_set_enabled(0)
        purple.purple_debug_set_verbose(1)
        purple.purple_debug_set_unsafe(1)  # message texts, too
        purple.purple_debug_set_ui_ops(
            callbacks.structure(
                api.DebugOperations,
                print=self._debug,
                is_enabled=lambda level, category: 1,
            )
        )
        purple.purple_core_set_ui_ops(
            callbacks.structure(api.CoreOperations, ui_init=self._interface.install)
        )
        purple.purple_eventloop_set_ui_ops(self._loop.purple_operations(callbacks))
        if not purple.purple_core_init(INTERFACE_ID):
            raise LibraryMissing("libpurple did not start")
        if not purple.purple_find_prpl(PLUGIN):
            raise LibraryMissing("pidgin-sipe (prpl-sipe) is not installed")
        purple.purple_set_blist(purple.purple_blist_new())
        purple.purple_prefs_load()
        # going idle would sign a broken account on again
        purple.purple_prefs_set_bool(b"/purple/away/away_when_idle", 0)
        purple.purple_prefs_set_string(b"/purple/away/idle_reporting", b"none")
        for directory in self._options.trust_ca:
            purple.purple_certificate_add_ca_search_path(os.fsencode(directory))

    def _make_account(self) -> None:
        purple, options = self._purple, self._options
        # pidgin-sipe keeps sign-in name and login name in one string
        self._account = purple.purple_account_new(octets(f"{options.user},{options.login or ''}"), PLUGIN)
        purple.purple_account_set_password(self._account, octets(options.password))
        purple.purple_account_set_remember_password(self._account, 1)
        for key, value in (
            (b"server", options.server),
            (b"transport", options.transport),
            (b"authentication", options.auth),
        ):
            purple.purple_account_set_string(self._account, key, octets(value))
        # no calendar look-ups: they would try to find an Exchange server
        purple.purple_account_set_bool(self._account, b"dont-publish", 1)
        purple.purple_accounts_add(self._account)
        self._status = purple.purple_savedstatus_new(None, api.STATUS_AVAILABLE)

    # -- input

    def _readable(self, _condition: int) -> int:
        data = os.read(0, 65536)
        if not data:
            self.do_quit({})
            return 0
        *lines, self._input = (self._input + data).split(b"\n")
        for line in lines:
            self._obey(json.loads(line))
        return 1

    def _obey(self, command: dict[str, Any]) -> None:
        method: Callable[[dict[str, Any]], None] | None = getattr(self, f"do_{command['cmd']}", None)
        if method is None:
            self._refuse(command, "unknown command")
            return
        try:
            method(command)
        except Exception as error:  # a test must see it, and go on to its end
            self._failed(error)

    def _refuse(self, command: dict[str, Any], why: str) -> None:
        self.emit("result", cmd=command["cmd"], ok=False, text=why)

    def _window(self, command: dict[str, Any]) -> int | None:
        window = self._conversations.find(command["uri"])
        if window is None:
            self._refuse(command, "no such room")
        return window

    # -- connection

    def _connection(self) -> Any:
        return self._purple.purple_account_get_connection(self._account)

    def _disconnected(self) -> None:
        if self._options.reconnect and not self._stay_offline:
            self._loop.after(self._options.reconnect * 1000, self._connect_again)

    def _connect_again(self) -> None:
        if not self._stay_offline and self._purple.purple_account_is_disconnected(self._account):
            self._purple.purple_account_connect(self._account)

    def do_connect(self, _command: dict[str, Any]) -> None:
        """Sign in."""
        self._stay_offline = False
        self._purple.purple_account_set_enabled(self._account, INTERFACE_ID, 1)
        self._purple.purple_savedstatus_activate(self._status)
        self._connect_again()

    def do_disconnect(self, _command: dict[str, Any]) -> None:
        """Sign out, and stay so."""
        self._stay_offline = True
        if self._connection():
            self._purple.purple_account_disconnect(self._account)

    def do_drop(self, command: dict[str, Any]) -> None:
        """Cut the connection under libpurple: shut all its network sockets down."""
        cut = 0
        for entry in Path("/proc/self/fd").iterdir():
            try:
                if not os.readlink(entry).startswith("socket:"):
                    continue
                with socket.socket(fileno=os.dup(int(entry.name))) as copy:
                    if copy.family in (socket.AF_INET, socket.AF_INET6):
                        copy.shutdown(socket.SHUT_RDWR)
                        cut += 1
            except OSError:
                continue  # closed meanwhile, or not connected
        self.emit("result", cmd=command["cmd"], ok=cut > 0)

    def do_quit(self, command: dict[str, Any]) -> None:
        """Sign out and end the process."""
        self.do_disconnect(command)
        self._loop.after(QUIT_MS, self._loop.quit)

    # -- rooms

    def do_rooms(self, command: dict[str, Any]) -> None:
        """Ask for the room list."""
        connection = self._connection()
        if not connection or not self._purple.purple_roomlist_get_list(connection):
            self._refuse(command, "group chat is not available on this connection")

    def do_join(self, command: dict[str, Any]) -> None:
        """Join a room by its URI."""
        glib, connection = self._loop.glib, self._connection()
        if not connection:
            self._refuse(command, "not connected")
            return
        self._conversations.asked(command["uri"])
        free = glib.address("g_free")
        table = glib.g_hash_table_new_full(
            glib.address("g_str_hash"), glib.address("g_str_equal"), free, free
        )
        glib.g_hash_table_insert(table, glib.g_strdup(b"uri"), glib.g_strdup(octets(command["uri"])))
        self._purple.serv_join_chat(connection, table)
        glib.g_hash_table_destroy(table)

    def do_send(self, command: dict[str, Any]) -> None:
        """Post a text to a joined room."""
        window = self._window(command)
        if window is not None:
            chat = self._conversations.chat(window)
            self._purple.purple_conv_chat_send(chat, octets(to_markup(command["text"])))

    def do_leave(self, command: dict[str, Any]) -> None:
        """Close a room's window, which is how a user leaves."""
        window = self._window(command)
        if window is not None:
            self._purple.purple_conversation_destroy(window)

    def do_users(self, command: dict[str, Any]) -> None:
        """Tell who is shown in a room's window."""
        window = self._window(command)
        if window is None:
            return
        everybody, operators = self._conversations.users(window)
        left = bool(self._purple.purple_conv_chat_has_left(self._conversations.chat(window)))
        where = self._conversations.describe(window)
        self.emit("users", users=everybody, operators=operators, left=left, **where)


def read_options(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="pidgin-sipe without a window system")
    parser.add_argument("--user", required=True, help="sign-in name, user@domain")
    parser.add_argument("--login", help="authentication name if different, DOMAIN\\user")
    parser.add_argument("--password", required=True, help="the plugin insists on one, even unused")
    parser.add_argument("--server", required=True, metavar="HOST:PORT")
    parser.add_argument("--transport", default="tls", choices=["tls", "tcp"])
    parser.add_argument("--auth", default="ntlm", choices=["auto", "ntlm", "krb5"])
    parser.add_argument("--profile", required=True, type=Path, help="libpurple user directory")
    parser.add_argument("--debug-log", required=True, type=Path, help="debug output with the SIP traffic")
    parser.add_argument("--trust-ca", action="append", default=[], type=Path, metavar="DIR")
    parser.add_argument("--reconnect", type=float, default=0, metavar="SECONDS")
    return parser.parse_args(arguments)


def main() -> None:
    """Run one client until its standard input ends."""
    try:
        Client(read_options(sys.argv[1:])).run()
        status = 0
    except LibraryMissing as error:
        sys.stderr.write(f"{error}\n")
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # the order in which plugins are unloaded is not our business


if __name__ == "__main__":
    main()
