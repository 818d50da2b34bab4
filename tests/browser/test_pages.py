"""Produced pages in a real browser: nothing fetched, nothing run, everybody can read them."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat
import pytest

from opslib.casework.agenda import AgendaItem
from opslib.reporting import manifest
from opslib.reporting.harvest import NARROW_SVG, harvest
from opslib.reporting.index import render_index
from opslib.reporting.links import page_links, with_links
from opslib.reporting.manifest import PageRecord
from opslib.reporting.render import first_heading, render_page
from tests.conftest import skip_or_fail
from tests.reporting.notebooks import PROVENANCE, a_finding, estimate, notebook, rich_notebook
from tests.reporting.test_cleaning import HOSTILE

pytestmark = pytest.mark.browser

CHROMIUM_FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PARAMETERS = {"shop": "demo", "start": "2026-10-01", "end": "2026-10-31", "where": "country = <b>x</b>"}
SVG = (
    "<svg xmlns='http://www.w3.org/2000/svg' width='640' height='200'><rect width='300' height='40' y='20' "
    "fill='#0072b2'/><script>parent.hit=1</script></svg>"
)
TABLE = (
    "<table><caption>Needs</caption><thead><tr><th></th><th scope='col'>n</th><th scope='col'>a long head, £</th></tr></thead>"
    "<tbody><tr><th scope='row'>b</th><td>1,480</td><td>−12.4k</td></tr><tr><th scope='row'>a</th><td>62</td><td>3</td></tr>"
    "<tr><th scope='row'>c</th><td>330</td><td>–</td></tr><tr class='total'><th scope='row'>all</th><td>1,872</td><td></td></tr></tbody></table>"
)


LONG_TABLE = (
    "<table class='sortable lengthy'><caption>Products</caption><thead><tr><th scope='col'>product</th><th scope='col'>verdict</th>"
    "<th scope='col'>n</th></tr></thead><tbody>"
    + "".join(
        f"<tr><th scope='row'>item {i}</th><td>{('supported', 'harmful', 'confirmed, weak evidence')[i % 3]}</td><td>{i}</td></tr>"
        for i in range(30)
    )
    + "</tbody></table>"
)


def shown(data: dict[str, Any], **metadata: Any) -> Any:
    return nbformat.from_dict({"output_type": "display_data", "data": data, "metadata": metadata})


CARD = {
    "id": "P-7", "title": HOSTILE[1], "verdict": HOSTILE[0], "grade": "High", "doubt": HOSTILE[2], "notes": [HOSTILE[3]],
    "recommendation": HOSTILE[4], "money": estimate(18e3, -4e3, 41e3, "GBP/year"), "waiting_days": 6,
    "ledger_head": HOSTILE[5],
}  # fmt: skip


def filled(content: Any, *, outputs: list[Any]) -> Any:
    """The notebook as if run: the first figure's cell shows the outputs, typed cells show what they say."""
    for cell in content.cells:
        if cell.cell_type == "code" and cell.source.startswith("from IPython.display import display\ndisplay({"):
            bundle = cell.source.partition("display(")[2].rpartition(", raw=True)")[0]
            cell.outputs = [shown(eval(bundle))]
    content.cells[6].outputs = outputs
    return content


