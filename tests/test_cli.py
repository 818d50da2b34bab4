"""The command line as an operator types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import yaml
from typer.testing import CliRunner

import opslib
from opslib.cli import app, common
from opslib.errors import ParameterError
from tests.conftest import ROOT

RUN = CliRunner()


def _commands(command, path=()):
    children = getattr(command, "commands", None)
    if not children:
        return [path]
    return [found for name, child in children.items() for found in _commands(child, (*path, name))]


COMMANDS = _commands(__import__("typer").main.get_command(app))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_with_an_example(path):
    out = RUN.invoke(app, [*path, "--help"], env={"COLUMNS": "200"})
    assert out.exit_code == 0
    assert "Example" in out.output
    assert f"opslib {' '.join(path)}" in out.output


def test_version():
    assert RUN.invoke(app, ["--version"]).output == f"opslib {opslib.__version__}\n"


def opslib_command(*arguments, cwd=ROOT, **environment):
    env = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, "-m", "opslib", *arguments], cwd=cwd, capture_output=True, text=True, env=env, timeout=600
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "demo", "-p", "binz=4", "--only", "31"], "binz': did you mean 'bins'?"),
        (["run", "demo", "-p", "bins=40", "--only", "31"], "from 2 to 10"),
        (["run", "demo", "--only", "segmentatoin"], "no notebook 'segmentatoin': did you mean"),
        (["run", "demo", "--start", "31/10/2026", "--only", "70"], "start"),
        (["run", "demo", "-p", "bins"], "write it as name=value"),
        (["run", "dmo"], "did you mean 'demo'?"),
        (["shop", "check", "nowhere"], "is no name in data/shops, no file and no folder"),
        (["proposal", "check", "X-99", "--shop", "demo"], "no proposal 'X-99'"),
    ],
)
def test_a_mistake_is_one_sentence_with_the_way_out(arguments, sentence):
    done = opslib_command(*arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_new_shop_is_described_checked_and_refused_twice(tmp_path):
    (tmp_path / "data" / "shops").mkdir(parents=True)
    (tmp_path / "notebooks").mkdir()
    orders = tmp_path / "orders.csv"
    orders.write_text(
        "Order Number,SKU,Order Date,Qty,Unit Price,Customer ID\n"
        "1,a,2026-10-01 10:00:00,2,3.50,x\n1,b,2026-10-01 10:00:00,1,9.00,x\n2,a,2026-10-02 09:00:00,1,3.50,y\n"
    )
    made = opslib_command(
        "shop", "init", "mine", "--from", "orders.csv", "--currency", "EUR", "--time-zone", "UTC", cwd=tmp_path
    )
    assert made.returncode == 0, made.stderr
    described = yaml.safe_load((tmp_path / "data" / "shops" / "mine.yml").read_text())
    assert described["tables"]["order_lines"]["files"] == "orders.csv"
    again = opslib_command("shop", "init", "mine", "--from", "orders.csv", cwd=tmp_path)
    assert again.returncode == 2
    assert "mine.yml exists" in again.stderr
    checked = opslib_command("shop", "check", "mine", cwd=tmp_path)
    assert checked.returncode in (0, 1), checked.stderr
    assert "0 errors" in checked.stdout
    said = json.loads(opslib_command("shop", "check", "mine", "--json", cwd=tmp_path).stdout)
    assert (said["name"], said["n_errors"], checked.returncode) == ("mine", 0, int(said["n_warnings"] > 0))
    assert sum(row["n_rows"] for row in said["accounting"]) == 3
    narrow, wide = (opslib_command("shop", "check", "mine", cwd=tmp_path, COLUMNS=n).stdout for n in ("50", "300"))
    assert narrow.replace("\n", " ").split() == wide.split(), "words are whole at any width"
    assert max(len(line) for line in narrow.splitlines()[2:]) <= 50 < max(map(len, wide.splitlines()))
    orders.write_text(orders.read_text().replace("9.00", "-9.00"))
    assert opslib_command("shop", "check", "mine", cwd=tmp_path).returncode == 2, "a price below 0 is an error"


def test_a_broken_export_is_named_not_traced(tmp_path):
    (tmp_path / "data" / "shops").mkdir(parents=True)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "orders.csv").write_text("order_id,product_id,ordered_at,quantity,unit_price\n1,a,2026-10-01,two,3.5\n")
    shop = {
        "name": "bad",
        "title": "Bad",
        "currency": "EUR",
        "time_zone": "UTC",
        "tables": {"order_lines": {"files": "orders.csv"}},
    }
    (tmp_path / "data" / "shops" / "bad.yml").write_text(yaml.safe_dump(shop))
    done = opslib_command("shop", "check", "bad", cwd=tmp_path)
    assert done.returncode == 2
    assert "orders.csv" in done.stderr
    assert "quantity" in done.stderr
    assert "two" in done.stderr
    assert "Traceback" not in done.stderr


def test_notebooks_are_found_by_number_word_or_name():
    names = [p.stem for p in common.chosen_notebooks(["70", "segmentation", "00_data_health.ipynb"])]
    assert names == ["00_data_health", "31_segmentation", "70_statistics"]
    with pytest.raises(ParameterError, match="did you mean '70_statistics'"):
        common.chosen_notebooks(["70_statistic"])


def test_completion_knows_shops_and_notebooks():
    assert "demo" in common.complete_shops("de")
    assert "segmentation" in common.complete_notebooks("seg")


def test_values_stay_text_until_a_type_is_known():
    assert common.read_pairs(["sku=00123", "x=a=b"], option="-p") == {"sku": "00123", "x": "a=b"}


def test_a_proposal_is_written_answered_and_frozen(tmp_path):
    (tmp_path / "data" / "shops").mkdir(parents=True)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "data" / "shops" / "mine.yml").write_text(
        "name: mine\ntitle: Mine\ncurrency: EUR\ntime_zone: UTC\ntables: {order_lines: {files: orders.csv}}\n"
    )
    rows = [f"{i},p{i % 3},2026-0{1 + i % 9}-05,1,2.5,c{i % 7}" for i in range(90)]
    (tmp_path / "orders.csv").write_text(
        "order_id,product_id,ordered_at,quantity,unit_price,customer_id\n" + "\n".join(rows) + "\n"
    )
    new = opslib_command(
        "proposal", "new", "P-1", "--shop", "mine", "--start", "2027-01-04", "--deadline", "2027-03-28", cwd=tmp_path
    )
    assert new.returncode == 0, new.stderr
    said = opslib_command(
        "proposal", "respond", "P-1", "--shop", "mine", "--department", "Another department", "--person", "Ada",
        "--answer", "object", cwd=tmp_path,
    )  # fmt: skip
    assert said.returncode == 2
    assert "needs a note" in said.stderr
    frozen = opslib_command("proposal", "freeze", "P-1", "--shop", "mine", cwd=tmp_path)
    assert frozen.returncode == 0, frozen.stderr
    line = json.loads((tmp_path / "data" / "proposals" / "mine" / "ledger.jsonl").read_text().splitlines()[0])
    assert line["kind"] == "freeze"
    twice = opslib_command("proposal", "freeze", "P-1", "--shop", "mine", cwd=tmp_path)
    assert twice.returncode == 2
    assert "frozen already" in twice.stderr
