"""Events as they stand on the wire: safe readers, the event log, summaries and the filter grammar."""
