"""Words that pages use and that are not everyday English, each explained once; signs of evidence; plain names of data."""

from __future__ import annotations

from collections.abc import Mapping

#: Kind of evidence -> sign and meaning.
SIGNS: Mapping[str, tuple[str, str]] = {
    "measured": ("●", "counted on all rows"),
    "estimated": ("◐", "inferred, with its uncertainty"),
    "described": ("○", "described, without a number"),
    "simulated": ("▲", "computed by a model"),
}

GLOSSARY: Mapping[str, str] = {
    "interval": "The range in brackets: what the true figure may be, given how few or many cases there are. Unless said "
    "otherwise it holds the true figure in 95 of 100 such reports.",
    "beyond chance": "The whole interval of a change lies on one side of zero.",
    "usual ups and downs": "A change whose interval includes zero: it may be nothing.",
    "points": "Difference of two percentages: from 21 % to 27 % is up 6 points.",
    "grade": "How far a finding about cause can be trusted: High, Moderate, Low or Very low. A randomised test starts High; "
    "what lowers it stands on the proposal's page.",
    "net a year": "What a proposal is expected to earn in a year after its cost, with the range that holds it nine times in ten.",
    "worth": "What an action may bring in its time, from its cautious to its hopeful end.",
    "proposal": "A change with its promise written down before the result was known.",
    "hold-out": "A part of the visitors or customers who do not get a change after its launch, to see whether it keeps working.",
    "follow-up": "Looking again at a launched change: did the promise come true?",
    "replay": "A proposal judged on data that were there before it was written: practice, not a promise.",
    "withheld": "A number about fewer than ten people is not shown, nor what would give it away.",
}

#: Tables and columns as readers call them, where their own name does not say it.
DATA_NAMES: Mapping[str, str] = {
    "order_lines": "orders",
    "order_lines.customer_id": "customers",
    "order_lines.product_id": "the products of an order",
    "order_lines.cost_amount": "costs",
    "order_lines.discount_amount": "discounts",
    "sessions": "visits",
    "events": "clicks",
    "tickets": "customer-service cases",
    "ad_spend": "advertising costs",
    "competitor_prices": "competitors' prices",
    "competitor_products": "competitors' products",
    "stock_levels": "stock",
    "price_history": "earlier prices",
    "products.price": "list prices",
    "products.cost": "costs",
    "products.category": "categories",
    "survey_answers": "answers to surveys",
    "external_queries": "searches elsewhere",
}
