"""The queries that an expert in DuckDB would write by hand, by case of `benchmarks.speed`."""

from __future__ import annotations

from collections.abc import Mapping

_PAID = "COALESCE(status, 'paid') = 'paid'"


def _scores(name: str, start: str, end: str) -> str:
    """Common table expressions of RFM scores and segments of one stretch of time: ``<name>`` is the last."""
    return f"""
        {name}_orders AS (
            SELECT customer_id, order_id, max(ordered_on) AS last_on, sum(revenue_amount) AS revenue FROM order_lines
            WHERE {_PAID} AND customer_id IS NOT NULL AND ordered_on BETWEEN DATE '{start}' AND DATE '{end}' GROUP BY 1, 2),
        {name}_customers AS (
            SELECT customer_id, max(last_on) AS last_on, count(*) AS n_orders, sum(revenue) AS revenue
            FROM {name}_orders GROUP BY 1),
        {name}_scored AS (
            SELECT customer_id, DATE '{end}' - last_on AS recency_days, n_orders, revenue::DOUBLE AS revenue_amount,
                   least(floor(percent_rank() OVER (ORDER BY last_on) * 5)::BIGINT + 1, 5) AS r_score,
                   least(floor(percent_rank() OVER (ORDER BY n_orders) * 5)::BIGINT + 1, 5) AS f_score,
                   least(floor(percent_rank() OVER (ORDER BY revenue) * 5)::BIGINT + 1, 5) AS m_score
            FROM {name}_customers),
        {name} AS (
            SELECT *, CASE WHEN r_score >= 4 AND f_score >= 4 THEN 'champions'
                           WHEN r_score >= 4 AND n_orders = 1 THEN 'new'
                           WHEN r_score >= 4 THEN 'promising'
                           WHEN r_score = 3 AND f_score >= 4 THEN 'loyal'
                           WHEN r_score = 3 THEN 'cooling'
                           WHEN f_score >= 4 THEN 'at risk' ELSE 'hibernating' END AS segment
            FROM {name}_scored)"""


