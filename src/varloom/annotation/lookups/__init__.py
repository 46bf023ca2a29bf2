"""Looking variants up in releases that hold a row for each: normalised, keyed by a number, joined batch by batch."""
