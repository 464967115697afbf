"""The extension for AUTOMATIC1111, Forge and Forge Neo: a tab and an API around the command line."""
