"""From `Config` to the text of ``pchat.toml``: every key with a comment, its default and its value."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from pchat.config.sections import Config

_HEAD = """\
# Configuration of pchat. Every key is here, with its default; a key that is left out has its default.
# A relative path begins in the directory of this file.
"""
_COMMENT_WIDTH = 100


def render_config(config: Config) -> str:
    """Write a configuration as a commented TOML file that `load_config` reads back as the same values."""
    return _HEAD + "".join(f"{line}\n" for line in _table(config, ""))


def _table(table: Any, prefix: str) -> Iterator[str]:
    """Write a table: its plain keys first, since TOML gives what follows a sub-table to that sub-table."""
    fields = [(field, getattr(table, field.name)) for field in attrs.fields(type(table))]
    for field, value in fields:
        if not _is_table(value) and not _is_list_of_tables(value):
            yield from _comment(f"{field.metadata['doc']} Default: {_shown(field.default)}.")
            yield f"{'#' if value is None else ''}{field.name} = {_literal(value)}"
    for field, value in fields:
        key = f"{prefix}{field.name}"
        if _is_table(value):
            yield ""
            yield from _comment(field.metadata["doc"])
            yield f"[{key}]"
            yield from _table(value, f"{key}.")
        elif _is_list_of_tables(value):
            for item in value:
                yield ""
                yield from _comment(field.metadata["doc"])
                yield f"[[{key}]]"
                yield from _table(item, f"{key}.")


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _COMMENT_WIDTH, initial_indent="# ", subsequent_indent="# ")


def _is_table(value: object) -> bool:
    return attrs.has(type(value))


def _is_list_of_tables(value: object) -> bool:
    return isinstance(value, tuple) and bool(value) and all(map(_is_table, value))


def _shown(default: object) -> str:
    if default is None:
        return "none"
    return "one as below" if _is_list_of_tables(default) else _literal(default)


def _literal(value: object) -> str:
    match value:
        case None:
            return '""'
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str() | Path():
            return _quoted(str(value))
        case tuple():
            return "[" + ", ".join(map(_literal, value)) + "]"
    raise TypeError(f"no TOML for {value!r}")


def _quoted(text: str) -> str:
    """Write a TOML basic string; control characters are escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}" for c in escaped) + '"'
