"""Native loops over variants, without Python's lock."""
