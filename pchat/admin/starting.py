"""``pchatctl init`` and ``pchatctl serve``: a server's directory, and the server."""

from __future__ import annotations

from pathlib import Path

import click

from pchat.admin.output import print_line
from pchat.admin.program import Verb
from pchat.admin.session import Session


@click.command("init", cls=Verb)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--domain", metavar="DOMAIN", default="example.com", show_default=True, help="Of the users.")
@click.option("--sip-listen", metavar="HOST:PORT", default="127.0.0.1:5061", show_default=True)
@click.option("--web-listen", metavar="HOST:PORT", default="127.0.0.1:8443", show_default=True)
@click.option("--store", metavar="STORE", default="sqlite", show_default=True, help="Where all is kept.")
@click.option("--demo", is_flag=True, help="With three accounts and two rooms to try.")
@click.pass_obj
def init(session: Session, /, directory: Path, demo: bool, **wishes: str) -> None:
    """Make the directory of a new server."""
    # Making certificates takes libraries that no other command needs.
    from pchat.admin.demo import fill_demo  # noqa: PLC0415
    from pchat.admin.setup import Wishes, set_up  # noqa: PLC0415
    from pchat.ops.announcement import DEMO_ACCOUNTS  # noqa: PLC0415

    path = set_up(directory, Wishes(**wishes), fill=fill_demo if demo else None)
    accounts = path.parent / DEMO_ACCOUNTS if demo else None
    made = {"config": str(path), "demo_accounts": str(accounts) if accounts else None}

    def tell(_: object) -> None:
        print_line(f"The configuration is {path}")
        if accounts:
            print_line(f"The demo accounts' passwords are in {accounts}")
        print_line(f"Start the server: pchatctl --config {path} serve")

    session.show(made, tell)


@click.command("serve", cls=Verb)
@click.pass_obj
def serve(session: Session) -> None:
    """Run the server in the foreground, until SIGTERM or Ctrl-C."""
    from pchat.admin.serve import serve as run  # noqa: PLC0415  # no other command needs twistd

    session.config()  # a file that is missing is told in this command's way
    run(session.config_path)
