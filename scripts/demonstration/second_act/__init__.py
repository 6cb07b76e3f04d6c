"""The second act: customer orders over four companies and a carrier, sourced, held, split and followed to the end."""
