"""Warm kernels: the same outputs as spawned ones, and nothing shared that must not be."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from opslib.reporting import forkserver, kernels
from opslib.reporting.execution import execute
from tests.reporting.notebooks import COMMON, FIGURE, TABLE, notebook

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")
PATIENCE_SECONDS = 15  # a busy machine; a kernel looks for its parent once a second


def outputs(*cells: str, folder: Path) -> list[dict]:
    done = execute(notebook(*cells), {}, folder=folder, timeout=120, on_cell=lambda n: None)
    assert done.status == "ok", done.reason
    return [dict(o) for c in done.notebook.cells for o in c.get("outputs", [])]


def text(*cells: str, folder: Path) -> str:
    return "".join(o["text"] for o in outputs(*cells, folder=folder) if o["output_type"] == "stream")


@pytest.mark.slow
def test_forked_and_spawned_kernels_give_the_same_bytes(tmp_path, monkeypatch) -> None:
    cells = (
        FIGURE,
        TABLE,
        "plt.plot([1, 2, 3]); plt.title('drawn by the inline backend')",
        "import pandas as pd; pd.DataFrame({'a': [1.5, 2]})",
        "import duckdb; print(duckdb.sql('select sum(range) from range(100000)').fetchone())",
        "import sys, os; print(sys.argv[0] != '', os.getcwd(), sorted({'b', 'a'}), list({'x', 'y', 'z', 'w'}))",
    )
    forked = outputs(*cells, folder=tmp_path)
    monkeypatch.setenv("OPSLIB_WARM", "0")
    spawned = outputs(*cells, folder=tmp_path)
    assert forked == spawned
    assert sum("image/png" in o.get("data", {}) or "image/svg+xml" in o.get("data", {}) for o in forked) == 2


def test_every_fork_has_its_own_random_numbers(tmp_path) -> None:
    cell = "import numpy, random; print(numpy.random.rand(), random.random(), numpy.random.default_rng().random())"
    first, second = (text(cell, folder=tmp_path).split() for _ in range(2))
    assert all(a != b for a, b in zip(first, second, strict=True))


def test_kernels_side_by_side_keep_their_own_folder(tmp_path) -> None:
    folders = [tmp_path / str(i) for i in range(4)]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor(max_workers=4) as pool:
        seen = list(pool.map(lambda f: text("import os; print(os.getcwd())", folder=f).strip(), folders))
    assert seen == [str(f) for f in folders]


def test_a_kernel_gets_the_environment_of_a_batch(tmp_path) -> None:
    cell = "import os; print(os.environ['OMP_NUM_THREADS'], os.environ['JPY_PARENT_PID'] == str(os.getppid()))"
    assert text(cell, folder=tmp_path).split() == ["1", "True"]


def test_the_server_is_private_and_has_one_thread() -> None:
    kernels.warm_up()
    assert stat.S_IMODE(os.stat(kernels.server().address).st_mode) == 0o600
    assert kernels.folder().stat().st_mode & 0o777 == 0o700
    assert len(os.listdir(f"/proc/{kernels.server().process.pid}/task")) == 1


def test_a_process_with_threads_is_not_forked() -> None:
    release = threading.Event()
    thread = threading.Thread(target=release.wait)
    thread.start()
    try:
        assert forkserver._forked() is None
    finally:
        release.set()
        thread.join()


def test_a_name_that_is_looked_up_when_asked_for_is_loaded_and_one_that_is_not_there_is_left_out() -> None:
    code = (
        "import sys; from opslib.reporting import forkserver\n"
        "for name in ('opslib.open_page', 'opslib.nothing', 'nothing.at_all', 'json'): forkserver._preload(name)\n"
        "print('opslib.page' in sys.modules, 'json' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("True True\n", "not loaded: nothing.at_all: No module named 'nothing'\n")


STARTER = (
    "import os, signal, sys\nfrom opslib.reporting import kernels\nkernels.PRELOAD = ()\n"
    "server = kernels.server()\nargv = ['-f', sys.argv[1]]\n"
    "pids = [server.ask(do='fork', argv=argv, cwd='', env=dict(os.environ))['pid'] for _ in range(2)]\n"
    "print(server.process.pid, *pids, flush=True)\n"
)


def started(last_words: str, folder: Path) -> list[int]:
    """Ids of a server and its two fresh kernels, whose starter said its last words."""
    command = [sys.executable, "-c", STARTER + last_words, str(folder / "connection.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [int(pid) for pid in done.stdout.split()]


@pytest.mark.parametrize(
    "last_words",
    [
        "os._exit(0)",
        "os.kill(os.getpid(), signal.SIGKILL)",
        "os.kill(server.process.pid, signal.SIGKILL); os._exit(0)",
    ],
    ids=["left", "killed", "server-killed"],
)
def test_kernels_end_with_the_process_that_started_them(tmp_path, last_words) -> None:
    pids = started(last_words, tmp_path)
    assert len(pids) == 3
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(map(is_running, pids)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [is_running(pid) for pid in pids] == [False] * 3


def test_a_kernel_without_a_group_of_its_own_ends_too() -> None:
    """The moment between a fork and its own session, in which a kernel used to be missed."""
    fresh = os.fork()
    if fresh == 0:
        time.sleep(60)
        os._exit(0)
    forkserver._end({fresh: None})
    assert os.waitstatus_to_exitcode(os.waitpid(fresh, 0)[1]) == -signal.SIGKILL


def is_running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_parameter_cannot_become_code(tmp_path) -> None:
    names = notebook("print(shop)", parameters=COMMON)
    hostile = '"; import os; os._exit(1) #\n\\'
    done = execute(names, {"shop": hostile}, folder=tmp_path, timeout=60, on_cell=lambda n: None)
    assert done.status == "ok"
    assert done.notebook.cells[-1].outputs[0].text == hostile + "\n"
