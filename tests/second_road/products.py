"""Second roads of the pages about products: position, prices, what sells together, classes."""

from __future__ import annotations

from typing import Any

from tests.second_road.pieces import Elsewhere, Raw, word

_RESPONSE, _MONEY = Elsewhere("tests/positioning/test_response.py"), Elsewhere("tests/findings/test_positioning_sql.py")
_WHAT_IF, _PAIRS = Elsewhere("tests/positioning/test_what_if.py"), Elsewhere("tests/positioning/test_pairs.py")
_LAUNCHES, _LIFE = Elsewhere("tests/positioning/test_market.py"), Elsewhere("tests/test_classification.py")
VIEWS = """
create view sold_monthly as
  select product_id, date_trunc('month', day) as m, sum(quantity)::double as units, sum(amount) as amount from paid where day <= '2026-10-31' group by 1, 2;
create view sold as
  select product_id, min(m) as first_m, sum(amount) filter (m >= '2025-11-01') as amount from sold_monthly group by 1
  having count(*) filter (m >= '2025-11-01') > 0;
create view steadiness as
  select product_id, count(*) as n_months, stddev_pop(coalesce(units, 0)) / avg(coalesce(units, 0)) as variation
  from sold cross join (select unnest(range(date '2025-11-01', date '2026-11-01', interval 1 month)) as m) left join sold_monthly using (product_id, m)
  where m > first_m or first_m <= '2025-11-01' group by 1;
create table classes as
  with ranked as (select product_id, amount, amount / sum(amount) over () as share,
                         (sum(amount) over (order by amount desc) - amount) / sum(amount) over () as ahead from sold)
  select *, case when ahead < 0.8 then 'A' when ahead < 0.95 then 'B' else 'C' end
            || case when coalesce(n_months, 0) < 3 then 'N' when variation <= 0.5 then 'X' when variation <= 1 then 'Y' else 'Z' end as cell
  from ranked left join steadiness using (product_id) join (select product_id, name from products) using (product_id);
create table dearness as
  with newest as (
    select coalesce(p.product_id, m.product_id) as product_id, ln(price) as log_price, in_stock, observed_at, p.product_id is not null as is_known,
           row_number() over (partition by competitor, competitor_product_id order by observed_at desc) as place
    from competitor_prices p left join truth_matches m using (competitor, competitor_product_id) where local_day(observed_at) <= '2026-10-31'),
  theirs as (
    select product_id, avg(log_price) as log_price, bool_or(is_known) as was_known from newest
    where place = 1 and product_id is not null and coalesce(in_stock, true) and date '2026-10-31' - cast(observed_at as date) <= 14 group by 1)
  select p.product_id, category, ln(p.price) - log_price as away, log_price is not null as is_covered, coalesce(was_known, false) as was_known
  from products p left join theirs using (product_id);
"""


def _away(raw: Raw) -> dict[str, float]:
    """How much dearer each category is than at competitors: geometric means over its products, the dearest first."""
    return dict(raw.rows("select category, exp(avg(away)) - 1 from dearness group by 1 order by 2 desc"))


def position(raw: Raw, _: str) -> list[Any]:
    away = _away(raw)
    dearest, *_others, least = away
    assert away[least] > 0
    return [
        "all",
        len(away),
        away[least],
        away[dearest],
        "more",
        dearest,
        "furthest",
        "Garden",
        "Kitchen",
        0.05,
        "higher",
        "up",
        _MONEY,
    ]


def price_moved(_: Raw, sentence: str) -> list[Any]:
    return [sentence.split()[0], 0.05, "higher", "all", "up", _MONEY, "fall", _RESPONSE]


def price_not_told(raw: Raw, sentence: str) -> list[Any]:
    category = sentence.split()[0]
    return [category, abs(_away(raw)[category]), word(_away(raw)[category], "more", "less")]


def price_stays(raw: Raw, sentence: str) -> list[Any]:
    return list(_in_order(raw, sentence))


def _in_order(raw: Raw, sentence: str) -> list[str]:
    """Categories that a sentence names: which they are is the model's word, tested where it stands."""
    return sorted((name for name in _away(raw) if name in sentence), key=sentence.index)


