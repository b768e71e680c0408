"""The evidence package: what the journal and the policies prove of a period, and what they do not, for an auditor."""
