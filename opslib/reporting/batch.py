"""Batch run: every notebook of a plan executed, rendered, and published together."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
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
from opslib.reporting.links import page_links, with_links
from opslib.reporting.manifest import PageRecord
from opslib.reporting.parameters import load_notebook
from opslib.reporting.plans import PlannedPage, RunPlan, is_about_a_proposal
from opslib.reporting.progress import ProgressBoard
from opslib.reporting.render import files_beside, first_heading, page_title, render_page
from opslib.reporting.since import PERIOD, snapshot
from opslib.shop.disk import write_whole
from opslib.shop.latest import RUN_FOLDER


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
    with publishing.output_lock(plan.folder):
        started = datetime.now(UTC)
        work = _Work(plan, is_forced=is_forced)
        work.building.mkdir(exist_ok=True)
        seconds = {name: r.seconds for name, r in {**work.latest, **work.resumed}.items()}
        with ProgressBoard(plan.pages, seconds=seconds, is_shown=progress) as board:
            records = work.make_all(board)
        kept, left_out = work.keep_others() if plan.is_partial else ((), {})
        return work.publish((*records, *kept), left_out=left_out, started=started)


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
    work = _Work(plan, is_forced=is_forced)
    return {page.name: work.why(page)[1] for page in plan.pages}


class _Work:
    """The pages of one run while they are being made."""

    def __init__(self, plan: RunPlan, *, is_forced: bool) -> None:
        self.plan, self.is_forced, self.folder = plan, is_forced, plan.folder
        self.building, self.shown = self.folder / publishing.BUILDING, self.folder / publishing.LATEST
        self.latest = manifest.read_page_records(self.shown)
        self.resumed = manifest.read_page_records(self.building)  # left by a run that was cut off
        self.failed: dict[str, Path] = {}
        self.done: dict[str, PageRecord] = {}

    def publish(self, records: tuple[PageRecord, ...], *, left_out: Mapping[str, str], started: datetime) -> RunResult:
        """Put the index to the pages and publish them all, unless nothing differs from what is published."""
        plan, linked = self.plan, self._linked(records)
        is_same, records = linked == records, linked
        before = self._before(records)
        index = render_index(
            records, shop=plan.shop, origin=plan.origin, before=before, left_out=left_out, promises=plan.promises,
            where=plan.where, standings=plan.standings,
        )  # fmt: skip
        is_same = is_same and set(self.latest) == {r.name for r in records} and not any(r.why_run for r in records)
        is_same = is_same and (self.shown / "index.html").read_text(encoding="utf-8") == index
        if is_same:
            publishing.remove(self.building)
            target = self.shown.resolve()
        else:
            keep = {name for r in records for name in (f"{r.name}.html", f"{r.name}.json", *r.files)}
            for stale in [p for p in self.building.iterdir() if p.name not in keep]:
                publishing.remove(stale)
            name = publishing.run_name(self.folder, now=started)
            write_whole(self.building / "index.html", index)
            manifest.write_manifest(
                self.building,
                run=name,
                shop=plan.shop,
                started=started,
                records=records,
                fingerprint=plan.fingerprint,
                before=before,
                exports=manifest.read_exports(self.shown),
            )
            target = publishing.publish(self.folder, name)
        return RunResult(
            index_path=target / "index.html",
            latest_path=self.shown / "index.html",
            pages=records,
            is_new=not is_same,
            failed=self.failed,
        )

    def _linked(self, records: tuple[PageRecord, ...]) -> tuple[PageRecord, ...]:
        """The pages with links to each other, written anew where these are others than a page had."""
        links, linked = page_links(records, self.plan.standings), []
        for record in records:
            path = self.building / f"{record.name}.html"
            text = path.read_text(encoding="utf-8")
            linked.append(record)
            if (whole := with_links(text, record, links)) != text:
                linked[-1] = replace(record, sha256=manifest.sha256(whole.encode()))
                write_whole(path, whole)
                manifest.write_record(linked[-1], self.building)
        return tuple(linked)

    def _before(self, records: Sequence[PageRecord]) -> Mapping[str, Any] | None:
        """What this report is compared with: the published one, or what that was compared with where the data are the same.

        So the same data made again give the same bytes, however often, and whatever was pruned.
        """
        past = snapshot([*self.latest.values()])
        is_other = self.latest and past["state"] != snapshot(records)["state"]
        return past if is_other else manifest.read_before(self.shown)

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

    def why(self, page: PlannedPage) -> tuple[Path, str]:
        """Folder of the page as a cut-off run left it if that still holds, else as it is published; why it does not hold."""
        key = self._key(page.content, page.parameters)
        if not self.is_forced and page.name in self.resumed and not self._why_again(self.resumed[page.name], key):
            return self.building, ""
        why = self._why_again(self.latest.get(page.name), key)
        return self.shown, "it was asked for" if self.is_forced else why

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

    def _make(self, page: PlannedPage, board: ProgressBoard) -> PageRecord:
        source, why = self.why(page)
        if why:
            record = self._compute(page, board, why=why)
        else:
            previous = self.resumed if source == self.building else self.latest
            record = replace(previous[page.name], why_run="")
            for name in (f"{page.name}.html", *record.files):
                publishing.carry_over(source / name, self.building / name)
        manifest.write_record(record, self.building)
        board.finished(page.name, status=record.status if record.why_run else "unchanged", seconds=record.seconds)
        return record

    def keep_others(self) -> tuple[tuple[PageRecord, ...], dict[str, str]]:
        """Pages of notebooks that were not asked for: carried over where they hold, else named with the reason."""
        names, folder = {page.name for page in self.plan.pages}, self.plan.pages[0].notebook.parent
        kept: list[PageRecord] = []
        left_out: dict[str, str] = {}
        others = {path.name: path for path in sorted(folder.glob("[0-9]*_*.ipynb"))}
        for page in self.plan.pages:
            others.pop(page.notebook.name, None)
        asked = {page.parameters.get("proposal") for page in self.plan.pages} - {None}
        others_of_latest = (r for r in self.latest.values() if r.name not in names)
        for record in (r for r in others_of_latest if r.parameters.get("proposal") not in asked):
            path = others.get(record.notebook) or folder / record.notebook
            why = self._why_not_kept(record, path)
            if why:
                left_out.setdefault(record.notebook, why)
                continue
            for name in (f"{record.name}.html", f"{record.name}.json", *record.files):
                publishing.carry_over(self.shown / name, self.building / name)
            kept.append(replace(record, why_run=""))
        missing = [n for n in others if n not in left_out and n not in {r.notebook for r in self.latest.values()}]
        left_out |= dict.fromkeys(missing, "no earlier report has it")
        titles = {name: first_heading(load_notebook(others[name])) for name in left_out if name in others}
        return tuple(kept), {titles.get(name, name): why for name, why in sorted(left_out.items())}

    def _why_not_kept(self, record: PageRecord, path: Path) -> str:
        """Why an earlier page does not hold beside the new ones: it is about other data, another period or other rows, or failed."""
        if not path.is_file():
            return "its notebook is gone"
        key = self._key(load_notebook(path), record.parameters)
        asked = [page.parameters for page in self.plan.pages if not is_about_a_proposal(page.parameters)]
        if record.status == "failed":
            return manifest.reason_to_run(record, key)
        if asked and not record.harvest.proposals and any(record.parameters[p] != asked[0][p] for p in PERIOD):
            return "it is about another period"
        if asked and not record.harvest.proposals and record.parameters["where"] not in {p["where"] for p in asked}:
            return "it is about other rows, and two pages about some of the same people could be set against each other"
        return differences(record.asked, self._resolve)

    def _key(self, content: Any, parameters: Mapping[str, Any]) -> dict[str, str]:
        return manifest.page_key(
            content,
            parameters=parameters,
            options={"is_code_shown": self.plan.is_code_shown, **self.plan.origin},
        )

    def _compute(self, page: PlannedPage, board: ProgressBoard, *, why: str) -> PageRecord:
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
            kept = f"{self.plan.folder.name}-{page.name}"
            self.failed[page.name] = publishing.keep_failed(self.plan.out, kept, nbformat.writes(done.notebook))
        beside = {f"{page.name}-{end}": whole for end, whole in files_beside(done.notebook).items() if status == "ok"}
        for name, content in {**beside, f"{page.name}.html": text}.items():
            write_whole(self.building / name, content)
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
            files=tuple(beside),
            asked=fingerprints(found.provenance.get("asked") or EVERYTHING, self._resolve),
        )

    def _rendered(self, page: PlannedPage, done: Execution) -> tuple[str, str, str]:
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
