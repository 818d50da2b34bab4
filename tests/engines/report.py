"""Write docs/parity.md: ``python -m tests.engines.report`` asks every function on every engine and notes what it finds."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Iterable
from importlib.metadata import version

from tests.conftest import ROOT
from tests.engines.cases import CASES, EXCEPTIONS, asked, expected
from tests.engines.comparing import ABSOLUTE, RELATIVE, differences
from tests.engines.servers import spark_backend
from tests.engines.shops import ENGINES, SHOPS, world

TARGET = ROOT / "docs" / "parity.md"


def verdict(name: str, engine_name: str) -> str:
    """Equal on both shops, or the first difference."""
    found = [
        d for shop in SHOPS for d in differences(expected(name, shop), asked(name, world(shop, engine_name)), shop)
    ]
    return found[0].replace("|", "/") if found else "equal"


def _commit() -> str:
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + (
        " with changes" if git("status", "--porcelain", "--", "opslib", "tests/engines") else ""
    )


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def _engines() -> str:
    server = world("nasty", "postgres").shop.connection.version.split()[0]
    packages = ", ".join(f"{name} {version(name)}" for name in ("ibis-framework", "sqlglot", "psycopg", "pandas"))
    return f"DuckDB {version('duckdb')}, PostgreSQL {server}, Spark {spark_backend().version}; {packages}"


def report() -> Iterable[str]:
    """Lines of the page."""
    commit = _commit()  # before the minutes in which the tree may move on
    seconds: dict[str, float] = {}
    rows: dict[str, dict[str, str]] = {}
    for name in sorted(CASES):
        for shop in SHOPS:
            expected(name, shop)
        rows[name] = {}
        for engine_name in ENGINES:
            started = time.perf_counter()
            rows[name][engine_name] = verdict(name, engine_name)
            seconds[engine_name] = seconds.get(engine_name, 0.0) + time.perf_counter() - started
    n_equal = sum(all(found == "equal" for found in row.values()) for row in rows.values())
    yield "# The same answers on three engines\n"
    yield "Written by `python -m tests.engines.report`; `make parity` runs the same comparisons as tests.\n"
    yield f"- Equal: {n_equal} of {len(rows)} public table functions, found by introspection of the rooms and of `data.checks` and `data.coverage`."
    yield "- Compared with DuckDB on files: a DuckDB database file, PostgreSQL (a role whose transactions are all read-only) and Spark, each opened"
    yield "  by a `shop.yml`; the tables there are raw, so each engine derives local days and revenue itself."
    yield "- Shops: one simulated (400 orders, 22 tables, seed 7), one made by hand (ties, missing values, zero denominators, both change-overs of"
    yield "  the clocks, groups of one row, money of half a fourth decimal, text that sorts by bytes)."
    yield f"- Whole numbers, text, dates, truth values, types and the order of small results: exactly. Floats: {RELATIVE:g} relative, {ABSOLUTE:g} absolute."
    yield f"- Machine: {_machine()}."
    yield f"- Versions: {_engines()}."
    yield f"- Commit: {commit}. Seconds for all functions on both shops: {', '.join(f'{n} {s:.0f}' for n, s in seconds.items())}.\n"
    yield f"| function | {' | '.join(ENGINES)} |"
    yield f"|---|{'---|' * len(ENGINES)}"
    for name, row in rows.items():
        yield f"| `{name}` | {' | '.join(row.values())} |"
    yield "\nNot asked, with the reason:\n"
    yield from (f"- `{name}`: {why}." for name, why in sorted(EXCEPTIONS.items()))


if __name__ == "__main__":
    TARGET.write_text("\n".join(report()) + "\n", encoding="utf-8")
    print(f"written: {TARGET.relative_to(ROOT)}")
