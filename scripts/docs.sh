#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Build the documentation as HTML, to be read without a network: build/docs/index.html
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/setup.sh
setup_environment docs

.venv/bin/python -m sphinx --fail-on-warning --keep-going --quiet docs build/docs
echo "build/docs/index.html"
