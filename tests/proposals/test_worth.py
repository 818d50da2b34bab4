"""What a proposal is worth, in words and as a density; planted effects get a base rate of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from opslib.casework import judge as judging
from opslib.findings.proposal import worth_sentences
from opslib.proposals.overview import money_density
from opslib.shop.opening import open_shop
from opslib.stats.shrinkage import SITE_LIFTS, shrink
from tests.conftest import ROOT
from tests.proposals.test_desirability import _desirable


def test_the_density_is_that_of_the_net_amount() -> None:
    worth = _desirable(0.05, 0.03)
    density = money_density(worth)
    step = np.diff(density["amount"])[0]
    # The grid holds the central 99.6 %.
    assert density["density"].sum() * step == pytest.approx(0.996, abs=0.002)
    mean = (density["amount"] * density["density"]).sum() / density["density"].sum()
    assert mean == pytest.approx(worth.net.value, rel=0.01)  # type: ignore[union-attr]
    above = density.loc[density["amount"] > 0, "density"].sum() * step
    assert above == pytest.approx(worth.p_net_positive, abs=0.005)


def test_no_money_no_density() -> None:
    worth = _desirable(0.05, 0.03, economics=None)
    assert money_density(worth).empty
    assert "There is no money on this page" in worth_sentences(worth, planted_sd=None)[-1]


def test_raw_and_believed_downside_and_further_testing_are_said() -> None:
    said = " ".join(worth_sentences(_desirable(0.05, 0.03), planted_sd=None))
    assert "Measured: +5.0 %" in said
    assert "believed: +4.6 %" in said  # .05 x .1^2 / (.1^2 + .03^2)
    assert "The downside, size and chance of a loss together" in said
    assert "before deciding is worth" in said or "No further test is worth the delay" in said
    assert "simulated" not in said
    assert "stated one of 30 %" in " ".join(worth_sentences(_desirable(0.05, 0.03), planted_sd=0.3))


def test_a_planted_effect_is_weighed_by_the_stated_base_rate_and_a_real_one_by_the_public_one() -> None:
    shop = open_shop("demo", root=ROOT)
    (written,), (result,) = judging.judge(shop, ["D-01"])
    planted, real = (
        judging.weigh(shop, written, result),
        judging.weigh(replace(shop, is_simulated=False), written, result),
    )
    assert planted.raw is not None
    assert real.shrunk is not None
    assert planted.shrunk.value > 0.8 * planted.raw.value  # type: ignore[union-attr]
    assert real.shrunk.value == pytest.approx(shrink(real.raw, prior=SITE_LIFTS).shrunk.value)  # type: ignore[arg-type]
    assert real.shrunk.value < 0.1 * real.raw.value  # type: ignore[union-attr]
    assert planted.net.unit == shop.currency  # type: ignore[union-attr]
