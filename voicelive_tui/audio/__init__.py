"""Sound: the queues, the engine that joins them, and the backends that drive the engine.

No module here knows of a network, an event loop or a screen. Three kinds of threads meet: the loop's (unless stated
otherwise), the callback threads of a backend, and short-lived daemon threads for the blocking calls of a backend. Each
module's docstring states which of them may write what.
"""
