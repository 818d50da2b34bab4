"""Contracts of a shop's tables, declared once; `shop.checks` runs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

from opslib.errors import ContractError, nearest

ColumnKind = Literal["string", "integer", "quantity", "money", "number", "timestamp", "date", "boolean"]
Severity = Literal["error", "warning", "note"]

#: Ibis type of each kind. Money and quantities are exact decimals, so sums do not depend on the order of rows.
IBIS_TYPES: dict[ColumnKind, str] = {
    "string": "string",
    "integer": "int64",
    "quantity": "decimal(18, 4)",
    "money": "decimal(18, 4)",
    "number": "float64",
    "timestamp": "timestamp(6)",
    "date": "date",
    "boolean": "boolean",
}


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule that some rows of a table break.

    Parameters
    ----------
    table, column, rule : str
        Where, and which rule ("not null", "unique key", "at least 0", ...). ``column`` may name several.
    severity : {"error", "warning", "note"}
        An error means that figures would be wrong; a warning, that some would be; a note only counts.
    n_rows : int
        Rows concerned.
    share : float
        ``n_rows`` divided by the rows of the table (0-1).
    example : str
        One value as found.
    """

    table: str
    column: str
    rule: str
    severity: Severity
    n_rows: int
    share: float
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnContract:
    """What one column holds.

    Parameters
    ----------
    name, kind, meaning : str
        Column name, kind of value, and what it says in words.
    is_required : bool
        The column must exist, and be filled in every row.
    minimum, maximum : float or None
        Allowed range, ends included.
    allowed : tuple of str
        Allowed values; empty for any.
    references : str or None
        ``table.column`` that must hold the value, where that table exists.
    """

    name: str
    kind: ColumnKind
    meaning: str
    is_required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] = ()
    references: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableContract:
    """What one table holds: its key, its columns, and the question that it lets a shop answer.

    ``derived`` are the columns that every reader finds besides those of the source (ADR 0002); columns whose name starts
    with one of ``prefixes`` are allowed as well, of any type.
    """

    name: str
    key: tuple[str, ...]
    columns: tuple[ColumnContract, ...]
    meaning: str
    would_answer: str
    time_column: str | None = None
    prefixes: tuple[str, ...] = ()
    derived: tuple[ColumnContract, ...] = ()

    def column(self, name: str) -> ColumnContract:
        """The contract of one column; :class:`ContractError` if there is none of that name."""
        for column in self.columns:
            if column.name == name:
                return column
        raise ContractError(f"{self.name}: no column '{name}' in its contract; {nearest(name, self.names)}")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the declared columns, in order."""
        return tuple(column.name for column in self.columns)

    def allows(self, name: str) -> bool:
        """Whether a column of that name may stand in the table."""
        return name in self.names or name.startswith(self.prefixes)

    @property
    def schema(self) -> dict[str, str]:
        """Ibis type of every declared and every derived column, in order."""
        return {column.name: IBIS_TYPES[column.kind] for column in (*self.columns, *self.derived)}

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns that must exist."""
        return tuple(column.name for column in self.columns if column.is_required)


STATUSES = ("paid", "pending", "authorised", "cancelled", "voided", "test")
EVENT_NAMES = (
    "page_view", "view_item_list", "select_item", "view_item", "search", "add_to_cart", "remove_from_cart",
    "begin_checkout", "add_shipping_info", "add_payment_info", "purchase", "refund",
)  # fmt: skip
CHANGE_KINDS = ("release", "price", "promotion", "content", "outage")
EXPERIMENT_UNITS = ("visitor", "customer", "session", "store", "region", "week")
ROLLOUT_UNITS = ("store", "region", "market", "product")


def _column(spec: str, meaning: str, **more: object) -> ColumnContract:
    """Column from ``"name kind"`` with a star for required ones."""
    name, kind = spec.split()
    return ColumnContract(
        name=name.lstrip("*"),
        kind=cast(ColumnKind, kind),
        meaning=meaning,
        is_required=name.startswith("*"),
        **more,  # type: ignore[arg-type]
    )


def _table(
    name: str, key: str, time: str | None, meaning: str, answers: str, *columns: ColumnContract, **more: tuple
) -> TableContract:
    """Contract from its name, the columns of its key and of its time, what a row is, and what the table would answer."""
    texts = {"name": name, "meaning": meaning, "would_answer": answers}
    return TableContract(key=tuple(key.split()), time_column=time, columns=columns, **texts, **more)  # type: ignore[arg-type]


