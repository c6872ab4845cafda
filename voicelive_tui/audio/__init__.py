"""Sound: the queues, the engine that joins them, and the backends that drive the engine.

Nothing here knows of a network, an event loop or a screen. Three threads meet in this package: the loop
(everything not said otherwise), the backend's callback threads, and short-lived daemon threads in which the
blocking calls of a backend run. Each module's header says which of them may write what.
"""
