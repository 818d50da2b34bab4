"""Links between the pages of a run: put in when all of them are known, and put in anew when a page is carried over."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from opslib.casework.agenda import AgendaItem
from opslib.finding import Finding
from opslib.reporting.manifest import PageRecord
from opslib.reporting.render import spoken_where
from opslib.reporting.since import finding_anchor, is_whole

_PLACE = re.compile(r"<!--to:([^>]*?)-->.*?<!--/to-->", re.DOTALL)
_NAMED = re.compile(r'<a class="named" href="[^"]*">(.*?)</a>', re.DOTALL)
_CELL = re.compile(r"(<t[hd][^>]*>)([^<]+)(</t[hd]>)")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLinks:
    """Where the pages of a run lead to."""

    order: tuple[PageRecord, ...]  # as one reads on
    proposals: Mapping[str, str]  # id of a proposal -> name of its page
    titles: Mapping[str, str]  # id -> id and title
    resting: Mapping[tuple[str, str], tuple[str, ...]]  # page and key of a finding -> ids that rest on it


def page_links(records: Sequence[PageRecord], standings: Sequence[AgendaItem] = ()) -> PageLinks:
    """Collect where the pages of a run lead to.

    Parameters
    ----------
    records : sequence of PageRecord
        The run's pages.
    standings : sequence of AgendaItem
        The shop's proposals.

    Returns
    -------
    PageLinks
        Pages of a proposal last, by id; parts of a page after it.
    """
    made = {card["id"]: r.name for r in records for card in r.harvest.proposals}
    titles = {card["id"]: f"{card['id']} {card['title']}" for r in records for card in r.harvest.proposals}
    titles |= {item.id: f"{item.id} {item.title}" for item in standings}
    resting: dict[tuple[str, str], tuple[str, ...]] = {}
    for item in standings:
        for basis in item.rests_on:
            resting[basis] = (*resting.get(basis, ()), item.id)
    for record in (r for r in records if not r.harvest.proposals):
        for found in map(Finding.from_json, record.harvest.findings):
            named = tuple(name for name in found.about.objects if name in titles)
            basis = (record.name, found.key)
            resting[basis] = tuple(dict.fromkeys([*resting.get(basis, ()), *named]))
    order = sorted(records, key=lambda r: (bool(r.harvest.proposals), r.notebook, r.name))
    return PageLinks(order=tuple(order), proposals=made, titles=titles, resting=resting)


def family_of(record: PageRecord, records: Iterable[PageRecord]) -> list[tuple[str, str]]:
    """Name and label of the pages that show a page's parts; of a part, the page that it belongs to.

    Parameters
    ----------
    record : PageRecord
    records : iterable of PageRecord
        The run's pages.

    Returns
    -------
    list of (str, str)
        Empty for a page about a proposal.
    """
    if record.harvest.proposals:
        return []
    others = [r for r in records if r.notebook == record.notebook and r.name != record.name]
    if not is_whole(record):
        return [(r.name, "all of it") for r in others if is_whole(r)]
    shared = str(record.parameters.get("where") or "")
    return [(r.name, part_label(r, shared)) for r in sorted(others, key=lambda r: r.name)]


def part_label(record: PageRecord, shared: str = "") -> str:
    """What a part is about, in words: its own conditions, without those of the whole report."""
    own = str(record.parameters.get("where") or "").removeprefix(shared).removeprefix(" and ")
    return spoken_where(own) or record.name.partition("--")[2].replace("-", " ")


def with_links(text: str, record: PageRecord, links: PageLinks) -> str:
    """A page with its links to the others; those that it had before give way.

    Parameters
    ----------
    text : str
        A rendered page.
    record : PageRecord
        What it is.
    links : PageLinks
        From `page_links`.

    Returns
    -------
    str
        The same text for the same links, however often.
    """
    names = {title: links.proposals.get(name) for name, title in links.titles.items()}

    def place(match: re.Match[str]) -> str:
        return f"<!--to:{match[1]}-->{_place(match[1], record, links)}<!--/to-->"

    def cell(match: re.Match[str]) -> str:
        page = names.get(html.unescape(match[2]).strip())
        if not page or page == record.name:
            return match[0]
        return f'{match[1]}<a class="named" href="{escape(page)}.html">{match[2]}</a>{match[3]}'

    return _CELL.sub(cell, _NAMED.sub(r"\1", _PLACE.sub(place, text)))


def _place(name: str, record: PageRecord, links: PageLinks) -> Markup:
    if name.endswith((".sql", ".csv")):
        said = "The queries behind it (SQL)" if name.endswith(".sql") else "All rows (CSV)"
        return Markup('<a href="{}-{}">{}</a>').format(record.name, name, said)
    if name == "family":
        family = family_of(record, links.order)
        said = "Part of" if not is_whole(record) and not record.harvest.proposals else "In parts"
        return _nav(said, family) if family else Markup("")
    if name == "steps":
        place = [r.name for r in links.order].index(record.name)
        near = [("Previous", links.order[place - 1])] if place else []
        near += [("Next", links.order[place + 1])] if place + 1 < len(links.order) else []
        return Markup(" ").join(Markup('<a href="{}.html">{}: {}</a>').format(r.name, way, _told(r)) for way, r in near)
    told = [Finding.from_json(item) for item in record.harvest.findings]
    there = [
        _proposal(proposal_id, links, said=f"{found.sentence} {found.action}")
        for found in told if finding_anchor(found.key) == name
        for proposal_id in links.resting.get((record.name, found.key), ())
    ]  # fmt: skip
    return Markup(" ").join(dict.fromkeys(there))


def _proposal(proposal_id: str, links: PageLinks, *, said: str) -> Markup:
    """A proposal where a finding leads to it, by its id alone where the finding names it already."""
    title, page = links.titles[proposal_id], links.proposals.get(proposal_id)
    name = proposal_id if title in said else title
    return Markup('<a href="{}.html">proposal {}</a>').format(page, name) if page else Markup("draft {}").format(name)


def _told(record: PageRecord) -> str:
    return record.title if is_whole(record) or record.harvest.proposals else f"{record.title} ({part_label(record)})"


def _nav(label: str, family: Sequence[tuple[str, Any]]) -> Markup:
    there = Markup(" ").join(Markup('<a href="{}.html">{}</a>').format(name, said) for name, said in family)
    return Markup('<nav class="family" aria-label="{}"><span>{}:</span> {}</nav>').format(label, label, there)
