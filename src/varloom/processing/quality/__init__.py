"""What reads, alignment and variants of a sample are worth, in counts and distributions."""
