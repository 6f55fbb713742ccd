"""Starts real PostgreSQL and RabbitMQ for a laptop, a test run or a demo."""
