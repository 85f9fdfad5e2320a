"""The fitted model: what turns records into classes, and the fit that makes it."""
