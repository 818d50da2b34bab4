"""Second roads of the pages about the site: what is searched, channels and content, funnel and pages."""

from __future__ import annotations

from typing import Any

from tests.second_road.pieces import Elsewhere, Raw, word

_WORTH, _MODELS = Elsewhere("tests/demand/test_needs.py"), Elsewhere("tests/stats/test_attribution.py")
_DECAY, _TEST = Elsewhere("tests/stats/test_decay.py"), Elsewhere("tests/test_channels.py")
_BOUND, _RELEASE = Elsewhere("tests/paths/test_friction.py"), Elsewhere("tests/stats/test_before_after.py")
_WAYS = Elsewhere("tests/paths/test_transitions.py")
A_MONTH = 365.25 / 12 / 365
VIEWS = """
create table seen as select *, local_day(occurred_at) as day from events where local_day(occurred_at) between '2025-11-01' and '2026-10-31';
create table searched as select *, lower(query) as text from searches where local_day(searched_at) between '2025-11-01' and '2026-10-31';
create view ordered_visits as
  select session_id, count(distinct order_id) as orders, sum(amount - cost_amount::double) as margin from paid where session_id is not null group by 1;
create view refunded_visits as
  select session_id, sum(refund_amount)::double as refunds from returns join (select distinct order_id, session_id from paid) using (order_id)
  where session_id is not null group by 1;
create table visits as
  select session_id, visitor_id, device, coalesce(orders, 0) as orders, coalesce(margin, 0) - coalesce(refunds, 0) as margin,
         case when medium = 'email' then 'Email' when medium = 'paid_social' then 'Paid Social' when medium = 'display' then 'Display'
              when medium = 'cpc' then 'Paid Search' when medium = 'affiliate' then 'Affiliates' else 'free' end as channel
  from sessions left join ordered_visits using (session_id) left join refunded_visits using (session_id)
  where local_day(started_at) between '2025-11-01' and '2026-10-31';
create view spent as
  select case channel when 'retargeting' then 'Display' when 'paid_search' then 'Paid Search' when 'paid_social' then 'Paid Social' else 'Affiliates' end
         as channel, sum(cost_amount)::double as cost from ad_spend where date between '2025-11-01' and '2026-10-31' group by 1;
create table walked as
  with v as (select session_id, min(event_index) filter (event_name = 'view_item') as viewed from seen group by 1),
  c as (select session_id, viewed, min(event_index) filter (event_name = 'add_to_cart' and event_index > viewed) as filled from v join seen using (session_id) group by 1, 2),
  k as (select session_id, viewed, filled, min(event_index) filter (event_name = 'begin_checkout' and event_index > filled) as began
        from c join seen using (session_id) group by 1, 2, 3),
  d as (select session_id, viewed, filled, began, min(event_index) filter (event_name = 'add_shipping_info' and event_index > began) as gave
        from k join seen using (session_id) group by 1, 2, 3, 4)
  select *, strftime(local_day(started_at), '%Y-%m') as month from d join (select session_id, device, started_at from sessions) using (session_id);
"""
#: Texts that ask for the same thing, by the one typed most: planted words of a need, read beside the page and settled by hand.
ASKED = {
    "air fryer": ("air fryer", "airfryer", "small air fryer", "air fryer basket", "hot air cooker"),
    "dog bed": ("dog bed", "cat bed", "washable dog bed", "dog cushion large"),
    "childrens desk": ("childrens desk", "kids desk", "desk for child", "small study desk"),
}


def _failed(raw: Raw, need: str) -> float:
    (n,) = raw.row(f"select count(distinct session_id) from searched where n_results = 0 and text in {ASKED[need]}")
    return n


def _slips(raw: Raw) -> float:
    """Visits whose search failed by one slip of the finger, from a text or a word of a product's name that the search knows."""
    (n,) = raw.row("""
        with good as (select text from searched where n_results > 0 union select lower(unnest(string_split(name, ' '))) from products),
        bad as (select text, count(distinct session_id) as n from searched where n_results = 0 and text not in (from good) group by 1)
        select sum(n) from bad where exists (from good where damerau_levenshtein(good.text, bad.text) = 1)""")
    return n


