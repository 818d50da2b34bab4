"""Planted effects of tests, roll-outs, releases and promotions can be found, and none where none is planted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from opslib.simulate.config import preset
from opslib.simulate.simulation import simulate_shop

from .conftest import open_simulated

SIGMAS = 3.3  # two-sided chance of 1 in 1,000 a check, with a fixed seed


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    """The demo shop, if nothing had worked."""
    return open_simulated(simulate_shop(tmp_path_factory.mktemp("quiet"), config=preset("demo", effect_scale=0.0)))


def _arms(shop, test, epoch_sql="0"):
    """n and buyers of each arm (and epoch): visitors of the log, with an order in the window."""
    return shop.rows(f"""
        with log as (select unit_id, variant, assigned_at from experiments where experiment_id = '{test["experiment_id"]}'),
        buyers as (select distinct s.visitor_id from order_lines join sessions s using (session_id)
            where ordered_at >= timestamp '{test["starts"]}' - interval 1 hour and ordered_at < timestamp '{test["ends"]}')
        select {epoch_sql} as epoch, count(*) filter (variant = 'control') as n0, count(*) filter (variant = 'treatment') as n1,
            count(visitor_id) filter (variant = 'control') as x0, count(visitor_id) filter (variant = 'treatment') as x1
        from log left join buyers on visitor_id = unit_id group by 1 order by 1""")


def _lift(row):
    """Relative difference of two shares and its standard error (delta method)."""
    p0, p1 = row["x0"] / row["n0"], row["x1"] / row["n1"]
    error = np.sqrt(p1 * (1 - p1) / row["n1"] + (p1 / p0) ** 2 * p0 * (1 - p0) / row["n0"]) / p0
    return p1 / p0 - 1, error


def _site_tests(shop):
    return [
        test
        for test in shop.truth["experiments"]
        if test["metric"] == "conversion" and not test["is_lossy"] and len(test["epochs"]) == 1
    ]


def test_conversion_tests(demo):
    tests = _site_tests(demo)
    assert len(tests) >= 5
    for test in tests:
        lift, error = _lift(_arms(demo, test).iloc[0])
        assert lift == pytest.approx(test["visitor_effect"], abs=SIGMAS * error), test["experiment_id"]


def test_nothing_is_found_where_nothing_worked(quiet):
    scores = [lift / error for lift, error in (_lift(_arms(quiet, test).iloc[0]) for test in _site_tests(quiet))]
    assert max(np.abs(scores)) < SIGMAS
    assert all(test["visitor_effect"] == 0 for test in _site_tests(quiet))


def test_sample_ratio_is_broken_in_one_test_only(demo):
    for test in demo.truth["experiments"]:
        if test["unit"] == "visitor" and len(test["epochs"]) == 1:
            row = _arms(demo, test).iloc[0]
            p = stats.binomtest(int(row["n1"]), int(row["n0"] + row["n1"])).pvalue
            assert (p < 0.001) == test["is_lossy"], test["experiment_id"]


def _clickers(shop, test, epoch_sql="0"):
    """The same of visitors who clicked a result of the site's search."""
    return shop.rows(f"""
        with log as (select unit_id, variant, assigned_at from experiments where experiment_id = '{test["experiment_id"]}'),
        clickers as (select distinct visitor_id from searches join sessions using (session_id) where clicked_product_id is not null
            and searched_at >= timestamp '{test["starts"]}' - interval 1 hour and searched_at < timestamp '{test["ends"]}')
        select {epoch_sql} as epoch, count(*) filter (variant = 'control') as n0, count(*) filter (variant = 'treatment') as n1,
            count(visitor_id) filter (variant = 'control') as x0, count(visitor_id) filter (variant = 'treatment') as x1
        from log left join clickers on visitor_id = unit_id group by 1 order by 1""")


def test_the_ramp_deceives_when_pooled_and_not_when_stratified(demo):
    test = next(test for test in demo.truth["experiments"] if len(test["epochs"]) == 3)
    _, second, third = (epoch["from"] for epoch in test["epochs"])
    case = f"case when assigned_at < timestamp '{second}' - interval 1 hour then 0 when assigned_at < timestamp '{third}' - interval 1 hour then 1 else 2 end"
    epochs, pooled = _clickers(demo, test, case), _clickers(demo, test).iloc[0]
    assert [round(row["n1"] / (row["n0"] + row["n1"]), 1) for _, row in epochs.iterrows()] == [0.0, 0.1, 0.5]
    lifts = [_lift(row) for _, row in epochs.iloc[1:].iterrows()]
    weights = np.array([1 / error**2 for _, error in lifts])
    stratified, error = (
        sum(w * lift for w, (lift, _) in zip(weights, lifts, strict=True)) / weights.sum(),
        1 / np.sqrt(weights.sum()),
    )
    assert stratified == pytest.approx(test["effect"], abs=SIGMAS * error)
    assert stratified > 2 * error
    assert _lift(pooled)[0] < stratified - error


