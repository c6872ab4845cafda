"""Events on the wire: readers, the event log, summaries and filters."""
