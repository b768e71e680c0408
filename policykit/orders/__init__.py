"""The life of one order as pure steps: its id, its states, the fence, settling, recovery."""
