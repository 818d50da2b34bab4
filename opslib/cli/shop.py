"""``opslib shop``: describe data, check that they are fit to be evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from opslib.cli.common import complete_shops, echo_table, open_with_progress
from opslib.errors import ShopFileError
from opslib.shop.root import project_root

shop_app = typer.Typer(help="Describe a shop's data, and check that they are fit to be evidence.", no_args_is_help=True)


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
        echo_table(rows, header, title=f"{file}: the first {len(rows)} rows as they were read")
    for sentence in draft.to_do:
        typer.echo(f"- {sentence}")
    typer.echo(f"next: opslib shop check {name}")


@shop_app.command("check")
def check(
    shop: Annotated[str, typer.Argument(autocompletion=complete_shops, help="Name, shop.yml or folder.")] = "demo",
    verify: Annotated[bool, typer.Option("--verify", help="Hash every file again.")] = False,
) -> None:
    """Read a shop and say what is in it, what breaks its contracts, and what was set aside. Exit code 1 on errors.

    Examples: opslib shop check demo | opslib shop check ../exports/shopify
    """
    from opslib.shop import checks

    opened = open_with_progress(shop, verify=verify)
    typer.echo(f"{opened.title} ({opened.name}): {len(opened.tables)} tables, {opened.currency}, {opened.time_zone}")
    if opened.coverage:
        seen = opened.coverage
        typer.echo(f"days seen: {seen.first} to {seen.last}, {len(seen.missing)} missing between")
    accounting = checks.health_accounting(opened)
    if len(accounting):
        echo_table(accounting.astype(object).to_numpy().tolist(), list(accounting.columns), title="Every raw row")
    findings = checks.check_shop(opened)
    rows = [(f.severity, f.table, f.column, f.rule, f.n_rows, f"{f.share:.2%}", f.example) for f in findings]
    echo_table(rows, ("severity", "table", "column", "rule", "rows", "share", "example"), title="Findings")
    n_errors = sum(f.severity == "error" for f in findings)
    typer.echo(f"{len(findings)} findings, {n_errors} errors")
    raise typer.Exit(1 if n_errors else 0)


@shop_app.command("list")
def list_shops() -> None:
    """Names of the shops described in data/shops.

    Example: opslib shop list
    """
    for name in complete_shops(""):
        typer.echo(name)
