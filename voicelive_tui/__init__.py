"""voicelive-tui: talk to Azure Voice Live from a terminal and see everything that happens.

How it is built, in one page.

- **Core.** `session/` is a fold over inputs to a frozen `SessionState`: `observe` records what happened, `policy`
  returns the effects that this client wants. No I/O, no clock, no widget. Events are the plain JSON objects of the
  wire, read by `wire/`; event types that the SDK does not model yet are handled like all others.
- **Shell.** `client/live.py` folds each input, shows the result to the observers (the log file, the console, the
  toasts), and performs the effects. `destination.py` says where connections lead, `link.py` is one connection,
  `links.py` has two of them during a rotation, and `connection.py` is the only place that knows the SDK.
  `sound_path.py` performs the effects on sound, `sound.py` is the awaitable face of `audio/`. A session is light to
  construct; what is heavy is imported when it runs.
- **Three clocks.** PortAudio callbacks (hard deadline), asyncio tasks (network pace), the screen's tick (at most 20
  Hz). Each boundary has one crossing: two block queues between the first two, `live.state` between the last two.
  Audio never travels in a Textual message, and nothing draws per event.
- **Screen.** `ui/` copies `live.state` into one reactive each tick; panes receive it by `data_bind`, levels from the
  tick itself, and repaint what changed. Panes own no session facts.
- **Loopback.** `loopback/` is a second party: a Voice Live service on a real socket. It shares only sample
  arithmetic, `text.py` and `errors.py` with the client, so that the SDK, the demo and the tests take the same road.
- **Recorder.** `recording/` observes the session: a thread writes what happened, and both channels of sound, into a
  ring of ten minutes and, where one is kept, a bundle. A bundle is read back as inputs, and folded by `observe` alone:
  `client/replay.py` shows it as if it were a session.
- **Tools.** `tools/` imports the user's functions, describes them to the model, and runs them off the event loop.
- **Commands.** `cli.py` holds the options; each module of `commands/` runs to an exit status.

Imports run one way: cli → commands → ui → client → recording → (session | audio | tools | credentials) → wire → text →
config. `loopback` and `speech` stand apart: commands, the demo and the tests import them. `make check` holds the code
to it.
"""

__version__ = "0.1.0"
