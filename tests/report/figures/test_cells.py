# SPDX-License-Identifier: BSD-3-Clause
"""Panels of shares and counts: which shapes and energies they show, and which shares are too uncertain."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from padflow.report.figures.cells import colour_bars, norms_of, shape_panels, sure_share, unsure_words, used_range
from padflow.report.figures.style import NothingToDraw


def shares(unclear: list[float]) -> xr.Dataset:
    """Two cells with 10 and 90 records, by energy the share without a name; the rest are pancakes."""
    share = np.zeros((len(unclear), 3, 2))
    share[:, 0] = np.array(unclear)[:, None]
    share[:, 1] = 1 - share[:, 0]
    dims = ("shape_energy", "shape", "L")
    data = {f"shape_share{end}": (dims, share + add) for end, add in (("", 0), ("_low", -0.1), ("_high", 0.1))}
    coords = {"shape": ["unclear", "pancake", "cap"], "shape_energy": np.arange(len(unclear)) + 1.0}
    return xr.Dataset(data | {"records": ("L", [10, 90])}, coords)


def test_energies_with_names_and_shapes_that_occur_are_shown() -> None:
    panels, names, energies = shape_panels(shares([0, 0.1, 0.2, 0.3, 0.5, 0.96]), "Shapes")
    assert names == ["pancake", "unclear"]
    assert energies.tolist() == [1, 2, 4, 5]
    assert [panel.title for panel in panels] == names * 4
    np.testing.assert_allclose(panels[2].values, 0.9)


@pytest.mark.parametrize(
    ("found", "words"),
    [(shares([0.96]), "at no energy has one record in 20 a name"), (shares([0]).drop_dims("shape"), "no shapes")],
)
def test_without_names_there_is_nothing_to_draw(found: xr.Dataset, words: str) -> None:
    with pytest.raises(NothingToDraw, match=words):
        shape_panels(found, "Shapes")


def test_a_share_is_unsure_where_its_interval_is_wide_or_not_known() -> None:
    columns = {"": [0.5, 0.5, 0.5, np.nan], "_low": [0.3, 0.1, np.nan, np.nan], "_high": [0.7, 0.9, np.nan, np.nan]}
    found = xr.Dataset({f"class_share{end}": ("L", values) for end, values in columns.items()})
    assert sure_share(found, "class_share", {})[1].tolist() == [False, True, True, False]
    assert "wider than 50 %" in unsure_words("orbits")


def test_a_bar_of_few_counts_has_more_ticks_than_the_decades() -> None:
    found = xr.Dataset({"records": ("L", [1, 900]), "orbits": ("L", [1, 7]), "events": ("L", [1, 60])})
    figure = Figure()
    colour_bars(figure, [figure.subplots()], 1, norms_of(found))
    bars = {ax.get_ylabel(): ax for ax in figure.axes[1:]}
    ticks = {name: [text.get_text() for text in ax.get_yticklabels()] for name, ax in bars.items()}
    assert ticks["Orbits in the cell"] == ["1", "2", "5", "10"]
    assert ticks["Events in the cell"] == ["1", "2", "5", "10", "20", "50"]
    assert "100" in ticks["Records in the cell"]


def test_a_row_with_an_empty_cell_is_in_the_range() -> None:
    counts = np.array([[0, 0], [3, 0], [0, 0], [0, 1], [0, 0]])
    assert used_range(counts, np.arange(6.0)) == (1, 4)
    assert used_range(0 * counts, np.arange(6.0)) == (0, 5)
