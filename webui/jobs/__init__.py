"""A job of the page: the command line in a child process, watched, and what it says while it runs."""
