# SPDX-License-Identifier: BSD-3-Clause
"""Examples in docstrings of public functions run, and each public function and class has one."""

from __future__ import annotations

import doctest
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import padflow
from padflow.clustering.classes import NearestCentre
from padflow.components.projection import Projection
from padflow.features.preprocessor import Preprocessor
from padflow.model.model import class_attributes
from padflow.records import BLOCK_ROWS
from padflow.store.run_files import ARCHIVE, RESULTS
from padflow.store.specs import archive_specs, results_specs
from padflow.store.writing import prepare_group, set_attributes, write_part

RECOMMENDED = Path(__file__).resolve().parent.parent / "configs" / "recommended.yaml"
ROWS = 2 * BLOCK_ROWS
SLOW = {"fit", "label", "plan", "run", "status", "verify"}
"""Names whose examples wait for a training or a run."""


@pytest.fixture(scope="module")
def folder(
    factories: ModuleType,
    index_factory: ModuleType,
    report_factory: ModuleType,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A folder as the examples have it: ``recommended.yaml``, ``sym_h.txt``, run directories ``run`` and ``my-run``."""
    folder = tmp_path_factory.mktemp("examples")
    shutil.copy(RECOMMENDED, folder)
    (folder / "sym_h.txt").write_text(index_factory.one_storm())
    report_factory.write_run(folder / "my-run", n_classes=2, n_energies=2)
    records = factories.records(ROWS)
    axes = {"pitch_angle": factories.PITCH_ANGLE, "energy": factories.ENERGY}
    write(
        folder / "run" / ARCHIVE,
        archive_specs(17, 12, ephemeris=tuple(records.ephemeris)),
        {"time": records.time.astype("i8"), "flux": records.flux, **records.ephemeris},
        {name: (values, {}) for name, values in axes.items()}
        | {"counts_per_flux": (factories.COUNTS_PER_FLUX, {"dimension": "energy"})},
    )
    specs = results_specs(5)
    results = {spec.name: np.full((ROWS, *spec.sizes), spec.fill_value, spec.dtype) for spec in specs}
    results |= {"pad_class": np.zeros(ROWS, "i2"), "distance": np.ones(ROWS, "f4"), "margin": np.ones(ROWS, "f4")}
    shutil.copy(RECOMMENDED, folder / "run" / "config.yaml")
    write(folder / "run" / RESULTS, specs, results | {"time": records.time.astype("i8")}, {})
    set_attributes(folder / "run" / RESULTS, "rbspa/pad_class", class_attributes(("class_0", "class_1", "class_2"), ""))
    preprocess = padflow.load_config(RECOMMENDED).preprocess
    features = Preprocessor(preprocess, factories.AXES).features
    projection, classes = Projection(np.zeros(20), np.eye(5, 20)), NearestCentre(np.eye(3, 5))
    model = padflow.Model(preprocess, factories.AXES, factories.network(features), projection, classes)
    model.save(folder / "run" / "model")
    return folder


def write(store: Path, specs: list, values: dict, axes: dict) -> None:
    said = {"spacecraft": "rbspa", "instrument": "rept", "source": "1 CDF file", "padflow_version": "0.1.0"}
    prepare_group(store, "rbspa", specs=specs, rows=ROWS, rows_per_part=ROWS, axes=axes, attributes=said)
    write_part(store, "rbspa", 0, specs=specs, values=values, rows_per_part=ROWS)


def marked(name: str) -> object:
    return pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name


@pytest.mark.parametrize("name", [marked(name) for name in sorted(padflow.__all__)])
def test_examples_of_a_public_name(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    public = getattr(padflow, name)
    if isinstance(public, type) and issubclass(public, Exception):
        return
    found = [test for test in doctest.DocTestFinder().find(public, name) if test.examples]
    assert found, f"padflow.{name} has no example"
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for test in found:
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0