_PRODUCT = "products.product_id"
_SESSION = "sessions.session_id"

_TABLES = (
    _table(
        "order_lines", "order_id line_id", "ordered_at", "one row a line of an order",
        "what was sold, when, to whom and for how much",
        _column("*order_id string", "the order"),
        _column("line_id string", "the line within its order"),
        _column("customer_id string", "who ordered; empty for guests", references="customers.customer_id"),
        _column("*product_id string", "what was ordered", references=_PRODUCT),
        _column("*ordered_at timestamp", "when, in UTC"),
        _column("*quantity quantity", "units ordered", minimum=0),
        _column("*unit_price money", "price of one unit before discount", minimum=0),
        _column("discount_amount money", "discount of the whole line", minimum=0),
        _column("cost_amount money", "what the shop paid for the line", minimum=0),
        _column("tax_amount money", "tax of the line", minimum=0),
        _column("status string", "only paid lines are revenue", allowed=STATUSES),
        _column("store string", "shop front or store"),
        _column("country string", "country of delivery"),
        _column("channel string", "traffic channel that brought the order"),
        _column("device string", "device of the visit"),
        _column("session_id string", "visit in which it was ordered", references=_SESSION),
        derived=(
            _column("ordered_on date", "local day"),
            _column("revenue_amount money", "quantity x unit price - discount, without tax"),
        ),
    ),
    _table(
        "returns", "return_id", "returned_at", "one row a returned line", "which products come back, how much, and why",
        _column("*return_id string", "the return"),
        _column("order_id string", "the order it belongs to", references="order_lines.order_id"),
        _column("product_id string", "what came back", references=_PRODUCT),
        _column("*returned_at timestamp", "when, in UTC"),
        _column("quantity quantity", "units returned", minimum=0),
        _column("refund_amount money", "money given back", minimum=0),
        _column("reason string", "reason given"),
    ),
    _table(
        "products", "product_id", None, "one row a product",
        "names, categories, brands, list prices and costs of products",
        _column("*product_id string", "the product"),
        _column("name string", "name as shown"),
        _column("category string", "category"),
        _column("brand string", "brand"),
        _column("supplier string", "supplier"),
        _column("price money", "list price", minimum=0),
        _column("cost money", "cost of one unit", minimum=0),
        _column("lead_time_days integer", "days from order to stock", minimum=0),
        _column("pack_size integer", "units that are ordered together", minimum=1),
        _column("min_order_quantity integer", "fewest units of an order", minimum=0),
        _column("launched_at date", "first day on sale"),
        _column("description string", "text of the product page"),
        _column("has_image boolean", "whether the page has a picture"),
        prefixes=("attr_",),
    ),
    _table(
        "customers", "customer_id", "first_seen_at", "one row a customer",
        "where customers come from and since when they are known",
        _column("*customer_id string", "the customer"),
        _column("first_seen_at timestamp", "first contact, in UTC"),
        _column("country string", "country"),
        _column("acquisition_channel string", "channel that brought the customer first"),
        _column("kind string", "consumer or business", allowed=("consumer", "business")),
    ),
    _table(
        "sessions", "session_id", "started_at", "one row a visit",
        "how many people visit, from where, and how many of them buy",
        _column("*session_id string", "the visit"),
        _column("visitor_id string", "the visitor"),
        _column("customer_id string", "the customer, where known", references="customers.customer_id"),
        _column("*started_at timestamp", "start of the visit, in UTC"),
        _column("source string", "traffic source"),
        _column("medium string", "traffic medium"),
        _column("campaign string", "campaign"),
        _column("device string", "device"),
        _column("country string", "country"),
        _column("landing_page string", "first page"),
    ),
    _table(
        "events", "session_id event_index", "occurred_at", "one row an event of a visit, by GA4's e-commerce names",
        "what visitors do between entry and purchase, and where they leave",
        _column("*session_id string", "the visit", references=_SESSION),
        _column("*event_index integer", "position in the visit", minimum=0),
        _column("visitor_id string", "the visitor"),
        _column("*occurred_at timestamp", "when, in UTC"),
        _column("*event_name string", "what happened", allowed=EVENT_NAMES),
        _column("page string", "page"),
        _column("section string", "section of the site"),
        _column("product_id string", "product concerned", references=_PRODUCT),
        _column("order_id string", "order of a purchase or refund"),
        _column("value money", "money of the event"),
    ),
    _table(
        "searches", "search_id", "searched_at", "one row a search on the site",
        "what visitors look for and do not find",
        _column("*search_id string", "the search"),
        _column("session_id string", "the visit", references=_SESSION),
        _column("*searched_at timestamp", "when, in UTC"),
        _column("*query string", "what was typed"),
        _column("n_results integer", "products found", minimum=0),
        _column("clicked_product_id string", "product clicked", references=_PRODUCT),
    ),
    _table(
        "reviews", "review_id", "written_at", "one row a review", "what pleases and what disappoints buyers",
        _column("*review_id string", "the review"),
        _column("product_id string", "the product", references=_PRODUCT),
        _column("written_at timestamp", "when, in UTC"),
        _column("*rating number", "stars", minimum=1, maximum=5),
        _column("title string", "title"),
        _column("text string", "text"),
    ),
    _table(
        "tickets", "ticket_id", "opened_at", "one row a customer-service case", "what customers need help with",
        _column("*ticket_id string", "the case"),
        _column("*opened_at timestamp", "opened, in UTC"),
        _column("closed_at timestamp", "closed, in UTC"),
        _column("topic string", "topic"),
        _column("product_id string", "the product", references=_PRODUCT),
        _column("text string", "text"),
    ),
    _table(
        "ad_spend", "date channel campaign", "date", "one row a day, channel and campaign",
        "what advertising costs and brings",
        _column("*date date", "the day"),
        _column("*channel string", "channel"),
        _column("campaign string", "campaign"),
        _column("*cost_amount money", "money spent", minimum=0),
        _column("n_impressions integer", "times shown", minimum=0),
        _column("n_clicks integer", "clicks", minimum=0),
    ),
    _table(
        "competitor_prices", "competitor competitor_product_id observed_at", "observed_at",
        "one row a price seen at a competitor", "whether our prices are high or low",
        _column("*competitor string", "the competitor"),
        _column("*competitor_product_id string", "its product"),
        _column("*observed_at timestamp", "when seen, in UTC"),
        _column("product_id string", "our product, once matched", references=_PRODUCT),
        _column("*price money", "price seen", minimum=0),
        _column("in_stock boolean", "whether it could be bought"),
    ),
    _table(
        "competitor_products", "competitor competitor_product_id", None, "one row a competitor's product",
        "which of our products a competitor sells too",
        _column("*competitor string", "the competitor"),
        _column("*competitor_product_id string", "its product"),
        _column("*name string", "name as shown"),
        _column("brand string", "brand"),
        _column("price money", "price", minimum=0),
        _column("attributes string", "attributes as text"),
        prefixes=("attr_",),
    ),
    _table(
        "stock_levels", "product_id date", "date", "one row a product and day",
        "what is out of stock, and what that costs",
        _column("*product_id string", "the product", references=_PRODUCT),
        _column("*date date", "the day"),
        _column("*n_on_hand integer", "units on hand at the end of the day", minimum=0),
        _column("n_on_order integer", "units ordered and not yet received", minimum=0),
    ),
    _table(
        "price_history", "product_id valid_from", "valid_from", "one row a price and the days it held",
        "how demand answers to price",
        _column("*product_id string", "the product", references=_PRODUCT),
        _column("*valid_from date", "first day of the price"),
        _column("valid_to date", "last day of the price; empty while it holds"),
        _column("*price money", "list price", minimum=0),
    ),
    _table(
        "pages", "page", "published_at", "one row a page of the site", "which sections and pages do their work",
        _column("*page string", "the page"),
        _column("section string", "section of the site"),
        _column("title string", "title"),
        _column("published_at timestamp", "published, in UTC"),
        _column("template string", "page template"),
    ),
    _table(
        "changes", "change_id", "started_at", "one row a change that the shop made",
        "what was changed when, and what else moved then",
        _column("*change_id string", "the change"),
        _column("*kind string", "kind of change", allowed=CHANGE_KINDS),
        _column("*started_at timestamp", "start, in UTC"),
        _column("ended_at timestamp", "end, in UTC; empty while it lasts"),
        _column("scope string", "what it touched"),
        _column("description string", "in words"),
    ),
    _table(
        "experiments", "experiment_id unit_id", "assigned_at", "one row a unit in an experiment",
        "what a randomised test showed",
        _column("*experiment_id string", "the experiment"),
        _column("*unit_id string", "the unit"),
        _column("*unit string", "what was randomised", allowed=EXPERIMENT_UNITS),
        _column("*variant string", "the arm"),
        _column("*assigned_at timestamp", "when, in UTC"),
    ),
    _table(
        "experiment_arms", "experiment_id variant valid_from", "valid_from",
        "one row an arm and the time its share held", "whether the split ran as planned",
        _column("*experiment_id string", "the experiment"),
        _column("*variant string", "the arm"),
        _column("*valid_from timestamp", "start of the share, in UTC"),
        _column("*planned_share number", "planned share of units", minimum=0, maximum=1),
        _column("valid_to timestamp", "end of the share, in UTC"),
    ),
    _table(
        "experiment_summaries", "experiment_id variant metric observed_at", "observed_at",
        "one row an arm, metric and look", "what a test showed, where only its totals were kept",
        _column("*experiment_id string", "the experiment"),
        _column("*variant string", "the arm"),
        _column("*metric string", "the metric"),
        _column("*observed_at timestamp", "when, in UTC"),
        _column("*n integer", "units", minimum=0),
        _column("*mean number", "mean of the metric"),
        _column("*variance number", "sample variance of the metric", minimum=0),
        _column("covariance number", "sample covariance with the denominator"),
    ),
    _table(
        "unit_outcomes", "unit unit_id date metric", "date", "one row a unit, day and metric",
        "what a test showed, where outcomes come per unit",
        _column("*unit string", "what was randomised", allowed=EXPERIMENT_UNITS),
        _column("*unit_id string", "the unit"),
        _column("*date date", "the day"),
        _column("*metric string", "the metric"),
        _column("*value number", "outcome"),
        _column("covariate number", "value of the same metric before the test"),
    ),
    _table(
        "rollouts", "rollout_id unit_id", "treated_from", "one row a unit of a roll-out",
        "what a change did where it was introduced first",
        _column("*rollout_id string", "the roll-out"),
        _column("*unit_id string", "the unit"),
        _column("*unit string", "what was rolled out to", allowed=ROLLOUT_UNITS),
        _column("treated_from date", "first day with the change; empty if never"),
    ),
    _table(
        "capacity", "department month", "month", "one row a department and month", "what a department can take on",
        _column("*department string", "the department"),
        _column("*month date", "first day of the month"),
        _column("person_days number", "person-days free", minimum=0),
        _column("budget_amount money", "money free", minimum=0),
    ),
    _table(
        "survey_answers", "survey_id respondent_id question", "answered_at", "one row an answer to a survey's question",
        "what people said when they were asked",
        _column("*survey_id string", "the survey"),
        _column("*respondent_id string", "who answered"),
        _column("*question string", "what was asked"),
        _column("*answered_at timestamp", "when, in UTC"),
        _column("answer string", "what was said"),
        _column("segment string", "group of the respondent"),
    ),
    _table(
        "external_queries", "date query page", "date", "one row a day, query of a search engine and page shown for it",
        "what people search elsewhere before they come",
        _column("*date date", "the day"),
        _column("*query string", "what was typed"),
        _column("page string", "page shown"),
        _column("*n_impressions integer", "times shown", minimum=0),
        _column("n_clicks integer", "clicks", minimum=0),
        _column("position number", "mean place in the list", minimum=0),
    ),
)  # fmt: skip

#: Every table that a shop may have, by name.
CONTRACTS: dict[str, TableContract] = {table.name: table for table in _TABLES}


def require_table(name: str) -> TableContract:
    """The contract of a table.

    Parameters
    ----------
    name : str
        Name of the table.

    Returns
    -------
    TableContract

    Raises
    ------
    ContractError
        If no table has that name; the nearest one is named.

    Examples
    --------
    >>> require_table("returns").key
    ('return_id',)
    """
    if name not in CONTRACTS:
        raise ContractError(f"no table '{name}'; {nearest(name, CONTRACTS)}")
    return CONTRACTS[name]
