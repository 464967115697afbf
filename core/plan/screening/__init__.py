"""How the map of damage is screened: which words are asked together, against what, and what is confirmed."""
