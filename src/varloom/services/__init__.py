"""Use cases: the only door for web and command line. Every call is for one account."""
