"""What bases take of a card, counted from shapes."""
