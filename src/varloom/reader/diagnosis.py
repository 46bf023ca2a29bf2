"""Gathers what is wrong with a file: errors up to a limit, warnings one for each kind and subject with a count."""

from __future__ import annotations

import math

from varloom.errors import NOWHERE, ErrorKind, Place, Problem, Severity
from varloom.reader.problems import FileRefused, refuse

WARNING_SUBJECTS = 50
"""How many subjects (keys, contigs, filters) of one kind get a warning of their own."""


class _Noticed:
    """A warning, and how often it was met."""

    __slots__ = ("count", "problem")

    def __init__(self, problem: Problem, count: int) -> None:
        self.problem = problem
        self.count = count


class Diagnosis:
    """The findings of one file, in the order they were met.

    Attributes:
        max_problems: how many errors are gathered.
        errors: those that were.
    """

    def __init__(self, max_problems: int = 20) -> None:
        self.max_problems = max_problems
        self.errors: list[Problem] = []
        self._noticed: dict[tuple[str, str], _Noticed] = {}
        self._subjects: dict[str, int] = {}

    def copied(self) -> Diagnosis:
        """The same findings, to go on from twice; kinds stay the very objects that others compare with."""
        copy = Diagnosis(self.max_problems)
        copy.errors = list(self.errors)
        copy._noticed = {key: _Noticed(each.problem, each.count) for key, each in self._noticed.items()}
        copy._subjects = dict(self._subjects)
        return copy

    @property
    def full(self) -> bool:
        """Whether as many errors were found as are gathered."""
        return len(self.errors) >= self.max_problems

    def error(
        self,
        kind: ErrorKind,
        message: str,
        place: Place = NOWHERE,
        resolution: tuple[str, ...] = (),
    ) -> None:
        """Note a fault that refuses the file."""
        if not self.full:
            self.errors.append(Problem(kind, message, place=place, resolution=resolution))

    def add_refusal(self, refused: FileRefused) -> None:
        """Note the problems of a refusal that ended the reading, as far as there is room."""
        self.errors.extend(refused.problems[: self.max_problems - len(self.errors)])

    def warn(self, kind: ErrorKind, subject: str, message: str, place: Place = NOWHERE, count: int = 1) -> None:
        """Note a fault that loses nothing, met `count` times; the same kind and subject again is only counted.

        Whichever of them comes first, the one with the lowest line is shown.

        Subjects beyond `WARNING_SUBJECTS` of a kind share one warning, so that a hostile file cannot fill the memory.
        """
        key = (kind.code, subject)
        known = self._noticed.get(key)
        if known is None and self._subjects.get(kind.code, 0) >= WARNING_SUBJECTS:
            key = (kind.code, "")
            known = self._noticed.get(key)
            message = f"There is more of this kind. First: {message}"
        if known is not None:
            known.count += count
            if _by_line(problem := Problem(kind, message, Severity.WARNING, place)) < _by_line(known.problem):
                known.problem = problem
            return
        self._subjects[kind.code] = self._subjects.get(kind.code, 0) + 1
        self._noticed[key] = _Noticed(Problem(kind, message, Severity.WARNING, place), count)

    def warnings(self) -> tuple[Problem, ...]:
        """One Problem for each kind and subject, telling how often it was met, in the order of their lines."""
        problems = [
            noticed.problem
            if noticed.count == 1
            else noticed.problem._replace(message=f"{noticed.problem.message} ({noticed.count:,} times in all)")
            for noticed in self._noticed.values()
        ]
        return tuple(sorted(problems, key=_by_line))

    def refuse_if_broken(self) -> None:
        """Raise FileRefused when there are errors."""
        if self.errors:
            raise refuse(*self.errors)


def _by_line(problem: Problem) -> float:
    """What concerns the file as a whole comes last."""
    return math.inf if problem.place.line is None else problem.place.line
