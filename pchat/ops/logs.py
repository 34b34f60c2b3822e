"""Log events as JSON lines: one event a line, a traceback is a field, secrets are removed.

At the levels above debug the text that people write to each other is removed too. An operator
filters by field (``jq 'select(.peer == "192.0.2.7:49152")'``), so fields keep their own names.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent
from zope.interface import implementer

#: Longest text of one field; a hostile peer must not fill the disk through its own name.
FIELD_LENGTH = 2_000
#: Longest list that is written as one; a longer one becomes text and is cut.
LIST_LENGTH = 20
#: Longest traceback: deep recursion prints a thousand frames.
TRACEBACK_LENGTH = 20_000

REMOVED = "[removed]"

_LEVELS = ("debug", "info", "warn", "error", "critical")

_SECRET_NAME = re.compile(
    r"passw|secret|token|authorization|authenticate|nt_hash|ha1|verifier|cookie|session_key|private_key|gssapi",
    re.IGNORECASE,
)
#: What carries a proof of identity inside a longer text, such as a header in an error message.
_SECRET_TEXT = re.compile(
    r"""(?ix)
    ( \b (?:proxy-)?authorization \s* :            (?# the rest of the header line)
    | \b bearer \s
    | \b gssapi-data \s* = | \b password \s* [=:] | \b (?:response|rspauth) \s* = \s* (?="?[0-9a-f]{16})
    )
    ( (?<=:) [^\r\n]* | \s* "[^"]*" | \s* [^\s,;"&]* )
    """
)
#: Fields that hold what people write; kept only at debug level.
_CHAT_FIELDS = frozenset({"body", "chat", "content", "data", "rtf", "text"})

#: What twisted says of each of its listeners; ours are told in one line when all of them listen.
_FACTORY = re.compile(r"(?:Starting|Stopping) factory \{")
_PORT = re.compile(r"\((?:TCP|TLS|UNIX) Port .* Closed\)$|\S+ (?:\(TLS\) )?starting on ")

#: What twisted's older logging adds and nobody reads.
_LEGACY_FIELDS = frozenset({"failure", "format", "isError", "message", "printed", "system", "time", "why"})


class LogStream:
    """Where lines go: a file of our own that can be opened again, or a stream that stays.

    A full disk must not stop a chat server: lines that cannot be written are counted, and the count is
    written as soon as writing works again.

    Args:
        path: File to append to (mode 0600, since it names who talked with whom), or None.
        stream: Used without a file; standard error as it was when the process started.
    """

    def __init__(self, path: Path | None, stream: TextIO | None = None) -> None:
        self._path = path
        self._stream = stream or sys.stderr
        self._file: TextIO | None = None
        self._lost = 0
        self.reopen()

    def reopen(self) -> None:
        """Open the file again, after it was moved away for rotation; if that fails, the old one is kept.

        Raises:
            OSError: The file cannot be opened.
        """
        if self._path is None:
            return
        number = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if self._file is not None:
            self._file.close()
        self._file = self._stream = os.fdopen(number, "a", encoding="ascii")

    def write(self, line: str) -> None:
        """Write one line and let it leave the process."""
        try:
            if self._lost:
                self._stream.write(render({"level": "error", "message": f"{self._lost} log lines were lost"}))
                self._lost = 0
            self._stream.write(line)
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: standard error was closed
            self._lost += 1


@implementer(ILogObserver)
class JsonLines:
    """A log observer that writes JSON lines.

    Args:
        stream: Where lines go.
        level: Least important level that is written: debug, info, warn or error.
    """

    def __init__(self, stream: LogStream, level: str = "info") -> None:
        self.stream = stream
        self.only(level)
        self._with_chat = level == "debug"

    def only(self, level: str) -> None:
        """Write nothing that is less important than a level from now on."""
        self._wanted = frozenset(_LEVELS[_LEVELS.index(level) :])

    def __call__(self, event: LogEvent) -> None:
        """Write one event, unless its level is not wanted."""
        level = event.get("log_level", LogLevel.info)
        if level is LogLevel.info and _is_housekeeping(event):
            event = {**event, "log_level": (level := LogLevel.debug)}
        if level.name in self._wanted:
            self.stream.write(render(describe(event, with_chat=self._with_chat)))


def _is_housekeeping(event: LogEvent) -> bool:
    """Tell whether twisted reports about its own ports and factories, which says nothing to an operator."""
    words = event.get("log_format") or ""
    if words == "{log_text}":  # by its older logging
        return bool(_PORT.match(str(event.get("log_text", ""))))
    return bool(_FACTORY.match(words))


def render(fields: Mapping[str, object]) -> str:
    """Write fields as one line of ASCII JSON: nothing in it can move a terminal's cursor."""
    return json.dumps(fields, ensure_ascii=True, separators=(",", ":")) + "\n"


def describe(event: LogEvent, *, with_chat: bool = False) -> dict[str, object]:
    """Turn an event into the fields of its line.

    Args:
        event: An event of twisted.logger, or one that its older logging passed on.
        with_chat: Whether the text of messages may be written.

    Returns:
        ``time``, ``level``, ``logger`` and ``message``, then the event's own fields, then a traceback.
    """
    cleaned = {name: _cleaned(name, value, with_chat) for name, value in event.items()}
    level = event.get("log_level", LogLevel.info)
    line: dict[str, object] = {
        "time": _iso(event.get("log_time", 0.0)),
        "level": level.name,
        "logger": str(event.get("log_namespace", "-")),
        "message": _without_secrets(_message(cleaned))[:FIELD_LENGTH],
    }
    for name, value in _own_fields(cleaned):
        line[f"{name}_" if name in line else name] = value
    failure = event.get("log_failure") or event.get("failure")
    if failure is not None:
        line["error"] = _without_secrets(f"{failure.type.__name__}: {_text(failure.value)}")[:FIELD_LENGTH]
        line["traceback"] = _without_secrets(failure.getTraceback())[-TRACEBACK_LENGTH:]
    return line


def _message(event: LogEvent) -> str:
    if "failure" in event:  # twisted's older logging puts the whole traceback into the text
        return str(event.get("why") or "Unhandled error")
    return formatEvent(event)


def _own_fields(event: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for name, value in event.items():
        if not name.startswith("log_") and name not in _LEGACY_FIELDS:
            yield name, _plain(value)


def _cleaned(name: str, value: Any, with_chat: bool) -> Any:
    if name.startswith("log_") or name in _LEGACY_FIELDS:
        return value
    if _SECRET_NAME.search(name) or (name in _CHAT_FIELDS and not with_chat):
        return REMOVED
    return value


def _plain(value: object) -> object:
    """Reduce a value to what JSON has."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, list | tuple) and len(value) <= LIST_LENGTH and not any(map(_is_list, value)):
        return [_plain(item) for item in value]
    return _without_secrets(_text(value))[:FIELD_LENGTH]


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value[:FIELD_LENGTH].decode("utf-8", "backslashreplace")
    try:
        return str(value)
    except Exception as error:  # a log line is written whatever the object does
        return f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"


def _without_secrets(text: str) -> str:
    return _SECRET_TEXT.sub(rf"\1{REMOVED}", text)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