def not_found(raw: Raw, _: str) -> list[Any]:
    needs = sorted(ASKED, key=lambda need: -_failed(raw, need))
    nothing, share = raw.row("select count(*) filter (n_results = 0), avg((n_results = 0)::int) from searched")
    return [*needs, "not", share, _slips(raw) / nothing, "all", _WORTH, _WORTH]


def need(raw: Raw, sentence: str) -> list[Any]:
    name = sentence.split("“")[1].split("”")[0]
    return [_failed(raw, name) * A_MONTH, name, "not", _WORTH]


def spelling(raw: Raw, _: str) -> list[Any]:
    return [_slips(raw) * A_MONTH, _WORTH]


def complaint(raw: Raw, sentence: str) -> list[Any]:
    """Reviews of three stars or fewer that hold at least two of the words; and of the products named most, what came back."""
    words = sentence.split("“")[1].split("”")[0].split(", ")
    held = " + ".join(f"regexp_matches(lower(text), '\\b{word}\\b')::int" for word in words)
    raw.connection.sql(f"""
        create or replace temp table complaints as select product_id, count(*) as n from reviews where rating <= 3 and ({held}) >= 2
        and local_day(written_at) between '2025-11-01' and '2026-10-31' group by 1 order by n desc, product_id""")
    (n,) = raw.row("select sum(n) from complaints")
    (back,) = raw.row("""
        with worst as (from complaints limit 3)
        select (select sum(quantity) from returns where product_id in (select product_id from worst) and order_id in (select order_id from year))
             / (select sum(quantity) from year where product_id in (select product_id from worst))""")
    first = raw.rows(
        "select name from complaints join products using (product_id) order by n desc, product_id limit 1"
    )[0][0]
    return [n * A_MONTH, ", ".join(words), "all", first, back]


def met(raw: Raw, sentence: str) -> list[Any]:
    """Products whose names answer the search came on a day, and since then the search finds something, never before."""
    name = sentence.split("“")[1].split("”")[0]
    n, day = raw.row(
        "select count(*), strftime(max(launched_at), '%-d %b') from products where contains(lower(name), 'solar')"
    )
    before, since = raw.row(f"""
        select max(n_results) filter (local_day(searched_at) < (select max(launched_at) from products where contains(lower(name), 'solar'))),
               min(n_results) filter (local_day(searched_at) >= (select max(launched_at) from products where contains(lower(name), 'solar')))
        from searched where text = '{name}'""")
    assert before == 0 < since
    return [name, n, day]


def _ends(raw: Raw) -> list[tuple[str, float]]:
    return raw.rows(
        "select channel, avg((orders > 0)::int) from visits where channel <> 'free' group by 1 order by 2 desc"
    )


def _paid(raw: Raw) -> dict[str, tuple[float, float]]:
    """What a channel costs and is credited with, a month, the dearest first."""
    rows = raw.rows(f"""
        select channel, any_value(cost) * {A_MONTH} as cost, sum(margin) * {A_MONTH} from visits join spent using (channel) group by 1 order by 2 desc""")
    return {name: (cost, margin) for name, cost, margin in rows}


def channels(raw: Raw, _: str) -> list[Any]:
    (_best, high), *_others, (_worst, low) = _ends(raw)
    return [high, low, sum(cost for cost, _margin in _paid(raw).values()), "not"]


def untested(raw: Raw, sentence: str) -> list[Any]:
    return list(_paid(raw)[sentence.split(" costs ")[0]])


def untestable(raw: Raw, sentence: str) -> list[Any]:
    expected: list[Any] = []
    for part in sentence.split("; "):
        named = {name: amounts for name, amounts in _paid(raw).items() if name in part}
        assert len({cost > margin for cost, margin in named.values()}) == 1, "none hides in a sum"
        cost, margin = (sum(amounts[n] for amounts in named.values()) for n in (0, 1))
        expected += [cost, word(margin - cost, "less", "more"), margin]
    return expected


def models(raw: Raw, sentence: str) -> list[Any]:
    """The share by the visit of the order is counted; the other end of the span is that of models."""
    (last,) = raw.row("select sum(orders) filter (channel = 'Display') / sum(orders) from visits")
    return [_MODELS, last, _MODELS]


def new_page(_: Raw, sentence: str) -> list[Any]:
    return [sentence.split("“")[1].split("”")[0], _DECAY, "half", _DECAY, _DECAY]


