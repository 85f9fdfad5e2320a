# SPDX-License-Identifier: BSD-3-Clause
"""Read a configuration file, and the values that the command line sets."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from padflow.config.local_paths import is_url, local_path
from padflow.config.plain_yaml import parse_yaml, read_yaml
from padflow.config.presets import PRESETS, config_file, preset_path
from padflow.config.sections import Config
from padflow.config.text import describe_validation
from padflow.errors import ConfigError, brief, one_line


def load_config(path: str | Path | None, overrides: Iterable[str] = ()) -> Config:
    """Read a YAML configuration and apply ``section.key=value`` overrides.

    Parameters
    ----------
    path : path or None
        The YAML file; None for the defaults. Paths in it are relative to its folder. Its key ``include`` names another
        file, or a preset. Keys of the including file replace those of the included file one by one. A preset is loaded
        by its name, such as ``"recommended"`` or ``"killey2023"`` (`padflow.config.presets`), where no file has this
        name.
    overrides : iterable of str
        Texts such as ``key=value`` or ``section.key=value``. The value is read as YAML.

    Raises
    ------
    ConfigError
        Where the file is missing or no valid YAML, where files include each other, or where a key is unknown or its
        value is not allowed. The message names file and key.

    Examples
    --------
    >>> import padflow
    >>> config = padflow.load_config("recommended", ["train.epochs=50", "archive.start=2013-03-01"])
    >>> config.train.epochs
    50
    >>> config.archive.start
    datetime.date(2013, 3, 1)
    """
    values = {} if path is None else _read_file(config_file(local_path(path, "CONFIG")))
    for text in overrides:
        _override(values, text)
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        where = "the configuration" if path is None else str(path)
        raise ConfigError(f"{where} cannot be used: {describe_validation(error, Config)}") from None


def _read_file(path: Path, including: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Return the values of a file, and where it has none, those of the file that it includes."""
    if path.resolve() in including:
        chain = " includes ".join(str(one) for one in (*including, path.resolve()))
        raise ConfigError(f"{chain}: a file that includes itself says nothing. Remove one `{INCLUDE}:`.")
    values = _read_yaml(path)
    _resolve_paths(values, path.resolve().parent)
    if INCLUDE not in values:
        return values
    included = _included(path, values.pop(INCLUDE))
    return _merged(_read_file(included, (*including, path.resolve())), values)


def _included(path: Path, name: Any) -> Path:
    """Return the path of an included file, which is relative to the folder of the including file, or of a preset."""
    if not isinstance(name, str) or not name:
        raise ConfigError(f"{path}: {INCLUDE} = {brief(name)}: expected the path of a YAML file.")
    included = path.resolve().parent / local_path(name, INCLUDE).expanduser()
    if not included.exists() and name in PRESETS:
        return preset_path(name)
    if not included.exists():
        raise ConfigError(f"{path}: {INCLUDE} = {brief(name)}: there is no file {included}.")
    return included


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of two files. Those of the upper file replace those of the lower one."""
    merged = below | above
    for name in below.keys() & above.keys():
        if isinstance(below[name], dict) and isinstance(above[name], dict):
            merged[name] = below[name] | above[name]
    return merged


def _read_yaml(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise ConfigError(f"There is no configuration file {path}. `padflow init` writes one.")
    values = read_yaml(path, what="configuration file")
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds a {type(values).__name__}; expected sections such as `archive:`.")
    return values


INCLUDE = "include"
"""This key is used when the file is read. It is no key of the configuration."""


PATH_KEYS = (
    ("archive", "source"),
    ("archive", "instrument"),
    ("cluster", "scheduler"),
    ("cluster", "tls_ca_file"),
    ("cluster", "tls_cert"),
    ("cluster", "tls_key"),
)
"""Keys with paths, which are relative to the YAML file. An instrument may also be a name, a scheduler an address."""


def _resolve_paths(values: dict[str, Any], base: Path) -> None:
    for section, key in PATH_KEYS:
        inside = values.get(section)
        if not isinstance(inside, dict) or not isinstance(text := inside.get(key), str):
            continue
        names = (key == "instrument" and not text.lower().endswith((".yaml", ".yml"))) or is_url(text)
        if not names:
            inside[key] = str(base / Path(text).expanduser())


def _override(values: dict[str, Any], text: str) -> None:
    key, equals, value = text.partition("=")
    names = key.strip().split(".")
    if not equals or not all(names):
        raise ConfigError(f"--set {brief(text)}: expected section.key=value, such as train.epochs=50.")
    try:
        parsed = parse_yaml(value)
    except ValueError as error:
        raise ConfigError(f"--set {brief(text)}: the value is not valid YAML: {error}.") from None
    target = values
    for name in names[:-1]:
        target = target.setdefault(name, {})
        if not isinstance(target, dict):
            raise ConfigError(f"--set {brief(text)}: {one_line(name)} is a value, not a section.")
    target[names[-1]] = parsed
