"""Sentences about what clients send and receive; the form of a sentence says what its function does."""

from __future__ import annotations

import re
import zlib

from pchat.sip.message import Request, Response
from tests.auth import peer
from tests.conversations.client import Client, shown
from tests.conversations.comparing import envelope, text_difference, text_matches, xml_difference
from tests.conversations.sentences import sentence
from tests.conversations.stage import ScriptFailed, Stage

_HEADER = re.compile(r"[A-Za-z][\w-]*:(?: .*)?")
_COMMAND_ID = re.compile(r'(<rpl id="rpl:(\w+)"[^>]*>)(?!\s*<commandid)')

# -- sending


@sentence(r"WHO connects(?: from (?P<host>\S+))?")
def connects(stage: Stage, match: re.Match[str], body: str) -> None:
    stage.connect(stage.client(match["who"]), match["host"] or "192.0.2.7")


@sentence(r"WHO uses the password \"(?P<password>.*)\"")
def uses_password(stage: Stage, match: re.Match[str], body: str) -> None:
    stage.prepare_ntlm(stage.client(match["who"]), match["password"])


@sentence(r"WHO (?:knows|uses) (?:the|her|his) password(?: and version (?P<version>\d))?")
def knows_password(stage: Stage, match: re.Match[str], body: str) -> None:
    stage.prepare_ntlm(stage.client(match["who"]), version=int(match["version"] or 4))


@sentence(r"WHO is (?P<agent>\S+/\S+)")
def is_agent(stage: Stage, match: re.Match[str], body: str) -> None:
    stage.client(match["who"]).user_agent = match["agent"]


@sentence(r"WHO sends INFO(?P<unsigned> without a signature)?")
def sends_info(stage: Stage, match: re.Match[str], body: str) -> None:
    client = stage.client(match["who"])
    client.send_info(stage.filled(body, client), sign=match["unsigned"] is None)


@sentence(r"WHO sends INFO in the first dialog")
def sends_info_in_first(stage: Stage, match: re.Match[str], body: str) -> None:
    client = stage.client(match["who"])
    client.send_info(stage.filled(body, client), dialog=client.dialogs[0])


@sentence(r"WHO sends INFO exactly")
def sends_info_exactly(stage: Stage, match: re.Match[str], body: str) -> None:
    client = stage.client(match["who"])
    client.send("INFO", body=stage.filled(body, client))


@sentence(r"WHO sends INFO twice in one piece")
def sends_two_infos(stage: Stage, match: re.Match[str], body: str) -> None:
    client = stage.client(match["who"])
    client.gathered = []
    for content in stage.filled(body, client).split("\n---\n"):
        client.send_info(content)
    data, client.gathered = b"".join(client.gathered), None
    client.send_bytes(data)


@sentence(r"WHO sends bytes")
def sends_bytes(stage: Stage, match: re.Match[str], body: str) -> None:
    client = stage.client(match["who"])
    client.sends_anything = True
    client.send_bytes(stage.filled(body, client).replace("\n", "\r\n").encode() + b"\r\n\r\n")


@sentence(r"WHO sends the same bytes again")
def sends_again(stage: Stage, match: re.Match[str], body: str) -> None:
    stage.client(match["who"]).send_again()


@sentence(r"WHO sends (?P<method>[A-Z]+)(?: to (?P<to>\S+))?(?P<unsigned> without a signature)?")
def sends(stage: Stage, match: re.Match[str], body: str) -> None:
    client = stage.client(match["who"])
    headers, content = _headers_and_body(stage.filled(body, client))
    client.send(match["method"], headers, content, to=match["to"], sign=match["unsigned"] is None)
    if match["method"] == "BYE" and client.dialog is not None:
        stage.settle()
        client.dialogs.pop()


@sentence(r"WHO hangs up the first dialog")
def hangs_up_first(stage: Stage, match: re.Match[str], body: str) -> None:
    client = stage.client(match["who"])
    client.send("BYE", dialog=client.dialogs[0])
    stage.settle()
    del client.dialogs[0]


