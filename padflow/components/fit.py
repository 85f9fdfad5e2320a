# SPDX-License-Identifier: BSD-3-Clause
"""Fit the components to the moments of all codes."""

from __future__ import annotations

from typing import Any

import numpy as np

from padflow.autoencoder.denoiser import AnyNetwork
from padflow.autoencoder.training import code_size
from padflow.blas import one_blas_thread
from padflow.components.inputs import input_slopes
from padflow.components.moments import CodeStatistics
from padflow.components.noise import MOST_PAIRS, noise_adjusted_axes
from padflow.components.pca import IncrementalPCA
from padflow.components.projection import SOFTENING, Projection
from padflow.config.sections import Config, PcaConfig
from padflow.errors import ConfigError, PadflowError


def check_components(config: Config, features: int) -> None:
    """Refuse more components than the code has values, or than a denoiser has features, before anything is computed.

    Raises
    ------
    ConfigError
    """
    size = features if config.train.target == "other_spins" else code_size(config, features)
    if config.pca.components > size:
        raise ConfigError(
            f"pca.components = {config.pca.components}, but a code has only {size} values (train.code_size). Lower "
            "pca.components, or raise train.code_size."
        )


def pairs_share(config: Config, rows: int) -> float:
    """Return the share of an archive's rows whose difference to a neighbour tells the noise."""
    return MOST_PAIRS / max(rows, 1) if config.pca.scale == "noise" else 0.0


def fit_components_to(
    statistics: CodeStatistics, config: PcaConfig, *, network: AnyNetwork
) -> tuple[Projection, dict[str, Any]]:
    """Fit the components to the statistics of all codes, which `network` made.

    Axes over noise are found in what the codes decode to, to first order about their mean: the length of a code
    along one of its values is whatever training made it, that of what it decodes to is not.

    Returns
    -------
    Projection
    dict
        What the model's description is to say of the components.

    Raises
    ------
    PadflowError
        Where too few records were selected.
    """
    total, components = statistics.moments, config.components
    if total.n <= components:
        raise PadflowError(
            f"Only {total.n} records are selected for the fit, too few for {components} components. Widen the "
            "preprocess section (l_range, min_counts, min_filled_share, min_flux, time_range), or set pca.rows=all."
        )
    pca, whole = IncrementalPCA(components).merge(total), IncrementalPCA().merge(total)
    likelihood = pca.mean_log_likelihood_
    info = {
        "explained_variance": pca.explained_variance_.tolist(),
        "explained_variance_ratio": pca.explained_variance_ratio_.tolist(),
        "noise_variance": float(pca.noise_variance_),
        "mean_log_likelihood": float(likelihood) if np.isfinite(likelihood) else None,
        "spectrum": whole.explained_variance_ratio_.tolist(),
        "records": total.n,
        "scale": config.scale,
    }
    axes, softening = pca.components_, 0.0
    if config.scale == "noise":
        slopes = input_slopes(network, total.mean)
        decoded = IncrementalPCA().merge(total.mapped(slopes))
        with one_blas_thread():
            differences = statistics.differences @ slopes
            axes, ratio = noise_adjusted_axes(decoded, differences, components=components)
            axes = axes @ slopes.T
        softening = SOFTENING
        info |= {"signal_to_noise": ratio.tolist(), "pairs": len(statistics.differences), "softening": softening}
    return Projection(pca.mean_, axes, softening), info


def describe_components(info: dict[str, Any]) -> str:
    """Return a line about fitted components."""
    kept = len(info["explained_variance_ratio"])
    if info["scale"] == "noise":
        ratios = ", ".join(f"{ratio:.1f}" for ratio in info["signal_to_noise"][:kept])
        return f"{kept} components of {info['records']:,} records stand out over the noise {ratios} times"
    share = sum(info["explained_variance_ratio"])
    return f"{kept} components of {info['records']:,} records hold {share:.1%} of the variance"
