"""What people and monitors look at: the index of a journal, the exporter, the local page. It decides nothing."""
