"""Links between pages: there when all pages are known, and the same however often they are put in."""

from __future__ import annotations

from dataclasses import replace

from opslib.casework.agenda import AgendaItem
from opslib.reporting.links import page_links, with_links
from tests.reporting.notebooks import a_finding
from tests.reporting.test_index import record

PAGE = (
    "<h1>T</h1><!--to:family--><!--/to--><li><!--to:f-stock--><!--/to--></li><!--to:f-other--><!--/to-->"
    "<table><tr><th>P-1 Ann&#39;s &amp; Co</th><td>P-2 Gone</td></tr></table><p>P-1 Ann's &amp; Co</p>"
    "<!--to:steps--><!--/to-->"
)
CARD = {"id": "P-1", "title": "Ann's & Co", "verdict": "supported"}


def whole(name: str = "20_b", **found: object):
    return record(name, **found)


def part(country: str):
    other = {"where": f"country = {country}"}
    return replace(record("20_b"), name=f"20_b--country-{country.lower()}", parameters=other)


def of_proposal():
    return replace(record("81_proposal", proposals=[CARD]), name="P-1-ann-s-co", title="P-1 Ann's & Co")


def linked(record, records, standings=()):
    return with_links(PAGE, record, page_links(records, standings))


def test_a_finding_leads_to_the_proposal_that_rests_on_it() -> None:
    page = whole(findings=[a_finding("stock", "Stock ran out."), a_finding("other", "Else.")])
    standings = [
        AgendaItem(id="P-1", title="Ann's & Co", owner="Stores", rests_on=(("20_b", "stock"), ("10_a", "other")))
    ]
    text = linked(page, [page, of_proposal()], standings)
    assert '<!--to:f-stock--><a href="P-1-ann-s-co.html">proposal P-1 Ann&#39;s &amp; Co</a><!--/to-->' in text
    assert "<!--to:f-other--><!--/to-->" in text


def test_a_finding_that_names_a_proposal_leads_to_it_and_a_draft_is_named_without_a_page() -> None:
    page = whole(
        findings=[
            a_finding("stock", "P-1 Ann's & Co made it worse.", role="promise", objects=["P-1"]),
            a_finding("other", "Else."),
        ]
    )
    draft = AgendaItem(id="P-9", title="Pots", owner="Stores", is_draft=True, rests_on=(("20_b", "other"),))
    text = linked(page, [page, of_proposal()], [draft])
    assert '<a href="P-1-ann-s-co.html">proposal P-1</a>' in text  # its title stands in the sentence
    assert "<!--to:f-other-->draft P-9 Pots<!--/to-->" in text


def test_a_cell_that_is_a_proposal_leads_to_its_page_and_prose_stays_prose() -> None:
    text = linked(whole(), [whole(), of_proposal()])
    assert '<th><a class="named" href="P-1-ann-s-co.html">P-1 Ann&#39;s &amp; Co</a></th>' in text
    assert "<td>P-2 Gone</td>" in text
    assert "<p>P-1 Ann's &amp; Co</p>" in text
    assert 'class="named"' not in linked(of_proposal(), [whole(), of_proposal()])  # no page leads to itself


def test_whole_and_parts_lead_to_each_other() -> None:
    records = [whole(), part("DE"), part("FR")]
    assert '<a href="20_b--country-de.html">country DE</a> <a href="20_b--country-fr.html">country FR</a>' in linked(
        records[0], records
    )
    text = linked(records[1], records)
    assert '<span>Part of:</span> <a href="20_b.html">all of it</a>' in text
    assert "country-fr.html" not in text.partition("<!--to:steps-->")[0]
    assert 'class="family"' not in linked(whole(), [whole()])


def test_pages_lead_to_the_one_before_and_the_next_proposals_last() -> None:
    records = [of_proposal(), whole("90_c"), whole("20_b")]
    steps = linked(records[1], records).partition("<!--to:steps-->")[2]
    assert steps.index('<a href="20_b.html">Previous: Page 20_b?</a>') < steps.index(
        '<a href="P-1-ann-s-co.html">Next: P-1'
    )
    assert "Previous" not in linked(records[2], records)
    assert "Next" not in linked(records[0], records).partition("<!--to:steps-->")[2]


def test_links_put_in_twice_are_the_same_and_old_ones_give_way() -> None:
    records = [whole(findings=[a_finding("stock", "S.", objects=["P-1"])]), of_proposal(), part("DE")]
    once = linked(records[0], records)
    assert with_links(once, records[0], page_links(records)) == once
    assert with_links(once, records[0], page_links(records[:1])) == linked(records[0], records[:1])
