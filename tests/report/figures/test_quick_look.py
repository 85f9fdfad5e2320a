# SPDX-License-Identifier: BSD-3-Clause
"""A quick look shows what the records have, and says what it does not show."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_hex

from padflow.report.figures.quick_look import COLUMNS, SHAPE_COLOURS, quick_look
from padflow.report.figures.style import class_colour
from padflow.shapes.names import SHAPES

START = np.datetime64("2013-03-01", "ns")
END = START + np.timedelta64(1, "D")
ANGLES = (np.arange(9) + 0.5) * 20


@pytest.fixture
def seen() -> xr.Dataset:
    """A record every minute: twelve hours of a butterfly, then nothing for six, then a pancake with few counts."""
    minutes = np.r_[0:720, 1080:1440]
    time = START + minutes * np.timedelta64(1, "m")
    early = minutes < 720
    shape = np.where(early[:, None], SHAPES.index("butterfly"), SHAPES.index("pancake")) * np.ones((1, 2), "i1")
    butterfly = np.where(np.abs(ANGLES - 90) < 30, 0.5, 1.0)
    flux = np.where(early[:, None], 1e4 * butterfly, np.sin(np.radians(ANGLES)))
    return xr.Dataset(
        {
            "flux": (("time", "pitch_angle", "channel"), flux[..., None]),
            "shape": (("time", "energy"), shape.astype("i1")),
            "pad_class": ("time", np.where(early, 1, -1), {"flag_meanings": "pancake butterfly_deep"}),
            "probability": ("time", np.where(early, 0.75, np.nan)),
            "L": ("time", np.full(len(minutes), 4.5)),
            "MLT": ("time", minutes / 60),
        },
        {
            "time": time,
            "pitch_angle": ANGLES,
            "channel": [2.1],
            "energy": [1.8, 2.1],
            "counts_per_flux": ("channel", [0.5]),
        },
    )


def mesh_of(ax) -> np.ndarray:
    (mesh,) = [one for one in ax.collections if isinstance(one, QuadMesh)]
    return mesh.get_array().filled(np.nan)


def test_panels_show_what_the_records_have(seen: xr.Dataset) -> None:
    seen.attrs["SIMULATED"] = "no measurement"
    values = ("time_1min", np.linspace(0, -100, 1440).astype("f4"), {"units": "nT", "long_name": "SYM-H index"})
    index = xr.DataArray(values[1], {"time_1min": START + np.arange(1440) * np.timedelta64(1, "m")}, "time_1min")
    index.attrs = values[2]
    figure = quick_look(seen, START, END, title="some day", index=index)
    track, angles, shapes, classes, storm = (ax for ax in figure.axes if ax.get_label() != "<colorbar>")
    assert track.get_title(loc="left") == "some day: 1,080 records, 720 with a class"
    assert figure.get_suptitle() == "SIMULATED: no measurement"
    shares = mesh_of(angles)
    assert shares.shape == (9, COLUMNS)
    np.testing.assert_allclose(shares[4, :199], 0.5 / (7.5 / 9))  # a butterfly, at 90 degrees
    assert np.isnan(shares[:, 201:299]).all()  # no record
    assert np.isnan(shares[:, 301:]).all()  # few counts
    assert [text.get_text() for text in angles.texts] == ["blank: fewer than 100 counts in a column"]
    codes = mesh_of(shapes)
    assert (codes[:, :199] == SHAPES.index("butterfly")).all()
    assert (codes[:, 301:] == SHAPES.index("pancake")).all()
    assert [text.get_text() for text in shapes.get_legend().get_texts()] == ["pancake", "butterfly"]
    assert [text.get_text() for text in classes.get_legend().get_texts()] == ["1 butterfly deep", "no class"]
    own, without = classes.patches
    assert to_hex(own.get_facecolor()).upper() == class_colour(1)
    np.testing.assert_allclose(own.get_data().values[:199], 0.75)
    assert (own.get_data().values[301:] == 0).all()
    assert (without.get_data().values[301:] == 1).all()
    assert storm.get_ylabel() == "SYM-H\n(nT)"
    assert storm.get_lines()[-1].get_ydata().min() == -100
    ticks = [label.get_text() for label in storm.get_xticklabels()]
    assert ticks[0] == "00:00\n4.5\n0.0"
    assert "15:00\n–\n–" in ticks


def test_what_is_not_there_has_no_panel(seen: xr.Dataset) -> None:
    seen["counts_per_flux"] = ("channel", [np.nan])
    figure = quick_look(seen.drop_vars(["L", "MLT", "shape"]), START, END, title="some day")
    angles, classes = (ax for ax in figure.axes if ax.get_label() != "<colorbar>")
    shares = mesh_of(angles)
    assert np.isfinite(shares[:, 301:]).all()  # counts that are not known are not few
    assert not angles.texts
    assert classes.get_xticklabels()[0].get_text() == "00:00"
    assert not figure.get_suptitle()


def test_an_index_fills_the_range_where_it_is_known(seen: xr.Dataset) -> None:
    hours = np.arange(-2, 30) * np.timedelta64(1, "h") + START + np.timedelta64(30, "m")
    index = xr.DataArray(np.arange(32.0), {"time": hours}, "time", "dst")
    line = quick_look(seen, START, END, title="some day", index=index).axes[-1].get_lines()[-1]
    low, high = line.axes.get_xlim()
    assert line.get_xdata()[0] <= low
    assert line.get_xdata()[-1] >= high
    assert line.get_ydata()[0] == 1


def test_in_a_short_range_no_column_between_records_is_empty(seen: xr.Dataset) -> None:
    figure = quick_look(seen.isel(time=slice(0, 60)), START, START + np.timedelta64(1, "h"), title="an hour")
    (angles,) = (ax for ax in figure.axes if ax.get_ylabel().startswith("Pitch angle"))
    assert mesh_of(angles).shape == (9, 40)
    assert np.isfinite(mesh_of(angles)).all()


def test_a_class_without_probabilities_is_drawn_full(seen: xr.Dataset) -> None:
    seen["probability"] = seen["probability"] * np.nan
    figure = quick_look(seen, START, END, title="some day")
    (classes,) = (ax for ax in figure.axes if ax.get_ylabel().startswith("Class"))
    assert (classes.patches[0].get_data().values[:199] == 1).all()
    assert classes.get_ylabel() == "Class"
    assert not classes.get_yticks().size


def test_each_shape_has_a_colour_of_its_own() -> None:
    assert set(SHAPE_COLOURS) == set(SHAPES)
    assert len(set(SHAPE_COLOURS.values())) == len(SHAPES)


def test_the_legend_of_many_classes_stays_beside_its_panel(seen: xr.Dataset) -> None:
    seen["pad_class"] = seen["pad_class"].copy(data=np.arange(seen.sizes["time"]) // 60 % 14 - 1)
    seen["pad_class"].attrs["flag_meanings"] = " ".join(f"pancake_{number}" for number in range(13))
    figure = quick_look(seen, START, END, title="some day")
    figure.draw_without_rendering()
    legend = figure.axes[-1].get_legend()
    assert len(legend.get_texts()) == 14
    panel = figure.axes[-1].get_window_extent()
    for text in legend.get_texts():
        assert panel.y0 - 2 <= text.get_window_extent().y0
