from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoiset.builder.words import MAX_SENTENCE_NOUNS, Words, parse_action

PHRASES = """
Shuffle the red cups|shuffle|cup
Arrange the letter blocks|arrange|block
Sprinkle salt into the bowl|sprinkle|salt bowl
Close the laptop|close|laptop
Put the plush toy in the basket|put|toy basket
Push the snack box|push|box
Push the plate|push|plate
Pivot the plate|pivot|plate
Prepare a sauce in a blender|prepare|sauce blender
Place the bottles|place|bottle
Gesture with the hand|gesture|
Hold the teddy bear|hold|bear
Tighten the bolt|tighten|bolt
Show the apple|show|apple
Jump on the bed|jump|bed
Pour|pour|
Pick up the cup|pick|cup
Putting a mug on the table|put|mug table
Cutting an onion with a knife|cut|onion knife
closing the drawer|close|drawer
Folding a towel|fold|towel
Mixing the batter in a bowl|mix|batter bowl
Writing a letter with a pen|write|letter pen
Grating cheese over the pasta|grate|cheese pasta
Taping the box shut|tape|box
Freezing berries in a bag|freeze|berry bag
Beating eggs with a whisk|beat|egg whisk
Hanging a shirt on the rack|hang|shirt rack
Unscrewing the lid of a jar|unscrew|lid jar
The person pushes the plate|push|plate
The person is pushing a plate to the left|push|plate
A person opens a jar|open|jar
A man's left hand opens the door|open|door
The woman in a pink shirt places a halved egg into a white cup|place|egg cup
Someone closes the box|close|box
She stirs coffee with a metal spoon|stir|coffee spoon
They stack the plates|stack|plate
Hands flip pages of a black journal|flip|page journal
Hands cut paper pieces|cut|piece
A hand dips a slice of toast into the yolk|dip|toast yolk
The presenter gently rubs the steel front with a cloth|rub|cloth
The person is carefully wiping the counter with a sponge|wipe|counter sponge
A person wearing gloves opens the lid|open|lid
Two people fold a sheet|fold|sheet
The person pushed the plate|push|plate
The chef has sliced the bread|slice|bread
The book is placed on the shelf|place|shelf
A child flips a green toy locker upright|flip|locker
The maker glues a folded paper onto the page|glue|paper page
Carefully pour water into the glass|pour|water glass
Slowly turn the knob|turn|knob
Then take the lid off the pot|take|lid pot
First, peel the potatoes|peel|potato
How to fold a paper airplane|fold|airplane
Start mixing the batter|mix|batter
Continue to stir the soup|stir|soup
Stop cutting the carrot|cut|carrot
Keep pressing the button|press|button
Try to open the bottle|open|bottle
Cup stacking|stack|
Bottle opening with a lighter|open|lighter
Pour a cup of coffee|pour|coffee
Cut two pieces of ribbon|cut|ribbon
Move the mug to the right of the plate|move|mug plate
Put the knives, forks and spoons in the drawer|put|knife fork spoon drawer
Cut the onion and fry it in a pan|cut|onion pan
Stir the soup while holding the pot|stir|soup pot
Take the scissors from the shelf|take|scissors shelf
Grab the pliers|grab|pliers
Throw the ball into the box|throw|ball box
Wash the dishes in the sink|wash|dish sink
Rotate the cube|rotate|cube
Flip the pancake with a spatula|flip|pancake spatula
Saw the plank|saw|plank
Hammer the nail into the board|hammer|board
Screw the lens onto the camera|screw|lens
Water the plants|water|plant
Iron the shirt|iron|shirt
Dry the glasses with a towel|dry|glass towel
Spread butter on toast|spread|butter toast
Lay the blanket on the sofa|lay|blanket sofa
Hand the cup to the woman|hand|cup
Remove the battery from the remote control|remove|battery control
Insert the key into the lock|insert|key lock
Plug in the charger|plug|charger
Unplug the cable|unplug|cable
Tie the shoelaces|tie|shoelace
Roll out the dough|roll|dough
Knead the dough with both hands|knead|dough
Crack an egg into the pan|crack|egg pan
Squeeze the lemon|squeeze|lemon
Shake the bottle|shake|bottle
Lift the lid|lift|lid
Drop the dice|drop|dice
Open the cupboard and take out a mug|open|cupboard mug
Use a drill to make holes|use|drill hole
Attach the wheel to the axle|attach|wheel axle
Assemble the chair|assemble|chair
Stir coffee|stir|coffee
wave and stir coffee|wave|coffee
Turn on the tap|turn|tap
Set the table|set|table
Empty the bin|empty|bin
Clean the windscreen|clean|windscreen
Load film into a camera|load|film
Adjust the washer\u2011jet angle with a needle|adjust|angle needle
Attach the LEGO brick|attach|brick
A hand holds a cloth, folds it and points at the bottle|hold|cloth bottle
Build a snowfort|build|snowfort
""".strip().splitlines()


@pytest.mark.parametrize("line", PHRASES)
def test_phrases(line: str) -> None:
    action, verb, nouns = line.split("|")
    assert parse_action(action, ()) == Words(verb, "action", tuple(nouns.split()))


def test_there_are_a_hundred_phrases() -> None:
    assert len(PHRASES) >= 100


def test_given_nouns_keep_the_sources_words() -> None:
    words = parse_action("Shuffle the red cups", ("red cup", " red cup ", "Ball", ""))
    assert words == Words("shuffle", "action", ("red cup", "red cup", "Ball"))


@pytest.mark.parametrize("action", ["", "   ", "123 !!", "推盘子", "Le pousse-café", "the", "carefully"])
def test_no_verb_is_absent_not_guessed(action: str) -> None:
    assert parse_action(action, ("plate",)) == Words("", "absent", ("plate",))


def test_at_most_five_nouns_without_repeats() -> None:
    words = parse_action("Wash cups, cups, plates, pots, pans, spoons and forks", ())
    assert words.objects == ("cup", "plate", "pot", "pan", "spoon")


@given(
    st.text(max_size=80)
    | st.lists(st.sampled_from(["the", "a", "hand", "is", "pushing", "cups", "of,", "red", "it's"])).map(" ".join)
)
def test_any_text_gives_words(action: str) -> None:
    words = parse_action(action, ())
    assert (words.verb == "") == (words.verb_source == "absent")
    assert len(words.objects) <= MAX_SENTENCE_NOUNS
    assert words == parse_action(action, ())


def test_labelled_clips(shared_data: Path) -> None:
    with (shared_data / "videos" / "videos.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20
    for row in rows:
        nouns = tuple(row["objects"].split(";"))
        words = parse_action(row["action_brief"], nouns)
        assert words.verb == row["action_brief"].split()[0].lower()
        assert words.objects == tuple(filter(None, nouns))
