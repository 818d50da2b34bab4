"""Segment models as files: written once, read again next month."""

from __future__ import annotations

import os
from pathlib import Path

from opslib.errors import ParameterError
from opslib.segmentation import SegmentModel
from opslib.shop.disk import write_whole
from opslib.shop.reads import note
from opslib.shop.root import project_root


def save_segment_model(model: SegmentModel | None, path: Path | str) -> Path | None:
    """Write a model as JSON; the same model gives the same bytes. Without a model or a path nothing is written.

    Parameters
    ----------
    model : SegmentModel or None
        From `segmentation.segment_clusters`.
    path : Path or str
        File to write, from the project's root unless absolute; folders are made.

    Returns
    -------
    Path or None
        The file.
    """
    if model is None or not str(path):
        return None
    target = project_root() / path
    write_whole(target, model.to_json())
    return target


def load_segment_model(path: Path | str) -> SegmentModel | None:
    """Read a model that `save_segment_model` wrote; None without a path.

    Parameters
    ----------
    path : Path or str
        The file, from the project's root unless absolute.

    Returns
    -------
    SegmentModel or None

    Raises
    ------
    ParameterError
        There is no such file, or it holds something else.
    """
    if not str(path):
        return None
    source = project_root() / path
    note("model", os.path.relpath(source, project_root()))
    if not source.is_file():
        raise ParameterError(f"segment model '{path}': no such file; leave the parameter empty to fit one")
    try:
        return SegmentModel.from_json(source.read_text(encoding="utf-8"))
    except (ParameterError, UnicodeDecodeError) as error:
        raise ParameterError(f"{path}: {error}") from error
