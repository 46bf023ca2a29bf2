"""From the JSON of an answer to its dataclass."""

from __future__ import annotations

import functools
import types
import typing
from dataclasses import fields
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from varloom.client import models
from varloom.client.problems import RESPONSE_UNEXPECTED
from varloom.errors import VarloomError

Answer = TypeVar("Answer")


def decoded(kind: type[Answer], document: Any) -> Answer:
    """The document as a dataclass of `models`.

    Keys that this version does not know are left out, and unknown words (such as a state of a newer server) are kept,
    so that client and server need not be of the same version.

    Raises:
        VarloomError: `response_unexpected`, for a document that is something else.
    """
    try:
        return typing.cast("Answer", _of(kind, document))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        told = f"{type(error).__name__}: {error}"
        raise VarloomError(RESPONSE_UNEXPECTED, f"The answer is no {kind.__name__} ({told}).") from None


def _of(kind: Any, value: Any) -> Any:  # noqa: PLR0911 - one for each kind of annotation
    """A value as its annotation says."""
    origin = typing.get_origin(kind)
    if origin is types.UnionType:
        kinds = [one for one in typing.get_args(kind) if one is not types.NoneType]
        return None if value is None else _of(kinds[0], value)
    if origin is tuple:
        (inner, _) = typing.get_args(kind)
        return tuple(_of(inner, one) for one in value)
    if origin is dict:
        of_key, of_value = typing.get_args(kind)
        return {_of(of_key, key): _of(of_value, one) for key, one in value.items()}
    if kind is datetime:
        return datetime.fromisoformat(value)
    if kind is UUID:
        return UUID(value)
    if isinstance(kind, type) and kind.__module__ == models.__name__:
        return kind(**{name: _of(one, _value(value, name, one)) for name, one in _hints(kind).items()})
    return value


def _value(document: dict[str, Any], name: str, kind: Any) -> Any:
    """The value of a key; an older server may know nothing of one that can be null."""
    if name not in document and types.NoneType in typing.get_args(kind):
        return None
    return document[name]


@functools.cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    """The annotations of a dataclass, resolved."""
    names = {**vars(models), "datetime": datetime, "UUID": UUID}
    hints = typing.get_type_hints(kind, globalns=names, localns={})
    return {one.name: hints[one.name] for one in fields(kind)}
