#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Look at all of the code without running it: style, format, layers, types, spelling, pyproject.toml.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/setup.sh
setup_environment test

.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/lint-imports --no-logo
.venv/bin/mypy
.venv/bin/codespell
.venv/bin/validate-pyproject pyproject.toml
