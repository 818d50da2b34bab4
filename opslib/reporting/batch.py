"""A run: every page of a plan through its kernel, onto its page, and published together."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import nbformat

from opslib.errors import ReportError
from opslib.reporting import kernels, manifest, publishing
from opslib.reporting.asked import EVERYTHING, differences, fingerprints, rounds
from opslib.reporting.execution import Execution, execute, stop_all
from opslib.reporting.harvest import harvest
from opslib.reporting.index import render_index
from opslib.reporting.manifest import PageRecord
from opslib.reporting.parameters import load_notebook
from opslib.reporting.plans import BatchFile, Page, RunPlan, is_about_a_proposal, plan_run, read_batch, shop_facts
from opslib.reporting.progress import ProgressBoard
from opslib.reporting.publishing import prune
from opslib.reporting.render import first_heading, page_title, render_page
from opslib.reporting.since import PERIOD, snapshot
from opslib.shop.latest import RUN_FOLDER

__all__ = [
    "BatchFile",
    "Page",
    "RunPlan",
    "RunResult",
    "explain",
    "is_about_a_proposal",
    "plan_run",
    "prune",
    "read_batch",
    "run",
    "shop_facts",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What a run left behind."""

    index_path: Path  # the run's index.html
    latest_path: Path  # the same page at its stable address
    pages: tuple[PageRecord, ...]  # in the order of the plan
    is_new: bool  # False when nothing had changed, so no run was added
    failed: Mapping[str, Path]  # half-run notebooks kept, by page

    @property
    def exit_code(self) -> int:
        """1 if a page failed, else 0."""
        return int(any(page.status == "failed" for page in self.pages))


def run(plan: RunPlan, *, progress: bool = True, is_forced: bool = False) -> RunResult:
    """Make every page of a plan that changed, carry over the others, and publish them together.

    Parameters
    ----------
    plan : RunPlan
        From `plan_run`.
    progress : bool
        Whether to draw a progress bar.
    is_forced : bool
        Whether unchanged pages are computed all the same.

    Returns
    -------
    RunResult
        Paths, pages and exit code. A failed page is a page that says so; it does not stop the others.

    Raises
    ------
    ReportError
        If another run writes to the same output.
    """
    folder = plan.out / plan.shop
    with publishing.locked(folder):
        started = datetime.now(UTC)
        work = _work(plan, is_forced=is_forced)
        work.building.mkdir(exist_ok=True)
        latest = work.latest
        seconds = {name: r.seconds for name, r in {**latest, **work.resumed}.items()}
        with ProgressBoard(plan.pages, seconds=seconds, is_shown=progress) as board:
            records = work.make_all(board)
        kept, left_out = work.keep_others() if plan.is_partial else ((), {})
        return _published(
            plan, (*records, *kept), latest=latest, left_out=left_out, failed=work.failed, started=started
        )


def explain(plan: RunPlan, *, is_forced: bool = False) -> dict[str, str]:
    """Why a run would make each page; nothing is run.

    Parameters
    ----------
    plan : RunPlan
        From `plan_run`.
    is_forced : bool
        As for `run`.

    Returns
    -------
    dict of str to str
        By page; '' where what is published still holds.
    """
    work = _work(plan, is_forced=is_forced)
    return {page.name: work.why(page)[1] for page in plan.pages}


def _work(plan: RunPlan, *, is_forced: bool) -> _Work:
    folder = plan.out / plan.shop
    building = folder / publishing.BUILDING
    return _Work(
        plan=plan,
        building=building,
        latest=manifest.read_records(folder / publishing.LATEST),
        resumed=manifest.read_records(building),  # left by a run that was cut off
        is_forced=is_forced,
    )