@sentence(r"WHO signs in")
def signs_in(stage: Stage, match: re.Match[str], body: str) -> None:
    sign_in(stage, stage.client(match["who"]))


@sentence(r"WHO invites (?P<uri>sip:\S+|the chat service)(?: (?P<times>\d+) times)?")
def invites(stage: Stage, match: re.Match[str], body: str) -> None:
    client = stage.client(match["who"])
    for _ in range(int(match["times"] or 1)):
        client.send("INVITE", to=None if match["uri"].startswith("the") else match["uri"])
        stage.settle()
        require(client, 200)
        client.inbox.popleft()
        client.send("ACK")


@sentence(r"WHO joins (?P<room>\w+)")
def joins(stage: Stage, match: re.Match[str], body: str) -> None:
    client = stage.client(match["who"])
    client.send_info(join_text(stage, client, match["room"]))


@sentence(r"WHO posts \"(?P<text>.*)\" in (?P<room>\w+)")
def posts(stage: Stage, match: re.Match[str], body: str) -> None:
    client = stage.client(match["who"])
    client.send_info(post_text(stage, client, match["room"], stage.filled(match["text"], client)))


@sentence(r"WHO (?P<how>follows|no longer follows) (?P<room>\w+)")
def follows(stage: Stage, match: re.Match[str], body: str) -> None:
    send_follow(stage, stage.client(match["who"]), match["room"], gone=match["how"] != "follows")


@sentence(r"WHO answers (?:requests with (?P<status>\d+)|(?P<nothing>nothing)) from now on")
def answers(stage: Stage, match: re.Match[str], body: str) -> None:
    stage.client(match["who"]).answers = None if match["nothing"] else int(match["status"])


@sentence(r"WHO answers without a signature from now on")
def answers_unsigned(stage: Stage, match: re.Match[str], body: str) -> None:
    stage.client(match["who"]).signs_answers = False


@sentence(r"WHO sends a keep-alive")
def sends_keep_alive(stage: Stage, match: re.Match[str], body: str) -> None:
    stage.client(match["who"]).send_bytes(b"\r\n\r\n")


@sentence(r"WHO receives an empty line", is_expectation=True)
def receives_empty_line(stage: Stage, match: re.Match[str], body: str) -> None:
    client = stage.client(match["who"])
    if client.empty_lines != 1:
        raise ScriptFailed(f"{client.name} received {client.empty_lines} empty lines")
    client.empty_lines = 0


@sentence(r"WHO answers what is waiting")
def answers_waiting(stage: Stage, match: re.Match[str], body: str) -> None:
    stage.client(match["who"]).answer_waiting()


@sentence(r"WHO reads nothing from now on")
def reads_nothing(stage: Stage, match: re.Match[str], body: str) -> None:
    connection = stage.client(match["who"]).connection
    assert connection is not None
    connection.protocol.pauseProducing()


@sentence(r"WHO loses (?:the|her|his) connection")
def loses(stage: Stage, match: re.Match[str], body: str) -> None:
    stage.client(match["who"]).lose()


# -- receiving


@sentence(r"WHO receives nothing(?: more)?", is_expectation=True)
def receives_nothing(stage: Stage, match: re.Match[str], body: str) -> None:
    client = stage.client(match["who"])
    if client.inbox:
        raise ScriptFailed(f"{client.name} should receive nothing, but got\n{shown(client.inbox[0])}")


@sentence(r"WHO is disconnected", is_expectation=True)
def is_disconnected(stage: Stage, match: re.Match[str], body: str) -> None:
    client = stage.client(match["who"])
    if not client.disconnected:
        raise ScriptFailed(f"{client.name} is still connected")
    if client.inbox:
        raise ScriptFailed(f"{client.name} got before:\n{shown(client.inbox[0])}")
    client.disconnected = False
    client.forget_connection()


@sentence(r"WHO is disconnected with (?P<count>\d+) messages? unread", is_expectation=True)
def is_disconnected_unread(stage: Stage, match: re.Match[str], body: str) -> None:
    client = stage.client(match["who"])
    if len(client.inbox) != int(match["count"]):
        raise ScriptFailed(f"{client.name} got {len(client.inbox)} messages")
    client.inbox.clear()
    is_disconnected(stage, match, body)


