"""`python -m varloom` is `varloom`."""

from varloom.cli import run

if __name__ == "__main__":
    run()
