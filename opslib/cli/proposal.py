"""``opslib proposal``: write down, check, freeze, answer, evaluate, decide, follow up."""

from __future__ import annotations

import typer

proposal_app = typer.Typer(help="Proposals: claims before the result, verdicts after it.", no_args_is_help=True)
