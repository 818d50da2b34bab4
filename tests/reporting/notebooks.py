"""Small notebooks for the tests of reporting, built where they are needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

COMMON = (
    "shop: str = 'demo'  # which shop\nstart: str = ''  # first day\nend: str = ''  # last day\n"
    "where: str = ''  # filter"
)
SHOW = "from IPython.display import display\n"


def notebook(*cells: str, title: str = "A page", parameters: str = COMMON) -> Any:
    """A notebook: the title, the parameters cell, then code, or prose where a cell starts with '#' or '%md'."""
    made = [new_markdown_cell(f"# {title}"), new_code_cell(parameters, metadata={"tags": ["parameters"]})]
    for source in cells:
        is_prose = source.startswith("%md ")
        made.append(new_markdown_cell(source[4:]) if is_prose else new_code_cell(source))
    for position, cell in enumerate(made):
        cell["id"] = f"c{position}"
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    return new_notebook(cells=made, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})


def save(path: Path, content: Any) -> Path:
    """Write a notebook."""
    nbformat.write(content, str(path))
    return path


def typed(kind: str, value: dict[str, Any], *, html: str = "<p>as HTML</p>") -> str:
    """Code that displays a typed output as the product's notebooks do."""
    bundle = {f"application/vnd.opslib.{kind}+json": value, "text/html": html, "text/plain": kind}
    return f"{SHOW}display({bundle!r}, raw=True)"


def estimate(value: float, lower: float, upper: float, unit: str) -> dict[str, Any]:
    """An estimate as JSON."""
    return {
        "value": value,
        "lower": lower,
        "upper": upper,
        "n": 100,
        "unit": unit,
        "method": "test",
        "level": 0.95,
        "std_error": None,
    }


def a_finding(key: str, sentence: str, **fields: Any) -> dict[str, Any]:
    """A finding as JSON; ``metric``, ``scope``, ``objects`` and ``compared`` say what it is about."""
    empty = dict.fromkeys(
        ("estimate", "grade", "section", "department", "role", "proposes", "action", "due", "worth", "caveat")
    )
    about: dict[str, Any] = {"metric": None, "scope": [], "objects": [], "compared": None}
    about |= {name: fields.pop(name) for name in about if name in fields}
    return {**empty, "key": key, "sentence": sentence, "kind": "measured", "priority": 3, "about": about, **fields}


PROVENANCE = {
    "title": "Harbour Lane",
    "currency": "GBP",
    "time_zone": "Europe/London",
    "is_simulated": True,
    "data_until": "2026-10-31T23:59:00",
    "fingerprint": "5f1d7a84c2e94c0ab1",
    "tables": [{"table": "order_lines", "n_rows": 541909}, {"table": "searches", "n_rows": 91220}],
    "queries": [
        {"sql": "SELECT query, count(*)\nFROM searches\nGROUP BY query", "n_rows": 812, "fingerprint": "ab12cd34ef56"}
    ],
}
FIGURE = """
import matplotlib
matplotlib.rcParams["svg.hashsalt"] = "opslib"
matplotlib.rcParams["svg.fonttype"] = "none"
%config InlineBackend.figure_formats = ["svg"]
import matplotlib.pyplot as plt
fig, ax = plt.subplots(figsize=(7.2, 3.2), layout="constrained")
names = ["rattan storage", "refill packs", "bath mat green", "candle holder", "kids apron"][::-1]
ax.barh(names, [62, 210, 330, 1210, 1480], color=["#c9ced3"] * 3 + ["#0072b2"] * 2, height=.62)
ax.errorbar([62, 210, 330, 1210, 1480], names, xerr=[14, 30, 40, 80, 90], fmt="none", ecolor="#333", lw=1)
ax.set_title("Two needs carry half of what is not found", loc="left", fontsize=11)
ax.set_xlabel("searches without a result, October")
ax.spines[["top", "right", "left"]].set_visible(False); ax.tick_params(left=False)
plt.close(fig)
from IPython.display import display
display(fig, metadata={"image/svg+xml": {"alt": "Bars of searches without a result: rattan storage 1,480, refill packs 1,210, all others below 330"}})
"""
TABLE = """
import pandas as pd
from IPython.display import display
rows = [("rattan storage", 1480, .162, 4100), ("refill packs", 1210, .133, 2300), ("bath mat green", 330, .036, None),
        ("candle holder", 210, .023, 310.5), ("kids apron", 62, .007, 95)]
head = "".join(f"<th scope='col'>{h}</th>" for h in ("need", "searches", "share", "worth a month, £"))
body = "".join(f"<tr><th scope='row'>{n}</th><td>{s:,}</td><td>{p:.1%}</td><td>{'–' if w is None else f'{w:,.0f}'}</td></tr>" for n, s, p, w in rows)
from IPython.display import HTML
HTML(f"<table><caption>Needs without a result, October</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
"""


