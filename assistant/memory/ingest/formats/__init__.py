"""One module per format: bytes to blocks. They run in the reading process only."""
