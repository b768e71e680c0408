"""`policykit lsp`: what an editor shows of a policy. A pure core (text in, answers out), and a thin server over it.

The core speaks of characters of a text and of `Place`s; only `server.py` and `wire.py` know the protocol.
"""
