"""The order of the stages, what they leave behind to resume from, and what they report."""
