"""What is planted can be found: simple oracles on the demo shop, with the true parameters as yardstick.

Each oracle reads only the tables (and the labels that the test is about); tolerances are in standard errors of the
oracle's own estimate where it has one, else named with their reason.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyfixest as pf
import pytest
import statsmodels.api as sm
from scipy import stats
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import adjusted_rand_score

from opslib.simulate import planted
from opslib.simulate.config import preset
from opslib.simulate.simulation import new_simulator, simulate_shop

from .conftest import open_simulated

SIGMAS = 3.3  # two-sided chance of 1 in 1,000 a check, with a fixed seed


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    """A shop in which nothing worked: no effect of any release, test or roll-out, no promotion, no nuisance."""
    config = preset(
        "demo", effect_scale=0.0, promotions=False, ar=0.0, shock_sd=0.0, level_break=0.0, missing_days=0, trend=0.0
    )
    return open_simulated(simulate_shop(tmp_path_factory.mktemp("quiet"), config=config))


def test_customer_types_by_what_and_how_they_buy(demo):
    rows = demo.rows("""
        select l.customer_id, t.customer_type, count(distinct order_id) as n_orders, count(*) as n_lines, avg(quantity)::double as units,
            avg((discount_amount > 0)::int) as discounted, avg(ln(unit_price)) as log_price,
            sum(quantity * unit_price - discount_amount)::double as revenue
        from order_lines l join truth_customers t using (customer_id) where status = 'paid' group by all""")
    counts = (
        demo.rows("""
        select customer_id, category, count(*) as n from order_lines join products using (product_id) where status = 'paid'
        and customer_id is not null group by all""")
        .pivot(index="customer_id", columns="category", values="n")
        .fillna(0)
    )
    rows = rows[rows["n_lines"] >= 10].set_index("customer_id")
    share = counts.loc[rows.index].add(0.3)
    share = np.log(share.div(share.sum(axis=1), axis=0))
    features = np.column_stack(
        [
            share,
            np.log(rows[["n_orders", "units", "revenue"]]),
            rows[["discounted", "log_price"]],
            np.log(rows["n_lines"] / rows["n_orders"]),
        ]
    )
    found = LinearDiscriminantAnalysis().fit(features, rows["customer_type"]).predict(features)
    assert adjusted_rand_score(rows["customer_type"], found) > 0.5


def test_order_rates_and_dropout(quiet):
    """Expected repeat orders of a customer active at rate r with dropout p over w weeks: (1 - exp(-r p w)) / p."""
    rows = quiet.rows(f"""
        select t.customer_type, t.orders_a_week as r, t.dropout_probability as p, count(distinct order_id) - 1 as n,
            epoch(timestamp '{quiet.truth["shop"]["end"]} 23:59:59' - min(ordered_at)) / 604800 as w
        from customers c join order_lines using (customer_id) join truth_customers t using (customer_id)
        where first_seen_at >= '{quiet.truth["shop"]["start"]}' group by t.customer_type, t.orders_a_week, t.dropout_probability, customer_id""")
    rows["expected"] = (1 - np.exp(-rows["r"] * rows["p"] * rows["w"])) / rows["p"].clip(1e-6)
    # Given r and p the count is more spread than Poisson; twice its standard deviation covers it. The season moves the
    # running time of the last weeks: 5 % of the total is allowed for it.
    error = 2 * np.sqrt(rows["expected"].sum()) + 0.05 * rows["expected"].sum()
    assert rows["n"].sum() == pytest.approx(rows["expected"].sum(), abs=error)
    by_type = rows.groupby("customer_type")[["n", "expected"]].sum()
    assert stats.spearmanr(by_type["n"], by_type["expected"]).statistic > 0.85
    means = {kind["name"]: kind["r"] / kind["alpha_weeks"] for kind in quiet.truth["segments"]["types"]}
    for name, group in quiet.rows("from truth_customers").groupby("customer_type"):
        assert group["orders_a_week"].mean() == pytest.approx(
            means[name], abs=SIGMAS * group["orders_a_week"].std() / np.sqrt(len(group))
        )


def _weekly_units(shop):
    """Lines sold (as elastic as units, and less spread), a product, week and price on the shelf."""
    return shop.rows(f"""
        with days as (select p.product_id, p.category, s.date, h.price, (s.date - date '{shop.truth["shop"]["start"]}') // 7 as week
            from stock_levels s join products p using (product_id) join price_history h on h.product_id = s.product_id
            and s.date >= h.valid_from and (h.valid_to is null or s.date <= h.valid_to) where n_on_hand > 0),
        sold as (select product_id, ordered_at::date as date, count(*) as units from order_lines group by all)
        select product_id, category, week, avg(ln(price::double)) as log_price, count(*) as days, coalesce(sum(units), 0) as units
        from days left join sold using (product_id, date) group by product_id, category, week, price""")


def test_price_elasticities_where_prices_moved_at_random(demo):
    weekly = _weekly_units(demo)
    for name, truth in demo.truth["elasticities"]["categories"].items():
        rows = weekly[weekly["category"] == name].assign(offset=lambda frame: np.log(frame["days"]))
        fit = pf.fepois(
            "units ~ log_price | product_id + week", data=rows, offset="offset", vcov={"CRV1": "product_id"}
        )
        estimate, error = fit.coef()["log_price"], fit.se()["log_price"]
        assert truth["is_confounded"] or error < 0.3, name
        assert estimate == pytest.approx(truth["elasticity"], abs=SIGMAS * error), name


def test_confounded_prices_deceive_a_regression_without_the_weeks(demo):
    weekly = _weekly_units(demo)
    for name, truth in demo.truth["elasticities"]["categories"].items():
        if truth["is_confounded"]:
            rows = weekly[weekly["category"] == name].assign(offset=lambda frame: np.log(frame["days"]))
            fit = pf.fepois("units ~ log_price | product_id", data=rows, offset="offset", vcov={"CRV1": "product_id"})
            assert fit.coef()["log_price"] > truth["elasticity"] + 0.5, name


def test_hedonic_prices(demo):
    rows = demo.rows("""
        select ln(reference_price) as y, attr_durability, attr_eco_score, ln(attr_size_cm) as attr_size_cm, category, brand
        from products join truth_products using (product_id)""")
    dummies = pd.get_dummies(rows[["category", "brand"]], drop_first=True, dtype=float)
    names = list(demo.truth["hedonic"]["coefficients"])
    fit = sm.OLS(rows["y"], sm.add_constant(pd.concat([rows[names], dummies], axis=1))).fit()
    for name, truth in demo.truth["hedonic"]["coefficients"].items():
        assert fit.params[name] == pytest.approx(truth, abs=SIGMAS * fit.bse[name]), name


def test_perceptual_map_by_correspondence_analysis(demo):
    planted = demo.truth["perceptual_map"]
    reviews = demo.rows("select brand, text from reviews join products using (product_id)")
    table = pd.DataFrame({
        theme: reviews["text"].str.contains("|".join([*phrases["praise"], *phrases["complaint"]]), regex=True).groupby(reviews["brand"]).sum()
        for theme, phrases in planted["theme_phrases"].items()
    })  # fmt: skip
    share = table.to_numpy(dtype=float) / table.to_numpy().sum()
    rows, columns = share.sum(axis=1, keepdims=True), share.sum(axis=0, keepdims=True)
    left, values, _ = np.linalg.svd((share - rows @ columns) / np.sqrt(rows @ columns))
    found = (left[:, :2] * values[:2]) / np.sqrt(rows)
    truth = np.array([planted["brands"][name] for name in table.index])
    from scipy.spatial import procrustes

    _, _, disparity = procrustes(truth, found)
    assert disparity < 0.2  # 0 is the same shape, 1 none in common; the map of the true shares alone gives about 0.05


def test_substitutes_are_looked_at_together(demo):
    same, chance = demo.connection.sql("""
        with views as (select distinct session_id, product_id, substitute_group as g from events join truth_products using (product_id)
            where event_name = 'view_item'),
        pairs as (select a.g = b.g as same from views a join views b on a.session_id = b.session_id and a.product_id < b.product_id)
        select avg(same::int), 3.0 / (select count(*) from products) from pairs""").fetchone()
    assert same > 10 * float(chance)


def test_complements_are_bought_together(demo):
    for pair in demo.truth["market_structure"]["complements"]:
        n, hits, base = demo.connection.sql(f"""
            with orders as (select order_id, bool_or(product_id = '{pair["product_id"]}') as has, bool_or(product_id = '{pair["with"]}') as other
                from order_lines group by 1) select count(*) filter (has), count(*) filter (has and other),
                count(*) filter (other and not has) / count(*) filter (not has) from orders""").fetchone()
        # Short stock-outs of the partner and baskets with it anyway: within 5 points beyond chance.
        assert hits / n == pytest.approx(pair["probability"] + base, abs=0.05 + SIGMAS * np.sqrt(0.21 / n))


def test_a_launch_takes_from_its_group(demo):
    shop, ratios = demo, []
    for launch in shop.truth["market_structure"]["cannibals"]:
        before, after = shop.connection.sql(f"""
            with sold as (select ordered_at < '{launch["launched_at"]}' as before, (substitute_group = {launch["substitute_group"]}) as same,
                count(*)::double as n from order_lines join truth_products using (product_id)
                where product_id <> '{launch["product_id"]}' group by all)
            select sum(n) filter (same and before) / sum(n) filter (not same and before),
                sum(n) filter (same and not before) / sum(n) filter (not same and not before) from sold""").fetchone()
        ratios.append(after / before)
    truth = 1 - demo.truth["market_structure"]["cannibals"][0]["taken_share"]
    assert np.exp(np.mean(np.log(ratios))) == pytest.approx(
        truth, abs=0.25
    )  # prices and stock-outs of few products move too


def test_competitors_price_index_and_matches(demo):
    index = demo.rows("""
        select competitor, median(ln(c.price::double) - ln(reference_price)) as gap, count(distinct product_id) as n
        from competitor_prices c join truth_products using (product_id) group by 1""").set_index("competitor")
    for name, truth in demo.truth["competitors"]["index"].items():
        error = 1.25 * np.hypot(0.08, 0.05) / np.sqrt(index.loc[name, "n"])  # of a median of items
        assert index.loc[name, "gap"] == pytest.approx(np.log(truth), abs=SIGMAS * error)
    wrong = demo.value("""
        select count(*) from truth_matches m join competitor_products c using (competitor, competitor_product_id)
        join products p using (product_id) where c.brand <> p.brand or not contains(lower(c.name), lower(split_part(p.name, ' ', 1)))""")
    assert wrong == 0


def test_unmet_demand_by_theme(demo):
    total = demo.value("select count(*) from searches")
    for name, theme in demo.truth["unmet_demand"]["themes"].items():
        found = demo.value(f"select count(*) from searches where n_results = 0 and query in {tuple(theme['queries'])}")
        assert found == theme["n_searches"], name
        asked = demo.value(f"select count(*) from searches where query in {tuple(theme['queries'])}")
        assert asked / total == pytest.approx(theme["share"], abs=SIGMAS * np.sqrt(theme["share"] / total)), name
        if "solved_from" not in theme:
            assert found == asked, name


def test_a_need_is_answered_by_new_products(demo):
    (theme,) = (each for each in demo.truth["unmet_demand"]["themes"].values() if "solved_from" in each)
    asked = f"from searches where query in {tuple(theme['queries'])}"
    after = f"searched_at >= timestamp '{theme['solved_from']}' - interval 1 hour"
    assert demo.value(f"select count(*) {asked} and {after} and n_results <> 4") == 0
    assert demo.value(f"select count(*) {asked} and not ({after}) and n_results > 0") == 0
    clicked = demo.rows(f"select distinct clicked_product_id as id {asked} and clicked_product_id is not null")
    assert set(clicked["id"]) == set(theme["solved_by"])
    names = demo.rows(
        f"select name, launched_at::varchar as day from products where product_id in {tuple(theme['solved_by'])}"
    )
    assert names["name"].str.contains("solar lantern").all()
    assert set(names["day"]) == {theme["solved_from"]}


def test_searches_that_find_nothing(demo):
    search = demo.truth["search"]
    for key, side in (("zero_result_share", "<"), ("zero_result_share_later", ">=")):
        total, zero = demo.connection.sql(f"""
            select count(*), count(*) filter (n_results = 0) from searches
            where searched_at {side} timestamp '{search["later_from"]}' - interval 1 hour""").fetchone()
        assert zero / total == pytest.approx(
            search[key], abs=SIGMAS * np.sqrt(search[key] * (1 - search[key]) / total)
        ), key


def test_funnel_of_visits_that_do_not_buy(demo):
    steps = ["view_item_list", "add_to_cart", "begin_checkout", "add_shipping_info", "add_payment_info"]
    row = demo.rows("""
        with visits as (select session_id, bool_or(event_name = 'purchase') as buys, """ + ", ".join(f"bool_or(event_name = '{step}') as {step}" for step in steps) + """
            from events group by 1 having not bool_or(event_name = 'refund')) select count(*) as visit, """ + ", ".join(f"count(*) filter ({step}) as {step}" for step in steps) + """
        from visits where not buys""").iloc[0]  # fmt: skip
    planted, lost = demo.truth["funnel"]["steps"], demo.truth["funnel"]["n_lost"]
    at_delivery, at_payment = (sum(lost[step].values()) for step in ("delivery", "payment"))
    row = row - at_payment  # those who wanted to buy and were lost on the way went through all steps before
    row[["visit", *steps[:3]]] -= at_delivery
    truth = {
        ("visit", "view_item_list"): planted["not_bounced"] * planted["list"],
        ("view_item_list", "add_to_cart"): planted["view_item"] * planted["add_to_cart"],
        ("add_to_cart", "begin_checkout"): planted["begin_checkout"],
        ("begin_checkout", "add_shipping_info"): planted["add_shipping_info"],
        ("add_shipping_info", "add_payment_info"): planted["add_payment_info"],
    }
    for (before, after), share in truth.items():
        assert row[after] / row[before] == pytest.approx(
            share, abs=SIGMAS * np.sqrt(share * (1 - share) / row[before])
        ), after


def test_paid_channels_bring_visits_and_retargeting_does_not(demo):
    daily = demo.rows("""
        with visits as (select started_at::date as date, count(*) as n from sessions group by 1)
        select date, n, s.* exclude (date) from visits join (pivot ad_spend on channel using sum(cost_amount)::double group by date) s using (date)""")
    names = ["paid_search", "paid_social", "affiliate", "retargeting"]
    month = pd.get_dummies(pd.to_datetime(daily["date"]).dt.strftime("%Y-%m"), drop_first=True, dtype=float)
    weekday = pd.get_dummies(pd.to_datetime(daily["date"]).dt.dayofweek, prefix="d", drop_first=True, dtype=float)
    design = sm.add_constant(pd.concat([daily[names] / daily[names].mean(), month, weekday], axis=1))
    fit = sm.OLS(daily["n"].astype(float), design).fit(cov_type="HAC", cov_kwds={"maxlags": 14})
    days = demo.truth["shop"]["config"]["days"]
    for name in names:
        # First visits of a mean day of spend; some come back, which adds up to a fifth.
        brought = demo.truth["channels"]["channels"][name]["n_people_brought"] / days
        assert fit.params[name] == pytest.approx(brought, abs=SIGMAS * fit.bse[name] + 0.2 * brought), name
    assert fit.params["paid_search"] > SIGMAS * fit.bse["paid_search"]


def test_traffic_follows_the_planted_days(demo):
    simulator = new_simulator(preset("demo"), demo.truth["shop"]["seed"])
    calendar = simulator.calendar
    expected = calendar.arrivals[:, :2].sum(axis=1) * demo.truth["shop"]["n_people"] * (1 - 0.028)
    first = demo.rows("""select started_at::date as date, count(*) as n from sessions where source in ('(direct)', 'findall') and medium <> 'cpc'
        and session_id like '%0000' group by 1 order by 1""")
    day = (pd.to_datetime(first["date"]) - pd.Timestamp(calendar.first_day)).dt.days.to_numpy()
    ratio = (first["n"] - expected[day]) / np.sqrt(expected[day])
    # People from before the warm-up add a few visits numbered 0; the spread is Poisson's.
    assert ratio.std() == pytest.approx(1.0, abs=0.15)
    assert abs(ratio.mean()) < 0.3
    assert np.corrcoef(calendar.shocks[day], np.log(first["n"] + 0.5))[0, 1] > 0.25


def test_returns_reasons_late_ones_and_faulty_products(demo):
    late, n = demo.connection.sql("""
        select count(*) filter (r.returned_at > l.ordered_at + interval 30 days + interval 1 second), count(*)
        from returns r join order_lines l using (order_id, product_id) where l.ordered_at < (select max(ordered_at) from order_lines) - interval 125 days""").fetchone()
    truth = demo.truth["nuisances"]["late_returns_share"]
    assert late / n == pytest.approx(truth, abs=SIGMAS * np.sqrt(truth / n))
    rates = demo.rows("""
        select l.product_id, count(r.return_id) / count(*) as share, count(*) as n, count(*) filter (reason = 'faulty') / count(*) as told from order_lines l
        left join returns r using (order_id, product_id) where status = 'paid' group by 1""").set_index("product_id")
    planted = demo.truth["faulty_products"]["product_ids"]
    enough = [name for name in planted if rates.loc[name, "n"] >= 30]
    assert len(enough) >= 3
    assert set(rates[rates["n"] >= 30].nlargest(len(enough), "told").index) == set(enough)
    pooled = (rates.loc[planted, "share"] * rates.loc[planted, "n"]).sum() / rates.loc[planted, "n"].sum()
    # Returns that come after the last day are missing: up to a tenth of them.
    assert pooled == pytest.approx(demo.truth["faulty_products"]["return_probability"], rel=0.15)


def test_stock_outs_overstock_losses_and_late_supplier(demo):
    planted = demo.truth["stock"]
    assert demo.value("select avg((n_on_hand = 0)::int) from stock_levels") == pytest.approx(
        planted["out_of_stock_share"], abs=1e-9
    )
    worst = demo.value(
        "select supplier from stock_levels join products using (product_id) group by 1 order by avg((n_on_hand = 0)::int) desc limit 1"
    )
    assert worst == planted["late_supplier"]
    # Each costs more than its reference price; what was paid moves with the prices of its category, the whole does not.
    losing = demo.rows(
        "select product_id from products join truth_products using (product_id) where cost > reference_price"
    )
    assert set(planted["below_cost"]) == set(losing["product_id"])
    cost, revenue = demo.connection.sql(f"""
        select sum(cost_amount)::double, sum(quantity * unit_price - discount_amount)::double from order_lines
        where product_id in {tuple(planted["below_cost"])}""").fetchone()
    assert cost > revenue
    cover = demo.rows("""
        select s.product_id, median(n_on_hand) / greatest(any_value(u.units) / 549.0, 0.01) as days from stock_levels s
        join (select product_id, sum(quantity)::double as units from order_lines group by 1) u using (product_id) where n_on_hand > 0 group by 1""")
    top = set(cover.nlargest(len(planted["overstocked"]), "days")["product_id"])
    assert len(top & set(planted["overstocked"])) >= 0.7 * len(planted["overstocked"])


def test_declining_products_decline(demo):
    ratio = demo.rows("""
        with cut as (select min(ordered_at) + (max(ordered_at) - min(ordered_at)) / 2 as middle from order_lines)
        select product_id, is_declining, (count(*) filter (ordered_at >= middle) + 1) / (count(*) filter (ordered_at < middle) + 1) as ratio, count(*) as n
        from order_lines join truth_products using (product_id) join products using (product_id), cut
        where launched_at < '2025-05-01' group by 1, 2 having count(*) >= 30""")
    falling = ratio[ratio["is_declining"]]["ratio"].median()
    assert falling < 0.6 * ratio[~ratio["is_declining"]]["ratio"].median()


def _twice(shop, sql):
    """Successes and trials before and after, as their log ratio and its standard error."""
    x0, n0, x1, n1 = (float(each) for each in shop.connection.sql(sql).fetchone())
    return np.log(x1 / n1 / (x0 / n0)), np.sqrt((1 - x0 / n0) / x0 + (1 - x1 / n1) / x1)


def _change(shop, change_id):
    return next(each for each in shop.truth["changes"] if each["change_id"] == change_id)


def test_a_step_breaks_on_phones_only(demo):
    truth = _change(demo, "chg-address-form")
    inside = f"occurred_at >= timestamp '{truth['starts']}' and occurred_at < timestamp '{truth['ends']}'"
    for device, effect in (("mobile", truth["effect"]), ("desktop", 0.0)):
        found, error = _twice(
            demo,
            f"""
            with visits as (select session_id, bool_or({inside}) as broken, bool_or(event_name = 'add_shipping_info') as through
                from events join sessions using (session_id) where device = '{device}' group by 1
                having bool_or(event_name = 'begin_checkout'))
            select count(*) filter (through and not broken), count(*) filter (not broken), count(*) filter (through and broken),
                count(*) filter (broken) from visits""",
        )
        # Visits that only look go through the step as before: an eighth of those that begin it.
        assert found == pytest.approx(np.log1p(effect), abs=SIGMAS * error + 0.125 * abs(effect)), device
    assert abs(found) < SIGMAS * error  # the desktop's


def test_a_guide_that_lost_its_links_sells_less(demo):
    truth = _change(demo, "chg-linen-guide")
    page = truth["scope"].removeprefix("page:")
    after, error = _twice(
        demo,
        f"""
        with visits as (select started_at >= timestamp '{truth["starts"]}' as late, session_id in (select session_id from events
            where event_name = 'purchase') as buys from sessions where landing_page = '{page}')
        select count(*) filter (buys and not late), count(*) filter (not late), count(*) filter (buys and late), count(*) filter (late)
        from visits""",
    )
    rest, other = _twice(
        demo,
        f"""
        with visits as (select started_at >= timestamp '{truth["starts"]}' as late, session_id in (select session_id from events
            where event_name = 'purchase') as buys from sessions where landing_page like '/guides/%' and landing_page <> '{page}')
        select count(*) filter (buys and not late), count(*) filter (not late), count(*) filter (buys and late), count(*) filter (late)
        from visits""",
    )
    assert after - rest == pytest.approx(np.log1p(truth["effect"]), abs=SIGMAS * np.hypot(error, other))
    assert after < 0


def test_a_new_guide_is_read_less_and_less(demo):
    truth = demo.truth["new_guide"]
    early = f"page = '{truth['page']}' and occurred_at < timestamp '{truth['published']}' - interval 1 hour"
    assert demo.value(f"select count(*) from events where {early}") == 0
    rows = demo.rows(f"""
        select (occurred_at::date - date '{truth["published"]}') // 30 as month, count(*) filter (page = '{truth["page"]}') as n,
            count(*) filter (page <> '{truth["page"]}') / 5 as other
        from events where page like '/guides/%' and event_name = 'page_view' and occurred_at::date >= '{truth["published"]}'
        group by 1 order by 1""").set_index("month")
    for month in (0, 1, 2, 4, 6):
        days = np.arange(30) + 30 * month
        truly = truth["rest"] + (truth["peak"] * 0.5 ** (days / truth["half_life_days"])).mean()
        row = rows.loc[month]
        assert row["n"] / row["other"] == pytest.approx(
            truly, abs=SIGMAS * truly * np.sqrt(1 / row["n"] + 1 / (5 * row["other"])) + 0.03
        )


def test_visits_rise_and_conversion_falls_when_the_social_campaign_doubles(demo):
    truth = _change(demo, "chg-social")
    source = "source = 'chatterly'"
    rows = demo.rows(f"""
        select started_at >= timestamp '{truth["starts"]}' as late, count(*) filter ({source}) as social, count(*) as n,
            count(*) filter (session_id in (select session_id from events where event_name = 'purchase')) as buys
        from sessions where started_at >= timestamp '{truth["starts"]}' - interval 60 days group by 1 order by 1""")
    (before, after), days = (rows.iloc[0], rows.iloc[1]), (60, 61)
    assert after["social"] / days[1] > 1.5 * before["social"] / days[0]
    assert after["n"] / days[1] > 1.1 * before["n"] / days[0]
    assert after["buys"] / after["n"] < before["buys"] / before["n"]
    cost = demo.rows(
        f"select date >= date '{truth['starts']}' as late, avg(cost_amount)::double as cost from ad_spend where channel = 'paid_social' group by 1 order by 1"
    )
    assert cost["cost"].iloc[1] > 1.5 * cost["cost"].iloc[0]


def test_a_supplier_sends_a_bad_batch(demo):
    truth = demo.truth["supplier_fault"]
    rows = demo.rows(f"""
        select supplier = '{truth["name"]}' as hit, l.ordered_at >= timestamp '{truth["starts"]}' and l.ordered_at < timestamp '{truth["ends"]}' as inside,
            count(*) as n, count(return_id) as back, count(*) filter (reason = '{truth["reason"]}') as told
        from order_lines l join products using (product_id) left join returns using (order_id, product_id)
        where status = 'paid' group by 1, 2""").set_index(["hit", "inside"])
    share = rows["back"] / rows["n"]
    bad, n = share[True, True], rows.loc[(True, True), "n"]
    # Those with a higher probability of their own keep it; a few come after the last day.
    assert bad == pytest.approx(truth["return_share"], abs=SIGMAS * np.sqrt(0.16 / n) + 0.02)
    assert max(share.drop((True, True))) < 0.5 * bad
    assert rows.loc[(True, True), "told"] / rows.loc[(True, True), "back"] > 0.6


def test_a_competitor_cuts_its_prices_and_takes_demand(demo):
    truth = demo.truth["competitor_cut"]
    own = demo.rows(f"""
        select category = '{truth["category"]}' as hit, ordered_at >= timestamp '{truth["starts"]}' as late, count(*) as n
        from order_lines join products using (product_id) where product_id not in (select product_id from products where launched_at >= '2025-05-01')
        group by 1, 2""").set_index(["hit", "late"])["n"]
    found = np.log(own[True, True] / own[True, False] / (own[False, True] / own[False, False]))
    # Prices, seasons and stock-outs of forty products move too.
    assert found == pytest.approx(np.log1p(truth["own_demand"]), abs=SIGMAS * np.sqrt((1 / own).sum()) + 0.1)
    prices = demo.rows(f"""
        select competitor = '{truth["competitor"]}' and category = '{truth["category"]}' as hit, observed_at >= timestamp '{truth["starts"]}' as late,
            avg(ln(c.price::double)) as level from competitor_prices c join products using (product_id) group by 1, 2""").set_index(
        ["hit", "late"]
    )["level"]
    assert prices[True, True] - prices[True, False] == pytest.approx(np.log1p(truth["price_change"]), abs=0.03)
    assert prices[False, True] - prices[False, False] == pytest.approx(0.0, abs=0.03)


def test_refunds_are_asked_for_on_the_site(demo):
    refunds, returned, money = demo.connection.sql("""
        select count(*) filter (e.order_id is not null), count(*), count(*) filter (e.value = r.refund_amount)
        from returns r join order_lines l using (order_id, product_id)
        left join events e on e.order_id = r.order_id and e.product_id = r.product_id and e.event_name = 'refund'
        where l.store = 'web'""").fetchone()
    share = demo.truth["refund_visits"]["share"]
    assert refunds / returned == pytest.approx(share, abs=SIGMAS * np.sqrt(share * (1 - share) / returned))
    assert money == refunds == demo.value("select count(*) from events where event_name = 'refund'")


def test_what_arrives_was_on_order_the_day_before(demo):
    """Stock that rises by more than was sold came from an order; read from the tables alone."""
    row = demo.rows("""
        with sold as (select product_id, ordered_at::date as date, sum(quantity) as n from order_lines group by 1, 2),
        days as (select product_id, date, n_on_hand, n_on_order, lead(n_on_hand) over (partition by product_id order by date) as following
            from stock_levels)
        select count(*) filter (following + coalesce(n, 0) - n_on_hand > n_on_order) as late, count(*) as n from days
        left join sold on sold.product_id = days.product_id and sold.date = days.date + 1 where following > n_on_hand""").iloc[
        0
    ]
    assert row["n"] > 1_000
    assert row["late"] < 0.01 * row["n"]  # the day in UTC and the local day differ for some sales
    assert demo.value("select avg((n_on_order > 0)::int) from stock_levels") < 0.7


def test_survey_answers(demo):
    truth = demo.truth["survey"]
    for question, said in truth["questions"].items():
        counts = demo.rows(
            f"select answer, count(*) as n from survey_answers where question = '{question}' group by 1"
        ).set_index("answer")["n"]
        assert counts.sum() == truth["n_respondents"]
        shares = np.array(list(said.values()))
        assert stats.chisquare(counts.reindex(said).fillna(0), shares / shares.sum() * counts.sum()).pvalue > 0.001


def test_banners_are_withheld_from_half_and_bring_nothing(demo):
    truth = next(test for test in demo.truth["experiments"] if test["experiment_id"] == "exp-no-retargeting")
    seen = demo.rows(f"""
        select variant, count(*) filter (source = 'bannerloop') as banner, count(*) as n from experiments join sessions on visitor_id = unit_id
        where experiment_id = '{truth["experiment_id"]}' and started_at >= timestamp '{truth["starts"]}' and started_at < timestamp '{truth["ends"]}' - interval 1 day
        group by 1 order by 1""").set_index("variant")
    assert seen.loc["control", "banner"] == 0
    assert seen.loc["treatment", "banner"] > 0.05 * seen.loc["treatment", "n"]
    assert truth["visitor_effect"] == 0.0


def test_shop_wide_effects_come_from_the_stated_base_rate():
    """The standard deviation of 1,000 drawn effects: 200 seeds of the five that are drawn."""
    drawn = [
        test.effect
        for seed in range(200)
        for test in new_simulator(preset("demo"), seed).calendar.experiments
        if test.experiment_id in {each.experiment_id for each in planted.SITE_EXPERIMENTS if each.is_drawn}
    ]
    assert len(drawn) == 1_000
    assert np.std(drawn) == pytest.approx(0.03, abs=SIGMAS * 0.03 / np.sqrt(2_000))
    assert np.mean(drawn) == pytest.approx(0.0, abs=SIGMAS * 0.03 / np.sqrt(1_000))
    assert stats.kstest(np.array(drawn) / 0.03, "norm").pvalue > 0.001


def test_business_customers_are_the_traders(demo):
    assert (
        demo.value("""select count(*) from customers join truth_customers using (customer_id)
        where (kind = 'business') <> (customer_type = 'trade')""")
        == 0
    )
    assert demo.value("select count(*) from customers where kind = 'business'") > 50
