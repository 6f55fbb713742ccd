"""Ingests ESP webhooks, opens, clicks, unsubscribes, replies and bounces."""
