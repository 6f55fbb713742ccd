"""Writes the parts of the Python client that say what docs/openapi.json says. Not part of the package."""
