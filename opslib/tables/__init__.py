"""Tables and findings as values that a notebook displays; all formatting, escaping and suppression happens here."""

from opslib.tables.bundles import MetricSeries, Provenance, provenance, register, unregister
from opslib.tables.showing import Table, filled_heads, show
