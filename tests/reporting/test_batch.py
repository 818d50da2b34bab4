"""Runs: pages made once, carried over while they hold, published together."""

from __future__ import annotations

import json
import shutil
import time
from types import SimpleNamespace

import nbformat
import pytest

from opslib.errors import NotAvailableError, ParameterError, ReportError
from opslib.reporting import batch, execution, manifest, plans, publishing
from opslib.reporting.execution import Execution
from opslib.reporting.harvest import harvest
from tests.reporting.notebooks import PROVENANCE, a_finding, notebook, rich_notebook, save, typed


def displayed(kind: str, value: dict) -> dict:
    data = {f"application/vnd.opslib.{kind}+json": value, "text/html": "<p>x</p>"}
    return {"output_type": "display_data", "data": data, "metadata": {}}


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """Three notebooks, and an execution that needs no kernel: it plays what the fixture says."""
    paths = [save(tmp_path / f"{n}.ipynb", notebook("1", title=f"Page {n}?")) for n in ("10_a", "20_b", "30_c")]
    play = {
        "10_a": (
            "ok",
            [
                displayed("answer", {"text": "A is 3."}),
                displayed("finding", a_finding("k", "A is 3.")),
                displayed("provenance", PROVENANCE),
            ],
        ),
        "20_b": ("ok", []),
        "30_c": (
            "not available",
            [
                {
                    "output_type": "error",
                    "ename": "NotAvailableError",
                    "traceback": [],
                    "evalue": str(NotAvailableError("reviews", "what disappoints")),
                }
            ],
        ),
    }
    ran: list[str] = []

    def fake(content, parameters, *, folder, timeout, on_cell, environment) -> Execution:
        name = content.cells[0].source.split()[2].rstrip("?")
        ran.append(name)
        status, outputs = play[name]
        done = notebook("1", title=f"Page {name}?")
        done.cells[-1].outputs = [nbformat.from_dict(o) for o in outputs]
        return Execution(notebook=done, status=status, reason="it broke" if status == "failed" else "", seconds=0.5)

    monkeypatch.setattr(batch, "execute", fake)
    monkeypatch.setattr(batch.kernels, "is_warm", lambda: False)

    def plan(fingerprint: str | None = "data-1", names: int = 3, now: dict | None = None, **options):
        """A plan whose every table has the same fingerprint; ``now`` says what another thing that is asked for has."""
        known = {"settings": "s", "days": "d", **(now or {})}
        return plans.plan_run(
            "demo", paths[:names], out=tmp_path / "reports", fingerprint=fingerprint, n_workers=2,
            resolve=lambda kind, name: known.get(kind, fingerprint), **options,
        )  # fmt: skip

    return SimpleNamespace(plan=plan, play=play, ran=ran, paths=paths, folder=tmp_path / "reports" / "demo")


def run(plan, **options):
    return batch.run(plan, progress=False, **options)


def test_a_run_has_a_page_a_notebook_an_index_and_a_manifest(shop) -> None:
    result = run(shop.plan())
    assert sorted(p.name for p in result.index_path.parent.glob("*.html")) == [
        "10_a.html",
        "20_b.html",
        "30_c.html",
        "index.html",
    ]
    assert result.exit_code == 0
    assert [p.status for p in result.pages] == ["ok", "ok", "not available"]
    assert result.latest_path.read_text() == result.index_path.read_text()
    index = result.index_path.read_text()
    assert "A is 3." in index
    assert "what disappoints" in index
    content = json.loads((result.index_path.parent / "manifest.json").read_text())
    page = content["pages"][0]
    assert page["sha256"] == manifest.sha256((result.index_path.parent / "10_a.html").read_bytes())
    assert page["queries"] == PROVENANCE["queries"]
    assert content["fingerprint"] == "data-1"


