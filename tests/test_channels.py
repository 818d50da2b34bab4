"""Channels: GA4's groups rule by rule, money and people by hand and by plain pandas, what is planted found, nothing found where all are alike."""

from __future__ import annotations

import functools
import math
from datetime import date

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib import channels, charts, engine
from opslib.errors import ContractError, ParameterError
from opslib.periods import Period
from tests.positioning.market import demo

JANUARY = Period.parse("2026-01-01", "2026-01-31")
YEAR = Period.parse("2025-11-01", "2026-10-31")
#: Sites of the simulated shop, which no list of the world's knows.
OWN_SITES = {
    kind: (*names, *{"search": ("findall",), "social": ("chatterly",)}.get(kind, ()))
    for kind, names in channels.SITES.items()
}
SPENT = ("Paid Search", "Display", "Paid Social", "Affiliates")

#: Source, medium, campaign and the group that Google's table of default channel groups gives (answer 9756891), each rule once or more.
RULES = [
    ("(direct)", "(none)", None, "Direct"),
    ("(direct)", "(not set)", "x", "Direct"),
    (None, None, None, "Direct"),
    ("google", "cpc", "summer cross-network", "Cross-network"),
    ("amazon.com", "cpc", None, "Paid Shopping"),
    ("google", "cpc", "google shopping", "Paid Shopping"),
    ("google", "cpc", "workshop", "Paid Search"),  # before "shop" stands an e or no letter
    ("google", "cpc", "bishopsgate", "Paid Search"),
    ("google", "cpc", "eshop", "Paid Shopping"),
    ("google", "CPC", "mugs", "Paid Search"),
    ("www.bing.com", "ppc", None, "Paid Search"),
    ("m.facebook.com", "paid-social", None, "Paid Social"),
    ("instagram", "retargeting", None, "Paid Social"),
    ("youtube.com", "cpv-cpc", None, "Paid Video"),
    ("somewhere", "display", None, "Display"),
    ("somewhere", "cpm", None, "Display"),
    ("google", "cpm", None, "Paid Search"),
    ("somewhere", "paid", None, "Paid Other"),
    ("etsy.com", "referral", None, "Organic Shopping"),
    ("letter", "other", "the shop", "Organic Shopping"),
    ("t.reddit.com", "referral", None, "Organic Social"),
    ("somewhere", "social-media", None, "Organic Social"),
    ("vimeo.com", "referral", None, "Organic Video"),
    ("somewhere", "my-video-ad", None, "Organic Video"),
    ("duckduckgo.com", "referral", None, "Organic Search"),
    ("somewhere", "organic", None, "Organic Search"),
    ("news.example", "referral", None, "Referral"),
    ("partner", "link", None, "Referral"),
    ("e-mail", "other", None, "Email"),
    ("letter", "E-Mail", None, "Email"),
    ("partner", "affiliate", None, "Affiliates"),
    ("pod", "audio", None, "Audio"),
    ("sms", "other", None, "SMS"),
    ("other", "web-push", None, "Mobile Push Notifications"),
    ("firebase", "other", None, "Mobile Push Notifications"),
    ("other", "app-notification", None, "Mobile Push Notifications"),
    ("elsewhere", "unknown", None, "Unassigned"),
    ("googler.example", "cpc", None, "Paid Other"),  # no label of the domain is google
]


def visits_of(rows: list[tuple], **more) -> pd.DataFrame:
    """Sessions from (visitor, day, medium) rows, one an hour, in order."""
    frame = pd.DataFrame(rows, columns=["visitor_id", "day", "medium"])
    at = pd.to_datetime(frame["day"]) + pd.to_timedelta(np.arange(len(frame)) % 24, unit="h")
    return frame.assign(
        session_id=[f"s{n:04d}" for n in range(len(frame))], source="somewhere", started_at=at, **more
    ).drop(columns="day")


