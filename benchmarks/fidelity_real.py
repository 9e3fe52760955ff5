"""Figures on real ground truth, by the code as it stands."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from fidelity_boxes import box_figures
from fidelity_hands import image_figures, lift_images, recorded_figures

from hoiset.builder.stages import open_backends
from hoiset.eval.adapters import read_arctic, read_boxes, read_depth_nyu, read_hot3d


def real_figures(data: Path, *, quick: bool = False) -> dict[str, Any]:
    """Figures of every real set, each with its interval.

    Args:
        data: Folder of the sets.
        quick: Every tenth image and two clips.

    Returns:
        Set -> figures; ``depth_nyu`` says why there are none.

    Raises:
        DatasetError: A set is missing or damaged.
    """
    boxes = read_boxes(data / "boxes")
    with open_backends("cpu") as backends:
        return {
            "hands_real": image_figures(lift_images(backends.hands, data / "hands_real", 10 if quick else 1)),
            "hot3d": recorded_figures(read_hot3d(data / "hot3d").trajectory),
            "arctic": recorded_figures(read_arctic(data / "arctic").trajectory),
            "boxes": box_figures(boxes[:2] if quick else boxes, backends),
            "depth_nyu": {
                "images": len(read_depth_nyu(data / "depth_nyu")),
                "why_none": "no backend of the cpu profile estimates depth maps, so there is nothing to measure",
            },
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="every tenth image and two clips")
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    options = parser.parse_args()
    print(json.dumps(real_figures(options.data, quick=options.quick)))


if __name__ == "__main__":
    main()
