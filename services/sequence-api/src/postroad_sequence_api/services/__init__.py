"""What the API does, one file a noun: each function decides, reads and writes within the transaction it is given."""
