# SPDX-License-Identifier: BSD-3-Clause
"""From records of flux to rows of features: clean, select, fold, average, normalise, flatten.

`Preprocessor` binds the kernels of `padflow.features.kernels` to a configuration and an instrument's axes and works on
blocks of `BLOCK_ROWS` records at fixed places of the archive, so that a row's bits depend neither on the
size of parts nor on the number of workers. `padflow.features.dataset.preprocess` is the same for an xarray Dataset.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from padflow.config.sections import PreprocessConfig
from padflow.errors import ConfigError
from padflow.features.kernels import (
    RunningWindows,
    bins_flat,
    filled_share,
    find_windows,
    normalise_flux,
    peak_flux,
    root_count_shares,
    take_channels,
    window_counts,
)
from padflow.records import Axes, Needs, Reason, Records, Rows

OF_COUNTS = ("counts", "count_shares")
"""Values of ``preprocess.normalise`` that need to know the counts."""


@dataclass(frozen=True)
class Features:
    """Rows that are ready for the autoencoder.

    Parameters
    ----------
    rows : ndarray of float32, shape (records, features)
        Pitch angle varies slowest, energy fastest; missing bins are 0. Defined for every record, also for
        those that are not selected.
    reason : ndarray of int8, shape (records,)
        `Reason` of each record; 0 where it is selected.
    """

    rows: np.ndarray
    reason: np.ndarray


class Preprocessor:
    """The preprocessing of one configuration on one instrument's axes.

    Parameters
    ----------
    config : PreprocessConfig
    axes : Axes
        Counts are needed for `min_counts` and where `normalise` is one of `OF_COUNTS`.

    Raises
    ------
    ConfigError
        Where the axes do not allow what the configuration asks for.
    """

    def __init__(self, config: PreprocessConfig, axes: Axes):
        self.config = config
        pitch_angle, energy = np.asarray(axes.pitch_angle, "f8"), np.asarray(axes.energy, "f8")
        low, high = config.energy_range or (-np.inf, np.inf)
        chosen = np.flatnonzero((energy >= low) & (energy <= high))
        if not len(chosen):
            raise ConfigError(
                f"preprocess.energy_range = [{low:g}, {high:g}] MeV holds no channel of the archive; its energies "
                f"are {', '.join(f'{e:g}' for e in energy)} MeV."
            )
        self._channels = slice(int(chosen[0]), int(chosen[-1]) + 1)  # energies ascend
        bins = len(pitch_angle) * len(chosen)
        if config.min_valid_channels > bins:
            raise ConfigError(
                f"preprocess.min_valid_channels = {config.min_valid_channels}, but a record has only {bins} bins: "
                f"{len(pitch_angle)} pitch angles x {len(chosen)} energies. Lower it."
            )
        self._counts_per_flux: np.ndarray | None = None
        self._counts_per_folded_flux: np.ndarray | None = None
        counted = config.min_counts or config.normalise in OF_COUNTS
        per_channel = self._checked_counts(axes.counts_per_flux) if counted else np.empty(0)
        if config.min_counts:
            self._counts_per_flux = per_channel
        joined = np.ones(len(pitch_angle), np.float32)  # bins that make each one after folding
        if config.fold:
            pitch_angle, joined = _folded(pitch_angle)
        if config.normalise in OF_COUNTS:
            self._counts_per_folded_flux = joined[:, None] * per_channel
        self.pitch_angle, self.joined = pitch_angle, joined
        self.energy = energy[self._channels]
        self.features = len(self.pitch_angle) * len(self.energy)
        self._middle = int(np.argmin(np.abs(self.pitch_angle - 90)))

    def _checked_counts(self, counts_per_flux: np.ndarray) -> np.ndarray:
        """Return the counts that unit flux gives in a bin of each chosen channel."""
        chosen = np.asarray(counts_per_flux, "f8")[self._channels]
        if not np.isfinite(chosen).all():
            key, instead = f"min_counts = {self.config.min_counts:g}", "min_filled_share"
            if self.config.normalise in OF_COUNTS:
                key, instead = f"normalise = {self.config.normalise}", "normalise=max"
            raise ConfigError(
                f"preprocess.{key} needs counts, but the instrument gives no geometric factor and accumulation time; "
                f"add them to the instrument file, or use preprocess.{instead}."
            )
        return chosen.astype(np.float32)

    @property
    def needs(self) -> Needs:
        """What a call reads: half a window before and after, and the L that records are selected by."""
        ephemeris = (self.config.l_variable,) if self.config.l_range else ()
        return Needs(self.config.average_seconds / 2, ephemeris)

    def blocks(self, rows: Rows) -> Iterator[tuple[slice, Rows, Features]]:
        """Make features block by block.

        Yields
        ------
        slice
            Where the block lies, counted from the first of `rows`.
        Rows
            The block.
        Features
            Its features.
        """
        for where, block in rows.blocks(self.needs.halo_seconds):
            yield where, block, self(block)

    def __call__(self, rows: Rows) -> Features:
        """Make features of one block of rows; the records around them only serve the averages."""
        records, core = rows.records, rows.core
        flux, of_records, finite = take_channels(
            records.flux, self._channels, fold=self.config.fold, counts_per_flux=self._counts_per_flux
        )
        windows = self._windows(records.time, core)
        reason = self._reason_before(records.take(core), finite=finite)
        counts = of_records[core] if windows is None else windows.sum(of_records)
        flux = flux[core] if windows is None else _window_mean(flux, windows)
        peak = peak_flux(flux)
        if not self.config.keep_empty:
            _set_reason(reason, peak <= 0, Reason.EMPTY)
        _set_reason(reason, peak < self.config.min_flux, Reason.LOW_FLUX)
        if self.config.min_counts:
            _set_reason(reason, counts < self.config.min_counts, Reason.LOW_COUNTS)
        if self.config.min_filled_share:
            _set_reason(reason, filled_share(flux) < self.config.min_filled_share, Reason.LOW_COUNTS)
        averaged = np.ones(len(flux)) if windows is None else windows.length
        return Features(bins_flat(self._normalised(flux, averaged, peak)), reason)

    def _normalised(self, flux: np.ndarray, averaged: np.ndarray, peak: np.ndarray) -> np.ndarray:
        method, per_flux = self.config.normalise, self._counts_per_folded_flux
        if per_flux is None:
            return normalise_flux(flux, method, middle=self._middle, peak=peak)
        counts = window_counts(flux, per_flux, averaged=averaged)
        return counts if method == "counts" else root_count_shares(counts, prior_counts=self.config.prior_counts)

    def views(self, rows: Rows) -> np.ndarray:
        """Count each window of one block of rows twice: its records of even row number, and those of odd one.

        Both come from the same shapes, with counting noise that is independent.

        Returns
        -------
        ndarray of float32, shape (rows, 2, features)
            Counts of the even and of the odd records; NaN is left out as in ``normalise: counts``.

        Raises
        ------
        ConfigError
            Where rows of features are not the counts of a window.
        """
        windows, per_flux = self._windows(rows.records.time, rows.core), self._counts_per_folded_flux
        if windows is None or per_flux is None:
            raise ConfigError("Views need preprocess.average_seconds above 0 and preprocess.normalise=counts.")
        flux, _, _ = take_channels(rows.records.flux, self._channels, fold=self.config.fold)
        odd = (rows.first + np.arange(len(flux))) % 2 == 1
        views = np.empty((len(rows), 2, self.features), np.float32)
        for number, chosen in enumerate((~odd, odd)):
            mean = _window_mean(np.where(chosen[:, None, None], flux, np.float32(np.nan)), windows)
            views[:, number] = bins_flat(window_counts(mean, per_flux, averaged=windows.sum(chosen.astype("i8"))))
        return views

    def _windows(self, time: np.ndarray, core: slice) -> RunningWindows | None:
        window, gap = self.config.average_seconds, self.config.max_gap_seconds
        return find_windows(time, core, window_seconds=window, max_gap_seconds=gap) if window else None

    def _reason_before(self, records: Records, *, finite: bool) -> np.ndarray:
        """Return the reasons that a record's own values give, before folding and averaging."""
        config = self.config
        reason = np.zeros(len(records), np.int8)
        if config.time_range is not None:
            first, end = (np.datetime64(t.replace(tzinfo=None), "ns") for t in config.time_range)
            _set_reason(reason, (records.time < first) | (records.time >= end), Reason.OUTSIDE_TIME)
        if config.l_range is not None:
            l_value = records.ephemeris.get(config.l_variable)
            if l_value is None:
                raise ConfigError(
                    f"preprocess.l_range needs {config.l_variable}, which this archive does not hold; use "
                    "preprocess.l_variable=L, or leave l_range null."
                )
            _set_reason(reason, np.isnan(l_value), Reason.L_MISSING)
            inside = (l_value >= config.l_range[0]) & (l_value < config.l_range[1])
            _set_reason(reason, ~inside, Reason.OUTSIDE_L)
        if config.min_valid_channels and not finite:
            valid = np.isfinite(records.flux[:, :, self._channels]).sum(axis=(1, 2))
            _set_reason(reason, valid < config.min_valid_channels, Reason.FEW_CHANNELS)
        return reason