def gap(raw: Raw, sentence: str) -> list[Any]:
    """Days on which products of a look stood on the shelf, and visits that looked at them, as shares of all."""
    rows = raw.rows("""
        with looked as (select distinct session_id, product_id from events where event_name = 'view_item' and product_id is not null
                        and local_day(occurred_at) between '2025-11-01' and '2026-10-31'),
        shelf as (select product_id, count(*) as n from stock_levels where n_on_hand > 0 and date between '2025-11-01' and '2026-10-31' group by 1),
        offer as (select attr_material as look, sum(n) as n from shelf join products using (product_id) group by 1),
        demand as (select attr_material as look, count(*) as n from looked join products using (product_id) group by 1)
        select look, o.n / sum(o.n) over (), d.n / sum(d.n) over () as demand from offer o join demand d using (look) order by d.n / o.n desc""")
    shares = {look: (offer, demand) for look, offer, demand in rows}
    offer, demand = shares[sentence.split()[0].lower()]
    assert demand > offer
    return [offer, demand, "short"]


def responses(raw: Raw, sentence: str) -> list[Any]:
    first, second, *_others = _in_order(raw, sentence)
    return [0.05, "higher", first, _RESPONSE, "less", second, _RESPONSE, "less", _RESPONSE, "more", "Garden", "Kitchen"]


def response(raw: Raw, sentence: str) -> list[Any]:
    return [sentence.split(":")[0], 0.05, "higher", "fall", _RESPONSE, _MONEY]


def followed(raw: Raw, sentence: str) -> list[Any]:
    return list(_in_order(raw, sentence))


def what_if(raw: Raw, sentence: str) -> list[Any]:
    """The list price, the price moved by a twentieth, and of how many others of its category it is or would be the dearer one."""
    name = sentence.split(" from £")[0]
    price, category = raw.row(f"select price::double, category from products where name = '{name}'")
    shares = raw.row(f"""
        select avg((price < round({price} * 1.05, 2))::int), avg((price < {price})::int) from products
        where category = '{category}' and name <> '{name}'""")
    return [name, price, round(price * 1.05, 2), _WHAT_IF, _WHAT_IF, "fewer", category, shares[0], "cheaper", shares[1]]


def _together(raw: Raw, one: str, other: str) -> int:
    (n,) = raw.row(f"""
        select count(distinct a.who) from year a join year b using (order_id) join products p on p.product_id = a.product_id
        join products q on q.product_id = b.product_id where p.name = '{one}' and q.name = '{other}'""")
    return n


def _looked(raw: Raw, one: str, other: str) -> tuple[int, ...]:
    """Visits that looked at both, and of these those that bought one, and both."""
    return raw.row(f"""
        with looked as (
          select session_id, bool_or(name = '{one}') and bool_or(name = '{other}') as is_pair from events join products using (product_id)
          where event_name = 'view_item' and local_day(occurred_at) between '2025-11-01' and '2026-10-31' group by 1),
        bought as (select session_id, count(distinct name) as n from events join products using (product_id)
                   where event_name = 'purchase' and name in ('{one}', '{other}') group by 1)
        select count(*), count(*) filter (n = 1), count(*) filter (n = 2) from looked left join bought using (session_id) where is_pair""")


def market(raw: Raw, sentence: str) -> list[Any]:
    one, other = sentence.split(" sell together ")[0].split(" and ")
    this, that = sentence.split(" as chance. ")[1].split(" are looked at")[0].split(" and ")
    seen, bought, both = _looked(raw, this, that)
    assert bought > both
    return [one, other, _PAIRS, this, that, "not", _PAIRS, seen, bought, both]


def complements(raw: Raw, sentence: str) -> list[Any]:
    one, other = sentence.split(" bought ")[1].split(", ")[0].split(" together with ")
    return [_together(raw, one, other), one, other, _PAIRS]


def complements_next(raw: Raw, sentence: str) -> list[Any]:
    pairs = sentence.removeprefix("Next: ").rstrip(".").split(" and ")
    names = [name for pair in pairs for name in pair.split(" with ")]
    assert all(_together(raw, *pair.split(" with ")) >= 10 for pair in pairs)
    return names


def substitutes(_: Raw, sentence: str) -> list[Any]:
    one, other = sentence.split(" are looked at")[0].split(" and ")
    return [one, other, "not", _PAIRS, _PAIRS]


def launches(_: Raw, __: str) -> list[Any]:
    return [_LAUNCHES, "none"]


