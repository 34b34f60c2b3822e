"""``pchatctl completion``: what a shell needs to complete words of ``pchatctl``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from pchat.admin.program import Verb
from pchat.errors import OperatorError

PROGRAM = "pchatctl"
VARIABLE = "_PCHATCTL_COMPLETE"


@click.command("completion", cls=Verb)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a script for SHELL, such as: eval "$(pchatctl completion bash)"."""
    kind = get_completion_class(shell)
    if kind is None:
        raise OperatorError(f"nothing is known about the shell {shell}")
    click.echo(kind(ctx.find_root().command, {}, PROGRAM, VARIABLE).source())
