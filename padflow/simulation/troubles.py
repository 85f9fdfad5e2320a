# SPDX-License-Identifier: BSD-3-Clause
"""What goes wrong with archives: which days are struck, and how."""

from __future__ import annotations

import datetime
from dataclasses import asdict, dataclass, fields

import numpy as np

from padflow.errors import ConfigError
from padflow.simulation.belt import stream
from padflow.simulation.day import FILL, SPACECRAFT, Day
from padflow.simulation.files import EPHEMERIS, EPOCH_OF_1970_MS, Content

TROUBLES_STREAM = 4


BAD = ("missing", "truncated", "empty", "html", "only_fill")  # such a day has no good record


# Older and newest version of a day; as text 5.10.0 sorts before 5.9.0.
VERSION_PAIRS = (("5.9.0", "5.10.0"), ("5.3.0", "5.6.0"), ("4.12.3", "5.0.0"))


VERSION = "5.6.0"


FEWEST_RECORDS = 48  # days with fewer, after gaps, are left alone


OLDER_SHIFT_MS = 437.0  # an older version's records lie at other times: whoever reads it cannot hide it


HTML_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>503 Service Unavailable</title></head>\n"
    b"<body><h1>Service Unavailable</h1><p>Please try again later.</p></body></html>\n"
)


WHY = {
    "missing": "no file for this day",
    "truncated": "the file ends early, as after an interrupted download",
    "empty": "the file has no bytes",
    "html": "an error page saved under a CDF's name",
    "only_fill": "every value but Epoch is fill",
    "versions": "an older version of the day lies beside the newest, with other values",
    "out_of_order": "blocks of records are out of time order",
    "doubled": "some records stand twice in the file",
    "border": "records beside midnight stand in both days' files",
    "bad_flux": "some flux values are negative, infinite or NaN",
    "bad_epochs": "some records' epochs are fill, NaN or 0",
}


@dataclass(frozen=True)
class Troubles:
    """How many days of each spacecraft are struck by each trouble.

    Parameters
    ----------
    missing, truncated, empty, html, only_fill : int
        Days whose file is absent, cut short, without bytes, a web page, or holds only fill. They yield no
        record and have no other trouble.
    versions : int
        Days with an older version beside the newest.
    out_of_order, doubled, bad_flux, bad_epochs : int
        Days with records in disorder, standing twice, with impossible flux values, or with invalid epochs.
    border : int
        Midnights about which records stand in both files.
    """

    missing: int = 0
    truncated: int = 0
    empty: int = 0
    html: int = 0
    only_fill: int = 0
    versions: int = 0
    out_of_order: int = 0
    doubled: int = 0
    border: int = 0
    bad_flux: int = 0
    bad_epochs: int = 0

    @classmethod
    def all(cls, count: int = 1) -> Troubles:
        """Return every trouble, each on ``count`` days."""
        return cls(**{f.name: count for f in fields(cls)})


def assign(troubles: Troubles, days: list[datetime.date], *, seed: int, spacecraft: str) -> dict:
    """Choose the days of each trouble.

    Returns
    -------
    dict of date to tuple of str
        The troubles of each day. ``border`` comes as ``"border after"`` (this day's file also holds the next
        day's first records) and ``"border before"``.

    Raises
    ------
    ConfigError
        If there are too few days.
    """
    wanted = asdict(troubles)
    bad = [kind for kind in BAD for _ in range(wanted.pop(kind))]
    border = wanted.pop("border")
    # The midnights with doubled records follow each other: they need one whole day more than their number.
    whole = max(border + 1 if border else 0, *wanted.values())
    if len(bad) + whole > len(days):
        raise ConfigError(
            f"{len(days)} days are too few for these troubles: {len(bad)} without a good file and {whole} "
            f"whole ones are needed; simulate at least {len(bad) + whole} days or ask for fewer troubles."
        )
    random = stream(seed, TROUBLES_STREAM, SPACECRAFT.index(spacecraft))
    struck: dict[datetime.date, tuple[str, ...]] = dict.fromkeys(days, ())
    start = int(random.integers(len(days) - border))
    kept = set(days[start : start + border + 1]) if border else set()
    for first, second in zip(days[start : start + border], days[start + 1 : start + border + 1], strict=True):
        struck[first] += ("border after",)
        struck[second] += ("border before",)
    others = [days[i] for i in random.permutation(len(days)) if days[i] not in kept]
    for day, kind in zip(others, bad, strict=False):
        struck[day] = (kind,)
    good = [day for day in days if day not in others[: len(bad)]]
    for kind, number in wanted.items():
        for i in random.permutation(len(good))[:number]:
            struck[good[i]] += (kind,)
    return struck


