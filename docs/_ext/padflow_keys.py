# SPDX-License-Identifier: BSD-3-Clause
"""A directive that lists the keys of a YAML file from the pydantic model that reads it.

``{padflow-keys} padflow.config.sections:Config`` makes a section for each section of the model, with a table of its
keys: name, default, meaning.
"""

from __future__ import annotations

import json
from pkgutil import resolve_name

from docutils import nodes
from docutils.parsers.rst import Directive
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from sphinx.application import Sphinx


class Keys(Directive):
    """List the keys of a model."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table of the model's own keys, and a section for each model within it."""
        model = resolve_name(self.arguments[0])
        own = {name: field for name, field in model.model_fields.items() if not _is_section(field)}
        out: list[nodes.Node] = [_table(own)] if own else []
        return out + [self._section(name, field) for name, field in model.model_fields.items() if _is_section(field)]

    def _section(self, name: str, field: FieldInfo) -> nodes.Node:
        section = nodes.section("", nodes.title("", "", nodes.literal("", name)), ids=[nodes.make_id(name)])
        about = field.annotation.__doc__.strip().splitlines()[0]
        section += [nodes.paragraph("", about), _table(field.annotation.model_fields)]
        self.state.document.note_implicit_target(section)
        return section


def _is_section(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


def _table(fields: dict[str, FieldInfo]) -> nodes.Node:
    widths = (24, 20, 56)
    group = nodes.tgroup("", *(nodes.colspec(colwidth=width) for width in widths), cols=len(widths))
    group += nodes.thead("", _row([nodes.paragraph("", words) for words in ("key", "default", "meaning")]))
    body = nodes.tbody()
    for name, field in fields.items():
        meaning = nodes.paragraph("", field.description or "")
        body += _row([_literal(name), _literal(_default(field)), meaning])
    group += body
    return nodes.table("", group, classes=["keys"])


def _row(cells: list[nodes.Node]) -> nodes.Node:
    return nodes.row("", *(nodes.entry("", cell) for cell in cells))


def _literal(text: str) -> nodes.Node:
    return nodes.paragraph("", "", nodes.literal("", text))


def _default(field: FieldInfo) -> str:
    return "needed" if field.is_required() else json.dumps(field.get_default(call_default_factory=True), default=str)


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("padflow-keys", Keys)
    return {"parallel_read_safe": True}
