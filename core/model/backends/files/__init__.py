"""How bases lie on disk and on the hub, and the weights that their files hold."""
