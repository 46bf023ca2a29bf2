"""`python -m varloom` is `varloom`."""

from varloom.cli import main

if __name__ == "__main__":
    main()
