"""Real objects of public platforms, counted: one module per platform gives the rows of its table."""
