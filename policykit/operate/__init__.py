"""What leads people: how they start, and what they do when something happens."""
