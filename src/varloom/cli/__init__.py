"""The command line. Commands are loaded when they are used, so that each starts fast."""

from varloom.cli.program import main, run

__all__ = ["main", "run"]
