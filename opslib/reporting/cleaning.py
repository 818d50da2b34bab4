"""Anything that may hold values from the data, turned into markup that can only be looked at."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping
from typing import Any

import nh3
from markupsafe import Markup
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from opslib.errors import ReportError

TAGS = {
    "h2", "h3", "h4", "h5", "h6", "p", "br", "hr", "div", "span", "ul", "ol", "li", "dl", "dt", "dd", "blockquote",
    "strong", "b", "em", "i", "small", "sub", "sup", "code", "pre", "kbd", "abbr", "a", "mark", "s",
    "table", "caption", "colgroup", "col", "thead", "tbody", "tfoot", "tr", "th", "td",
    "figure", "figcaption", "img", "details", "summary",
}
ATTRIBUTES = {
    "*": {"class", "title", "lang", "aria-label"},
    "a": {"href"}, "img": {"src", "alt", "width", "height"}, "abbr": {"title"}, "details": {"open"},
    "th": {"scope", "colspan", "rowspan"}, "td": {"colspan", "rowspan", "data-value"},
    "col": {"span"}, "colgroup": {"span"}, "ol": {"start"},
}
CONTENT_GOES_TOO = {"script", "style", "template", "iframe", "object", "embed", "noscript", "svg", "math"}

_NUMBER = re.compile(r"(<td)((?: [^>]*)?>\s*(?:<[^>]+>)*[+−–-]?[£$€]?[\d., ]*\d\s?(?:%|k|m|bn|pp|[A-Z]{3})?)(?=\s*<)")
_DRAWN_DATE = re.compile(r"<dc:date>.*?</dc:date>", re.DOTALL)
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

    Examples
    --------
    >>> clean_html("<b onclick='x()'>bold</b><script>x()</script>")
    Markup('<b>bold</b>')
    """
    cleaned = nh3.clean(
        text, tags=TAGS, attributes=ATTRIBUTES, clean_content_tags=CONTENT_GOES_TOO, attribute_filter=_kept,
        url_schemes={"http", "https", "mailto", "data"}, link_rel="noopener noreferrer",
    )
    return Markup(_mend_tables(cleaned))


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
    data = {kind: "".join(value) if isinstance(value, list) else value for kind, value in output.get("data", {}).items()}
    for kind in ("image/svg+xml", "image/png", "image/jpeg"):
        if kind in data:
            return _figure(data[kind], kind=kind, metadata=output.get("metadata", {}), where=where)
    if "text/html" in data:
        return clean_html(data["text/html"])
    if "text/markdown" in data:
        return render_markdown(data["text/markdown"])
    plain = data.get("text/plain", "")
    return Markup("") if not plain or _BARE_OBJECT.search(plain) else Markup("<pre>{}</pre>").format(plain)


def image_source(content: str | bytes, *, kind: str) -> str:
    """A picture as a ``data:`` address."""
    raw = content.encode() if isinstance(content, str) else content
    return f"data:{kind};base64,{base64.b64encode(raw).decode()}"


def _figure(content: str, *, kind: str, metadata: Mapping[str, Any], where: str) -> Markup:
    facts = {**metadata, **metadata.get(kind, {})}
    alt = str(facts.get("alt", "")).strip()
    if not alt:
        raise ReportError(f"{where}: a figure has no alternative text: display it with metadata {{'alt': ...}}")
    if kind == "image/svg+xml":
        source = image_source(_DRAWN_DATE.sub("", content[content.index("<svg") :]), kind=kind)
    else:
        source = f"data:{kind};base64,{''.join(content.split())}"
    size = Markup("").join(
        Markup(' {}="{}"').format(side, int(facts[side])) for side in ("width", "height") if facts.get(side)
    )
    caption = Markup("<figcaption>{}</figcaption>").format(facts["caption"]) if facts.get("caption") else Markup("")
    return Markup('<figure><img src="{}" alt="{}"{}>{}</figure>').format(source, alt, size, caption)


def _kept(tag: str, attribute: str, value: str) -> str | None:
    if attribute == "src":
        return value if value.startswith("data:image/") else None
    if attribute == "href":
        return value if value.startswith(("#", "https://", "http://", "mailto:")) else None
    return value


def _mend_tables(text: str) -> str:
    """Wrap tables for narrow screens, mark numbers, and let no head cell be empty. The text is nh3's, so regular."""
    if "<table" not in text:
        return text
    text = re.sub(r"<th([^>]*)>\s*</th>", r"<td\1></td>", text)
    text = _NUMBER.sub(r'\1 data-number=""\2', text)
    text = re.sub(r"<table", '<div class="scroll" tabindex="0"><table', text)
    return text.replace("</table>", "</table></div>")
