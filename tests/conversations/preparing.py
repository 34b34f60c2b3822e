"""Sentences that set the stage, and what administrators, networks and time do.

The perfect tense ("Alice has joined Lobby") is preparation: what it causes on the wire is not shown.
The form of a sentence says what its function does.
"""

from __future__ import annotations

import re

from attrs import evolve

from pchat.rooms.names import fold
from pchat.rooms.room import Role
from tests.conversations import talking
from tests.conversations.comparing import text_difference
from tests.conversations.sentences import addresses, names, sentence
from tests.conversations.stage import ADMINISTRATOR, ScriptFailed, Stage

# -- the server


@sentence(r"The server asks for passwords(?P<digest> by digest)?")
def asks_for_passwords(stage: Stage, match: re.Match[str], body: str) -> None:
    stage.schemes = ("digest",) if match["digest"] else ("ntlm",)


@sentence(r"The server keeps its store on disk")
def keeps_on_disk(stage: Stage, match: re.Match[str], body: str) -> None:
    stage.keep_on_disk()


@sentence(r"The server's limit of (?P<name>[a-z-]+) is (?P<value>\d+)")
def has_limit(stage: Stage, match: re.Match[str], body: str) -> None:
    stage.limits = evolve(stage.limits, **{match["name"].replace("-", "_"): int(match["value"])})


@sentence(r"The server is (?P<how>killed|stopped) and started again")
def is_started_again(stage: Stage, match: re.Match[str], body: str) -> None:
    stage.restart(killed=match["how"] == "killed")


@sentence(r"The server is about to stop")
def is_about_to_stop(stage: Stage, match: re.Match[str], body: str) -> None:
    stage.server.parts.refuse_new()


@sentence(r"The store (?P<how>takes nothing|works again)")
def store_fails(stage: Stage, match: re.Match[str], body: str) -> None:
    # A store that is closed refuses; nothing of what it holds is touched.
    stage.server.store._open = match["how"] == "works again"


@sentence(r"(?P<seconds>\d+) (?P<unit>seconds?|minutes?|hours?) pass(?:es)?")
def time_passes(stage: Stage, match: re.Match[str], body: str) -> None:
    unit = {"s": 1, "m": 60, "h": 3600}[match["unit"][0]]
    stage.pass_time(int(match["seconds"]) * unit)


# -- what there is


@sentence(r"There (?:is a user|are users) NAMES")
def there_are_users(stage: Stage, match: re.Match[str], body: str) -> None:
    for name in names(match["names"]):
        uri = f"sip:{name.lower()}@example.com"
        password = None
        if stage.schemes != ("none",):
            password = stage.passwords[name.lower()] = f"secret of {name}"
        stage.do(stage.people.add_user(ADMINISTRATOR, uri, display_name=name, password=password))
    stage.events_before = len(stage.events())


@sentence(
    r"There is a category (?P<name>\w+) for (?P<allowed>.+?)(?: but not (?P<denied>.+?))?"
    r"(?P<silent>, without history)?(?P<inviting>, with invitations)?(?:, where NAMES makes? rooms)?"
)
def there_is_a_category(stage: Stage, match: re.Match[str], body: str) -> None:
    stage.do(
        stage.categories.add_category(
            ADMINISTRATOR,
            match["name"],
            allowed=principals(stage, match["allowed"]),
            denied=principals(stage, match["denied"]),
            chat_history=match["silent"] is None,
            invitations=match["inviting"] is not None,
            creators=principals(stage, match["names"]),
        )
    )
    stage.events_before = len(stage.events())


@sentence(
    r"There is an? (?P<privacy>open|closed|secret) (?P<kind>room|auditorium) (?P<name>\w+)"
    r" in (?P<category>\w+)(?: with (?P<roles>.+))?"
)
def there_is_a_room(stage: Stage, match: re.Match[str], body: str) -> None:
    stage.do(
        stage.rooms.add_room(
            ADMINISTRATOR,
            match["name"],
            category=match["category"],
            privacy=match["privacy"],
            behavior="auditorium" if match["kind"] == "auditorium" else "normal",
        )
    )
    for role, people in re.findall(r"(member|manager|presenter)s? ([A-Z]\w*(?:(?:, | and )[A-Z]\w*)*)",
                                   match["roles"] or ""):  # fmt: skip
        stage.do(stage.rooms.add_role(ADMINISTRATOR, match["name"], Role(role), principals(stage, people)))
    stage.events_before = len(stage.events())