def lines_of(sessions: pd.DataFrame, places: list[int], customers: list[str | None], **more) -> pd.DataFrame:
    """One line of £10 at a cost of £4 an order, placed in the sessions at these places."""
    rows = sessions.iloc[places]
    return pd.DataFrame({
        "order_id": [f"o{n}" for n in range(len(places))], "line_id": "1", "product_id": "p", "session_id": rows["session_id"].to_numpy(),
        "customer_id": pd.array(customers, dtype="string"), "ordered_at": rows["started_at"].to_numpy(), "quantity": 1.0,
        "unit_price": 10.0, "cost_amount": 4.0, **more,
    })  # fmt: skip


SESSIONS = visits_of(
    [("v", "2026-01-02", "email"), ("w", "2026-01-03", "organic"), ("v", "2026-01-04", "organic"), ("x", "2026-01-05", "email"),
     ("v", "2026-01-20", "email"), ("x", "2026-02-02", "email")]
)  # fmt: skip
LINES = lines_of(SESSIONS, [2, 4, 5, 1], ["c", "c", "d", None])
KINDS = pd.DataFrame({"customer_id": ["c", "d"], "kind": ["business", "consumer"]})


def sections(w):
    """The channels of a shop of the parity tests."""
    returns = w.table("returns") if "returns" in w.shop.tables else None
    return channels.channel_visits(w.table("sessions"), order_lines=w.table("order_lines"), returns=returns)


def kinds_of(w):
    customers = w.table("customers")
    return customers if "kind" in customers.columns else customers.mutate(kind=ibis.literal("consumer"))


def span(w) -> Period:
    return Period(w.coverage.first, w.coverage.last)


def costs_of(w):
    return channels.channel_traffic(sections(w), ad_spend=w.table("ad_spend"), period=span(w))


def spent_on_all(w):
    """Costs of every channel that had visits, so that there is something to plan and to pay back."""
    return costs_of(w).query("n_visits > 0").assign(cost_amount=50.0, cost_per_new_customer_amount=5.0)


def ways_of(w):
    return channels.channel_paths(sections(w), period=span(w))


#: How the parity tests ask the functions of this room, on DuckDB, PostgreSQL and Spark.
PARITY_CASES = {
    "channels.channel_visits": sections,
    "channels.channel_traffic": costs_of,
    "channels.paybacks": lambda w: {
        "costs": spent_on_all(w)[["channel", "n_new_customers"]],
        "back": channels.paybacks(sections(w), spent_on_all(w), order_lines=w.table("order_lines"), period=span(w)),
    },
    "channels.buying_rates": lambda w: channels.buying_rates(sections(w), period=span(w)),
    "channels.first_and_later": lambda w: channels.first_and_later(sections(w), period=span(w)),
    "channels.channel_overlap": lambda w: channels.channel_overlap(sections(w), period=span(w)),
    "channels.customer_kinds": lambda w: {
        "visits": engine.collect(sections(w).select("session_id", "channel").order_by("session_id")),
        "kinds": channels.customer_kinds(sections(w), kinds_of(w), period=span(w)),
    },
    "channels.channel_paths": ways_of,
    "channels.attribution": lambda w: channels.attribution(ways_of(w)),
    "channels.holdout_plans": lambda w: channels.holdout_plans(sections(w), spent_on_all(w), period=span(w)),
}


def found_visits(sessions=SESSIONS, lines=LINES, **choices) -> ibis.Table:
    return channels.channel_visits(sessions, order_lines=lines, **choices)


CHART_CASES = {
    "attribution": lambda: charts.draw_attribution(
        channels.attribution(channels.channel_paths(found_visits(), period=JANUARY)), people=None
    ),
}


def test_every_rule_of_the_default_groups() -> None:
    frame = pd.DataFrame(RULES, columns=["source", "medium", "campaign", "expected"])
    frame["session_id"], frame["started_at"] = [f"{n:03d}" for n in range(len(frame))], pd.Timestamp("2026-01-05")
    found = engine.collect(channels.channel_visits(frame.drop(columns="expected")).order_by("session_id"))
    wrong = found.assign(expected=frame["expected"])[found["channel"] != frame["expected"]]
    assert wrong.empty, wrong[["source", "medium", "campaign", "channel", "expected"]].to_string()