def test_queries_and_long_tables_lie_beside_their_page_and_go_where_it_goes(shop) -> None:
    shop.play["10_a"][1].append(
        {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<p>t</p>", "text/csv": "a\n1\n"}}
    )
    folder = run(shop.plan()).index_path.parent
    text = (folder / "10_a.html").read_text()
    assert '<a href="10_a-table-1.csv">' in text
    assert '<a href="10_a-queries.sql">' in text
    assert PROVENANCE["queries"][0]["sql"] not in text
    assert (folder / "10_a-table-1.csv").read_text() == "a\n1\n"
    assert PROVENANCE["queries"][0]["sql"] in (folder / "10_a-queries.sql").read_text()
    shop.ran.clear()
    save(shop.paths[1], notebook("2", title="Page 20_b?"))
    again = run(shop.plan()).index_path.parent
    assert shop.ran == ["20_b"]
    assert (again / "10_a-table-1.csv").read_text() == "a\n1\n"
    (again / "10_a-table-1.csv").unlink()
    shop.ran.clear()
    run(shop.plan())
    assert shop.ran == ["10_a"]  # a page whose table is gone does not hold


def test_nothing_runs_twice_while_nothing_changed(shop) -> None:
    first = run(shop.plan())
    shop.ran.clear()
    again = run(shop.plan())
    assert shop.ran == []
    assert not again.is_new
    assert again.index_path == first.index_path
    assert not (shop.folder / publishing.BUILDING).exists()


@pytest.mark.parametrize(
    ("change", "why", "ran"),
    [
        (lambda s: s.plan(fingerprint="data-2"), "the data changed", ["10_a", "20_b", "30_c"]),
        (lambda s: s.plan(fingerprint=None), "its data carry no fingerprint", ["10_a", "20_b", "30_c"]),
        (lambda s: s.plan(start="2026-10-01", end="2026-10-31"), "its parameters changed", ["10_a", "20_b", "30_c"]),
        (
            lambda s: (save(s.paths[1], notebook("2", title="Page 20_b?")), s.plan())[1],
            "its notebook changed",
            ["20_b"],
        ),
    ],
)
def test_a_change_says_why_a_page_runs_again(change, why, ran, shop) -> None:
    run(shop.plan())
    shop.ran.clear()
    result = run(change(shop))
    assert sorted(shop.ran) == ran
    assert {p.why_run for p in result.pages} - {""} == {why}
    assert result.is_new
    assert sorted(p.name for p in result.index_path.parent.glob("*.html")) == [
        "10_a.html",
        "20_b.html",
        "30_c.html",
        "index.html",
    ]


def test_a_changed_library_runs_everything_again(shop, monkeypatch) -> None:
    run(shop.plan())
    monkeypatch.setattr(manifest, "library_fingerprint", lambda: "other")
    assert {p.why_run for p in run(shop.plan()).pages} == {"opslib changed"}


def asking(*asked: tuple[str, str]) -> list[dict]:
    """Outputs of a page that says what it asked for, by whatever door."""
    return [displayed("provenance", PROVENANCE | {"asked": [list(one) for one in asked]})]


def test_a_change_runs_only_the_pages_that_asked_for_what_changed(shop) -> None:
    shop.play["20_b"] = ("ok", asking(("proposals", "demo"), ("ledger", "demo"), ("model", "data/kept.json")))
    shop.play["10_a"] = ("ok", asking(("table", "order_lines")))
    shop.play["30_c"] = ("ok", asking(("days", "demo")))
    now = {"proposals": "p-1", "ledger": "l-1", "model": "m-1"}
    run(shop.plan(now=now))
    for changed, why in {
        "proposals": "the proposals changed", "ledger": "the ledger changed", "model": "the model data/kept.json changed",
    }.items():  # fmt: skip
        shop.ran.clear()
        now |= {changed: "another"}
        result = run(shop.plan(now=now))
        assert shop.ran == ["20_b"]
        assert result.pages[1].why_run == why


def test_a_table_that_comes_to_be_there_is_a_change(shop) -> None:
    shop.play["10_a"] = ("ok", asking(("table", "reviews")))
    run(shop.plan(now={"table": "absent"}, names=1))
    assert [p.why_run for p in run(shop.plan(now={"table": "r-1"}, names=1)).pages] == ["the table reviews changed"]


def test_why_a_page_would_be_made_is_said_without_making_it(shop) -> None:
    assert batch.explain(shop.plan(names=1)) == {"10_a": "it was not there before"}
    run(shop.plan(names=1))
    shop.ran.clear()
    assert batch.explain(shop.plan(names=1)) == {"10_a": ""}
    assert batch.explain(shop.plan("data-2", names=1))["10_a"] == "the data changed"
    assert shop.ran == []
    assert not (shop.folder / publishing.BUILDING).exists()


def test_a_page_that_reads_a_page_is_made_after_it_and_again_when_that_finds_something_else(shop) -> None:
    save(shop.paths[0], notebook("page.findings('20_b')", title="Page 10_a?"))
    shop.play["20_b"] = ("ok", [displayed("finding", a_finding("k", "B is 1.")), *asking(("table", "order_lines"))])
    shop.play["10_a"] = ("ok", asking(("page", "20_b")))
    run(shop.plan())
    assert shop.ran.index("20_b") < shop.ran.index("10_a")
    shop.ran.clear()
    run(shop.plan("data-2"))
    assert "10_a" not in shop.ran  # other data, the same findings
    shop.play["20_b"] = ("ok", [displayed("finding", a_finding("k", "B is 2.")), *asking(("table", "order_lines"))])
    result = run(shop.plan("data-3"))
    assert result.pages[0].why_run == "the findings of 20_b changed"


def test_pages_that_read_each_other_are_refused_by_name(shop) -> None:
    save(shop.paths[0], notebook("page.findings('20_b')", title="Page 10_a?"))
    save(shop.paths[1], notebook("page.findings('10_a')", title="Page 20_b?"))
    with pytest.raises(ParameterError, match=r"circle: .*10_a reads 20_b"):
        shop.plan()


def test_records_of_another_format(shop) -> None:
    first = run(shop.plan(names=1))
    record = first.index_path.parent / "10_a.json"
    values = json.loads(record.read_text())
    assert values["format"] == manifest.FORMAT
    del values["format"], values["asked"]
    values["harvest"] = {"evidence": values["harvest"]["findings"]}
    record.write_text(json.dumps(values))
    assert manifest.read_page_records(record.parent)["10_a"].harvest.findings[0]["sentence"] == "A is 3."
    record.write_text(json.dumps(values | {"format": manifest.FORMAT + 1}))
    assert manifest.read_page_records(record.parent) == {}


def test_a_failed_page_says_so_and_leaves_the_others_alone(shop) -> None:
    shop.play["20_b"] = ("failed", [])
    result = run(shop.plan())
    assert result.exit_code == 1
    assert [p.status for p in result.pages] == ["ok", "failed", "not available"]
    assert "This page could not be made" in (result.index_path.parent / "20_b.html").read_text()
    assert "A is 3." in (result.index_path.parent / "10_a.html").read_text()
    assert result.failed["20_b"].name == "demo-20_b.ipynb"
    shop.play["20_b"] = ("ok", [])
    shop.ran.clear()
    mended = run(shop.plan())
    assert shop.ran == ["20_b"]
    assert mended.pages[1].why_run == "it failed last time"
    assert mended.exit_code == 0


def test_a_figure_without_words_fails_its_page_only(shop) -> None:
    shop.play["20_b"] = ("ok", [{"output_type": "display_data", "data": {"image/png": "aGk="}, "metadata": {}}])
    result = run(shop.plan())
    assert [p.status for p in result.pages] == ["ok", "failed", "not available"]
    assert "no alternative text" in result.pages[1].reason


def test_a_run_cut_off_is_taken_up_where_it_stopped(shop) -> None:
    first = run(shop.plan())
    building = shop.folder / publishing.BUILDING
    shutil.copytree(first.index_path.parent, building)
    (building / "20_b.json").unlink()  # its record is written last
    (building / "30_c.html").write_text("half a page")  # bytes that its record does not know
    publishing.remove(shop.folder / "latest")
    publishing.remove(first.index_path.parent)
    shop.ran.clear()
    result = run(shop.plan())
    assert sorted(shop.ran) == ["20_b", "30_c"]
    assert (result.index_path.parent / "30_c.html").read_text() != "half a page"
    assert not building.exists()


def test_a_crash_leaves_the_published_run_as_it_was(shop, monkeypatch) -> None:
    first = run(shop.plan())
    before = {p.name: p.read_bytes() for p in first.index_path.parent.iterdir()}

    def crash(*_: object, **__: object) -> str:
        raise MemoryError

    monkeypatch.setattr(batch, "render_index", crash)
    with pytest.raises(MemoryError):
        run(shop.plan(fingerprint="data-2"))
    assert {p.name: p.read_bytes() for p in (shop.folder / "latest").iterdir()} == before


def test_an_edited_page_is_made_again(shop) -> None:
    first = run(shop.plan())
    (first.index_path.parent / "10_a.html").write_text("edited by hand")
    shop.ran.clear()
    run(shop.plan())
    assert shop.ran == ["10_a"]


def test_fewer_pages_make_a_run_of_their_own(shop) -> None:
    run(shop.plan())
    shop.ran.clear()
    result = run(shop.plan(names=1))
    assert shop.ran == []
    assert sorted(p.name for p in result.index_path.parent.glob("*.html")) == ["10_a.html", "index.html"]


def test_some_pages_alone_keep_the_others_while_they_hold(shop) -> None:
    first = run(shop.plan())
    shop.play["10_a"] = (
        "ok",
        [displayed("answer", {"text": "A is 4."}), displayed("finding", a_finding("k", "A is 4."))],
    )
    save(shop.paths[0], notebook("2", title="Page 10_a?"))
    shop.ran.clear()
    second = run(shop.plan(names=1, is_partial=True))
    assert shop.ran == ["10_a"]
    assert [p.name for p in second.pages] == ["10_a", "20_b", "30_c"]
    for name in ("20_b", "30_c"):
        assert (second.index_path.parent / f"{name}.html").read_bytes() == (
            first.index_path.parent / f"{name}.html"
        ).read_bytes()
    index = second.index_path.read_text()
    assert "A is 4." in index
    assert 'href="20_b.html"' in index
    assert "Not run this time" not in index
    shop.ran.clear()
    assert not run(shop.plan(names=1, is_partial=True)).is_new
    run(shop.plan())
    assert shop.ran == []  # what was carried over still counts as made


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"fingerprint": "data-2"}, "the data changed"),
        ({"fingerprint": None}, "its data carry no fingerprint"),
        ({"start": "2026-10-01", "end": "2026-10-31"}, "it is about another period"),
    ],
)
def test_pages_that_do_not_hold_beside_the_new_one_are_named(change, why, shop) -> None:
    run(shop.plan())
    result = run(shop.plan(names=1, is_partial=True, **change))
    assert [p.name for p in result.pages] == ["10_a"]
    assert not (result.index_path.parent / "20_b.html").exists()
    index = result.index_path.read_text()
    assert index.index("Not run this time") < index.index("Page 20_b?") < index.index(why)


