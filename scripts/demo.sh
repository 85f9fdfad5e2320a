#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# From nothing to a report: set padflow up in .venv, then run the recommended configuration.
#   scripts/demo.sh               on an archive of 20 simulated days
#   scripts/demo.sh CDF_FOLDER    on your REPT level-3 files
# All of it goes into ./demo; a second run goes on where the first stopped, or finds everything done.
set -euo pipefail
if [ "$#" -gt 1 ] || [[ "${1:-}" == -* ]]; then
    sed -n '3,6s/^# //p' "$0"
    exit 2
fi
folder=()
[ "$#" -eq 0 ] || folder=(--folder "$(realpath "$1")")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/setup.sh
setup_environment ""
exec .venv/bin/padflow demo --workdir demo "${folder[@]}"
