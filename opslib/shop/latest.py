"""Findings of other pages: of the run that is being made, else of the published report."""

from __future__ import annotations

import json
import os
from pathlib import Path

from opslib.finding import Finding
from opslib.periods import Period
from opslib.shop.root import project_root

#: Environment variable with the folder of the run that is being made.
RUN_FOLDER = "OPSLIB_RUN"


def findings_of(page: str, *, shop: str, period: Period) -> tuple[tuple[Finding, ...], str]:
    """Findings of a page of a shop about the same days.

    Parameters
    ----------
    page : str
        Name of the page, e.g. ``70_statistics``.
    shop : str
        Name of the shop.
    period : Period
        Days that the findings must be about; numbers of other days are never lent.

    Returns
    -------
    (tuple of Finding, str)
        The findings, and a sentence why there are none; '' where there are.
    """
    run = os.environ.get(RUN_FOLDER, "")
    places = [Path(run), Path(run).parent / "latest"] if run else [project_root() / "reports" / shop / "latest"]
    file = next((place / f"{page}.json" for place in places if (place / f"{page}.json").is_file()), None)
    if file is None:
        return (), f"No report has page {page} yet; opslib run {shop} --only {page} makes it."
    harvest = json.loads(file.read_text(encoding="utf-8"))["harvest"]
    told = harvest.get("provenance", {})
    if not told.get("start") or Period.parse(told["start"], told["end"]) != period:
        return (
            (),
            f"Page {page} of the latest report is about other days than {period.label}, so none of it stands here.",
        )
    return tuple(Finding.from_json(item) for item in harvest.get("findings", harvest.get("evidence", []))), ""
