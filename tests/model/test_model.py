# SPDX-License-Identifier: BSD-3-Clause
"""The fitted bundle: labels the same however they are computed, and nothing in its files is ever run."""

from __future__ import annotations

import io
import json
import os
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from padflow.clustering.classes import NearestCentre
from padflow.clustering.mixture import Likeliest, fit_mixture
from padflow.clustering.ward import NearestSample, fit_ward
from padflow.components.pca import IncrementalPCA
from padflow.components.projection import Projection
from padflow.config.sections import PreprocessConfig
from padflow.errors import PadflowError
from padflow.features.preprocessor import Preprocessor
from padflow.model.model import ARRAYS, DESCRIPTION, Model
from padflow.records import BLOCK_ROWS, Reason
from padflow.shapes.attributes import STORED
from padflow.store.durable import sha256_of
from padflow.store.npz import pack_arrays, unpack_arrays
from padflow.store.reading import needed_rows
from padflow.store.specs import results_specs

ROWS = 3 * BLOCK_ROWS + 456
CONFIG = PreprocessConfig(l_range=(2.5, 6.5), average_seconds=60, min_counts=50)
NAMES = ["pad_class", "reason", "score", "distance", "margin", "reconstruction_error"]


@pytest.fixture(scope="module")
def records(factories):
    return factories.records(ROWS)


@pytest.fixture(scope="module")
def axes(factories):
    return factories.AXES


@pytest.fixture(scope="module")
def fitted(factories, records, axes):
    """Everything of a model but its classes, and the scores they are to be made from."""
    maker = Preprocessor(CONFIG, axes)
    features = maker(factories.rows(records))
    network = factories.network(maker.features)
    codes = network.encode(features.rows[features.reason == Reason.SELECTED])
    pca = IncrementalPCA(3).fit(codes)
    return (CONFIG, axes, network, Projection(pca.mean_, pca.components_)), pca.transform(codes)


@pytest.fixture(scope="module", params=["kmeans", "mixture", "ward"])
def model(request, fitted):
    parts, scores = fitted
    rng = np.random.default_rng(0)
    if request.param == "kmeans":
        classes = NearestCentre(scores[rng.choice(len(scores), 5, replace=False)])
    elif request.param == "mixture":
        classes = fit_mixture(scores, scores[rng.choice(len(scores), 5, replace=False)])
    else:
        classes = fit_ward(scores[rng.choice(len(scores), 200, replace=False)], 4)
    return Model(*parts, classes, {"shapes": ["pancake", None], "training": {"loss": 0.25}})


@pytest.fixture(scope="module")
def labels(factories, model, records):
    return model.label(factories.dataset(records))


def test_labels_are_of_the_nearest_centre_or_sample_or_the_likeliest(model, labels):
    known = labels["pad_class"].values >= 0
    np.testing.assert_array_equal(known, labels["reason"] == Reason.SELECTED)
    assert 0.3 < known.mean() < 0.9
    score = labels["score"].values[known].astype("f8")
    pad_class = labels["pad_class"].values[known]
    centres = model.classes.centres
    assert len(set(pad_class)) == len(centres)
    for name in ("score", "distance", "margin", "reconstruction_error"):
        assert np.isnan(labels[name].values[~known]).all(), name
        assert np.isfinite(labels[name].values[known]).all(), name
    assert set(labels["pad_class"].values[~known]) == {-1}
    if isinstance(model.classes, Likeliest):
        for name, expected in model.classes.assign(score).items():
            np.testing.assert_array_equal(labels[name].values[known], expected, err_msg=name)
        return
    apart = cdist(score, centres)
    if isinstance(model.classes, NearestSample):
        sample, label = model.classes.sample, model.classes.label
        to_sample = cdist(score, sample.astype("f8"))
        apart = np.stack([to_sample[:, label == c].min(axis=1) for c in range(len(centres))], axis=1)
    np.testing.assert_array_equal(pad_class, apart.argmin(axis=1))
    own = np.linalg.norm(score - centres[pad_class], axis=1)
    np.testing.assert_allclose(labels["distance"].values[known], own, rtol=1e-5)
    nearest, second = np.sort(apart, axis=1)[:, :2].T
    np.testing.assert_allclose(labels["margin"].values[known], 1 - nearest / second, atol=1e-5)


