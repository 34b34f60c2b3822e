"""`pchat.admin.setup` and `pchat.admin.demo`: what ``pchatctl init`` leaves in a directory."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import tempfile
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from pchat.admin.demo import fill_demo
from pchat.admin.setup import Wishes, set_up
from pchat.config import load_config
from pchat.config.forms import SOCKET_PATH_BYTES
from pchat.errors import OperatorError


class SetupCase(SynchronousTestCase):
    """A short path in which directories can be set up."""

    def setUp(self) -> None:
        made = tempfile.TemporaryDirectory(prefix="pchat-")
        self.addCleanup(made.cleanup)
        self.base = Path(made.name).resolve()
        self.home = self.base / "home"


class DirectoryTests(SetupCase):
    """The directory and its files."""

    def test_made(self) -> None:
        """init makes a configuration that loads, certificates and empty directories, all private."""
        old = os.umask(0)
        self.addCleanup(os.umask, old)
        path = set_up(self.home, Wishes(domain="Example.ORG", sip_listen="[::1]:5061"))
        self.assertEqual(self.home / "pchat.toml", path)
        config = load_config(path)
        self.assertEqual("example.org", config.server.domain)
        self.assertEqual("[::1]:5061", config.sip.listeners[0].address)
        self.assertEqual(self.home / "tls" / "server.pem", config.sip.listeners[0].certificate)
        found = {str(file.relative_to(self.home)) for file in self.home.rglob("*")}
        files = {"pchat.toml", "tls/ca.pem", "tls/server.pem", "tls/server.key"}
        self.assertEqual(files | {"tls", "data", "run"}, found)
        for file in self.home.rglob("*"):
            mode = stat.S_IMODE(file.stat().st_mode)
            self.assertEqual(0o700 if file.is_dir() else 0o600, mode, file)
        self.assertEqual(0o700, stat.S_IMODE(self.home.stat().st_mode))

    def test_empty_directory(self) -> None:
        """An empty directory that the operator made is used."""
        self.home.mkdir(mode=0o755)
        set_up(self.home, Wishes())
        self.assertTrue((self.home / "pchat.toml").exists())

    def assert_refused(self, directory: Path, wishes: Wishes, text: str) -> None:
        error = self.assertRaises(OperatorError, set_up, directory, wishes)
        self.assertIn(text, str(error))
        self.assertNotIn("\n", str(error))

    def test_not_empty(self) -> None:
        """A directory with anything in it is refused and stays as it is."""
        self.home.mkdir()
        (self.home / "precious").write_text("data")
        self.assert_refused(self.home, Wishes(), "is not empty")
        self.assertEqual(["precious"], [file.name for file in self.home.iterdir()])

    def test_not_a_directory(self) -> None:
        """A file is refused, and so is a directory below a file."""
        self.home.write_text("data")
        self.assert_refused(self.home, Wishes(), "is not a directory")
        self.assert_refused(self.home / "below", Wishes(), "Not a directory")
        self.assertEqual("data", self.home.read_text())

    def test_long_path(self) -> None:
        """A path too long for the socket of pchatctl is refused at once, one that just fits is not."""
        room = SOCKET_PATH_BYTES - len(os.fsencode(self.base / "x" / "run" / "admin.sock")) + 1
        self.assert_refused(self.base / ("x" * (room + 1)), Wishes(), "too long")
        self.assertEqual([], list(self.base.iterdir()))
        set_up(self.base / ("x" * room), Wishes())

    def test_bad_options(self) -> None:
        """A bad option is told by its name, before anything is made."""
        self.assert_refused(self.home, Wishes(domain="not a domain"), "--domain: ")
        self.assert_refused(self.home, Wishes(sip_listen="5061"), "--sip-listen: ")
        self.assert_refused(self.home, Wishes(web_listen="::1:1"), "--web-listen: ")
        self.assert_refused(self.home, Wishes(store="postgresql://a"), "--store: ")
        self.assertFalse(self.home.exists())

    def test_taken_away(self) -> None:
        """What fails half way is taken away, but not a directory that was there before."""

        def fill(path: Path) -> None:
            self.assertTrue(path.exists())
            raise OperatorError("no")

        self.assertRaises(OperatorError, set_up, self.home, Wishes(), fill=fill)
        self.assertFalse(self.home.exists())
        self.home.mkdir()
        self.assertRaises(OperatorError, set_up, self.home, Wishes(), fill=fill)
        self.assertEqual([], list(self.home.iterdir()))


class CertificateTests(SetupCase):
    """The CA and the server's certificate."""

    def setUp(self) -> None:
        super().setUp()
        wishes = Wishes(domain="example.org", sip_listen="192.0.2.7:5061", web_listen="[::]:8443")
        set_up(self.home, wishes, host_name=lambda: "chat_1")
        self.tls = self.home / "tls"
        self.authority = x509.load_pem_x509_certificate((self.tls / "ca.pem").read_bytes())
        self.server = x509.load_pem_x509_certificate((self.tls / "server.pem").read_bytes())

    def test_verified(self) -> None:
        """A client that trusts the CA accepts the server by each of its names, today and years from now."""
        for day in (datetime.now(UTC), datetime.now(UTC) + timedelta(days=3600)):
            builder = PolicyBuilder().store(Store([self.authority])).time(day)
            for name in ("frontend.example.org", "localhost"):
                builder.build_server_verifier(x509.DNSName(name)).verify(self.server, [])
            for address in ("127.0.0.1", "192.0.2.7"):
                builder.build_server_verifier(x509.IPAddress(ip_address(address))).verify(self.server, [])

    def test_names(self) -> None:
        """Addresses that stand for no machine, and malformed host names, are left out."""
        names = self.server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        self.assertEqual(["frontend.example.org", "localhost"], names.get_values_for_type(x509.DNSName))
        self.assertEqual(
            [ip_address("127.0.0.1"), ip_address("192.0.2.7")], names.get_values_for_type(x509.IPAddress)
        )

    def test_authority_cannot_be_abused(self) -> None:
        """The CA's key is nowhere, and each directory has a CA of its own."""
        self.assertFalse([file for file in self.home.rglob("*.key") if file.name != "server.key"])
        other = self.base / "other"
        set_up(other, Wishes())
        self.assertNotEqual((self.tls / "ca.pem").read_bytes(), (other / "tls" / "ca.pem").read_bytes())

    def test_openssl(self) -> None:
        """OpenSSL takes certificate and key for a server."""
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.use_certificate_chain_file(os.fspath(self.tls / "server.pem"))
        context.use_privatekey_file(os.fspath(self.tls / "server.key"))
        context.check_privatekey()


