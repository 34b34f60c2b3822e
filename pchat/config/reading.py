"""From ``pchat.toml`` to `Config`; the first thing that is wrong is told in one line that names its key."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

import attrs

from pchat.config.certificates import check_key_pair
from pchat.config.forms import FORMS, NETBIOS_LENGTH, SOCKET_PATH_BYTES
from pchat.config.sections import Config, Form, Range, SipListener, WebListener
from pchat.errors import ConfigError

#: A configuration is some kB; a path that leads to something else is told, not read into memory.
FILE_BYTES = 1 << 20

_KINDS = {
    bool: "true or false",
    int: "a whole number",
    str: "a text in quotes",
    dict: "a table",
    list: "a list",
}
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")

T = TypeVar("T")


def load_config(path: Path | str, *, with_tls: bool = True) -> Config:
    """Read and check a configuration file.

    Args:
        path: The file; relative paths in it begin in its directory.
        with_tls: Whether certificates and keys are looked at; what only administers has no use for them.

    Returns:
        The configuration: paths are absolute, and what depends on other keys is filled in.

    Raises:
        ConfigError: Something is unreadable, unknown, of the wrong kind or out of range.
    """
    path = Path(path).absolute()
    config = cast(Config, _read(Config, _parse(path), ""))
    config = _complete(_absolute(config, path.parent))
    _check_whole(config)
    if with_tls:
        _check_key_pairs(config)
    return config


def _parse(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read: {error.strerror}") from error
    if len(content) > FILE_BYTES:
        raise ConfigError(str(path), f"is larger than {FILE_BYTES} bytes")
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), f"is not UTF-8 (byte {error.start})") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), f"is not TOML: {error}") from error
    except RecursionError as error:
        raise ConfigError(str(path), "is not TOML: too deep") from error


def _read(kind: Any, value: object, key: str) -> object:
    """Check a value of the file against the kind of its key; nothing is turned into another kind."""
    if attrs.has(kind):
        return _read_table(kind, _exactly(dict, value, key), key)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _check(arguments[1], _read(arguments[0], value, key), key)
    if origin is tuple:
        items = _exactly(list, value, key)
        return tuple(_read(arguments[0], item, f"{key}[{index}]") for index, item in enumerate(items))
    if origin is UnionType:  # "kind | None": a key that may be left out
        return _read(arguments[0], value, key)
    if origin is Literal:
        if value not in arguments or not isinstance(value, str):
            raise ConfigError(key, "must be " + " or ".join(f'"{choice}"' for choice in arguments))
        return value
    if kind is Path:
        return _read_path(_exactly(str, value, key), key)
    return _exactly(kind, value, key)


def _read_table(kind: type, table: dict[str, object], key: str) -> object:
    kinds = get_type_hints(kind, include_extras=True)
    prefix = f"{key}." if key else ""
    for name in table:
        if name not in kinds:
            shown = name if _BARE_KEY.fullmatch(name) else json.dumps(name[:64])
            raise ConfigError(prefix + shown, "is not a known key")
    return kind(**{name: _read(kinds[name], value, prefix + name) for name, value in table.items()})


def _read_path(text: str, key: str) -> Path:
    if not text or "\0" in text:
        raise ConfigError(key, "must be a path")
    return Path(text).expanduser() if text.startswith("~/") else Path(text)


def _exactly(kind: type[T], value: object, key: str) -> T:
    # bool is an int to Python, but "headers = true" is a mistake.
    if type(value) is not kind:
        raise ConfigError(key, f"must be {_KINDS[kind]}")
    return value


def _check(rule: object, value: object, key: str) -> object:
    if isinstance(rule, Range) and isinstance(value, int):
        if not rule.low <= value <= rule.high:
            raise ConfigError(key, f"must be from {rule.low} to {rule.high}")
        return value
    if isinstance(rule, Form) and isinstance(value, str):
        try:
            return FORMS[rule.name](value)
        except ValueError as error:
            raise ConfigError(key, str(error)) from error
    raise TypeError(f"{key}: no rule {rule!r} for {value!r}")


def _absolute(value: Any, base: Path) -> Any:
    """Let every relative path, given or default, begin in the directory of the file."""
    if isinstance(value, Path):
        return Path(os.path.normpath(base / value))
    if isinstance(value, tuple):
        return tuple(_absolute(item, base) for item in value)
    if attrs.has(type(value)):
        return attrs.evolve(
            value,
            **{
                field.name: _absolute(getattr(value, field.name), base) for field in attrs.fields(type(value))
            },
        )
    return value


def _complete(config: Config) -> Config:
    """Fill in what is left empty because it follows from other keys."""
    domain = config.server.domain
    server = attrs.evolve(config.server, host=config.server.host or f"frontend.{domain}")
    auth = config.auth
    if not auth.netbios_domain:
        auth = attrs.evolve(auth, netbios_domain=domain.partition(".")[0][:NETBIOS_LENGTH].upper())
    web = attrs.evolve(config.web, listeners=tuple(map(_without_tls, config.web.listeners)))
    if not web.public_url and web.listeners:
        first = web.listeners[0]
        scheme = "https" if first.transport == "tls" else "http"
        web = attrs.evolve(web, public_url=f"{scheme}://{server.host}:{first.port}")
    sip = attrs.evolve(config.sip, listeners=tuple(map(_without_tls, config.sip.listeners)))
    return attrs.evolve(config, server=server, auth=auth, sip=sip, web=web)


Listener = TypeVar("Listener", SipListener, WebListener)


def _without_tls(listener: Listener) -> Listener:
    if listener.transport == "tls":
        return listener
    return attrs.evolve(listener, certificate=None, key=None)


def _check_whole(config: Config) -> None:
    """Check what no key alone can tell."""
    if not config.sip.listeners:
        raise ConfigError("sip.listeners", "must name at least one listener")
    if not config.auth.schemes:
        raise ConfigError("auth.schemes", 'must name at least one way to sign in, such as "ntlm"')
    if len(os.fsencode(config.server.admin_socket)) > SOCKET_PATH_BYTES:
        raise ConfigError(
            "server.run",
            f"the path of {config.server.admin_socket.name} there is too long for a UNIX socket"
            f" (more than {SOCKET_PATH_BYTES} bytes); name a directory with a shorter path",
        )
    used: dict[str, str] = {}
    for key, listener in listeners_by_key(config):
        if listener.port and listener.address in used:
            raise ConfigError(f"{key}.address", f"is the address of {used[listener.address]} too")
        used[listener.address] = key
        if isinstance(listener, SipListener) and listener.mode == "trusted-peer":
            raise ConfigError(f"{key}.mode", '"trusted-peer" is not supported by this version')


def listeners_by_key(config: Config) -> list[tuple[str, SipListener | WebListener]]:
    """List all listeners with their places, such as ``sip.listeners[0]``."""
    sip = [(f"sip.listeners[{index}]", listener) for index, listener in enumerate(config.sip.listeners)]
    web = [(f"web.listeners[{index}]", listener) for index, listener in enumerate(config.web.listeners)]
    return [*sip, *web]


def _check_key_pairs(config: Config) -> None:
    for key, listener in listeners_by_key(config):
        if listener.certificate and listener.key:
            check_key_pair(listener.certificate, listener.key, key)
