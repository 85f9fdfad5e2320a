# SPDX-License-Identifier: BSD-3-Clause
"""The figures of the report."""
