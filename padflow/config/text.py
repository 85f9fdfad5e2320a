"""Write a configuration as YAML with comments, and say in sentences what is wrong with one."""

from __future__ import annotations

from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from padflow.errors import brief, one_line

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
    """Return the configuration as YAML, with the description of each key in a comment above it."""
    lines = []
    dumped = config.model_dump(mode="json")
    for name, field in type(config).model_fields.items():
        value = dumped[name]
        section = _section(field)
        if section is not None:
            lines += [f"# {(section.__doc__ or '').strip()}", f"{name}:"]
            for key, inner in section.model_fields.items():
                lines += [f"  # {inner.description}", f"  {key}: {_scalar(value[key])}"]
        else:
            lines += [f"# {field.description}", f"{name}: {_scalar(value)}"]
        lines.append("")
    return "\n".join(lines)


def _scalar(value: object) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("...\n").strip()
