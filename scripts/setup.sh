# SPDX-License-Identifier: BSD-3-Clause
# Sourced by demo.sh and test.sh: a virtual environment with padflow in .venv, made once and renewed when
# pyproject.toml or the constraints change. Needs Python 3.11 to 3.13 with pip and venv.
#   setup_environment EXTRAS     such as "", "docs" or "test"

# Packages are compiled when they are first imported, and the environment is padflow's own: where this forbids it, each of
# the many processes would compile them all again, TensorFlow's ten thousand files too.
unset PYTHONDONTWRITEBYTECODE

setup_environment() {
    local extras=$1 python stamp
    python=${PYTHON:-}
    if [ -z "$python" ]; then
        for python in python3.11 python3.12 python3.13 python3; do
            command -v "$python" >/dev/null && "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' && break
            python=
        done
    fi
    [ -n "$python" ] || { echo "padflow needs Python 3.11, 3.12 or 3.13; set PYTHON to one." >&2; return 1; }
    stamp=.venv/padflow-$(cat pyproject.toml scripts/constraints.txt | cksum | cut -d' ' -f1)-${extras:-plain}
    [ -e "$stamp" ] && return 0
    # An environment with the extras of the tests serves the demonstration and the documentation as well.
    [ -e "${stamp%-*}-test" ] && return 0
    echo "making .venv with $("$python" --version); this takes a few minutes the first time" >&2
    [ -x .venv/bin/python ] || "$python" -m venv .venv || {
        echo "could not make .venv; on Debian and Ubuntu: apt-get install python3-venv" >&2
        return 1
    }
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile \
        --constraint scripts/constraints.txt --editable ".${extras:+[$extras]}"
    touch "$stamp"
}