def hostile_notebook() -> Any:
    """Every payload as a product name: in findings, tables, printed text, Markdown and HTML."""
    content = notebook(
        "1",
        title=f"Page of {HOSTILE[1]}",
    )
    content.cells[0].source += "\n\n" + "\n\n".join(HOSTILE)
    rows = "".join(f"<tr><td>{payload}</td><td>1</td></tr>" for payload in HOSTILE)
    words = "\n".join(HOSTILE)
    finding = a_finding("k", HOSTILE[0], action=HOSTILE[1], caveat=HOSTILE[2], department=HOSTILE[3], metric=HOSTILE[1])
    limits = {"sentences": [HOSTILE[4], HOSTILE[0]]}
    origin = PROVENANCE | {"title": HOSTILE[1], "queries": [{"sql": HOSTILE[0], "n_rows": 1, "fingerprint": "a"}]}
    content.cells[-1].outputs = [
        shown({"text/html": f"<table><tbody>{rows}</tbody></table>{words}"}),
        shown({"text/markdown": words}),
        shown({"text/plain": words}),
        shown({"image/svg+xml": SVG}, alt=HOSTILE[1]),
        nbformat.from_dict({"output_type": "stream", "name": "stdout", "text": words}),
        *(
            shown({f"application/vnd.opslib.{k}+json": v})
            for k, v in (
                ("finding", finding),
                ("finding", a_finding(f"undo-{HOSTILE[1]}", HOSTILE[6], role="promise")),
                ("limits", limits),
                ("provenance", origin),
            )
        ),
    ]
    return content


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A run's folder with a page of every kind, made without kernels."""
    folder = tmp_path_factory.mktemp("site")
    figure = shown(
        {"image/svg+xml": SVG, NARROW_SVG: SVG.replace("640", "322")},
        alt="Bars: one of three hundred",
    )
    long = shown({"text/html": LONG_TABLE, "text/csv": "product,n"})
    pages = {
        "rich": (filled(rich_notebook(), outputs=[figure, shown({"text/html": TABLE}), long]), "ok"),
        "hostile": (hostile_notebook(), "ok"),
        "missing": (notebook("1", title="Missing?"), "not available"),
        "failed": (notebook("1", title="Failed?"), "failed"),
    }
    for name, decision in (("waiting", None), ("decided", HOSTILE[1])):
        content = notebook("1", title="Does the proposal hold?")
        content.cells[-1].outputs = [shown({"application/vnd.opslib.proposal+json": CARD | {"decision": decision}})]
        pages[name] = (content, "ok")
    drawn = filled(rich_notebook(), outputs=[])
    drawn.cells[-1].outputs = [shown({"application/vnd.opslib.figure+json": {}, "image/svg+xml": SVG}, alt="One bar")]
    pages["figure"] = (drawn, "ok")
    pages["missing"][0].cells[-1].outputs = [
        shown({"application/vnd.opslib.notavailable+json": {"table": HOSTILE[1], "would_answer": HOSTILE[0]}})
    ]
    records, texts = [], {}
    for name, (content, status) in pages.items():
        text = render_page(
            content,
            parameters=PARAMETERS,
            status=status,
            reason=HOSTILE[0],
            versions=manifest.versions(),
            is_code_shown=True,
            origin={"is_simulated": True},
        )
        texts[name] = text
        found = harvest(content)
        records.append(
            PageRecord(
                name=name,
                notebook=f"{name}.ipynb",
                title=first_heading(content),
                answer=HOSTILE[0],
                status=status,
                reason=HOSTILE[1],
                why_run="",
                seconds=0,
                parameters=PARAMETERS,
                key={},
                sha256="",
                harvest=found,
            )
        )
    other = {"title": HOSTILE[1], "owner": HOSTILE[2]}
    standings = [
        AgendaItem(id="P-7", waits_for=tuple(HOSTILE[:2]), rests_on=(("hostile", "k"),), **other),
        AgendaItem(id="P-8", follow_up_on=date(2026, 11, 1), rests_on=(("hostile", "k"),), **other),
    ]
    links = page_links(records, standings)
    for record in records:
        text = with_links(texts[record.name], record, links)
        (folder / f"{record.name}.html").write_text(text, encoding="utf-8")
    text = render_index(
        records, shop="demo", origin={}, before=before(), left_out={HOSTILE[1]: HOSTILE[0]}, promises=HOSTILE[0],
        standings=standings,
    )  # fmt: skip
    (folder / "index.html").write_text(text, encoding="utf-8")
    return folder


def before() -> dict[str, Any]:
    """An earlier report whose findings are gone, and whose proposal is another."""
    gone = {str(i): {"sentence": payload, "estimate": None} for i, payload in enumerate(HOSTILE)}
    asked = {"shop": "demo", "where": PARAMETERS["where"]}
    card = {"title": HOSTILE[1], "verdict": HOSTILE[0], "decision": None}
    return {
        "data_until": "2026-09-30T23:59:00",
        "pages": {"hostile": {"asked": asked, "findings": gone}},
        "proposals": {"P-1": card},
    }


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if find_spec("playwright") is None:
        skip_or_fail("playwright is not installed (the 'dev' extra)")
    import playwright.sync_api as playwright

    path = os.environ.get("OPSLIB_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        skip_or_fail("chromium is not installed")
    with playwright.sync_playwright() as driver:
        try:
            opened = driver.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        except playwright.Error as error:
            skip_or_fail(f"chromium does not start: {str(error).splitlines()[0]}")
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser, site) -> Iterator[Any]:
    """Opens a page of the site; what it asked for and what it complained about are kept on the page object."""
    contexts = []

    def opened(name: str, *, width: int = 1280, scheme: str = "light") -> Any:
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.asked, page.said = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.goto((site / f"{name}.html").as_uri(), wait_until="load")
        return page

    yield opened
    for context in contexts:
        context.close()


