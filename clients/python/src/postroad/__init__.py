"""The postroad command and Python client."""
