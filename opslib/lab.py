"""What JupyterLab loads: ``%load_ext opslib.lab`` gives an analyst the look of the pages while working.

Notebooks do not need it: their imports cell registers tables and charts, so a batch gives the same page without.
"""

from __future__ import annotations

from typing import Any

from opslib import charts, tables

STYLE = """<style>
.table table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.table caption { text-align: left; font-weight: 600; padding: .3em 0; }
.table th, .table td { text-align: left; padding: .25em .7em; border-bottom: 1px solid #e3e3e3; }
.table .number { text-align: right; white-space: nowrap; }
.table .unit, .table .note, .estimate small { color: #6b6b6b; font-weight: 400; }
.table tr.marked { background: #fff4d6; }
.finding .dot { color: #0072b2; }
.finding .kind, .finding .caveat { color: #6b6b6b; }
.not-available { border-left: 3px solid #e69f00; padding-left: .7em; }
</style>"""


def load_ipython_extension(shell: Any) -> None:
    """Install the formatters, the look of figures, and the styles of tables and findings.

    Parameters
    ----------
    shell : IPython.InteractiveShell
        Handed over by ``%load_ext``.
    """
    from IPython.display import HTML, display

    tables.register()
    charts.register()
    display(HTML(STYLE))


def unload_ipython_extension(shell: Any) -> None:
    """Give values and figures back their plain representations.

    Parameters
    ----------
    shell : IPython.InteractiveShell
        Handed over by ``%unload_ext``.
    """
    charts.unregister()
    tables.unregister()
