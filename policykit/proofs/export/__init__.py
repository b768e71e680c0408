"""A policy in the words of other engines: the checks that Cedar and CEL can say, and a list of those they cannot."""
