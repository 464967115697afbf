"""The prompts of `prompts` for bases that learned from tags: the same groups, as many of each. No torch.

No word of them is in brackets, which some programs take for weights; banks of trainings have none of them.
"""

from itertools import islice, product

from ..families.prompt_form import PromptForm
from .audit_plan import Prompt
from .prompts import COLOR_TERMS

CLASS_TAGS = "{}, no humans"
"""Prompt of a class, {} its name without an article."""

COLORED_TAGS = (
    "{} car, motor vehicle, no humans",
    "{} ball, no humans",
    "{} house, building, no humans",
    "{} dress, 1girl, solo, standing",
    "{} bird, animal focus, no humans",
)
"""The things of `prompts.COLORED_THINGS`; {} stands for a colour."""

TAGS = {
    "objects": (
        "bicycle, wall, no humans",
        "coffee mug, table, steam, no humans",
        "pocket watch, chain, still life, no humans",
        "acoustic guitar, instrument focus, no humans",
        "book stack, open book, no humans",
        "armchair, window, curtains, no humans",
        "fruit bowl, apple, grapes, no humans",
        "laptop, desk, keyboard, no humans",
        "sunglasses, beach towel, no humans",
        "closed umbrella, puddle, no humans",
        "suitcase, sticker, no humans",
        "vase, flower, still life, no humans",
        "grand piano, sheet music, no humans",
        "desk lamp, light, no humans",
        "pizza, food focus, cheese, no humans",
        "teapot, teacup, tray, no humans",
        "camera, lens, still life, no humans",
        "rowboat, shore, no humans",
        "train, train station, no humans",
        "airplane, cloudy sky, no humans",
        "motorcycle, road, no humans",
        "rotary phone, table, no humans",
        "candle, fire, dark, no humans",
        "birthday cake, candle, no humans",
        "bread, basket, food focus, no humans",
        "hammer, nail, workbench, no humans",
        "soccer ball, grass, no humans",
        "globe, map, desk, no humans",
        "wine bottle, wine glass, no humans",
    ),
    "animals": (
        "cat, sitting, animal focus, no humans",
        "elephant, savannah, animal focus, no humans",
        "horse, field, running, animal focus, no humans",
        "parrot, branch, animal focus, no humans",
        "cow, pasture, animal focus, no humans",
        "butterfly, flower, animal focus, no humans",
        "penguin, snow, animal focus, no humans",
        "tiger, jungle, animal focus, no humans",
        "rabbit, grass, animal focus, no humans",
        "sheep, hill, animal focus, no humans",
        "owl, night, animal focus, no humans",
        "frog, lily pad, animal focus, no humans",
        "goldfish, fishbowl, animal focus, no humans",
        "bear, forest, animal focus, no humans",
        "zebra, animal focus, no humans",
        "giraffe, tree, animal focus, no humans",
        "monkey, vines, animal focus, no humans",
        "duck, pond, animal focus, no humans",
        "squirrel, acorn, animal focus, no humans",
        "snake, coiled, animal focus, no humans",
        "turtle, animal focus, no humans",
        "lion, mane, animal focus, no humans",
        "deer, antlers, animal focus, no humans",
        "fox, snow, animal focus, no humans",
        "chicken, farm, animal focus, no humans",
        "dolphin, ocean, jumping, animal focus, no humans",
        "snail, leaf, animal focus, no humans",
        "camel, desert, animal focus, no humans",
        "bee, sunflower, animal focus, no humans",
    ),
    "people": (
        "1boy, solo, beard, portrait",
        "1girl, solo, old, old woman, smile",
        "1boy, 1girl, couple, park, walking",
        "1boy, solo, chef, chef hat, kitchen",
        "1girl, solo, police, police uniform, standing",
        "1girl, solo, dancer, stage, spotlight",
        "1boy, solo, newspaper, reading, sitting",
        "1girl, solo, riding bicycle, street",
        "multiple girls, multiple boys, sitting, table, eating",
        "1girl, solo, doctor, stethoscope, hospital",
        "1boy, solo, farmer, straw hat, tractor",
        "1girl, solo, beret, scarf, upper body",
        "1boy, solo, dog, walking",
        "1boy, solo, business suit, necktie, briefcase",
        "1girl, solo, wedding dress, bouquet, veil",
        "1boy, solo, swimming, goggles, pool",
        "1boy, solo, soldier, helmet, military uniform",
        "1girl, solo, violin, playing instrument",
        "crowd, street, city",
        "1girl, solo, library, bookshelf, glasses",
        "1boy, solo, construction worker, hardhat",
        "1boy, solo, soccer uniform, kicking, stadium",
        "1girl, solo, apron, watering can, garden",
        "1girl, solo, skiing, ski goggles, snow",
        "1boy, solo, fishing rod, fishing, river",
        "1girl, solo, teacher, chalkboard, pointing",
        "1boy, solo, waiter, tray, vest",
        "1girl, solo, curly hair, portrait",
        "1boy, solo, rain, umbrella, coat",
    ),
    "scenes": (
        "scenery, mountain, lake, sunrise, no humans",
        "scenery, city, street, night, neon lights, no humans",
        "scenery, desert, dune, no humans",
        "scenery, beach, palm tree, ocean, no humans",
        "scenery, forest, autumn, autumn leaves, no humans",
        "scenery, village, snow, winter, no humans",
        "kitchen, indoors, stove, no humans",
        "living room, indoors, couch, no humans",
        "scenery, bridge, river, no humans",
        "scenery, castle, hill, no humans",
        "market stall, market, fruit, no humans",
        "church, outdoors, no humans",
        "scenery, skyline, skyscraper, no humans",
        "scenery, waterfall, rock, no humans",
        "garden, rose, bush, no humans",
        "highway, road, guard rail, no humans",
        "scenery, harbor, ship, no humans",
        "scenery, wheat field, day, no humans",
        "office, indoors, desk, no humans",
        "scenery, lighthouse, storm, waves, no humans",
        "scenery, railroad tracks, valley, no humans",
        "stadium, outdoors, no humans",
        "bedroom, indoors, bed, pillow, no humans",
        "supermarket, shelf, indoors, no humans",
        "scenery, volcano, lava, no humans",
        "cave, crystal, dark, no humans",
        "scenery, farm, barn, fence, no humans",
        "scenery, island, from above, no humans",
        "scenery, starry sky, night, no humans",
    ),
    "styles": (
        "oil painting, traditional media, landscape, no humans",
        "watercolor, traditional media, flower, no humans",
        "pencil sketch, traditional media, portrait, 1girl",
        "monochrome, greyscale, tree, no humans",
        "cartoon, cat, no humans",
        "pixel art, house, no humans",
        "comic, multiple panels, speech bubble",
        "stained glass, window, no humans",
        "statue, stone, still life, no humans",
        "mosaic, fish, no humans",
        "isometric, room, furniture, no humans",
        "poster, concert, text focus, no humans",
        "crayon, traditional media, family",
        "woodcut, ship, traditional media, no humans",
        "pastel colors, sunset, no humans",
        "ink wash painting, bamboo, traditional media, no humans",
        "3d, robot, no humans",
        "neon sign, text focus, no humans",
        "postcard, city, retro artstyle, no humans",
        "engraving, castle, traditional media, no humans",
        "blueprint, machine, gears, no humans",
        "collage, newspaper, no humans",
        "origami, paper crane, no humans",
        "tapestry, fabric, hunting, traditional media",
        "graffiti, wall, no humans",
        "logo, bakery, text focus, no humans",
        "fantasy map, compass rose, no humans",
        "papercraft, forest, no humans",
        "fresco, angel, wings, traditional media",
    ),
}
"""Group -> prompts without their prefix, as many each as sentences there are."""


def tag_prompts(form: PromptForm, *, colors: int, others: int) -> tuple[Prompt, ...]:
    """Return what `prompts.open_world_prompts` returns, in tags behind the form's prefix."""
    colored = [
        Prompt(form.worded(tags.format(_spelled(term))), "colours", term)
        for tags, term in product(COLORED_TAGS, COLOR_TERMS)
    ]
    turns = zip(*([Prompt(form.worded(tags), group) for tags in every] for group, every in TAGS.items()), strict=True)
    return (*colored[:colors], *islice((prompt for turn in turns for prompt in turn), others))


def _spelled(term: str) -> str:
    """Return a colour term as tags spell it."""
    return "grey" if term == "gray" else term
