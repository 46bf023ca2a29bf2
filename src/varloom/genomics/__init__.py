"""What is known of genomes and their files without any database or network: pure functions and values."""