@sentence(r"There is an add-in (?P<name>\w+) at (?P<url>https?://\S+)")
def there_is_an_addin(stage: Stage, match: re.Match[str], body: str) -> None:
    stage.do(stage.server.administration.addins.add_addin(ADMINISTRATOR, match["name"], match["url"]))


@sentence(r"There is a group (?P<group>\w+) of NAMES")
def there_is_a_group(stage: Stage, match: re.Match[str], body: str) -> None:
    members = principals(stage, match["names"])
    stage.do(stage.server.administration.groups.add_group(ADMINISTRATOR, match["group"], members=members))
    stage.events_before = len(stage.events())


def principals(stage: Stage, text: str | None) -> list[str]:
    """Read a list of users and groups; a name is that of a group if there is such a group."""
    directory = stage.server.parts.base.directory
    return [
        name if directory.group_by_name(fold(name)) else address
        for name, address in zip(names(text or ""), addresses(text), strict=True)
    ]


# -- administrators


@sentence(r"The administrator (?P<verb>disables|enables|removes) (?P<name>\w+)")
def administrator_ends(stage: Stage, match: re.Match[str], body: str) -> None:
    name, verb = match["name"], match["verb"].removesuffix("s")
    if stage.server.parts.base.tree.room_by_name(name) is not None:
        stage.do(getattr(stage.rooms, f"{verb}_room")(ADMINISTRATOR, name))
    else:
        stage.do(getattr(stage.people, f"{verb}_user")(ADMINISTRATOR, f"sip:{name.lower()}@example.com"))


@sentence(r"The administrator switches chat (?P<how>on|off) for (?P<name>\w+)")
def administrator_sets_policy(stage: Stage, match: re.Match[str], body: str) -> None:
    uri = None if match["name"] == "everybody" else f"sip:{match['name'].lower()}@example.com"
    stage.do(stage.people.set_policy(ADMINISTRATOR, match["how"] == "on", uri=uri))


@sentence(
    r"The administrator (?P<verb>adds|removes) NAMES (?:to|from) the "
    r"(?P<role>member|manager|presenter)s of (?P<room>\w+)"
)
def administrator_changes_roles(stage: Stage, match: re.Match[str], body: str) -> None:
    change = stage.rooms.add_role if match["verb"] == "adds" else stage.rooms.remove_role
    stage.do(change(ADMINISTRATOR, match["room"], Role(match["role"]), principals(stage, match["names"])))


@sentence(r"The administrator (?P<verb>adds|removes) NAMES (?:to|from) the group (?P<group>\w+)")
def administrator_changes_a_group(stage: Stage, match: re.Match[str], body: str) -> None:
    groups = stage.server.administration.groups
    change = groups.add_members if match["verb"] == "adds" else groups.remove_members
    stage.do(change(ADMINISTRATOR, match["group"], principals(stage, match["names"])))


@sentence(r"The administrator removes the group (?P<group>\w+)")
def administrator_removes_a_group(stage: Stage, match: re.Match[str], body: str) -> None:
    stage.do(stage.server.administration.groups.remove_group(ADMINISTRATOR, match["group"]))


@sentence(r"The administrator makes (?P<room>\w+) (?P<privacy>open|closed|secret)")
def administrator_changes_privacy(stage: Stage, match: re.Match[str], body: str) -> None:
    stage.do(stage.rooms.change_room(ADMINISTRATOR, match["room"], privacy=match["privacy"]))


@sentence(r"The administrator moves (?P<room>\w+) to (?P<category>\w+)")
def administrator_moves(stage: Stage, match: re.Match[str], body: str) -> None:
    stage.do(stage.rooms.move_room(ADMINISTRATOR, match["room"], match["category"]))


@sentence(r"The administrator describes (?P<room>\w+) as \"(?P<text>.*)\"")
def administrator_describes(stage: Stage, match: re.Match[str], body: str) -> None:
    stage.do(stage.rooms.change_room(ADMINISTRATOR, match["room"], description=match["text"]))


@sentence(r"The administrator gives (?P<room>\w+) the add-in (?P<addin>\w+)")
def administrator_gives_addin(stage: Stage, match: re.Match[str], body: str) -> None:
    stage.do(stage.rooms.change_room(ADMINISTRATOR, match["room"], addin=match["addin"]))


