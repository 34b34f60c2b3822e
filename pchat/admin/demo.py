"""``pchatctl init --demo``: three accounts, a category and two rooms, by the same rules as everything."""

from __future__ import annotations

import json
import secrets
from base64 import b32encode
from pathlib import Path

from twisted.internet.defer import ensureDeferred

from pchat.admin.offline import WallClock, at_once
from pchat.admin.setup import write_private
from pchat.config import Config, load_config
from pchat.foundation import assemble_administration, open_store
from pchat.interfaces import Random
from pchat.ops.announcement import DEMO_ACCOUNTS
from pchat.rooms.administration import Administration
from pchat.rooms.room import Role

#: Who did it, in the record of changes.
ACTOR = "pchatctl init"
USERS = ("alice", "bob", "carol")
#: 80 random bits are 16 letters and digits: long enough for ever, short enough to type.
PASSWORD_BYTES = 10


def fill_demo(config_path: Path) -> None:
    """Put the demo into the new store of a configuration, and the passwords beside the configuration.

    Args:
        config_path: As `pchat.admin.setup.set_up` gives it to its ``fill``.

    Raises:
        OperatorError: The store cannot be opened, or the rules refuse something.
    """
    config = load_config(config_path)
    accounts = at_once(ensureDeferred(_fill(config)))
    write_private(config_path.parent / DEMO_ACCOUNTS, json.dumps(accounts, indent=2).encode() + b"\n")


async def _fill(config: Config) -> dict[str, str]:
    clock = WallClock()
    store = open_store(config, clock, secrets.token_bytes)
    await store.start()
    try:
        parts = await assemble_administration(config, store, clock, secrets.token_bytes)
        return await furnish(parts.administration, config.server.domain, secrets.token_bytes)
    finally:
        await store.stop()


async def furnish(administration: Administration, domain: str, random: Random) -> dict[str, str]:
    """Make the demo's accounts, policy, category and rooms.

    Args:
        administration: Of an empty store, loaded.
        domain: SIP domain of the accounts.
        random: Source of the passwords.

    Returns:
        Password by ``user@domain``.

    Source: docs/operating.md "Installing".
    """
    accounts = {f"{name}@{domain}": _password(random) for name in USERS}
    for address, password in accounts.items():
        name = address.partition("@")[0].capitalize()
        await administration.people.add_user(ACTOR, f"sip:{address}", password=password, display_name=name)
    await administration.people.set_policy(ACTOR, True)
    await administration.categories.add_category(
        ACTOR, "Demo", description="Everybody of the domain may use it", allowed=[domain]
    )
    alice, bob, _ = (f"sip:{address}" for address in accounts)
    await administration.rooms.add_room(
        ACTOR, "Lobby", category="Demo", privacy="open", description="Open to everybody"
    )
    await administration.rooms.add_room(
        ACTOR, "Ops", category="Demo", privacy="closed", description="For its members"
    )
    await administration.rooms.add_role(ACTOR, "Ops", Role.MEMBER, [alice, bob])
    await administration.rooms.add_role(ACTOR, "Ops", Role.MANAGER, [alice])
    return accounts


def _password(random: Random) -> str:
    return b32encode(random(PASSWORD_BYTES)).decode("ascii").lower()
