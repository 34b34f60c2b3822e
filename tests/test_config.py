"""`pchat.config`: what an operator may write into ``pchat.toml``, and what he is told when it is wrong."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pchat.admin.authority import ServerIdentity, make_identity
from pchat.config import Config, LogConfig, ServerConfig, load_config, render_config
from pchat.config.sections import split_address
from pchat.errors import ConfigError
from pchat.sip.connection import ConnectionLimits
from pchat.sip.dialog import InfoLimits
from pchat.sip.stream import StreamLimits
from pchat.xccos.limits import XmlLimits

_identity: list[ServerIdentity] = []


def identity() -> ServerIdentity:
    """Make a certificate once for all tests: RSA keys take a while."""
    if not _identity:
        _identity.append(make_identity(["localhost"], "example.com", datetime(2026, 1, 1, tzinfo=UTC)))
    return _identity[0]


class ConfigCase(SynchronousTestCase):
    """A directory with a certificate, as init makes it."""

    def setUp(self) -> None:
        # Not mktemp(): its path may be too long for a UNIX socket.
        made = tempfile.TemporaryDirectory(prefix="pchat-")
        self.addCleanup(made.cleanup)
        self.home = Path(made.name).resolve()
        (self.home / "tls").mkdir()
        (self.home / "tls" / "server.pem").write_bytes(identity().certificate)
        (self.home / "tls" / "server.key").write_bytes(identity().key)

    def load(self, text: str) -> Config:
        path = self.home / "pchat.toml"
        path.write_text(text, encoding="utf-8")
        return load_config(path)

    def assert_refused(self, text: str, key: str, problem: str = "") -> None:
        error = self.assertRaises(ConfigError, self.load, text)
        self.assertEqual(key, error.path)
        self.assertIn(problem, error.problem)
        self.assertNotIn("\n", str(error))
        self.assertTrue(str(error).startswith(f"{key}: "))


class GoodTests(ConfigCase):
    """Files that are accepted."""

    def test_empty(self) -> None:
        """An empty file is a whole configuration: every key has a default."""
        config = self.load("")
        self.assertEqual(("ntlm",), config.auth.schemes)
        self.assertTrue(config.compliance.enabled)
        self.assertEqual("127.0.0.1:5061", config.sip.listeners[0].address)
        self.assertEqual(64, config.sip.limits.outstanding_infos)

    def test_relative_paths(self) -> None:
        """A relative path begins where the file is, not where the server was started."""
        config = self.load('[server]\ndata = "../kept"\n[log]\nfile = "/var/log/pchat.json"')
        self.assertEqual(self.home.parent / "kept", config.server.data)
        self.assertEqual(self.home / "run" / "admin.sock", config.server.admin_socket)
        self.assertEqual(self.home / "run" / "twistd.pid", config.server.pid_file)
        self.assertEqual(self.home / "tls" / "server.pem", config.sip.listeners[0].certificate)
        self.assertEqual(Path("/var/log/pchat.json"), config.log.file)
        self.assertEqual(self.home.parent / "kept" / "pchat.sqlite", config.database)

    def test_filled_in(self) -> None:
        """What is left empty follows from the domain and the listeners."""
        config = self.load('[server]\ndomain = "Chat.Example.ORG"')
        self.assertEqual("chat.example.org", config.server.domain)
        self.assertEqual("frontend.chat.example.org", config.server.host)
        self.assertEqual("CHAT", config.auth.netbios_domain)
        self.assertEqual("https://frontend.chat.example.org:8443", config.web.public_url)

    def test_tcp(self) -> None:
        """A listener without TLS needs no certificate, and names none."""
        config = self.load('[[sip.listeners]]\naddress = "[::1]:0"\ntransport = "tcp"\n[web]\nlisteners = []')
        listener = config.sip.listeners[0]
        self.assertEqual(("::1", 0), (listener.host, listener.port))
        self.assertIsNone(listener.certificate)
        self.assertIsNone(listener.key)
        self.assertEqual((), config.web.listeners)

    def test_generated_file(self) -> None:
        """The generated file says the same as no file, and has a comment above every key."""
        text = render_config(Config())
        self.assertEqual(self.load(""), self.load(text))
        lines = text.splitlines()
        keys = [number for number, line in enumerate(lines) if " = " in line and not line.startswith("# ")]
        self.assertGreater(len(keys), 30)
        for number in keys:
            self.assertTrue(lines[number - 1].startswith("# "), lines[number])

    @settings(max_examples=50, deadline=None)
    @given(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=80)
    )
    def test_any_path(self, name: str) -> None:
        """Whatever a path is called, the generated file reads back as the same path."""
        path = Path("/") / name.lstrip("/")
        config = Config(server=ServerConfig(data=path), log=LogConfig(file=path))
        loaded = self.load(render_config(config))
        self.assertEqual(Path(os.path.normpath(path)), loaded.server.data)
        self.assertEqual(Path(os.path.normpath(path)), loaded.log.file)


class BadTests(ConfigCase):
    """Files that stop the start with one line that names the key."""

    def test_unknown_key(self) -> None:
        """A misspelt key is told, wherever it stands."""
        self.assert_refused("[sipp]", "sipp", "not a known key")
        self.assert_refused("[sip.limits]\nconections = 1", "sip.limits.conections", "not a known key")
        self.assert_refused(
            '[[sip.listeners]]\n[[sip.listeners]]\n"a\\nb" = 1', 'sip.listeners[1]."a\\nb"', "not a known key"
        )

    def test_wrong_kind(self) -> None:
        """Nothing is turned into another kind of value."""
        self.assert_refused('[sip.limits]\nheaders = "5"', "sip.limits.headers", "whole number")
        self.assert_refused("[sip.limits]\nheaders = true", "sip.limits.headers", "whole number")
        self.assert_refused("[compliance]\nenabled = 1", "compliance.enabled", "true or false")
        self.assert_refused("[server]\nname = 5", "server.name", "text")
        self.assert_refused("[server]\ndata = []", "server.data", "text")
        self.assert_refused("sip = 5", "sip", "table")
        self.assert_refused("[sip.listeners]", "sip.listeners", "list")
        self.assert_refused("[sip]\nlisteners = [5]", "sip.listeners[0]", "table")
        self.assert_refused('[auth]\nschemes = "ntlm"', "auth.schemes", "list")

    def test_out_of_range(self) -> None:
        """Numbers have a least and a greatest value, which are told."""
        self.assert_refused("[sip.limits]\nheaders = 0", "sip.limits.headers", "from 1 to 1000000")
        self.assert_refused("[web.limits]\nbody_bytes = 1", "web.limits.body_bytes", "from 1024 to")

    def test_choices(self) -> None:
        """A word that is not among the choices is answered by the choices."""
        self.assert_refused('[log]\nlevel = "loud"', "log.level", '"debug" or "info"')
        self.assert_refused('[auth]\nschemes = ["ntlm", "magic"]', "auth.schemes[1]", '"ntlm"')
        self.assert_refused("[auth]\nschemes = [[]]", "auth.schemes[0]", '"ntlm"')

    def test_forms(self) -> None:
        """Domains, addresses and names are checked before anything listens."""
        self.assert_refused('[server]\ndomain = "exa mple"', "server.domain", "domain name")
        self.assert_refused(f'[server]\ndomain = "{"a." * 130}com"', "server.domain", "domain name")
        self.assert_refused('[server]\nname = "a\\u0007"', "server.name", "letters")
        self.assert_refused('[auth]\nnetbios_domain = "ABCDEFGHIJKLMNOP"', "auth.netbios_domain", "15")
        self.assert_refused('[web]\npublic_url = "ftp://a"', "web.public_url", "web address")
        for address in ("5061", "::1:5061", "localhost", "localhost:", "a:65536", "a:\u0665", "[]:1"):
            self.assert_refused(
                f'[[sip.listeners]]\naddress = "{address}"', "sip.listeners[0].address", "address"
            )

    def test_not_yet(self) -> None:
        """What this version cannot do is refused rather than left out silently."""
        self.assert_refused('[store]\nurl = "postgresql://db/pchat"', "store.url", "not supported")
        self.assert_refused(
            '[[sip.listeners]]\nmode = "trusted-peer"', "sip.listeners[0].mode", "not supported"
        )

    def test_certificates(self) -> None:
        """A certificate that cannot be read, is none, or has another key, is told by its listener."""
        tls = self.home / "tls"
        self.assert_refused(
            '[[sip.listeners]]\ncertificate = "tls/none.pem"', "sip.listeners[0].certificate", "No such file"
        )
        self.assert_refused('[[web.listeners]]\nkey = "tls"', "web.listeners[0].key", "Is a directory")
        (tls / "server.key").write_bytes(b"no key")
        self.assert_refused("", "sip.listeners[0].key", "no PEM private key")
        other = make_identity(["localhost"], "example.com", datetime(2026, 1, 1, tzinfo=UTC))
        (tls / "server.key").write_bytes(other.key)
        self.assert_refused("", "sip.listeners[0].key", "does not belong")
        (tls / "server.pem").write_bytes(b"no certificate")
        self.assert_refused("", "sip.listeners[0].certificate", "no PEM certificate")

    def test_whole(self) -> None:
        """What only two keys together show is refused too."""
        self.assert_refused("[sip]\nlisteners = []", "sip.listeners", "at least one")
        self.assert_refused("[auth]\nschemes = []", "auth.schemes", "at least one")
        self.assert_refused(
            '[[web.listeners]]\naddress = "127.0.0.1:5061"', "web.listeners[0].address", "sip.listeners[0]"
        )
        self.assert_refused(f'[server]\nrun = "{"r" * 100}"', "server.run", "too long for a UNIX socket")

    def test_unreadable(self) -> None:
        """A file that is missing, not TOML or not UTF-8 is told by its path."""
        path = str(self.home / "pchat.toml")
        self.assertIn("No such file", str(self.assertRaises(ConfigError, load_config, path)))
        self.assert_refused("[server", path, "not TOML")
        self.assert_refused("a = " + "[" * 5_000, path, "not TOML")
        self.assert_refused("#" * (1 << 20) + "\n", path, "larger than")
        Path(path).write_bytes(b"# \xff")
        self.assertIn("not UTF-8", str(self.assertRaises(ConfigError, load_config, path)))


class LimitTests(SynchronousTestCase):
    """Limits are told to operators in one place; the parts that obey them have no others of their own."""

    def test_inner_defaults(self) -> None:
        """A part that is built without a configuration has the limits that the configuration shows."""
        shown = Config().sip.limits
        self.assertEqual(
            StreamLimits(
                head_bytes=shown.head_bytes,
                body_bytes=shown.body_bytes,
                header_count=shown.headers,
                line_bytes=shown.line_bytes,
            ),
            StreamLimits(),
        )
        self.assertEqual(XmlLimits(body_bytes=shown.body_bytes), XmlLimits())
        self.assertEqual(
            InfoLimits(shown.outstanding_infos, shown.pending_infos, shown.unsent_bytes), InfoLimits()
        )
        self.assertEqual(
            ConnectionLimits(
                sign_in_seconds=shown.sign_in_seconds,
                idle_seconds=shown.idle_seconds,
                unsent_bytes=shown.unsent_bytes,
                response_seconds=shown.response_seconds,
            ),
            ConnectionLimits(),
        )


class AddressTests(SynchronousTestCase):
    """`split_address`."""

    def test_forms(self) -> None:
        """Names, IPv4 and bracketed IPv6 are split at the last colon."""
        self.assertEqual(("0.0.0.0", 5061), split_address("0.0.0.0:5061"))
        self.assertEqual(("::", 0), split_address("[::]:0"))
        self.assertEqual(("chat.example.com", 443), split_address("chat.example.com:443"))

    def test_immutable(self) -> None:
        """The configuration of a running server cannot be changed by accident."""
        with self.assertRaises(attrs.exceptions.FrozenInstanceError):
            Config().log.level = "debug"  # type: ignore[misc]  # this is what must fail
