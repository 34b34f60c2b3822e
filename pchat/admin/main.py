"""``pchatctl``: administration from the command line.

Source: docs/operating.md "Administration".
"""

from __future__ import annotations

from typing import NoReturn

import click

from pchat import __version__
from pchat.admin.addins import addins
from pchat.admin.audit import audit
from pchat.admin.backups import backup, restore
from pchat.admin.categories import categories
from pchat.admin.completion import completion
from pchat.admin.config import config
from pchat.admin.eligible import eligible
from pchat.admin.groups import groups
from pchat.admin.messages import clear, messages
from pchat.admin.policies import policies
from pchat.admin.probe import test_message
from pchat.admin.program import Program
from pchat.admin.reports import reports
from pchat.admin.roles import role_commands
from pchat.admin.rooms import rooms
from pchat.admin.starting import init, serve
from pchat.admin.status import status
from pchat.admin.tokens import tokens
from pchat.admin.user_import import import_users
from pchat.admin.users import users

_EPILOG = """\b
Exit status: 0 done, 1 refused, 2 not understood.
Shell completion: eval "$(pchatctl completion bash)" in ~/.bashrc."""


@click.group(cls=Program, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pchatctl")
def pchatctl() -> None:
    """Administer a pchat server: through its socket while it runs, on its store while it does not."""


for _role, _description in (
    ("member", "Members of a room: in a closed or secret one they alone may join."),
    ("manager", "Managers of a room."),
    ("presenter", "Presenters of an auditorium: they alone may post there."),
):
    rooms.add_command(role_commands(_role, _description))
rooms.add_command(clear)
users.add_command(import_users)
for _command in (
    init,
    serve,
    status,
    users,
    groups,
    policies,
    eligible,
    categories,
    rooms,
    messages,
    addins,
    config,
    tokens,
    audit,
    reports,
    test_message,
    backup,
    restore,
    completion,
):
    pchatctl.add_command(_command)


def main() -> NoReturn:
    """Run ``pchatctl`` and end the process."""
    pchatctl.main(prog_name="pchatctl")
