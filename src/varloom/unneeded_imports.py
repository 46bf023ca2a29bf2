"""What a library would import for nothing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class _NotHere:  # `importlib.abc`, of which finders are made, would import `tempfile` and more
    """Says of some modules that they are not installed."""

    def __init__(self, *names: str) -> None:
        self._names = frozenset(names)

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - the interface of finders
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Refuse, or leave it to the finders that follow."""
        if fullname in self._names:
            raise ModuleNotFoundError(f"{fullname} is not used by this process", name=fullname)
        return None


def leave_pandas_out() -> None:
    """Let pyarrow find no pandas: where it is installed, pyarrow imports it with the first array that it makes.

    That takes 32 MB and a third of a second in each process, none of which uses it. To be called by programs alone:
    whoever uses `varloom.client` in a program of their own may well want frames of pandas.
    """
    sys.meta_path.insert(0, _NotHere("pandas"))
