"""Metric registry: measures are sums over rows, metrics are ratios of measures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from opslib.errors import ParameterError, nearest
from opslib.metrics.blocks import Filter, filters_of

UnitOfMeasure = Literal["share", "money", "count", "days", "rating"]
MeasureKind = Literal["sum", "count", "distinct", "unit"]
Side = Literal["numerator", "denominator"]
SIDES: tuple[Side, ...] = ("numerator", "denominator")

#: Table that each source of rows is built of.
SOURCES: dict[str, str] = {
    "lines": "order_lines",
    "returns": "returns",
    "sessions": "sessions",
    "visits": "events",
    "searches": "searches",
    "reviews": "reviews",
    "tickets": "tickets",
    "stock": "stock_levels",
    "ads": "ad_spend",
}


@dataclass(frozen=True, slots=True)
class Measure:
    """A sum or count over the rows of one source, for any unit.

    Parameters
    ----------
    name : str
        What formulas call it.
    source : str
        Key of `SOURCES`; "units" for a property of the unit.
    kind : {"sum", "count", "distinct", "unit"}
        Sum of ``column``; number of rows; different values of ``column``; a property of the unit itself.
    column : str
        Column of the source; for ``unit``, empty (one for every unit) or a measure that must reach ``at_least``.
    sentence : str
        What is summed, in words.
    at_least : int
        For ``unit``: the unit counts as one from this value of ``column`` on.
    """

    name: str
    source: str
    kind: MeasureKind
    column: str
    sentence: str
    at_least: int = 1

    @property
    def counted(self) -> Measure | None:
        """What is counted on rows: the measure, or for a property of the unit what it looks at; None if every unit is one."""
        if self.kind != "unit":
            return self
        return MEASURES[self.column] if self.column else None


_MEASURES: tuple[tuple[Any, ...], ...] = (
    # name, source, kind, column, sentence
    ("revenue", "lines", "sum", "revenue_amount", "revenue of paid lines, without tax, after discount"),
    ("costed_revenue", "lines", "sum", "costed_amount", "revenue of paid lines whose cost is known"),
    ("cost", "lines", "sum", "cost_amount", "cost of paid lines, where known; else units x the product's cost"),
    ("discount", "lines", "sum", "discount_amount", "discount of paid lines"),
    ("list_revenue", "lines", "sum", "list_amount", "revenue before discount"),
    ("units_sold", "lines", "sum", "quantity", "units of paid lines"),
    ("orders", "lines", "distinct", "order_id", "paid orders"),
    ("customers", "lines", "distinct", "customer_id", "customers with a paid order; guests left out"),
    ("known_orders", "lines", "distinct", "known_order_id", "paid orders of known customers"),
    ("known_revenue", "lines", "sum", "known_amount", "revenue of known customers"),
    (
        "new_customers",
        "lines",
        "distinct",
        "new_customer_id",
        "customers with their first paid order in the data, not seen before the data begin",
    ),
    ("returning_revenue", "lines", "sum", "returning_amount", "revenue after the day of a customer's first order"),
    ("purchasing_visitors", "lines", "distinct", "visitor_id", "visitors with a paid order"),
    ("purchasing_sessions", "lines", "distinct", "session_id", "visits with a paid order"),
    ("refunds", "returns", "sum", "refund_amount", "money given back"),
    ("units_returned", "returns", "sum", "quantity", "units that came back"),
    ("returned_orders", "returns", "distinct", "order_id", "orders with a return"),
    ("sessions", "sessions", "count", "", "visits"),
    ("visitors", "sessions", "distinct", "visitor_id", "visitors"),
    ("visits", "visits", "count", "", "visits with at least one event"),
    ("bounced_visits", "visits", "sum", "is_bounced", "visits of a single event"),
    ("cart_visits", "visits", "sum", "has_cart", "visits with something put in the cart"),
    ("checkout_visits", "visits", "sum", "has_checkout", "visits that began the checkout"),
    ("completed_visits", "visits", "sum", "has_purchase_after_checkout", "visits with checkout and purchase"),
    ("searching_visits", "visits", "sum", "has_search", "visits with a search"),
    ("searches", "searches", "count", "", "searches"),
    ("clicked_searches", "searches", "sum", "is_clicked", "searches with a click on a result"),
    ("zero_result_searches", "searches", "sum", "is_empty", "searches that found nothing"),
    ("counted_searches", "searches", "sum", "is_counted", "searches whose number of results is known"),
    ("reviews", "reviews", "count", "", "reviews"),
    ("stars", "reviews", "sum", "rating", "stars given"),
    ("tickets", "tickets", "count", "", "customer-service cases"),
    ("closed_tickets", "tickets", "sum", "is_closed", "customer-service cases closed"),
    ("ticket_days", "tickets", "sum", "open_days", "days from opening to closing, of closed cases"),
    ("product_days", "stock", "count", "", "days on which a product's stock was recorded"),
    ("stock_out_days", "stock", "sum", "is_out", "days on which a product was out of stock"),
    ("ad_cost", "ads", "sum", "cost_amount", "money spent on advertising"),
    ("clicks", "ads", "sum", "n_clicks", "clicks on advertising"),
    ("impressions", "ads", "sum", "n_impressions", "times an advertisement was shown"),
    ("units", "units", "unit", "", "every unit counts as one"),
    ("buying_units", "units", "unit", "orders", "units with a paid order"),
    ("buying_customers", "units", "unit", "known_orders", "customers with a paid order; guests left out"),
    ("repeat_customers", "units", "unit", "known_orders", "customers with two or more paid orders", 2),
)
MEASURES: dict[str, Measure] = {row[0]: Measure(*row) for row in _MEASURES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One measure of a sum, with its sign and the rows that count."""

    sign: Literal[1, -1]
    measure: Measure
    where: tuple[Filter, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What a figure means: a numerator over a denominator, both sums of measures.

    Parameters
    ----------
    name, title : str
        Name in code and files; title on a page.
    definition : str
        One sentence.
    unit : {"share", "money", "count", "days", "rating"}
        Unit of the value.
    numerator, denominator : str
        Measures joined by + and -, e.g. ``revenue - refunds``; the denominator ``units`` counts every unit once.
    unit_of_analysis : str
        Who varies independently, hence what to randomise and cluster by ("customer", "visitor", "product", ...).
    direction : {1, -1}
        1 where more is better.
    money_path : str or None
        How a change of the metric becomes money, or None where it does not by itself.
    numerator_where, denominator_where : tuple of Filter
        Rows that count.

    Examples
    --------
    >>> METRICS["average_order_value"].numerator, METRICS["average_order_value"].tables
    ('revenue', ('order_lines',))
    """

    name: str
    title: str
    definition: str
    unit: UnitOfMeasure
    numerator: str
    denominator: str
    unit_of_analysis: str
    direction: Literal[1, -1]
    money_path: str | None = None
    numerator_where: tuple[Filter, ...] = ()
    denominator_where: tuple[Filter, ...] = ()

    def __post_init__(self) -> None:
        if self.unit not in get_args(UnitOfMeasure):
            raise ParameterError(
                f"metric '{self.name}': unit '{self.unit}' is not one of {', '.join(get_args(UnitOfMeasure))}"
            )
        if self.direction not in (1, -1):
            raise ParameterError(f"metric '{self.name}': direction {self.direction!r} is neither 1 nor -1")
        for side in SIDES:
            self.terms(side)

    def terms(self, side: Side) -> tuple[Term, ...]:
        """Signed measures of one side."""
        text, where = getattr(self, side), getattr(self, f"{side}_where")
        if not re.fullmatch(r"\s*[a-z_]+(\s*[+-]\s*[a-z_]+)*\s*", text):
            raise ParameterError(
                f"metric '{self.name}': {side} '{text}' is not measures joined by + and -, e.g. 'revenue - refunds'"
            )
        return tuple(
            Term(sign=-1 if sign == "-" else 1, measure=self._measure(measure), where=where)
            for sign, measure in re.findall(r"([+-]?)\s*([a-z_]+)", text)
        )

    @property
    def is_total(self) -> bool:
        """Whether the metric is a plain sum, so that its value for one unit is the sum itself."""
        return self.denominator == "units"

    @property
    def tables(self) -> tuple[str, ...]:
        """Tables that the metric needs, in order of first use."""
        names: list[str] = []
        for measure in (term.measure.counted for side in SIDES for term in self.terms(side)):
            if measure is not None:
                linked = measure.column == "visitor_id" and measure.source != "sessions"
                names += [SOURCES[measure.source], *(["sessions"] if linked else [])]
        return tuple(dict.fromkeys(names))

    @property
    def measures(self) -> dict[Side, list[str]]:
        """What each side sums, in words: part of what a proposal freezes."""
        return {side: [f"{t.sign:+d} {t.measure.sentence}" for t in self.terms(side)] for side in SIDES}

    def _measure(self, name: str) -> Measure:
        if name not in MEASURES:
            raise ParameterError(f"metric '{self.name}': no measure '{name}'; {nearest(name, MEASURES)}")
        return MEASURES[name]


_ORDER_MARGIN = "change x orders x margin an order"
_ROWS: tuple[tuple[Any, ...], ...] = (
    # name, title, definition, unit, numerator, denominator, unit of analysis, direction, money path
    ("conversion", "Conversion", "Share of visitors who place a paid order.",
     "share", "purchasing_visitors", "visitors", "visitor", 1, "change x visitors x margin a buyer"),
    ("session_conversion", "Conversion of visits", "Share of visits in which a paid order is placed.",
     "share", "purchasing_sessions", "sessions", "visitor", 1, "change x visits x margin an order"),
    ("purchase_rate", "Purchase rate", "Share of units that place at least one paid order.",
     "share", "buying_units", "units", "customer", 1, "change x units x margin a buyer"),
    ("revenue_per_visitor", "Revenue per visitor", "Revenue divided by visitors.",
     "money", "revenue", "visitors", "visitor", 1, "change x visitors x margin share"),
    ("orders_per_visitor", "Orders per visitor", "Paid orders divided by visitors.",
     "count", "orders", "visitors", "visitor", 1, "change x visitors x margin an order"),
    ("average_order_value", "Average order value", "Revenue divided by paid orders.",
     "money", "revenue", "orders", "customer", 1, "change x orders x margin share"),
    ("items_per_order", "Items per order", "Units sold divided by paid orders.",
     "count", "units_sold", "orders", "customer", 1, "change x orders x margin an item"),
    ("price_per_item", "Price per item", "Revenue divided by units sold.",
     "money", "revenue", "units_sold", "customer", 1, "change x items"),
    ("revenue", "Revenue", "Quantity x unit price - discount of paid lines, without tax.",
     "money", "revenue", "units", "customer", 1, "change x margin share"),
    ("net_revenue", "Net revenue", "Revenue minus refunds.",
     "money", "revenue - refunds", "units", "customer", 1, "change x margin share"),
    ("refunds", "Refunds", "Money given back.", "money", "refunds", "units", "customer", -1, "the change itself"),
    ("sessions", "Visits", "Visits to the shop.", "count", "sessions", "units", "visitor", 1, None),
    ("visitors", "Visitors", "Different visitors.", "count", "visitors", "units", "visitor", 1,
     "change x conversion x margin an order"),
    ("orders", "Orders", "Number of paid orders.",
     "count", "orders", "units", "customer", 1, "change x margin an order"),
    ("units_sold", "Units sold", "Units of paid lines.", "count", "units_sold", "units", "product", 1,
     "change x margin an item"),
    ("margin", "Margin", "Revenue of lines with a known cost, minus refunds, minus that cost.",
     "money", "costed_revenue - refunds - cost", "units", "customer", 1, "the change itself"),
    ("gross_margin", "Gross margin", "Revenue of lines with a known cost minus that cost, before refunds.",
     "money", "costed_revenue - cost", "units", "customer", 1, "the change itself"),
    ("margin_share", "Margin share", "Gross margin divided by the revenue of lines with a known cost.",
     "share", "costed_revenue - cost", "costed_revenue", "customer", 1, "change x revenue"),
    ("discount_share", "Discount share", "Discounts divided by revenue before discount.",
     "share", "discount", "list_revenue", "customer", -1, "change x revenue before discount"),
    ("repeat_rate", "Repeat rate", "Share of buying customers with two or more paid orders; guests left out.",
     "share", "repeat_customers", "buying_customers", "customer", 1, "change x customers x margin of a repeat order"),
    ("customers", "Customers", "Customers with a paid order; guests left out.",
     "count", "customers", "units", "customer", 1, "change x margin a customer"),
    ("new_customer_share", "New customers", "Share of customers whose first paid order falls in the time, and who were not seen before the data begin.",
     "share", "new_customers", "customers", "customer", 1, None),
    ("returning_revenue_share", "Revenue of returning customers",
     "Share of known customers' revenue that comes after the day of their first order, or from customers seen before the data begin.",
     "share", "returning_revenue", "known_revenue", "customer", 1, None),
    ("guest_order_share", "Orders without a customer", "Share of paid orders that name no customer.",
     "share", "orders - known_orders", "orders", "order", -1, None),
    ("return_rate", "Return rate", "Units that came back in the period, whenever they were sold, divided by units sold in it.",
     "share", "units_returned", "units_sold", "customer", -1, "change x units sold x cost of a return"),
    ("refund_share", "Refund share", "Money given back divided by revenue.",
     "share", "refunds", "revenue", "customer", -1, "change x revenue"),
    ("search_success", "Search success", "Share of searches with a click on a result.",
     "share", "clicked_searches", "searches", "visitor", 1, None),
    ("zero_result_rate", "Zero-result rate", "Share of searches that find nothing.",
     "share", "zero_result_searches", "counted_searches", "visitor", -1, None),
    ("add_to_cart_rate", "Add-to-cart rate", "Share of visits in which something is put in the cart.",
     "share", "cart_visits", "visits", "visitor", 1, None),
    ("checkout_completion", "Checkout completion", "Share of visits that begin the checkout and buy.",
     "share", "completed_visits", "checkout_visits", "visitor", 1, _ORDER_MARGIN),
    ("bounce_rate", "Bounce rate", "Share of visits of a single event.",
     "share", "bounced_visits", "visits", "visitor", -1, None),
    ("rating", "Rating", "Mean of the stars in reviews.", "rating", "stars", "reviews", "product", 1, None),
    ("stock_out_share", "Stock-out share", "Share of recorded product-days without stock.",
     "share", "stock_out_days", "product_days", "product", -1, "change x product-days x lost margin a day"),
    ("tickets_per_order", "Tickets per order", "Customer-service cases divided by paid orders.",
     "count", "tickets", "orders", "product", -1, "change x orders x cost of a case"),
    ("ticket_days", "Days to close a case", "Mean days from opening to closing of closed cases.",
     "days", "ticket_days", "closed_tickets", "product", -1, None),
    ("ad_cost", "Advertising", "Money spent on advertising.",
     "money", "ad_cost", "units", "channel", -1, "the change itself"),
    ("cost_per_order", "Advertising per order", "Money spent on advertising divided by paid orders.",
     "money", "ad_cost", "orders", "channel", -1, "change x orders"),
)  # fmt: skip


def _metric(row: tuple[Any, ...]) -> Metric:
    keys = ("name", "title", "definition", "unit", "numerator", "denominator", "unit_of_analysis", "direction")
    return Metric(**dict(zip((*keys, "money_path"), row, strict=True)))


METRICS: dict[str, Metric] = {row[0]: _metric(row) for row in _ROWS}


_NEEDED = ("definition", "unit", "numerator", "denominator", "unit_of_analysis", "direction")
_ALLOWED = (*_NEEDED, "title", "money_path", "numerator_where", "denominator_where")


def shop_metrics(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Metric]:
    """A shop's own metrics, composed of measures in ``shop.yml`` under ``metrics:``.

    Parameters
    ----------
    settings : mapping of name to mapping
        definition, unit, numerator, denominator, unit_of_analysis, direction; and if wanted title, money_path,
        numerator_where, denominator_where (lists of ``[column, operator, value]``).

    Returns
    -------
    dict of str to Metric

    Raises
    ------
    ParameterError
        A key, measure, unit or operator is unknown (the nearest is named), a key is missing, or the name is taken.

    Examples
    --------
    >>> gift = {"definition": "Share of revenue from gifts.", "unit": "share", "numerator": "revenue",
    ...         "numerator_where": [["category", "=", "Gifts"]], "denominator": "revenue",
    ...         "unit_of_analysis": "customer", "direction": 1}
    >>> shop_metrics({"gift_share": gift})["gift_share"].title
    'Gift share'
    """
    return {name: _shop_metric(name, dict(given)) for name, given in settings.items()}


def _shop_metric(name: str, given: dict[str, Any]) -> Metric:
    if name in METRICS:
        raise ParameterError(f"metric '{name}' exists in the registry; give the shop's own another name")
    for key in given:
        if key not in _ALLOWED:
            raise ParameterError(f"metric '{name}': no setting '{key}'; {nearest(key, _ALLOWED)}")
    for key in _NEEDED:
        if key not in given:
            raise ParameterError(f"metric '{name}': '{key}' is missing; needed: {', '.join(_NEEDED)}")
    given |= {key: filters_of(given[key]) for key in ("numerator_where", "denominator_where") if key in given}
    return Metric(**{"name": name, "title": name.replace("_", " ").capitalize(), **given})


def explained_by_days(metric: str, *, n_days: float, n_days_before: float) -> tuple[float, float]:
    """Least and most relative change that the number of days explains: 0, and of a total what more days bring.

    Examples
    --------
    >>> explained_by_days("orders", n_days=33, n_days_before=30), explained_by_days("conversion", n_days=33, n_days_before=30)
    ((0.0, 0.1), (0.0, 0.0))
    """
    is_total = metric in METRICS and METRICS[metric].is_total
    longer = round(n_days / n_days_before - 1, 9) if is_total and n_days_before else 0.0
    return min(longer, 0.0), max(longer, 0.0)
