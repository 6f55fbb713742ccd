"""The tracker's public surface."""
