"""The extension that an analyst loads in JupyterLab."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib.figure import Figure

from opslib import lab


@pytest.fixture
def shell():
    mpl.use("agg")
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()
    plt.close("all")


def test_loading_installs_everything_and_unloading_takes_it_away(shell):
    with capture_output() as captured:
        shell.run_line_magic("load_ext", "opslib.lab")
    assert captured.outputs[0].data["text/html"] == lab.STYLE
    printers = shell.display_formatter.mimebundle_formatter.type_printers
    assert {Figure, pd.DataFrame} <= set(printers)
    shell.run_line_magic("unload_ext", "opslib.lab")
    assert not {Figure, pd.DataFrame} & set(printers)
    assert Figure in shell.display_formatter.formatters["image/png"].type_printers


def test_styles_name_no_place_on_the_network():
    assert "url(" not in lab.STYLE
    assert "http" not in lab.STYLE
