#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Set up what the tests need, and run them all: scripts/test.sh [PYTEST ARGUMENTS]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/setup.sh

# The report is tested in headless Chromium. Without root and apt that test is skipped, and says so.
if ! command -v chromium >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing chromium for the test of the report page" >&2
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium; } \
        >/dev/null 2>&1 || echo "NOT TESTED: chromium could not be installed; the report page is not opened" >&2
fi
# Clusters are tested on a real Slurm, which tests/slurm_cluster.sh starts and stops on this machine.
if ! { command -v slurmctld && command -v munged; } >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing slurm-wlm and munge for the tests on Slurm" >&2
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends slurm-wlm munge; } \
        >/dev/null 2>&1 || echo "NOT TESTED: slurm-wlm and munge could not be installed; nothing runs on Slurm" >&2
fi
if ! command -v slurmctld >/dev/null || [ "$(id -u)" != 0 ]; then
    echo "NOT TESTED: tests/test_slurm.py needs root, and Debian's slurm-wlm and munge" >&2
fi
setup_environment test

scripts/lint.sh
# Three processes keep two cores busy, for tests often wait. Those of a file stay together in one of them, as they share
# what takes long to make, and the longest files come first.
.venv/bin/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder "$@"
