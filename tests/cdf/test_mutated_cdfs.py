# SPDX-License-Identifier: BSD-3-Clause
"""Two thousand damaged files: each is read as another reader reads it, or set aside; quickly, and in little memory.

What is checked of each archive of damaged files, one a day:

- `inspect` and `read_records` end in values or in `BadFile` with a known reason, within a time and a memory limit, and
  without a warning.
- The store that scan and ingest make of the folder holds, for each file that is used, exactly the times, flux and
  ephemeris that pycdfpp finds in the same bytes (cleaned and ordered by rules written down a second time in
  ``independent_reader.py``), and nothing of the files that are set aside. So damage moves no value to another record or
  bin, unless the format itself says so; times lie in their day and ascend.
- Where pycdfpp cannot read what padflow does, no more values differ from the undamaged file's than bytes do.
- A file with an MD5 is used only if that still holds or was switched off, and then with the undamaged values; a gzipped
  file only if the CRC of each block does.

What no reader can see is a changed byte among plain values of a file without a checksum: it is another value.

By default a seeded share of the mutations is tested; ``PADFLOW_ALL_MUTATIONS=table.tsv`` tests all 2,106 and leaves
that table of what became of them.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import tracemalloc
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from padflow.cdf.reader import _opened, inspect, read_records
from padflow.config.sections import ArchiveConfig, Config
from padflow.errors import BadFile
from padflow.instruments.instrument import Instrument, load_instrument
from padflow.pipeline.driver import run
from padflow.simulation.archive import simulate_archive
from padflow.store.reading import ArchiveReader

ALL = bool(os.environ.get("PADFLOW_ALL_MUTATIONS"))
FILES_PER_SORT = 234 if ALL else 36  # times nine sorts, two of which need the real files
CPU_SECONDS_ALLOWED, SECONDS_ALLOWED = 5.0, 60.0  # of one file; the machine may have other work
BYTES_ALLOWED = 64 * 2**20
STRAY_NS, DAY_NS = 300 * 10**9, 86_400 * 10**9
FIRST = date(2013, 2, 1)
REASONS = {
    *("dangling_link", "empty", "not_cdf", "truncated", "unreadable", "wrong_checksum", "absurd_size", "unsupported"),
    *("missing_variable", "wrong_type", "wrong_shape", "wrong_units", "bad_axis", "varying_axis", "unclear_axes"),
    *("no_records", "no_valid_time", "wrong_day", "all_fill"),
}
EPHEMERIS = ("L", "L_star", "MLT", "MLAT", "B_Calc", "B_Eq", "Position")
SORTS = {
    "plain": {},
    "gzipped variables": {"compress": 6},
    "gzipped file": {"Compressed": 6},
    "with MD5": {"Checksum": True},
    "TT2000, columns first, big-endian": {"kind": 33, "Majority": "column_major", "Encoding": 1},
    "small blocks": {"block": 7},
}
REAL = {
    "hope": ("hope/rbspa_rel04_ect-hope-PA-L3_20121201_v0.0.0.cdf", "hope", "rbspa", date(2012, 12, 1)),
    "elfin": ("elfin/elb_l2_epdef_20210914_v01.cdf", "elfin-epd-fs", "elb", date(2021, 9, 14)),
}


class TookTooLong(BaseException):
    """Not an Exception: nothing may catch it."""


def module(name: str) -> ModuleType:
    """A module beside this one; tests are imported by path, so that it cannot be imported by name."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


mutations = module("mutations")


