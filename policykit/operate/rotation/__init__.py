"""A key is replaced by its successor while its bots trade: put away, checked, taken over, the old one dead."""
