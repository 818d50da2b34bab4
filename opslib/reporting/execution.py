"""Execution of one notebook through papermill, with a status read from its cells.

Papermill's own record cannot be trusted (a cell cut off by a timeout or a dead kernel is marked completed, and
``sys.exit(0)`` ends as success), so the status comes from the replies that cells gave.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from papermill.execute import execute_notebook

from opslib import errors
from opslib.reporting.harvest import failed_output, written_cells
from opslib.reporting.kernels import kernel_manager, warm_up

ENGINE = "opslib"
STARTUP_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One finished attempt to run a notebook."""

    notebook: Any  # nbformat.NotebookNode with the outputs it came to
    status: str  # ok, not available, failed
    reason: str  # why it is not ok, fit for a reader; '' when ok
    seconds: float  # wall time, with the kernel's start but without loading the libraries that all kernels share


@dataclass(slots=True, eq=False)
class _Watch:
    """What one run is seen to do while it goes on."""

    manager: Any
    notebook: Any = None
    #: id() of a cell -> status of its reply; positions shift when papermill adds its banner.
    replies: dict[int, str] = field(default_factory=dict)
    is_late: bool = False

    def kill(self) -> None:
        """End the kernel, which ends the run; one that is just being started is waited for."""
        self.is_late = True
        while self in _running:
            provisioner = self.manager.provisioner
            if provisioner is not None and provisioner.process is not None:
                provisioner.process.kill()
                return
            time.sleep(0.05)


class _Engine(NBClientEngine):
    """Papermill's own engine, which also lets the caller keep the notebook when the run breaks off."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **kwargs: Any) -> Any:
        watch: _Watch = kwargs.pop("watch")
        watch.notebook = nb_man.nb
        options = {k: v for k, v in kwargs.items() if k in ("resources", "log_output", "on_cell_executed")}
        client = PapermillNotebookClient(
            nb_man,
            km=watch.manager,
            kernel_name=kernel_name,
            startup_timeout=STARTUP_SECONDS,
            timeout=None,
            shutdown_kernel="immediate",
            **options,
        )
        client.owns_km = True  # it ends the kernel manager that it was handed
        return client.execute()


_running: list[_Watch] = []
papermill_engines.register(ENGINE, _Engine)


def execute(
    notebook: Any,
    parameters: Mapping[str, Any],
    *,
    folder: Path,
    timeout: float,
    on_cell: Callable[[int], None],
    environment: Mapping[str, str] | None = None,
) -> Execution:
    """Run a notebook with checked parameters on a fresh kernel.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        The notebook, left as it is.
    parameters : mapping of str to value
        From `opslib.reporting.parameters.check_parameters`.
    folder : Path
        Working directory of the kernel.
    timeout : float
        Seconds for the whole notebook.
    on_cell : callable
        Told how many code cells are done, after each.
    environment : mapping of str to str, optional
        Further environment variables of the kernel.

    Returns
    -------
    Execution
        With the outputs, the true status and the reason; it does not raise for what the notebook did.
    """
    warm_up()
    started = time.monotonic()
    watch = _Watch(manager=kernel_manager(environment or {}))

    def replied(cell: Any, cell_index: int, execute_reply: Mapping[str, Any]) -> None:
        watch.replies[id(cell)] = execute_reply["content"]["status"]
        on_cell(len(watch.replies))

    timer = threading.Timer(timeout, watch.kill)
    timer.daemon = True
    timer.start()
    _running.append(watch)
    broken: Exception | None = None
    try:
        execute_notebook(
            notebook,
            None,
            parameters=dict(parameters),
            engine_name=ENGINE,
            kernel_name="opslib-warm",
            language="python",
            progress_bar=False,
            request_save_on_cell_execute=False,
            resources={"metadata": {"path": str(folder)}},
            on_cell_executed=replied,
            watch=watch,
        )
    except (PapermillExecutionError, CellExecutionError, CellTimeoutError, DeadKernelError, RuntimeError) as error:
        broken = error
    finally:
        timer.cancel()
        _running.remove(watch)
    status, reason = _outcome(watch, broken, timeout=timeout)
    result = watch.notebook if watch.notebook is not None else notebook
    return Execution(notebook=result, status=status, reason=reason, seconds=time.monotonic() - started)


def stop_all() -> None:
    """End the kernels of all notebooks that are running now."""
    for watch in list(_running):
        watch.kill()


def _outcome(watch: _Watch, broken: Exception | None, *, timeout: float) -> tuple[str, str]:
    if watch.is_late:
        return "failed", f"it took longer than {timeout:g} seconds and was stopped"
    raised = failed_output(watch.notebook) if watch.notebook is not None else None
    if raised is not None:
        position, output = raised
        if output["ename"] == "NotAvailableError":
            return "not available", output["evalue"]
        return "failed", f"code cell {position} stopped with {_public_message(output)}"
    if isinstance(broken, DeadKernelError):
        return "failed", f"its kernel ended by itself after {len(watch.replies)} cells (out of memory?)"
    halted = _halted(watch)
    if broken is not None and not halted:
        return "failed", f"it could not be run: {type(broken).__name__}"
    return ("failed", f"code cell {halted} did not run to its end") if halted else ("ok", "")


def _halted(watch: _Watch) -> int:
    """Position, among the code cells as written, of the first that gave no good reply; 0 if all did."""
    for position, cell in enumerate(written_cells(watch.notebook or {"cells": []}), start=1):
        if "".join(cell["source"]).strip() and watch.replies.get(id(cell)) != "ok":
            return position
    return 0


def _public_message(output: Mapping[str, Any]) -> str:
    """The error as a reader may see it: only opslib's own messages are known to hold no secret."""
    name = output["ename"]
    is_ours = isinstance(getattr(errors, name, None), type)
    return f"{name}: {output['evalue'][:600]}" if is_ours else name