@sentence(r"WHO receives (?P<count>\d+) more messages?", is_expectation=True)
def receives_more(stage: Stage, match: re.Match[str], body: str) -> None:
    client = stage.client(match["who"])
    if len(client.inbox) != int(match["count"]):
        raise ScriptFailed(f"{client.name} got {len(client.inbox)} messages")
    client.inbox.clear()


@sentence(r"WHO receives (?P<status>\d{3})(?: (?P<reason>.+))?", is_expectation=True)
def receives_answer(stage: Stage, match: re.Match[str], body: str) -> None:
    client = stage.client(match["who"])
    message = receives(stage, client, int(match["status"]))
    if match["reason"] and not text_matches(match["reason"], message.reason):
        raise ScriptFailed(f"the reason should be {match['reason']!r}, but it is\n{shown(message)}")
    _compare(stage, client, message, body)


@sentence(r"WHO receives an unasked (?P<status>\d{3})(?: (?P<reason>.+))?", is_expectation=True)
def receives_unasked_answer(stage: Stage, match: re.Match[str], body: str) -> None:
    receives_answer(stage, match, body)


@sentence(r"WHO receives (?P<method>[A-Z]+)", is_expectation=True)
def receives_request(stage: Stage, match: re.Match[str], body: str) -> None:
    client = stage.client(match["who"])
    message = stage.next_message(client, match["method"])
    if not isinstance(message, Request) or message.method != match["method"]:
        raise ScriptFailed(f"{client.name} should receive {match['method']}, but got\n{shown(message)}")
    if match["method"] == "INFO" and body.startswith("<") and not body.startswith("<xccos"):
        _compare_content(stage, client, message, body)
    else:
        _compare(stage, client, message, body)


def receives(stage: Stage, client: Client, status: int) -> Response:
    """Take an answer with a status; fail if something else came."""
    message = stage.next_message(client, f"the answer {status}")
    if not isinstance(message, Response) or message.status != status:
        raise ScriptFailed(f"{client.name} should receive {status}, but got\n{shown(message)}")
    return message


def receives_reply(stage: Stage, client: Client, command: str, result: str, data: str) -> None:
    """Take the reply to a command; fail if something else came, or it has another result or data."""
    message = stage.next_message(client, f"the reply to {command}")
    if not isinstance(message, Request) or message.method != "INFO":
        raise ScriptFailed(f"{client.name} should receive INFO, but got\n{shown(message)}")
    code, symbol = result.split()
    answer = f'<resp code="{code}">{symbol}</resp><data>{data}</data>'
    _compare_content(stage, client, message, f'<rpl id="rpl:{command}" seqid="1">{answer}</rpl>')


def _compare_content(stage: Stage, client: Client, message: Request, body: str) -> None:
    content = stage.filled(body, client)
    found = _COMMAND_ID.search(content)
    if found is not None:
        # The reply must name the command that this client sent last under this name.
        envelope_id, seqid = client.last_commands.get(found[2].lower(), ("?", "?"))
        named = f'{found[1]}<commandid seqid="{seqid}" envid="{envelope_id}"/>'
        content = content.replace(found[0], named, 1)
    _report(client, message, xml_difference(envelope(content), message.body))


def _compare(stage: Stage, client: Client, message: Request | Response, body: str) -> None:
    headers, content = _headers_and_body(stage.filled(body, client))
    for name, expected in headers:
        values = message.headers.get_all(name)
        if expected == "(none)":
            if values:
                raise ScriptFailed(f"there should be no {name}:\n{shown(message)}")
        elif not any(text_matches(expected, value) for value in values):
            raise ScriptFailed(f"- {name}: {expected}\n" + "\n".join(f"+ {name}: {one}" for one in values))
    if not content:
        return
    if content.lstrip().startswith("<"):
        _report(client, message, xml_difference(content, message.body))
    else:
        received = message.body.decode().replace("\r\n", "\n").strip("\n")
        _report(client, message, text_difference(content, received))


