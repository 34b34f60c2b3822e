"""Shared libraries by ctypes: function prototypes from a table, structures of callbacks."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from typing import Any

Prototype = tuple[Any, ...]
"""Result type, then the argument types."""


class LibraryMissing(Exception):
    """A shared library is not installed; the text names it."""


class Library:
    """A shared library whose functions are attributes.

    Args:
        name: File name of the library, with its version.
        prototypes: C function name to its `Prototype`.
    """

    def __init__(self, name: str, prototypes: Mapping[str, Prototype]) -> None:
        try:
            # global: a protocol plugin resolves purple_* symbols from the process
            self._library = ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
        except OSError as error:
            raise LibraryMissing(f"cannot load {name}: {error}") from error
        self._prototypes = prototypes

    def __getattr__(self, name: str) -> Callable[..., Any]:
        try:
            prototype = self._prototypes[name]
        except KeyError:
            raise AttributeError(name) from None
        function = getattr(self._library, name)
        function.restype, function.argtypes = prototype[0], list(prototype[1:])
        setattr(self, name, function)
        bound: Callable[..., Any] = function
        return bound

    def address(self, name: str) -> Any:
        """Return the address of a function, for C code that wants a pointer to it."""
        return ctypes.cast(getattr(self._library, name), ctypes.c_void_p)


def operations(name: str, *fields: Prototype, reserved: int) -> type[ctypes.Structure]:
    """Make a C structure of function pointers.

    Args:
        name: Name of the class.
        fields: For each member its name, result type and argument types, in C order.
        reserved: How many unused pointers close the structure.
    """
    types = [(field[0], ctypes.CFUNCTYPE(field[1], *field[2:])) for field in fields]
    unused = [(f"_reserved{number}", ctypes.c_void_p) for number in range(1, reserved + 1)]
    return type(name, (ctypes.Structure,), {"_fields_": types + unused})


class Callbacks:
    """Python functions that C code may call; kept alive for as long as the process lives.

    Args:
        failed: Told the exception when a function raises; exceptions must not cross into C.
    """

    def __init__(self, failed: Callable[[Exception], None]) -> None:
        self._failed = failed
        self._alive: list[Any] = []

    def wrap(self, kind: Any, function: Callable[..., Any]) -> Any:
        """Return the C function pointer, of the type ``kind``, of a Python function."""

        def guarded(*args: Any) -> Any:
            try:
                return function(*args)
            except Exception as error:  # whatever it is, C code cannot receive it
                self._failed(error)
                return 0

        pointer = kind(guarded)
        self._alive.append(pointer)
        return pointer

    def pointer(self, kind: Any, function: Callable[..., Any]) -> Any:
        """Like `wrap`, as a plain address."""
        return ctypes.cast(self.wrap(kind, function), ctypes.c_void_p)

    def structure(self, kind: type[ctypes.Structure], **functions: Callable[..., Any]) -> Any:
        """Fill a structure of function pointers and return its address."""
        instance = kind()
        types = {field[0]: field[1] for field in kind._fields_}
        for name, function in functions.items():
            setattr(instance, name, self.wrap(types[name], function))
        self._alive.append(instance)
        return ctypes.cast(ctypes.pointer(instance), ctypes.c_void_p)


def text(raw: bytes | None) -> str | None:
    """Read a C string."""
    return None if raw is None else raw.decode("utf-8", "replace")


def octets(value: str | None) -> bytes | None:
    """Make a C string."""
    return None if value is None else value.encode("utf-8")
