"""Parquet as the contracts describe it, part by part, in a writing thread."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from opslib.simulate.draws import Ints

MONEY = pa.decimal128(18, 4)
MOMENT = pa.timestamp("us")
_ROWS_PER_PART = 5_000_000


def money_column(values: Ints) -> pa.Array:
    """DECIMAL(18, 4) from whole ten-thousandths."""
    halves = np.empty((len(values), 2), dtype=np.int64)
    halves[:, 0] = values
    halves[:, 1] = halves[:, 0] >> 63
    return pa.Array.from_buffers(MONEY, len(values), [None, pa.py_buffer(halves)])


def moments(values: Ints) -> pa.Array:
    """Naive UTC times from microseconds since 1970."""
    return pa.array(np.ascontiguousarray(values, dtype=np.int64)).view(MOMENT)


def dates(first: np.datetime64, offsets: Ints) -> pa.Array:
    """Dates from a first day and offsets in days."""
    return pa.array((first.astype("datetime64[D]").astype(np.int64) + offsets).astype(np.int32)).view(pa.date32())


def ids(prefix: str, numbers: Ints, width: int) -> pa.Array:
    """Strings of a letter and a zero-padded number."""
    n, start = len(numbers), len(prefix)
    text = np.empty((n, start + width), dtype=np.uint8)
    text[:, :start] = np.frombuffer(prefix.encode(), dtype=np.uint8)
    rest = np.asarray(numbers, dtype=np.int64).copy()
    for place in range(start + width - 1, start - 1, -1):
        text[:, place] = 48 + rest % 10
        rest //= 10
    offsets = (np.arange(n + 1, dtype=np.int64) * (start + width)).astype(np.int32)
    return pa.StringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(text))


def coded(codes: Ints, words: list[str] | tuple[str, ...] | pa.Array, *, is_null: np.ndarray | None = None) -> pa.Array:
    """Strings given by code: a dictionary array; a negative code (or ``is_null``) is empty."""
    missing = codes < 0 if is_null is None else (codes < 0) | is_null
    index = pa.array(np.where(missing, 0, codes).astype(np.int32), mask=missing if missing.any() else None)
    return pa.DictionaryArray.from_arrays(index, words if isinstance(words, pa.Array) else pa.array(words, pa.string()))


class Parts:
    """Writes tables to ``<folder>/<table>/part-*.parquet``; chunks of one table in the order they come.

    Parameters
    ----------
    folder : Path
        Folder of the shop.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.n_rows: dict[str, int] = {}
        self._open: dict[str, tuple[pq.ParquetWriter, int, int]] = {}
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._pending: list[Future[None]] = []

    def __enter__(self) -> Parts:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for pending in self._pending:
                pending.result()
        finally:
            self._pool.shutdown()
            for writer, _, _ in self._open.values():
                writer.close()

    def write(self, tables: dict[str, Any]) -> None:
        """Hand one chunk of some tables to the writing thread; waits while one chunk is still being written."""
        while len(self._pending) > 1:
            self._pending.pop(0).result()
        self._pending.append(self._pool.submit(self._write, tables))

    def _write(self, tables: dict[str, Any]) -> None:
        several = ((name, each if isinstance(each, list) else [each]) for name, each in tables.items())
        for name, columns in ((name, columns) for name, each in several for columns in each):
            table = pa.table(columns)
            self.n_rows[name] = self.n_rows.get(name, 0) + table.num_rows
            writer, part, written = self._open.get(name, (None, 0, 0))
            if writer is None or written > _ROWS_PER_PART:
                if writer is not None:
                    writer.close()
                    part, written = part + 1, 0
                path = self.folder / name / f"part-{part:05d}.parquet"
                path.parent.mkdir(parents=True, exist_ok=True)
                writer = pq.ParquetWriter(
                    path,
                    table.schema,
                    compression="zstd",
                    compression_level=1,
                    write_statistics=False,  # rows come by person: no range of a column would leave a part out
                    store_schema=False,
                    store_decimal_as_integer=True,
                )
            if table.num_rows or not written:
                writer.write_table(table)
            self._open[name] = (writer, part, written + table.num_rows)
