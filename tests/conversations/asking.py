"""Sentences for commands whose envelope is of no interest: what is asked, and with which code it is answered.

The form of a sentence says what its function does.
"""

from __future__ import annotations

import re

from tests.conversations import talking
from tests.conversations.sentences import sentence
from tests.conversations.stage import Stage


@sentence(r"WHO asks (?P<command>[a-z]+)")
def asks(stage: Stage, match: re.Match[str], body: str) -> None:
    client = stage.client(match["who"])
    data = stage.filled(body, client)
    client.send_info(f'<cmd id="cmd:{match["command"]}" seqid="1"><data>{data}</data></cmd>')


@sentence(r"WHO is answered (?P<command>[a-z]+) (?P<code>\d{3}) (?P<symbol>[A-Z_]+)", is_expectation=True)
def is_answered(stage: Stage, match: re.Match[str], body: str) -> None:
    client = stage.client(match["who"])
    talking.receives(stage, client, 200)
    talking.receives_reply(stage, client, match["command"], f"{match['code']} {match['symbol']}", body)