def _published(
    plan: RunPlan,
    records: tuple[PageRecord, ...],
    *,
    latest: Mapping[str, PageRecord],
    left_out: Mapping[str, str],
    failed: Mapping[str, Path],
    started: datetime,
) -> RunResult:
    folder = plan.out / plan.shop
    building, shown = folder / publishing.BUILDING, folder / publishing.LATEST
    before = _before(records, tuple(latest.values()), shown)
    index = render_index(
        records, shop=plan.shop, origin=plan.origin, before=before, left_out=left_out, promises=plan.promises
    )
    is_same = set(latest) == {r.name for r in records} and not any(r.why_run for r in records)
    is_same = is_same and (shown / "index.html").read_text(encoding="utf-8") == index
    if is_same:
        publishing.remove(building)
        target = shown.resolve()
    else:
        keep = {f"{r.name}{end}" for r in records for end in (".html", ".json")}
        for stale in [p for p in building.iterdir() if p.name not in keep]:
            publishing.remove(stale)
        name = publishing.run_name(folder, now=started)
        manifest.write_text(building / "index.html", index)
        times = [t.isoformat(timespec="seconds") for t in (started, datetime.now(UTC))]
        manifest.write_manifest(
            building,
            run=name,
            shop=plan.shop,
            times=times,
            records=records,
            fingerprint=plan.fingerprint,
            before=before,
        )
        target = publishing.publish(folder, name)
    return RunResult(
        index_path=target / "index.html",
        latest_path=shown / "index.html",
        pages=records,
        is_new=not is_same,
        failed=failed,
    )


def _before(records: tuple[PageRecord, ...], latest: tuple[PageRecord, ...], shown: Path) -> Mapping[str, Any] | None:
    """What this report is compared with: the published one, or what that was compared with where the data are the same.

    So the same data made again give the same bytes, however often, and whatever was pruned.
    """
    past = snapshot(latest)
    return past if latest and past["state"] != snapshot(records)["state"] else manifest.read_before(shown)