def test_labels_keep_the_attributes_of_the_archive_and_have_those_of_results(factories, model, records):
    archive = factories.dataset(records)
    archive.attrs = {"spacecraft": "rbspa", "SIMULATED": "by padflow"}
    archive["time"].attrs["long_name"] = "middle of the record"
    for dataset in (archive, archive.chunk({"time": BLOCK_ROWS})):
        labels = model.label(dataset)
        assert labels.attrs == archive.attrs
        assert labels["time"].attrs == archive["time"].attrs
        meanings = dict(zip(labels["reason"].flag_values, labels["reason"].flag_meanings.split(), strict=True))
        assert meanings[Reason.LOW_COUNTS] == "low_counts"
        assert labels["pad_class"].flag_meanings.split() == list(model.names)
        for spec in results_specs(3):
            assert spec.name == "time" or spec.attributes.items() <= labels[spec.name].attrs.items()
        labels.attrs["spacecraft"] = "rbspb"
        assert archive.attrs["spacecraft"] == "rbspa"


def test_a_model_is_shown_in_a_few_lines(model):
    history = {"loss": [0.1] * 5000}
    told = {"padflow": "0.1.0", "separated": False, "separated_because": "two <touch>", "simulated": "by padflow"}
    shown = replace(model, info={"training": history} | told)
    text = repr(shown)
    assert len(text) < 800
    assert f"{len(model.names)}: class_0, class_1" in text
    assert "17 pitch angles from 5.29 to 175 degrees, 12 energies from" in text
    assert "3 scores" in text
    for words in ("no: two <touch>", "by padflow", "0.1.0"):
        assert words in text
    page = shown._repr_html_()
    assert "two &lt;touch&gt;" in page
    assert "loss" not in page


@pytest.mark.parametrize("chunks", [333, BLOCK_ROWS, 1500, 2 * BLOCK_ROWS, ROWS])
def test_dask_chunks_change_no_bit(factories, model, records, labels, chunks):
    lazy = model.label(factories.dataset(records, chunks=chunks))
    assert lazy["pad_class"].chunks is not None
    computed = lazy.compute(scheduler="threads", num_workers=4)
    for name in NAMES:
        assert computed[name].dtype == labels[name].dtype == lazy[name].dtype
        assert computed[name].values.tobytes() == labels[name].values.tobytes(), name


@pytest.mark.parametrize("blocks", [1, 2, 4])
def test_parts_change_no_bit(factories, model, records, axes, labels, blocks):
    """As the passes of a run do it: read a part and its halo, score, keep the scores as float32, classify."""
    encoder = model.encoder(axes)
    reader = factories.MemoryReader(records)
    size = blocks * BLOCK_ROWS
    for start in range(0, ROWS, size):
        stop = min(start + size, ROWS)
        values = encoder.score(needed_rows(reader, start, stop, needs=encoder.preprocessor.needs))
        values |= model.classes.assign(values["score"])
        for name in NAMES:
            assert values[name].tobytes() == labels[name].values[start:stop].tobytes(), name


def test_save_and_load_give_the_same_model(factories, model, records, labels, tmp_path):
    model.save(tmp_path / "deep" / "model")
    again = Model.load(tmp_path / "deep" / "model")
    assert again.digest() == model.digest()
    assert again.preprocess == model.preprocess
    assert again.info == model.info
    assert type(again.classes) is type(model.classes)
    found = again.label(factories.dataset(records))
    for name in NAMES:
        assert found[name].values.tobytes() == labels[name].values.tobytes(), name
    again.save(tmp_path / "copy")
    for name in (ARRAYS, DESCRIPTION):
        assert (tmp_path / "copy" / name).read_bytes() == (tmp_path / "deep" / "model" / name).read_bytes()


def test_a_model_with_a_denoiser_is_the_same_in_chunks_and_when_it_is_loaded(factories, records, axes, tmp_path):
    config = PreprocessConfig(l_range=(2.5, 6.5), average_seconds=60, normalise="counts", energy_range=(1.5, 8))
    maker = Preprocessor(config, axes)
    network = factories.denoising_network(maker.features, len(maker.energy))
    projection = Projection(np.zeros(72), np.eye(72)[:3])
    centres = np.random.default_rng(0).normal(0, 1, (4, 3))
    made = Model(config, axes, network, projection, NearestCentre(centres), {"shapes": [None] * 4})
    labels = made.label(factories.dataset(records))
    known = labels["reason"].values == Reason.SELECTED
    assert np.isfinite(labels["reconstruction_error"].values[known]).all()
    made.save(tmp_path / "model")
    again = Model.load(tmp_path / "model").label(factories.dataset(records, chunks=1500))
    for name in (*NAMES, "probability", "shape", *STORED):
        assert again[name].values.tobytes() == labels[name].values.tobytes(), name
    np.testing.assert_array_equal(labels["energy"].values, maker.energy)
    assert labels["shape"].dims == ("time", "energy")