def test_the_bundle_makes_orders_longer(demo):
    test = next(test for test in demo.truth["experiments"] if test["metric"] == "order_lines")
    rows = demo.rows(f"""
        select variant, count(*) as n, avg(lines) as mean, var_samp(lines) as variance from (
            select any_value(e.variant) as variant, count(*) as lines from order_lines join sessions s using (session_id)
            join experiments e on e.unit_id = s.visitor_id and e.experiment_id = '{test["experiment_id"]}'
            where ordered_at >= timestamp '{test["starts"]}' and ordered_at < timestamp '{test["ends"]}' group by order_id) group by 1 order by 1""")
    control, treated = rows.iloc[0], rows.iloc[1]
    lift = treated["mean"] / control["mean"] - 1
    # Orders of one visitor are alike: the standard error of independent orders is widened by a third.
    error = 1.33 * np.sqrt(treated["variance"] / treated["n"] + control["variance"] / control["n"]) / control["mean"]
    assert lift == pytest.approx(test["effect"], abs=SIGMAS * error)
    assert lift > 2 * error


def test_mail_tests_have_the_verdicts_they_are_meant_for(demo):
    for test in demo.truth["experiments"]:
        if test["metric"] == "visited":
            row = demo.rows(f"""
                select count(*) filter (variant = 'control') as n0, count(*) filter (variant = 'treatment') as n1,
                    sum(value) filter (variant = 'control') as x0, sum(value) filter (variant = 'treatment') as x1
                from experiments e join unit_outcomes o using (unit_id) where experiment_id = '{test["experiment_id"]}'
                and o.unit = 'visitor' and o.date = date '{test["ends"]}' - 1""").iloc[0]
            lift, error = _lift(row)
            low, high = lift - 1.96 * error, lift + 1.96 * error
            verdict = (
                "confirmed"
                if low >= test["promise"]
                else ("partly" if low > 0 else "refuted")
                if high < test["promise"]
                else "other"
            )
            assert verdict == test["meant_verdict"], test["experiment_id"]
            assert lift == pytest.approx(test["effect"], abs=SIGMAS * error)


OVERDISPERSION = 1.5  # orders of one customer come in clusters: Poisson errors are too small by about this


def _log_ratio(shop, *, of: str, treated: str, after: str, within: str = "true"):
    """Log of (treated after / before) over (others after / before) of a count, and its Poisson standard error."""
    counts = shop.connection.sql(f"""
        select count(distinct id) filter (t and a), count(distinct id) filter (t and not a), count(distinct id) filter (not t and a),
            count(distinct id) filter (not t and not a)
        from (select id, {treated} as t, {after} as a from ({of}) where {within})""").fetchone()
    return np.log(counts[0] * counts[3] / (counts[1] * counts[2])), np.sqrt(sum(1 / each for each in counts))


ORDERS = "select *, order_id as id, ordered_at as moment from order_lines"
BUYING = "select *, session_id as id, started_at as moment from sessions where session_id in (select session_id from order_lines)"
VISITS = "select *, session_id as id, started_at as moment from sessions"


def _conversion_log_ratio(shop, **choice):
    """The same of conversion: of buying visits less that of all visits."""
    buying, error = _log_ratio(shop, of=BUYING, **choice)
    return buying - _log_ratio(shop, of=VISITS, **choice)[0], error


@pytest.mark.parametrize("number", [0, 1])
def test_roll_outs(demo, number):
    roll = demo.truth["rollouts"][number]
    column, within = ("store", "store <> 'web'") if roll["unit"] == "store" else ("country", "store = 'web'")
    found, error = _log_ratio(
        demo, of=ORDERS, within=within, after=f"moment >= timestamp '{roll['starts']}'",
        treated=f"{column} in ({', '.join(repr(name) for name in roll['treated'])})",
    )  # fmt: skip
    assert found > 2 * error
    assert found == pytest.approx(np.log1p(roll["effect"]), abs=SIGMAS * OVERDISPERSION * error)


def test_store_test(demo):
    test = next(test for test in demo.truth["experiments"] if test["unit"] == "store")
    found, error = _log_ratio(
        demo, of=ORDERS, within=f"store <> 'web' and moment < timestamp '{test['ends']}'",
        after=f"moment >= timestamp '{test['starts']}'", treated=f"store in ({', '.join(repr(name) for name in test['treated'])})",
    )  # fmt: skip
    assert found == pytest.approx(np.log1p(test["effect"]), abs=SIGMAS * OVERDISPERSION * error)
    assert error < 0.1


