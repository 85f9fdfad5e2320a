# SPDX-License-Identifier: BSD-3-Clause
"""The configuration: one YAML file, its sections, types and texts."""
