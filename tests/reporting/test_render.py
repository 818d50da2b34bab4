"""Pages: what stands where, and nothing that changes between two runs."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import nbformat
import pytest

from opslib.errors import ReportError
from opslib.metrics import METRICS
from opslib.reporting.harvest import harvest
from opslib.reporting.render import TEMPLATES, render_page
from tests.reporting.notebooks import PROVENANCE, a_finding, estimate, notebook

PARAMETERS = {"shop": "demo", "start": "2026-10-01", "end": "2026-10-31", "where": "", "sku": "00123"}


def shown(kind: str, value: dict) -> dict:
    data = {f"application/vnd.opslib.{kind}+json": value, "text/html": "<p>its own HTML</p>"}
    return nbformat.from_dict({"output_type": "display_data", "data": data, "metadata": {}})


def printed(text: str) -> dict:
    return nbformat.from_dict({"output_type": "stream", "name": "stdout", "text": text})


def page(*cells: tuple[str, list[dict]], **options: object) -> str:
    nb = notebook(*(source for source, _ in cells), title="What is wanted?")
    for cell, (_, outputs) in zip(nb.cells[2:], cells, strict=True):
        if cell.cell_type == "code":
            cell.outputs = outputs
    choices = {"parameters": PARAMETERS, "versions": {"opslib": "0.1.0"}, **options}
    return render_page(nb, **choices)


FINDINGS = [
    shown(
        "finding",
        a_finding(
            "a",
            "A fell (3–4).",
            section="second-claim",
            kind="estimated",
            grade="Low",
            action="Do <b>this</b>",
            department="Web",
            due="2026-11-15",
            worth=estimate(300, 200, 400, "GBP/month"),
            caveat="It may not.",
        ),
    ),
    shown("limits", {"sentences": ["Why they left."]}),
    shown("provenance", PROVENANCE),
]
CELLS = (
    ("%md For the web team.", []),
    ("%md ## First claim\n\nBecause.", []),
    ("secret_code = 1", [printed("It is 5 <i>.")]),
    ("%md ## 2. Second claim", []),
    ("x", [shown("section", {"id": "second-claim", "title": "", "missing": []}), printed("And 6.")]),
    ("%md ## Findings\n\nSaved as findings.", []),
    ("y", FINDINGS),
)


def test_the_answer_comes_first() -> None:
    text = page(*CELLS)
    places = [
        text.index(part)
        for part in (
            "<h1>What is wanted?</h1>",
            "A fell (3",
            "Do &lt;b&gt;this&lt;/b&gt;",
            "between £200 and £400 a month",
            "15 Nov 2026",
            "Why they left.",
            "First claim</a>",
            "Because.",
            "It is 5 &lt;i&gt;.",
            "Definitions</h2>",
            "Methods and provenance",
            "For the web team.",
            "5f1d7a84c2e94c0ab1",
            "541,909",
            "<!--to:queries.sql-->",
        )
    ]
    assert places == sorted(places)
    assert '<a href="#second-claim">why' in text
    assert "its own HTML" not in text
    assert "Saved as findings." not in text  # that section's findings stand at the top
    assert "secret_code" not in text
    assert "SELECT query" not in text  # the queries lie beside the page
    assert text.count("<h1") == 1


def of_findings(*said: dict, **more: object) -> str:
    bundles = [shown("finding", item) for item in said]
    return page(("%md ## Findings", []), ("y", [*bundles, shown("provenance", PROVENANCE)]), **more)


def test_an_action_stands_once_the_urgent_first_then_what_is_surely_worth_most() -> None:
    def acting(key: str, action: str, **more: object) -> dict:
        return a_finding(key, f"Violation {key}.", action=action, **more)

    worth = estimate(100, 50, 150, "GBP/month")
    said = [acting("a", "Plain"), acting("b", "Doubtful", worth=estimate(900, -50, 2000, "GBP/month")),
            acting("c", "Plain"), acting("d", "Sure", worth=worth), acting("e", "Stop it", is_urgent=True)]  # fmt: skip
    text = of_findings(*said)
    assert re.findall(r'<tr><th scope="row">([A-Z][^<]*)<', text) == [
        "Stop it ",
        "Sure ",
        "Plain ",
    ]  # three, and no more
    assert "Doubtful" not in text


def test_what_an_action_is_worth_has_its_period_or_what_would_tell_it() -> None:
    text = of_findings(
        a_finding("a", "A.", action="Do a", worth=estimate(300, 200, 400, "GBP/year")),
        a_finding("b", "B.", action="Do b", would_tell="a two-week test"),
        a_finding("c", "C.", action="Do c"),
    )
    cells = re.findall(r'data-label="worth: "[^>]*>([^<]*)<', text)
    assert cells == ["between £200 and £400 a year", "not known: a two-week test would tell", "not known"]


def test_an_action_names_its_things_and_folds_a_long_list() -> None:
    few, many = ("Lamp", "Shelf"), tuple(f"Thing {n}" for n in range(6))
    text = of_findings(
        a_finding("a", "A.", action="Do a", things=few),
        a_finding("b", "B.", action="Do b", things=many),
        a_finding("c", "C.", action="Raise Garden and Bath", things=("Garden", "Bath")),
    )
    assert text.count("Garden") == 1, "the sentence names them"
    assert '<span class="things">Lamp, Shelf</span>' in text
    assert "<summary>6 names</summary><p>Thing 0, Thing 1" in text


def test_three_findings_stand_first_two_fold_and_a_number_alone_is_never_told() -> None:
    said = [a_finding("x", "Only a number.", is_told=False), *(a_finding(f"k{n}", f"Told {n}.") for n in range(6))]
    text = of_findings(*said)
    assert "Only a number." not in text
    first, _, folded = text.partition("<summary>2 more</summary>")
    assert [n for n in range(6) if f"Told {n}." in first] == [0, 1, 2]
    assert [n for n in range(6) if f"Told {n}." in folded] == [3, 4]
    assert text.count("Told 3.") == 1


def test_the_answer_is_the_pages_own_and_each_kind_has_its_sign() -> None:
    kinds = {"measured": "●", "estimated": "◐", "described": "○", "simulated": "▲"}
    for kind, sign in kinds.items():
        text = page(
            ("y", [shown("answer", {"text": "All is well."}), shown("finding", a_finding("a", "A.", kind=kind))])
        )
        assert '<p class="reply">All is well.</p>' in text
        assert f'<span class="sign" aria-hidden="true">{sign}</span>' in text


def test_one_limit_stands_above_and_the_others_with_the_methods() -> None:
    text = page(("y", [shown("limits", {"sentences": ["Why they left.", "Whether they return."]})]))
    assert text.index("Why they left.") < text.index('id="methods"') < text.index("Whether they return.")


def test_definitions_are_those_of_the_metrics_of_the_page() -> None:
    text = of_findings(a_finding("a", "A.", metric="repeat_rate"))
    part = text.partition('id="definitions"')[2].partition('id="methods"')[0]
    assert f"<dt>Repeat rate</dt><dd>{METRICS['repeat_rate'].definition}</dd>" in part
    assert METRICS["bounce_rate"].definition not in part
    assert "<dt>Hold-out</dt>" in part
    assert '<a href="#definitions">' in text.partition("<h1")[0]


def test_a_part_says_what_it_is_about_in_words() -> None:
    text = page(*CELLS, parameters=PARAMETERS | {"where": "country = Germany and channel != email"})
    assert "<title>What is wanted? · only country Germany and channel not email ·" in text
    assert "country = Germany" not in text.partition('id="methods"')[0]


def test_above_the_fold_no_iso_date_no_column_and_no_command_stands() -> None:
    gap = shown(
        "section", {"id": "s", "title": "", "missing": [{"table": "order_lines.customer_id", "would_answer": "who"}]}
    )
    text = page(*CELLS, ("%md ## X", []), ("x", [gap]))
    words = re.sub(r"<script.*?</script>|<style.*?</style>|<!--.*?-->|<[^>]*>", " ", text.partition("Methods and provenance")[0], flags=re.DOTALL)  # fmt: skip
    assert not re.search(r"\d{4}-\d\d-\d\d|[a-z]+_[a-z]+|opslib ", words)


def test_code_is_shown_only_when_asked_for() -> None:
    assert "<summary>Code</summary><pre><code>secret_code = 1" in page(*CELLS, is_code_shown=True)


def test_the_simulated_shop_is_named_so_on_every_kind_of_page() -> None:
    origin = {"title": "Harbour Lane", "is_simulated": True}
    for status in ("ok", "failed", "not available"):
        assert '<span class="tag">simulated</span>' in page(*CELLS[:1], status=status, reason="x", origin=origin)


def test_a_failed_page_shows_no_half_result() -> None:
    text = page(*CELLS, status="failed", reason="code cell 3 stopped with ValueError.")
    assert "This page could not be made" in text
    assert "Its notebook did not finish: code cell 3 stopped with ValueError.</p>" in text
    assert "A fell" not in text
    assert "It is 5" not in text


def test_a_page_without_its_table_says_what_it_would_have_answered() -> None:
    missing = shown("notavailable", {"table": "reviews", "would_answer": "what disappoints"})
    text = page(("x", [missing]), status="not available", reason="x")
    assert "Not available for this shop" in text
    assert "does not have: reviews (would say what disappoints)." in text
    partly = page(*CELLS, ("x", [missing]))
    assert "A fell" in partly
    line = "Not on this page because the data are missing: reviews (would say what disappoints)."
    assert partly.index("Because.") < partly.index(line) < partly.index('id="definitions"')


def test_cells_tagged_methods_or_parameters_fold_away() -> None:
    nb = notebook("%md ## How we count\n\nThe long definition.", "%md ## Claim\n\nIt is so.", title="T")
    nb.cells.insert(1, nbformat.v4.new_markdown_cell("## Choices\n\nWhat can be set."))
    nb.cells[3].metadata["tags"] = ["methods"]
    text = render_page(nb, parameters=PARAMETERS, versions={"opslib": "1"})
    methods = text.index("Methods and provenance")
    assert text.index("The long definition.") > methods
    assert text.index("What can be set.") > methods
    assert text.index("It is so.") < methods


CARD = {
    "id": "P-007", "title": "Free delivery <i>at £40", "verdict": "partly", "grade": "High", "doubt": "One season only.",
    "recommendation": "launch with hold-out", "money": estimate(18e3, -4e3, 41e3, "GBP/year"),
    "notes": ["Web has not answered."], "decision": None, "ledger_head": "abc123",
}  # fmt: skip


def test_a_proposal_is_its_page() -> None:
    text = page(*CELLS, ("z", [shown("proposal", CARD)]))
    assert "<h1>P-007 Free delivery &lt;i&gt;at £40</h1>" in text
    assert '<p class="kicker">What is wanted?</p>' in text
    places = [
        text.index(part) for part in ("partly</dd>", "High</dd>", "launch with hold-out", "£18k a year", "A fell (3")
    ]
    assert places == sorted(places)
    assert "One season only." in text
    assert "Web has not answered." in text
    assert "abc123" in text


def test_the_policy_names_the_one_script_and_no_address() -> None:
    text = page(*CELLS)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1].replace("&#39;", "'")
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert len(scripts) == 1
    assert f"'sha256-{base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none';")
    assert not re.search(r"(src|href)=\"?(https?:)?//|url\(|@import", text)


def test_markup_is_closed_and_ids_are_single() -> None:
    class Reader(HTMLParser):
        open: list[str] = []
        ids: list[str] = []

        def handle_starttag(self, tag, attrs):
            self.ids += [value for name, value in attrs if name == "id"]
            if tag not in ("meta", "link", "br", "hr", "img", "col"):
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    reader = Reader()
    reader.feed(page(*CELLS, is_code_shown=True))
    assert reader.open == []
    assert len(reader.ids) == len(set(reader.ids)) > 4


def test_equal_notebooks_give_equal_bytes() -> None:
    assert page(*CELLS) == page(*CELLS)


def test_unfixable_figures_stop_the_page() -> None:
    figure = nbformat.from_dict({"output_type": "display_data", "data": {"image/png": "aGk="}, "metadata": {}})
    with pytest.raises(ReportError, match="cell 3: a figure has no alternative text"):
        page(("x", [figure]))


def test_a_finding_leads_to_its_section_and_an_unknown_one_is_refused() -> None:
    assert 'href="#second-claim"' in page(*CELLS)
    assert '<section id="second-claim"' in page(*CELLS)
    wrong = shown("finding", a_finding("a", "A fell.", section="second-clam"))
    with pytest.raises(ReportError, match="'second-clam', which this page has not; did you mean 'second-claim'"):
        page(*CELLS, ("x", [wrong]))


def test_a_section_without_its_data_leaves_the_page_and_is_named() -> None:
    gap = {"table": "reviews", "would_answer": "what disappoints"}
    cells = (
        ("%md ## Reviews\n\nA long paragraph about stars.", []),
        ("a", [shown("section", {"id": "stars", "title": "", "missing": [gap]}), printed("nan stars")]),
        ("%md More prose.", []),
        ("b", [printed("still nan")]),
        ("%md ## Sales", []),
        ("c", [shown("section", {"id": "sales", "title": "Sales rose by 3", "missing": []}), printed("3 more")]),
    )
    text = page(*cells)
    for gone in ("A long paragraph", "nan stars", "More prose", "still nan", '<h2 id="stars-h"'):
        assert gone not in text
    assert text.count("what disappoints") == 1
    assert "Sales rose by 3</h2>" in text


def test_a_page_of_which_no_section_has_its_data_is_not_available() -> None:
    gap = {"table": "reviews", "would_answer": "what disappoints"}
    nb = notebook("a", title="T")
    nb.cells[-1].outputs = [shown("section", {"id": "stars", "title": "", "missing": [gap]})]
    assert harvest(nb).is_without_data
    nb.cells[-1].outputs.append(shown("section", {"id": "sales", "title": "", "missing": []}))
    assert not harvest(nb).is_without_data


def test_the_first_screen_has_its_figure_once() -> None:
    picture = {"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg'></svg>", "text/plain": "A line that rises."}
    made = {
        "output_type": "display_data",
        "data": picture,
        "metadata": {"image/svg+xml": {"alt": "A line that rises."}},
    }
    chosen = {**made, "data": {"application/vnd.opslib.figure+json": {}, **picture}}
    text = page(*CELLS[:3], *CELLS[3:5], ("x", [nbformat.from_dict(made)]), ("y", [nbformat.from_dict(chosen)]))
    assert text.count('alt="A line that rises."') == 1
    assert text.index('alt="A line that rises."') < text.index('class="argument"')


def test_a_verdict_does_not_break_inside_a_word_and_a_dot_has_a_space_after_it() -> None:
    css = (TEMPLATES / "opslib" / "page.css").read_text(encoding="utf-8")
    (state,) = re.findall(r"dl\.verdict \.state dd \{(.*?)\}", css)
    assert "overflow-wrap: break-word" in state
    # CSS takes the first space after an escape for the escape's end.
    (dot,) = re.findall(r'\.cards td:not\(:last-child, :first-child\)::after \{ content: "(.*?)"', css)
    assert re.sub(r"\\([0-9a-f]{1,6}) ?", lambda m: chr(int(m[1], 16)), dot) == " · "
