"""The text of docs/parity.md: which functions the parity tests ask, of which shops, and what counts as equal."""

from __future__ import annotations

from collections.abc import Iterator

from tests.engines.cases import EXCEPTIONS, cases
from tests.engines.comparing import ABSOLUTE, RELATIVE
from tests.engines.shops import ENGINES


def report() -> Iterator[str]:
    """Lines of the page."""
    yield "# The same answers on three engines\n"
    yield "Written by `make docs`. `make parity` asks every function below of both shops on every engine and is red at the first difference;"
    yield "CI does so for every commit, with no engine missing, but for Spark on the simulated shop, for which its time is too short.\n"
    yield f"- Functions: {len(cases())}, all public ones that take a table, found by introspection of the rooms and of `shop.checks`"
    yield "  and `shop.coverage`; one without a case fails the tests."
    yield f"- Compared with DuckDB on files: {', '.join(ENGINES)} (PostgreSQL as a role whose transactions are all read-only), each opened"
    yield "  by a `shop.yml`; the tables there are raw, so each engine derives local days and revenue itself."
    yield "- Shops: one simulated (400 orders, 23 tables, seed 7), one made by hand (ties, missing values, zero denominators, both change-overs of"
    yield "  the clocks, groups of one row, money of half a fourth decimal, text that sorts by bytes)."
    yield "- Whole numbers, text, dates, truth values, types and the order of small results: exactly."
    yield f"- Floats: {RELATIVE:g} relative, {ABSOLUTE:g} absolute.\n"
    yield "| room | functions |"
    yield "|---|---|"
    rooms: dict[str, list[str]] = {}
    for name in sorted(cases()):
        room, _, function = name.rpartition(".")
        rooms.setdefault(room, []).append(f"`{function}`")
    yield from (f"| `{room}` | {', '.join(functions)} |" for room, functions in rooms.items())
    yield "\nNot asked, with the reason:\n"
    yield from (f"- `{name}`: {why}." for name, why in sorted(EXCEPTIONS.items()))
