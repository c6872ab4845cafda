"""voicelive-tui: talk to Azure Voice Live from a terminal and see everything that happens.

How it is built, in one page.

- **Core.** `session/` is a fold: `reduce(input, state, now)` returns a new frozen `SessionState` and the effects it
  asks for. No I/O, no clock of its own, no widget. Server events come in as the plain JSON objects that they are on
  the wire: `connection.py` alone knows the SDK, and handlers are found by the event's `type`, so that event types
  which the SDK does not model yet are handled like all others.
- **Shell.** `live.py` owns the one connection, the one audio engine and the one current state. It is the only place
  where effects become actions.
- **Three clocks.** The PortAudio callbacks (hard deadline), the asyncio tasks (network pace), the screen's tick (at
  most 20 Hz). Each boundary has one crossing: two block queues between the first two, `live.state` between the last
  two. Audio never travels in a Textual message; nothing draws per event.
- **Screen.** `ui/` copies `live.state` into one reactive each tick; panes receive it by `data_bind` and repaint what
  changed. Panes own no session facts and only post messages.
- **Loopback.** `loopback/` is a second, independent party: a Voice Live service on a real socket. It shares nothing
  with the client but `audio/pcm.py`, so that the SDK, the demo and the tests all take the same road.

Imports run one way: cli → ui → live → (connection | audio | session) → config; the three do not see each other.
`loopback` stands apart and is imported by `cli` and by tests only. `make check` holds all of this to it.
"""

__version__ = "0.1.0"
