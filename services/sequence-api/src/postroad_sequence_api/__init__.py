"""The HTTP API of Postroad: contacts, templates, sequences, enrollments and their intents."""
