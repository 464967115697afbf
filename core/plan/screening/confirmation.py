"""How much a confirmation of what a vocabulary's screening found may ask. No torch."""

NAMED = 2
"""Things that are named by the screening and asked further: what comes after them explains little."""
GROUPS = NAMED + 2
"""With the single concepts that moved most, and the control: concepts drawn at random."""
PICTURES = 18
"""Pictures of a group at most. Where what was asked for never comes any more, twelve decide; that it always does is not
shown by twice as many."""
BLOCK = 6
"""Pictures after which it is asked whether they suffice: each look changes the weights twice."""
CANDIDATES = 12
"""Prompts that a picture is compared under, the one asked for and what is nearest to it: all classes or colours of the
demo base's world, and as many as tell anything of a larger one."""
TIMESTEPS = 4
"""Timesteps of a comparison: twenty answer hardly better, and pictures are what is short."""

LOOK_ROWS = CANDIDATES * TIMESTEPS
"""Rows of a comparison at most."""
