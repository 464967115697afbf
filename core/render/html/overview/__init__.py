"""Pages over many LoRAs: the overview with its ranking and comparison, the leaderboard, the strengths."""
