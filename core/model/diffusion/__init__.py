"""A diffusion model as it is asked: its schedule and noise, and how it draws, predicts and classifies."""
