# SPDX-License-Identifier: BSD-3-Clause
"""Settings of the documentation. Nothing here, and nothing in the pages, needs a network."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import padflow

project = "padflow"
author = "The padflow developers"
copyright = author
version = release = padflow.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinx_click",
    "padflow_keys",
    "notebooks",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_ext"]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4

autosummary_generate = False  # numpydoc brings it
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say it
numpydoc_show_class_members = False

nitpicky = True  # a reference that leads nowhere is a warning

html_theme = "furo"
html_title = f"padflow {version}"
html_copy_source = False
html_show_sphinx = False
