"""Sentences about messages that administrators take back; a sentence's form says what its function does."""

from __future__ import annotations

import re

from pchat.rooms.message_administration import REPLACEMENT
from pchat.rooms.message_filter import MessageFilter
from tests.conversations.sentences import sentence
from tests.conversations.stage import ADMINISTRATOR, Stage


@sentence(r"The administrator removes \"(?P<words>[^\"]*)\" from (?P<room>\w+)")
def removes_messages(stage: Stage, match: re.Match[str], body: str) -> None:
    chosen = MessageFilter(words=match["words"])
    stage.do(stage.server.administration.messages.remove(ADMINISTRATOR, match["room"], chosen))


@sentence(r"The administrator replaces \"(?P<words>[^\"]*)\" in (?P<room>\w+)(?: by \"(?P<text>[^\"]*)\")?")
def replaces_messages(stage: Stage, match: re.Match[str], body: str) -> None:
    chosen, text = MessageFilter(words=match["words"]), match["text"] or REPLACEMENT
    stage.do(stage.server.administration.messages.replace(ADMINISTRATOR, match["room"], chosen, text=text))


@sentence(r"The administrator clears (?P<room>\w+) until (?P<until>\S+)")
def clears_room(stage: Stage, match: re.Match[str], body: str) -> None:
    stage.do(stage.server.administration.messages.clear(ADMINISTRATOR, match["room"], match["until"]))
