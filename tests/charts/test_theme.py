"""Colours that everybody can tell apart, labels that keep their distance, figures that show themselves."""

from __future__ import annotations

import itertools

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.figure import Figure

from opslib import charts
from opslib.charts import theme
from opslib.charts.display import NARROW_SVG
from opslib.charts.labels import label_points, spread_apart
from tests.charts.cases import CASES
from tests.charts.looking import overlaps

OKABE_ITO = {"#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"}
"""Okabe, M., Ito, K. (2008), Color Universal Design: how to make figures and presentations friendly to colorblind."""
DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
PROTANOPIA = np.array(
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
)
"""Machado, G. M., Oliveira, M. M., Fernandes, L. A. F. (2009), table of severity 1.0; on linear RGB."""
LEAST_DISTANCE = 10.0
"""CIE76 units; about 2.3 is the least that is noticed, and lines are thin."""
AA = 4.5
"""Contrast that WCAG 2.1 asks for text (criterion 1.4.3)."""


def linear(colour: str) -> np.ndarray:
    rgb = np.array(mpl.colors.to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ np.clip(rgb, 0, 1)
    f = [t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in xyz / np.array([0.9505, 1.0, 1.089])]
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(one: str, two: str) -> float:
    light = sorted(float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, two))
    return (light[1] + 0.05) / (light[0] + 0.05)


def test_the_palette_is_that_of_okabe_and_ito():
    assert set(theme.PALETTE) <= OKABE_ITO


@pytest.mark.parametrize(
    "sight", [np.eye(3), DEUTERANOPIA, PROTANOPIA], ids=["all cones", "deuteranopia", "protanopia"]
)
def test_colours_stay_apart(sight):
    colours = {name: lab(sight @ linear(name)) for name in theme.PALETTE}
    for one, two in itertools.combinations(colours, 2):
        assert np.linalg.norm(colours[one] - colours[two]) > LEAST_DISTANCE, (one, two)


def test_texts_are_readable():
    assert contrast(theme.GREY, "white") > AA
    assert contrast(theme.INK, "white") > AA


def test_the_same_thing_has_the_same_colour():
    assert theme.colours_of(["rattan", "revenue"])["revenue"] == theme.colours_of(["revenue", "orders"])["revenue"]
    names = [f"thing {i}" for i in range(6)]
    assert len(set(theme.colours_of(names).values())) == 6


@given(st.lists(st.floats(0, 100), max_size=12), st.floats(0.1, 8))
def test_spread_keeps_the_gap_and_the_order(wished, gap):
    moved = spread_apart(wished, gap=gap, low=0.0, high=100.0)
    assert len(moved) == len(wished)
    at = sorted(moved)
    room = 100.0 / max(len(wished) - 1, 1)
    assert all(b - a >= min(gap, room) - 1e-6 for a, b in itertools.pairwise(at))
    assert all(-1e-6 <= x <= 100 + 1e-6 for x in moved)
    for i, j in itertools.combinations(range(len(wished)), 2):
        if wished[i] < wished[j]:
            assert moved[i] <= moved[j]


def test_spread_leaves_alone_what_has_room():
    assert spread_apart([10.0, 50.0, 90.0], gap=5.0, low=0.0, high=100.0) == [10.0, 50.0, 90.0]


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_labels_of_a_cloud_never_overlap(seed):
    xy = np.random.default_rng(seed).normal(size=(25, 2))
    _, ax = plt.subplots()
    ax.scatter(*xy.T)
    ax.figure.draw_without_rendering()
    ax.figure.set_layout_engine("none")
    labels = label_points(ax, [(x, y, f"Product {i}") for i, (x, y) in enumerate(xy)])
    assert 5 <= len(labels) <= 25
    assert overlaps(ax) == []
    plt.close("all")


@pytest.fixture
def shell():
    shell = InteractiveShell.instance()
    charts.register()
    yield shell
    charts.unregister()
    InteractiveShell.clear_instance()
    plt.close("all")


def test_a_figure_shows_itself_as_svg_with_alt_text_and_nothing_else(shell):
    figure = theme.figure_of(CASES["estimates"]())
    data, metadata = shell.display_formatter.format(figure)
    assert set(data) == {"image/svg+xml", NARROW_SVG, "text/plain"}
    assert metadata["image/svg+xml"]["alt"] == charts.alt_of(figure) == data["text/plain"]


def test_the_inline_backend_cannot_bring_png_back(shell):
    from matplotlib_inline.backend_inline import configure_inline_support

    configure_inline_support.current_backend = "unset"  # as in a kernel whose backend is loaded after register()
    configure_inline_support(shell, "inline")
    data, _ = shell.display_formatter.format(theme.figure_of(CASES["estimates"]()))
    assert "image/png" not in data
    assert Figure in shell.display_formatter.mimebundle_formatter.type_printers


def test_without_ipython_only_the_look_is_set(monkeypatch):
    monkeypatch.setattr("IPython.get_ipython", lambda: None)
    with mpl.rc_context({"svg.hashsalt": None}):
        charts.register()
        assert mpl.rcParams["svg.hashsalt"] == "opslib"