@sentence(r"The administrator opens (?P<category>\w+) for (?P<allowed>.+?)(?: but not (?P<denied>.+?))? only")
def administrator_changes_scope(stage: Stage, match: re.Match[str], body: str) -> None:
    stage.do(
        stage.categories.change_category(
            ADMINISTRATOR,
            match["category"],
            allowed=principals(stage, match["allowed"]),
            denied=principals(stage, match["denied"]),
        )
    )


@sentence(r"The administrator sets (?P<name>[a-z-]+) to (?P<value>\S+)")
def administrator_sets(stage: Stage, match: re.Match[str], body: str) -> None:
    stage.do(stage.server.administration.settings.set_setting(ADMINISTRATOR, match["name"], match["value"]))


# -- preparations that talk


@sentence(r"NAMES (?:has|have) signed in")
def have_signed_in(stage: Stage, match: re.Match[str], body: str) -> None:
    for name in names(match["names"]):
        _signed_in(stage, name)
    stage.swallow()


@sentence(r"NAMES (?:has|have) opened the chat service")
def have_opened(stage: Stage, match: re.Match[str], body: str) -> None:
    for name in names(match["names"]):
        _in_chat(stage, name)
    stage.swallow()


@sentence(r"WHO has opened the chat service")
def has_opened(stage: Stage, match: re.Match[str], body: str) -> None:
    _in_chat(stage, match["who"])
    stage.swallow()


@sentence(r"WHO has signed in")
def has_signed_in(stage: Stage, match: re.Match[str], body: str) -> None:
    _signed_in(stage, match["who"])
    stage.swallow()


@sentence(r"NAMES (?:has|have) joined (?P<rooms>[A-Z]\w*(?: and [A-Z]\w*)*)")
def have_joined(stage: Stage, match: re.Match[str], body: str) -> None:
    for name in names(match["names"]):
        _in_chat(stage, name)
        for room in names(match["rooms"]):
            _join(stage, name, room)


@sentence(r"WHO has joined (?P<rooms>[A-Z]\w*(?: and [A-Z]\w*)*)")
def has_joined(stage: Stage, match: re.Match[str], body: str) -> None:
    _in_chat(stage, match["who"])
    for room in names(match["rooms"]):
        _join(stage, match["who"], room)


@sentence(r"WHO has followed (?P<rooms>[A-Z]\w*(?: and [A-Z]\w*)*)")
def has_followed(stage: Stage, match: re.Match[str], body: str) -> None:
    client = stage.client(match["who"])
    _signed_in(stage, match["who"])
    for room in names(match["rooms"]):
        stage.swallow()
        talking.send_follow(stage, client, room)
        stage.settle()
        talking.require(client, 200)
    stage.swallow()


@sentence(r"WHO has posted \"(?P<text>[^\"]*)\" in (?P<room>\w+)(?: (?P<times>\d+) times)?")
def has_posted(stage: Stage, match: re.Match[str], body: str) -> None:
    client = stage.client(match["who"])
    for _ in range(int(match["times"] or 1)):
        client.send_info(talking.post_text(stage, client, match["room"], match["text"]))
        stage.settle()
        talking.require(client, 200)
        stage.swallow()


def _signed_in(stage: Stage, name: str) -> None:
    client = stage.client(name)
    if client.connection is None or client.disconnected:
        talking.sign_in(stage, client)


def _in_chat(stage: Stage, name: str) -> None:
    _signed_in(stage, name)
    client = stage.client(name)
    if client.dialog is None:
        client.send("INVITE")
        stage.settle()
        talking.require(client, 200)
        client.send("ACK")


def _join(stage: Stage, name: str, room: str) -> None:
    client = stage.client(name)
    client.send_info(talking.join_text(stage, client, room))
    stage.settle()
    joined = client.inbox[-1] if client.inbox else None
    if joined is None or b'<resp code="200">' not in joined.body:
        raise ScriptFailed(f"{name} could not join {room}")
    stage.swallow()


# -- the archive


@sentence(r"Compliance has recorded", is_expectation=True)
def compliance_has_recorded(stage: Stage, match: re.Match[str], body: str) -> None:
    difference = text_difference(body, "\n".join(stage.events()[stage.events_before :]))
    if difference:
        raise ScriptFailed(f"the compliance events are others:\n{difference}")
