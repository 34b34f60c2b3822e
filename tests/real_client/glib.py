"""GLib's main loop, and the event loop that libpurple asks its host for."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from tests.real_client.libraries import Callbacks, Library, operations

POINTER, INT, UINT, STRING = ctypes.c_void_p, ctypes.c_int, ctypes.c_uint, ctypes.c_char_p

PROTOTYPES = {
    "g_main_loop_new": (POINTER, POINTER, INT),
    "g_main_loop_run": (None, POINTER),
    "g_main_loop_quit": (None, POINTER),
    "g_timeout_add": (UINT, UINT, POINTER, POINTER),
    "g_timeout_add_seconds": (UINT, UINT, POINTER, POINTER),
    "g_source_remove": (INT, UINT),
    "g_io_channel_unix_new": (POINTER, INT),
    "g_io_channel_unref": (None, POINTER),
    "g_io_add_watch_full": (UINT, POINTER, INT, UINT, POINTER, POINTER, POINTER),
    "g_list_length": (UINT, POINTER),
    "g_list_nth_data": (POINTER, POINTER, UINT),
    "g_hash_table_new_full": (POINTER, POINTER, POINTER, POINTER, POINTER),
    "g_hash_table_insert": (INT, POINTER, POINTER, POINTER),
    "g_hash_table_destroy": (None, POINTER),
    "g_strdup": (POINTER, STRING),
}

SOURCE_FUNCTION = ctypes.CFUNCTYPE(INT, POINTER)
INPUT_FUNCTION = ctypes.CFUNCTYPE(None, POINTER, INT, INT)
CHANNEL_FUNCTION = ctypes.CFUNCTYPE(INT, POINTER, INT, POINTER)

IO_IN, IO_OUT, IO_ERR, IO_HUP, IO_NVAL = 1, 4, 8, 16, 32
PURPLE_READ, PURPLE_WRITE = 1, 2
RELEASE_MS = 1000
"""How long a removed watch is kept: libpurple removes watches from inside their own callback."""

EventLoopOperations = operations(
    "EventLoopOperations",
    ("timeout_add", UINT, UINT, POINTER, POINTER),
    ("timeout_remove", INT, UINT),
    ("input_add", UINT, INT, INT, POINTER, POINTER),
    ("input_remove", INT, UINT),
    ("input_get_error", INT, INT, ctypes.POINTER(INT)),
    ("timeout_add_seconds", UINT, UINT, POINTER, POINTER),
    reserved=3,
)


class MainLoop:
    """The one loop of the process, with GLib's functions for whoever needs them.

    Args:
        failed: Told of an exception in a function that the loop called.
    """

    def __init__(self, failed: Callable[[Exception], None]) -> None:
        self.glib = Library("libglib-2.0.so.0", PROTOTYPES)
        self._failed = failed
        self._loop = self.glib.g_main_loop_new(None, 0)
        self._watches: dict[int, Any] = {}
        self._pending: dict[int, Any] = {}
        self._returned: list[int] = []

    def run(self) -> None:
        """Run until `quit`."""
        self.glib.g_main_loop_run(self._loop)

    def quit(self) -> None:
        """Let `run` return."""
        self.glib.g_main_loop_quit(self._loop)

    def after(self, milliseconds: float, function: Callable[[], object]) -> None:
        """Call a function once, later."""

        def fire(_data: Any) -> int:
            try:
                function()
            except Exception as error:  # whatever it is, C code cannot receive it
                self._failed(error)
            # a callback must not free itself while it runs: drop those that have returned
            while self._returned:
                self._pending.pop(self._returned.pop(), None)
            self._returned.append(identity)
            return 0

        pointer = SOURCE_FUNCTION(fire)
        identity = id(pointer)
        self._pending[identity] = pointer
        self.glib.g_timeout_add(max(0, int(milliseconds)), ctypes.cast(pointer, POINTER), None)

    def watch(self, descriptor: int, condition: int, function: Callable[[int], int]) -> int:
        """Call a function with the seen condition whenever a descriptor is ready; it returns 0 to end."""
        pointer = CHANNEL_FUNCTION(lambda _channel, seen, _data: function(seen))
        channel = self.glib.g_io_channel_unix_new(descriptor)
        source: int = self.glib.g_io_add_watch_full(
            channel, 0, condition, ctypes.cast(pointer, POINTER), None, None
        )
        self.glib.g_io_channel_unref(channel)
        self._watches[source] = pointer
        return source

    def unwatch(self, source: int) -> int:
        """End a watch; also from inside its own callback."""
        done: int = self.glib.g_source_remove(source)
        kept = self._watches.pop(source, None)
        if kept is not None:
            self.after(RELEASE_MS, lambda: kept)
        return done

    def purple_operations(self, callbacks: Callbacks) -> Any:
        """Return the address of the event loop structure that libpurple wants."""
        glib = self.glib
        return callbacks.structure(
            EventLoopOperations,
            timeout_add=glib.g_timeout_add,
            timeout_remove=glib.g_source_remove,
            input_add=self._input_add,
            input_remove=self.unwatch,
            timeout_add_seconds=glib.g_timeout_add_seconds,
        )

    def _input_add(self, descriptor: int, wanted: int, function: int, data: Any) -> int:
        condition = 0
        if wanted & PURPLE_READ:
            condition |= IO_IN | IO_HUP | IO_ERR
        if wanted & PURPLE_WRITE:
            condition |= IO_OUT | IO_HUP | IO_ERR | IO_NVAL
        call = INPUT_FUNCTION(function)

        def fire(got: int) -> int:
            seen = 0
            if got & (IO_IN | IO_HUP | IO_ERR):
                seen |= PURPLE_READ
            if got & (IO_OUT | IO_HUP | IO_ERR | IO_NVAL):
                seen |= PURPLE_WRITE
            call(data, descriptor, seen & wanted or seen)
            return 1

        return self.watch(descriptor, condition, fire)
