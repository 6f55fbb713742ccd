"""SMTP: our own client, what its replies mean, and how a connection is made and shared."""