def season(raw: Raw, sentence: str) -> list[Any]:
    """A section's share of the visits to sections, by month of the year: the month in which it is largest, and the mean of all."""
    name = sentence.split()[0]
    (month, top, mean), *_others = raw.rows(f"""
        with monthly as (select section, date_trunc('month', local_day(occurred_at)) as m, count(distinct session_id) as n from events
                         where section is not null and local_day(occurred_at) between '2025-05-01' and '2026-10-31' group by 1, 2),
        shares as (select section, m, n / sum(n) over (partition by m) as share from monthly),
        by_month as (select monthname(m) as month, avg(share) as share from shares where section = '{name.lower()}' group by 1)
        select month, share, (select avg(share) from by_month) from by_month order by 2 desc""")
    return [name, top, month, mean]


def site(raw: Raw, _: str) -> list[Any]:
    (ordered,) = raw.row(
        "select avg(bought::int) from (select bool_or(event_name = 'purchase') as bought from seen group by session_id)"
    )
    phones, others = _filled(raw)
    assert phones < others
    return [ordered, phones, others, _BOUND]


def _filled(raw: Raw) -> list[float]:
    rows = raw.rows("select device = 'mobile', count(filled) / count(viewed) from walked group by 1 order by 1 desc")
    return [share for _is_phone, share in rows]


def weak_page(raw: Raw, sentence: str) -> list[Any]:
    title = sentence.split("“")[1].split("”")[0]
    shares = raw.rows(f"""
        with first as (select session_id, arg_min(page, event_index) as page, bool_or(event_name = 'purchase') as bought, count(distinct page) as n
                       from seen where page is not null group by 1)
        select title = '{title}', avg((bought or n > 1)::int) from first join pages using (page) where template = 'guide' group by 1 order by 1 desc""")
    assert shares[0][1] < shares[1][1]
    return [title, *(share for _is_own, share in shares), _BOUND]


def broken(raw: Raw, _: str) -> list[Any]:
    """The months before and after the spell stand higher, each of them."""
    months = dict(raw.rows("select month, count(gave) / count(began) from walked where device = 'mobile' group by 1"))
    spell = ("2026-04", "2026-05", "2026-06")
    assert max(months[m] for m in spell) < min(share for m, share in months.items() if m not in spell)
    (share,) = raw.row(f"select count(gave) / count(began) from walked where device = 'mobile' and month in {spell}")
    return ["April", "June 2026", share, *[_BOUND] * 4]


def release(raw: Raw, sentence: str) -> list[Any]:
    """The share with the change is counted in the days that the sentence names; without it, is the design's word."""
    title, days = sentence.split("“")[1].split("”")[0], int(sentence.split("first ")[1].split()[0])
    what, start, first, last = raw.row(f"""
        select split_part(scope, ':', 2), local_day(started_at), strftime(local_day(started_at), '%-d %b'),
               strftime(local_day(ended_at - interval 1 second) , '%-d %b %Y') from changes where description = '{title}'""")
    (share,) = raw.row(f"""
        with v as (select session_id, min(day) as day, bool_or(event_name = 'purchase') as bought from seen group by 1)
        select avg(bought::int) from v join sessions using (session_id) where device = '{what}' and day between date '{start}' and date '{start}' + {days - 1}""")
    return [days, title, first, last, share, _RELEASE]


def ways(raw: Raw, sentence: str) -> list[Any]:
    place = sentence.split("after ")[1].split(",")[0]
    rows = raw.rows(f"""
        with steps as (select session_id, section, lead(section) over (partition by session_id order by event_index) as next from seen where section is not null)
        select device, avg((next is null)::int) from steps join sessions using (session_id)
        where section = '{place}' and next is distinct from section and device in ('mobile', 'desktop') group by 1 order by 1 desc""")
    return [_WAYS, _WAYS, *(share for _device, share in rows)]


ROADS = {
    "10_demand_research": {"answer": not_found, "need-": need, "spelling": spelling, "complaint": complaint, "met-": met},
    "71_channel_content": {
        "answer": channels, "untested-": untested, "untestable": untestable, "models": models, "new-page": new_page, "season": season,
    },
    "72_website_planning": {
        "answer": site, "page-": weak_page, "broken-": broken, "release-": release, "ways": ways,
    },
}  # fmt: skip
