# SPDX-License-Identifier: BSD-3-Clause
"""The configurations that come with padflow, by their names."""

from __future__ import annotations

from pathlib import Path

PRESETS = ("recommended", "killey2023", "mageis", "hope", "elfin_fullspin", "elfin_halfspin")
"""Names of the files in ``configs/``, the recommended one and the published one first."""


def preset_path(name: str) -> Path:
    """Return the file of a preset: installed with the package, or beside the sources."""
    package = Path(__file__).parent.parent
    folders = (package / "configs", package.parent / "configs")
    return next(file for folder in folders if (file := folder / f"{name}.yaml").is_file())


def config_file(path: Path) -> Path:
    """Return the file of a preset where `path` is the name of one, and no file has this name; else `path`."""
    return preset_path(str(path)) if str(path) in PRESETS and not path.exists() else path
