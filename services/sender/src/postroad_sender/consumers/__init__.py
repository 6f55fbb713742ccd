"""What the sender takes from its queues: a line to parse, a call, done."""
