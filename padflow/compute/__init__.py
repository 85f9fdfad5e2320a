# SPDX-License-Identifier: BSD-3-Clause
"""Who does the work: workers of this process, of this machine, of jobs or of a Dask cluster."""
