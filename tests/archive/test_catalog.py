# SPDX-License-Identifier: BSD-3-Clause
"""The catalogue: every file with its fate, written and read."""

from __future__ import annotations

import json
from pathlib import Path

from padflow.archive.catalog import Catalog
from padflow.archive.scan import scan_archive
from padflow.config.sections import ArchiveConfig
from padflow.instruments.instrument import load_instrument


def test_catalogue_survives_its_file(troubled_archive: Path, tmp_path: Path) -> None:
    config = ArchiveConfig(source=troubled_archive)
    catalog = scan_archive(troubled_archive, load_instrument("rept"), config=config, previous=None)
    catalog.save(tmp_path / "catalog.json")
    assert Catalog.load(tmp_path / "catalog.json") == catalog
    assert [(e.spacecraft, e.day, e.path) for e in catalog.files] == sorted(
        (e.spacecraft, e.day, e.path) for e in catalog.files
    )
    values = json.loads((tmp_path / "catalog.json").read_text())
    (tmp_path / "catalog.json").write_text(json.dumps(values | {"format": 0}))
    assert Catalog.load(tmp_path / "catalog.json") is None
    (tmp_path / "catalog.json").write_text("{")
    assert Catalog.load(tmp_path / "catalog.json") is None
