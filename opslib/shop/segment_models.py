"""Segment models as files: written once, read again next month."""

from __future__ import annotations

import os
from pathlib import Path

from opslib.errors import ParameterError
from opslib.segmentation import SegmentModel
from opslib.shop.reads import note
from opslib.shop.root import project_root
from opslib.shop.staging import write_whole


def save_segment_model(model: SegmentModel, path: Path | str) -> Path:
    """Write a model as JSON; the same model gives the same bytes.

    Parameters
    ----------
    model : SegmentModel
        From `segmentation.segment_clusters`.
    path : Path or str
        File to write, from the project's root unless absolute; folders are made.

    Returns
    -------
    Path
        The file.
    """
    target = project_root() / path
    write_whole(target, model.to_json())
    return target


def load_segment_model(path: Path | str) -> SegmentModel:
    """Read a model that `save_segment_model` wrote.

    Parameters
    ----------
    path : Path or str
        The file, from the project's root unless absolute.

    Returns
    -------
    SegmentModel

    Raises
    ------
    ParameterError
        There is no such file, or it holds something else.
    """
    source = project_root() / path
    note("model", os.path.relpath(source, project_root()))
    if not source.is_file():
        raise ParameterError(f"segment model '{path}': no such file; leave the parameter empty to fit one")
    try:
        return SegmentModel.from_json(source.read_text(encoding="utf-8"))
    except (ParameterError, UnicodeDecodeError) as error:
        raise ParameterError(f"{path}: {error}") from error
