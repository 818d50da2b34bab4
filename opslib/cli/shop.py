"""``opslib shop``: describe data, check that they are fit to be evidence."""

from __future__ import annotations

import json
import shutil
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from opslib.cli.common import complete_shops, echo_table, open_with_progress
from opslib.errors import ShopFileError
from opslib.shop.root import project_root

shop_app = typer.Typer(help="Describe a shop's data, and check that they are fit to be evidence.", no_args_is_help=True)

#: Columns that are shown beside each other by `init`, and characters of a cell where there are more.
WIDE, LONG = 10, 40


@shop_app.command("init")
def init(
    name: Annotated[str, typer.Argument(help="Short name: small letters, digits, _ (becomes data/shops/NAME.yml).")],
    source: Annotated[Path, typer.Option("--from", help="Export: a file, or a folder of files.")],
    title: Annotated[str, typer.Option(help="Name that people use.")] = "",
    currency: Annotated[str, typer.Option(help="ISO code, e.g. EUR.")] = "",
    time_zone: Annotated[str, typer.Option(help="IANA name, e.g. Europe/Berlin.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Write over a description that exists.")] = False,
) -> None:
    """Write a shop.yml for an export: recognised layouts need nothing more, others get a column map to correct.

    Examples: opslib shop init my_shop --from exports/orders.csv | opslib shop init uk --from ../uci --currency GBP
    """
    from opslib.shop.init import draft_shop_file

    target = project_root() / "data" / "shops" / f"{name}.yml"
    if target.exists() and not force:
        raise ShopFileError(f"{target.name} exists; edit it, choose another name, or pass --force")
    given = {"title": title, "currency": currency, "time_zone": time_zone}
    draft = draft_shop_file(name, source, **{key: value for key, value in given.items() if value})
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(draft.text, encoding="utf-8")
    typer.echo(f"wrote {target}")
    for file, text in draft.queries.items():
        if (target.parent / file).exists() and not force:
            raise ShopFileError(f"{file} exists; edit it, choose another name, or pass --force")
        (target.parent / file).write_text(text, encoding="utf-8")
        typer.echo(f"wrote {target.parent / file}")
    for file, (header, *rows) in draft.shown.items():
        if len(header) > WIDE:  # too wide for a terminal: a line a column
            cells = zip(header, *([cell[:LONG] for cell in row] for row in rows[:3]), strict=True)
            heads = ["column", *(f"row {n + 1}" for n in range(len(rows[:3])))]
            echo_table([*cells], heads, title=f"{file}: {len(header)} columns as they were read")
        else:
            echo_table(rows, header, title=f"{file}: the first {len(rows)} rows as they were read")
    for sentence in draft.to_do:
        typer.echo(f"- {sentence}")
    typer.echo(f"next: opslib shop check {name}")


@shop_app.command("check")
def check(
    shop: Annotated[str, typer.Argument(autocompletion=complete_shops, help="Name, shop.yml or folder.")] = "demo",
    verify: Annotated[bool, typer.Option("--verify", help="Hash every file again.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For machines: one JSON object.")] = False,
) -> None:
    """Read a shop and say what is in it, what breaks its contracts, and what was set aside.

    Exit code 0: clean (notes at most); 1: warnings; 2: errors, or the shop cannot be read.

    Examples: opslib shop check demo | opslib shop check ../exports/shopify | opslib shop check demo --json
    """
    from opslib.shop import checks

    opened = open_with_progress(shop, verify=verify)
    accounting = checks.health_accounting(opened)
    violations = checks.check_shop(opened)
    n_errors, n_warnings = (sum(v.severity == severity for v in violations) for severity in ("error", "warning"))
    seen = opened.coverage
    if as_json:
        days = {"first": str(seen.first), "last": str(seen.last), "n_missing": len(seen.missing)} if seen else None
        said = {"name": opened.name, "title": opened.title, "currency": opened.currency, "time_zone": opened.time_zone,
                "tables": list(opened.tables), "days": days, "n_errors": n_errors, "n_warnings": n_warnings,
                "violations": [asdict(violation) for violation in violations],
                "accounting": json.loads(accounting.to_json(orient="records"))}  # fmt: skip
        typer.echo(json.dumps(said, ensure_ascii=False, indent=1))
        raise typer.Exit(2 if n_errors else bool(n_warnings))
    typer.echo(f"{opened.title} ({opened.name}): {len(opened.tables)} tables, {opened.currency}, {opened.time_zone}")
    if seen:
        typer.echo(f"days seen: {seen.first} to {seen.last}, {len(seen.missing)} missing between")
    typer.echo("Every raw row")
    for row in accounting.astype(object).where(accounting.notna(), None).to_dict("records"):
        counted = (("units", row["n_units"]), ("in money", row["amount"]))
        amounts = [f"{value:,.2f} {what}" for what, value in counted if value is not None]
        head = f"{row['source']}: {row['n_rows']:,} rows {row['outcome']}"
        _echo_item(head, f"{row['table']} {row['reason']}: {row['rule']}".strip(), *amounts)
    typer.echo("Violations")
    for found in violations:
        where = f"{found.table}.{found.column}" if found.column else found.table
        example = [f"e.g. {found.example}"] if found.example else []
        _echo_item(f"{found.severity}: {where}", found.rule, f"{found.n_rows:,} rows ({found.share:.2%})", *example)
    typer.echo(f"{len(violations)} violations, {n_errors} errors, {n_warnings} warnings")
    raise typer.Exit(2 if n_errors else bool(n_warnings))


def _echo_item(head: str, *parts: str) -> None:
    """One item as lines of whole words, as wide as the terminal."""
    width = max(shutil.get_terminal_size().columns, 40)
    text = f"{head}: {'; '.join(parts)}"
    typer.echo(
        textwrap.fill(
            text, width, initial_indent="- ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        )
    )


@shop_app.command("list")
def list_shops() -> None:
    """Names of the shops described in data/shops.

    Example: opslib shop list
    """
    for name in complete_shops(""):
        typer.echo(name)