def test_a_first_run_of_some_pages_says_what_was_not_run(shop) -> None:
    shop.play["10_a"] = ("failed", [])
    index = run(shop.plan(names=1, is_partial=True)).index_path.read_text()
    assert index.count("no earlier report has it") == 2
    again = run(shop.plan()).exit_code
    assert again == 1  # the failed page failed again
    options = {"fingerprint": "data-1", "resolve": shop.plan().resolve, "is_partial": True}
    kept = run(plans.plan_run("demo", shop.paths[1:2], out=shop.folder.parent, **options))
    assert [p.name for p in kept.pages] == ["20_b", "30_c"]
    assert "it failed last time" in kept.index_path.read_text()


def test_a_report_is_compared_with_the_newest_one_on_other_data(shop) -> None:
    first = run(shop.plan())
    assert "First report: nothing to compare with." in first.index_path.read_text()
    shop.play["10_a"] = ("ok", [displayed("finding", a_finding("k2", "A is new."))])
    second = run(shop.plan(fingerprint="data-2"))
    index = second.index_path.read_bytes()
    assert b"What changed since last time (2)" in index  # one new finding, one gone
    forced = run(shop.plan(fingerprint="data-2"), is_forced=True)
    assert forced.index_path.read_bytes() == index  # the same data made again: the same bytes
    publishing.prune(shop.folder, keep=1)
    assert len(publishing.runs(shop.folder)) == 1
    save(shop.paths[2], notebook("3", title="Page 30_c?"))
    newer = run(shop.plan(fingerprint="data-2"))
    assert newer.is_new
    assert newer.index_path.read_bytes() == index  # other code on the same data, the run it is compared with pruned
    third = run(shop.plan(fingerprint="data-3"))
    assert "No finding, verdict or decision changed." in third.index_path.read_text()


