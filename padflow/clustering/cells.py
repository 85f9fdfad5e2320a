"""Classes of a continuum: small cells of the shapes, joined where their records share a name.

Where the density of the scores has no valleys, its modes say little, and borders by distance lie where no reader would
draw them. Cells that are much smaller than a shape's region follow its borders, wherever these run.
"""

from __future__ import annotations

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances
from threadpoolctl import threadpool_limits

from padflow.clustering.assignment import by_size
from padflow.clustering.ward import NearestSample

CELLS = 200
"""Number of cells. Chosen on archives of measured shapes (60 days): with 60, the name of a record's class is its own
name for 92 % of the records, and classes of either half of the days agree at 0.72; with 200 it is 93 % and 0.83."""


LEAST_SHARE = 0.02
"""Share of the records below which classes of joined cells are left out: their cells join the nearest other class
(chosen; on the archives above, ten classes are left of some fifteen)."""


def fit_cells(coordinates: np.ndarray, names: np.ndarray, *, cells: int = CELLS, seed: int = 0) -> NearestSample:
    """Cut shapes into cells by k-means, and join the cells whose records have the same names.

    Parameters
    ----------
    coordinates : ndarray, shape (records, coordinate)
        A sample of shapes, finite.
    names : ndarray of int8, shape (records, energy)
        Codes of the names of the shapes of each record, at the energies that classes are to tell of.
    cells : int
        Number of cells; as many as there are different shapes, if these are fewer.

    Returns
    -------
    NearestSample
        A record takes the class of the nearest middle of a cell; classes are numbered from the largest. A single one,
        where nearly all cells have the same names.

    Examples
    --------
    >>> import numpy as np
    >>> random = np.random.default_rng(0)
    >>> coordinates = random.uniform(-1, 1, (5000, 2))
    >>> names = (coordinates[:, :1] > 0.2).astype(np.int8)
    >>> classes = fit_cells(coordinates, names, cells=50)
    >>> classes.assign(np.array([[-0.5, 0.0], [0.9, 0.3]]))["pad_class"]
    array([0, 1], dtype=int16)
    """
    coordinates = np.asarray(coordinates, np.float64)
    cells = min(cells, len(np.unique(coordinates, axis=0)))
    # More threads than one would sum in another order.
    with threadpool_limits(1):
        found = KMeans(cells, n_init=1, random_state=seed).fit(coordinates)
    middles = found.cluster_centers_.astype(np.float32)
    sizes = np.bincount(found.labels_, minlength=cells)
    label = _joined(middles, sizes, _most_frequent(found.labels_, names, cells))
    weight = np.bincount(label, sizes)
    centres = np.stack([np.bincount(label, sizes * column) / weight for column in found.cluster_centers_.T], axis=1)
    order = by_size(weight, centres)
    return NearestSample(centres[order], middles, np.argsort(order)[label].astype(np.int16))


def _most_frequent(cell: np.ndarray, names: np.ndarray, cells: int) -> np.ndarray:
    """Return the name that most records of each cell have, (cells, energy); the first of equally frequent ones."""
    count = np.zeros((cells, names.shape[1], int(names.max(initial=0)) + 1), np.int64)
    np.add.at(count, (cell[:, None], np.arange(names.shape[1]), names), 1)
    return count.argmax(axis=2)


def _joined(middles: np.ndarray, sizes: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Return the class of each cell, from 0 without holes: cells of the same names are one, but for small classes."""
    _, label = np.unique(names, axis=0, return_inverse=True)
    label = label.ravel()
    share = np.bincount(label, sizes) / sizes.sum()
    kept = (share >= min(LEAST_SHARE, share.max()))[label]
    nearest = np.flatnonzero(kept)[pairwise_distances(middles, middles[kept]).argmin(axis=1)]
    return np.unique(np.where(kept, label, label[nearest]), return_inverse=True)[1]
