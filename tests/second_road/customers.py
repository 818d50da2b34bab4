"""Second roads of the pages about customers: segments and their worth."""

from __future__ import annotations

from typing import Any

from tests.second_road.pieces import Elsewhere, Raw

_GROUPS, _FORECAST = Elsewhere("tests/segmentation/test_clusters.py"), Elsewhere("tests/segmentation/test_holdout.py")
_LIFETIME = Elsewhere("tests/segmentation/test_lifetime.py")
VIEWS = """
create view rfm_ordered as
  select customer_id, max(day) as last_day, count(distinct order_id) as n, sum(amount) as amount from year where customer_id is not null group by 1;
create view rfm_scored as
  select *, date '2026-10-31' - last_day as silent,
         least(1 + floor(5 * (rank() over (order by last_day) - 1) / (count(*) over () - 1)), 5) as r,
         least(1 + floor(5 * (rank() over (order by n) - 1) / (count(*) over () - 1)), 5) as f from rfm_ordered;
create view came_first as
  select customer_id from paid join customers using (customer_id) group by 1
  having min(day) >= '2025-11-01' and local_day(min(first_seen_at)) >= '2025-05-01';
create table segments as
  select *, case when r >= 4 and f >= 4 then 'champions' when r >= 4 and n = 1 and customer_id in (from came_first) then 'new'
                 when r >= 4 then 'promising' when r = 3 and f >= 4 then 'loyal' when r = 3 then 'cooling' when f >= 4 then 'at risk'
                 else 'hibernating' end as segment from rfm_scored;
"""


def _segment(raw: Raw, name: str) -> tuple[float, ...]:
    """Customers, their share, their share of the revenue, mean days of silence, revenue."""
    return raw.row(f"""
        select count(*) filter (segment = '{name}'), avg((segment = '{name}')::int), sum(amount) filter (segment = '{name}') / sum(amount),
               avg(silent) filter (segment = '{name}'), sum(amount) filter (segment = '{name}') from segments""")


def segments(raw: Raw, _: str) -> list[Any]:
    best, quiet = _segment(raw, "champions"), _segment(raw, "at risk")
    return [*best[:3], quiet[0], quiet[3]]


def at_risk(raw: Raw, _: str) -> list[Any]:
    n, share, _share, silent, money = _segment(raw, "at risk")
    return [n, share, silent, money]


def new(raw: Raw, _: str) -> list[Any]:
    n, share, _share, silent, money = _segment(raw, "new")
    return [n, share, silent, money, money / n]


def kinds(raw: Raw, _: str) -> list[Any]:
    rows = raw.rows("""
        select kind, count(*), count(*) / sum(count(*)) over (), sum(amount) / sum(sum(amount)) over (), sum(amount) / count(*) / 365 * 365.25 / 12
        from segments join customers using (customer_id) group by 1 order by 5 desc""")
    assert [row[0] for row in rows] == ["business", "consumer"]
    return [*rows[0][1:], rows[1][4]]


def left_behind(raw: Raw, _: str) -> list[Any]:
    """Visits that left a checkout or a cart, and those of others without an order: how many are followed by an order within 30 days."""
    shares = dict(
        raw.rows("""
        with done as (
          select session_id, count(*) as n, bool_or(event_name = 'purchase') as bought,
                 bool_or(event_name in ('begin_checkout', 'add_shipping_info', 'add_payment_info')) as checkout,
                 bool_or(event_name = 'add_to_cart') as cart
          from events where local_day(occurred_at) between '2025-11-01' and '2026-10-31' group by 1),
        visits as (
          select session_id, visitor_id, started_at, coalesce(bought, false) as bought,
                 case when n is null then 'unseen' when bought then 'order' when n > 1 and checkout then 'checkout'
                      when n > 1 and cart then 'cart' else 'other' end as what
          from sessions left join done using (session_id) where local_day(started_at) between '2025-11-01' and '2026-10-31'),
        followed as (
          select what, exists (
              from visits o where o.bought and o.visitor_id = v.visitor_id and o.started_at <= v.started_at + interval 30 day
              and (o.started_at, o.session_id) > (v.started_at, v.session_id)) as later
          from visits v where started_at + interval 30 day <= (select max(started_at) from visits))
        select what, avg(later::int) from followed group by 1""")
    )
    assert shares["checkout"] > shares["other"] > shares["cart"]
    return [shares["checkout"], 30, shares["other"], "not", "more", 30, shares["cart"], "not"]


def habits(raw: Raw, _: str) -> list[Any]:
    (n,) = raw.row("""
        select count(*) from (select customer_id from paid where customer_id is not null and day <= '2026-10-31'
                              group by 1 having count(distinct order_id) >= 5)""")
    return [n, 5, "more", "fall", *[_GROUPS] * 4, "more", _GROUPS, "more", _GROUPS]


def concentration(raw: Raw, _: str) -> list[Any]:
    """The fewest customers who brought half: those with less than half of the revenue ahead of them."""
    return list(
        raw.row("""
        with ranked as (select amount, sum(amount) over (order by amount desc) - amount as ahead, sum(amount) over () as whole from rfm_ordered)
        select count(*) filter (ahead < whole / 2), avg((ahead < whole / 2)::int),
               sum(amount) filter (ahead < whole / 2) / sum(amount), sum(amount) filter (ahead < whole / 2) from ranked""")
    )


def _known(raw: Raw) -> tuple[int, int]:
    return raw.row("""
        select count(distinct customer_id), count(distinct customer_id) filter (kind = 'business')
        from paid join customers using (customer_id) where day <= '2026-10-31'""")


def answer(raw: Raw, _: str) -> list[Any]:
    return [*concentration(raw, _), _known(raw)[0], _LIFETIME, 90, _held_out(raw)[0], _FORECAST]


def _held_out(raw: Raw) -> tuple[float, ...]:
    """Days held out, days with a purchase in them by customers known before, and what going on as before had said."""
    return raw.row("""
        with days as (select distinct customer_id, day, day <= '2026-08-01' as is_known from paid where customer_id is not null and day <= '2026-10-31'),
        before as (select customer_id, count(*) - 1 as repeats, (date '2026-08-01' - min(day)) / 7 as weeks from days where is_known group by 1)
        select date '2026-10-31' - date '2026-08-01', (select count(*) from days where not is_known and customer_id in (select customer_id from before)),
               sum(repeats * 13 / greatest(weeks, 13)) from before""")


def lifetime(raw: Raw, _: str) -> list[Any]:
    return [_known(raw)[0], _LIFETIME, 90, _held_out(raw)[0], _FORECAST]


def win_back(raw: Raw, _: str) -> list[Any]:
    return [_LIFETIME, _segment(raw, "at risk")[0], _LIFETIME, _LIFETIME, 90]


def kinds_worth(raw: Raw, _: str) -> list[Any]:
    return [_LIFETIME, 90, _LIFETIME, _LIFETIME, "all", _known(raw)[1]]


def holdout(raw: Raw, _: str) -> list[Any]:
    days, came, as_before = _held_out(raw)
    return [days, _FORECAST, came, as_before, "nearer"]


ROADS = {
    "31_segmentation": {
        "answer": segments, "segment-at-risk": at_risk, "segment-new": new, "kinds": kinds, "left-carts": left_behind, "groups": habits,
    },
    "32_customer_value": {
        "answer": answer, "lifetime-worth": lifetime, "win-back": win_back, "kinds-worth": kinds_worth,
        "lifetime-holdout": holdout,
    },
}  # fmt: skip
