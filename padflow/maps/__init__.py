# SPDX-License-Identifier: BSD-3-Clause
"""Where and when classes and shapes occur: shares of all records, and how sure they are, from orbits."""
