"""A report shown to people: in the terminal, and as one HTML file. No torch."""
