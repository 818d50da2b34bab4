"""Pages, sections and stages: counted by hand; releases: the demo's planted ones are found."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from opslib import paths
from opslib.periods import Period
from opslib.shop.opening import open_shop
from tests.conftest import ROOT
from tests.paths.data import EMPTY, events_of, site

PAGES = pd.DataFrame(
    {"page": ["/", "/a", "/lost"], "title": ["Home", "A", "Lost"], "section": ["home", "guides", "guides"]}
)


def releases_of(world):
    tables, whole = site(world), Period(world.coverage.first, world.coverage.last)
    asked = {"pages": tables["pages"], "period": whole, "days_seen": whole}
    return paths.release_effects(tables["events"], tables["sessions"], tables["changes"], **asked)


PARITY_CASES = {
    "paths.page_values": lambda w: paths.page_values(site(w)["events"], site(w)["pages"], period=w.period),
    "paths.section_balance": lambda w: paths.section_balance(site(w)["events"], site(w)["pages"], period=w.period),
    "paths.commerce_stage": lambda w: paths.commerce_stage(w.table("events"), period=w.period),
    "paths.release_effects": releases_of,
}


def log() -> pd.DataFrame:
    frame = events_of({"a": ["/", "/a", "/", "/pay"], "b": ["/a"], "c": ["/a", "/", "/a", "/", "/a"]}, column="page")
    frame.loc[frame["page"] == "/pay", ["event_name", "value"]] = ["purchase", 8.0]
    return frame.assign(section=frame["page"].map({"/": "home", "/a": "guides", "/pay": "checkout"}))


def test_page_values_by_hand():
    found = paths.page_values(log(), PAGES).set_index("page")
    assert found["n_visits"].to_dict() == {"/": 2, "/a": 3, "/pay": 1, "/lost": 0}
    assert found["page_amount"].dropna().to_dict() == pytest.approx({"/": 4.0, "/a": 8 / 3, "/pay": 8.0})
    assert found.loc["/a", ["entry_share", "exit_share", "loop_share"]].tolist() == pytest.approx([2 / 3, 2 / 3, 1 / 3])
    assert found.loc["/", "back_share"] == pytest.approx(2 / 4)  # of four stays two lead back to where they came from
    assert found.loc["/a", "median_depth"] == 0
    assert found["is_orphan"].to_dict() == {"/": False, "/a": False, "/pay": False, "/lost": True}
    assert found["is_dead_end"].to_dict() == {"/": False, "/a": False, "/pay": True, "/lost": True}
    assert found.loc["/lost", "title"] == "Lost"


def test_a_page_seen_after_the_order_has_no_part_in_it():
    frame = log()
    late = frame[frame["session_id"] == "b"].assign(session_id="a", event_index=9, page="/late")
    assert paths.page_values(pd.concat([frame, late])).set_index("page").loc["/late", "page_amount"] == 0


def test_sections_by_demand_and_supply():
    found = paths.section_balance(log(), PAGES).set_index("section")
    assert found["n_visits"].to_dict() == {"home": 2, "guides": 3, "checkout": 1}
    assert found["n_pages"].to_dict() == {"home": 1, "guides": 2, "checkout": 0}
    assert found.loc["guides", ["visit_share", "page_share", "page_visits"]].tolist() == pytest.approx(
        [1.0, 2 / 3, 1.5]
    )


@pytest.mark.parametrize(
    ("names", "there", "reached"),
    [
        (["page_view"], [1, 0, 0, 0, 0, 0], 1),
        (["view_item", "search"], [1, 1, 1, 0, 0, 0], 3),
        (["view_item", "add_to_cart", "purchase"], [1, 1, 0, 1, 1, 0], 2),  # no enquiry: the stage before is missing
        (["view_item", "search", "add_to_cart", "purchase", "refund"], [1, 1, 1, 1, 1, 1], 6),
    ],
)
def test_stages_by_hand(names, there, reached):
    found = paths.commerce_stage(events_of({"s": names}).assign(section="shop"))
    assert found["is_there"].astype(int).tolist() == there
    assert found["is_reached"].sum() == reached
    assert (found["missing"] == "").tolist() == [bool(flag) for flag in there]


def test_help_is_an_enquiry_and_an_account_is_after_sales():
    found = paths.commerce_stage(events_of({"s": ["Help", "account"]}, column="section")).set_index("stage")["is_there"]
    assert found[["enquiry", "after-sales self-service"]].all()


def test_nothing_gives_nothing():
    assert paths.page_values(EMPTY).empty
    assert paths.section_balance(EMPTY, PAGES.head(0)).empty
    assert not paths.commerce_stage(EMPTY)["is_there"].any()
    period = Period.parse("2026-01-01", "2026-01-31")
    changes = pd.DataFrame({"change_id": ["c"], "kind": ["price"], "started_at": pd.to_datetime(["2026-01-05"]), "ended_at": pd.to_datetime([None]),
                            "scope": ["device:mobile"], "description": ["x"]})  # fmt: skip
    sessions = pd.DataFrame(
        {"session_id": ["s"], "visitor_id": ["v"], "started_at": pd.to_datetime(["2026-01-05"]), "device": ["mobile"]}
    )
    assert paths.release_effects(
        EMPTY, sessions, changes, period=period, days_seen=period
    ).empty  # a price is no release
    short = paths.release_effects(EMPTY, sessions, changes.assign(kind="release"), period=period, days_seen=period)
    assert short["verdict"].isin(["too little history", "too few visits after it"]).all()
    assert short["gap_share"].isna().all()


def test_the_planted_releases_of_the_demo_are_judged_by_their_sign():
    shop = open_shop("demo", root=ROOT)
    truth = {
        change["change_id"]: change["effect"]
        for change in json.loads((shop.folder / "truth.json").read_text())["changes"]
    }
    found = paths.release_effects(
        shop.table("events"), shop.table("sessions"), shop.table("changes"), pages=shop.table("pages"), period=Period.parse("2025-11-01", "2026-10-31"),
        days_seen=Period(shop.coverage.first, shop.coverage.last),
    ).set_index("change_id")  # fmt: skip
    assert found.loc[["chg-address-form", "chg-linen-guide", "chg-navigation"], "verdict"].tolist() == ["harmed"] * 3
    for name, row in found.iterrows():
        assert row["gap_share"] * truth[name] > 0, name
    relative = found["gap_share"] / found["without_share"]
    assert relative["chg-navigation"] == pytest.approx(truth["chg-navigation"], abs=0.15)
