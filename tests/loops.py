# SPDX-License-Identifier: BSD-3-Clause
"""Kernels as loops that follow their definitions word by word."""

from __future__ import annotations

import numpy as np

from padflow.features.kernels import FEWEST_COUNTS


def average(values, ns, window_ns, gap_ns, *, sum_only):
    """Every pair of rows, in float64 and integer nanoseconds."""
    out = np.empty(values.shape)
    for i in range(len(ns)):
        inside = []
        for other in range(len(ns)):
            low, high = sorted((i, other))
            bridged = all(ns[k + 1] - ns[k] <= gap_ns for k in range(low, high))
            if bridged and 2 * abs(ns[other] - ns[i]) <= window_ns:
                inside.append(values[other].astype("f8"))
        count = np.sum(~np.isnan(inside), axis=0)
        total = np.nansum(inside, axis=0)
        out[i] = total if sum_only else np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return out


def normalise(flux, method, middle):
    """One value after the other."""
    clean = np.where(np.isfinite(flux), flux, 0).astype("f8")
    out = np.zeros(flux.shape)
    for i, a, e in np.ndindex(flux.shape):
        divisor = {
            "none": 1.0,
            "max": clean[i].max(),
            "energy_max": clean[i, :, e].max(),
            "pa90": clean[i, middle, e],
        }[method]
        out[i, a, e] = clean[i, a, e] / divisor if divisor > 1.2e-38 else 0
    return out


def shapes(flux, counts_per_flux, averaged, prior):
    """The definition, in float64, one record and energy after the other."""
    out = np.zeros(flux.shape)
    for i, record in enumerate(flux.astype("f8")):
        counts = np.where(np.isnan(record), 0, record) * counts_per_flux * averaged[i]
        if counts.sum() <= FEWEST_COUNTS:
            continue
        overall = counts.sum(axis=1) / counts.sum()
        for e in range(flux.shape[2]):
            total = counts[:, e].sum() + prior
            if total > FEWEST_COUNTS:
                out[i, :, e] = (counts[:, e] + prior * overall) / total
    return np.sqrt(out)
