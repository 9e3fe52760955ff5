"""Members to bytes and back: ``.npy`` without pickle, gzip, canonical JSON, everything else verbatim."""

from __future__ import annotations

import io
import json
import math
import re
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from hoiset.errors import SchemaError
from hoiset.shards.schema import Member, json_fields

_NPY_HEADER = re.compile(
    rb"\{'descr': '(?P<dtype><f[248]|<[iu][248]|\|[iu]1)', 'fortran_order': False, "
    rb"'shape': \((?P<shape>|[0-9]{1,12},|[0-9]{1,12}(?:, [0-9]{1,12}){1,7})\), \} *\n"
)
_GZIP = 31
"""zlib's ``wbits`` for a gzip header, which holds no time and no name."""
MAX_UNPACKED = 1 << 28
"""Most bytes of an unpacked array: hours of video; whatever claims more is not unpacked."""


def encode(member: Member, value: Any) -> bytes:
    """Encode one member.

    Args:
        member: Its row in the schema.
        value: ndarray for an array, mapping for ``.json``, bytes otherwise.

    Returns:
        The file's bytes; equal values give equal bytes.

    Raises:
        SchemaError: The value cannot be encoded as this member.
    """
    if member.is_array:
        data = encode_npy(np.asarray(value))
        return zlib.compress(data, wbits=_GZIP) if member.name.endswith(".gz") else data
    if member.name.endswith(".json"):
        return canonical_json(conform(value, json_fields(member.name)))
    return bytes(value)


def decode(member: Member, data: bytes) -> Any:
    """Decode one member; the inverse of :func:`encode`.

    Raises:
        SchemaError: The bytes are not such a member.
    """
    if member.is_array:
        return decode_array(data, member.name)
    if member.name.endswith(".json"):
        try:
            return json.loads(data, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise SchemaError(f"{member.name}: found bytes that are not JSON ({error}), expected a struct") from error
    return data


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def encode_npy(array: np.ndarray) -> bytes:
    """``.npy`` version 1.0 bytes, C order."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def decode_array(data: bytes, name: str) -> np.ndarray:
    """Array from the bytes of ``name``, which ends in ``.npy`` or ``.npy.gz``.

    Raises:
        SchemaError: The bytes are not such a file.
    """
    return decode_npy(_unpack(data, name) if name.endswith(".gz") else data, name)


def _unpack(data: bytes, name: str) -> bytes:
    """What is gzipped, of exactly the size that the last four bytes tell."""
    size = int.from_bytes(data[-4:], "little")
    if size > MAX_UNPACKED:
        raise SchemaError(f"{name}: found {size} bytes when unpacked, expected at most {MAX_UNPACKED}")
    stream = zlib.decompressobj(wbits=_GZIP)
    try:
        out = stream.decompress(data, size + 1)
    except zlib.error as error:
        raise SchemaError(f"{name}: found bytes that are not gzip ({error})") from error
    if not stream.eof or stream.unused_data or len(out) != size:
        raise SchemaError(f"{name}: found a gzip stream that is cut off or goes on after its end")
    return out


def decode_npy(data: bytes, name: str = "array") -> np.ndarray:
    """Array from ``.npy`` bytes as :func:`encode_npy` writes them, as a read-only view of the bytes.

    The header is matched, not evaluated: numpy's own parser fails in many ways on a damaged one, and is slower.

    Raises:
        SchemaError: Not such a file, or data of another length than the header says.
    """
    start = 10 + int.from_bytes(data[8:10], "little")
    header = _NPY_HEADER.fullmatch(data[10:start]) if data[:8] == b"\x93NUMPY\x01\x00" else None
    if header is None:
        raise SchemaError(f"{name}: found bytes that are not a .npy 1.0 array of numbers in C order and no objects")
    dtype = np.dtype(header["dtype"].decode())
    shape = tuple(int(n) for n in header["shape"].replace(b" ", b"").split(b",") if n)
    if len(data) - start != math.prod(shape) * dtype.itemsize:
        expected = math.prod(shape) * dtype.itemsize
        raise SchemaError(
            f"{name}: found {len(data) - start} bytes of data after a header of {dtype} {shape}, expected {expected}"
        )
    return np.frombuffer(data, dtype, offset=start).reshape(shape)


def canonical_json(value: Any, *, indent: int | None = None) -> bytes:
    """JSON with sorted keys, fixed separators, ``null`` for NaN, and floats as Python prints them.

    Raises:
        SchemaError: The value holds something that JSON does not know, or an infinity.
    """
    separators = (",", ":") if indent is None else (",", ": ")
    try:
        text = json.dumps(
            plain(value), sort_keys=True, ensure_ascii=False, allow_nan=False, separators=separators, indent=indent
        )
        return text.encode() + (b"" if indent is None else b"\n")
    except (TypeError, ValueError, UnicodeEncodeError) as error:
        raise SchemaError(f"cannot write as JSON: {error}") from error


def plain(value: Any) -> Any:
    """Python's own types from numpy's, tuples as lists, NaN as ``None``."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and math.isnan(value):
        return None
    return value


def conform(value: Any, fields: Any) -> Any:
    """``value`` with its leaves in the types that ``fields`` declares (an int where a float stands becomes a float).

    Structure is taken as it is; :func:`hoiset.shards.schema.validate_sample` judges it.
    """
    value = plain(value)
    if isinstance(fields, dict) and isinstance(value, dict):
        return {name: conform(v, fields[name]) if name in fields else v for name, v in value.items()}
    if isinstance(fields, list) and isinstance(value, list):
        return [conform(v, fields[0]) for v in value]
    if fields == "float64" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value
