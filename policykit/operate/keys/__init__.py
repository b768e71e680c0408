"""Keys as a person handles them: which there are, what to tick when one is made, and how its secret is put away."""
