"""The package as others install it: ``pip install .`` into an empty virtual environment."""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest
from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parent.parent

#: What a checkout holds beside what is built from.
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "var", "build", "dist", "*.egg-info", "__pycache__", ".*_cache"
)

slow = [pytest.mark.slow, pytest.mark.timeout(600)]


class SourceTests(SynchronousTestCase):
    """What the source tree must and must not hold."""

    def test_plugin_folder(self) -> None:
        """Twisted skips a plugin folder that is a package: there is never an ``__init__.py``."""
        self.assertFalse(list((ROOT / "twisted").rglob("__init__.py")))
        self.assertTrue((ROOT / "twisted" / "plugins" / "pchat_plugin.py").exists())

    def test_licence(self) -> None:
        """The licence is there in full."""
        text = (ROOT / "LICENSE").read_text()
        self.assertIn("Apache License", text)
        self.assertIn("END OF TERMS AND CONDITIONS", text)

    def test_system_packages(self) -> None:
        """CI installs the Debian packages that the real-client and tracing tests need."""
        lines = (ROOT / "requirements-system.txt").read_text().splitlines()
        packages = {line.strip() for line in lines if line.strip() and not line.startswith("#")}
        self.assertLessEqual({"pidgin-sipe", "strace"}, packages)


#: What is imported under another name than it is installed by.
MODULES = {
    "openapi-spec-validator": "openapi_spec_validator",
    "pyopenssl": "OpenSSL",
    "pyspnego": "spnego",
    "pytest-twisted": "pytest_twisted",
    "zope.interface": "zope",
}
#: What the test extra brings for its programs, plug-ins and stubs; nobody imports it.
TOOLS = {
    *("lxml-stubs", "types-jsonschema", "types-pyopenssl", "mypy", "mypy-zope", "ruff"),
    *("pytest-timeout", "schemathesis", "towncrier"),
}


def requirements(section: str, key: str) -> dict[str, str]:
    """Read requirements of setup.cfg: versions by name in lower case."""
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg")
    lines = parser[section][key].split("\n")
    parts = (line.partition(" ") for line in lines if line)
    return {name.partition("[")[0].lower(): versions for name, _, versions in parts}


def imported(*folders: str) -> set[str]:
    """Tell the names of other people's packages that the modules of some folders import."""
    found = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
                found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names - {"pchat", "tests", "bench"}


class RequirementTests(SynchronousTestCase):
    """What setup.cfg asks for is what is used."""

    def modules(self, names: Iterable[str]) -> set[str]:
        return {MODULES.get(name, name) for name in names}

    def test_server(self) -> None:
        """The server needs what it imports and nothing else."""
        needed = self.modules(requirements("options", "install_requires"))
        self.assertEqual(imported("pchat", "twisted"), needed)

    def test_tests(self) -> None:
        """The test extra brings what tests and benchmarks import beside that, and tools."""
        needed = self.modules(requirements("options", "install_requires"))
        more = requirements("options.extras_require", "test").keys() - TOOLS
        self.assertEqual(imported("tests", "bench") - needed, self.modules(more))

    def test_bounds(self) -> None:
        """No release that nobody has tried is taken by itself: every requirement has both bounds."""
        for where in (("options", "install_requires"), ("options.extras_require", "test")):
            for name, versions in requirements(*where).items():
                self.assertRegex(versions, r"^>=[\d.]+, <[\d.]+$", name)


@pytest.fixture(scope="module")
def installed() -> Iterator[Path]:
    """Install pchat into an empty environment; its path."""
    with tempfile.TemporaryDirectory(prefix="pchat-") as base:
        source, environment = Path(base) / "source", Path(base) / "venv"
        shutil.copytree(ROOT, source, ignore=LEFT_OUT)
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        pip = environment / "bin" / "pip"
        subprocess.run([pip, "install", "--quiet", "--disable-pip-version-check", source], check=True)
        yield environment


