"""What a proposal is worth, in words and as a density; the base rate is the one that the shop states."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from opslib.casework import judge as judging
from opslib.findings.proposal import worth_sentences
from opslib.proposals.desirability import prior_of, stated_base_rate
from opslib.proposals.economics import relative_bias
from opslib.proposals.number_text import probability
from opslib.proposals.overview import money_density
from opslib.shop.opening import open_shop
from opslib.stats.shrinkage import shrink
from tests.conftest import ROOT
from tests.proposals.test_desirability import _desirable, _given


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
    assert "only where one can be worked out" in worth_sentences(_given(), worth, stated_sd=None)[-1]


def test_raw_and_believed_downside_and_further_testing_are_said() -> None:
    worth = _desirable(0.05, 0.05)
    said = " ".join(worth_sentences(_given(), worth, stated_sd=None, currency="GBP")).replace("\xa0", " ")
    assert "We reckon with +4 %, not the +5 % measured" in said  # .05 x .1^2 / (.1^2 + .05^2) = .04
    # .04 x 119,918 less 1,000 = 3,797; the chance of a loss is that of an effect below 1,000 / 119,918.
    assert "Over a year the net is £4k (−5k to 13k) after about £1,000 of cost" in said
    assert f"Chance of losing money: {probability(1 - worth.p_net_positive)}." in said  # type: ignore[operator]
    assert "before deciding is worth" in said or "A further test is not worth the delay" in said
    assert "shop.yml" not in said
    told = " ".join(worth_sentences(_given(), worth, stated_sd=0.3))
    assert "Two of three such changes move their figure by less than 30 %" in told
    # Where belief and measurement are the same, nothing is said of it.
    assert not any("We reckon" in text for text in worth_sentences(_given(), _desirable(0.05, 0.003), stated_sd=0.3))


@pytest.mark.parametrize(("name", "sd"), [("D-01", 0.2), ("D-02", 0.03), ("D-12", 0.03), ("D-17", 0.2)])
def test_the_base_rate_is_the_one_that_the_shop_states_and_without_one_the_public_one(name: str, sd: float) -> None:
    shop = open_shop("demo", root=ROOT)
    (written,), (result,) = judging.judge(shop, [name])
    silent = replace(shop, settings={**shop.settings, "base_rate": None})
    stated, public = (judging.weigh(each, written, result) for each in (shop, silent))
    assert (judging.stated_sd(shop, written), judging.stated_sd(silent, written)) == (sd, None)
    assert stated.raw == public.raw
    bias = relative_bias(result.claims[0])
    expected = shrink(stated.raw, prior=stated_base_rate(sd), bias_sd=bias).shrunk.value  # type: ignore[arg-type]
    assert stated.shrunk.value == pytest.approx(expected)  # type: ignore[union-attr]
    usual = shrink(stated.raw, prior=prior_of(result.claims[0].design), bias_sd=bias)  # type: ignore[arg-type]
    assert public.shrunk.value == pytest.approx(usual.shrunk.value)  # type: ignore[union-attr]
    assert stated.net.unit == shop.currency  # type: ignore[union-attr]
