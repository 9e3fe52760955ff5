from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from hoiset.builder.screen.gates import first_failed
from hoiset.builder.screen.params import ScreenParams
from hoiset.builder.screen.quality import measure_black, measure_quality
from hoiset.video import decode_mp4_bytes, encode_mp4, iter_frames

PARAMS = ScreenParams()
STILL = ("cups_shuffle", "letter_blocks", "plate_push", "salt", "snackbox_push")
Frames = list[np.ndarray]


def coded(frames: Frames) -> Frames:
    """As they come out of a web video."""
    return list(decode_mp4_bytes(encode_mp4(frames, np.arange(len(frames)) / 5, crf=26))[0])


def gate(frames: Frames) -> str:
    return first_failed({"duration_s": 5.0, "camera_shift": 0.0, **measure_quality(frames)}, PARAMS)[0]


@pytest.fixture(scope="module")
def clips(shared_data: Path) -> dict[str, Frames]:
    folder = shared_data / "videos"
    names = (*STILL, "bedroom")
    read = {name: iter_frames(folder / f"{name}.mp4", max_fps=5, short_side_px=360, end_s=4) for name in names}
    return {name: [rgb for _, rgb in frames] for name, frames in read.items()}


def beside(a: Frames, b: Frames) -> Frames:
    height, width = a[0].shape[:2]
    half, size = width // 2, (width, height)
    left = (cv2.resize(f, size)[:, width // 4 :][:, :half] for f in a)
    return [
        np.hstack([f, cv2.resize(g, size)[:, width // 4 :][:, : width - half]]) for f, g in zip(left, b, strict=False)
    ]


def stacked(a: Frames, b: Frames) -> Frames:
    height, width = a[0].shape[:2]
    half, size = height // 2, (width, height)
    top = (cv2.resize(f, size)[height // 4 :][:half] for f in a)
    return [np.vstack([f, cv2.resize(g, size)[height // 4 :][: height - half]]) for f, g in zip(top, b, strict=False)]


def inset(a: Frames, b: Frames) -> Frames:
    height, width = a[0].shape[:2]
    w, h = round(0.3 * width), round(0.3 * height)
    out = []
    for f, g in zip(a, b, strict=False):
        image = f.copy()
        image[10 : 10 + h, width - 10 - w : width - 10] = cv2.resize(g, (w, h))
        out.append(image)
    return out


def titled(a: Frames, _: Frames) -> Frames:
    out = []
    for image in (f.copy() for f in a):
        height, width = image.shape[:2]
        for k, line in enumerate(("HOW TO PUT IT BACK", "in five easy steps")):
            at = (round(0.05 * width), round((0.35 + 0.25 * k) * height))
            for colour, thick in (((0, 0, 0), 8), ((255, 255, 255), 3)):
                cv2.putText(image, line, at, cv2.FONT_HERSHEY_DUPLEX, width / 400, colour, thick, cv2.LINE_AA)
        out.append(image)
    return out


def blurred(a: Frames, _: Frames) -> Frames:
    return [cv2.GaussianBlur(f, (0, 0), 0.012 * f.shape[0]) for f in a]


def photograph(a: Frames, _: Frames) -> Frames:
    return [a[0]] * 20


def fades(a: Frames, _: Frames) -> Frames:
    return [*a[: len(a) // 2], *(np.zeros_like(f) for f in a[len(a) // 2 :])]


def barred(a: Frames, _: Frames) -> Frames:
    """A tall picture between black bars, as phones take it: nothing is wrong with it."""
    return [np.hstack([bar := np.zeros((f.shape[0], f.shape[1] // 3, 3), np.uint8), f, bar]) for f in a]


def subtitled(a: Frames, _: Frames) -> Frames:
    out = [f.copy() for f in a]
    for image in out:
        at = (image.shape[1] // 3, image.shape[0] - 14)
        cv2.putText(image, "turn it over", at, cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 2, cv2.LINE_AA)
    return out


def as_it_is(a: Frames, _: Frames) -> Frames:
    return a


@pytest.mark.parametrize("name", STILL)
@pytest.mark.parametrize("change", [as_it_is, barred, subtitled])
def test_good_pictures_pass(clips: dict[str, Frames], name: str, change: Callable[..., Frames]) -> None:
    assert gate(coded(change(clips[name], []))) == "ok"


@pytest.mark.parametrize(
    ("change", "want", "names"),
    [
        (beside, "split_screen", ("cups_shuffle", "plate_push", "salt", "snackbox_push")),
        (stacked, "split_screen", ("cups_shuffle", "plate_push", "salt", "snackbox_push")),
        (inset, "picture_in_picture", ("plate_push", "snackbox_push")),
        (titled, "text_overlay", ("cups_shuffle", "plate_push", "snackbox_push")),
        (blurred, "blurred", STILL),
        (photograph, "still_image", ("letter_blocks", "plate_push", "salt", "snackbox_push")),
        (fades, "black_frames", STILL),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_edited_and_poor_pictures_are_told_apart(
    clips: dict[str, Frames], change: Callable[..., Frames], want: str, names: tuple[str, ...]
) -> None:
    lively = {"inset": "bedroom", "cups_shuffle": "salt"}
    other = {name: lively.get(change.__name__, lively.get(name, "cups_shuffle")) for name in names}
    found = {name: gate(coded(change(clips[name], clips[other[name]]))) for name in names}
    assert found == dict.fromkeys(names, want)


def test_a_picture_that_shows_nothing_is_neither_sharp_nor_blurred() -> None:
    found = measure_quality([np.full((90, 160, 3), 127, np.uint8)] * 8)
    assert np.isnan(found["blur"])
    assert (found["black"], found["change"], found["split"], found["inset"], found["text"]) == (0, 0, 0, 0, 0)


def test_black_is_a_share_of_the_frames() -> None:
    dark, light = np.full((90, 160, 3), 12, np.uint8), np.full((90, 160, 3), 80, np.uint8)
    assert measure_black([dark, light, dark, light]) == 0.5
    assert measure_quality([light])["black"] == 0.0
