# SPDX-License-Identifier: BSD-3-Clause
"""The model that comes with padflow: it is of the recommended mode, tells shapes, and says what it was fitted to."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from padflow.config.reading import load_config
from padflow.errors import PadflowError
from padflow.model.model import Model
from padflow.model.shipped import DEMO, model_folder
from padflow.shapes.names import SHAPES, UNCLEAR, name_shapes
from padflow.simulation.archive import simulate_archive
from padflow.store.opening import open_results

SAID = "SIMULATED data: no measurement"


def test_it_is_of_the_recommended_mode_as_it_is_now() -> None:
    model, config = Model.load(DEMO), load_config("recommended")
    assert model.preprocess == config.preprocess, "run scripts/make_demo_model.py"
    assert model.info["settings"] == json.loads(json.dumps(config.fit_settings())), "run scripts/make_demo_model.py"


def test_it_says_that_it_was_fitted_to_a_simulated_month() -> None:
    model = Model.load(DEMO)
    assert model.fitted_to_simulated == SAID
    assert SAID in repr(model)
    assert model.info["fitted_to"]["rbspa"]["first"] == "2013-03-01"


def test_it_is_small() -> None:
    files = list(model_folder(Path(DEMO)).iterdir())
    assert sorted(file.name for file in files) == ["arrays.npz", "model.json"]
    assert sum(file.stat().st_size for file in files) < 300_000


def test_a_model_of_the_same_name_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(DEMO).mkdir()  # as `padflow demo` makes it
    assert Model.load(DEMO).fitted_to_simulated
    shutil.copy(model_folder(Path(DEMO)) / "model.json", DEMO)
    with pytest.raises(PadflowError, match=r"demo is not a whole model: arrays\.npz is missing"):
        Model.load(DEMO)


@pytest.mark.slow
def test_it_labels_other_days_at_once(tmp_path: Path, padflow: Callable, serial, no_report) -> None:
    simulate_archive(tmp_path / "cdf", family="continuum", days=1, seed=9)
    options = ["--source", tmp_path / "cdf", "--workdir", tmp_path / "labels"]
    ended = padflow("label", DEMO, "recommended", *options)
    assert ended.status == 0, ended.err
    assert f"the model was fitted to {SAID}" in ended.err
    assert "The model decides" not in ended.err
    results = open_results(tmp_path / "labels").load()
    assert results["pad_class"].attrs["fitted_to"] == SAID
    with xr.open_dataset(tmp_path / "cdf" / "truth_rbspa.nc", engine="h5netcdf") as file:
        truth = file["pad"].sel(energy=2.1, method="nearest").load()
    true_name = name_shapes(truth["folded_pitch_angle"].values, truth.values)
    names = results["pad_class"].attrs["flag_meanings"].split()
    code = np.array([SHAPES.index(name.split("_")[0]) for name in names])
    known = (results["pad_class"].values >= 0) & (true_name != UNCLEAR)
    assert known.mean() > 0.6
    right = code[results["pad_class"].values[known]] == true_name[known]
    assert right.mean() > 0.85  # 0.93 over many days, see docs/quality.md