def run(environment: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program of the environment, somewhere that is not the source tree."""
    command = [environment / "bin" / words[0], *words[1:]]
    # A PYTHONPATH of ours would hide what the package forgot to install.
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        command, cwd=environment, env=outside, capture_output=True, text=True, timeout=60, check=False
    )


class TestInstalled:
    """The installed package, from the shell."""

    pytestmark = slow

    def test_twistd_knows_pchat(self, installed: Path) -> None:
        """``twistd --help`` lists pchat, and ``twistd pchat --help`` its option."""
        listed = run(installed, "twistd", "--help")
        assert listed.returncode == 0, listed.stderr
        assert [line for line in listed.stdout.splitlines() if line.split()[:1] == ["pchat"]]
        assert "--config=" in run(installed, "twistd", "pchat", "--help").stdout

    def test_what_is_installed(self, installed: Path) -> None:
        """Schema steps and the typing mark come along; tests and a file that would hide Twisted do not."""
        (packages,) = installed.glob("lib/python*/site-packages")
        steps = {path.name for path in (packages / "pchat" / "store" / "steps").glob("*.sql")}
        assert steps == {path.name for path in (ROOT / "pchat" / "store" / "steps").glob("*.sql")}
        assert (packages / "pchat" / "py.typed").exists()
        assert not (packages / "tests").exists()
        assert not (packages / "bench").exists()
        (about,) = packages.glob("pchat-*.dist-info")
        assert (about / "licenses" / "LICENSE").exists()
        ours = {line.partition(",")[0] for line in (about / "RECORD").read_text().splitlines()}
        assert "twisted/plugins/pchat_plugin.py" in ours
        assert "twisted/plugins/__init__.py" not in ours

    def test_every_module_imports(self, installed: Path) -> None:
        """No module needs what only the test extra brings."""
        script = (
            "import importlib, pkgutil, pchat\n"
            "for module in pkgutil.walk_packages(pchat.__path__, 'pchat.'):\n"
            "    importlib.import_module(module.name)\n"
        )
        done = run(installed, "python", "-c", script)
        assert done.returncode == 0, done.stderr

    def test_wrong_configuration(self, installed: Path, tmp_path: Path) -> None:
        """A broken pchat.toml is one line that names the key, and status 1, whichever way it is started."""
        broken = tmp_path / "pchat.toml"
        broken.write_text("[sip.limits]\nheaders = 0\n")
        pid_file = f"--pidfile={tmp_path / 'pid'}"
        for command in (
            ("twistd", "-n", pid_file, "pchat", "--config", broken),
            ("pchatctl", "--config", broken, "serve"),
        ):
            done = run(installed, *command)
            assert done.returncode == 1, done
            lines = done.stderr.strip().splitlines()
            assert len(lines) == 1, done.stderr
            assert "sip.limits.headers: must be from 1 to 1000000" in lines[0]

    def test_start_and_stop(self, installed: Path) -> None:
        """init, then serve in each of the three ways: it says that it listens, logs JSON, ends with 0."""
        with tempfile.TemporaryDirectory(prefix="pchat-") as base:
            home = Path(base) / "home"
            listen = ("--sip-listen", "127.0.0.1:0", "--web-listen", "127.0.0.1:0")
            made = run(installed, "pchatctl", "init", home, "--demo", *listen)
            assert made.returncode == 0, made.stderr
            config = home / "pchat.toml"
            pid_file = f"--pidfile={home / 'run' / 'twistd.pid'}"
            ways: list[list[str | Path]] = [
                ["pchatctl", "--config", config, "serve"],
                ["twistd", "-n", "pchat", "--config", config],
                ["twistd", "-n", pid_file, "-y", ROOT / "pchat.tac"],
            ]
            for command in ways:
                # What a killed server or a full disk left is in nobody's way.
                (home / "run" / "twistd.pid").write_text("")
                if pid_file in command:
                    (home / "run" / "twistd.pid").unlink()
                self.start_and_stop(installed, command, config)
            assert not (installed / "twistd.pid").exists()

    @staticmethod
    def start_and_stop(installed: Path, command: list[str | Path], config: Path) -> None:
        """Start a server, wait until it listens, and end it by SIGTERM."""
        outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        log_path = config.parent / "log"
        with log_path.open("w") as log:
            process = subprocess.Popen(
                [installed / "bin" / command[0], *command[1:]],
                cwd=installed,
                env={**outside, "PCHAT_CONFIG": str(config)},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "pchat listens.\n", log_path.read_text()
            pid_file = config.parent / "run" / "twistd.pid"
            assert int(pid_file.read_text()) == process.pid
            process.send_signal(signal.SIGTERM)
            told = process.stdout.read()
            status = process.wait(timeout=10)
        finally:
            process.kill()
            process.wait()
        assert status == 0, log_path.read_text()
        assert "demo-accounts.json" in told
        assert not pid_file.exists()
        events = [json.loads(line) for line in log_path.read_text().splitlines()]
        assert events
        assert not [event for event in events if "traceback" in event]