def test_a_second_run_at_the_same_time_is_refused(shop) -> None:
    with publishing.output_lock(shop.folder), pytest.raises(ReportError, match="is being written by another run"):
        run(shop.plan())


def test_forced_pages_run_again_and_give_the_same_bytes(shop) -> None:
    first, second = run(shop.plan()), run(shop.plan(), is_forced=True)
    for page in ("10_a", "20_b", "30_c", "index"):
        assert (first.index_path.parent / f"{page}.html").read_bytes() == (
            second.index_path.parent / f"{page}.html"
        ).read_bytes()


@pytest.mark.slow
def test_real_kernels_give_the_same_bytes_from_any_folder(tmp_path, monkeypatch) -> None:
    paths = [save(tmp_path / "10_rich.ipynb", rich_notebook()), save(tmp_path / "20_b.ipynb", notebook("1 / 0"))]
    pages = []
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        monkeypatch.chdir(tmp_path / place)
        plan = plans.plan_run("demo", paths, out=tmp_path / f"out-{place}", start="2026-10-01", end="2026-10-31")
        result = run(plan)
        assert [p.status for p in result.pages] == ["ok", "failed"]
        pages.append({p.name: p.read_bytes() for p in result.index_path.parent.glob("*.html")})
    assert pages[0] == pages[1]


