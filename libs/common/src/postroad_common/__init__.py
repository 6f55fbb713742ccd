"""What every Postroad service shares: contracts, AMQP, outbox, database, settings, telemetry, lifecycle."""
