"""What `make full` leaves behind: one page with the counts, what was skipped and why, and what took longest."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

OUTCOMES = ("passed", "failed", "error", "skipped")
N_SLOWEST = 15
ROOT_OF_REPORTS = re.compile(r"^(?:Skipped: )?")


def page_of(stats: Mapping[str, Sequence[Any]]) -> str:
    """The page, in Markdown, of what pytest's terminal counted."""
    counts = {outcome: len(stats.get(outcome, ())) for outcome in OUTCOMES}
    reasons = Counter(ROOT_OF_REPORTS.sub("", report.longrepr[2]) for report in stats.get("skipped", ()))
    reports = [report for outcome in OUTCOMES for report in stats.get(outcome, ()) if hasattr(report, "duration")]
    slowest = sorted(reports, key=lambda report: -report.duration)[:N_SLOWEST]
    lines = [
        "# The last run of `make full`",
        "",
        "Written by `make full`: every test, the slow ones too. `make test` leaves those out and lists them; CI runs all.",
        "",
        f"- Result: {', '.join(f'{n} {outcome}' for outcome, n in counts.items())}.",
        f"- Commit: {_commit()}. Machine: {os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}.",
        "",
        "| skipped | why |",
        "|---|---|",
        *(f"| {n} | {reason} |" for reason, n in reasons.most_common()),
        "",
        "| seconds | the longest |",
        "|---|---|",
        *(f"| {report.duration:.0f} | `{report.nodeid}` |" for report in slowest),
    ]
    return "\n".join(lines) + "\n"


def _commit() -> str:
    done = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return done.stdout.strip()