def _report(client: Client, message: Request | Response, difference: str) -> None:
    if difference:
        raise ScriptFailed(
            f"{client.name} received something else:\n{difference}\n\nin full:\n{shown(message)}"
        )


def _headers_and_body(text: str) -> tuple[list[tuple[str, str]], str]:
    lines = text.split("\n")
    headers: list[tuple[str, str]] = []
    while lines and _HEADER.fullmatch(lines[0]):
        name, _, value = lines.pop(0).partition(":")
        # A value may go on in lines that are indented further.
        while lines and lines[0].startswith(" "):
            value += " " + lines.pop(0).strip()
        headers.append((name, value.strip()))
    return headers, "\n".join(lines).strip("\n")


# -- what is said often


def join_text(stage: Stage, client: Client, room: str) -> str:
    """Write the command to join a room."""
    guid = stage.filled(f"{{{room}.guid}}", client)
    place = f'<chanid key="0" domain="example.com" value="{guid}"/>'
    return f'<cmd id="cmd:join" seqid="1"><data>{place}</data></cmd>'


def send_follow(stage: Stage, client: Client, room: str, *, gone: bool = False) -> None:
    """Publish that a room is followed, or no longer; the form is that of docs/spec/presence.md section 6."""
    number = zlib.crc32(room.encode()) >> 1
    payload = (
        '<roomSetting xmlns="http://schemas.microsoft.com/2010/12/sip/roomSetting">'
        '<propertyList xmlns="http://schemas.microsoft.com/2010/12/sip/propertyList">'
        f'<property name="url">{stage.filled(f"{{{room}}}", client)}</property>'
        f'<property name="name">{room}</property></propertyList></roomSetting>'
    )
    rest = ' expires="0"/>' if gone else f">{payload}</publication>"
    publication = (
        f'<publication categoryName="roomSetting" instance="{number}" container="1" version="0" '
        f'expireType="static"{rest}'
    )
    client.send(
        "SERVICE",
        [("Content-Type", "application/msrtc-category-publish+xml")],
        '<publish xmlns="http://schemas.microsoft.com/2006/09/sip/rich-presence">'
        f'<publications uri="{client.uri}">{publication}</publications></publish>',
    )


def post_text(stage: Stage, client: Client, room: str, text: str) -> str:
    """Write a post as pidgin-sipe does."""
    uri = stage.filled(f"{{{room}}}", client)
    return (
        f'<grpchat id="grpchat" seqid="1" chanUri="{uri}" author="{client.uri}" ts="2013-05-01T10:00:00Z">'
        f"<chat>{text}</chat></grpchat>"
    )


def sign_in(stage: Stage, client: Client) -> None:
    """Sign in, with NTLM if the server asks for passwords, up to the 200."""
    stage.connect(client)
    client.send("REGISTER")
    stage.settle()
    if stage.schemes == ("ntlm",):
        require(client, 401)
        stage.prepare_ntlm(client)
        start = f'NTLM qop="auth", realm="{peer.REALM}", targetname="{peer.TARGET}", '
        client.send("REGISTER", [("Authorization", start + 'gssapi-data="", version=4')])
        stage.settle()
        client.inbox.popleft()
        require(client, 401)
        answer = f'gssapi-data="{client.answer_to_challenge()}", version=4, {{signature}}'
        assert client.ntlm is not None
        value = f'{start}opaque="{client.ntlm.opaque}", {answer}'
        client.send("REGISTER", [("Authorization", value)])
        client.inbox.popleft()
        stage.settle()
    require(client, 200)
    client.inbox.clear()


def require(client: Client, status: int) -> None:
    """Fail unless the next answer has this status; it stays in the inbox."""
    message = client.inbox[0] if client.inbox else None
    if not isinstance(message, Response) or message.status != status:
        text = "nothing" if message is None else "\n" + shown(message)
        raise ScriptFailed(f"{client.name} should get {status}, but got {text}")
