# SPDX-License-Identifier: BSD-3-Clause
"""Make the model that comes with padflow again: scripts/make_demo_model.py [FOLDER]

It simulates a month of REPT whose shapes change smoothly, does a run in the recommended mode, and copies the model to
padflow/model/demo. To be done where the recommended mode or the format of models changes. It takes about two minutes
on two cores. FOLDER keeps the archive and the run.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import padflow
from padflow.simulation.archive import parallel_map

DAYS, SEED = 30, 2013  # not the seed of the tutorial, whose month is then new to the model
TARGET = Path(__file__).resolve().parent.parent / "padflow" / "model" / "demo"


def make(folder: Path) -> padflow.Model:
    """Fit the model in a folder, and copy it to its place in the package."""
    padflow.simulate(folder / "cdf", family="continuum", days=DAYS, seed=SEED, map_days=parallel_map)
    config = padflow.load_config("recommended", [f"archive.source={folder / 'cdf'}"])
    padflow.run(config, folder / "run", command="scripts/make_demo_model.py")
    TARGET.mkdir(exist_ok=True)
    for name in ("arrays.npz", "model.json"):
        shutil.copyfile(folder / "run" / "model" / name, TARGET / name)
    return padflow.Model.load(TARGET)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(make(Path(sys.argv[1])))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            print(make(Path(scratch)))
