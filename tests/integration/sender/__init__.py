"""The sender over real servers: PostgreSQL, RabbitMQ and an SMTP server."""
