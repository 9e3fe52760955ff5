from __future__ import annotations

import csv
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoiset.builder.sources.action100m.params import Action100MParams, PrefilterParams
from hoiset.builder.sources.action100m.prefilter import Prefilter
from hoiset.builder.sources.action100m.tree import Caption, parse_nodes

LABELS = Path(__file__).with_name("labels.csv")
PREFILTER = Prefilter(PrefilterParams())


@pytest.mark.parametrize(
    ("caption", "passes"),
    [
        (Caption("Stir the soup", "Stir the soup with a spoon.", "the cook", "A cook stirs soup."), True),
        (Caption("Stir the soup", "", "", ""), False),
        (Caption("Hold a cup", "Hold a cup.", "a person's hand", "A hand holds a cup."), True),
        (Caption("Hold a cup", "Hold a cup.", "a man", "A man talks."), False),
        (Caption("Talk to camera", "Talk and gesture with a hand.", "a woman", "A woman talks."), False),
        (Caption("Talk and stir soup", "Talk while stirring.", "a woman", "A woman stirs soup."), True),
        (Caption("Raise left hand", "Raise the left hand.", "a woman", "A woman raises her hand."), False),
        (Caption("Open the door", "Swing open.", "the door", "A door opens."), False),
        (Caption("Open the door", "Swing it open.", "a person's hand", "A hand opens a door."), True),
        (Caption("Pan across park", "Pan the camera.", "camera", "A park."), False),
        (Caption("Drag the folder", "Drag it with the mouse.", "the user", "A folder is dragged on a desktop."), False),
        (Caption("Fetch ball", "Run and drop the ball.", "the dog", "A dog drops a ball."), False),
        (Caption("Show title", "Show a title card.", "N/A", "A title card."), False),
        (Caption("切菜", "用刀切菜", "厨师", "厨师切菜"), False),
        (Caption("", "", "", ""), False),
    ],
)
def test_captions(caption: Caption, passes: bool) -> None:
    assert PREFILTER.passes(caption) == passes, PREFILTER.weigh(caption)


def test_what_an_actor_wears_is_no_actor() -> None:
    worn = Caption("Look up", "Look up.", "a man wearing a ring on his left hand", "A man.")
    assert "hand_actor" not in PREFILTER.weigh(worn).parts
    assert "hand_actor" in PREFILTER.weigh(Caption("Look up", "Look up.", "a hand with a ring", "")).parts


def test_weights_and_words_are_parameters() -> None:
    caption = Caption("Juggle balls", "Juggle three balls.", "a clown", "A clown juggles.")
    assert PREFILTER.passes(caption)
    assert not Prefilter(PrefilterParams(manipulating_verbs=())).passes(caption)
    assert not Prefilter(PrefilterParams(min_score=99.0)).passes(caption)
    assert Prefilter(PrefilterParams(manipulating=0.0, detailed=2.5)).weigh(caption).parts == {"detailed": 2.5}


@given(*[st.text(max_size=40)] * 4)
def test_any_text_is_weighed(brief: str, detailed: str, actor: str, summary: str) -> None:
    evidence = PREFILTER.weigh(Caption(brief, detailed, actor, summary))
    assert evidence.score == sum(evidence.parts.values())


def test_labels_are_of_all_ten_videos_and_halved_by_video() -> None:
    rows = _labels()
    halves = {row["video_uid"]: row["half"] for row in rows}
    assert len(rows) == len({row["node_id"] for row in rows}) == 300
    assert len(halves) == 10
    assert sorted(halves.values()).count("held_out") == 5
    assert len({(row["video_uid"], row["half"]) for row in rows}) == 10


@pytest.mark.parametrize("half", ["development", "held_out"])
def test_labelled_captions(shared_data: Path, half: str) -> None:
    table = pq.read_table(shared_data / "action100m" / "examples.parquet", columns=["nodes"])
    nodes = {n.node_id: n for row in table.to_pylist() for n in parse_nodes(row["nodes"])[0]}
    prefilter = Prefilter(Action100MParams().prefilter)
    rows = [row for row in _labels() if row["half"] == half]
    found = {row["node_id"]: prefilter.passes(nodes[row["node_id"]].caption) for row in rows}
    true = {row["node_id"] for row in rows if row["manipulation"] == "yes"}
    passed = {node_id for node_id, passes in found.items() if passes}
    precision, recall = len(true & passed) / len(passed), len(true & passed) / len(true)
    rejected = 1 - len(passed - true) / (len(rows) - len(true))
    # Measured: development 0.91, 0.96, 0.91; held out 0.93, 0.92, 0.68 (of 25)
    assert precision >= 0.9
    assert recall >= 0.9
    assert rejected >= 0.6


def _labels() -> list[dict[str, str]]:
    with LABELS.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))
