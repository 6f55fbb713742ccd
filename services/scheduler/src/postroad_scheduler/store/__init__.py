"""What the scheduler reads and writes: whole statements by noun, in the .sql file beside each module."""
