"""A whole server in this process, asked over HTTPS how it is; run by pytest-twisted, on the real reactor."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, readBody

from pchat.admin.setup import Wishes, set_up
from pchat.config import load_config
from pchat.listening import ChatServer


@pytest_twisted.async_yield_fixture
async def server(tmp_path: Path) -> AsyncIterator[ChatServer]:
    """A server made by ``pchatctl init`` that listens on free ports."""
    config = set_up(tmp_path / "pchat", Wishes(sip_listen="127.0.0.1:0", web_listen="127.0.0.1:0"))
    chat_server = ChatServer(load_config(config), reactor)
    chat_server.startService()
    await chat_server.listening
    yield chat_server
    await chat_server.stopService()


async def ask(server: ChatServer, tmp_path: Path, path: str) -> tuple[int, Any]:
    """Ask by HTTPS, trusting the CA that init made."""
    authority = Certificate.loadPEM((tmp_path / "pchat" / "tls" / "ca.pem").read_bytes())
    policy = BrowserLikePolicyForHTTPS(trustRootFromCertificates([authority]))
    agent = Agent(reactor, policy)
    response = await agent.request(b"GET", f"https://{server.addresses['web'][0]}{path}".encode())
    return response.code, json.loads(await readBody(response))


@pytest_twisted.ensureDeferred
async def test_ready(server: ChatServer, tmp_path: Path) -> None:
    """A server that listens is live and ready."""
    assert await ask(server, tmp_path, "/health/live") == (200, {"status": "live"})
    assert await ask(server, tmp_path, "/health/ready") == (
        200,
        {"status": "ready", "checks": {"store": "ok"}},
    )


@pytest_twisted.ensureDeferred
async def test_not_ready_without_its_store(server: ChatServer, tmp_path: Path) -> None:
    """A server whose store is gone is live, but not ready: a load balancer sends nobody there."""
    assert server.parts is not None
    await server.parts.base.store.stop()
    assert (await ask(server, tmp_path, "/health/live"))[0] == 200
    expected = {"status": "not ready", "checks": {"store": "failed"}}
    assert await ask(server, tmp_path, "/health/ready") == (503, expected)