def test_a_shop_names_sites_of_its_own() -> None:
    sessions = pd.DataFrame(
        {"session_id": ["a"], "started_at": pd.to_datetime(["2026-01-05"]), "source": "findall", "medium": "cpc"}
    )
    assert [engine.collect(channels.channel_visits(sessions, **own))["channel"].iloc[0] for own in ({}, {"sites": OWN_SITES})] == [
        "Paid Other", "Paid Search",
    ]  # fmt: skip


def test_visits_by_hand() -> None:
    found = engine.collect(found_visits().order_by("session_id"))
    assert found["n_earlier"].tolist() == [0, 0, 1, 0, 2, 1]
    assert found["n_orders"].tolist() == [0, 1, 1, 0, 1, 1]
    assert found["margin_amount"].fillna(0).tolist() == [0, 6, 6, 0, 6, 6]
    assert found["is_new"].tolist() == [0, 0, 1, 0, 0, 1], (
        "a guest is nobody's first order, and c's second order is none"
    )
    only_d = found_visits(newcomers=pd.DataFrame({"customer_id": ["d"]}))
    assert engine.collect(only_d.order_by("session_id"))["is_new"].tolist() == [0, 0, 0, 0, 0, 1]


def test_what_came_back_is_no_margin_and_without_costs_there_is_none() -> None:
    back = pd.DataFrame(
        {
            "return_id": ["r"],
            "order_id": ["o0"],
            "product_id": "p",
            "returned_at": pd.to_datetime(["2026-01-09"]),
            "refund_amount": [10.0],
            "quantity": [1.0],
        }
    )
    found = engine.collect(found_visits(returns=back).order_by("session_id"))
    assert found["margin_amount"].fillna(0).tolist() == [0, 6, -4, 0, 6, 6]
    assert engine.collect(found_visits(lines=LINES.drop(columns="cost_amount")))["margin_amount"].isna().all()
    assert engine.collect(channels.channel_visits(SESSIONS))["n_orders"].tolist() == [0] * 6


def test_traffic_by_hand_and_costs_by_campaign_then_by_name() -> None:
    sessions = SESSIONS.assign(campaign=["letter", None, None, "letter", "letter", "letter"])
    spend = pd.DataFrame({"date": pd.to_datetime(["2026-01-02", "2026-01-09", "2026-01-09", "2026-02-01", "2026-01-09"]),
                          "channel": ["crm", "organic_search", "radio", "crm", "crm"], "campaign": ["Letter", None, "morning", "letter", "letter"],
                          "cost_amount": [3.0, 2.0, 7.0, 100.0, 1.0]})  # fmt: skip
    found = channels.channel_traffic(found_visits(sessions), ad_spend=spend, period=JANUARY).set_index("channel")
    assert found.index.tolist() == ["Email", "Organic Search", "radio"]
    assert found["cost_amount"].tolist() == [4.0, 2.0, 7.0], "February's is another month's, and radio brought no visit"
    assert found["n_visits"].tolist() == [3, 2, 0]
    assert found.loc[
        "Email", ["n_visitors", "n_orders", "n_new_customers", "revenue_amount", "margin_amount", "margin_per_cost"]
    ].tolist() == [2, 1, 0, 10, 6, 1.5]
    assert found.loc["Email", "later_share"] == pytest.approx(1 / 3)
    assert found.loc["Organic Search", "cost_per_new_customer_amount"] == 2.0
    fine = channels.channel_traffic(found_visits(sessions), ad_spend=spend, by=("channel", "campaign"), period=JANUARY)
    assert fine["cost_amount"].sum() == 13.0
    assert fine["n_visits"].sum() == 5