@contextmanager
def bounded() -> Iterator[None]:
    """Fail what warns, takes too long or takes too much memory."""

    def stop(*_: object) -> None:
        raise TookTooLong

    timers = {signal.ITIMER_PROF: CPU_SECONDS_ALLOWED, signal.ITIMER_REAL: SECONDS_ALLOWED}
    before = {number: signal.signal(number, stop) for number in (signal.SIGPROF, signal.SIGALRM)}
    for timer, seconds in timers.items():
        signal.setitimer(timer, seconds)
    tracemalloc.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
        assert tracemalloc.get_traced_memory()[1] < BYTES_ALLOWED
    finally:
        tracemalloc.stop()
        for timer in timers:
            signal.setitimer(timer, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def outcome(path: Path, instrument: Instrument, spacecraft: str, day: date) -> str:
    """Reason for which a file is set aside, or "read"."""
    try:
        with bounded():
            inspect(path, instrument, spacecraft, day)
            read_records(path, instrument, spacecraft)
    except BadFile as error:
        bad = error
    else:
        return "read"
    assert bad.reason in REASONS
    assert str(path) in bad.message
    return bad.reason


def damage(content: bytes, sort: int, number: int) -> tuple[str, bytes]:
    """The mutation of one file, by its number: all kinds in turn, and none for the last, so that one is used."""
    if number == FILES_PER_SORT - 1:
        return "none", content
    name = list(mutations.MUTATIONS)[number % len(mutations.MUTATIONS)]
    return name, mutations.MUTATIONS[name](content, np.random.default_rng([2013, sort, number]))


def file_name(day: date) -> str:
    return f"rbspa_rel03_ect-rept-sci-l3_{day:%Y%m%d}_v5.0.0.cdf"


def read_independently(folder: Path, *variables: str) -> dict[str, dict[str, np.ndarray] | None]:
    """What another reader finds in each file at any depth, by relative path, or None where it fails or dies."""
    script = Path(__file__).with_name("independent_reader.py")
    subprocess.run([sys.executable, script, folder, *variables], capture_output=True, timeout=900, check=True)
    found = {}
    for path in folder.rglob("*.cdf"):
        values = path.with_suffix(".npz")
        found[path.relative_to(folder).as_posix()] = dict(np.load(values)) if values.exists() else None
    return found


def expected_records(files: dict[str, dict[str, np.ndarray]]) -> dict[int, tuple[str, int]]:
    """Which record of which file belongs at each time: a day's own file first, then strays of its neighbours."""
    own: dict[int, tuple[str, int]] = {}
    strays: dict[int, tuple[str, int]] = {}
    for name, content in sorted(files.items()):
        midnight = int(np.datetime64(f"{name[28:32]}-{name[32:34]}-{name[34:36]}", "ns").astype(np.int64))
        for number, time in enumerate(content["time"].tolist()):
            if midnight <= time < midnight + DAY_NS:
                own.setdefault(time, (name, number))
            elif midnight - STRAY_NS <= time < midnight + DAY_NS + STRAY_NS:
                strays.setdefault(time, (name, number))
    return strays | own


def check_store(
    directory: Path, absent: dict[str, list[str]], found: dict, undamaged: dict, damaged: dict[str, int]
) -> int:
    """Compare all records of the store with the expected ones; return how many files only padflow could read.

    ``absent`` names, for each file that is used, the ephemeris that it is noted to lack.
    """
    used = set(absent)
    reader = ArchiveReader(directory / "archive.zarr", "rbspa")
    stored = reader.read(0, reader.rows, ephemeris=EPHEMERIS)
    times = stored.time.astype(np.int64)
    assert (np.diff(times) > 0).all()
    place = {time: number for number, time in enumerate(times.tolist())}
    content = {name: found[name] or undamaged[name] for name in used}
    for name, variables in absent.items():  # damage to its name makes a variable another one, which is noted
        content[name] = content[name] | {one: np.full_like(content[name][one], np.nan) for one in variables}
    expected = expected_records({name: values for name, values in content.items() if found[name]})
    rows, theirs = [], []
    for time, (name, number) in expected.items():
        rows.append(place[time] if time in place else place.get(time + 1, place.get(time - 1)))  # rounded otherwise
        theirs.append((name, number))
    assert None not in rows
    for name in ("flux", *EPHEMERIS):
        ours = (stored.flux if name == "flux" else stored.ephemeris[name])[rows]
        np.testing.assert_array_equal(ours, np.stack([content[file][name][number] for file, number in theirs]))
    only_ours = [name for name in used if not found[name]]
    left = set(range(reader.rows)) - set(rows)
    elsewhere = 0  # records whose own time was damaged
    for name in only_ours:
        records = {place[t]: i for i, t in enumerate(content[name]["time"].tolist()) if place.get(t) in left}
        missing = len(content[name]["time"]) - len(records)
        assert missing <= damaged[name], f"records of {name} are missing"
        elsewhere += missing
        left -= set(records)
        differing = 0
        for variable in ("flux", *EPHEMERIS):
            ours = (stored.flux if variable == "flux" else stored.ephemeris[variable])[list(records)]
            theirs = content[name][variable][list(records.values())]
            differing += np.count_nonzero(~((ours == theirs) | (np.isnan(ours) & np.isnan(theirs))))
        assert differing <= damaged[name], f"{differing} values of {name} differ"
    assert len(left) <= elsewhere, f"{len(left)} records are of no file, and {elsewhere} have another time"
    return len(only_ours)


@pytest.fixture(scope="module")
def table() -> Iterator[Counter]:
    """Counts by (sort, mutation, outcome), written out in the end where all are tested."""
    counts: Counter = Counter()
    yield counts
    if ALL:
        lines = ["\t".join(map(str, (*key, count))) for key, count in sorted(counts.items())]
        Path(os.environ["PADFLOW_ALL_MUTATIONS"]).write_text("\n".join(["sort\tmutation\toutcome\tfiles", *lines, ""]))


@pytest.fixture(scope="module")
def writers(factory: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int], list[bytes]]:
    """Makes the undamaged files of a sort, one a day from `FIRST` on."""
    folder = tmp_path_factory.mktemp("undamaged")

    def make(sort: str, number: int) -> list[bytes]:
        if sort == "simulated":
            simulate_archive(folder, start=FIRST, days=number, records_per_day=100)
            return [path.read_bytes() for path in sorted(folder.rglob("rbspa*.cdf"))]
        settings = dict(SORTS[sort])
        block = settings.pop("block", None)
        spec = {key: settings.pop(key) for key in list(settings) if key[0].isupper()}
        contents = []
        for index in range(number):
            variables = factory.rept(str(FIRST + timedelta(index)), records=40, seed=index, **settings)
            if block:
                for variable in variables.values():
                    variable["spec"]["Block_Factor"] = block
            contents.append(factory.write_cdf(folder / "one.cdf", variables, **spec).read_bytes())
        return contents

    return make


