"""How often the investigation is right on simulated shops of several seeds: planted causes first, and silence where nothing is planted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import ibis.expr.types as ir

from opslib import engine
from opslib import investigation as inv
from opslib.metrics import with_local_days
from opslib.periods import Coverage, Period
from opslib.simulate.config import ShopConfig, preset
from opslib.simulate.simulation import simulate_shop

#: A figure, its period, its baseline, and the description of what is planted between them.
PLANTED = (
    ("conversion", ("2026-05-01", "2026-05-31"), ("2026-03-01", "2026-03-31"), "New address form on phones, mended on 20 July"),
    ("conversion", ("2026-08-01", "2026-08-31"), ("2026-06-01", "2026-06-30"), "New address form on phones, mended on 20 July"),
    ("conversion", ("2026-02-01", "2026-02-28"), ("2025-12-01", "2025-12-31"), "New desktop navigation, taken back"),
    ("sessions", ("2026-10-01", "2026-10-31"), ("2026-08-01", "2026-08-31"), "Social campaign doubled"),
)  # fmt: skip
QUIET = {"effect_scale": 0.0, "trend": 0.0, "level_break": 0.0, "annual_season": False, "promotions": False, "outages": False,
         "carry_over": 0.0, "missing_days": 0}  # fmt: skip
"""A shop in which nothing happens, but weekdays and correlated daily shocks stay."""
MONTHS = ("2026-03", "2026-05", "2026-08")


@contextmanager
def simulated(seed: int, **changes: object) -> Iterator[tuple[dict[str, ir.Table], Coverage]]:
    """A shop of 20,000 orders."""
    config: ShopConfig = preset("demo", **changes)
    with TemporaryDirectory() as folder:
        simulate_shop(Path(folder) / "shop", config=config, seed=seed)
        backend, root = engine.connect("duckdb://"), Path(folder) / "shop"
        names = {path.parent.name for path in root.glob("*/part-*.parquet")}
        tables = {
            name: backend.read_parquet(f"{root}/{name}/*.parquet", table_name=name)
            for name in sorted(names - {"truth"})
        }
        missing = {
            date.fromisoformat(day) for day in json.loads((root / "truth.json").read_text())["shop"]["missing_days"]
        }
        yield with_local_days(tables, zone=config.time_zone), Coverage(config.start, config.end, frozenset(missing))


def first_causes(seed: int) -> list[tuple[str, str, str]]:
    """Of each planted case: what is planted, what stands first, and its verdict."""
    told = []
    with simulated(seed) as (tables, seen):
        for metric, period, baseline, planted in PLANTED:
            asked = inv.choose_question(
                tables,
                metric=metric,
                period=Period.parse(*period),
                coverage=seen,
                baseline_start=baseline[0],
                baseline_end=baseline[1],
            )
            line = inv.daily_course(tables, question=asked, coverage=seen)
            causes = inv.possible_causes(tables, line, question=asked, coverage=seen)
            told.append((planted, causes["description"].iloc[0], causes["verdict"].iloc[0]))
    return told


def quiet_verdicts(seed: int) -> list[str]:
    """What is said of three figures in three months of a quiet shop, each against the month before."""
    said = []
    with simulated(seed, **QUIET) as (tables, seen):
        for month in MONTHS:
            period = Period.parse(f"{month}-01", f"{month}-28")
            before = period.previous()
            for metric in ("revenue", "sessions", "conversion"):
                dates = {"baseline_start": before.start.isoformat(), "baseline_end": before.end.isoformat()}
                asked = inv.choose_question(tables, metric=metric, period=period, coverage=seen, **dates)
                line = inv.daily_course(tables, question=asked, coverage=seen)
                said.append(inv.measured_change(tables, line, question=asked, coverage=seen).verdict)
    return said
