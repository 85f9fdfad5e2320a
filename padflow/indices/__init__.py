# SPDX-License-Identifier: BSD-3-Clause
"""Geomagnetic indices and the solar wind from files, joined to records by time; storms and their phases."""