@pytest.mark.parametrize(
    ("change", "treated"),
    [("chg-mobile-release", "device = 'mobile'"), ("chg-navigation", "device = 'desktop'"), ("chg-guides", "landing_page like '/guides/%'")],
)  # fmt: skip
def test_releases(demo, change, treated):
    truth = next(each for each in demo.truth["changes"] if each["change_id"] == change)
    ends = f"and moment < timestamp '{truth['ends']}'" if truth["ends"] else ""
    mobile, navigation, form = (
        next(each for each in demo.truth["changes"] if each["change_id"] == name)
        for name in ("chg-mobile-release", "chg-navigation", "chg-address-form")
    )
    sound = f"(moment < timestamp '{form['starts']}' or moment >= timestamp '{form['ends']}')"
    other = {  # each apart from the other releases on devices
        "chg-mobile-release": f"{sound} and not (moment >= timestamp '{navigation['starts']}' and moment < timestamp '{navigation['ends']}')",
        "chg-navigation": f"moment >= timestamp '{mobile['starts']}'",
        "chg-guides": "landing_page <> '/guides/caring-for-linen'",
    }
    found, error = _conversion_log_ratio(
        demo,
        treated=treated,
        after=f"moment >= timestamp '{truth['starts']}'",
        within=f"({other.get(change, 'true')}) {ends}",
    )
    assert found == pytest.approx(np.log1p(truth["effect"]), abs=SIGMAS * error), change
    assert np.sign(found) == np.sign(truth["effect"])
    assert abs(found) > 1.5 * error


def test_outage(demo):
    truth = next(each for each in demo.truth["changes"] if each["kind"] == "outage")
    inside = f"started_at >= timestamp '{truth['starts']}' - interval 1 hour and started_at < timestamp '{truth['ends']}' - interval 1 hour"
    near = f"started_at >= timestamp '{truth['starts']}' - interval 29 days and started_at < timestamp '{truth['ends']}' + interval 28 days"
    row = demo.rows(f"""
        select count(*) filter ({inside}) as n1, count(*) filter (not ({inside})) as n0, count(o.session_id) filter ({inside}) as x1,
            count(o.session_id) filter (not ({inside})) as x0
        from sessions left join (select distinct session_id from order_lines) o using (session_id) where {near}""").iloc[
        0
    ]
    lift, error = _lift(row)
    assert lift == pytest.approx(truth["effect"], abs=SIGMAS * error)
    cases = demo.rows(f"""select count(*) filter (topic = 'payment') / count(*) as share from tickets
        where opened_at >= timestamp '{truth["starts"]}' - interval 1 hour and opened_at < timestamp '{truth["ends"]}'""")
    usual = demo.value("select count(*) filter (topic = 'payment') / count(*) from tickets")
    assert cases["share"].iloc[0] > 3 * usual


def test_promotions_and_what_they_borrow(demo):
    """Lines of the categories against those of all others, in the promotion (or the two weeks after) and eight weeks around."""
    lines = "select order_id || line_id as id, ordered_at as moment, category from order_lines join products using (product_id)"
    uplifts, dips = [], []
    for truth in demo.truth["promotions"]:
        names = ", ".join(f"'{name}'" for name in truth["categories"])
        clock = {"starts": truth["starts"], "ends": truth["ends"]}
        inside = "moment >= timestamp '{starts}' and moment < timestamp '{ends}'".format(**clock)
        following = "moment >= timestamp '{ends}' and moment < timestamp '{ends}' + interval 14 days".format(**clock)
        near = "moment >= timestamp '{starts}' - interval 28 days and moment < timestamp '{ends}' + interval 42 days".format(
            **clock
        )
        uplifts.append(
            (
                *_log_ratio(
                    demo,
                    of=lines,
                    treated=f"category in ({names})",
                    after=inside,
                    within=f"{near} and not ({following})",
                ),
                truth["demand"],
            )
        )
        dips.append(
            _log_ratio(
                demo, of=lines, treated=f"category in ({names})", after=following, within=f"{near} and not ({inside})"
            )
        )
    weights = np.array([1 / error**2 for _, error, _ in uplifts])
    found = sum(w * value for w, (value, _, _) in zip(weights, uplifts, strict=True)) / weights.sum()
    planted = sum(w * np.log1p(effect) for w, (_, _, effect) in zip(weights, uplifts, strict=True)) / weights.sum()
    # Bargain hunters come for the sale and buy other things, too: the contrast shows two thirds of the uplift or more.
    assert 0.6 * planted < found < 1.2 * planted
    assert np.mean([value for value, _ in dips]) < -0.05


def test_totals_of_the_tests_are_those_of_their_visitors(demo):
    test = _site_tests(demo)[0]
    row = _arms(demo, test).iloc[0]
    summary = demo.rows(f"""
        select variant, n, mean from experiment_summaries where experiment_id = '{test["experiment_id"]}' and metric = 'conversion'
        and observed_at = (select max(observed_at) from experiment_summaries where experiment_id = '{test["experiment_id"]}') order by 1""")
    assert list(summary["n"]) == [row["n0"], row["n1"]]
    assert list(summary["mean"]) == pytest.approx(
        [row["x0"] / row["n0"], row["x1"] / row["n1"]], abs=0.002
    )  # a changed clock
