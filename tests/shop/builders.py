"""Small files and shop descriptions for the tests of the data room."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import yaml

from opslib.engine import collect
from opslib.shop import opening
from opslib.shop.opening import Shop

#: Nine lines of four orders, counted by hand in the tests that use them.
ORDERS = pd.DataFrame(
    {
        "No": ["A1", "A1", "A2", "A3", "A3", "A3", "A4", "A4", "A4"],
        "Pos": ["1", "2", "1", "1", "2", "3", "1", "2", "3"],
        "Client": ["c1", "c1", "c2", None, None, None, "c1", "c1", "c1"],
        "Sku": ["p1", "p2", "p1", "p3", "p1", "p2", "p2", "p3", "p1"],
        "When": ["2026-03-01 10:00:00"] * 2
        + ["2026-03-02 11:30:00"]
        + ["2026-03-28 23:30:00"] * 3
        + ["2026-03-29 23:30:00"] * 3,
        "Qty": ["2", "1", "3", "1", "1", "4", "2", "1", "1"],
        "Price": ["10.00", "2.50", "10.00", "99.99", "10.00", "2.50", "2.50", "99.99", "10.00"],
        "Off": ["1.00", None, None, "9.99", None, None, None, None, "0.50"],
    }
)
#: 20 - 1 + 2.5 + 30 + 99.99 - 9.99 + 10 + 10 + 5 + 99.99 + 10 - .5
REVENUE = 275.99
COLUMNS = {
    "order_id": "No", "line_id": "Pos", "customer_id": "Client", "product_id": "Sku", "ordered_at": "When", "quantity": "Qty",
    "unit_price": "Price", "discount_amount": "Off",
}  # fmt: skip


def write_csv(frame: pd.DataFrame, path: Path, **options: Any) -> Path:
    """A csv file, gzipped if its name ends so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = frame.to_csv(index=False, **{k: v for k, v in options.items() if k != "encoding"})
    data = text.encode(options.get("encoding", "utf-8"))
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def write_xlsx(
    frame: pd.DataFrame, path: Path, *, kinds: Mapping[str, Callable[[Any], Any]] | None = None, sheet: str = "Orders"
) -> Path:
    """An xlsx file whose cells have the kinds that a spreadsheet would give them."""
    book = openpyxl.Workbook()
    page = book.active
    page.title = sheet
    page.append(list(frame.columns))
    for row in frame.itertuples(index=False):
        cells = [None if pd.isna(v) else (kinds or {}).get(c, str)(v) for c, v in zip(frame.columns, row, strict=True)]
        page.append(cells)
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)
    return path


def write_ndjson(rows: Sequence[Mapping[str, Any]], path: Path) -> Path:
    """One JSON object a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_shop(folder: Path, **keys: Any) -> Path:
    """A shop.yml with the given keys."""
    said = {"prices_include_tax": False} if "tables" in keys else {}
    shop = {"name": "test", "title": "Test shop", "currency": "EUR", "time_zone": "Europe/Berlin", **said, **keys}
    path = folder / "shop.yml"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(shop, sort_keys=False), encoding="utf-8")
    return path


def open_orders(
    folder: Path,
    files: str | list[str],
    *,
    columns: Mapping[str, Any] | None = None,
    shop: Mapping[str, Any] | None = None,
    **table: Any,
) -> Shop:
    """A shop of one table of order lines."""
    source = {"files": files, "columns": dict(columns if columns is not None else COLUMNS), **table}
    return opening.open_shop(write_shop(folder, tables={"order_lines": source}, **(shop or {})), root=folder)


def frame_of(shop: Shop, table: str) -> pd.DataFrame:
    """All rows of a table, ordered by all its columns."""
    rows = shop.table(table)
    return collect(rows.order_by([rows[c] for c in rows.columns]), max_rows=1_000_000)
