# SPDX-License-Identifier: BSD-3-Clause
"""Read YAML files that are not trusted: plain values only, each key once, bounded in size, depth and aliases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from yaml.composer import ComposerError

from padflow.errors import ConfigError, brief, one_line

MOST_BYTES = 128 * 1024
"""Largest size of a file (chosen). The longest configuration, with a comment for every key, takes a tenth of it."""


MOST_VALUES = 5_000
"""Most values in a file, with those that its aliases repeat (chosen: a grid of energies has a hundred)."""


MOST_LEVELS = 16
"""Most lists and sections within each other (chosen: a configuration has four)."""


LARGEST_BITS = 64
"""Most bits of an integer. Python itself does not print integers of more than 4,300 digits."""


def read_yaml(path: Path, *, what: str) -> Any:
    """Return what a YAML file holds, None where it is empty.

    Parameters
    ----------
    what : str
        What the file is, for messages, such as ``"configuration file"``.

    Raises
    ------
    ConfigError
        Where the file cannot be read, is too large or is not valid: names it, and the line.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)  # no more than that: the file may be a device or grow
    except OSError as error:
        raise ConfigError(f"The {what} {path} cannot be read: {error.strerror}.") from None
    if len(content) > MOST_BYTES:
        raise ConfigError(f"The {what} {path} is larger than {MOST_BYTES // 1024} KiB; make it shorter.")
    try:
        return parse_yaml(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"The {what} {path} is not text in UTF-8: byte {error.start} is wrong.") from None
    except ValueError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}.") from None


def parse_yaml(text: str) -> Any:
    """Return what a YAML text holds.

    Raises
    ------
    ValueError
        Where it is not valid: a short line with the place, counted from 1.
    """
    try:
        return yaml.load(text, Loader=_PlainLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        said = error.problem or ""
        if not said or said.startswith("but "):  # the rest of PyYAML's sentence
            said = f"{error.context} {said}"
        raise ValueError(one_line(f"{said}{where}")) from None
    except yaml.YAMLError as error:
        raise ValueError(one_line(str(error))) from None


class _PlainLoader(yaml.SafeLoader):
    """PyYAML's safe loader, which makes no objects, with the bounds of this module."""

    def __init__(self, text: str):
        super().__init__(text)
        self._extent: dict[yaml.Node, tuple[int, int]] = {}
        """How many values and how many levels each node has, for nodes that are whole."""
        self._values = 0
        self._level = self._deepest = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
        """Compose a node, or raise an error where there are too many nodes or levels."""
        start, outer = self._values, self._deepest
        self._level += 1
        self._deepest = self._level
        alias = self.check_event(yaml.AliasEvent)
        mark = self.peek_event().start_mark
        self._check_extent(1, self._level, mark)
        node = super().compose_node(parent, index)
        assert node is not None, "PyYAML composes a node or raises, whatever its types say"
        if alias:
            if node not in self._extent:
                raise ComposerError(None, None, "an alias stands within what it names", mark)
            values, levels = self._extent[node]
            self._check_extent(values - 1, self._level + levels - 1, mark)
        else:
            self._extent[node] = (self._values - start, self._deepest - self._level + 1)
        self._level -= 1
        self._deepest = max(outer, self._deepest)
        return node

    def _check_extent(self, values: int, level: int, mark: yaml.Mark) -> None:
        self._values += values
        self._deepest = max(self._deepest, level)
        if self._values > MOST_VALUES:
            raise ComposerError(None, None, f"more than {MOST_VALUES:,} values, with what aliases repeat", mark)
        if self._deepest > MOST_LEVELS:
            raise ComposerError(None, None, f"more than {MOST_LEVELS} lists and sections within each other", mark)

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Compose a section, or raise an error where a key is there twice. PyYAML itself takes the last one."""
        node = super().compose_mapping_node(anchor)
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                line = key.start_mark.line + 1
                if key.value in lines:
                    said = f"the key {brief(key.value)} is there twice, first in line {lines[key.value]} and again"
                    raise ComposerError(None, None, said, key.start_mark)
                lines[key.value] = line
        return node

    def construct_scalar_or_text(self, node: yaml.ScalarNode) -> Any:
        """Return a number, a date or a truth value.

        Where the text is none of these, return the text: the error then comes where the value is used, and names its
        key. ``12:00`` is text, too; YAML 1.1 reads it as a number with base 60.
        """
        text = self.construct_scalar(node)
        if ":" in text and node.tag != _TIMESTAMP:
            return text
        try:
            value = yaml.SafeLoader.yaml_constructors[node.tag](self, node)
        except (ValueError, ArithmeticError, LookupError, AttributeError):  # from PyYAML, for what it cannot read
            return text
        return text if isinstance(value, int) and value.bit_length() > LARGEST_BITS else value


_TIMESTAMP = "tag:yaml.org,2002:timestamp"


for _tag in ("bool", "int", "float", "timestamp"):
    _PlainLoader.add_constructor(f"tag:yaml.org,2002:{_tag}", _PlainLoader.construct_scalar_or_text)