PAGES = ["rich", "hostile", "missing", "failed", "decided", "index"]


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_fetched_and_nothing_from_the_data_runs(name: str, open_page) -> None:
    page = open_page(name)
    page.wait_for_timeout(200)
    assert [url for url in page.asked if not url.startswith(("file:", "data:image/"))] == []
    assert len([url for url in page.asked if url.startswith("file:")]) == 1
    assert page.said == []
    assert page.evaluate("window.hit === undefined")
    assert page.evaluate("document.querySelectorAll('script').length") == 1
    assert page.evaluate(
        "[...document.querySelectorAll('*')].every(e => [...e.attributes].every(a => !/^on/i.test(a.name)))"
    )


def test_the_policy_stops_a_script_that_slipped_in(open_page) -> None:
    page = open_page("rich")
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hit=1\"><img src=\"https://example.com/x.png\">')"
    )
    page.evaluate(
        "const s = document.createElement('script'); s.textContent = 'window.hit = 1'; document.body.append(s)"
    )
    page.wait_for_timeout(300)
    assert page.evaluate("window.hit === undefined")
    assert any("Content Security Policy" in text for text in page.said)


def axe_source() -> str:
    path = Path(os.environ.get("OPSLIB_AXE") or Path(__file__).parent / "node_modules/axe-core/axe.min.js")
    if not path.is_file():
        skip_or_fail("axe-core is not there: npm install --prefix tests/browser")
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(name: str, scheme: str, width: int, open_page) -> None:
    source = axe_source()
    page = open_page(name, width=width, scheme=scheme)
    page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
    page.evaluate(source)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert [(v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found["violations"]] == []


@pytest.mark.parametrize("name", PAGES)
def test_no_page_is_wider_than_a_phone(name: str, open_page) -> None:
    page = open_page(name, width=360)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_answer_is_on_the_first_screen(open_page) -> None:
    page = open_page("rich")
    for selector in (".findings li", ".actions", ".limits"):
        box = page.locator(selector).first.bounding_box()
        assert box["y"] + box["height"] <= 800, selector


def test_tables_sort_by_value_with_the_keyboard(open_page) -> None:
    page = open_page("rich")
    table = page.locator("table", has_text="a long head")
    column = "table => [...table.tBodies[0].rows].map(row => row.cells[%d].textContent)"
    heads = table.locator("thead th button")
    heads.nth(0).focus()
    page.keyboard.press("Enter")
    assert table.evaluate(column % 1) == ["1,480", "330", "62", "1,872"]  # the total stays last
    assert table.locator("th[aria-sort=none]").count() == 1  # it is seen that the others can be sorted
    page.keyboard.press("Enter")
    assert table.evaluate(column % 1) == ["62", "330", "1,480", "1,872"]
    heads.nth(1).click()
    assert table.evaluate(column % 2) == ["3", "−12.4k", "–", ""]  # the unknown stays last
    assert table.locator("th[scope=col]:not([aria-sort=none])").get_attribute("aria-sort") == "descending"


def test_definitions_open_from_their_link_and_folds_are_closed_on_paper(open_page) -> None:
    page = open_page("rich")
    page.click("text=Definitions")
    page.wait_for_timeout(100)
    assert page.locator("#definitions > details").evaluate("fold => fold.open")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details[open]").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("#definitions > details").evaluate("fold => fold.open")


def test_a_grade_sorts_by_what_it_means(open_page) -> None:
    page = open_page("rich")
    rows = "".join(
        f"<tr><th scope='row'>x</th><td>{g}</td><td>1</td></tr>" for g in ("Low", "High", "Very low", "Moderate")
    )
    page.evaluate(f"document.querySelector('.sections table tbody').innerHTML = `{rows}`")
    script = page.evaluate("document.querySelector('script').textContent")
    page.evaluate("for (const b of document.querySelectorAll('th button')) b.replaceWith(...b.childNodes)")
    page.evaluate(script)
    table = page.locator(".sections table").first
    table.locator("th button").first.click()
    assert table.evaluate("t => [...t.tBodies[0].rows].map(r => r.cells[1].textContent)") == [
        "High",
        "Moderate",
        "Low",
        "Very low",
    ]


def test_a_long_table_shows_ten_rows_and_is_searched_and_unfolded_by_keyboard(open_page) -> None:
    page = open_page("rich")
    table = page.locator("table.lengthy")
    seen = "table => [...table.tBodies[0].rows].filter(row => row.offsetParent).map(row => row.cells[0].textContent)"
    assert table.evaluate(seen) == [f"item {i}" for i in range(10)]
    page.get_by_role("searchbox").focus()
    page.keyboard.type("item 2")
    assert table.evaluate(seen) == ["item 2", *(f"item {i}" for i in range(20, 30))]
    assert page.locator("[role=status]").inner_text() == "11 of 30 rows"
    for _ in range(6):
        page.keyboard.press("Backspace")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert len(table.evaluate(seen)) == 30
    page.keyboard.press("Enter")
    table.locator("thead button").nth(2).focus()
    page.keyboard.press("Enter")
    assert table.evaluate(seen) == [f"item {i}" for i in range(29, 19, -1)]  # the ten largest, of all rows
    table.locator("thead button").nth(1).click()
    verdicts = "table => [...table.tBodies[0].rows].slice(0, 12).map(row => row.cells[1].textContent)"
    assert (
        table.evaluate(verdicts) == ["confirmed, weak evidence"] * 10 + ["supported"] * 2
    )  # as they rank, not by letter
    assert page.locator("a[href='rich-table-1.csv']").count() == 1


def test_a_phone_gets_the_drawing_made_for_it(open_page) -> None:
    for width, there in ((1280, "wide"), (390, "narrow")):
        page = open_page("rich", width=width)
        drawn = page.locator("figure img").evaluate_all("all => all.filter(i => i.offsetParent).map(i => i.className)")
        assert drawn == [there]
    box = page.locator("figure img.narrow").bounding_box()
    assert box["x"] + box["width"] <= 390


def test_paper_is_a4_with_simulated_in_its_head_and_no_query(open_page) -> None:
    page = open_page("rich")
    heads = page.evaluate("[...document.querySelectorAll('style')].map(s => s.textContent).join()")
    assert '@top-right { content: "simulated shop"; }' in heads
    assert re.search(rb"/MediaBox \[0 0 59[45][.\d]* 84[12]", page.pdf(prefer_css_page_size=True))
    page.emulate_media(media="print")
    assert [page.locator(name).first.is_visible() for name in (".methods", ".find", ".contents", "footer")] == [
        False
    ] * 4
    assert page.locator(".masthead").is_visible()


def test_on_a_phone_the_actions_come_before_the_figure_and_beside_nothing(open_page) -> None:
    narrow, wide = open_page("figure", width=390), open_page("figure")
    top = lambda page, name: page.locator(name).first.bounding_box()  # noqa: E731
    assert top(narrow, ".todo")["y"] < top(narrow, ".shown")["y"] < top(narrow, ".told")["y"]
    assert top(wide, ".shown")["y"] < top(wide, ".told")["y"] + 40  # side by side
    assert top(wide, ".shown")["x"] < top(wide, ".told")["x"]
    assert top(wide, ".todo")["y"] > top(wide, ".shown")["y"]


def test_a_department_opens_from_the_top(open_page) -> None:
    page = open_page("index")
    page.locator("nav.glance a[href^='#d-']").first.click()
    page.wait_for_timeout(100)
    assert page.locator(".department details[open]").count() == 1


def test_the_page_reads_without_its_script(browser, site) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / "rich.html").as_uri())
    assert page.locator("h1").inner_text() == "What do visitors look for and not find?"
    assert page.locator("button.print").is_hidden()
    context.close()


