# SPDX-License-Identifier: BSD-3-Clause
"""Records to rows of features: kernels, the preprocessor; and the shapes of records."""