@pytest.mark.usefixtures("serial")
@pytest.mark.parametrize("sort", [*SORTS, "simulated"])
def test_damaged_files_are_read_as_another_reader_does_or_set_aside(
    tmp_path: Path, writers: Callable[[str, int], list[bytes]], table: Counter, sort: str
) -> None:
    source, plain = tmp_path / "source", tmp_path / "undamaged"
    source.mkdir()
    plain.mkdir()
    found: dict[str, tuple[str, str]] = {}
    changed: dict[str, int] = {}
    for number, content in enumerate(writers(sort, FILES_PER_SORT)):
        day = FIRST + timedelta(number)
        kind, damaged = damage(content, [*SORTS, "simulated"].index(sort), number)
        path = source / file_name(day)
        (plain / path.name).write_bytes(content)
        path.write_bytes(damaged)
        changed[path.name] = abs(len(content) - len(damaged))
        changed[path.name] += sum(a != b for a, b in zip(content, damaged, strict=False))
        found[path.name] = kind, outcome(path, load_instrument("rept"), "rbspa", day)

    config = Config(archive=ArchiveConfig(source=source, rows_per_part=1024))
    plan = run(config, tmp_path / "run", until="ingest").plan
    entries = {entry.path: entry for entry in plan.catalog.files}
    assert entries.keys() == found.keys()
    for name, (kind, what) in found.items():
        fate = entries[name].reason or "read"
        assert fate == what or (what == "read" and fate in ("other_axes", "wrong_day")), name
        table[sort, kind, fate] += 1
    used = {name for name, entry in entries.items() if entry.status == "used"}
    assert 0 < len(used) < len(found)

    content = read_independently(tmp_path)
    others, undamaged = ({name: content[f"{folder.name}/{name}"] for name in found} for folder in (source, plain))
    absent = {
        name: [note.removeprefix("absent:") for note in entries[name].notes if note.startswith("absent:")]
        for name in used
    }
    alone = check_store(plan.directory.path, absent, others, undamaged, changed)
    table[sort, "read by padflow alone", ""] += alone
    table[sort, "read by pycdfpp alone", ""] += sum(1 for name in others if others[name] and name not in used)
    if sort == "with MD5":
        for name in used:
            for variable, values in undamaged[name].items():
                np.testing.assert_array_equal((others[name] or undamaged[name])[variable], values)


@pytest.mark.parametrize("product", REAL)
def test_damaged_real_files(tmp_path: Path, real_data: Path, table: Counter, product: str) -> None:
    name, instrument_name, spacecraft, day = REAL[product]
    instrument = load_instrument(instrument_name)
    content = (real_data / name).read_bytes()
    values: dict[str, dict[str, np.ndarray]] = {}
    for number in range(FILES_PER_SORT if ALL else 16):
        kind, damaged = damage(content, len(SORTS) + 1 + list(REAL).index(product), number)
        path = tmp_path / f"{number:03d}.cdf"
        path.write_bytes(damaged)
        what = outcome(path, instrument, spacecraft, day)
        table[product, kind, what] += 1
        if what == "read":
            with _opened(path, instrument, spacecraft) as file:
                names = [*file.names.values(), *(file.places[key] for key in file.places if file.has_ephemeris(key))]
                values[path.name] = {one: file.values(one) for one in names}
    found = read_independently(tmp_path, *sorted({one for arrays in values.values() for one in arrays}))
    assert any(found[one] for one in values)
    for one, arrays in values.items():
        table[product, "read by padflow alone", ""] += found[one] is None
        for variable, ours in arrays.items() if found[one] else ():
            np.testing.assert_array_equal(ours.reshape(-1), found[one][variable].reshape(-1))


def test_a_file_with_md5_is_set_aside_whatever_bit_is_flipped(tmp_path: Path, factory: ModuleType) -> None:
    whole = factory.write_cdf(tmp_path / "whole.cdf", factory.rept(records=8), Checksum=True).read_bytes()
    path = tmp_path / "damaged.cdf"
    flags = 8 + 8 + 4 + 8 + 4 + 4 + 4  # of the CDF descriptor: bits 2 and 3 of its last byte say that there is an MD5
    for place in [*range(8, flags, 3), *range(flags + 4, len(whole), 211)]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        assert outcome(path, load_instrument("rept"), "rbspa", date(2013, 3, 17)) != "read"
    damaged = bytearray(whole)
    damaged[whole.index(np.float64(1.8).tobytes())] ^= 1  # among values, which nothing else could tell
    path.write_bytes(damaged)
    assert outcome(path, load_instrument("rept"), "rbspa", date(2013, 3, 17)) == "wrong_checksum"
