"""Renders, transmits and keeps the ledger."""