@dataclass(frozen=True)
class Views:
    """Rows of two views of each record, side by side, in the place of rows of features.

    Parameters
    ----------
    preprocessor : Preprocessor
        It decides which records are selected.
    """

    preprocessor: Preprocessor

    @property
    def features(self) -> int:
        """Number of values in a row: counts of the even records, then those of the odd ones."""
        return 2 * self.preprocessor.features

    @property
    def needs(self) -> Needs:
        """What it reads."""
        return self.preprocessor.needs

    def blocks(self, rows: Rows) -> Iterator[tuple[slice, Rows, Features]]:
        """Make views block by block, see `Preprocessor.blocks` and `Preprocessor.views`."""
        for where, block, made in self.preprocessor.blocks(rows):
            yield where, block, Features(bins_flat(self.preprocessor.views(block)), made.reason)


def _window_mean(flux: np.ndarray, windows: RunningWindows) -> np.ndarray:
    return windows.mean(bins_flat(flux)).reshape(-1, *flux.shape[1:])


def _folded(pitch_angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pitch angles up to 90 degrees, and how many bins are averaged into each."""
    if not np.allclose(pitch_angle + pitch_angle[::-1], 180, atol=0.5):
        raise ConfigError(
            "preprocess.fold needs pitch angles that are symmetric about 90 degrees, but the archive's are "
            f"{', '.join(f'{a:g}' for a in pitch_angle)}; set preprocess.fold=false."
        )
    half = (len(pitch_angle) + 1) // 2
    joined = np.full(half, 2, np.float32)
    joined[len(pitch_angle) // 2 :] = 1  # the middle one of an odd number has no mirror
    return pitch_angle[:half], joined


def _set_reason(reason: np.ndarray, failed: np.ndarray, code: Reason) -> None:
    """Give a reason to the records that fail and have none yet: the first reason stands."""
    if failed.any():
        reason[failed & (reason == 0)] = code
