# SPDX-License-Identifier: BSD-3-Clause
"""Write a configuration as YAML with comments, and say in sentences what is wrong with one."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from padflow.errors import brief, one_line

COMMENT_COLUMNS = 110
"""Longest line of a comment (chosen)."""


MOST_FINDINGS = 8
"""Most findings that a message lists."""


def describe_validation(error: ValidationError, model: type[BaseModel]) -> str:
    """Return pydantic's findings as sentences that name the key; for an unknown key, also the known ones."""
    findings: dict[str, list[str]] = {}
    for found in error.errors():
        location = _key_of(found["loc"], model)
        key = one_line(".".join(location)) or "the whole"
        if found["type"] == "extra_forbidden":
            findings[f"unknown key {key}"] = [f"known here are {', '.join(_siblings(location, model))}"]
        else:
            message = found["msg"].removeprefix("Value error, ").replace("Input should be ", "expected ", 1)
            findings.setdefault(f"{key} = {brief(found['input'])}", []).append(one_line(message))
    return listed([f"{key}: {' or '.join(says)}" for key, says in findings.items()]) + "."


def listed(findings: list[str]) -> str:
    """Join the first of some findings, and say how many more there are."""
    more = len(findings) - MOST_FINDINGS
    return "; ".join(findings[:MOST_FINDINGS] + ([f"and {more} more"] if more > 0 else []))


def _key_of(location: tuple[str | int, ...], model: type[BaseModel]) -> list[str]:
    """Return the keys in pydantic's location, without the names of branches of unions."""
    names: list[str] = []
    fields: Any = model.model_fields
    for part in map(str, location):
        if fields is None or part not in fields:
            if part.isdigit() or fields is not None:
                names.append(part)
            continue
        names.append(part)
        section = _section(fields[part])
        fields = None if section is None else section.model_fields
    return names


def _siblings(location: list[str], model: type[BaseModel]) -> list[str]:
    for name in location[:-1]:
        section = _section(model.model_fields.get(name))
        if section is None:
            break
        model = section
    return list(model.model_fields)


def _section(field: FieldInfo | None) -> type[BaseModel] | None:
    """Return the model of a field that is a section; None for other fields."""
    kind = None if field is None else field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def documented_yaml(config: BaseModel) -> str:
    """Return the configuration as YAML, with the description of each key in comments above it."""
    return commented_yaml(config.model_dump(mode="json"), type(config))


def commented_yaml(values: Mapping[str, Any], model: type[BaseModel]) -> str:
    """Return some keys of a configuration as YAML, with the description of each in comments above it.

    Parameters
    ----------
    values : mapping of str to object
        Sections, and their keys, that are to be written. They come in the order of the model.
    model : type
        The model of the configuration.
    """
    lines: list[str] = []
    for name, field in model.model_fields.items():
        if name not in values:
            continue
        section = _section(field)
        if section is not None:
            lines += [*_comment(section.__doc__), f"{name}:"]
            for key, inner in section.model_fields.items():
                if key in values[name]:
                    lines += [*_comment(inner.description, indent="  "), f"  {key}: {_scalar(values[name][key])}"]
        else:
            lines += [*_comment(field.description), f"{name}: {_scalar(values[name])}"]
        lines.append("")
    return "\n".join(lines)


def _comment(text: str | None, *, indent: str = "") -> list[str]:
    start = f"{indent}# "
    return textwrap.wrap((text or "").strip(), COMMENT_COLUMNS, initial_indent=start, subsequent_indent=start)


def _scalar(value: object) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=1000, allow_unicode=True).removesuffix("...\n").strip()
