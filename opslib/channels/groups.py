"""Visits with their channel: GA4's default channel groups from source, medium and campaign, and what was ordered in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ibis
import ibis.expr.types as ir

from opslib import engine
from opslib.metrics import METRICS, day_of, paid, require_table_columns, unit_values
from opslib.metrics.blocks import Table

#: Sites by kind, as the labels of their domains; GA4's own list is longer, and a shop adds what it lacks.
SITES: dict[str, tuple[str, ...]] = {
    "search": ("google", "bing", "yahoo", "duckduckgo", "ecosia", "baidu", "yandex", "naver", "qwant", "startpage", "seznam"),
    "social": ("facebook", "fb", "instagram", "ig", "twitter", "x[.]com", "linkedin", "pinterest", "reddit", "tiktok", "threads",
               "snapchat", "whatsapp", "quora", "tumblr", "vk", "weibo"),
    "video": ("youtube", "vimeo", "dailymotion", "twitch", "netflix", "hulu", "disneyplus"),
    "shopping": ("amazon", "ebay", "etsy", "alibaba", "aliexpress", "walmart", "shopify", "idealo", "pricerunner"),
}  # fmt: skip
_PAID = "^(.*cp.*|ppc|retargeting|paid.*)$"
_SHOP_CAMPAIGN = "^(.*(([^a-df-z]|^)shop|shopping).*)$"
_DISPLAY = ("display", "banner", "expandable", "interstitial", "cpm")
_SOCIAL = ("social", "social-network", "social-media", "sm", "social network", "social media")
_MAIL = ("email", "e-mail", "e_mail", "e mail")
UNKNOWN = "(not set)"


def channel_visits(
    sessions: Table,
    *,
    order_lines: Table | None = None,
    returns: Table | None = None,
    newcomers: Table | None = None,
    sites: Mapping[str, Sequence[str]] = SITES,
) -> ir.Table:
    """Visits with their channel, by the rules of GA4's default channel groups, and with what was ordered in them.

    Parameters
    ----------
    sessions : sessions
        session_id, started_at; visitor_id, source, medium, campaign are used where they are.
    order_lines : order_lines or None
        With session_id: what was ordered in a visit; nothing unless given.
    returns : returns or None
        What came back of it, which is no revenue kept.
    newcomers : table or None
        customer_id of those whose first order ever is in the data, as from `segmentation.newcomers`; every first order in
        the data is one unless given.
    sites : mapping of str to sequence of str
        Labels of domains of search, social, video and shopping sites.

    Returns
    -------
    ibis.Table
        One row a visit: session_id, visitor_id (the visit where unknown), started_at, started_on, source, medium, campaign
        (``(not set)`` where missing), channel, n_earlier (visits of the visitor before it), customer_id (who ordered),
        n_orders, revenue_amount, margin_amount (after refunds; missing where no cost is known), is_new (1: the first order
        ever of its customer).

    Raises
    ------
    ContractError
        A column is missing.

    Notes
    -----
    Google Analytics help, "Default channel group" (support.google.com/analytics/answer/9756891): the first rule that fits.
    Neither source nor medium is Direct, as in GA4's export.

    Examples
    --------
    >>> import pandas as pd
    >>> sessions = pd.DataFrame({"session_id": ["a", "b", "c"], "started_at": pd.to_datetime(["2026-01-05"] * 3),
    ...     "source": ["google", "news.example", None], "medium": ["cpc", "referral", None]})
    >>> engine.collect(channel_visits(sessions).order_by("session_id"))["channel"].tolist()
    ['Paid Search', 'Referral', 'Direct']
    """
    table = engine.as_table(sessions)
    require_table_columns(table, "session_id", "started_at", name="sessions")
    session = table["session_id"].cast("string")
    known = {name: _text(table, name) for name in ("source", "medium", "campaign")}
    visitor = table["visitor_id"].cast("string") if "visitor_id" in table.columns else ibis.null("string")
    visits = table.select(
        session_id=session, visitor_id=visitor.fill_null(session), started_at="started_at",
        started_on=day_of(table, "started_at"), **known,
    )  # fmt: skip
    visits = visits.mutate(channel=_channel(visits, sites))
    visits = visits.mutate(**{name: visits[name].fill_null(UNKNOWN) for name in known})
    order = ibis.window(group_by="visitor_id", order_by=["started_at", "session_id"])
    visits = visits.mutate(n_earlier=ibis.row_number().over(order))
    ordered = _ordered(order_lines, returns, newcomers)
    if ordered is None:
        nothing = {
            "customer_id": ibis.null("string"),
            "n_orders": ibis.literal(0.0),
            "revenue_amount": ibis.literal(0.0),
        }
        return engine.held(visits.mutate(**nothing, margin_amount=ibis.null("float64"), is_new=ibis.literal(0)))
    joined = visits.left_join(ordered, visits["session_id"] == ordered["unit_id"]).drop("unit_id")
    return engine.held(
        joined.mutate(**{name: joined[name].fill_null(0) for name in ("n_orders", "revenue_amount", "is_new")})
    )


def _text(table: ir.Table, name: str) -> ir.StringValue:
    """A column in small letters; '' is missing, and so is a column that is not there."""
    if name not in table.columns:
        return ibis.null("string")
    return engine.trimmed(table[name].cast("string").lower()).nullif("")


def _channel(visits: ir.Table, sites: Mapping[str, Sequence[str]]) -> ir.StringValue:
    source, medium, campaign = (visits[name].fill_null("") for name in ("source", "medium", "campaign"))
    of = {
        kind: source.re_search(f"(^|[.])({'|'.join(sites.get(kind, ()))})([.]|$)") for kind in SITES if sites.get(kind)
    }
    of |= {kind: ibis.literal(False) for kind in SITES if kind not in of}
    is_paid, is_shop = medium.re_search(_PAID), of["shopping"] | campaign.re_search(_SHOP_CAMPAIGN)
    is_direct = (source == "(direct)") & medium.isin(["(none)", UNKNOWN])
    return ibis.cases(
        (is_direct | ((source == "") & (medium == "")), "Direct"),
        (campaign.contains("cross-network"), "Cross-network"),
        (is_shop & is_paid, "Paid Shopping"),
        (of["search"] & is_paid, "Paid Search"),
        (of["social"] & is_paid, "Paid Social"),
        (of["video"] & is_paid, "Paid Video"),
        (medium.isin(_DISPLAY), "Display"),
        (is_paid, "Paid Other"),
        (is_shop, "Organic Shopping"),
        (of["social"] | medium.isin(_SOCIAL), "Organic Social"),
        (of["video"] | medium.contains("video"), "Organic Video"),
        (of["search"] | (medium == "organic"), "Organic Search"),
        (medium.isin(["referral", "app", "link"]), "Referral"),
        (source.isin(_MAIL) | medium.isin(_MAIL), "Email"),
        (medium.isin(["affiliate", "affiliates"]), "Affiliates"),
        (medium == "audio", "Audio"),
        ((source == "sms") | (medium == "sms"), "SMS"),
        (medium.endswith("push") | medium.contains("mobile") | medium.contains("notification") | (source == "firebase"),
         "Mobile Push Notifications"),
        else_="Unassigned",
    )  # fmt: skip


def _ordered(order_lines: Table | None, returns: Table | None, newcomers: Table | None) -> ir.Table | None:
    """One row a visit with an order: who ordered, how many, what it brought; None where no order names its visit."""
    lines = None if order_lines is None else paid(order_lines)
    if lines is None or "session_id" not in lines.columns:
        return None
    is_costed = not engine.is_empty(lines, "cost_amount")
    returns = None if returns is None or "refund_amount" not in engine.as_table(returns).columns else returns
    tables = {"order_lines": lines} | ({} if returns is None else {"returns": engine.as_table(returns)})
    margin = "gross_margin" if returns is None else "margin"
    names = {"n_orders": "orders", "revenue_amount": "revenue"} | ({"margin_amount": margin} if is_costed else {})
    values = unit_values(tables, [METRICS[name] for name in names.values()], unit="session")
    values = values.select(
        unit_id=values["unit_id"].cast("string"), **{to: values[f"{name}_numerator"] for to, name in names.items()}
    )
    if not is_costed:
        values = values.mutate(margin_amount=ibis.null("float64"))
    who = lines["customer_id"].cast("string") if "customer_id" in lines.columns else ibis.null("string")
    orders = lines.select(who=who, session=lines["session_id"].cast("string"), at=lines["ordered_at"])
    first = ibis.row_number().over(group_by="who", order_by=["at", "session"])
    orders = orders.mutate(place=ibis.ifelse(orders["who"].notnull(), first, 1))
    if newcomers is not None:
        new = engine.as_table(newcomers)
        new = new.select(new_id=new["customer_id"].cast("string")).distinct()
        orders = orders.left_join(new, orders["who"] == new["new_id"])
        orders = orders.mutate(place=ibis.ifelse(orders["new_id"].notnull(), orders["place"], 1))
    buyers = orders.filter(orders["session"].notnull()).group_by("session").aggregate(
        customer_id=orders["who"].max(), is_new=(orders["place"] == 0).fill_null(False).ifelse(1, 0).max()
    )  # fmt: skip
    return values.left_join(buyers, values["unit_id"] == buyers["session"]).drop("session")
