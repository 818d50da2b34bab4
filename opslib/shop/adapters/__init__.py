"""Well-known export formats, one module each."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import cast

from opslib.errors import ShopFileError, SourceError, nearest
from opslib.metrics import statuses
from opslib.shop.adapters.export import Adapter

#: Names as written in ``shop.yml``; detection tries them in this order.
NAMES = ("online_retail", "complete_journey", "shopify", "woocommerce", "ga4", "matomo", "olist", "search_log")


def by_name(name: str) -> Adapter:
    """The adapter that a ``shop.yml`` names.

    Examples
    --------
    >>> by_name("online_retail").NAME
    'online_retail'
    """
    if name not in NAMES:
        raise ShopFileError(f"adapter: there is none called '{name}'; {nearest(name, NAMES)}")
    return cast(Adapter, import_module(f"opslib.shop.adapters.{name}"))


def detect(path: Path) -> Adapter:
    """The adapter whose format a file or folder has; :class:`SourceError` if none."""
    for name in NAMES:
        adapter = by_name(name)
        if adapter.detect(path):
            return adapter
    raise SourceError(
        f"{path}: the format is not recognised (known: {', '.join(NAMES)}); describe its columns in a shop.yml, see data/shops/demo.yml"
    )


def readers(name: str | None) -> list[Path]:
    """Python files that decide what an export is turned into: part of a shop's fingerprint."""
    parts = ["export", "reading", "columns", "sql", *(["orders", name] if name else [])]
    shared = [
        Path(__file__).parents[1] / f"{part}.py" for part in ("staging", "derived", "settle", "shopfile", "sniff")
    ]
    return [*(Path(__file__).parent / f"{part}.py" for part in parts), *shared, Path(statuses.__file__)]
