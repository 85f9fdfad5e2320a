"""Records to rows of features: kernels, the preprocessor; and the shapes of records."""
