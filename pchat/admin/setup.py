"""``pchatctl init DIR``: a directory from which a server starts.

What fails half way is taken away again, so that the command can be repeated.

Source: docs/operating.md "Installing".
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from attrs import frozen

from pchat.admin.authority import make_identity
from pchat.config import (
    Config,
    ServerConfig,
    SipConfig,
    SipListener,
    StoreConfig,
    WebConfig,
    WebListener,
    load_config,
    render_config,
)
from pchat.config.forms import FORMS, SOCKET_PATH_BYTES
from pchat.config.sections import split_address
from pchat.errors import ConfigError, OperatorError

CONFIG_FILE = "pchat.toml"


@frozen
class Wishes:
    """The options of ``pchatctl init``.

    Args:
        domain: SIP domain of the users.
        sip_listen: Address and port for SIP clients.
        web_listen: Address and port for browsers.
        store: ``sqlite``.
    """

    domain: str = "example.com"
    sip_listen: str = "127.0.0.1:5061"
    web_listen: str = "127.0.0.1:8443"
    store: str = "sqlite"


def set_up(
    directory: Path | str,
    wishes: Wishes,
    *,
    fill: Callable[[Path], None] | None = None,
    host_name: Callable[[], str] = socket.gethostname,
) -> Path:
    """Make a server's directory.

    Args:
        directory: New or empty.
        wishes: What the operator asked for.
        fill: Called last with the path of the configuration, to put the demo into the store;
            it must close what it opened.
        host_name: Tells this machine's name, for the certificate.

    Returns:
        The path of the configuration file.

    Raises:
        OperatorError: The directory or an option is refused; nothing was left behind.
    """
    home = Path(os.path.normpath(Path(directory).absolute()))
    config = _config(wishes)
    _check_directory(home, config)
    existed = home.exists()
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.chmod(0o700)
        _write_all(home, config, _names(config, host_name()))
        if fill is not None:
            fill(home / CONFIG_FILE)
    except BaseException as error:
        _take_away(home, existed)
        if isinstance(error, OSError):
            raise OperatorError(f"{home}: cannot be made: {error.strerror}") from error
        raise
    return home / CONFIG_FILE


def _take_away(home: Path, existed: bool) -> None:
    """Undo a set-up that failed; the directory itself stays if the operator had made it."""
    if not existed:
        shutil.rmtree(home, ignore_errors=True)
        return
    for child in home.iterdir():
        if child.is_dir():
            shutil.rmtree(child, ignore_errors=True)
        else:
            child.unlink(missing_ok=True)


def _config(wishes: Wishes) -> Config:
    for option, form, text in (
        ("--domain", "domain", wishes.domain),
        ("--sip-listen", "address", wishes.sip_listen),
        ("--web-listen", "address", wishes.web_listen),
        ("--store", "store", wishes.store),
    ):
        try:
            FORMS[form](text)
        except ValueError as error:
            raise ConfigError(option, str(error)) from error
    return Config(
        server=ServerConfig(domain=wishes.domain.lower()),
        sip=SipConfig(listeners=(SipListener(address=wishes.sip_listen),)),
        store=StoreConfig(url=wishes.store),
        web=WebConfig(listeners=(WebListener(address=wishes.web_listen),)),
    )


def _check_directory(directory: Path, config: Config) -> None:
    socket_path = directory / config.server.admin_socket
    if len(os.fsencode(socket_path)) > SOCKET_PATH_BYTES:
        raise OperatorError(
            f"{directory}: the path is too long: {config.server.admin_socket} in it would have more than the"
            f" {SOCKET_PATH_BYTES} bytes of a UNIX socket's path; choose a directory with a shorter path"
        )
    try:
        if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
            raise OperatorError(f"{directory}: is not a directory")
        if directory.exists() and any(directory.iterdir()):
            raise OperatorError(f"{directory}: is not empty; init needs a new or an empty directory")
    except OSError as error:
        raise OperatorError(f"{directory}: cannot be read: {error.strerror}") from error


def _write_all(directory: Path, config: Config, names: list[str]) -> None:
    for name in ("tls", config.server.data, config.server.run):
        (directory / name).mkdir(mode=0o700)
    identity = make_identity(names, config.server.domain, datetime.now(UTC))
    write_private(directory / "tls" / "ca.pem", identity.authority)
    write_private(directory / "tls" / "server.pem", identity.certificate)
    write_private(directory / "tls" / "server.key", identity.key)
    path = directory / CONFIG_FILE
    write_private(path, render_config(config).encode())
    load_config(path)  # what init writes, serve must accept


def write_private(path: Path, content: bytes) -> None:
    """Write a new file that only its owner may read, whatever the umask is.

    Raises:
        OSError: It exists, or cannot be written.
    """
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(number, "wb") as file:
        os.fchmod(number, 0o600)
        file.write(content)


def _names(config: Config, host_name: str) -> list[str]:
    """List what clients may call the server, for its certificate; the first is its own name."""
    names = [f"frontend.{config.server.domain}", "localhost", "127.0.0.1"]
    listeners: list[SipListener | WebListener] = [*config.sip.listeners, *config.web.listeners]
    names += [split_address(listener.address)[0] for listener in listeners]
    names.append(host_name)
    return list(dict.fromkeys(name.lower() for name in names if _may_be_certified(name)))


def _may_be_certified(name: str) -> bool:
    """Tell whether a certificate can hold it: 0.0.0.0 stands for no address, a host name may be malformed."""
    try:
        return not ip_address(name).is_unspecified
    except ValueError:
        pass
    try:
        FORMS["domain"](name)
    except ValueError:
        return False
    return True
