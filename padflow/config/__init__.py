"""The configuration: one YAML file, its sections, types and texts."""