def test_without_costs_they_are_missing_and_not_nothing() -> None:
    assert channels.channel_traffic(found_visits(), period=JANUARY)["cost_amount"].isna().all()


def test_pay_back_by_hand() -> None:
    """Two customers at £8 each: £6 in the first 30 days, and £6 more of the one who was seen for 60."""
    sessions = visits_of([("v", "2026-01-01", "email"), ("w", "2026-01-20", "email"), ("v", "2026-02-10", "organic")])
    lines = lines_of(sessions, [0, 1, 2], ["c", "d", "c"])
    visits, period = found_visits(sessions, lines), Period.parse("2026-01-01", "2026-03-05")
    spend = pd.DataFrame(
        {"date": pd.to_datetime(["2026-01-02"]), "channel": ["email"], "campaign": [None], "cost_amount": [16.0]}
    )
    row = channels.paybacks(
        visits, channels.channel_traffic(visits, ad_spend=spend, period=period), order_lines=lines, period=period
    ).iloc[0]
    assert row[
        ["cost_per_new_customer_amount", "first_margin_amount", "margin_each_amount", "payback_days", "seen_days"]
    ].tolist() == [8, 6, 12, 60, 60]
    dear = channels.channel_traffic(visits, ad_spend=spend.assign(cost_amount=99.0), period=period)
    assert math.isnan(channels.paybacks(visits, dear, order_lines=lines, period=period)["payback_days"].iloc[0])


def test_first_later_overlap_and_kinds_by_hand() -> None:
    fresh = channels.first_and_later(found_visits(), period=JANUARY).set_index(["channel", "who"])
    assert fresh["n_visits"].to_dict() == {
        ("Email", "came before"): 1, ("Email", "first visit"): 2, ("Organic Search", "came before"): 1, ("Organic Search", "first visit"): 1,
    }  # fmt: skip
    overlap = channels.channel_overlap(found_visits(), period=JANUARY).set_index(["channel", "other"])
    assert overlap["n_visitors"].to_dict() == {
        ("Email", "Email"): 1, ("Email", "Organic Search"): 1, ("Organic Search", "Email"): 1, ("Organic Search", "Organic Search"): 1,
    }  # fmt: skip
    assert (overlap["overlap_share"] == 0.5).all()
    kinds = channels.customer_kinds(found_visits(), KINDS, period=JANUARY)
    assert kinds[["kind", "channel", "n_orders", "order_share"]].values.tolist() == [
        ["business", "Email", 1, 0.5],
        ["business", "Organic Search", 1, 0.5],
    ]


def test_journeys_by_hand() -> None:
    ways = channels.channel_paths(found_visits(), period=JANUARY).set_index("path")
    assert ways[["n_reached", "n_lost", "n_orders"]].to_dict("index") == {
        "Email > Organic Search": {"n_reached": 1, "n_lost": 0, "n_orders": 1},
        "Organic Search": {"n_reached": 1, "n_lost": 0, "n_orders": 1},
        "Email": {"n_reached": 1, "n_lost": 1, "n_orders": 1},
    }, "x ordered in February only, which January does not know"
    # Two visits of v, 2 days and 2 hours apart: weights 2 ** (-age / 7).
    early = 2 ** (-(2 + 2 / 24) / 7)
    assert ways.loc["Email > Organic Search", ["decay_1", "decay_2"]].tolist() == pytest.approx(
        [early / (1 + early), 1 / (1 + early)]
    )


def test_old_and_many_visits_are_cut() -> None:
    sessions = visits_of([("v", f"2026-01-{day:02d}", "email" if day < 5 else "organic") for day in range(1, 13)])
    visits = found_visits(sessions, lines_of(sessions, [11], ["c"]))
    cut = channels.channel_paths(visits, period=JANUARY, max_touches=9)
    assert cut["path"].tolist() == [" > ".join(["Email"] + ["Organic Search"] * 8)]
    assert cut["is_cut"].tolist() == [1]
    old = channels.channel_paths(visits, period=JANUARY, lookback_days=3, max_touches=9)
    assert old["n_touches"].tolist() == [3]
    with pytest.raises(ParameterError, match="lookback_days: 0 is not positive"):
        channels.channel_paths(visits, period=JANUARY, lookback_days=0)
    with pytest.raises(ParameterError, match="of: 'margin'"):
        channels.attribution(cut, of="margin")
    with pytest.raises(ContractError, match="sessions: no column 'started_at'"):
        channels.channel_visits(SESSIONS.drop(columns="started_at"))


