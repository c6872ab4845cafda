"""A Voice Live service on this machine: the demo, the test bench, and a product of its own.

It is a second, independent party. It speaks the protocol on a real socket and shares only sample arithmetic, `text.py`
and `errors.py` with the client, so the two work together only because both keep to the protocol. Its assistant is a
*line check*: it measures the audio it receives and reports the measurements. It understands no speech: only the lines
of its script's own caller are recognised, by their sound.

From the socket inwards:

* `service`: the aiohttp server, its clients, and the thread that synthesizes speech; `handshake`: who may connect;
  `tls`: certificates.
* `connection`: one client; the socket, the clock, and the session between them; `dialect`: OpenAI's protocols.
* `faults`: faults injected between the session and the socket.
* `session`: one session without I/O: client events in, timed server events out. Its parts are `protocol` (client
  events), `settings` and `models` (the session object), `conversation` (the items), `input_buffer` and `vad` (the
  user's audio), `responder` and `response` (the answers), `mcp` (its servers' calls), `audio_turns`.
* `line_check` and `script`: the content of the answers; `recogniser` knows the lines of the script's caller.
* `replay`: a recorded session in place of all that.
* `formats`: how audio is coded on the wire. `speech` synthesizes it.
* `pytest_plugin`: the fixture that runs the service for one test.
"""
