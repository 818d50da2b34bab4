"""Warm kernels: a Jupyter kernel provisioner that forks an interpreter with the libraries already loaded.

Where a fork is not safe (anything but Linux), or ``OPSLIB_WARM=0``, kernels are spawned as usual; a notebook's
outputs are the same either way.
"""

from __future__ import annotations

import ast
import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner

from opslib.errors import ReportError
from opslib.reporting.harvest import statements

PRELOAD = (
    "ipykernel.kernelapp",
    "ipykernel.zmqshell",
    "ipykernel.debugger",
    "IPython.core.magics",
    "sqlite3",
    "matplotlib.pyplot",
    "matplotlib.backends.backend_svg",
    "matplotlib_inline.backend_inline",
    "ibis.backends.duckdb",
    "sqlglot.dialects.duckdb",
)
STARTUP_SECONDS = 120.0
KERNEL_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",  # two pages at a time use the cores better than threads that wait for each other
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",  # sets of text iterate alike in every run
    "SOURCE_DATE_EPOCH": "0",  # figures carry no clock
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # a fork must not cut a thread off
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}


class ForkServer:
    """One process with the libraries loaded, and the private socket that it listens on."""

    def __init__(self, modules: Sequence[str]) -> None:
        self.address = str(folder() / "fork")
        self.log = folder() / "kernels.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "opslib.reporting.forkserver", self.address, *PRELOAD, *modules],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=os.environ | KERNEL_ENVIRONMENT | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
            )

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send one request and return its answer; waits while the server is still loading."""
        deadline = time.monotonic() + STARTUP_SECONDS
        while True:
            with socket.socket(socket.AF_UNIX) as connection:
                try:
                    connection.connect(self.address)
                except (FileNotFoundError, ConnectionRefusedError) as error:
                    if self.process.poll() is not None or time.monotonic() > deadline:
                        raise ReportError(f"the kernel server is gone: {self.log.read_text()[-500:]}") from error
                    time.sleep(0.02)
                    continue
                connection.sendall(json.dumps(request).encode() + b"\n")
                return json.loads(connection.makefile().readline())

    def close(self) -> None:
        """End the server and its kernels."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()


class ForkedProcess:
    """What `subprocess.Popen` is to a spawned kernel: handle of a forked one."""

    stdin = stdout = stderr = None

    def __init__(self, server: ForkServer, pid: int) -> None:
        self.server, self.pid = server, pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Exit code, or None while the process runs."""
        if self.returncode is None:
            self.returncode = self.server.ask(do="poll", pid=self.pid)["returncode"]
        return self.returncode

    def wait(self) -> int:
        """Wait for the end and return the exit code."""
        while (code := self.poll()) is None:
            time.sleep(0.02)
        return code

    def send_signal(self, signum: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, signum)

    def kill(self) -> None:
        """Kill the process."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask the process to end."""
        self.send_signal(signal.SIGTERM)


class WarmProvisioner(LocalProvisioner):
    """Forks kernels from one preloaded process; spawns them where that is not possible."""

    process: Any = None

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Start a kernel for the given command line."""
        if not is_warm():
            return await super().launch_kernel(cmd, **kwargs)
        answer = server().ask(
            do="fork", argv=cmd[cmd.index("-f") :], cwd=str(kwargs.get("cwd") or ""), env=kwargs["env"]
        )
        if answer["pid"] is None:  # a library runs threads of its own, a fork would not be safe
            return await super().launch_kernel(cmd, **kwargs)
        self.process = ForkedProcess(server(), answer["pid"])
        self.pid = self.pgid = answer["pid"]  # the fork leads its own session
        self.cwd = kwargs.get("cwd")
        return self.connection_info


class _WarmSpec(KernelSpecManager):
    """Knows one kernel, which is installed nowhere."""

    environment: Mapping[str, str] = {}

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            display_name=kernel_name,
            language="python",
            env=KERNEL_ENVIRONMENT
            | {"TMPDIR": str(folder())}
            | dict(self.environment),  # what a killed kernel leaves goes too
            metadata={"kernel_provisioner": {"provisioner_name": "opslib-warm"}},
        )


def is_warm() -> bool:
    """Whether kernels are forked here: on Linux, unless ``OPSLIB_WARM=0``."""
    return sys.platform == "linux" and os.environ.get("OPSLIB_WARM", "1") != "0"


def server(modules: Sequence[str] = ()) -> ForkServer:
    """The process's one fork server, started when first asked for.

    Parameters
    ----------
    modules : sequence of str
        What a server that is started now loads besides the kernel itself.
    """
    global _server
    with _lock:
        if _server is None or _server.process.poll() is not None:
            (folder() / "fork").unlink(missing_ok=True)
            _server = ForkServer(modules)
            atexit.register(_server.close)
        return _server


def imported_modules(notebooks: Iterable[Mapping[str, Any]]) -> list[str]:
    """Modules that notebooks import at the top of a cell, for the server to load once.

    Parameters
    ----------
    notebooks : iterable of mapping
        Notebooks (nbformat 4).

    Returns
    -------
    list of str
        Sorted; a name imported from a package counts as a module of it, which it may not be.

    Examples
    --------
    >>> cell = {"cell_type": "code", "source": "import pandas as pd\\nfrom opslib import charts"}
    >>> imported_modules([{"cells": [cell]}])
    ['opslib', 'opslib.charts', 'pandas']
    """
    names: set[str] = set()
    for statement in (statement for notebook in notebooks for statement in statements(notebook)):
        if isinstance(statement, ast.Import):
            names |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            names |= {statement.module, *(f"{statement.module}.{alias.name}" for alias in statement.names)}
    return sorted(names)


def warm_up() -> None:
    """Return once kernels can be forked; at once where they are spawned."""
    if is_warm():
        server().ask(do="greet")


@cache
def folder() -> Path:
    """A folder that only this user can enter, for sockets and what kernels leave; it goes with the process."""
    path = Path(tempfile.mkdtemp(prefix="opslib-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def kernel_manager(environment: Mapping[str, str]) -> AsyncKernelManager:
    """A manager for one kernel: over private Unix sockets where they exist, so that no port is contested."""
    spec = _WarmSpec()
    spec.environment = environment
    manager = AsyncKernelManager(kernel_name="opslib-warm", kernel_spec_manager=spec)
    if hasattr(socket, "AF_UNIX"):
        manager.transport = "ipc"
        manager.connection_file = str(folder() / f"{uuid.uuid4().hex[:12]}.json")
    return manager


_lock = threading.RLock()
_server: ForkServer | None = None
