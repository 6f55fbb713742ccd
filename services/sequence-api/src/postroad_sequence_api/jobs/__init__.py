"""Jobs: work in chunks, each one transaction; a killed one goes on where its last chunk ended."""
