"""RabbitMQ: topology, publishing with confirms, consuming with a retry ladder, parking."""
