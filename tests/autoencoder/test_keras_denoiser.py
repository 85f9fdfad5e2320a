# SPDX-License-Identifier: BSD-3-Clause
"""Training on other spins: what is learnt, the same bits, and what is refused."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import fields

import numpy as np
import pytest

from padflow.autoencoder import keras_denoiser
from padflow.autoencoder.denoiser import DenoisingNetwork, network_inputs
from padflow.autoencoder.epochs import shuffled
from padflow.autoencoder.keras_denoiser import MOST_COUNTS, train_denoiser
from padflow.autoencoder.tensorflow import load_tensorflow
from padflow.errors import PadflowError

ANGLES, ENERGIES = 9, 3
SETTINGS = {
    "energies": ENERGIES,
    "code_size": 4,
    "epochs": 3,
    "batch_size": 64,
    "learning_rate": 2e-3,
    "patience": 5,
    "restore_best": True,
    "seed": 1,
}
TOTALS = np.array([3000.0, 100, 8])


def drawn(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two views of sin^n shapes whose n changes with energy, (rows, 2 x features), and the true shares."""
    rng = np.random.default_rng([3, seed])
    sine = np.sin(np.radians((np.arange(ANGLES) + 0.5) * 180 / 17))[:, None]
    power = rng.uniform(-0.5, 3, (rows, 1, 1)) * np.linspace(0.8, 1.2, ENERGIES)
    shares = sine**power / (sine**power).sum(axis=1, keepdims=True)
    views = rng.poisson(shares[:, None] * TOTALS, (rows, 2, ANGLES, ENERGIES))
    return views.astype("f4").reshape(rows, -1), shares


@pytest.fixture(scope="module")
def views() -> tuple[np.ndarray, np.ndarray]:
    return drawn(300, 0)[0], drawn(100, 1)[0]


def train(rows, validation, **settings):
    return train_denoiser(lambda epoch: rows, validation, **SETTINGS | settings)


def digest(trained) -> str:
    return hashlib.sha256(b"".join(a.tobytes() for a in trained.network.to_arrays().values())).hexdigest()


def divergence(network: DenoisingNetwork, rows: np.ndarray) -> float:
    """The loss by its definition, in float64."""
    views = np.split(rows, 2, axis=1)
    total = 0.0
    for given, other in (views, views[::-1]):
        shares = network.shares(given).astype("f8").reshape(-1, ANGLES, ENERGIES)
        counts = other.astype("f8").reshape(shares.shape)
        number = counts.sum(axis=1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(counts > 0, counts * np.log(counts / number / shares), 0)
        total += (terms * np.minimum(1, MOST_COUNTS / np.maximum(number, 1))).sum()
    return total / (2 * len(rows) * ENERGIES)


def test_shapes_are_learnt_where_counts_are_few():
    rows, _ = drawn(6000, 0)
    validation, _ = drawn(1000, 1)
    trained = train(rows, validation, epochs=8)
    counts, shares = drawn(2000, 2)
    window = counts.reshape(-1, 2, ANGLES * ENERGIES).sum(axis=1)
    estimate = trained.network.estimate(window)
    found, effective = np.moveaxis(estimate.shares, 2, 0), estimate.effective.T
    own = window.reshape(shares.shape) / np.maximum(window.reshape(shares.shape).sum(axis=1, keepdims=True), 1)
    wrong = [((each - shares) ** 2).mean(axis=(0, 1)) for each in (found.reshape(shares.shape), own)]
    assert (wrong[0] < wrong[1] * [0.9, 0.05, 0.005]).all()  # 16 counts at the last energy, 6,000 at the first
    squares = (found.reshape(shares.shape) - shares) ** 2 / shares
    chi2 = (squares.sum(axis=1) * (effective + 1)).mean(axis=0) / (ANGLES - 1)
    assert (chi2 < 2).all()  # effective counts never say more than is known, and where there are counts not less
    assert chi2[0] > 0.5


def test_losses_are_divergences_of_the_best_weights(views):
    trained = train(*views, epochs=5)
    history = trained.history
    assert history["val_loss"][trained.best_epoch] == min(history["val_loss"])
    assert min(history["val_loss"]) == pytest.approx(divergence(trained.network, views[1]), rel=1e-4)
    assert history["loss"][-1] < 0.7 * history["loss"][0]


@pytest.mark.parametrize("rows", [300, 256, 40])  # a last batch with fewer rows, whole batches, less than one
def test_steps_are_those_of_keras_adam_with_cosine_decay(views, rows):
    tf, keras = load_tensorflow()
    some = views[0][:rows]
    trained = train(some, views[1], restore_best=False)
    features = ANGLES * ENERGIES
    model = keras_denoiser.build_denoiser(keras, features, ENERGIES, code_size=4, seed=1)
    steps = SETTINGS["epochs"] * -(-rows // 64)
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps))
    first, second = np.split(some, 2, axis=1)
    for epoch in range(SETTINGS["epochs"]):
        order = shuffled(rows, 1, epoch)
        for start in range(0, rows, 64):
            batch = order[start : start + 64]
            given, other = (
                np.concatenate([each[batch] for each in pair]) for pair in ((first, second), (second, first))
            )
            counts = other.reshape(-1, ANGLES, ENERGIES)
            counts = counts * np.minimum(1, MOST_COUNTS / np.maximum(counts.sum(axis=1, keepdims=True), 1))
            with tf.GradientTape() as tape:
                logits = tf.reshape(model(network_inputs(given, ENERGIES)), counts.shape)
                likelihood = tf.reduce_sum(counts.astype("f4") * tf.nn.log_softmax(logits, axis=1))
                loss = -likelihood / (len(given) * ENERGIES)
            optimizer.apply(tape.gradient(loss, model.trainable_weights), model.trainable_weights)
    for ours, expected in zip(trained.model.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=0, atol=2e-4)


