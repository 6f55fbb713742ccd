"""The `postroad` command."""

from postroad.cli.app import main

__all__ = ["main"]
