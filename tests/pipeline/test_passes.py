# SPDX-License-Identifier: BSD-3-Clause
"""What workers keep from one part to the next."""

from __future__ import annotations

from padflow import load_config
from padflow.pipeline.directory import RunDirectory
from padflow.pipeline.passes import Pass
from padflow.store.npz import pack_arrays, unpack_arrays
from padflow.store.npz_specs import CLASSES


def test_a_pass_opens_what_it_reads_once_and_another_pass_anew(finished_run, tmp_path) -> None:
    config = load_config(finished_run.directory / "config.yaml")
    first, second = (Pass.of(RunDirectory(finished_run.directory), config) for _ in range(2))
    for open_one in (Pass.reader, Pass.results):
        assert open_one(first, "rbspa") is open_one(first, "rbspa")
        assert open_one(first, "rbspa") is not open_one(second, "rbspa")

    classes = RunDirectory(tmp_path).fit_folder / CLASSES
    classes.parent.mkdir()
    arrays = unpack_arrays((finished_run.directory / "fit" / CLASSES).read_bytes())
    classes.write_bytes(pack_arrays(arrays))
    before = Pass.of(RunDirectory(tmp_path), config)
    read = before.fitted(CLASSES)
    classes.write_bytes(pack_arrays(arrays | {"centres": arrays["centres"] + 1}))
    assert before.fitted(CLASSES) is read
    after = Pass.of(RunDirectory(tmp_path), config).fitted(CLASSES)
    assert (after["centres"] == arrays["centres"] + 1).all()
