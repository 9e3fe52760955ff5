"""Frames of a clip by their numbers: an exact seek, one contiguous decode, and an LRU of open videos.

PyAV decodes unless ``torchcodec`` is asked for: the two turn YUV into RGB by different arithmetic, and pixels must not
depend on what a machine happens to have installed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, Literal, Protocol, cast

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from jaxtyping import Int, UInt

from hoiset.errors import MissingDependency, VideoError
from hoiset.video import read_frame_table, read_lossless_table
from hoiset.video.decode import to_rgb

Backend = Literal["pyav", "torchcodec"]
Colour = Literal["exact", "fast"]
Size = tuple[int, int]
"""Height and width, px."""


class OpenVideo(Protocol):
    """One video, ready to give any of its frames."""

    def __len__(self) -> int:
        """Number of frames."""

    def frames(self, indices: Sequence[int], size: Size | None) -> np.ndarray:
        """Frames by increasing, distinct numbers."""


class VideoCache:
    """The videos that were used last, open. Not shared between processes: a pickled one starts empty.

    Attributes:
        backend: What decodes H.264: ``pyav`` or ``torchcodec``. Depth and masks are always PyAV's.
        colour: How PyAV's frames become RGB: ``exact``, the same bytes on every machine and as a whole clip gives them,
            or ``fast``, which at full size saves half of all time; see :func:`hoiset.video.decode.to_rgb`.
        max_open: Most videos open at once; each holds its encoded bytes and a decoder of a few frames.
    """

    def __init__(self, backend: Backend = "pyav", *, colour: Colour = "exact", max_open: int = 16) -> None:
        if backend not in ("pyav", "torchcodec"):
            raise VideoError(f"unknown decoder {backend!r}; expected 'pyav' or 'torchcodec'")
        if colour not in ("exact", "fast"):
            raise VideoError(f"unknown colour {colour!r}; expected 'exact' or 'fast'")
        if max_open < 1:
            raise VideoError(f"found max_open={max_open}, expected at least 1")
        if backend == "torchcodec":
            _torchcodec()
        self.backend, self.colour, self.max_open = backend, colour, max_open
        self._open: OrderedDict[Hashable, OpenVideo] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": OrderedDict()}

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._open

    def frames(
        self,
        key: Hashable,
        read: Callable[[], bytes],
        indices: Int[np.ndarray, "n"],
        *,
        lossless: bool = False,
        resize: Size | None = None,
        n_frames: int | None = None,
    ) -> UInt[np.ndarray, "n h w ..."]:
        """Frames of one video.

        Args:
            key: Of the video, for the cache.
            read: Gives the whole file's bytes; called only where the video is not open.
            indices: (n,) frame numbers in any order, with or without repeats.
            lossless: Whether it is FFV1 (depth, masks) rather than H.264.
            resize: (h, w) to shrink by area or enlarge bicubically (PyAV; swscale), or by torchcodec's resize
                (bilinear); pictures of numbers take the nearest pixel. The aspect is not kept.
            n_frames: How many the video must have.

        Returns:
            (n, h, w, 3) uint8 RGB, or (n, h, w) uint8 or uint16; the caller's own. At full size those of PyAV in exact
            colour are the bytes that :func:`hoiset.video.decode_mp4_bytes` gives.

        Raises:
            VideoError: A frame that is not there or cannot be decoded, or another number of frames than ``n_frames``.
        """
        video = self._open.get(key)
        if video is None:
            video = self._open_video(read(), lossless)
            if n_frames is not None and len(video) != n_frames:
                raise VideoError(f"found {len(video)} frames in the video, expected {n_frames}; run `hoiset verify`")
            while len(self._open) >= self.max_open:
                self._open.popitem(last=False)
            self._open[key] = video
        else:
            self._open.move_to_end(key)
        wanted, inverse = np.unique(indices, return_inverse=True)
        if not len(wanted) or wanted[0] < 0 or wanted[-1] >= len(video):
            raise VideoError(f"found frame numbers {wanted.tolist()}, expected some of 0 .. {len(video) - 1}")
        found = video.frames(wanted.tolist(), resize)
        return found if len(wanted) == len(inverse) and (np.diff(inverse) > 0).all() else found[inverse]

    def _open_video(self, data: bytes, lossless: bool) -> OpenVideo:
        if lossless:
            return _Numbers(data)
        return _TorchCodec(data) if self.backend == "torchcodec" else _Pictures(data, exact=self.colour == "exact")


class _Packets:
    """A decoder that is fed packets by number; it goes on from where it stands when that is on the way."""

    def __init__(self, data: bytes, *, lossless: bool) -> None:
        if lossless:
            self._table, packets = read_lossless_table(data)
            self._packet: Callable[[int], Any] = packets.__getitem__
        else:
            self._table = read_frame_table(data)
            view, offset, size = memoryview(data), self._table.offset.tolist(), self._table.size.tolist()
            self._packet = lambda i: view[offset[i] : offset[i] + size[i]]
        self._start = self._table.start.tolist()
        self._next = -1
        self._context = cast(VideoCodecContext, av.CodecContext.create(self._table.codec, "r"))
        self._context.extradata = self._table.extradata
        self._context.width, self._context.height = self._table.width, self._table.height
        self._context.thread_count = 1  # workers are the parallelism
        self._context.flags |= av.codec.context.Flags.low_delay  # without B-frames every packet gives its frame

    def __len__(self) -> int:
        return len(self._table)

    def decode(self, indices: Sequence[int]) -> Iterator[VideoFrame]:
        """Decoded frames by increasing, distinct numbers."""
        missing = set(indices)
        try:
            for i in self._needed(indices):
                packet = av.Packet(self._packet(i))
                packet.pts = i
                yield from self._pick(self._context.decode(packet), missing)
            if missing:
                late = self._context.decode(None)
                self._context.flush_buffers()
                yield from self._pick(late, missing)
                self._next = -1
        except av.error.FFmpegError as error:
            self._next = -1
            raise VideoError(
                f"cannot decode frames {min(missing)} .. {max(missing)}: {error}; run `hoiset verify`"
            ) from error
        if missing:
            raise VideoError(f"frames {sorted(missing)} could not be decoded; run `hoiset verify`")

    def _needed(self, indices: Sequence[int]) -> Iterator[int]:
        """Packets to feed: from the key frame before each wanted one, or from where the decoder stands."""
        for index in indices:
            start = self._start[index]
            for i in range(max(start, self._next) if self._next <= index else start, index + 1):
                self._next = -1  # until the packet is in, the decoder stands nowhere
                yield i
                self._next = i + 1

    @staticmethod
    def _pick(frames: Sequence[Any], missing: set[int]) -> Iterator[VideoFrame]:
        for frame in frames:
            if frame.pts in missing and not frame.is_corrupt:
                missing.remove(frame.pts)
                yield frame


class _Pictures:
    """H.264 by PyAV."""

    def __init__(self, data: bytes, *, exact: bool) -> None:
        self._packets, self._exact = _Packets(data, lossless=False), exact
        self._reformatter = VideoReformatter()

    def __len__(self) -> int:
        return len(self._packets)

    def frames(self, indices: Sequence[int], size: Size | None) -> np.ndarray:
        out = None
        for i, frame in enumerate(self._packets.decode(indices)):
            height, width = size or (frame.height, frame.width)
            if out is None:
                out = np.empty((len(indices), height, width, 3), np.uint8)
            to_rgb(self._reformatter, frame, width, height, exact=self._exact, out=out[i])
        assert out is not None
        return out


class _Numbers:
    """FFV1 by PyAV."""

    def __init__(self, data: bytes) -> None:
        self._packets = _Packets(data, lossless=True)

    def __len__(self) -> int:
        return len(self._packets)

    def frames(self, indices: Sequence[int], size: Size | None) -> np.ndarray:
        frames = np.stack([frame.to_ndarray() for frame in self._packets.decode(indices)])
        return frames if size is None else np.ascontiguousarray(_nearest(frames, size))


def _nearest(frames: np.ndarray, size: Size) -> np.ndarray:
    """(n, h, w) of the pixels whose centres are nearest: numbers of depth and masks must not be mixed."""
    rows, columns = (
        ((np.arange(n) + 0.5) * found / n).astype(np.int64) for n, found in zip(size, frames.shape[1:], strict=True)
    )
    return frames[:, rows[:, None], columns]


class _TorchCodec:
    """H.264 by torchcodec."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._size: Size | None = None
        self._decoder = self._make(None)

    def __len__(self) -> int:
        return int(self._decoder.metadata.num_frames)

    def frames(self, indices: Sequence[int], size: Size | None) -> np.ndarray:
        if size != self._size:
            self._size, self._decoder = size, self._make(size)
        try:
            return self._decoder.get_frames_at(list(indices)).data.numpy()
        except RuntimeError as error:
            raise VideoError(f"torchcodec cannot decode frames {list(indices)}: {error}") from error

    def _make(self, size: Size | None) -> Any:
        decoders, transforms = _torchcodec()
        change = [] if size is None else [transforms.Resize(size)]
        try:
            return decoders.VideoDecoder(self._data, dimension_order="NHWC", transforms=change)
        except (RuntimeError, ValueError) as error:
            raise VideoError(f"{len(self._data)} bytes of video: torchcodec cannot open them: {error}") from error


def _torchcodec() -> tuple[Any, Any]:
    try:
        from torchcodec import decoders, transforms
    except (ImportError, RuntimeError, OSError) as error:  # its wheel may not match torch or find no FFmpeg
        raise MissingDependency(
            f"decoder='torchcodec' needs a torchcodec that imports ({type(error).__name__}): install the build that "
            "matches your torch, and FFmpeg's shared libraries; or use decoder='pyav'"
        ) from error
    return decoders, transforms