def test_a_model_needs_no_counts(factories, fitted, records):
    (_, _, network, projection), scores = fitted
    plain = Model(PreprocessConfig(), factories.UNCOUNTED, network, projection, NearestCentre(scores[:3]))
    of = factories.dataset(records).drop_vars("counts_per_flux").isel(time=slice(100))
    assert (plain.label(of)["pad_class"] >= 0).sum() > 80


def test_digest_sees_what_decides_labels_and_not_the_rest(fitted):
    parts, scores = fitted
    base = Model(*parts, NearestCentre(scores[:3]))
    assert Model(*parts, NearestCentre(scores[:3]), {"note": 1}).digest() == base.digest()
    other = PreprocessConfig(**CONFIG.model_dump() | {"fold": False})
    digests = {
        base.digest(),
        Model(*parts, NearestCentre(scores[1:4])).digest(),
        Model(other, *parts[1:], NearestCentre(scores[:3])).digest(),
    }
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("energy", lambda values: values * 1.01),
        ("energy", lambda values: values[:-1]),
        ("pitch_angle", lambda values: values + 1),
        ("pitch_angle", lambda values: values[1:-1]),
    ],
)
def test_other_axes_are_refused(model, axes, name, change):
    with pytest.raises(PadflowError, match=f"fitted to the {name} axis .*padflow run"):
        model.encoder(replace(axes, **{name: change(getattr(axes, name))}))


def test_axes_that_differ_by_rounding_are_the_same(model, axes):
    model.encoder(replace(axes, energy=axes.energy.astype("f4"), pitch_angle=np.round(axes.pitch_angle, 2)))


def test_label_refuses_a_dataset_of_another_instrument(factories, model, records):
    other = factories.dataset(records).isel(time=slice(10), energy=slice(1, None))
    with pytest.raises(PadflowError, match="energy axis"):
        model.label(other)


# --- loading what is not a good model ------------------------------------------------------------------------


@pytest.fixture
def saved(fitted, tmp_path):
    parts, scores = fitted
    Model(*parts, NearestCentre(scores[:3]), {"title": "test"}).save(tmp_path / "model")
    return tmp_path / "model"


def plant(saved, content: bytes) -> None:
    """Put other arrays into a model together with their checksum, as somebody who means harm would."""
    (saved / ARRAYS).write_bytes(content)
    description = json.loads((saved / DESCRIPTION).read_text())
    (saved / DESCRIPTION).write_text(json.dumps(description | {"arrays_sha256": sha256_of(content)}))


def test_altered_arrays_are_refused(saved):
    content = bytearray((saved / ARRAYS).read_bytes())
    content[len(content) // 2] ^= 1
    (saved / ARRAYS).write_bytes(content)
    with pytest.raises(PadflowError, match="was altered"):
        Model.load(saved)


@pytest.mark.parametrize("name", [ARRAYS, DESCRIPTION])
def test_missing_files_are_refused(saved, name):
    (saved / name).unlink()
    with pytest.raises(PadflowError, match=f"{name} is missing"):
        Model.load(saved)
    with pytest.raises(PadflowError, match="not a model"):
        Model.load(saved / "nowhere")


@pytest.mark.parametrize("text", ["", "[]", '{"format": 1', "null"])
def test_a_description_that_is_not_whole_is_refused(saved, text):
    (saved / DESCRIPTION).write_text(text)
    with pytest.raises(PadflowError, match="not a model"):
        Model.load(saved)


@pytest.mark.parametrize("form", [2, None, "1", True, 1.0, 10**400, ["x" * 10**5]])
def test_other_formats_are_refused(saved, form):
    describe(saved, {"format": form, "padflow": "9.9.9"})
    with pytest.raises(PadflowError, match=r"written by padflow '9\.9\.9'; this padflow reads format 1") as caught:
        Model.load(saved)
    assert len(str(caught.value)) < 1000


def describe(saved, change: dict) -> None:
    description = json.loads((saved / DESCRIPTION).read_text())
    (saved / DESCRIPTION).write_text(json.dumps(description | change))


@pytest.mark.parametrize("preprocess", [None, {"fold": "perhaps"}, {"exec": "rm"}])
def test_a_preprocess_section_that_does_not_fit_is_refused(saved, preprocess):
    description = json.loads((saved / DESCRIPTION).read_text())
    description["preprocess"] = preprocess
    if preprocess is None:
        del description["preprocess"]
    (saved / DESCRIPTION).write_text(json.dumps(description))
    with pytest.raises(PadflowError, match=r"model\.json is not as padflow wrote it: .*preprocess"):
        Model.load(saved)


GOOD_CLASS = {"pad_class": 0, "name": "a_0", "records": 3, "share": 0.5, "shape": "a", "looks": "a", "shapes": ["a"]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"training": {"history": {"loss": [0.5, float("nan")]}}}, "'training.history.loss.1' is no finite number"),
        ({"pca": {"noise_variance": float("inf")}}, "'pca.noise_variance' is no finite number"),
        ({"names": None}, "names"),
        ({"names": ["a", "b", 3]}, "names.2"),
        ({"names": ["a", "b", "two words"]}, "names.2"),
        ({"names": ["a", "b", "<script>"]}, "names.2"),
        ({"names": ["a", "b", "\x1b[31m"]}, "names.2"),
        ({"names": ["x" * 10**5] * 3}, "names.0"),
        ({"names": ["a", "b"]}, "has 3 classes, but names 2"),
        ({"settings": {"train": {"epochs": -1}}}, "settings.train.epochs = -1"),
        ({"settings": {"traim": {}}}, "unknown key settings.traim"),
        ({"classes": [GOOD_CLASS | {"records": -1}]}, r"classes\.0 = "),
        ({"classes": [GOOD_CLASS | {"records": True}]}, r"classes\.0 = "),
        ({"classes": [GOOD_CLASS | {"share": 1.5}]}, r"classes\.0 = "),
        ({"classes": [GOOD_CLASS | {"shape": "<b>"}]}, r"classes\.0 = "),
        ({"classes": {}}, "classes"),
        ({"preprocess": {"fold": False}}, "makes 204 features of a record, but w_encode .* takes 108"),
        ({"preprocess": {"energy_range": [900, 1000]}}, "energy_range"),
    ],
)
def test_a_description_that_no_model_has_is_refused_by_key(saved, change, words):
    describe(saved, {"classes": [GOOD_CLASS]})
    Model.load(saved)
    describe(saved, change)
    with pytest.raises(PadflowError, match=words) as caught:
        Model.load(saved)
    assert str(saved) in str(caught.value) or "names 2" in words
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize(
    "text", ['{"format": 1, "x": 1e999}', "[" * 10**6, '{"a":' * 10**5, '{"format": 1, "x": ' + "9" * 5000 + "}"]
)
def test_a_description_of_absurd_numbers_or_depth_is_refused(saved, text):
    (saved / DESCRIPTION).write_text(text)
    with pytest.raises(PadflowError, match=r"model\.json") as caught:
        Model.load(saved)
    assert len(str(caught.value)) < 1000


