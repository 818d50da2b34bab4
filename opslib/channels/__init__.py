"""Traffic channels: who comes through which, what they order, what it costs, and what is not proven about it."""

from opslib.channels.groups import SITES, channel_visits
from opslib.channels.holdouts import holdout_plans
from opslib.channels.journeys import MODELS, attribution, channel_paths
from opslib.channels.rates import buying_rates
from opslib.channels.traffic import channel_overlap, channel_traffic, customer_kinds, first_and_later, paybacks

__all__ = [
    "MODELS",
    "SITES",
    "attribution",
    "buying_rates",
    "channel_overlap",
    "channel_paths",
    "channel_traffic",
    "channel_visits",
    "customer_kinds",
    "first_and_later",
    "holdout_plans",
    "paybacks",
]
