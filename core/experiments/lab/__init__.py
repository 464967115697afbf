"""Where what experiments ask for is done: trained, audited, drawn. The only room of theirs that knows torch."""
