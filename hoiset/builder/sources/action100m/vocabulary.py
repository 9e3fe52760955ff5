"""Words that tell hands at work from everything else that videos show; defaults of the parameters."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(sorted(set(text.split())))


# Lemmas of what hands do to things: it changes where they are, how they stand, or what they are made of.
MANIPULATING_VERBS = _words(
    """
    add adhere adjust affix align apply arrange assemble attach bake balance baste bead beat bend bind blend blot
    bolt bore braid braise bread break brush bubble buckle buff build bundle button cap carve chisel chop clamp
    clean clear clip close coat collect comb combine connect cook cool core cover crack crease crimp crochet crumble
    crumple crush cup cut dab decorate deflate detach dice dig dip disassemble disconnect dismantle dispense divide
    drag drain drape draw dress drill drip drizzle drop dry dunk dust embroider empty engrave erase extract fasten
    feed file fill fit fix flatten flick flip fluff fold frost fry garnish gather glaze glue grab grasp grate grease
    grill grind grip hammer hang heat hook ice inflate insert install invert iron join juggle juice knead knit knot
    label lace ladle lay level lift light line load lock loop loosen lower lubricate manipulate marinate mark mash
    massage measure melt mend mince mix moisten mold mop mould mount move nail nudge oil open operate organize pack
    paint paste pat patch peel perforate pick pierce pile pin pinch pipe pitch place plait plane plant plaster plate
    pleat pluck plug poach poke polish position pot pound pour preheat prepare press prick prise prod prop prune pry
    pull pump punch puree push put raise rake reach rearrange reattach refill release remove repair replace
    reposition reseal reset retrieve rinse rip roast roll rotate rub sand saw scatter scoop scrape scratch screw
    scribble scrub seal season secure separate serve set sew shake shape sharpen shave shift shred shuck shuffle
    sieve sift skewer skim slice slide slip smear smooth snap snip soak solder sort spin splice split sponge spoon
    spray spread sprinkle squeeze squirt stab stack stamp staple steady steam steep stick stir stitch straighten
    strain string strip stroke stuff suture swab swap sweep swing swirl switch swivel take tap tape tear tease
    temper test thread throw tie tighten tilt tip toast toggle top toss touch trace transfer trim tuck turn twirl
    twist unbolt unbox unbuckle unbutton unclip uncoil uncork uncover unfasten unfold unhook uninstall unlatch
    unlock unpack unplug unroll unscrew unseal unstack untie unwind unwrap unzip vacuum varnish wash wax weave wedge
    weigh weld whip whisk widen wind wipe wrap wring write zest zip
    """
)

# Lemmas that often go with an object in the hand, and often do not.
HANDLING_VERBS = _words(
    """
    bring carry catch check compare create demonstrate design display examine finish flash give hand handle hold
    inspect make offer pass present produce show start style tend use wear
    """
)

# Lemmas of people who talk, move about or watch, and of pictures that only show.
IDLE_VERBS = _words(
    """
    address advertise appear applaud approach argue ask bark blink bow breathe browse chase cheer chew climb
    confront crawl cry cycle dance describe discuss display drink drive eat enter exit explain face fade feature fly
    frown gaze gesture glide greet highlight hop hug introduce jog jump kick kiss kneel laugh lean leap lecture lie
    listen look narrate navigate nod observe overlay pan park perform photograph play point pose rant read recite
    record rest ride run scroll sing sit skate ski sleep smile speak stand stare state step stretch stroll swim talk
    teach thank thumb transition travel view visit wag wait walk watch wave wink wrestle yawn zoom
    """
)

HAND_WORDS = _words("hand hands finger fingers fingertip fingertips thumb thumbs palm palms gloved")

# Actors without hands of their own.
HANDLESS_ACTORS = _words(
    """
    animal animals animation arrow baby-bottle bear bee bird birds browser bus camera car cat cats chicken chickens
    computer cow cows credits cursor dog dogs drone fish graphic hen hens horse horses hose interface lion logo
    machine mouse na narrator none pig pigs presentation program puppy rabbit robot rooster screen sheep slide
    slideshow software system text title train truck video website wiper wipers
    """
)

# Of what happens on a computer's screen; "the mouse cursor clicks a folder" is no manipulation of a folder.
SCREEN_WORDS = _words(
    """
    app apps automator browser click clicking clicks cursor desktop dialog dialogue drop-down dropdown email excel
    file files folder folders homepage html icon icons keyboard login menu menus mouse online photoshop pixel pop-up
    popup powerpoint safari screen screenshot scroll scrolls software spreadsheet tab tabs textbox thumbnail toolbar
    tutorial url username webpage website wifi window windows workflow
    """
)

# What carries things but is not itself moved, and what is no thing at all.
NOT_OBJECTS = _words(
    """
    action angle area backdrop background bench camera ceiling clip contents counter counter-top countertop
    demonstration desk detail ending environment field fingertip floor foreground frame garage garden graphic grass
    ground hob ingredient interior item kitchen lawn meadow motion movement object outside part patio photo-frame
    piece place position process pull push reach room scene section segment shot steady step stroke style surface
    table tabletop technique text thing time title tool video view wall way wild word work workbench workspace
    worktop yard
    """
)

# Words before a noun that say which one it is to the eye, and stay with it.
NOT_VISUAL = _words(
    """
    additional appropriate attached available bare basic big careful cheap clean closed cold complete cooked cool
    dry empty entire extra final finished first fresh full good half hot large last left little loose lower main
    near new next old open opened other own partial proper quick raw ready real remaining right same second secure
    several sharp short similar simple single small soft special steady third tight top upper various very warm well
    wet whole
    """
)
