"""The scheduler over real PostgreSQL and RabbitMQ."""
