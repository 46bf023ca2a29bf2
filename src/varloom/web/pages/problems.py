"""What can be wrong with the pages themselves."""

from __future__ import annotations

from varloom.errors import define

FRONTEND_NOT_BUILT = define(
    "frontend_not_built",
    "The browser's files are not built",
    cause="The scripts and styles of the pages are made when the package is built, and this installation has none.",
    resolution=("In a checkout, run `make install`.", "Elsewhere, install Varloom again from its wheel."),
    status=500,
)
