"""Which chat windows are open, and which room each belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.real_client.libraries import Library, text


class Conversations:
    """The open chat windows.

    libpurple knows a window by its title only; the room's URI comes from the room list, or from
    the one join that is outstanding.

    Args:
        glib: GLib, for its lists.
        purple: libpurple.
    """

    def __init__(self, glib: Library, purple: Library) -> None:
        self._glib = glib
        self._purple = purple
        self._uris: dict[int, str] = {}
        self._titles: dict[str, str] = {}
        self._joining: list[str] = []

    def listed(self, title: str, uri: str) -> None:
        """Learn a room's title from the room list."""
        self._titles[title] = uri

    def asked(self, uri: str) -> None:
        """Learn that the user asked to join a room."""
        if uri not in self._joining:  # the plug-in may not have joined it the first time
            self._joining.append(uri)

    def joined(self, window: int) -> None:
        """Learn that a window was opened, or came back to life."""
        title = self._title(window)
        if window not in self._uris:
            if title in self._titles:
                self._uris[window] = self._titles[title]
            elif len(self._joining) == 1:
                self._uris[window] = self._titles[title] = self._joining[0]
        if self._uris.get(window) in self._joining:
            self._joining.remove(self._uris[window])

    def closed(self, window: int) -> None:
        """Learn that a window was closed."""
        self._uris.pop(window, None)

    def describe(self, window: int) -> dict[str, Any]:
        """Tell room title and URI of a window, as events carry them."""
        title = self._title(window)
        return {"room": title, "uri": self._uris.get(window) or self._titles.get(title)}

    def chat(self, window: int) -> Any:
        """Return libpurple's chat data of a window, or None if it is not a chat."""
        return self._purple.purple_conversation_get_chat_data(window)

    def find(self, uri: str) -> int | None:
        """Return the window of a room."""
        for window in self.items(self._purple.purple_get_chats()):
            if self.describe(window)["uri"] == uri:
                return window
        return None

    def users(self, window: int) -> tuple[list[str], list[str]]:
        """Return who is shown in a window, and who of them as operator."""
        chat = self.chat(window)
        everybody, operators = [], []
        for entry in self.items(self._purple.purple_conv_chat_get_users(chat)):
            name = self._purple.purple_conv_chat_cb_get_name(entry)
            everybody.append(text(name) or "")
            if self._purple.purple_conv_chat_user_get_flags(chat, name) & 4:
                operators.append(text(name) or "")
        return sorted(everybody), sorted(operators)

    def items(self, glib_list: Any) -> Iterator[int]:
        """Iterate over a GList of pointers."""
        for index in range(self._glib.g_list_length(glib_list)):
            yield self._glib.g_list_nth_data(glib_list, index)

    def _title(self, window: int) -> str:
        return text(self._purple.purple_conversation_get_name(window)) or ""