ROWS = st.lists(
    st.tuples(st.sampled_from("uvwx"), st.integers(1, 28), st.sampled_from(["email", "organic", "cpc"]), st.booleans()),
    min_size=1,
    max_size=20,
)


@settings(max_examples=15, deadline=None)
@given(ROWS)
def test_every_visit_has_one_journey_and_every_order_is_credited_once(rows) -> None:
    sessions = visits_of([(who, f"2026-01-{day:02d}", medium) for who, day, medium, _ in rows])
    bought = [place for place, row in enumerate(rows) if row[3]]
    visits = found_visits(
        sessions, lines_of(sessions, bought, [rows[place][0] for place in bought]) if bought else None
    )
    ways = channels.channel_paths(visits, period=JANUARY, max_touches=20)
    assert (ways["n_touches"] * (ways["n_reached"] + ways["n_lost"])).sum() == len(rows)
    credit = channels.attribution(ways)
    assert credit[list(channels.MODELS)].sum().tolist() == pytest.approx([len(bought)] * len(channels.MODELS), abs=1e-8)
    traffic = channels.channel_traffic(visits, period=JANUARY).set_index("channel")["n_orders"]
    assert credit.set_index("channel")["last"].to_dict() == pytest.approx(traffic.to_dict()), (
        "the last visit is the visit of the order"
    )


