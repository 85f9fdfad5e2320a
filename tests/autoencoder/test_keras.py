# SPDX-License-Identifier: BSD-3-Clause

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from padflow.autoencoder import epoch_graph, epochs, tensorflow
from padflow.autoencoder import keras as keras_module
from padflow.autoencoder.keras import load_keras, save_keras, train_autoencoder
from padflow.errors import PadflowError

SETTINGS = {
    "code_size": 102,
    "epochs": 4,
    "batch_size": 256,
    "learning_rate": 5e-4,
    "patience": 5,
    "restore_best": False,
    "seed": 1,
}
SMALL = SETTINGS | {"code_size": 5, "epochs": 3, "batch_size": 16}


@pytest.fixture(scope="module")
def frameworks():
    return tensorflow.load_tensorflow()


@pytest.fixture(scope="module")
def pads() -> np.ndarray:
    """Like REPT: sin^n over 17 pitch angles, 12 falling energies, counting noise, divided by the largest."""
    rng = np.random.default_rng(3)
    rows = 24_000
    sine = np.sin(np.radians((np.arange(17) + 0.5) * 180 / 17))[None, :, None]
    power = rng.uniform(-0.5, 3, (rows, 1, 1)) + rng.uniform(0, 0.2, (rows, 1, 1)) * np.arange(12)
    spectrum = np.exp(-np.arange(12) * rng.uniform(0.3, 1.2, (rows, 1, 1)))
    counts = rng.poisson(200 * sine**power * spectrum).astype(np.float32).reshape(rows, 204)
    return counts / counts.max(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return np.random.default_rng(4).random((150, 8), dtype=np.float32)


def train(rows, validation, **settings):
    return train_autoencoder(lambda epoch: rows, validation, **settings)


def digest(trained) -> str:
    return hashlib.sha256(b"".join(a.tobytes() for a in trained.network.to_arrays().values())).hexdigest()


def keras_twin(keras, features: int, settings: dict):
    """Return a Keras model with the same initial weights, compiled as the paper's was."""
    model = keras_module._build(keras, features, settings["code_size"], settings["seed"])
    model.compile(optimizer=keras.optimizers.Adam(settings["learning_rate"]), loss="mse")
    return model


def test_initial_weights_are_keras_defaults(frameworks):
    _, keras = frameworks
    ours = keras_module._build(keras, 204, 102, 1)
    theirs = keras.Sequential(
        [keras.Input((204,)), keras.layers.Dense(102, "relu"), keras.layers.Dense(204, "sigmoid")]
    )
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert a.shape == b.shape
        assert abs(a).max() == pytest.approx(abs(b).max(), rel=1e-2)
        assert a.std() == pytest.approx(b.std(), rel=2e-2)
    assert not np.array_equal(ours.get_weights()[0], ours.get_weights()[2].T)
    for layer, other in zip(ours.layers, theirs.layers, strict=True):
        assert layer.activation is other.activation


def test_same_losses_as_keras_fit(frameworks, pads):
    _, keras = frameworks
    keras.utils.set_random_seed(1)
    rows, validation = pads[:20_000], pads[20_000:]
    trained = train(rows, validation, **SETTINGS)
    model = keras_twin(keras, 204, SETTINGS)
    fit = model.fit(
        rows,
        rows,
        validation_data=(validation, validation),
        batch_size=256,
        epochs=4,
        shuffle=True,
        verbose=0,
    )
    # The orders of rows differ, which moves losses by some percent; `test_steps_match_keras_adam` has the same order.
    np.testing.assert_allclose(trained.history["val_loss"], fit.history["val_loss"], rtol=0.05)
    np.testing.assert_allclose(trained.history["loss"], fit.history["loss"], rtol=0.05)
    assert trained.history["val_loss"][-1] < 0.7 * trained.history["val_loss"][0]
    code = trained.network.encode(validation)
    error = trained.network.reconstruction_error(validation, code).mean(dtype=np.float64)
    assert trained.history["val_loss"][-1] == pytest.approx(error, rel=1e-5)


@pytest.mark.parametrize("row_count", [144, 128, 145, 7])
# nine batches, one more than a turn of the loop; a whole turn only; a last batch of one row; less than one
def test_steps_match_keras_adam(frameworks, noise, row_count):
    tf, keras = frameworks
    rows = noise[:row_count]
    trained = train(rows, noise, **SMALL)
    model = keras_twin(keras, 8, SMALL)
    losses = []
    for epoch in range(SMALL["epochs"]):
        order = epochs.shuffled(row_count, SMALL["seed"], epoch)
        assert sorted(order) == list(range(row_count))
        total = 0.0
        for start in range(0, row_count, 16):
            batch = rows[order[start : start + 16]]
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(model(batch) - batch))
            model.optimizer.apply(tape.gradient(loss, model.trainable_weights), model.trainable_weights)
            total += float(loss) * len(batch)
        losses.append(total / row_count)
    np.testing.assert_allclose(trained.history["loss"], losses, rtol=1e-5)
    for ours, expected in zip(trained.model.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("sequence", "patience", "epochs_run", "best"),
    [
        ([5, 4, 4, 4, 3, 2], 2, 4, 1),  # equal is no improvement
        ([5, 4, 4, 3, 3.5, 3.4, 1], 2, 6, 3),  # an improvement starts the count anew
        ([1, 2, 3, 4], 1, 2, 0),
        ([6, 5, 4, 3], 1, 4, 3),
    ],
)
def test_early_stopping_on_a_given_sequence(monkeypatch, noise, sequence, patience, epochs_run, best):
    losses = iter(sequence)
    monkeypatch.setattr(keras_module, "validation_function", lambda tf, weights: lambda rows, *weights: next(losses))
    settings = SMALL | {"epochs": len(sequence), "patience": patience}
    trained = train(noise, noise, **settings)
    assert trained.history["val_loss"] == sequence[:epochs_run]
    assert trained.best_epoch == best


