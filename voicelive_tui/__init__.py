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
- **Screen.** `ui/` copies `live.state` into one reactive each tick; panes receive it by `data_bind`, levels from the
  tick itself, and repaint what changed. Panes own no session facts and only post messages.
- **Loopback.** `loopback/` is a second, independent party: a Voice Live service on a real socket. It shares nothing
  with the client but `audio/pcm.py`, so that the SDK, the demo and the tests all take the same road.

Where things are:

- `cli.py` options of the five commands; `fronts.py` runs a conversation behind the dashboard or the console to its
  end; `startup.py` joins the parts, behind the first screen; `config.py`, `logs.py`, `credentials.py`, `realtime.py`
  (switch interval and garbage collection) serve all of them.
- `ui/` is the dashboard; `console.py`, `check.py` and `serve.py` are commands (`devices` is a table in `cli.py`).
- `session/`: `inputs.py` what can happen, `effects.py` what may be asked for, `state.py` what is known
  (`event_log.py` its log, `headline.py` it in words), `reducer.py` the fold;
  `service_events.py` has a handler for each server event acted on, `interruption.py` all of barge-in,
  `transcript.py` the order of the conversation, `tools.py` the calls in it, `turns.py` the moments of each turn,
  `events.py` how the wire is read, `request.py` the one `session.update`.
- `sound.py` is the awaitable face of `audio/`: streams are opened, cut, switched and recovered off the event loop.
  `audio/engine.py` is the two queues (`playback.py`, `capture.py`) with `meters.py` and counters, `duplex.py` the pair
  of streams, `portaudio.py` and `paced.py` (files, silence, synthetic users) are the backends, `native.py` keeps C
  libraries off the screen.

Imports run one way: cli → fronts → ui, console, check, serve → startup → live → credentials → connection, sound,
session → audio → config. `loopback` stands apart and is imported by `startup`, `serve` and tests only. `make check`
holds the code to it.
"""

__version__ = "0.1.0"
