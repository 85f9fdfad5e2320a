# SPDX-License-Identifier: BSD-3-Clause
"""The shape of every record of an archive: kernels of `padflow.shapes.measures` over its rows."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import xarray as xr

from padflow.errors import ConfigError
from padflow.features.checks import check_dataset
from padflow.features.dataset import Outputs, map_rows
from padflow.features.kernels import bins_flat, find_windows, fold_flux
from padflow.records import Axes, Needs, Rows
from padflow.shapes.attributes import shape_attributes
from padflow.shapes.equatorial import field_ratio
from padflow.shapes.folding import mirror_bins
from padflow.shapes.measures import NAMED, Measures, measure_counts
from padflow.shapes.names import name_shapes

NAMES = tuple(field.name for field in fields(Measures))


LARGEST_STORED, FILL = 32_000, -32_768
"""What 16 bits hold, and what stands for NaN there."""


STEPS = {"shape_probability": 1e-4, "peak_pitch_angle": 1e-2, "sin_n": 1e-3, "sin_n_error": 1e-3}
OTHER_STEP = 5e-4
"""Steps in which values are stored in 16 bits (chosen: counting errors are larger up to 100,000 counts)."""


class ShapeMeter:
    """Measure the shapes of the records of one instrument.

    Parameters
    ----------
    axes : Axes
    average_seconds : float
        Length of the running window whose counts are added up; 0 is one record.
    max_gap_seconds : float
        Records further apart than this are not added up.

    Raises
    ------
    ConfigError
        Where pitch angles are neither symmetric about 90 degrees nor all on one side of it.
    """

    def __init__(self, axes: Axes, *, average_seconds: float, max_gap_seconds: float) -> None:
        self.axes, self.average_seconds, self.max_gap_seconds = axes, average_seconds, max_gap_seconds
        self.angle, members = mirror_bins(axes.pitch_angle)
        self.joined = members.sum(axis=1)
        self._folds = len(self.angle) < len(axes.pitch_angle)
        if not np.array_equal(members[:, : len(self.angle)], np.eye(len(self.angle))) or (
            self._folds and len(self.angle) != (len(axes.pitch_angle) + 1) // 2
        ):
            raise ConfigError(
                "Shapes need pitch angles that are symmetric about 90 degrees, or all at most 90, but they are "
                f"{', '.join(f'{a:g}' for a in axes.pitch_angle)}."
            )

    @property
    def needs(self) -> Needs:
        """What a call reads."""
        return Needs(self.average_seconds / 2, ("B_Eq", "B_Calc"))

    def __call__(self, rows: Rows) -> dict[str, np.ndarray]:
        """Return the arrays of `Measures` for rows, (rows, energy), block by block."""
        shape = (len(rows), len(self.axes.energy))
        out = {name: np.empty(shape, np.int8 if name in NAMED else np.float32) for name in NAMES}
        for where, block in rows.blocks(self.needs.halo_seconds):
            for name, values in self._of_block(block).items():
                out[name][where] = values
        return out

    def _of_block(self, rows: Rows) -> dict[str, np.ndarray]:
        flux, added = self._mean(rows)
        by_angle = np.ascontiguousarray(flux.transpose(1, 0, 2))
        per_flux = self.joined[:, None, None] * added[:, None] * self.axes.counts_per_flux
        ratio = self._field_ratio(rows)[:, None]
        measures = measure_counts(self.angle, self.joined, by_angle * per_flux.astype(np.float32), field_ratio=ratio)
        uncounted = ~np.isfinite(self.axes.counts_per_flux)
        if uncounted.any():
            pads = flux[:, :, uncounted].transpose(0, 2, 1)
            measures.shape[:, uncounted] = measures.likeliest_shape[:, uncounted] = name_shapes(self.angle, pads)
        return {
            name: values if name in NAMED else np.clip(values, -_limit(name), _limit(name))
            for name, values in vars(measures).items()
        }

    def _mean(self, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean folded flux over the window of each row, and how many records are in it."""
        records, core = rows.records, rows.core
        flux = fold_flux(records.flux) if self._folds else records.flux
        if not self.average_seconds:
            return flux[core], np.ones(len(rows))
        windows = find_windows(
            records.time, core, window_seconds=self.average_seconds, max_gap_seconds=self.max_gap_seconds
        )
        return windows.mean(bins_flat(flux)).reshape(-1, *flux.shape[1:]), windows.length

    def _field_ratio(self, rows: Rows) -> np.ndarray:
        fields = [rows.records.ephemeris.get(name) for name in ("B_Eq", "B_Calc")]
        if fields[0] is None or fields[1] is None:
            return np.full(len(rows), np.nan)
        return field_ratio(fields[0][rows.core], fields[1][rows.core])


def measure_shapes(dataset: xr.Dataset, *, average_seconds: float = 120.0, max_gap_seconds: float = 60.0) -> xr.Dataset:
    """Measure the shape of every record at each energy: Dataset in, Dataset out, lazy where `flux` is a Dask array.

    Names and values come from counts, so they have probabilities and errors (``docs/shapes.md``). At energies whose
    ``counts_per_flux`` is not known there is only a name.

    Parameters
    ----------
    dataset : xarray.Dataset
        As `padflow.open_archive` returns it: ``flux`` (time, pitch_angle, energy), ``counts_per_flux`` and, for
        coefficients in the equatorial pitch angle, ``B_Eq`` and ``B_Calc``.
    average_seconds : float
        Counts are added up over a running window of this length centred on each record; 0 is off.
    max_gap_seconds : float
        Records further apart than this, and what lies beyond, are not added up.

    Returns
    -------
    xarray.Dataset
        Along (time, energy) the arrays of `padflow.shapes.measures.Measures`. Written to a file each takes 16 bits a
        value, and ``shape`` 8.

    Raises
    ------
    PadflowError
        Where the Dataset is not laid out so, or its times do not ascend.

    Examples
    --------
    >>> import padflow
    >>> shapes = padflow.measure_shapes(padflow.open_archive("run", "rbspa"))
    >>> shapes["shape"].dims
    ('time', 'energy')
    >>> names = shapes["shape"].attrs["flag_meanings"].split()
    """
    check_dataset(dataset)
    axes = Axes.of_dataset(dataset)
    meter = ShapeMeter(axes, average_seconds=average_seconds, max_gap_seconds=max_gap_seconds)
    sizes = (len(axes.energy),)
    outputs: Outputs = {name: (("energy",), sizes, "i1" if name in NAMED else "f4") for name in NAMES}
    out = map_rows(dataset, meter, outputs=outputs, needs=meter.needs).assign_coords(energy=dataset["energy"])
    for name in NAMES:
        out[name].attrs = shape_attributes(name)
        if name not in NAMED:
            out[name].encoding = {"dtype": "int16", "scale_factor": _step(name), "_FillValue": np.int16(FILL)}
    return out


def _step(name: str) -> float:
    return STEPS.get(name, OTHER_STEP)


def _limit(name: str) -> np.float32:
    return np.float32(LARGEST_STORED * _step(name))
