"""Fork server of warm kernels: loads the libraries once, then forks a kernel per request.

Started by `opslib.reporting.kernels` as ``python -m opslib.reporting.forkserver``; it ends when its own
standard input closes, that is with the process that started it, and takes its kernels along. However the server
itself ends, the system ends its kernels (``PR_SET_PDEATHSIG``).
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import selectors
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(address: str, modules: list[str]) -> None:
    """Preload modules, then serve; returns only as a kernel, or when the starter is gone.

    Parameters
    ----------
    address : str
        Path of the Unix socket to listen on.
    modules : list of str
        Modules to import first.
    """
    sys.path[:] = [p for p in sys.path if p not in ("", os.getcwd())]  # as ipykernel_launcher does
    for name in modules:
        _preload(name)
    _set_duckdb_threads("SET threads TO 1")
    gc.freeze()  # what is loaded is shared with the kernels: their collector must not touch, and so copy, it
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        os.chmod(address, 0o600)
        listener.listen(16)
        server = os.getpid()
        request = _serve(listener)
    if request is not None:
        _end_with(server)
        _become_kernel(request)


def _preload(name: str) -> None:
    """Import a module, or a name of one that is looked up when asked for; what is broken is left to the notebook, which says so."""
    home, _, part = name.rpartition(".")
    try:
        __import__(home or name, fromlist=[part])
    except ImportError as error:
        sys.stderr.write(f"not loaded: {name}: {error}\n")  # the server's log


def _serve(listener: socket.socket) -> dict[str, Any] | None:
    """Answer requests. Returns the request in the forked child, None in the parent at its end."""
    children: dict[int, int | None] = {}
    answer: dict[str, int | None]
    with selectors.DefaultSelector() as ready:
        ready.register(listener, selectors.EVENT_READ)
        ready.register(sys.stdin, selectors.EVENT_READ)
        while True:
            if any(key.fileobj is sys.stdin for key, _ in ready.select()):
                _end(children)
                return None
            connection, _ = listener.accept()
            with connection:
                request = json.loads(connection.makefile().readline())
                if request["do"] == "greet":
                    answer = {}
                elif request["do"] == "poll":
                    answer = {"returncode": _returncode(children, request["pid"])}
                else:
                    answer = {"pid": _forked()}
                    if answer["pid"] == 0:
                        return request
                    if answer["pid"] is not None:
                        children[answer["pid"]] = None
                connection.sendall(json.dumps(answer).encode() + b"\n")


def _forked() -> int | None:
    """Fork, unless a thread that a library started would be missing in the child: then None."""
    return os.fork() if len(os.listdir("/proc/self/task")) == 1 else None


def _set_duckdb_threads(statement: str) -> None:
    """DuckDB's default connection starts threads when it is imported; a fork must not cut them off."""
    if "duckdb" in sys.modules:
        sys.modules["duckdb"].execute(statement)


def _returncode(children: dict[int, int | None], pid: int) -> int | None:
    """Exit code of a child as `subprocess` writes it (negative = signal), None while it runs."""
    if children[pid] is None:
        waited, status = os.waitpid(pid, os.WNOHANG)
        if waited:
            children[pid] = os.waitstatus_to_exitcode(status)
    return children[pid]


def _end(children: dict[int, int | None]) -> None:
    for pid in children:
        if _returncode(children, pid) is None:
            with suppress(ProcessLookupError):  # a fork of this very moment leads no group yet
                os.killpg(pid, signal.SIGKILL)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _end_with(parent: int) -> None:
    """Have the system end this process with its parent; end it now if the parent is gone already."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _become_kernel(request: dict[str, Any]) -> None:
    """Turn this fresh fork into what ``python -m ipykernel_launcher`` would have been."""
    os.setsid()
    os.environ.clear()
    os.environ.update(request["env"], JPY_PARENT_PID=str(os.getppid()))
    os.chdir(request["cwd"] or Path.cwd())
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()  # the legacy generator would be the same in every fork
    _set_duckdb_threads("RESET threads")
    sys.argv = ["ipykernel_launcher", *request["argv"]]

    from ipykernel.kernelapp import IPKernelApp

    app = IPKernelApp.instance(parent_handle=os.getppid())  # its default was read before the fork
    app.initialize(request["argv"])
    _connect_figures(app.shell)
    app.start()


def _connect_figures(shell: Any) -> None:
    """Matplotlib, loaded before the shell, would otherwise draw into nothing."""
    if "matplotlib" in sys.modules:
        from matplotlib_inline.backend_inline import configure_inline_support

        setattr(configure_inline_support, "current_backend", "unset")  # noqa: B010
        shell.enable_matplotlib("inline")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
