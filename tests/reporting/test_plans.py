"""Plans and batch files: everything is settled, or refused, before a kernel starts."""

from __future__ import annotations

import pytest

from opslib.casework.agenda import AgendaItem
from opslib.errors import ParameterError
from opslib.reporting.plans import plan_run, read_batch
from tests.reporting.notebooks import COMMON, notebook, save


@pytest.fixture
def notebooks(tmp_path):
    return [
        save(tmp_path / "30_a.ipynb", notebook(parameters=COMMON + "\nbins: int = 5  # [2..10]")),
        save(tmp_path / "31_b.ipynb", notebook(parameters=COMMON)),
    ]


def test_a_value_goes_to_the_notebooks_that_declare_it(notebooks, tmp_path) -> None:
    plan = plan_run("demo", notebooks, out=tmp_path, parameters={"bins": "7"}, start="2026-10-01", end="2026-10-31")
    first, second = (dict(p.parameters) for p in plan.pages)
    assert first == second | {"bins": 7}
    assert second == {"shop": "demo", "start": "2026-10-01", "end": "2026-10-31", "where": ""}


def test_a_name_that_no_notebook_knows_is_refused(notebooks, tmp_path) -> None:
    with pytest.raises(ParameterError, match="no chosen notebook has a parameter 'bin': did you mean 'bins'"):
        plan_run("demo", notebooks, out=tmp_path, parameters={"bin": 7})


def test_a_notebook_without_the_common_parameters_is_refused(tmp_path) -> None:
    path = save(tmp_path / "x.ipynb", notebook(parameters="shop: str = 'demo'"))
    with pytest.raises(ParameterError, match="x: its parameters cell lacks start, end, where"):
        plan_run("demo", [path], out=tmp_path)


def test_a_page_about_a_proposal_is_named_by_its_id_and_title(tmp_path) -> None:
    path = save(tmp_path / "81_proposal.ipynb", notebook(parameters=COMMON + "\nproposal: str = ''  # which"))
    standings = [AgendaItem(id="D-05", title="Countdown banner", owner="Marketing")]
    plan = plan_run("demo", [path], out=tmp_path, each={"proposal": ["D-05", "D-06"]}, standings=standings)
    assert [page.name for page in plan.pages] == ["D-05-countdown-banner", "81_proposal--proposal-d-06"]


def test_a_report_about_some_rows_has_a_folder_of_its_own(notebooks, tmp_path) -> None:
    def folder(where: str):
        plan = plan_run("demo", notebooks, out=tmp_path, parameters={"where": where})
        return plan.folder.relative_to(tmp_path.resolve()).as_posix()

    assert folder("") == folder(" ") == "demo"
    some = [folder(where) for where in ("country = DE", "country != DE", "country = Österreich", "country = sterreich")]
    assert len({"demo", *some}) == 5
    assert all(name.startswith("demo--country-") for name in some)
    assert folder("country  =  DE") == folder("country = DE")
    each = plan_run("demo", notebooks, out=tmp_path, each={"country": ["DE"]})
    assert each.folder.name == "demo"  # its parts stand beside the whole


def test_a_grid_makes_one_page_a_combination(notebooks, tmp_path) -> None:
    each = {"country": ["United Kingdom", "France"], "bins": [3, 4]}
    plan = plan_run("demo", notebooks[:1], out=tmp_path, each=each, parameters={"where": "channel = email"})
    assert [p.name for p in plan.pages] == [
        "30_a--country-united-kingdom--bins-3",
        "30_a--country-united-kingdom--bins-4",
        "30_a--country-france--bins-3",
        "30_a--country-france--bins-4",
    ]
    assert plan.pages[2].parameters["where"] == "channel = email and country = France"
    assert plan.pages[2].parameters["bins"] == 3


def test_two_values_never_share_a_page(notebooks, tmp_path) -> None:
    with pytest.raises(ParameterError, match=r"two pages would be named '30_a--country-a-b'"):
        plan_run("demo", notebooks[:1], out=tmp_path, each={"country": ["A B", "a-b"]})


def test_a_shop_name_cannot_leave_the_output(notebooks, tmp_path) -> None:
    with pytest.raises(ParameterError, match=r"shop '\.\./x'"):
        plan_run("../x", notebooks, out=tmp_path)


def test_a_batch_file_is_read(tmp_path) -> None:
    path = tmp_path / "monthly.yml"
    path.write_text(
        "shops: [demo, other]\nnotebooks: ['31_segmentation']\nstart: 2026-10-01\nend: 2026-10-31\n"
        "parameters: {bins: 4}\neach: {country: [DE, FR], channel: email}\n"
    )
    batch = read_batch(path)
    assert batch.shops == ("demo", "other")
    assert (batch.start, batch.end) == ("2026-10-01", "2026-10-31")
    assert batch.each == {"country": ("DE", "FR"), "channel": ("email",)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("shops: demo\nnotebook: x", "unknown key 'notebook': did you mean 'notebooks'"),
        ("- demo", "needs a mapping with 'shops'"),
        ("shops: [", "is not valid YAML"),
        ("shops: [1]", "shops = .* a list of names"),
        ("shops: demo\neach: [a]", "each = .* a mapping"),
    ],
)
def test_a_wrong_batch_file_is_refused(text: str, message: str, tmp_path) -> None:
    path = tmp_path / "monthly.yml"
    path.write_text(text)
    with pytest.raises(ParameterError, match=message):
        read_batch(path)
    with pytest.raises(ParameterError, match=r"no batch file .* did you mean 'monthly.yml'"):
        read_batch(tmp_path / "montly.yml")
