"""Records to rows of features: kernels, the preprocessor, blocks of rows."""
