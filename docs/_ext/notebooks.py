# SPDX-License-Identifier: BSD-3-Clause
"""Pages from notebooks: their text and code. Outputs are not in the repository; a test runs the notebooks."""

from __future__ import annotations

import json

from docutils import nodes
from myst_parser.parsers.sphinx_ import MystParser
from sphinx.application import Sphinx

LINK = "*This page is a notebook: {{download}}`download it <{name}>`, and run it.*"


class NotebookParser(MystParser):
    """Read a notebook as the page of MyST that its cells make."""

    supported = ("notebook",)

    def parse(self, inputstring: str, document: nodes.document) -> None:
        """Put the cells into a document; a link to the notebook comes after the title, which is the first line."""
        texts = [_text_of(cell) for cell in json.loads(inputstring)["cells"]]
        title, _, rest = texts[0].partition("\n")
        name = document.settings.env.docname.rpartition("/")[2] + ".ipynb"
        super().parse("\n\n".join([title, LINK.format(name=name), rest, *texts[1:]]), document)


def _text_of(cell: dict) -> str:
    text = "".join(cell["source"])
    return text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```"


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the parser; called by Sphinx."""
    app.add_source_suffix(".ipynb", "notebook")
    app.add_source_parser(NotebookParser)
    return {"parallel_read_safe": True}
