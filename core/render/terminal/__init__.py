"""Reports and tables in the terminal."""