@pytest.mark.parametrize(("restore_best", "epochs_kept"), [(True, 2), (False, 4)])
def test_weights_are_of_the_best_or_the_last_epoch(monkeypatch, noise, restore_best, epochs_kept):
    straight = train(noise, noise, **SMALL | {"epochs": epochs_kept})
    losses = iter([5, 3, 4, 4])
    monkeypatch.setattr(keras_module, "validation_function", lambda tf, weights: lambda rows, *weights: next(losses))
    trained = train(noise, noise, **SMALL | {"epochs": 9, "patience": 2, "restore_best": restore_best})
    assert digest(trained) == digest(straight)
    for weights, array in zip(trained.model.get_weights(), trained.network.to_arrays().values(), strict=True):
        np.testing.assert_array_equal(weights, array)


def test_validation_loss_is_the_same_in_blocks(monkeypatch, noise):
    whole = train(noise, noise, **SMALL).history["val_loss"]
    monkeypatch.setattr(epoch_graph, "VALIDATION_ROWS", 7)
    np.testing.assert_allclose(train(noise, noise, **SMALL).history["val_loss"], whole, rtol=1e-6)


def test_same_seed_same_bits(pads):
    settings = SETTINGS | {"epochs": 2}
    first = train(pads[:5000], pads[5000:6000], **settings)
    again = train(pads[:5000], pads[5000:6000], **settings)
    other = train(pads[:5000], pads[5000:6000], **settings | {"seed": 2})
    assert digest(first) == digest(again)
    assert first.history == again.history
    assert digest(first) != digest(other)


def test_rows_may_change_between_epochs(noise):
    calls = []

    def rows_of(epoch: int) -> np.ndarray:
        calls.append(epoch)
        return noise[epoch * 10 :]

    trained = train_autoencoder(rows_of, noise, **SMALL)
    assert calls == [0, 1, 2]
    assert digest(trained) != digest(train(noise, noise, **SMALL))


def test_progress_reports_each_epoch(noise):
    seen = []
    trained = train_autoencoder(lambda epoch: noise, noise, **SMALL, progress=lambda *line: seen.append(line))
    assert [line[0] for line in seen] == [0, 1, 2]
    assert [line[1] for line in seen] == trained.history["loss"]
    assert [line[2] for line in seen] == trained.history["val_loss"]
    assert all(line[3] > 0 for line in seen)


def test_values_above_one_train(noise):
    trained = train(noise * 3, noise * 3, **SMALL)
    assert trained.history["loss"][-1] < trained.history["loss"][0]


def test_keras_file_predicts_the_same(tmp_path, pads):
    trained = train(pads[:2000], pads[2000:3000], **SETTINGS | {"epochs": 2})
    save_keras(trained, tmp_path / "autoencoder.keras")
    predicted = load_keras(tmp_path / "autoencoder.keras").predict(pads[:500], verbose=0)
    decoded = trained.network.decode(trained.network.encode(pads[:500]))
    np.testing.assert_allclose(decoded, predicted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("which", ["training", "validation"])
def test_unfinished_rows_are_refused(noise, which, value):
    bad = noise.copy()
    bad[140, 7] = value
    rows, validation = (bad, noise) if which == "training" else (noise, bad)
    with pytest.raises(PadflowError, match=f"The {which} rows hold NaN or infinity"):
        train(rows, validation, **SMALL)


def test_missing_rows_name_the_keys(noise):
    with pytest.raises(PadflowError, match=r"no training rows.*train\.train_share or train\.split"):
        train(noise[:0], noise, **SMALL)
    with pytest.raises(PadflowError, match=r"no validation rows.*train\.validation_share or train\.split"):
        train(noise, noise[:0], **SMALL)


def test_divergence_advises_on_learning_rate(noise):
    with pytest.raises(PadflowError, match=r"diverged.*train\.learning_rate, now 1e\+38"):
        train(noise, noise, **SMALL | {"learning_rate": 1e38})


def test_works_in_a_thread(noise):
    found = []
    thread = threading.Thread(target=lambda: found.append(train(noise, noise, **SMALL)))
    thread.start()
    thread.join()
    assert digest(found[0]) == digest(train(noise, noise, **SMALL))


FRESH_PROCESS = """
import sys
import numpy as np
from padflow.autoencoder import keras as keras_module
from padflow.autoencoder import tensorflow
from padflow.autoencoder.tensorflow import without_startup_log
assert not {"tensorflow", "keras"} & set(sys.modules), "imported too early"
with without_startup_log():
    print("passed on", file=sys.stderr, flush=True)
noise = np.random.default_rng(4).random((150, 8), dtype=np.float32)
trained = keras_module.train_autoencoder(lambda epoch: noise, noise, code_size=5, epochs=3, batch_size=16,
    learning_rate=5e-4, patience=5, restore_best=False, seed=1)
import hashlib
print(hashlib.sha256(b"".join(a.tobytes() for a in trained.network.to_arrays().values())).hexdigest())
"""


def test_fresh_process_is_quiet_and_gives_the_same_bits(noise):
    environment = {k: v for k, v in os.environ.items() if k not in ("TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FRESH_PROCESS],
        env=environment | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "passed on\n")
    assert done.stdout.strip() == digest(train(noise, noise, **SMALL))