@pytest.mark.slow
def test_an_interrupt_leaves_no_page_running(tmp_path, monkeypatch) -> None:
    paths = [save(tmp_path / f"{n}.ipynb", notebook("import time; time.sleep(600)")) for n in ("a", "b")]
    plan = plans.plan_run("demo", paths, out=tmp_path / "reports", n_workers=2)

    def interrupted(_: object) -> None:
        while len(execution._running) < 2 or any(w.manager.provisioner is None for w in execution._running):
            time.sleep(0.1)
        raise KeyboardInterrupt

    monkeypatch.setattr(batch, "as_completed", interrupted)
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(plan)
    assert time.monotonic() - started < 300  # seconds; loading the libraries on a busy machine included
    assert execution._running == []
    assert not (tmp_path / "reports" / "demo" / "latest").exists()


def test_typed_outputs_are_harvested_in_order() -> None:
    nb = notebook(typed("finding", {}))
    nb.cells[-1].outputs = [displayed("finding", a_finding(k, k)) for k in ("a", "b")] + [
        displayed("limits", {"sentences": ["one", "two"]}),
        displayed("series", {"metric": "orders", "values": [1, None]}),
        displayed("proposal", {"id": "P-1"}),
    ]
    found = harvest(nb)
    assert [e["key"] for e in found.findings] == ["a", "b"]
    assert found.limits == ["one", "two"]
    assert found.series == {"orders": [1, None]}
    assert found.proposals == [{"id": "P-1"}]


def test_a_report_about_some_rows_leaves_the_shops_pages_and_headline_as_they_are(shop) -> None:
    run(shop.plan())
    before = {path.name: path.read_bytes() for path in (shop.folder / "latest").iterdir()}
    result = run(shop.plan(parameters={"where": "country = DE"}))
    assert {path.name: path.read_bytes() for path in (shop.folder / "latest").iterdir()} == before
    assert result.latest_path.parent.parent.name.startswith("demo--country-de-")
    assert "only country DE" in result.latest_path.read_text(encoding="utf-8").partition("</title>")[0]
    assert shop.ran == ["10_a", "20_b", "30_c"] * 2  # nothing of the shop's own report is taken for it


def test_pages_are_linked_when_all_are_known_and_again_when_one_comes_or_goes(shop) -> None:
    first = run(shop.plan(names=2))
    page = first.latest_path.parent / "20_b.html"
    assert "Previous: Page 10_a?" in page.read_text(encoding="utf-8")
    assert "Next:" not in page.read_text(encoding="utf-8")
    again = run(shop.plan(names=3))
    assert shop.ran == ["10_a", "20_b", "30_c"]  # a page that is carried over is linked, not made again
    assert "Next: Page 30_c?" in page.read_text(encoding="utf-8")
    assert {r.name for r in manifest.read_page_records(again.index_path.parent).values()} == {"10_a", "20_b", "30_c"}
    assert not run(shop.plan(names=3)).is_new
    old = first.index_path.parent / "20_b.html"
    assert "Next:" not in old.read_text(encoding="utf-8")  # the earlier run stays as it was published
