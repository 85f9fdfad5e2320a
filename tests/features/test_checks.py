# SPDX-License-Identifier: BSD-3-Clause
"""Datasets of users: times that do not ascend, and what else is not laid out as an archive, is refused and named."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

import padflow
from padflow.clustering.classes import NearestCentre
from padflow.components.projection import Projection
from padflow.config.reading import load_config
from padflow.config.sections import Config, PreprocessConfig
from padflow.errors import ConfigError, PadflowError
from padflow.features.checks import check_dataset
from padflow.model.model import Model
from padflow.records import BLOCK_ROWS

ROWS = BLOCK_ROWS + 300
CONFIG = PreprocessConfig(average_seconds=60, l_range=(2.5, 6.5))


@pytest.fixture(scope="module")
def dataset(factories) -> xr.Dataset:
    return factories.dataset(factories.records(ROWS))


@pytest.fixture(scope="module")
def model(factories) -> Model:
    """One of random weights."""
    rng = np.random.default_rng(0)
    projection = Projection(np.zeros(20), rng.normal(0, 1, (3, 20)))
    return Model(CONFIG, factories.AXES, factories.network(108), projection, NearestCentre(rng.normal(0, 1, (3, 3))))


@pytest.fixture(params=["preprocess", "label", "fit"])
def use(request, model: Model) -> Callable[[xr.Dataset], object]:
    """Each public function that takes a Dataset."""
    return {
        "preprocess": lambda dataset: padflow.preprocess(dataset, CONFIG),
        "label": model.label,
        "fit": lambda dataset: padflow.fit(dataset, load_config(None)),
    }[request.param]


def with_times(dataset: xr.Dataset, time: np.ndarray) -> xr.Dataset:
    return dataset.drop_vars("time").assign_coords(time=("time", time))


def with_a_time_missing(dataset: xr.Dataset) -> xr.Dataset:
    time = dataset["time"].values.copy()
    time[[7, 9]] = np.datetime64("NaT")
    return with_times(dataset, time)


def interleaved(dataset: xr.Dataset) -> xr.Dataset:
    """Two spacecraft of the same times."""
    return xr.concat([dataset, dataset], "time", data_vars="minimal").sortby("time")


WRONG_TIMES = {
    "reversed": (lambda d: d.isel(time=slice(None, None, -1)), 'sortby("time")'),
    "the last two exchanged": (lambda d: d.isel(time=[*range(ROWS - 2), ROWS - 1, ROWS - 2]), 'sortby("time")'),
    "days in the wrong order": (
        lambda d: xr.concat([d.isel(time=slice(700, None)), d.isel(time=slice(700))], "time", data_vars="minimal"),
        'sortby("time")',
    ),
    "doubled": (lambda d: d.isel(time=[0, 0, *range(1, ROWS)]), r'1 times .* doubled.*drop_duplicates\("time"\)'),
    "two spacecraft": (interleaved, r'1,324 times .* doubled.*drop_duplicates\("time"\).*two spacecraft'),
    "NaT": (with_a_time_missing, "2 times .* are NaT, the first in record 7; .*notnull"),
    "absent": (lambda d: d.drop_vars("time"), r"no coordinate time .*assign_coords\(time="),
    "numbers": (lambda d: with_times(d, np.arange(ROWS)), "datetime64.* but is int64 such as 0;"),
    "text": (lambda d: with_times(d, d["time"].values.astype(str)), "datetime64"),
    "too far": (
        lambda d: with_times(d, d["time"].values.astype("M8[s]") + np.timedelta64(10**11, "s")),
        "1678 and 2262",
    ),
}


@pytest.mark.parametrize("lazy", [False, True], ids=["in memory", "lazy"])
@pytest.mark.parametrize("name", WRONG_TIMES)
def test_times_that_do_not_ascend_are_refused_with_what_to_do(dataset, use, name: str, lazy: bool) -> None:
    change, words = WRONG_TIMES[name]
    wrong = change(dataset)
    words = words if "*" in words or "(" not in words else words.replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(PadflowError, match=words):
        use(unloadable(wrong) if lazy else wrong)


def unloadable(dataset: xr.Dataset) -> xr.Dataset:
    """A lazy Dataset whose flux cannot be computed."""

    def refuse(block: np.ndarray) -> np.ndarray:
        raise AssertionError("computed")

    lazy = dataset.chunk({"time": 500})
    meta = np.empty((0, 0, 0), "f4")
    lazy["flux"] = lazy["flux"].copy(data=lazy["flux"].data.map_blocks(refuse, dtype="f4", meta=meta))
    return lazy


def test_what_the_messages_say_to_do_helps(dataset, model: Model) -> None:
    expected = model.label(dataset)["pad_class"].values
    broken = dataset.isel(time=[*range(ROWS - 1, -1, -1), 5, 5])
    mended = broken.sortby("time").drop_duplicates("time")
    np.testing.assert_array_equal(model.label(mended)["pad_class"].values, expected)
    broken = with_a_time_missing(dataset)
    check_dataset(broken.isel(time=broken["time"].notnull().values))


@pytest.mark.parametrize("rows", [0, 1, 2, ROWS])
def test_good_times_of_any_unit_pass(dataset, rows: int) -> None:
    few = dataset.isel(time=slice(rows))
    for unit in ("s", "ms", "us", "ns"):
        check_dataset(with_times(few, few["time"].values.astype(f"M8[{unit}]")))


WRONG_LAYOUTS = {
    "no flux": (lambda d: d.drop_vars("flux"), "needs flux"),
    "flux of two dimensions": (lambda d: d.assign(flux=d["flux"].isel(energy=0, drop=True)), "needs flux"),
    "another name": (lambda d: d.rename(energy="E"), "needs flux"),
    "an array": (lambda d: d["flux"], "Expected an xarray.Dataset"),
    "no energies": (lambda d: d.drop_vars("energy"), "no coordinate energy"),
    "no pitch angles": (lambda d: d.drop_vars("pitch_angle"), "no coordinate pitch_angle"),
    "energies of NaN": (lambda d: d.assign_coords(energy=d["energy"].values * np.nan), "energy .* numbers that ascend"),
    "energies turned": (lambda d: d.isel(energy=slice(None, None, -1)), r"energy .* ascend.*sortby\(.energy.\)"),
    "angles doubled": (lambda d: d.assign_coords(pitch_angle=np.full(17, 90.0)), "pitch_angle .* ascend"),
    "energies as text": (lambda d: d.assign_coords(energy=[f"E{i}" for i in range(12)]), "energy .* numbers"),
    "L along energy": (lambda d: d.assign(L_star=("energy", np.ones(12))), "L_star .* along time"),
}


@pytest.mark.parametrize("name", WRONG_LAYOUTS)
def test_what_is_not_laid_out_as_an_archive_is_refused(dataset, use, name: str) -> None:
    change, words = WRONG_LAYOUTS[name]
    with pytest.raises(PadflowError, match=words):
        use(change(dataset))


def test_preprocess_takes_a_whole_configuration(dataset) -> None:
    whole = Config(preprocess=CONFIG)
    xr.testing.assert_identical(padflow.preprocess(dataset, whole), padflow.preprocess(dataset, CONFIG))
    for other in (CONFIG.model_dump(), None, "run.yaml", dataset):
        with pytest.raises(ConfigError, match=r"padflow\.load_config"):
            padflow.preprocess(dataset, other)


def test_fit_needs_a_whole_configuration(dataset) -> None:
    for other in (CONFIG, {}, "run.yaml"):
        with pytest.raises(ConfigError, match="fit needs a whole configuration"):
            padflow.fit(dataset, other)


def test_archives_joined_by_plain_concat_are_taken_or_told_to_be_sorted(finished_run) -> None:
    archive = padflow.open_archive(finished_run.directory)
    config = padflow.load_config("recommended", ["preprocess.min_counts=100"])
    half = archive.sizes["time"] // 2
    first, second = archive.isel(time=slice(half)), archive.isel(time=slice(half, None))
    joined = padflow.preprocess(xr.concat([first, second], "time"), config)
    np.testing.assert_array_equal(joined["reason"].values, padflow.preprocess(archive, config)["reason"].values)
    with pytest.raises(PadflowError, match=r'sortby\("time"\)'):
        padflow.preprocess(xr.concat([second, first], "time"), config)
