"""One consumer a queue: from a message to one call of a service function."""
