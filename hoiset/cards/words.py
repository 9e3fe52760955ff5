"""What a card says of every dataset of this kind."""

CONVENTIONS = """\
Metres, radians, seconds, pixels. Camera frame: OpenCV (x right, y down, z forward), origin at the static camera.
`T_a_b` maps points of b to a. Pixel (0, 0) is the centre of the top-left pixel. Hands: 0 = left, 1 = right. Joints:
wrist, then thumb, index, middle, ring, little, each from palm to tip. Absent values are NaN and marked in the source
arrays. `T` is the number of frames; up to 8 objects a clip."""

PASSES = """\
**Pass 1** cuts every source video into spans and keeps those in which the camera stands still, hands are visible and
large enough, they move, and something that they touch moves with them. It looks at small frames at a few hertz; each
span has the name of the first gate that stopped it.

**Pass 2** reconstructs every span that passed: two hands by a landmark detector whose 2D joints are lifted to metric 3D
with a prior of adult hand size, smoothed, and filled in over short gaps; objects from what changes in front of the
static background, with a mesh each, a pose a frame, a state (static, moving, grasped by which hand) and the distance
of the fingertips. Where a stage had to fall back on less (a prior instead of an estimate, a pose that was locked or
filled in), the clip says so: `provenance.fallbacks`, `camera.focal_source`, `mesh_source`, and the source arrays frame
by frame. `provenance.stages` names the version and the backend of every stage of every clip."""

ORACLE = """\
**Ground truth was fed** to some stages of this build ({stages}): it shows where errors come from, and its figures are
better than what the models make of video alone."""

USE = """\
Made for learning and evaluating models of manipulation: imitation and retargeting to robots, hand and object
forecasting, pretraining of policies, and statistics of how hands use objects.

Not made for, and not to be used for: identifying people or telling anything about who they are; surveillance; medical
or ergonomic judgement; driving a robot near people without safeguards of its own; or as ground truth to rank methods
by: the labels are estimates."""

LIMITATIONS = """\
- The camera is static and monocular: metric scale comes from the cue named in `camera.scale_source`, and the focal
  length is an estimate unless `camera.focal_source` is `given`.
- Depth along the viewing ray is the least certain coordinate of every joint and pose. Check `quality` and the source
  arrays before trusting a frame; infilled frames are marked.
- Object meshes come from few views; the side that the camera never saw is a guess (`mesh_source`). Objects without
  enough evidence were left out, and `dropped` says why. Articulated and deformable objects have one rigid mesh.
- Words are those of the sources, reduced to a lemma and nouns; nobody has checked them clip by clip.
- Pass 1 prefers well-lit table-top scenes seen from a tripod. Skin tones, homes, tools and ways to do things are those
  of the sources, and rare ones are rarer still here."""

REMOVAL = """\
If you are in a source video, or own one, and want it out: ask in the community tab of this repository, or whoever
published it, and name the video. Whoever maintains it runs

```sh
hoiset remove PATH UID     # the id as the index has it, or the key of a clip
```

which takes all of the video's clips out of every layer, version and picture, and leaves a tombstone in `removed.json`
(a digest of the id), so that later builds, merges and selections leave it out, too. Copies made before are out of its
reach: please load the newest revision."""

NOT_MEASURED = """\
This dataset has not been measured: there is no ground truth of its clips. `quality` is what the pipeline thinks of its
own work. `hoiset eval` measures a build of the same recipe against rendered videos with exact ground truth
(`hoiset studio`), and with `--card PATH` puts the figures here."""

SOURCES = {
    "action100m": (
        "Segments were chosen and described by the annotations of "
        "[Action100M](https://huggingface.co/datasets/facebook/action100m-preview) (Meta FAIR), which are under the "
        "**FAIR Noncommercial Research License v1**. What is derived from them, this dataset's words among it, is "
        "under the same licence: for noncommercial research, to be passed on under the same terms with a copy of "
        "them, and to be acknowledged in publications. The videos are their uploaders' own.",
        """\
@article{action100m,
  title = {Action100M: A Large-scale Video Action Dataset},
  author = {Chen, Delong and Kasarla, Tejaswi and Bang, Yejin and Shukor, Mustafa and Chung, Willy and Yu, Jade and
            Bolourchi, Allen and Moutakanni, Th{\\'e}o and Fung, Pascale},
  journal = {arXiv preprint arXiv:2601.10592},
  year = {2026}
}
""",
    ),
    "studio": ("The videos are rendered by `hoiset studio`; no person is in them.", ""),
}
"""Kind of a recipe's source -> what its licence asks for, and how to cite it."""

CITATION = """\
@misc{{hoiset_{label},
  title = {{hoiset {version}: 4D hand-object interaction from video}},
  note = {{{clips:,} clips of {videos:,} videos, made by hoiset {hoiset}, SHA-256 of the shards {digest}}}
}}
"""
