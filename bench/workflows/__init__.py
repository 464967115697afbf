"""Workflows and subgraph blueprints of ComfyUI as they are described here and as its page saves them."""
