"""What the API takes and gives, one file a noun: strict pydantic models, the source of its description."""