def test_the_keras_model_gives_the_logits_of_the_network(views):
    trained = train(*views)
    given = views[1][:, : ANGLES * ENERGIES].copy()
    logits = trained.model.predict(network_inputs(given, ENERGIES), verbose=0).reshape(-1, ANGLES, ENERGIES)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    found = trained.network.shares(given)
    np.testing.assert_allclose(found.reshape(shares.shape), shares, atol=1e-5)
    assert len(trained.model.get_weights()) == len(fields(DenoisingNetwork)) - 2


def test_same_seed_same_bits(views):
    first, again, other = train(*views), train(*views), train(*views, seed=2)
    assert digest(first) == digest(again) != digest(other)
    assert first.history == again.history


def test_training_stops_where_validation_does_not_improve(views):
    noise = np.random.default_rng(0).poisson(3, views[0].shape).astype("f4")
    trained = train(noise, np.tile(views[1][:1], (50, 1)), epochs=30, patience=2, learning_rate=0.02)
    assert len(trained.history["loss"]) == trained.best_epoch + 3 < 30


def test_rows_may_change_between_epochs_and_progress_is_told(views):
    calls, told = [], []

    def rows_of(epoch: int) -> np.ndarray:
        calls.append(epoch)
        return views[0][epoch * 10 :].copy()

    trained = train_denoiser(rows_of, views[1], **SETTINGS, progress=lambda *line: told.append(line))
    assert calls == [0, 1, 2]
    assert [line[:3] for line in told] == list(zip(range(3), *trained.history.values(), strict=True))
    assert all(line[3] > 0 for line in told)


@pytest.mark.parametrize("which", ["training", "validation"])
def test_unusable_rows_are_refused(views, which):
    for bad, words in ((views[0] * np.nan, "hold NaN or infinity"), (views[0][:0], f"no {which} rows")):
        given = (bad, views[1]) if which == "training" else (views[0], bad)
        with pytest.raises(PadflowError, match=words):
            train(*given)


def test_divergence_advises_on_the_learning_rate(views):
    with pytest.raises(PadflowError, match=r"diverged.*train\.learning_rate, now 1e\+30"):
        train(*views, learning_rate=1e30)


ON_ONE_CORE = """
import os, sys
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import numpy as np
from padflow.autoencoder.keras_denoiser import train_denoiser
views = np.load(sys.argv[1])
trained = train_denoiser(lambda epoch: views["rows"], views["validation"], energies=3, code_size=4, epochs=3,
    batch_size=64, learning_rate=2e-3, patience=5, restore_best=True, seed=1)
import hashlib
print(hashlib.sha256(b"".join(a.tobytes() for a in trained.network.to_arrays().values())).hexdigest())
"""


def test_a_fresh_process_on_one_core_is_quiet_and_gives_the_same_bits(views, tmp_path):
    np.savez(tmp_path / "views.npz", rows=views[0], validation=views[1])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ON_ONE_CORE, str(tmp_path / "views.npz")],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == digest(train(*views))
