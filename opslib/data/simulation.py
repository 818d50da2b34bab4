"""A simulated shop on disk, made once per seed and generator."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import yaml

from opslib.contracts import CONTRACTS
from opslib.data import simulate, staging
from opslib.data.adapters.base import Progress
from opslib.data.shopfile import ShopFile, TableSource
from opslib.errors import SourceError


def ensure(described: ShopFile, *, root: Path, progress: Progress) -> Path:
    """Folder of the shop's simulated tables; made now if no shop of this preset, seed and generator lies there.

    Parameters
    ----------
    described : ShopFile
        With ``simulate: {preset, seed}``.
    root : Path
        The project's root; the shop goes to ``data/raw/<name>/``.
    progress : callable
        Told what is going on.

    Returns
    -------
    Path
    """
    if described.simulate is None:
        raise SourceError(f"shop {described.name}: nothing to simulate; write simulate: {{preset: demo, seed: 1}}")
    preset, seed = described.simulate.preset, described.simulate.seed
    config = simulate.preset(preset)
    home = root / "data" / "raw" / described.name
    target = home / f"{preset}-{seed}-{generator_version()}"
    if target.exists():
        return target
    with staging.locked(home):
        if not target.exists():
            scratch = home / f".making-{target.name}"
            shutil.rmtree(scratch, ignore_errors=True)
            simulate.simulate_shop(
                scratch, config=config, seed=seed, progress=lambda share, step: progress(f"simulating {step}", share)
            )
            for old in home.glob(f"{preset}-{seed}-*"):
                shutil.rmtree(old, ignore_errors=True)
            scratch.rename(target)
    return target


def generator_version() -> str:
    """First 8 hex digits of the SHA-256 of the generator's source: other code, other shop."""
    digest = hashlib.sha256()
    for path in sorted(Path(simulate.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def tables_of(folder: Path) -> dict[str, TableSource]:
    """The contract tables that lie in a simulated shop's folder."""
    return {name: TableSource(files=str(folder / name / "*.parquet")) for name in CONTRACTS if (folder / name).is_dir()}


def orders_only(folder: Path, *, preset: str, seed: int = 1) -> Path:
    """A simulated shop seen as one of orders, customers and products alone, for measuring at a size that is not kept.

    Parameters
    ----------
    folder : Path
        Empty folder to write to.
    preset : str
        Size: demo, 10m or 100m.
    seed : int
        Seed of the shop.

    Returns
    -------
    Path
        Its ``shop.yml``.
    """
    kept = ("order_lines", "customers", "products")
    simulate.simulate_shop(folder / "tables", config=simulate.preset(preset), seed=seed)
    tables = {name: {"files": str(folder / "tables" / name / "*.parquet")} for name in kept}
    described = {
        "name": f"orders_{preset}", "title": f"Simulated orders, {preset}", "currency": "GBP", "time_zone": "Europe/London",
        "simulated": True, "tables": tables,
    }  # fmt: skip
    path = folder / "shop.yml"
    path.write_text(yaml.safe_dump(described), encoding="utf-8")
    return path
