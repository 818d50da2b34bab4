"""Undoing suppression, as somebody with one report would try it, and looking for people in all that a run writes."""

from __future__ import annotations

import base64
import html
import json
import re
import stat
import subprocess
import sys
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from opslib import engine
from opslib.errors import ContractError
from opslib.metrics.statuses import require_known
from opslib.segmentation import newcomers, rfm_scores
from tests.small_shop import COUNTRIES, identities, write_small_project

FEW = 10
YEAR = ("--start", "2025-10-01", "--end", "2026-09-30")
PAGES = ("00", "20", "22", "31", "32", "70")
_CELL = re.compile(r"<t[hd][^>]*>(.*?)</t[hd]>", re.DOTALL)
_NUMBER = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?<![\d.,])\d+(?:\.\d+)?")


def command(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "opslib", *words], cwd=project, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def only(pages) -> list[str]:
    return [word for page in pages for word in ("--only", page)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The project and its tables, with the report of the whole shop."""
    project = tmp_path_factory.mktemp("project")
    tables = write_small_project(project)
    command(project, "run", "small", *only(PAGES))
    return project, tables


@pytest.fixture(scope="module")
def by_country(shop):
    """The project, with the report by country put in the place of that of the whole shop."""
    project, tables = shop
    done = command(project, "run", "small", *only(("31", "32", "70")), "--each", "country", *YEAR)  # fmt: skip
    return project, tables, done.stdout


def latest(project: Path) -> Path:
    return project / "reports" / "small" / "latest"


def text_of(page: str) -> str:
    """What a reader sees: without scripts and styles; alt texts, and letters of figures if there were any."""
    figures = [base64.b64decode(code).decode() for code in re.findall(r"data:image/svg\+xml;base64,([\w+/=]+)", page)]
    letters = " ".join(re.findall(r"<text[^>]*>(.*?)</text>", " ".join(figures)))
    alts = " ".join(re.findall(r'alt="([^"]*)"', page))
    page = re.sub(r"<(script|style|pre)\b.*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
    return html.unescape(f"{page} {alts} {letters}").replace("\u2060", "")


def tables_of(page: str) -> dict[str, pd.DataFrame]:
    """Tables of a page by caption, cells as text."""
    found = {}
    for table in re.findall(r"<table.*?</table>", page, re.DOTALL):
        caption = re.search(r"<caption>(.*?)</caption>", table)
        rows = [
            [html.unescape(re.sub(r"<[^>]+>", "", cell)).replace("\u2060", "").strip() for cell in _CELL.findall(row)]
            for row in re.findall(r"<tr.*?</tr>", table, re.DOTALL)
        ]
        if caption and len(rows) > 1:
            found[html.unescape(caption[1])] = pd.DataFrame(rows[1:], columns=rows[0])
    return found


def numbers_in(value) -> set[float]:
    """Every number of a JSON value, those inside its sentences too; how long a page took is no amount."""
    if isinstance(value, dict | list):
        parts = [part for key, part in value.items() if key != "seconds"] if isinstance(value, dict) else value
        return set().union(*(numbers_in(part) for part in parts), set())
    if isinstance(value, str):
        return {float(match.replace(",", "")) for match in _NUMBER.findall(value)}
    return {float(value)} if isinstance(value, int | float) else set()


def paid_lines(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    lines = tables["order_lines"].assign(amount=lambda t: t["quantity"] * t["unit_price"])
    return lines.assign(month=lines["ordered_at"].dt.to_period("M"))


def year(lines: pd.DataFrame) -> pd.DataFrame:
    return lines[lines["ordered_at"].between("2025-10-01", "2026-09-30 23:59")]


def scores_of(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    lines, last = tables["order_lines"], date(2026, 9, 30)
    firsts = newcomers(lines, as_of=last, since=date(2025, 10, 1), customers=tables["customers"])
    return engine.collect(rfm_scores(year(lines), as_of=last, newcomers=firsts))


def secrets(lines: pd.DataFrame) -> dict[float, str]:
    """Money of all groups of 1-9 people that somebody might look for, to the cent."""
    kinds = (["country"], ["device"], ["channel"], ["country", "device"], ["country", "month"], ["device", "month"],
             ["customer_id"], ["customer_id", "month"])  # fmt: skip
    found = {}
    for rows in (lines, year(lines)):
        for kind in kinds:
            groups = rows.groupby(kind).agg(n=("customer_id", "nunique"), amount=("amount", "sum"))
            few = groups[groups["n"] < FEW]
            found |= {round(amount, 2): f"{kind} {name}" for name, amount in few["amount"].items()}
    return found


def assert_nothing_small_is_told(files: dict[str, str], lines: pd.DataFrame) -> None:
    known = secrets(lines)
    assert len(known) > 400
    for name, content in files.items():
        told = numbers_in(json.loads(content)) if name.endswith(".json") else numbers_in(text_of(content))
        # To the cent: amounts that are written in whole euros are met by the tests of tables.
        exact = {round(value, 2) for value in told if round(value, 1) != round(value, 2)}
        leaks = {f"{value}: {known[value]}" for value in exact & set(known)}
        assert not leaks, f"{name}: {leaks}"


def test_no_money_of_few_stands_anywhere(shop):
    project, tables = shop
    assert_nothing_small_is_told({p.name: p.read_text() for p in latest(project).iterdir()}, paid_lines(tables))


def counts_of(table: pd.DataFrame, head: str) -> pd.Series:
    return pd.to_numeric(table[head].str.replace(",", ""), errors="coerce")


def test_every_count_of_people_in_a_table_is_none_or_ten(shop):
    project, _ = shop
    seen = 0
    for path in latest(project).glob("*.html"):
        for title, table in tables_of(path.read_text()).items():
            for head in {"Customers", "Visitors", "Before", "After"} & set(table.columns):
                shown = counts_of(table, head).dropna()
                if title != "Key figures":
                    seen += len(shown)
                    assert not shown.between(1, FEW - 1).any(), (path.name, title, shown.tolist())
    assert seen > 20


def test_no_few_follow_from_what_tables_show(shop):
    """Each table against the shop's own rows: what is withheld together is two groups at least, and ten people."""
    project, tables = shop
    lines = paid_lines(tables)
    scores = scores_of(tables)
    segments = scores.groupby("segment")["customer_id"].nunique()
    months = {
        name: lines[lines["month"] == name].groupby("channel")["customer_id"].nunique()
        for name in ("2025-09", "2026-09")
    }
    asked = (
        ("31_segmentation", "The segments in numbers", "Segment", "Customers", segments),
        ("32_customer_value", "What each segment is worth", "Segment", "Customers", segments),
        ("70_statistics", "Change of revenue by channel", "Channel", "Sep 2025 (€)", months["2025-09"]),
        ("70_statistics", "Change of revenue by channel", "Channel", "Sep 2026 (€)", months["2026-09"]),
    )
    for page, title, name, head, people in asked:
        table = tables_of((latest(project) / f"{page}.html").read_text())[title]
        hidden = table.loc[table[head] == "withheld", name]
        n = people.reindex(hidden).fillna(0)
        assert len(n) != 1, (title, head)
        assert n.sum() == 0 or n.sum() >= FEW, (title, head, n.to_dict())
        small = people[people < FEW].index
        assert set(small) <= set(hidden), (title, head)


def test_no_sentence_is_about_few(shop):
    project, _ = shop
    for path in latest(project).glob("*.json"):
        for item in json.loads(path.read_text()).get("harvest", {}).get("findings", []):
            about = item["about"]["people"]
            counts = about.values() if isinstance(about, dict) else [about] if about is not None else []
            assert all(n == 0 or n >= FEW for n in counts), (path.name, item["sentence"])
            said = re.findall(r"(?<![\d.,])(\d+) (?:customers|visitors|people|buyers)", item["sentence"])
            assert all(int(n) == 0 or int(n) >= FEW for n in said), item["sentence"]


def test_pages_by_country_leave_no_few_out(by_country):
    project, tables, said = by_country
    made = {json.loads(p.read_text())["parameters"]["where"] for p in latest(project).glob("*--*.json")}
    kept = {where.removeprefix("country = ") for where in made}
    assert kept
    assert not kept & {"AT", "PT"}
    assert "left out" in said
    left_out = set(COUNTRIES) - kept
    rows = year(paid_lines(tables))
    # Revenue of the whole less that of all pages is the money of these.
    assert rows[rows["country"].isin(left_out)]["customer_id"].nunique() >= FEW


def test_no_report_holds_pages_of_the_whole_beside_pages_of_its_parts(by_country):
    project, tables, _ = by_country
    names = {p.stem for p in latest(project).glob("[0-9]*.html")}
    assert names
    assert all("--country" in name for name in names)
    assert_nothing_small_is_told({p.name: p.read_text() for p in latest(project).iterdir()}, paid_lines(tables))
    command(project, "run", "small", "--only", "22", *YEAR)
    assert {p.stem for p in latest(project).glob("[0-9]*.html")} == {"22_market_structure"}
    assert "other rows" in (latest(project) / "index.html").read_text()


def spellings(identity: str) -> set[str]:
    """The identity as it stands, and as words or digits alone."""
    return {
        identity,
        identity.lower(),
        re.sub(r"\W+", " ", identity.lower()).strip(),
        re.sub(r"\W+", "", identity.lower()),
    }


def test_nobody_is_found_in_anything_that_a_run_writes(tmp_path):
    """Two hundred identities in every column of text; `data/staged` holds the shop's rows as they are, and is private."""
    tables = write_small_project(tmp_path, planted=True)
    command(tmp_path, "run", "small", *only((*PAGES, "30")))
    own = [tables[t][c].dropna().astype(str) for t, c in _IDS]
    wanted = {s for identity in identities() for s in spellings(identity)} | set(pd.concat(own))
    assert len(wanted) > 1_500
    written = [p for p in (tmp_path / "reports").rglob("*") if p.is_file() and not p.is_symlink()]
    assert len(written) > 10
    statuses = {p.stem: json.loads(p.read_text())["status"] for p in latest(tmp_path).glob("[0-9]*.json")}
    assert set(statuses.values()) == {"ok"}
    for path in written:
        raw = path.read_text()
        content = raw + text_of(raw)
        assert not {w for w in wanted if w in content}, path.name


def test_a_status_that_names_somebody_is_refused_without_the_name():
    with pytest.raises(ContractError) as refused:
        require_known([("paid +44 20 7946 4014", 1), ("paid jo@example.org", 2)])
    assert "7946" not in str(refused.value)
    assert "jo@" not in str(refused.value)


_IDS = (
    ("order_lines", "order_id"),
    ("order_lines", "customer_id"),
    ("customers", "customer_id"),
    ("sessions", "session_id"),
    ("sessions", "visitor_id"),
    ("searches", "search_id"),
    ("reviews", "review_id"),
    ("tickets", "ticket_id"),
    ("returns", "return_id"),
)


def test_customers_of_a_segment_leave_in_a_file_of_their_own(shop, tmp_path):
    project, tables = shop
    done = command(project, "segment", "export", "small", "at risk")
    path = project / "data" / "exports" / "small" / "at_risk_2026-09-30.csv"
    scores = scores_of(tables)
    expected = sorted(scores.loc[scores["segment"] == "at risk", "customer_id"])
    assert expected
    assert path.read_text() == "\n".join(["customer_id", *expected, ""])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert f"wrote {len(expected)} customer ids of 'at risk'" in done.stdout
    noted = json.loads((latest(project) / "manifest.json").read_text())["exports"]
    assert [(e["segment"], e["n_customers"], e["file"]) for e in noted] == [("at risk", len(expected), path.name)]
    assert str(project) not in json.dumps(noted)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["at rsk"], "did you mean 'at risk'?"),
        (["at risk", "--out", "reports/x.csv"], "holds reports; choose a folder apart"),
        (["at risk", "--out", "reports/small/latest/x.csv"], "holds reports; choose a folder apart"),
    ],
)
def test_a_list_of_people_is_refused_with_the_way_out(shop, words, sentence):
    project, _ = shop
    done = subprocess.run(
        [sys.executable, "-m", "opslib", "segment", "export", "small", *words],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert sentence in done.stderr
    assert not list((project / "reports").rglob("x.csv"))
