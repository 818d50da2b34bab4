"""opslib: an evidence bench for people who run an online shop."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
#: Rooms, pictures and tables; then functions with the module that has them. `import opslib` itself loads nothing heavy.
_MODULES = (
    "channels",
    "charts",
    "classification",
    "content",
    "demand",
    "investigation",
    "kpis",
    "paths",
    "positioning",
    "product_control",
    "segmentation",
    "tables",
)
_FUNCTIONS = {
    "draft": "opslib.proposals.drafting:draft",
    "open_page": "opslib.page:open_page",
    "open_shop": "opslib.shop.opening:open_shop",
}

if TYPE_CHECKING:  # type checkers and editors see the same names, and no others
    from opslib import channels as channels
    from opslib import charts as charts
    from opslib import classification as classification
    from opslib import content as content
    from opslib import demand as demand
    from opslib import investigation as investigation
    from opslib import kpis as kpis
    from opslib import paths as paths
    from opslib import positioning as positioning
    from opslib import product_control as product_control
    from opslib import segmentation as segmentation
    from opslib import tables as tables
    from opslib.page import open_page as open_page
    from opslib.proposals.drafting import draft as draft
    from opslib.shop.opening import open_shop as open_shop
else:

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return importlib.import_module(f"{__name__}.{name}")
        if name not in _FUNCTIONS:
            raise AttributeError(f"module 'opslib' has no attribute '{name}'")
        home, _, function = _FUNCTIONS[name].partition(":")
        return getattr(importlib.import_module(home), function)


def __dir__() -> list[str]:
    return sorted([*_MODULES, *_FUNCTIONS, "__version__"])
