"""The command line: shops, runs, proposals. Heavy libraries load only where a command needs them."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import opslib
from opslib.cli.new_page import page_app
from opslib.cli.proposal import proposal_app
from opslib.cli.run import demo, prune, run
from opslib.cli.segment import segment_app
from opslib.cli.shop import shop_app
from opslib.errors import OpslibError

app = typer.Typer(
    name="opslib",
    help="An evidence bench for people who run an online shop: orders in, findings, verdicts and pages out.",
    epilog="First steps:  opslib run demo  |  opslib shop init my_shop --from exports/  |  opslib run my_shop",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(run)
app.command()(demo)
app.command()(prune)
app.add_typer(shop_app, name="shop")
app.add_typer(page_app, name="page")
app.add_typer(proposal_app, name="proposal")
app.add_typer(segment_app, name="segment")


def _version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"opslib {opslib.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Options before the command."""


def main(command: typer.Typer = app) -> None:
    """Run the command line: an error that opslib raised on purpose is one sentence, without a traceback."""
    try:
        command()
    except OpslibError as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.secho("stopped; run the same command again to go on where it was", fg="yellow", err=True)
        sys.exit(130)