REPORT = Path(os.environ.get("OPSLIB_REPORT", ""))
"""A produced report, as CI makes one; its pages are looked at one by one, of proposals three."""
_NAMES = sorted(path.stem for path in REPORT.glob("*.html")) if os.environ.get("OPSLIB_REPORT") else []
PRODUCED = [name for name in _NAMES if not name.startswith("D-") or name < "D-04"]
MOST_SIDES = 6
MOST_BYTES, MOST_INDEX_BYTES = 1_000_000, 150_000


@pytest.mark.parametrize("name", PRODUCED)
def test_every_produced_page(name: str, browser) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark")
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((REPORT / f"{name}.html").as_uri())
    assert len([url for url in asked if not url.startswith("data:image/")]) == 1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(BEYOND) == []
    assert page.evaluate(LOST) == []
    beside = page.locator("a[href$='.sql'], a[href$='.csv'], a[href$='.html']").evaluate_all(
        "all => all.map(a => a.getAttribute('href'))"
    )
    assert [address for address in beside if not (REPORT / address).is_file()] == []
    page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
    page.evaluate(axe_source())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert [(v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found["violations"]] == []
    page.reload()
    sides = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b[^s]", sides)) <= MOST_SIDES
    assert (REPORT / f"{name}.html").stat().st_size <= (MOST_INDEX_BYTES if name == "index" else MOST_BYTES)
    context.close()


#: What stands right of the phone's edge without a box that says it can be moved.
BEYOND = """[...document.querySelectorAll('main *, header *, footer *')].filter(e => e.offsetParent
  && e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.scroll[data-wide], .sr, .cards thead')
).map(e => e.outerHTML.slice(0, 90))"""
#: Links within the page that lead nowhere.
LOST = """[...document.querySelectorAll('a[href^="#"]')].map(a => a.getAttribute('href')).filter(to => !document.getElementById(to.slice(1)))"""
