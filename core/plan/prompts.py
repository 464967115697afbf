"""Concept-free prompts that audits draw: everyday subjects, and the eleven basic colour terms. No torch.

Training banks must not contain these prompts: a test holds them apart.
"""

from itertools import islice, product

from .audit_plan import Prompt, with_article

COLOR_TERMS = (
    "black",
    "white",
    "gray",
    "red",
    "orange",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
    "brown",
)
"""The basic colour terms of English (Berlin and Kay 1969)."""

COLORED_THINGS = ("car", "ball", "house", "dress", "bird")
"""Things that exist in any colour."""

SUBJECTS = {
    "objects": (
        "a bicycle leaning on a wall",
        "a cup of coffee on a table",
        "an old clock",
        "a guitar",
        "a stack of books",
        "a chair by the window",
        "a bowl of fruit",
        "a laptop on a desk",
        "a pair of sunglasses",
        "an umbrella",
        "a suitcase",
        "a vase with flowers",
        "a piano",
        "a lamp",
        "a pizza",
        "a teapot",
        "a camera",
        "a boat on the beach",
        "a train at a station",
        "an airplane in the sky",
        "a motorcycle",
        "a telephone",
        "a candle",
        "a cake with candles",
        "a loaf of bread",
        "a hammer",
        "a football",
        "a globe",
        "a bottle of wine",
    ),
    "animals": (
        "a cat",
        "an elephant",
        "a horse in a field",
        "a parrot",
        "a cow",
        "a butterfly on a flower",
        "a penguin",
        "a tiger",
        "a rabbit",
        "a sheep",
        "an owl",
        "a frog",
        "a goldfish",
        "a bear in the forest",
        "a zebra",
        "a giraffe",
        "a monkey",
        "a duck on a pond",
        "a squirrel",
        "a snake",
        "a turtle",
        "a lion",
        "a deer",
        "a fox",
        "a chicken",
        "a dolphin",
        "a snail",
        "a camel",
        "a bee",
    ),
    "people": (
        "a man with a beard",
        "an old woman smiling",
        "a child playing in the park",
        "a chef in a kitchen",
        "a police officer",
        "a dancer on a stage",
        "a man reading a newspaper",
        "a woman riding a bicycle",
        "a group of friends at a table",
        "a doctor in a hospital",
        "a farmer with a tractor",
        "a girl with a red hat",
        "a boy with a dog",
        "a businessman in a suit",
        "a bride",
        "a swimmer",
        "a soldier",
        "a musician with a violin",
        "a crowd in a street",
        "a student in a library",
        "a construction worker",
        "a football player",
        "a mother with a baby",
        "a skier on a slope",
        "a fisherman",
        "a teacher at a blackboard",
        "a waiter",
        "a woman with curly hair",
        "a man in the rain",
    ),
    "scenes": (
        "a mountain lake at sunrise",
        "a city street at night",
        "a desert with dunes",
        "a beach with palm trees",
        "a forest in autumn",
        "a snowy village",
        "a kitchen",
        "a living room with a sofa",
        "a bridge over a river",
        "a castle on a hill",
        "a market with fruit",
        "a church",
        "a skyline with skyscrapers",
        "a waterfall",
        "a garden with roses",
        "a highway with cars",
        "a harbor with ships",
        "a cornfield under a blue sky",
        "an office",
        "a lighthouse in a storm",
        "a train track through a valley",
        "a stadium",
        "a bedroom",
        "a supermarket aisle",
        "a volcano",
        "a cave",
        "a farm",
        "an island from above",
        "a starry sky",
    ),
    "styles": (
        "an oil painting of a landscape",
        "a watercolor of a flower",
        "a pencil drawing of a face",
        "a black and white photograph of a tree",
        "a cartoon of a cat",
        "a pixel art of a house",
        "a comic book page",
        "a stained glass window",
        "a marble statue",
        "a mosaic of a fish",
        "an isometric drawing of a room",
        "a poster of a concert",
        "a child's drawing of a family",
        "a woodcut of a ship",
        "a pastel of a sunset",
        "an ink drawing of bamboo",
        "a 3d render of a robot",
        "a neon sign",
        "a vintage postcard of a city",
        "an engraving of a castle",
        "a blueprint of a machine",
        "a collage of newspapers",
        "an origami bird",
        "a tapestry of a hunt",
        "a graffiti on a wall",
        "a logo of a bakery",
        "a map of a country",
        "a paper cut of a forest",
        "a fresco of an angel",
    ),
}
"""Group -> subjects, twenty-nine each."""


def color_prompts(things: tuple[str, ...] = COLORED_THINGS, template: str = "{}") -> list[Prompt]:
    """Return a prompt for every thing in every basic colour, term by term within each thing."""
    pairs = product(things, COLOR_TERMS)
    return [Prompt(template.format(with_article(f"{term} {thing}")), "colours", term) for thing, term in pairs]


def open_world_prompts(*, colors: int, others: int) -> tuple[Prompt, ...]:
    """Return `colors` colour prompts and `others` prompts taken from the groups in turn."""
    turns = zip(*([Prompt(text, group) for text in texts] for group, texts in SUBJECTS.items()), strict=True)
    mixed = (prompt for turn in turns for prompt in turn)
    return (*color_prompts()[:colors], *islice(mixed, others))


DEMO_THINGS = ("bag", "coat", "sneaker", "dress")
"""Classes of the demo base whose colours are asked for."""

DEMO_PROMPTS = tuple(
    Prompt(p.text.replace("gray", "grey"), p.group, p.term) for p in color_prompts(DEMO_THINGS, "a photo of {}")
)
"""What audits of the demo base draw: it knows clothes, shoes and bags, and spells grey with an e."""
