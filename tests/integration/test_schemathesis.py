"""The REST interface of a server process against its own description, as schemathesis finds ways to ask.

Every operation is asked with what the description allows and with what it forbids, without a token and with
wrong ones, with methods that are not there, and in sequences. No answer may be a failure of the server, have
another status, content type, header or content than described, or let in who has no token.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.server_process import ServerProcess

HERE = Path(__file__).parent
#: For each operation and phase; more find little more, and take longer than anybody waits for a test.
EXAMPLES = 10
LIMIT = 240.0
"""Seconds for a run, which takes about one minute on two cores that nobody else uses."""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_description_is_true(tmp_path: Path) -> None:
    """A whole run finds nothing, and afterwards the server and the token are as good as before."""
    with ServerProcess("--demo") as server:
        token = server.ctl("token", "add", "schemathesis", "--scope", "all")["token"]
        run = subprocess.run(
            [
                *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"),
                *("--config-file", str(HERE / "schemathesis.toml")),
                *("run", f"https://{server.web}/api/v1/openapi.json"),
                *("--tls-verify", str(server.authority), "--header", f"Authorization: Bearer {token}"),
                *("--phases", "coverage,fuzzing,stateful", "--max-examples", str(EXAMPLES), "--seed", "1"),
                *("--generation-database", "none", "--warnings", "off", "--no-color"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert run.returncode == 0, f"{run.stdout[-20_000:]}\n{run.stderr[-2_000:]}"
        assert "No issues found" in run.stdout, run.stdout[-2_000:]
        assert server.ctl("status")["running"]
        states = {shown["name"]: shown["state"] for shown in server.ctl("token", "list")}
        assert states["schemathesis"] == "active"
        log = server.log.read_text()
        assert "Traceback" not in log, server.log_tail()
        assert token not in log