def matching(raw: Raw, _: str) -> list[Any]:
    """The pairs that were planted, less those that the prices name already: the matching must find all of them and no other."""
    now, then = raw.row("select avg(is_covered::int), avg(was_known::int) from dearness")
    (new,) = raw.row("""
        select count(*) from truth_matches where (competitor, competitor_product_id) not in
        (select (competitor, competitor_product_id) from competitor_prices where product_id is not null)""")
    return [now, word(now - then, "up", "down"), then, new]


def _class(raw: Raw, cell: str) -> tuple[float, ...]:
    return raw.row(
        f"select count(*), sum(amount), sum(share) from (select *, (select count(*) from classes) from classes where cell = '{cell}')"
    )


def _running_out(raw: Raw) -> list[str]:
    """Steady best sellers whose stock and what is on order last shorter than a delivery takes, at the pace of 90 days."""
    rows = raw.rows("""
        with pace as (select product_id, sum(quantity)::double / 90 as a_day from paid where day between date '2026-10-31' - 89 and '2026-10-31' group by 1)
        select c.name from classes c join products using (product_id) join pace using (product_id) join stock_levels s using (product_id)
        where cell = 'AX' and date = '2026-10-31' and (n_on_hand + coalesce(n_on_order, 0)) / a_day < lead_time_days order by c.amount desc""")
    return [name for (name,) in rows]


def classes(raw: Raw, _: str) -> list[Any]:
    best, slow = _class(raw, "AX"), _class(raw, "CZ")
    (n,) = raw.row("select count(*) from classes")
    return [best[0], n, best[2], len(_running_out(raw)), slow[0], slow[2]]


def short_of_stock(raw: Raw, _: str) -> list[Any]:
    names = _running_out(raw)
    return [len(names), _class(raw, "AX")[0], "31 Oct", *names[:2], len(names) - 2]


def best_sellers(raw: Raw, _: str) -> list[Any]:
    names = [name for (name,) in raw.rows("select name from classes where cell = 'AX' order by amount desc limit 2")]
    return [*_class(raw, "AX"), "largest", *names]


def groups_apart(raw: Raw, sentence: str) -> list[Any]:
    """Growth of a category and of the shop between the same half-years of two years."""
    growth = dict(
        raw.rows("""
        with halves as (select category, sum(amount) filter (day between '2026-05-01' and '2026-10-31') as now,
                               sum(amount) filter (day between '2025-05-01' and '2025-10-31') as before from paid join products using (product_id) group by 1)
        select category, now / before - 1 from halves union all select 'shop', sum(now) / sum(before) - 1 from halves""")
    )
    name = sentence.split()[0]
    best = {"better": max, "worse": min}[how := word(growth[name] - growth["shop"], "better", "worse")]
    assert name == best((one for one in growth if one != "shop"), key=lambda one: growth[one])
    return [name, growth[name], how, growth["shop"], "May-Oct 2026", "May-Oct 2025", "4 Sep 2025", "missing"]


def declining(raw: Raw, sentence: str) -> list[Any]:
    """Whether they lag clearly is the test's word; how much they sold in both windows, and that it is less, is counted."""
    return [_LIFE, _LIFE, _LIFE, _LIFE, *_first_declining(raw, sentence), _LIFE]


def _first_declining(raw: Raw, sentence: str) -> list[str]:
    names = sentence.split("a year before: ")[1].split(" and ")[0].split(", ")
    for name in names:
        now, before = raw.row(f"""
            select count(distinct order_id) filter (day between date '2026-10-31' - 89 and '2026-10-31'),
                   count(distinct order_id) filter (day between date '2026-10-31' - 454 and date '2026-10-31' - 365)
            from paid join products using (product_id) where name = '{name}'""")
        assert now < before, name
    return names


ROADS = {
    "20_positioning": {
        "answer": position, "price-garden": price_moved, "price-kitchen": price_moved, "price-lighting": price_not_told, "gap-material": gap,
        "price-stays": price_stays,
    },
    "21_price_response": {
        "answer": responses, "price-response-followed": followed, "price-response-": response, "what-if": what_if,
    },
    "22_market_structure": {
        "answer": market, "complements-next": complements_next, "complements": complements, "substitutes": substitutes, "launches": launches,
        "matching-coverage": matching,
    },
    "30_classification": {
        "answer": classes, "short-of-stock": short_of_stock, "cell-AX": best_sellers, "groups-faster": groups_apart,
        "groups-slower": groups_apart, "declining": declining,
    },
}  # fmt: skip