SQL: Mapping[str, str] = {
    "RFM": f"WITH {_scores('scores', '{first}', '{as_of}')} SELECT * FROM scores",
    "value tiers": f"""
        WITH c AS (
            SELECT customer_id, sum(revenue_amount) AS revenue, greatest(sum(revenue_amount), 0) AS gain FROM order_lines
            WHERE {_PAID} AND customer_id IS NOT NULL AND ordered_on <= DATE '{{as_of}}' GROUP BY 1),
        r AS (SELECT customer_id, revenue, gain, sum(gain) OVER (ORDER BY revenue DESC) AS running,
                     nullif((SELECT sum(gain) FROM c)::DOUBLE, 0) AS whole FROM c)
        SELECT customer_id, revenue::DOUBLE AS revenue_amount, gain::DOUBLE / whole AS revenue_share,
               running::DOUBLE / whole AS cumulative_share,
               CASE WHEN revenue <= 0 THEN 'zero'
                    WHEN (running - gain)::DOUBLE / whole < 0.5 THEN 'heavy'
                    WHEN (running - gain)::DOUBLE / whole < 0.8 THEN 'medium' ELSE 'light' END AS tier
        FROM r""",
    "cohorts": f"""
        WITH p AS (
            SELECT customer_id, date_trunc('month', ordered_on)::DATE AS period_start, sum(revenue_amount) AS amount
            FROM order_lines
            WHERE {_PAID} AND customer_id IS NOT NULL AND ordered_on BETWEEN DATE '{{first}}' AND DATE '{{as_of}}' GROUP BY 1, 2),
        c AS (SELECT *, min(period_start) OVER (PARTITION BY customer_id) AS cohort FROM p)
        SELECT cohort, period_start, count(*)::DOUBLE AS n_active, sum(amount)::DOUBLE AS revenue_amount
        FROM c GROUP BY 1, 2 ORDER BY 1, 2""",
    "co-purchase": f"""
        WITH u AS (SELECT DISTINCT order_id, product_id FROM order_lines WHERE {_PAID} AND product_id IS NOT NULL),
        n AS (SELECT count(DISTINCT order_id) AS n FROM u),
        o AS (SELECT product_id, count(*) AS c, row_number() OVER (ORDER BY product_id)::INTEGER AS k
              FROM u GROUP BY 1 HAVING count(*) >= {{min_support}} * (SELECT n FROM n)),
        f AS (SELECT order_id, k FROM u JOIN o USING (product_id)),
        p AS (SELECT a.k AS x, b.k AS y, count(*) AS n_both
              FROM f AS a JOIN f AS b ON a.order_id = b.order_id AND a.k < b.k
              GROUP BY 1, 2 HAVING count(*) >= {{min_support}} * (SELECT n FROM n))
        SELECT a.product_id AS item_a, b.product_id AS item_b, n_both, a.c AS n_a, b.c AS n_b, n AS n_orders,
               n_both / n AS support_share, n_both / a.c AS confidence_share, n_both / b.c AS reverse_confidence_share,
               n_both::DOUBLE * n / (a.c::DOUBLE * b.c) AS lift
        FROM p JOIN o AS a ON a.k = x JOIN o AS b ON b.k = y CROSS JOIN n""",
    "migration": f"""
        WITH {_scores("a", "{before}", "{middle}")}, {_scores("b", "{after}", "{end}")},
        j AS (SELECT coalesce(a.segment, 'not a customer') AS segment_before, coalesce(b.segment, 'not a customer') AS segment_after,
                     a.revenue_amount AS revenue_before, b.revenue_amount AS revenue_after
              FROM (SELECT customer_id, segment, revenue_amount FROM a) AS a
              FULL JOIN (SELECT customer_id, segment, revenue_amount FROM b) AS b USING (customer_id))
        SELECT segment_before, segment_after, count(*) AS n_customers, coalesce(sum(revenue_before), 0) AS revenue_before,
               coalesce(sum(revenue_after), 0) AS revenue_after
        FROM j GROUP BY 1, 2 ORDER BY 1, 3 DESC, 2""",
    "ABC-XYZ": f"""
        WITH p AS (
            SELECT product_id, date_trunc('month', ordered_on)::DATE AS piece, sum(quantity)::DOUBLE AS units,
                   sum(revenue_amount) FILTER (ordered_on >= DATE '{{start}}') AS amount
            FROM order_lines WHERE {_PAID} AND ordered_on <= DATE '{{end}}' GROUP BY 1, 2),
        f AS (SELECT *, min(piece) OVER (PARTITION BY product_id) AS first FROM p),
        t AS (
            SELECT product_id, first, sum(amount) AS amount, greatest(sum(amount), 0) AS gain,
                   coalesce(sum(units) FILTER (piece IN ({{full}}) AND (piece > first OR first <= DATE '{{first_full}}')), 0) AS demand,
                   coalesce(sum(units * units) FILTER (piece IN ({{full}}) AND (piece > first OR first <= DATE '{{first_full}}')), 0) AS squares,
                   CASE WHEN first <= DATE '{{first_full}}' THEN {{n_full}}
                        ELSE len(list_filter([{{full}}], lambda d: d > first)) END AS n_pieces
            FROM f GROUP BY 1, 2 HAVING sum(amount) IS NOT NULL),
        r AS (
            SELECT *, sum(gain) OVER (ORDER BY amount DESC) AS running, nullif((SELECT sum(gain) FROM t)::DOUBLE, 0) AS whole,
                   demand / nullif(n_pieces, 0) AS demand_mean,
                   sqrt(greatest(squares / nullif(n_pieces, 0) - (demand / nullif(n_pieces, 0)) ^ 2, 0))
                       / nullif(demand / nullif(n_pieces, 0), 0) AS demand_variation
            FROM t),
        c AS (
            SELECT *, CASE WHEN amount <= 0 THEN 'C' WHEN (running - gain)::DOUBLE / whole < 0.8 THEN 'A'
                           WHEN (running - gain)::DOUBLE / whole < 0.95 THEN 'B' ELSE 'C' END AS abc_class,
                   CASE WHEN n_pieces < 3 THEN 'N' WHEN demand_variation <= 0.5 THEN 'X'
                        WHEN demand_variation <= 1 THEN 'Y' ELSE 'Z' END AS xyz_class
            FROM r)
        SELECT product_id, amount::DOUBLE AS revenue_amount, gain::DOUBLE / whole AS revenue_share,
               running::DOUBLE / whole AS cumulative_share, abc_class, n_pieces, demand_mean, demand_variation, xyz_class,
               abc_class || xyz_class AS cell
        FROM c""",
}  # fmt: skip
"""{as_of}, {start} and the like are dates, {full} the first days of whole months, {min_support} a share."""
