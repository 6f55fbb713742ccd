"""Files of contacts: read record by record, checked cell by cell, planned against what stands. No I/O of its own."""
