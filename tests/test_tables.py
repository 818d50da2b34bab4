"""Tables and findings: what is shown, escaped, folded away and harvested."""

from __future__ import annotations

import csv
import html.parser
import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from html import unescape
from io import StringIO

import nh3
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from opslib import engine, proposals, tables
from opslib.contracts import Violation
from opslib.errors import NotAvailableError, ParameterError
from opslib.finding import Finding, Limits
from opslib.formats import DASH, MINUS, NBSP
from opslib.periods import Coverage, Period
from opslib.reporting.cleaning import clean_html
from opslib.stats.estimates import Estimate
from opslib.tables import show
from opslib.tables.bundles import BUNDLES, table_bundle
from opslib.tables.showing import to_csv, to_html, to_text
from tests.suppressing import suppress_small

HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=alert(2)>"


class Reader(html.parser.HTMLParser):
    """Reads HTML back: tags, attributes, texts of cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def shell():
    shell = InteractiveShell.instance()
    tables.register()
    yield shell
    tables.unregister()
    InteractiveShell.clear_instance()


def bundle(shell, value):
    return shell.display_formatter.format(value)[0]


def sizes() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "segment": ["Loyal", "New", "Lapsed"],
            "n_customers": [1200, 90, 4000],
            "revenue_amount": [412_345.678, 99.5, -3.0],
            "revenue_share": [0.812, 0.05, 0.0],
            "revenue_share_lower": [0.80, 0.04, 0.0],
            "revenue_share_upper": [0.82, 0.06, 0.01],
            "recency_days": [12.3, 3.0, 200.0],
            "is_new": [False, True, False],
            "last_on": pd.to_datetime(["2026-10-31"] * 3),
        }
    )


def test_a_table_by_hand():
    table = show(sizes().drop(columns=["last_on", "is_new"]), title="Loyal customers bring the money", currency="GBP")
    assert str(table) == (
        "Loyal customers bring the money\n"
        "Segment  Customers  Revenue (£)  Revenue share (%)  Recency (days)\n"
        f"Loyal        1,200      412,346   81.2 (80.0{DASH}82.0)            12.3\n"
        f"New             90          100      5.0 (4.0{DASH}6.0)             3.0\n"
        f"Lapsed       4,000           {MINUS}3      0.0 (0.0{DASH}1.0)           200.0"
    )


def test_numbers_of_a_column_have_equal_decimals_and_sort_by_value():
    tags = Reader(to_html(show(sizes(), title="t"))).tags
    cells = [attrs for tag, attrs in tags if tag == "td" and attrs.get("class") == "number"]
    assert "412345.678" in {c["data-sort"] for c in cells}
    days = [attrs["data-sort"] for tag, attrs in tags if tag == "td" and attrs.get("data-sort", "").startswith("2026")]
    assert days == ["2026-10-31"] * 3


def test_markup_is_semantic_and_without_styles_or_ids():
    frame = sizes().assign(is_loyal=[True, False, False])
    reader = Reader(to_html(show(frame, title="Loyal customers", highlight="is_loyal")))
    tags = [tag for tag, _ in reader.tags]
    assert {"table", "caption", "thead", "tbody"} <= set(tags)
    assert all(attrs["scope"] in ("col", "row") for tag, attrs in reader.tags if tag == "th")
    assert not any({"style", "id", "onclick"} & set(attrs) for _, attrs in reader.tags)
    assert [attrs for tag, attrs in reader.tags if tag == "tr" and attrs] == [{"class": "marked"}]


@given(st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), max_size=30))
def test_nothing_from_the_data_becomes_markup(text):
    hostile = HOSTILE + text
    frame = pd.DataFrame({"name": [hostile], "n_orders": [3], hostile: ["x"]})
    reader = Reader(to_html(show(frame, title=hostile, notes=[hostile])))
    assert {tag for tag, _ in reader.tags} <= {
        "div",
        "table",
        "caption",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "p",
        "span",
        "details",
        "summary",
    }
    assert hostile in "".join(reader.texts)


def test_findings_are_escaped(shell):
    finding = Finding(key="a", sentence=HOSTILE, kind="measured", action=HOSTILE, department=HOSTILE, caveat=HOSTILE)
    for value in (finding, Limits((HOSTILE,)), NotAvailableError(HOSTILE, HOSTILE)):
        tags = {tag for tag, _ in Reader(bundle(shell, value)["text/html"]).tags}
        assert tags <= {"p", "span", "small", "br", "div", "ul", "li"}


def test_the_table_survives_the_allow_list_of_the_page():
    markup = to_html(show(sizes(), title="t", max_rows=1))
    kept = nh3.clean(
        markup,
        tags={*nh3.ALLOWED_TAGS, "details", "summary", "caption"},
        attributes={"*": {"class", "scope", "data-sort"}},
        link_rel=None,
    )
    assert Reader(kept).tags == Reader(markup).tags


def test_a_table_of_many_rows_stands_once_and_lies_beside_the_page_as_csv():
    frame = pd.DataFrame({f"n_{i}": range(30) for i in range(9)})
    table = show(frame, title="t")
    markup = to_html(table)
    assert markup.count("<th ") == 9
    assert markup.count("<tr") == 31  # no fold repeats what stands above it
    assert 'class="sortable lengthy"' in markup
    assert table_bundle(table)["text/csv"].count("\n") == 31
    short = show(frame.head(25), title="t")  # up to 25 rows stand whole
    assert "lengthy" not in to_html(short)
    assert "text/csv" not in table_bundle(short)


def test_csv_has_plain_numbers_and_no_formula():
    frame = pd.DataFrame(
        {"product": ["=1+1", "-2", "@x", "plain"] * 7, "change_amount": [-1234.5, 2.0, np.nan, 0.5] * 7}
    )
    rows = list(csv.reader(StringIO(to_csv(show(frame, title="t", currency="GBP")))))
    assert rows[:5] == [
        ["Product", "Change (£)"], ["'=1+1", "-1234.5"], ["'-2", "2"], ["'@x", "unknown"], ["plain", "0.5"],
    ]  # fmt: skip


def test_a_table_can_be_folded_whole():
    markup = to_html(show(sizes(), title="Details", max_rows=0))
    assert markup.startswith('<div class="table"><details><summary>Details</summary>')


@pytest.mark.parametrize("empty", [sizes().head(0), pd.DataFrame(), []], ids=["no rows", "no columns", "no findings"])
def test_an_empty_table_shows_nothing(empty):
    table = show(empty, title="t", notes=["a note"])
    assert (to_html(table), to_text(table), str(table)) == ("", "", "")
    assert BUNDLES[type(table)](table) == {"text/plain": ""}


def test_too_many_rows_are_cut_and_counted():
    table = show(pd.DataFrame({"n": range(1200)}), title="t")
    assert to_html(table).count("<tr") == 501
    assert len(to_text(table).splitlines()) == 503  # with title, head and note
    assert to_csv(table).count("\n") == 1201
    assert table.notes == ("The first 500 of 1,200 rows.",)


def test_each_row_in_its_own_unit():
    frame = pd.DataFrame(
        {
            "title": ["Revenue", "Repeat rate"],
            "unit": ["money", "share"],
            "value": [412_345.0, 0.28],
            "value_lower": [np.nan, 0.26],
            "value_upper": [np.nan, 0.30],
            "change_share": [0.031, -0.02],
        }
    )
    text = str(show(frame, title="t", currency="GBP"))
    assert "£412k" in text
    assert f"28.0{NBSP}% (26.0{DASH}30.0)" in text
    assert "+3.1" in text
    assert "Change share (%)" in text


def test_withheld_cells_and_their_note():
    frame = pd.DataFrame({"segment": ["a", "b", "c"], "n_customers": [3, 50, 60], "revenue_amount": [1.0, 2.0, 3.0]})
    text = str(show(suppress_small(frame, people="n_customers", dimensions=["segment"]), title="t"))
    assert text.count("withheld") == 4
    assert "Withheld: fewer than ten people" in text
    assert "is_suppressed" not in text


def test_identities_never_show():
    frame = pd.DataFrame({"customer_id": ["17850"], "n_orders": [3]})
    table = show(frame, title="t")
    assert "17850" not in to_html(table)
    assert "customer_id is not shown" in table.notes[0]
    with pytest.raises(ParameterError, match="'customer_id' names people"):
        show(frame, title="t", columns=["customer_id"])


def test_examples_of_findings_lose_ids_and_addresses():
    findings = [
        Violation("order_lines", "customer_id", "null", "warning", 3, 0.1, "17850"),
        Violation("tickets", "topic", "allowed", "warning", 3, 0.1, "jo@example.org"),
    ]
    text = str(show(findings, title="t"))
    assert "17850" not in text
    assert "jo@example.org" not in text
    assert "[e-mail]" in text


@pytest.mark.parametrize(
    ("choices", "message"), [({"columns": ["nothing"]}, "no column 'nothing'; the frame has segment")]
)
def test_refusals(choices, message):
    with pytest.raises(ParameterError, match=message):
        show(sizes(), title="t", **choices)


def test_neither_a_frame_nor_findings():
    with pytest.raises(ParameterError, match="a DataFrame or a list of findings is needed"):
        show([1, 2], title="t")


def test_the_same_table_gives_the_same_bytes():
    assert to_html(show(sizes(), title="t")) == to_html(show(sizes().copy(), title="t"))


def test_finding_carries_its_json(shell):
    worth = Estimate(value=3100, lower=1400, upper=5200, n=9, unit="GBP", method="t")
    finding = Finding(
        key="rattan",
        sentence="Rattan is missing.",
        kind="estimated",
        grade="Low",
        worth=worth,
        action="list 40 items",
        department="Assortment",
        due=date(2026, 11, 15),
    )
    shown = bundle(shell, finding)
    data = shown["application/vnd.opslib.finding+json"]
    assert json.loads(json.dumps(data, allow_nan=False))["key"] == "rattan"
    assert f"→ list 40 items · Buying · £3,100 a month (1,400{DASH}5,200) · by 15 Nov 2026" in shown["text/html"]
    assert "estimated, grade Low" in shown["text/plain"]


def test_finding_with_open_ends_is_valid_json(shell):
    open_end = Estimate(value=float("nan"), lower=0.1, upper=float("inf"), n=9, unit="share", method="t")
    shown = bundle(shell, Finding(key="a", sentence="s", kind="measured", estimate=open_end))
    assert shown["application/vnd.opslib.finding+json"]["estimate"]["upper"] is None


def test_a_draft_shows_what_is_to_be_said_and_folds_its_file(shell):
    finding = Finding(key="a", sentence="<b>9</b>", kind="measured", action="do it")
    shown = bundle(shell, proposals.draft(finding))
    assert "<summary>The file, as drafted</summary><pre># A draft" in shown["text/html"]
    assert "&lt;b&gt;9" in shown["text/html"]
    assert "- owner: the finding names no department" in shown["text/plain"]
    assert unescape(str(clean_html(shown["text/html"]))) == unescape(shown["text/html"])  # nothing is taken out


def test_limits_and_missing_tables(shell):
    assert bundle(shell, Limits(("Why they left.",)))["application/vnd.opslib.limits+json"] == {
        "sentences": ["Why they left."]
    }
    missing = NotAvailableError("reviews", "what disappoints buyers")
    assert bundle(shell, missing)["application/vnd.opslib.notavailable+json"] == {
        "table": "reviews",
        "would_answer": "what disappoints buyers",
    }


def test_a_series_for_the_index(shell):
    value = tables.MetricSeries(metric="revenue", values=(1.0, float("nan")))
    assert bundle(shell, value)["application/vnd.opslib.series+json"] == {"metric": "revenue", "values": [1.0, None]}


SEEN = Coverage(date(2026, 1, 1), date(2026, 10, 12))


@dataclass(frozen=True)
class Shop:
    title: str
    tables: dict
    currency: str = "GBP"
    time_zone: str = "Europe/London"
    is_simulated: bool = True
    fingerprint: str = "ab" * 32
    coverage: Coverage = SEEN


def test_provenance_is_the_same_at_every_run(shell):
    shown = []
    for _ in range(2):
        engine.clear_log()
        lines = engine.as_table(pd.DataFrame({"n": [1, 2, 3]}))  # a temporary table with a name made by chance
        engine.collect(lines.filter(lines["n"] > 1))
        shop = Shop("Harbour Lane", {"order_lines": lines})
        shown.append(bundle(shell, tables.provenance(shop, period=Period.parse("2026-10-01", "2026-10-31"))))
    data = shown[0]["application/vnd.opslib.provenance+json"]
    assert shown[0] == shown[1]
    assert data["tables"] == [{"table": "order_lines", "n_rows": 3}]
    assert (data["start"], data["end"], data["data_until"]) == ("2026-10-01", "2026-10-31", "2026-10-12")
    assert [q["n_rows"] for q in data["queries"]] == [2]
    assert "seconds" not in data["queries"][0]
    assert "Harbour Lane (simulated) · Oct 2026 · data until 12 Oct 2026" in shown[0]["text/html"]


def test_bare_frames_and_estimates_show_no_raw_floats(shell):
    shown = bundle(shell, pd.DataFrame({"x": [1 / 3]}))
    assert "0.333" in shown["text/plain"]
    assert "0.33333" not in shown["text/html"].replace('data-sort="0.333333333333"', "")
    estimate = Estimate(value=1 / 3, lower=0.3, upper=0.36, n=900, unit="share", method="Wilson")
    assert bundle(shell, estimate)["text/plain"] == f"33{NBSP}% (30{DASH}36)  [95{NBSP}% interval, n = 900, Wilson]"


def test_a_lazy_table_shows_its_first_rows_names_nobody_and_is_no_query_of_the_page(shell):
    orders = pd.DataFrame({"customer_id": [f"c{i}" for i in range(25)], "revenue_amount": [1.5] * 25})
    lazy = engine.connect().create_table("orders", orders).order_by("customer_id")
    before = engine.query_log()
    shown = bundle(shell, lazy)
    assert engine.query_log() == before
    # A head, ten rows and the sentence on the column that is left out.
    assert shown["text/plain"].count("1.50") == 10
    assert "c1" not in shown["text/plain"] + shown["text/html"]
    assert "c1" not in repr(lazy)  # what print would write on a page


def test_in_a_shell_a_lazy_table_prints_its_first_ten_rows():
    code = (
        "import pandas as pd\nfrom opslib import engine\n"
        "print(repr(engine.as_table(pd.DataFrame({'n': range(100, 125)}))), engine.query_log())"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert [n for n in range(100, 125) if str(n) in out] == list(range(100, 110))
    assert out.endswith("()\n")


def test_a_table_prints_as_its_text_in_a_shell():
    assert repr(show(sizes(), title="Segments")) == to_text(show(sizes(), title="Segments"))


def test_without_ipython_registering_does_nothing(monkeypatch):
    monkeypatch.setattr("IPython.get_ipython", lambda: None)
    assert tables.register() is None


def test_a_figure_drawn_before_a_table_stands_before_it(monkeypatch):
    """A notebook shows figures at the end of a cell: the table of one cell once stood before its picture."""
    import matplotlib.pyplot as plt
    from matplotlib_inline import backend_inline

    shown = []
    monkeypatch.setattr(backend_inline, "display", lambda figure, **options: shown.append(figure))
    monkeypatch.setattr(backend_inline.show, "_draw_called", True)
    figure = plt.figure()
    tables.show(pd.DataFrame({"segment": ["new"]}), title="T", people=None)
    assert shown == [figure]
