"""The session core: a pure fold from inputs to a frozen state and the effects it asks for.

No I/O, no clock of its own, no widget: `reduce(input, state, now)` is all that happens here.
"""
