import io

import av
import numpy as np
from av.video.frame import PictureType

from hoiset.builder.studio.web import encode_web


def frames() -> np.ndarray:
    ramp = np.linspace(40, 200, 96)[None, None, :, None]
    shift = np.arange(24)[:, None, None, None] * 2.0
    return np.broadcast_to(ramp + shift, (24, 64, 96, 3)).clip(0, 255).astype(np.uint8)


def test_frames_come_back_in_order_at_their_times() -> None:
    with av.open(io.BytesIO(encode_web(frames(), 30000 / 1001, 24))) as video:
        shown = list(video.decode(video=0))
    assert [round(float(f.time) * 30000 / 1001, 3) for f in shown] == list(range(24))
    rgb = np.stack([f.to_ndarray(format="rgb24") for f in shown])
    assert np.abs(rgb.astype(int) - frames()).mean() < 8


def test_equal_frames_give_equal_bytes_and_a_higher_factor_fewer() -> None:
    noisy = np.random.default_rng(0).integers(0, 255, (12, 64, 96, 3)).astype(np.uint8)
    assert encode_web(noisy, 15.0, 28) == encode_web(noisy, 15.0, 28)
    assert len(encode_web(noisy, 15.0, 40)) < len(encode_web(noisy, 15.0, 20))


def test_frames_refer_to_later_ones_as_in_shared_videos() -> None:
    still = np.repeat(frames()[:1], 24, axis=0)
    with av.open(io.BytesIO(encode_web(still, 24.0, 24))) as video:
        assert PictureType.B in {frame.pict_type for frame in video.decode(video=0)}
