"""Payloads and results as bytes: encoding what users pass, decoding into what they ask for."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import msgspec

from asynqpy.errors import InvalidTaskError, PayloadError

T = TypeVar("T")


def encode(value: object) -> bytes:
    """*value* as bytes: bytes stay, text becomes UTF-8, everything else JSON.

    JSON covers what msgspec encodes (dict, list, numbers, dataclasses, Structs, datetimes, UUIDs, enums …) and
    pydantic models at any depth.

    Raises:
        InvalidTaskError: the value has no JSON form.
    """
    if isinstance(value, bytes):
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    try:
        return value.encode() if isinstance(value, str) else _ENCODER.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidTaskError(f"cannot encode a payload of type {type(value).__name__}: {error}") from error


def decode(data: bytes, model: type[T]) -> T:
    """*data*, a JSON document, as a *model*: any type that msgspec decodes, or a pydantic model.

    Raises:
        PayloadError: the document is not JSON or does not fit the model.
    """
    try:
        validate = getattr(model, "model_validate_json", None)
        if validate is not None:
            return cast("T", validate(data))
        return msgspec.json.decode(data, type=model)
    except (
        ValueError,
        TypeError,
        RecursionError,
    ) as error:  # msgspec's and pydantic's validation errors are ValueErrors
        raise PayloadError(f"payload does not fit {getattr(model, '__name__', model)}: {error}") from error


def decode_any(data: bytes) -> Any:
    """*data*, a JSON document, as plain Python values.

    Raises:
        PayloadError: not JSON.
    """
    try:
        return _DECODER.decode(data)
    except (ValueError, RecursionError) as error:
        raise PayloadError(f"payload is not JSON: {error}") from error


def _encode_foreign(value: object) -> object:
    dump = getattr(value, "model_dump", None)  # pydantic, wherever it is installed
    if dump is None:
        raise TypeError(f"{type(value).__name__} has no JSON form; pass bytes, or a type that msgspec encodes")
    return dump(mode="json", by_alias=True)  # what the model itself can read again


_ENCODER = msgspec.json.Encoder(enc_hook=_encode_foreign)
_DECODER = msgspec.json.Decoder()
