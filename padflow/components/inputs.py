# SPDX-License-Identifier: BSD-3-Clause
"""What components are fitted to: the codes of an autoencoder, or the root shares of the counts of a denoiser.

A denoiser's own code is not used: on archives of separate populations its components tell these apart worse than those
of the root shares do (``docs/notes``). What the denoiser learnt serves the shapes of records.
"""

from __future__ import annotations

import numpy as np

from padflow.autoencoder.denoiser import AnyNetwork, DenoisingNetwork
from padflow.features.kernels import root_count_shares

PRIOR_COUNTS = 50.0
"""Counts by which the root shares of an energy lean on the shape of all energies together (chosen, as the default of
``preprocess.prior_counts``)."""


def input_size(network: AnyNetwork) -> int:
    """Return the number of values of a record that components are made of."""
    return network.features if isinstance(network, DenoisingNetwork) else network.code_size


def component_inputs(network: AnyNetwork, rows: np.ndarray) -> np.ndarray:
    """Return what components are made of, float32 (n, input_size), from rows of features, float32 (n, features)."""
    if not isinstance(network, DenoisingNetwork):
        return network.encode(rows)
    counts = rows.reshape(len(rows), -1, network.energies)
    return root_count_shares(counts, prior_counts=PRIOR_COUNTS).reshape(rows.shape)


def input_slopes(network: AnyNetwork, mean: np.ndarray) -> np.ndarray:
    """Return how what a record is decoded to changes with each value of the inputs, float64 (input_size, features).

    Root shares are the features themselves.
    """
    return np.eye(network.features) if isinstance(network, DenoisingNetwork) else network.decoder_slopes(mean)