class DemoTests(SetupCase):
    """``--demo``."""

    def test_demo(self) -> None:
        """Three accounts with passwords of their own, an open and a closed room, and everybody may chat."""
        path = set_up(self.home, Wishes(domain="example.org"), fill=fill_demo)
        accounts_path = self.home / "demo-accounts.json"
        self.assertEqual(0o600, stat.S_IMODE(accounts_path.stat().st_mode))
        accounts = json.loads(accounts_path.read_text())
        self.assertEqual(["alice@example.org", "bob@example.org", "carol@example.org"], list(accounts))
        self.assertEqual(3, len(set(accounts.values())))
        for password in accounts.values():
            self.assertRegex(password, r"^[a-z2-7]{16}$")
        with sqlite3.connect(load_config(path).database) as store:
            rooms = store.execute("select name, privacy from rooms order by name").fetchall()
            roles = store.execute(
                "select r.name, p.uri, x.role from room_roles x join rooms r on r.room_id = x.room_id"
                " join principals p on p.principal_id = x.principal_id order by 1, 3, 2"
            ).fetchall()
        store.close()
        self.assertEqual([("Lobby", 6), ("Ops", 3)], rooms)
        self.assertEqual(
            [
                ("Ops", "sip:alice@example.org", "manager"),
                ("Ops", "sip:alice@example.org", "member"),
                ("Ops", "sip:bob@example.org", "member"),
            ],
            roles,
        )
