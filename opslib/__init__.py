"""opslib: an evidence bench for people who run an online shop."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opslib.page import open_page as open_page
    from opslib.shop.sources import open_shop as open_shop

__version__ = "0.1.0"
#: Names that are looked up when they are first asked for, so that `import opslib` loads nothing heavy.
_HOMES = {"open_page": "opslib.page", "open_shop": "opslib.shop.sources"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'opslib' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
