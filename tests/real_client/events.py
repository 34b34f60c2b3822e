"""What libpurple tells its user interface, as events."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from typing import Any

from tests.real_client import purple_api as api
from tests.real_client.conversations import Conversations
from tests.real_client.libraries import Callbacks, Library, text
from tests.real_client.markup import plain

POINTER, INT, STRING = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
Emit = Callable[..., None]


class UserInterface:
    """Callbacks for libpurple that turn everything a user would see into events.

    Args:
        purple: libpurple.
        callbacks: Keeps the functions alive.
        conversations: Knows rooms by window.
        emit: Called as ``emit(name, **fields)``.
        disconnected: Called when the connection has gone.
    """

    def __init__(
        self,
        purple: Library,
        callbacks: Callbacks,
        conversations: Conversations,
        emit: Emit,
        disconnected: Callable[[], None],
    ) -> None:
        self._purple = purple
        self._callbacks = callbacks
        self._conversations = conversations
        self._emit = emit
        self._disconnected = disconnected

    def install(self) -> None:
        """Give libpurple all operations; called by it when it asks for a user interface."""
        purple, callbacks = self._purple, self._callbacks
        purple.purple_conversations_set_ui_ops(
            callbacks.structure(
                api.ConversationOperations,
                create_conversation=lambda window: None,
                destroy_conversation=self._conversations.closed,
                write_chat=self._written,
                write_conv=lambda window, name, _alias, shown, flags, when: self._written(
                    window, name, shown, flags, when
                ),
                chat_add_users=lambda window, users, new: None,
                chat_remove_users=lambda window, users: None,
                chat_update_user=lambda window, user: None,
                has_focus=lambda window: 0,
            )
        )
        purple.purple_connections_set_ui_ops(
            callbacks.structure(
                api.ConnectionOperations,
                connected=lambda connection: self._emit("state", state="connected"),
                disconnected=self._gone,
                notice=lambda connection, shown: self._emit("notify", kind="notice", text=text(shown)),
                report_disconnect_reason=self._reported,
            )
        )
        self._install_dialogs()
        purple.purple_roomlist_set_ui_ops(
            callbacks.structure(
                api.RoomlistOperations,
                create=lambda rooms: None,
                set_fields=lambda rooms, fields: None,
                add_room=self._room_found,
                in_progress=self._list_progress,
                destroy=lambda rooms: None,
            )
        )

    def _install_dialogs(self) -> None:
        def ask(kind: str) -> Callable[..., int]:
            return lambda title, primary, secondary, *_rest: self._shown(
                "request", kind, title, primary, secondary
            )

        self._purple.purple_notify_set_ui_ops(
            self._callbacks.structure(
                api.NotifyOperations,
                notify_message=lambda kind, title, primary, secondary: self._shown(
                    "notify", ("error", "warning", "info")[kind], title, primary, secondary
                ),
                notify_formatted=lambda title, primary, secondary, _markup: self._shown(
                    "notify", "formatted", title, primary, secondary
                ),
                close_notify=lambda kind, handle: None,
            )
        )
        self._purple.purple_request_set_ui_ops(
            self._callbacks.structure(
                api.RequestOperations,
                request_action=ask("action"),
                request_action_with_icon=ask("action"),
                request_input=ask("input"),
                request_choice=ask("choice"),
                request_fields=ask("fields"),
                close_request=lambda kind, handle: None,
            )
        )

    def connect_signals(self) -> None:
        """Subscribe to the signals that have no operation; after libpurple's start."""
        purple = self._purple
        chats, connections = purple.purple_conversations_get_handle(), purple.purple_connections_get_handle()
        self._handle = ctypes.c_int(0)
        handle = ctypes.cast(ctypes.pointer(self._handle), POINTER)

        def on(instance: Any, name: bytes, kind: Any, function: Callable[..., Any]) -> None:
            pointer = self._callbacks.pointer(kind, function)
            purple.purple_signal_connect(instance, name, handle, pointer, None)

        on(
            connections,
            b"signing-on",
            ctypes.CFUNCTYPE(None, POINTER, POINTER),
            lambda _connection, _data: self._emit("state", state="connecting"),
        )
        on(chats, b"chat-joined", ctypes.CFUNCTYPE(None, POINTER, POINTER), self._joined)
        on(
            chats,
            b"chat-left",
            ctypes.CFUNCTYPE(None, POINTER, POINTER),
            lambda window, _data: self._emit("left", **self._where(window)),
        )
        on(
            chats,
            b"chat-buddy-joined",
            ctypes.CFUNCTYPE(None, POINTER, STRING, INT, INT, POINTER),
            lambda window, who, _flags, new, _data: self._emit(
                "user-joined", who=text(who), new=bool(new), **self._where(window)
            ),
        )
        on(
            chats,
            b"chat-buddy-left",
            ctypes.CFUNCTYPE(None, POINTER, STRING, STRING, POINTER),
            lambda window, who, _why, _data: self._emit("user-left", who=text(who), **self._where(window)),
        )

    def _where(self, window: int) -> dict[str, Any]:
        return self._conversations.describe(window)

    def _joined(self, window: int, _data: Any) -> None:
        self._conversations.joined(window)
        self._emit("joined", **self._where(window))

    def _written(self, window: int, who: bytes, shown: bytes, flags: int, when: int) -> None:
        marks = [name for bit, name in api.MESSAGE_FLAGS if flags & bit]
        ordinary = "system" not in marks and "error" not in marks
        self._emit(
            "message" if ordinary else "room-notice",
            who=text(who),
            text=plain(text(shown)),
            flags=marks,
            time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when)),
            **self._where(window),
        )

    def _gone(self, _connection: int) -> None:
        self._emit("state", state="disconnected")
        self._disconnected()

    def _reported(self, _connection: int, reason: int, shown: bytes) -> None:
        known = api.DISCONNECT_REASONS
        self._emit(
            "error", reason=known[reason] if 0 <= reason < len(known) else str(reason), text=text(shown)
        )

    def _shown(
        self, event: str, kind: str, title: bytes | None, primary: bytes | None, secondary: bytes | None
    ) -> int:
        self._emit(event, kind=kind, title=text(title), text=text(primary), detail=text(secondary))
        return 1

    def _room_found(self, rooms: int, room: int) -> None:
        head, item = api.RoomlistHead.from_address(rooms), api.RoomlistRoom.from_address(room)
        record: dict[str, Any] = {}
        names = self._conversations.items(head.fields)
        for field_at, raw in zip(names, self._conversations.items(item.fields), strict=False):
            field = api.RoomlistField.from_address(field_at)
            value: Any = raw or 0
            if field.type == api.FIELD_STRING:
                value = text(ctypes.string_at(raw)) if raw else None
            elif field.type == api.FIELD_BOOL:
                value = bool(raw)
            record[text(field.name) or ""] = value
        name = text(item.name) or ""
        if record.get("uri"):
            self._conversations.listed(name, record["uri"])
        self._emit("room", name=name, **record)

    def _list_progress(self, _rooms: int, running: int) -> None:
        if not running:
            self._emit("rooms-done")