def clean_content(day: Day) -> Content:
    """Return a day's records as its file would hold them."""
    return Content(day.time_ms + EPOCH_OF_1970_MS, day.flux, day.ephemeris)


def only_fill(content: Content) -> Content:
    """Return records at the same times that hold nothing but fill."""
    return Content(
        content.epoch,
        np.full_like(content.flux, FILL),
        {name: np.full_like(content.ephemeris[name], FILL) for name in EPHEMERIS},
    )


def older_version(content: Content) -> Content:
    """Return what an older version held: fewer records, at other times, with other flux."""
    kept = content.take(slice(0, len(content.epoch) * 2 // 3))
    return Content(kept.epoch + OLDER_SHIFT_MS, np.where(kept.flux > FILL, kept.flux * 1.7, FILL), kept.ephemeris)


def edge_records(count: int) -> int:
    """How many records at each end of a day are left as they are, for copies of them to be true."""
    return min(20, count // 4)


def inner_records(random: np.random.Generator, count: int, share: float) -> np.ndarray:
    """Choose records away from midnight, where a neighbour's file may hold copies; at least 3 of them."""
    edge = edge_records(count)
    return edge + np.sort(random.choice(count - 2 * edge, min(max(3, int(share * count)), count - 2 * edge), False))


def spoil_flux(content: Content, random: np.random.Generator) -> tuple[Content, str]:
    """Put negative and non-finite values into some records."""
    rows = inner_records(random, len(content.epoch), 0.01)
    flux = content.flux.copy()
    values = np.resize([-1.0, np.nan, np.inf, -np.inf, -250.0], len(rows))
    flux[rows, random.integers(flux.shape[1], size=len(rows)), random.integers(flux.shape[2], size=len(rows))] = values
    return Content(content.epoch, flux, content.ephemeris), f"{len(rows)} flux values"


def spoil_epochs(content: Content, random: np.random.Generator) -> tuple[Content, np.ndarray]:
    """Make some epochs invalid; also return the indices of these records."""
    rows = inner_records(random, len(content.epoch), 0.001)
    epoch = content.epoch.copy()
    epoch[rows] = np.resize([FILL, np.nan, 0.0], len(rows))
    return Content(epoch, content.flux, content.ephemeris), rows


def double(content: Content, random: np.random.Generator) -> tuple[Content, str]:
    """Write some records twice: single ones beside their originals, and a block much later."""
    count = len(content.epoch)
    single = inner_records(random, count, 0.005)
    start = int(random.integers(count // 2))
    block = np.arange(start, start + max(2, count // 50))
    index = np.concatenate([np.sort(np.concatenate([np.arange(count), single])), block])
    return content.take(index), f"{len(single)} single records and a block of {len(block)}"


def disorder(content: Content, random: np.random.Generator) -> tuple[Content, str]:
    """Exchange two blocks and shuffle a third."""
    order = np.arange(len(content.epoch))
    size = len(order) // 12
    first = int(random.integers(size, 4 * size))
    second = int(random.integers(6 * size, 8 * size))
    order[first : first + size], order[second : second + size] = (
        order[second : second + size].copy(),
        order[first : first + size].copy(),
    )
    order[-2 * size : -size] = random.permutation(order[-2 * size : -size])
    return content.take(order), f"two blocks of {size} records exchanged, one shuffled"