def people_of(seed: int, *, n: int = 900, lift: float = 0.0) -> pd.DataFrame:
    """Visits as `channel_visits` gives them, by people with a liking of their own; the channel has no say unless lifted."""
    draws = np.random.default_rng(seed)
    person, channel = draws.integers(0, n // 2, n), draws.choice(["A", "B", "C", "D"], n, p=[0.4, 0.3, 0.2, 0.1])
    chance = draws.beta(2, 12, n // 2)[person] + lift * (channel == "C")
    return pd.DataFrame(
        {
            "visitor_id": person,
            "channel": channel,
            "n_orders": (draws.random(n) < chance) * 1.0,
            "started_on": date(2026, 1, 5),
        }
    )


def test_a_gap_equals_each_visitors_pull_on_it() -> None:
    frame = people_of(5)
    found = channels.buying_rates(frame, period=JANUARY).set_index("channel")
    n = frame["visitor_id"].nunique()
    for name, row in found.iterrows():
        own, other = frame[frame["channel"] == name], frame[frame["channel"] != name]
        one, two = own["n_orders"].mean(), other["n_orders"].mean()
        assert row[["buy_share", "others_share", "gap_share"]].tolist() == pytest.approx([one, two, one - two])
        pull = (own["n_orders"] - one).groupby(own["visitor_id"]).sum() / len(own)
        push = (other["n_orders"] - two).groupby(other["visitor_id"]).sum() / len(other)
        error = np.sqrt((pull.sub(push, fill_value=0.0) ** 2).sum() * n / (n - 1))
        assert row["gap_share_upper"] - row["gap_share"] == pytest.approx(2.4977 * error, rel=1e-4)  # z of 1 - .025 / 4


def test_channels_that_are_alike_are_not_told_apart_and_a_planted_one_is() -> None:
    """Of 200 shops without any difference at most 8 % name one (5 % nominal; more has a chance under .04)."""
    named = [channels.buying_rates(people_of(seed), period=JANUARY)["is_apart"].any() for seed in range(200)]
    assert np.mean(named) <= 0.08
    lifted = channels.buying_rates(people_of(1, n=4_000, lift=0.12), period=JANUARY).set_index("channel")
    assert lifted.loc["C", "gap_share_lower"] > 0


def test_too_few_are_not_compared() -> None:
    found = channels.buying_rates(people_of(1, n=60), period=JANUARY)
    assert found["gap_share_lower"].isna().all()
    assert not found["is_apart"].any()
    assert channels.buying_rates(people_of(1).head(0), period=JANUARY).empty


def test_a_hold_out_of_visitors_by_hand() -> None:
    """400 people who came before, of whom 100 order; 40 of the 140 orders are the banner's."""
    n = 400
    table = pd.DataFrame({"visitor_id": np.repeat(np.arange(n), 2), "n_earlier": np.tile([0, 1], n), "started_on": date(2026, 1, 20),
                          "channel": np.where(np.arange(2 * n) % 2, "Display", "Direct"), "n_orders": 0.0, "margin_amount": np.nan, "is_new": 0,
                          "customer_id": None})  # fmt: skip
    table.loc[1:200:2, "n_orders"] = 1.0
    costs = pd.DataFrame({"channel": ["Display", "Direct"], "n_visits": 400, "n_visitors": 400, "later_share": [1.0, 0.0], "n_orders": [40, 100],
                          "n_new_customers": [0, 50], "cost_amount": [31.0, np.nan], "margin_amount": [310.0, 900.0]})  # fmt: skip
    table = table.astype({"customer_id": "string"})
    (row,) = channels.holdout_plans(table, costs, period=JANUARY).to_dict("records")
    assert (row["design"], row["credit_share"], row["break_even_share"]) == ("visitors", 0.4, pytest.approx(0.1))
    # Variation (1 - p) / p = 3; both halves: 4 x 3 x (2.8016 / ln 1.4)^2 = 831.9.
    assert row["n_needed"] == 832
    # 400 people in 31 days are 12.9 a day: 65 days, in whole weeks 70.
    assert (row["test_days"], bool(row["is_useful"])) == (70, True)
    assert (row["saved_amount"], row["at_risk_amount"]) == pytest.approx((35.0, 9.0 * 70 / 2))


def test_a_channel_of_first_visits_is_switched_off_by_weeks() -> None:
    days = pd.date_range("2026-01-01", periods=56)
    n = [12 if day.isocalendar().week % 2 else 8 for day in days]
    rows = [(f"{k}-{day:%j}", day) for day, m in zip(days, n, strict=True) for k in range(m)]
    table = pd.DataFrame(rows, columns=["visitor_id", "day"])
    table = table.assign(
        n_earlier=0,
        started_on=table["day"].dt.date,
        channel="Paid Search",
        n_orders=1.0,
        margin_amount=6.0,
        is_new=1,
        customer_id=table["visitor_id"],
    )
    costs = pd.DataFrame({"channel": ["Paid Search", "Direct"], "n_visits": 280, "n_visitors": 280, "later_share": 0.0, "n_orders": 280, "n_new_customers": 280,
                          "cost_amount": [56.0, 0.0], "margin_amount": 1680.0})  # fmt: skip
    period = Period.parse("2026-01-01", "2026-02-25")
    (row,) = channels.holdout_plans(table.drop(columns="day"), costs, period=period).to_dict("records")
    weeks = table.groupby((table["day"] - days[0]).dt.days // 7)["visitor_id"].size()
    variation = (np.diff(weeks) ** 2).mean() / 2 / weeks.mean() ** 2
    assert (row["design"], row["credit_share"]) == ("weeks", 1.0)
    assert row["n_needed"] == math.ceil(variation * 4 * (2.8015852 / math.log(2)) ** 2)


def test_nothing_spent_is_nothing_planned() -> None:
    costs = channels.channel_traffic(found_visits(), period=JANUARY)
    assert channels.holdout_plans(found_visits(), costs, period=JANUARY).empty
    assert channels.paybacks(found_visits(), costs, order_lines=LINES, period=JANUARY).empty


@functools.cache
def demo_visits() -> ibis.Table:
    tables, _, _ = demo()
    return channels.channel_visits(
        tables["sessions"], order_lines=tables["order_lines"], returns=tables["returns"], sites=OWN_SITES
    )


def test_the_demos_channels_equal_plain_sql() -> None:
    tables, truth, _ = demo()
    found = channels.channel_traffic(demo_visits(), ad_spend=tables["ad_spend"], period=YEAR).set_index("channel")
    names = {"Direct": "direct", "Organic Search": "organic_search", "Paid Search": "paid_search", "Paid Social": "paid_social",
             "Affiliates": "affiliate", "Email": "email", "Display": "retargeting"}  # fmt: skip
    assert set(found.index) == set(names)
    connection = tables["sessions"].get_backend()
    plain = connection.raw_sql("""
        select l.channel, count(distinct l.order_id), sum(l.quantity * l.unit_price - coalesce(l.discount_amount, 0))::double
        from order_lines l join sessions s using (session_id)
        where l.status = 'paid' and l.quantity >= 0 and s.started_at::date between '2025-11-01' and '2026-10-31' group by 1
    """).fetchall()
    for channel, orders, revenue in plain:
        row = found.loc[next(name for name, own in names.items() if own == channel)]
        assert row["n_orders"] == orders
        assert row["revenue_amount"] == pytest.approx(revenue, abs=0.01)
    spent = connection.raw_sql(
        "select channel, sum(cost_amount)::double from ad_spend where date between '2025-11-01' and '2026-10-31' group by 1"
    ).fetchall()
    assert {names[name]: found.loc[name, "cost_amount"] for name in SPENT} == pytest.approx(dict(spent))
    assert {name for name, own in truth["channels"]["channels"].items() if own["spend_amount"] > 0} == {
        names[name] for name in SPENT
    }


def test_models_credit_the_channel_without_any_increment_and_the_planted_hold_out_does_not() -> None:
    """Display only re-labels later visits: every model credits it, the plan draws visitors for it, and the planted test shows no effect."""
    tables, truth, _ = demo()
    assert truth["channels"]["channels"]["retargeting"]["incremental_orders_per_1000"] == 0.0
    credit = channels.attribution(channels.channel_paths(demo_visits(), period=YEAR)).set_index("channel")
    shares = credit.loc["Display", list(channels.MODELS)] / credit["last"].sum()
    assert shares.min() > 0.1
    traffic = channels.channel_traffic(demo_visits(), ad_spend=tables["ad_spend"], period=YEAR)
    plans = channels.holdout_plans(demo_visits(), traffic, period=YEAR).set_index("channel")
    assert set(plans.index) == set(SPENT)
    assert plans["design"].to_dict() == {name: "visitors" if name == "Display" else "weeks" for name in SPENT}
    assert plans.loc["Display", "is_useful"]
    (test,) = [each for each in truth["experiments"] if each["experiment_id"] == "exp-no-retargeting"]
    arms = (
        tables["experiments"]
        .filter(lambda t: t["experiment_id"] == "exp-no-retargeting")
        .select("unit_id", "variant", "assigned_at")
    )
    later = demo_visits().join(arms, demo_visits()["visitor_id"] == arms["unit_id"])
    later = later.filter(
        (later["started_at"] >= later["assigned_at"]) & (later["started_on"] <= date.fromisoformat(test["ends"]))
    )
    people = later.group_by("unit_id", "variant").aggregate(bought=(later["n_orders"] > 0).ifelse(1, 0).max())
    sides = engine.grouped(people, "variant", n=people.count(), share=people["bought"].mean()).set_index("variant")
    error = np.sqrt((sides["share"] * (1 - sides["share"]) / sides["n"]).sum())
    assert abs(sides["share"].diff().iloc[-1]) < 2.58 * error, "the planted effect is none"
