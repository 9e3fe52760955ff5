"""Messages between a build and its isolated workers: a JSON header and raw arrays, never pickle.

A message is ``<u4 header length><header><array bytes ...>``, little-endian. The header is a JSON object; its key
``arrays`` lists ``{"name", "dtype", "shape"}`` of the C-contiguous buffers that follow, in order.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

MAX_HEADER_BYTES = 1 << 20
MAX_ARRAY_BYTES = 1 << 30
DTYPES = ("|u1", "|b1", "<i4", "<i8", "<f4", "<f8")


class WireError(ValueError):
    """Bytes on a pipe that are no message, e.g. what a library printed to the wrong file descriptor."""


@dataclass(frozen=True)
class Message:
    """One decoded message: its header and its arrays by name."""

    header: dict[str, Any]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


def encode(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray] | None = None) -> list[memoryview]:
    """Encode a message as buffers to write in order; array memory is referenced, not copied, where contiguous.

    Raises:
        WireError: An array has a dtype that is not in :data:`DTYPES`.
    """
    held = {name: np.asarray(a, order="C") for name, a in (arrays or {}).items()}
    for name, a in held.items():
        if a.dtype.str not in DTYPES:
            raise WireError(f"array {name!r} has dtype {a.dtype.str}; expected one of {DTYPES}")
    described = [{"name": n, "dtype": a.dtype.str, "shape": list(a.shape)} for n, a in held.items()]
    head = json.dumps({**header, "arrays": described}).encode()
    buffers = [memoryview(struct.pack("<I", len(head)) + head)]
    return buffers + [a.reshape(-1).view(np.uint8).data for a in held.values() if a.size]


class Decoder:
    """Turns bytes that arrive in pieces into messages; each array is filled in place, so it is held once."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._header: dict[str, Any] | None = None
        self._arrays: dict[str, np.ndarray] = {}
        self._queue: list[tuple[memoryview, int]] = []

    def feed(self, data: bytes | memoryview) -> list[Message]:
        """Take bytes from the pipe.

        Returns:
            The messages that they complete.

        Raises:
            WireError: The bytes are no message.
        """
        rest = memoryview(data)
        done: list[Message] = []
        while True:
            rest = self._fill_header(rest) if self._header is None else rest
            if self._header is None:
                return done
            rest = self._fill_arrays(rest)
            if self._queue:
                return done
            done.append(Message(self._header, self._arrays))
            self._head, self._header, self._arrays = bytearray(), None, {}
            if not rest:
                return done

    def _fill_header(self, rest: memoryview) -> memoryview:
        while rest:
            want = 4 if len(self._head) < 4 else 4 + struct.unpack_from("<I", self._head)[0]
            if want - 4 > MAX_HEADER_BYTES:
                raise WireError(f"header of {want - 4} bytes announced; expected at most {MAX_HEADER_BYTES}")
            take = want - len(self._head)
            self._head += rest[:take]
            rest = rest[take:]
            if len(self._head) >= 4 and len(self._head) == 4 + struct.unpack_from("<I", self._head)[0]:
                self._open(bytes(self._head[4:]))
                break
        return rest

    def _open(self, head: bytes) -> None:
        try:
            header = json.loads(head)
            described = header.pop("arrays")
            for spec in described:
                dtype, shape = str(spec["dtype"]), tuple(int(s) for s in spec["shape"])
                if dtype not in DTYPES or any(s < 0 for s in shape):
                    raise WireError(f"array of dtype {dtype} and shape {shape} announced")
                if math.prod(shape) * np.dtype(dtype).itemsize > MAX_ARRAY_BYTES:
                    raise WireError(f"array of shape {shape} announced; expected at most {MAX_ARRAY_BYTES} bytes")
                array = np.empty(shape, dtype)
                self._arrays[str(spec["name"])] = array
                if array.size:
                    self._queue.append((array.reshape(-1).view(np.uint8).data, 0))
        except (KeyError, TypeError, ValueError, AttributeError) as e:
            raise WireError(f"malformed message header {head[:80]!r}: {e}") from e
        self._header = header

    def _fill_arrays(self, rest: memoryview) -> memoryview:
        while rest and self._queue:
            buffer, at = self._queue[0]
            n = min(len(rest), len(buffer) - at)
            buffer[at : at + n] = rest[:n]
            rest = rest[n:]
            if at + n == len(buffer):
                self._queue.pop(0)
            else:
                self._queue[0] = (buffer, at + n)
        return rest
