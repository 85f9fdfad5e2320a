# SPDX-License-Identifier: BSD-3-Clause
"""Write a configuration to begin with: the keys of a preset and the choice of files, each with its meaning."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from itertools import takewhile
from pathlib import Path
from typing import Any

from padflow.config.plain_yaml import parse_yaml
from padflow.config.presets import preset_path
from padflow.config.reading import load_config
from padflow.config.sections import Config
from padflow.config.text import commented_yaml


def starting_yaml(
    preset: str,
    *,
    source: Path | None = None,
    spacecraft: Sequence[str] = (),
    start: date | None = None,
    end: date | None = None,
) -> str:
    """Return the text of a configuration file.

    Parameters
    ----------
    preset : str
        One of `padflow.config.presets.PRESETS`.
    source : Path, optional
        Folder of CDF files. A relative path is relative to the current folder.
    spacecraft : sequence of str
        None takes all.
    start, end : date, optional
        First and last UTC day.

    Raises
    ------
    ConfigError
        Where the values do not go together.
    """
    chosen = {"spacecraft": list(spacecraft) or None, "start": start and str(start), "end": end and str(end)}
    settings = [f"archive.{key}={json.dumps(value)}" for key, value in chosen.items()]
    file = preset_path(preset)
    archive = load_config(file, [*source_setting(source), *settings]).archive
    text = file.read_text(encoding="utf-8")
    values: dict[str, Any] = parse_yaml(text)
    values["archive"] |= {
        "source": None if archive.source is None else str(archive.source),
        "spacecraft": None if archive.spacecraft is None else list(archive.spacecraft),
        "start": archive.start,
        "end": archive.end,
    }
    about = "\n".join(takewhile(lambda line: line.startswith("#"), text.splitlines()))
    return f"{about}\n\n{commented_yaml(values, Config)}"


def source_setting(source: Path | None) -> list[str]:
    """Return what ``--set`` takes to set the folder of CDF files; nothing for None."""
    return [] if source is None else [f"archive.source={json.dumps(str(source.absolute()), ensure_ascii=False)}"]
