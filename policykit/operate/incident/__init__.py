"""What happens when a key may be in other hands: revoke, halt, cancel, look, tell; resumable, every step journaled."""
