"""A simulated shop on disk, made once per seed and generator."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from opslib.simulate.config import preset as preset_of
from opslib.simulate.simulation import simulate_shop


def ensure(home: Path, *, preset: str, seed: int, progress: Callable[[str, float], None]) -> Path:
    """Folder of a simulated shop's tables; made now if none of this preset, seed and generator lies there.

    Parameters
    ----------
    home : Path
        Folder of the shop's simulated tables, which one process at a time may write.
    preset, seed : str, int
        Size (demo, 10m or 100m) and seed.
    progress : callable
        Called with a sentence and the share done (0-1).

    Returns
    -------
    Path
    """
    config = preset_of(preset)
    target = home / folder_name(preset, seed)
    if target.exists():
        return target
    scratch = home / f".making-{target.name}"
    shutil.rmtree(scratch, ignore_errors=True)
    simulate_shop(scratch, config=config, seed=seed, progress=lambda share, step: progress(f"simulating {step}", share))
    for old in home.glob(f"{preset}-{seed}-*"):
        shutil.rmtree(old, ignore_errors=True)
    scratch.rename(target)
    return target


def folder_name(preset: str, seed: int) -> str:
    """Name of a simulated shop's folder; ends in the first 8 hex digits of the SHA-256 of the generator's source: other code, other shop."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return f"{preset}-{seed}-{digest.hexdigest()[:8]}"
