"""The world that the demo base draws: clothes of Fashion-MNIST in colours, patterns and places, and concepts of it."""
