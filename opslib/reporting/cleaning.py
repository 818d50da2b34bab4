"""Sanitised markup of notebook outputs: nothing that runs or loads."""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import nh3
from markupsafe import Markup
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from opslib.errors import ReportError
from opslib.reporting.harvest import NARROW_SVG

#: Tags that show text, tables and pictures; the page has its own title and landmarks.
TAGS = (nh3.ALLOWED_TAGS | {"tfoot"}) - {"h1", "header", "footer", "nav", "aside", "article", "hgroup", "area", "map"}
ATTRIBUTES = {
    "*": {"class", "title", "lang", "aria-label"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "abbr": {"title"},
    "details": {"open"},
    "th": {"scope", "colspan", "rowspan", "data-sort"},
    "td": {"colspan", "rowspan", "data-sort"},
    "col": {"span"},
    "colgroup": {"span"},
    "ol": {"start"},
}
CONTENT_GOES_TOO = {"script", "style", "template", "iframe", "object", "embed", "noscript", "svg", "math"}

_NUMBER = re.compile(r"[+−–-]?\s?[£$€]?[\d., \u00a0]*\d[\s\u00a0]?(%|k|m|bn|x|pp|points|[A-Z]{3})?(\s?\(.*\))?")
_NO_NUMBER = {"", "–", "—", "-", "unknown", "withheld"}
_CELL = re.compile(r"<(t[hd])([^>]*)>(.*?)</t[hd]>", re.DOTALL)
_BETWEEN_DIGITS = re.compile(r"(?<=\d)(–)(?=[\d£$€])|([+−])(?=[£$€])")
JOINED = "\u2060\\1\\2\u2060"  # no line break inside an interval, or between a sign and its amount
_AS_IT_IS = " '/:;=,()!$*+@?[]{}|^`~"
_DRAWN_DATE = re.compile(r"<dc:date>.*?</dc:date>", re.DOTALL)
_FIGURE = Markup(
    '<figure><div class="scroll" tabindex="0" role="group" aria-label="Figure"><img{} src="{}" alt="{}"{}>{}</div>{}</figure>'
)
_NARROW = Markup('<img class="narrow" src="{}" alt="{}">')
_BARE_OBJECT = re.compile(r"<[\w.]+[^>]* at 0x[0-9a-f]+>|^\s*[\[(<]?(Axes|Figure|Text|<|\[<)")


def clean_html(text: str) -> Markup:
    """Keep headings, text, tables and figures of an HTML fragment; nothing that runs or loads.

    Parameters
    ----------
    text : str
        Any HTML.

    Returns
    -------
    Markup
        Safe to put on a page; tables are wrapped so that they scroll by themselves.

    Raises
    ------
    ReportError
        If a picture has no alternative text.

    Examples
    --------
    >>> clean_html("<b onclick='x()'>bold</b><script>x()</script>")
    Markup('<b>bold</b>')
    """
    cleaned = nh3.clean(
        text,
        tags=TAGS,
        attributes=ATTRIBUTES,
        clean_content_tags=CONTENT_GOES_TOO,
        attribute_filter=_kept,
        url_schemes={"http", "https", "mailto", "data"},
        link_rel="noopener noreferrer",
    )
    cleaned = re.sub(r"<img(?![^>]* src=)[^>]*>", "", cleaned)  # a picture from elsewhere lost its address
    if re.search(r"<img(?![^>]* alt=\"[^\"])[^>]*>", cleaned):
        raise ReportError(
            "a picture in HTML or Markdown has no alternative text: write it between the brackets or as alt"
        )
    cleaned = re.sub(r"<th([^>]*)>\s*</th>", r"<td\1></td>", cleaned)  # no head cell is empty
    return Markup(re.sub(r"<table.*?</table>", lambda table: _mend_table(table[0]), cleaned, flags=re.DOTALL))


def render_markdown(text: str) -> Markup:
    """Markdown as clean HTML.

    Examples
    --------
    >>> render_markdown("*yes*")
    Markup('<p><em>yes</em></p>\\n')
    """
    return clean_html(MarkdownWithMath(renderer=IPythonRenderer(escape=False, exclude_anchor_links=True)).render(text))


def render_printed(text: str) -> Markup:
    """Printed text: a paragraph a line, a list where lines start with a hyphen; all escaped.

    Examples
    --------
    >>> render_printed("Up by 3 %.\\n- <b>")
    Markup('<p>Up by 3 %.</p>\\n<ul>\\n<li>&lt;b&gt;</li>\\n</ul>')
    """
    parts: list[str] = []
    for line in filter(str.strip, text.splitlines()):
        item = line.strip().removeprefix("- ")
        is_item = item != line.strip()
        if is_item and parts and parts[-1] == "</ul>":
            parts.pop()
        elif is_item:
            parts.append("<ul>")
        parts.append(f"<li>{html.escape(item)}</li>" if is_item else f"<p>{html.escape(item)}</p>")
        parts.extend(["</ul>"] if is_item else [])
    return Markup("\n".join(parts))


def render_output(output: Mapping[str, Any], *, where: str) -> Markup:
    """One output of a code cell as it stands on the page.

    Parameters
    ----------
    output : mapping
        An nbformat output; warnings on stderr and bare object names give nothing.
    where : str
        Where it is, for messages.

    Returns
    -------
    Markup
        HTML; empty for what a reader has no use for.

    Raises
    ------
    ReportError
        If a figure has no alternative text.
    """
    if output["output_type"] == "stream":
        return render_printed("".join(output["text"])) if output["name"] == "stdout" else Markup("")
    data = {kind: "".join(value) for kind, value in output.get("data", {}).items() if isinstance(value, str | list)}
    for kind in ("image/svg+xml", "image/png", "image/jpeg"):
        if kind in data:
            narrow = data.get(NARROW_SVG, "")
            return _figure(data[kind], narrow, kind=kind, metadata=output.get("metadata", {}), where=where)
    if "text/html" in data:
        return clean_html(data["text/html"])
    if "text/markdown" in data:
        return render_markdown(data["text/markdown"])
    plain = data.get("text/plain", "")
    return Markup("") if not plain or _BARE_OBJECT.search(plain) else Markup("<pre>{}</pre>").format(plain)


def keep_together(text: str) -> str:
    """A sentence in which no interval, no unit and no id of a proposal is torn apart at a line's end.

    Examples
    --------
    >>> keep_together("11.2 % (10.8–11.6)") == "11.2\u00a0% (10.8\u2060–\u206011.6)"
    True
    """
    whole = re.sub(r"\b([A-Z]+-)(?=\d)", "\\1\u2060", re.sub(r"(?<=\d) (?=(%|k|m|bn)\b|%)", "\u00a0", text))
    return _BETWEEN_DIGITS.sub(JOINED, whole)


def svg_source(content: str) -> Markup:
    """A drawing as a ``data:`` address, a quarter shorter than in base 64; nothing in it needs escaping once more.

    Examples
    --------
    >>> svg_source('<svg width="1"/>')
    Markup("data:image/svg+xml,%3Csvg width='1'/%3E")
    """
    plain = content if "'" in content else content.replace('"', "'")
    return Markup(f"data:image/svg+xml,{quote(plain, safe=_AS_IT_IS)}")


def _figure(content: str, narrow: str = "", *, kind: str, metadata: Mapping[str, Any], where: str) -> Markup:
    facts = {**metadata, **metadata.get(kind, {})}
    alt = str(facts.get("alt", "")).strip()
    if not alt:
        raise ReportError(f"{where}: a figure has no alternative text: display it with metadata {{'alt': ...}}")
    if kind == "image/svg+xml":
        source: str = svg_source(_DRAWN_DATE.sub("", content[content.index("<svg") :]))
    else:
        source = f"data:{kind};base64,{''.join(content.split())}"
    size = Markup("").join(
        Markup(' {}="{}"').format(side, int(facts[side])) for side in ("width", "height") if facts.get(side)
    )
    caption = Markup("<figcaption>{}</figcaption>").format(facts["caption"]) if facts.get("caption") else Markup("")
    small = _NARROW.format(svg_source(narrow), alt) if narrow else Markup("")
    return _FIGURE.format(Markup(' class="wide"') if narrow else Markup(""), source, alt, size, small, caption)


def _kept(tag: str, attribute: str, value: str) -> str | None:
    if attribute == "src":
        return value if value.startswith("data:image/") else None
    if attribute == "href":
        return value if value.startswith(("#", "https://", "http://", "mailto:")) else None
    return value


def _mend_table(table: str) -> str:
    """Wrap a table for narrow screens, and align its numbers. The text is nh3's, so regular."""
    caption = re.search(r"<caption[^>]*>(.*?)</caption>", table, re.DOTALL)
    label = html.escape(_plain(caption[1]) if caption else "Table")
    rows = re.findall(r"<tr.*?</tr>", table.partition("<tbody>")[2], re.DOTALL)
    cells = [[_plain(inner) for _, _, inner in _CELL.findall(row)] for row in rows]
    is_even = len({len(row) for row in cells}) == 1 and "span=" not in table
    numeric = {i for i, column in enumerate(zip(*cells, strict=True)) if _is_numeric(column)} if is_even else set()
    if numeric:
        table = re.sub(r"<tr.*?</tr>", lambda row: _align(row[0], numeric), table, flags=re.DOTALL)
    return f'<div class="scroll" tabindex="0" role="group" aria-label="{label}">{table}</div>'


def _is_numeric(column: tuple[str, ...]) -> bool:
    known = [text for text in column if text not in _NO_NUMBER]
    return bool(known) and all(_NUMBER.fullmatch(text) for text in known)


def _align(row: str, numeric: set[int]) -> str:
    """Mark the cells of number columns; a column of row heads stays as it is."""
    count = itertools.count()

    def marked(cell: re.Match[str]) -> str:
        is_marked = next(count) in numeric and 'scope="row"' not in cell[2]
        extra = ' data-number=""' if is_marked else ""
        return f"<{cell[1]}{cell[2]}{extra}>{_BETWEEN_DIGITS.sub(JOINED, cell[3])}</{cell[1]}>"

    return _CELL.sub(marked, row)


def _plain(inner: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", inner)).strip()