def test_a_description_that_is_too_large_is_not_read(saved):
    with (saved / DESCRIPTION).open("a") as file:
        file.truncate(1 << 40)  # sparse
    with pytest.raises(PadflowError, match=r"model\.json is not whole .*larger than 16 MiB"):
        Model.load(saved)


class Harm:
    """Runs a command where it is unpickled."""

    def __init__(self, trace):
        self.trace = str(trace)

    def __reduce__(self):
        return os.mkdir, (self.trace,)


@pytest.mark.parametrize("name", ["centres", "pca_mean", "w_encode", "axis_energy", "ward_sample"])
def test_a_planted_pickle_is_refused_and_not_run(saved, tmp_path, name):
    trace = tmp_path / "trace"
    arrays = unpack_arrays((saved / ARRAYS).read_bytes())
    arrays[name] = np.array([Harm(trace)], dtype=object)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    plant(saved, buffer.getvalue())
    with pytest.raises(PadflowError, match=ARRAYS):
        Model.load(saved)
    assert not trace.exists()
    with np.load(saved / ARRAYS, allow_pickle=True) as file:
        file[name]
    assert trace.exists()  # the plant was a real one


@pytest.mark.parametrize("name", ["centres", "pca_mean", "pca_components", "w_decode", "axis_counts_per_flux"])
def test_arrays_that_are_not_all_there_are_refused(saved, name):
    arrays = unpack_arrays((saved / ARRAYS).read_bytes())
    del arrays[name]
    plant(saved, pack_arrays(arrays))
    with pytest.raises(PadflowError, match=name):
        Model.load(saved)


def test_files_that_are_not_archives_are_refused(saved, tmp_path):
    import pickle

    trace = tmp_path / "trace"
    lone = io.BytesIO()
    np.save(lone, np.arange(3))
    for content in (b"", b"no archive", pickle.dumps(Harm(trace)), lone.getvalue(), b"PK\x03\x04 cut off"):
        plant(saved, content)
        with pytest.raises(PadflowError, match=ARRAYS):
            Model.load(saved)
    assert not trace.exists()


def test_objects_are_not_packed():
    with pytest.raises(ValueError, match="allow_pickle=False"):
        pack_arrays({"a": np.array([object()])})


def test_the_bytes_do_not_hold_the_time_they_were_written():
    content = pack_arrays({"a": np.arange(3), "b": np.eye(2)})
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        assert {info.date_time for info in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert pack_arrays({"a": np.arange(3), "b": np.eye(2)}) == content
