"""The HTTP API of Postroad: what is wanted, and what became of it."""
