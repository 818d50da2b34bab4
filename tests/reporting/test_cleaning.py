"""Markup from data: what people read stays, what machines run goes."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.errors import ReportError
from opslib.reporting.cleaning import clean_html, keep_together, render_markdown, render_output, render_printed

HOSTILE = [
    "<script>parent.hit=1</script>",
    "<img src=x onerror='hit=1'>",
    "<svg onload='hit=1'><circle/></svg>",
    "<a href='javascript:hit=1'>x</a>",
    "<iframe srcdoc='<script>hit=1</script>'></iframe>",
    "<style>@import 'https://evil.example/x.css'</style>",
    "<img src='https://evil.example/x.png'>",
    "<form action='https://evil.example'><input name=x></form>",
    "<base href='https://evil.example/'>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<math><mtext><script>hit=1</script></mtext></math>",
    "<a href='data:text/html,<script>hit=1</script>'>x</a>",
    "<p style='background:url(https://evil.example)'>x</p>",
    "<div id='main' onclick='hit=1'>x</div>",
    "<object data='x.swf'></object>",
    "<link rel=stylesheet href=//evil.example>",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("render", [clean_html, render_markdown])
def test_nothing_that_runs_or_loads_stays(text: str, render) -> None:
    cleaned = str(render(f"before {text} after"))
    assert "before" in cleaned
    assert not re.search(
        r"<(script|style|svg|iframe|form|input|base|meta|object|link|math)|\son\w+=|style=|id=", cleaned
    )
    assert "evil.example" not in cleaned
    assert "javascript:" not in cleaned
    assert "data:text" not in cleaned


def test_headings_tables_and_figures_stay() -> None:
    text = (
        '<h3>Head</h3><figure><img src="data:image/png;base64,aGk=" alt="a line"><figcaption>c</figcaption></figure>'
        '<table class="x"><caption>Sizes</caption><thead><tr><th></th><th scope="col">n</th></tr></thead>'
        '<tbody><tr class="marked"><th scope="row">a</th><td data-sort="1200">1,200</td></tr></tbody></table>'
    )
    cleaned = str(clean_html(text))
    assert '<img src="data:image/png;base64,aGk=" alt="a line">' in cleaned
    assert "<h3>Head</h3>" in cleaned
    assert 'aria-label="Sizes"><table class="x">' in cleaned
    assert "<th></th>" not in cleaned
    assert '<th scope="col" data-number="">n</th>' in cleaned
    assert 'data-sort="1200" data-number="">1,200</td>' in cleaned
    assert '<th scope="row">a</th>' in cleaned


def test_a_column_is_numeric_only_as_a_whole() -> None:
    row = "<tr><td>{}</td><td>{}</td><td>{}</td></tr>"
    rows = row.format("1", "£1,400–5,200", "n") + row.format("x", "–", "2") + row.format("3", "−12.4k (−4 to 2)", "3")
    cleaned = str(clean_html(f"<table><tbody>{rows}</tbody></table>"))
    assert cleaned.count("data-number") == 0  # "1", "x": mixed; a range is text
    rows = row.format("1", "£1,400", "11.2 %") + row.format("–", "−£3", "+4%") + row.format("3", "12.4k (4 to 20)", "2")
    assert str(clean_html(f"<table><tbody>{rows}</tbody></table>")).count("data-number") == 9


@given(st.text(max_size=60))
def test_printed_text_is_only_text(text: str) -> None:
    shown = str(render_printed(text))
    assert not re.search(r"<(?!/?(p|ul|li)>)", shown)
    words = html.unescape(re.sub(r"</?(p|ul|li)>", "", shown)).split()
    assert "".join(words).replace("-", "") == "".join(text.split()).replace("-", "")


def test_printed_lines_become_paragraphs_and_lists() -> None:
    assert str(render_printed("One.\n\nTwo.\n- a\n- b\nThree.")).replace("\n", "") == (
        "<p>One.</p><p>Two.</p><ul><li>a</li><li>b</li></ul><p>Three.</p>"
    )


def output(data: dict, **metadata: object) -> dict:
    return {"output_type": "display_data", "data": data, "metadata": metadata}


def test_a_figure_needs_words() -> None:
    svg = "<?xml version='1.0'?><svg xmlns='x'><dc:date>2026-11-24</dc:date></svg>"
    with pytest.raises(ReportError, match="cell 4: a figure has no alternative text"):
        render_output(output({"image/svg+xml": svg}), where="cell 4")
    shown = str(render_output(output({"image/svg+xml": svg}, **{"image/svg+xml": {"alt": 'a "line"'}}), where="x"))
    assert 'alt="a &#34;line&#34;"' in shown
    later = render_output(output({"image/svg+xml": svg.replace("24<", "25<")}, alt='a "line"'), where="x")
    assert str(later) == shown  # the clock that the drawing carries is not on the page


def test_a_picture_in_html_needs_words_too() -> None:
    with pytest.raises(ReportError, match="a picture in HTML or Markdown has no alternative text"):
        clean_html('<img src="data:image/png;base64,aGk=" alt="">')


@pytest.mark.parametrize(
    "text",
    ["<Axes: title={'left': 'x'}>", "[<matplotlib.lines.Line2D at 0x7f12>]", "Text(0.5, 1.0, 'x')", "<f at 0x7f>"],
)
def test_names_of_objects_are_not_shown(text: str) -> None:
    assert str(render_output({"output_type": "execute_result", "data": {"text/plain": text}}, where="x")) == ""


def test_warnings_are_not_shown() -> None:
    assert str(render_output({"output_type": "stream", "name": "stderr", "text": "Warning at /home"}, where="x")) == ""


def test_intervals_do_not_break_at_the_end_of_a_line() -> None:
    assert keep_together("about £1,400–5,200, 3 % of 12 k") == "about £1,400\u2060–\u20605,200, 3\u00a0% of 12\u00a0k"
