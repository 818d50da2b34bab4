"""Segment models as files."""

from __future__ import annotations

import pytest

from opslib.errors import ParameterError
from opslib.shop.segment_models import load_segment_model, save_segment_model
from tests.engines.cases import KEPT_MODEL


def test_a_model_is_read_as_it_was_written(tmp_path):
    path = save_segment_model(KEPT_MODEL, tmp_path / "deep" / "model.json")
    assert load_segment_model(path) == KEPT_MODEL
    first = path.read_bytes()
    assert save_segment_model(KEPT_MODEL, path).read_bytes() == first
    assert [each.name for each in path.parent.iterdir()] == ["model.json"]


@pytest.mark.parametrize(("content", "match"), [(b"{}", "m.json: not a segment model"), (b"\xff", "m.json: .*decode")])
def test_another_file_is_refused_by_name(tmp_path, content, match):
    (tmp_path / "m.json").write_bytes(content)
    with pytest.raises(ParameterError, match=match):
        load_segment_model(tmp_path / "m.json")


def test_a_model_says_its_format_and_an_unknown_one_is_refused(tmp_path):
    path = save_segment_model(KEPT_MODEL, tmp_path / "m.json")
    text = path.read_text()
    assert '"format": 1,' in text
    path.write_text(text.replace('"format": 1,', '"format": 2,'))
    with pytest.raises(
        ParameterError, match=r"m.json: segment model: its format is 2, this version reads 1; fit and save"
    ):
        load_segment_model(path)
    path.write_text(text.replace('"format": 1,', "").replace("segment model", "segment model 1"))
    assert load_segment_model(path) == KEPT_MODEL, "written before formats were counted apart"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ParameterError, match="no such file; leave the parameter empty"):
        load_segment_model(tmp_path / "none.json")