def rich_notebook() -> Any:
    """A page with everything that a page can have."""
    return notebook(
        "%md For the assortment and web teams, who decide which needs to meet first.",
        "%md ## 1 One search in nine ends with nothing\n\nWe count searches whose result page was empty. A need is a group of "
        "queries that ask for the same thing; spelling and word order do not matter.",
        "print('Of 91,220 searches, 10,212 found nothing.')\nprint('- 1,480 asked for rattan storage')\nprint('- 1,210 asked for refill packs')",
        "%md ## 2 Two needs carry half of what is not found",
        FIGURE,
        "%md The first two stand apart: their intervals do not meet those of the others. Everything below them is small and changes from month to month.",
        TABLE,
        "%md ## 3 Phone visitors leave at delivery\n\nThe step asks for an address that the visitor has typed before. Desktop visitors pass it; phone visitors do not.",
        "print('On phones 38 % of checkouts end at delivery, on desktop 18 %.')",
        "%md ## Findings\n\nWhat follows is saved as findings.",
        typed("answer", {"text": "One search in nine ends with nothing. Two needs carry half of it."}),
        typed(
            "finding",
            a_finding(
                "zero",
                "One search in nine ends with nothing (11.2 %, 10.8–11.6); two needs carry half of it: rattan storage and refill packs.",
                estimate=estimate(0.112, 0.108, 0.116, "share"),
                metric="zero_result_rate",
                role="key figure",
                section="s1",
            ),
        ),
        typed(
            "finding",
            a_finding(
                "worth",
                "Meeting “rattan storage” is worth about £3,100 a month (£1,400–5,200).",
                kind="estimated",
                grade="Low",
                section="s2",
                action="List 40 rattan items",
                department="Assortment",
                due="2026-11-15",
                worth=estimate(3100, 1400, 5200, "GBP/month"),
                caveat="It supposes that searchers buy as often as those who find something.",
            ),
        ),
        typed(
            "finding",
            a_finding(
                "phone",
                "Phone visitors leave checkout at delivery twice as often (2.1x, 1.8–2.4).",
                section="s3",
                action="Test a shorter delivery step on phones",
                department="Web",
                due="2026-12-01",
                worth=estimate(1500, 900, 2200, "GBP/month"),
            ),
        ),
        typed(
            "finding",
            a_finding(
                "conv",
                "Conversion is 2.31 % (2.24–2.38).",
                metric="conversion",
                role="key figure",
                estimate=estimate(0.0231, 0.0224, 0.0238, "share"),
            ),
        ),
        typed(
            "finding",
            a_finding(
                "rev",
                "Revenue is £412k.",
                role="key figure",
                metric="revenue",
                estimate=estimate(412e3, 412e3, 412e3, "GBP"),
            ),
        ),
        typed(
            "finding",
            a_finding(
                "rev-change",
                "Revenue rose by 3.1 % (0.4–5.9).",
                kind="estimated",
                metric="revenue",
                role="change",
                compared="previous",
                estimate=estimate(0.031, 0.004, 0.059, "change"),
            ),
        ),
        typed("series", {"metric": "revenue", "values": [310, 330, 300, 350, 340, 380, 360, 390, 412]}),
        typed("limits", {"sentences": ["Whether shoppers who found nothing bought elsewhere."]}),
        typed("provenance", PROVENANCE),
        title="What do visitors look for and not find?",
        parameters=COMMON + "\ntop_n: int = 5  # how many needs [1..50]\nsku: str = '00123'  # an article",
    )