@dataclass(slots=True, kw_only=True)
class _Work:
    """The pages of one run while they are being made."""

    plan: RunPlan
    building: Path
    latest: Mapping[str, PageRecord]
    resumed: Mapping[str, PageRecord]
    is_forced: bool
    failed: dict[str, Path] = field(default_factory=dict)
    done: dict[str, PageRecord] = field(default_factory=dict)

    def make_all(self, board: ProgressBoard) -> tuple[PageRecord, ...]:
        """All pages, several at a time, each after those whose findings it reads; the order of the plan in the end."""
        order = rounds({page.notebook.stem: page.content for page in self.plan.pages})
        with ThreadPoolExecutor(max_workers=self.plan.n_workers) as pool:
            try:
                for names in order:
                    pages = [page for page in self.plan.pages if page.notebook.stem in names]
                    for future in as_completed([pool.submit(self._make, page, board) for page in pages]):
                        record = future.result()
                        self.done[record.name] = record
            except BaseException:  # Ctrl-C too: leave no page running for nobody
                pool.shutdown(wait=False, cancel_futures=True)
                stop_all()
                raise
        return tuple(self.done[page.name] for page in self.plan.pages)

    def why(self, page: Page) -> tuple[Path, str]:
        """Folder of the page as a cut-off run left it if that still holds, else as it is published; why it does not hold."""
        key = self._key(page.content, page.parameters)
        if not self.is_forced and page.name in self.resumed and not self._why_again(self.resumed[page.name], key):
            return self.building, ""
        published = self.building.parent / publishing.LATEST
        why = self._why_again(self.latest.get(page.name), key)
        return published, "it was asked for" if self.is_forced else why

    def _why_again(self, record: PageRecord | None, key: Mapping[str, str]) -> str:
        reasons = [manifest.reason_to_run(record, key)]
        if record is not None and record.status != "failed":
            reasons.append(differences(record.asked, self._resolve))
        return "; ".join(filter(None, reasons))

    def _resolve(self, kind: str, name: str) -> str | None:
        """Fingerprint of what a page asks for: other pages' findings as they stand in this run, the rest by the plan."""
        if kind != "page":
            return self.plan.resolve(kind, name)
        record = self.done.get(name) or self.latest.get(name)
        return manifest.digest(record.harvest.findings) if record else "absent"

    def _make(self, page: Page, board: ProgressBoard) -> PageRecord:
        source, why = self.why(page)
        if why:
            record = self._compute(page, board, why=why)
        else:
            previous = self.resumed if source == self.building else self.latest
            record = replace(previous[page.name], why_run="")
            publishing.carry_over(source / f"{page.name}.html", self.building / f"{page.name}.html")
        manifest.write_record(record, self.building)
        board.finished(page.name, status=record.status if record.why_run else "unchanged", seconds=record.seconds)
        return record

    def keep_others(self) -> tuple[tuple[PageRecord, ...], dict[str, str]]:
        """Pages of notebooks that were not asked for: carried over where they hold, else named with the reason."""
        names, folder = {page.name for page in self.plan.pages}, self.plan.pages[0].notebook.parent
        kept: list[PageRecord] = []
        left_out: dict[str, str] = {}
        others = {path.name: path for path in sorted(folder.glob("[0-9]*_*.ipynb"))}
        for notebook in {page.notebook.name for page in self.plan.pages}:
            others.pop(notebook, None)
        for record in (r for r in self.latest.values() if r.name not in names):
            path = others.get(record.notebook) or folder / record.notebook
            why = self._why_not_kept(record, path)
            if why:
                left_out.setdefault(record.notebook, why)
                continue
            for end in (".html", ".json"):
                publishing.carry_over(
                    self.building.parent / publishing.LATEST / f"{record.name}{end}",
                    self.building / f"{record.name}{end}",
                )
            kept.append(replace(record, why_run=""))
        missing = [n for n in others if n not in left_out and n not in {r.notebook for r in self.latest.values()}]
        left_out |= dict.fromkeys(missing, "no earlier report has it")
        titles = {name: first_heading(load_notebook(others[name])) for name in left_out if name in others}
        return tuple(kept), {titles.get(name, name): why for name, why in sorted(left_out.items())}

    def _why_not_kept(self, record: PageRecord, path: Path) -> str:
        """Why an earlier page does not hold beside the new ones: it is about other data, another period, or failed."""
        if not path.is_file():
            return "its notebook is gone"
        key = self._key(load_notebook(path), record.parameters)
        asked = [page.parameters for page in self.plan.pages if not is_about_a_proposal(page.parameters)]
        if record.status == "failed":
            return manifest.reason_to_run(record, key)
        if asked and not record.harvest.proposals and any(record.parameters[p] != asked[0][p] for p in PERIOD):
            return "it is about another period"
        return differences(record.asked, self._resolve)

    def _key(self, content: Any, parameters: Mapping[str, Any]) -> dict[str, str]:
        return manifest.page_key(
            content,
            parameters=parameters,
            options={"is_code_shown": self.plan.is_code_shown, **self.plan.origin},
        )

    def _compute(self, page: Page, board: ProgressBoard, *, why: str) -> PageRecord:
        if kernels.is_warm():
            kernels.server(kernels.imported_modules(p.content for p in self.plan.pages))
        done = execute(
            page.content,
            page.parameters,
            folder=page.notebook.parent,
            timeout=self.plan.timeout,
            on_cell=lambda n_done: board.ran_cells(page.name, n_done),
            environment={RUN_FOLDER: str(self.building)},
        )
        text, status, reason = self._rendered(page, done)
        if status == "failed":
            kept = f"{self.plan.shop}-{page.name}"
            self.failed[page.name] = publishing.keep_failed(self.plan.out, kept, nbformat.writes(done.notebook))
        manifest.write_text(self.building / f"{page.name}.html", text)
        found = harvest(done.notebook)
        return PageRecord(
            name=page.name,
            notebook=page.notebook.name,
            title=page_title(done.notebook),
            answer=" ".join(found.answer) if status == "ok" else "",
            status=status,
            reason=reason,
            why_run=why,
            seconds=round(done.seconds, 3),
            parameters=dict(page.parameters),
            key=self._key(page.content, page.parameters),
            sha256=manifest.sha256(text.encode()),
            harvest=found,
            asked=fingerprints(found.provenance.get("asked") or EVERYTHING, self._resolve),
        )

    def _rendered(self, page: Page, done: Execution) -> tuple[str, str, str]:
        """The page's text, with the status that it shows: a page that cannot be rendered has failed too."""
        found = harvest(done.notebook)
        is_empty = done.status == "ok" and not found.findings and found.is_without_data
        status = "not available" if is_empty else done.status
        render = partial(
            render_page,
            done.notebook,
            parameters=page.parameters,
            versions=manifest.versions(),
            is_code_shown=self.plan.is_code_shown,
            origin=self.plan.origin,
        )
        try:
            return render(status=status, reason=done.reason), status, done.reason
        except ReportError as error:
            reason = str(error)
        except Exception as error:  # one page's markup must not take the other pages along
            logging.getLogger(__name__).exception("%s could not be rendered", page.name)
            reason = f"it could not be rendered: {type(error).__name__}"
        return render(status="failed", reason=reason), "failed", reason
