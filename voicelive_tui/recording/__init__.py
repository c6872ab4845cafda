"""The flight recorder: the conversation as a bundle of files, kept after the fact, opened again, exported.

A bundle is a folder `NAME.vlrec`, or a zip of one:

- `manifest.json`: `writer.Manifest`. Versions, the session in force, the anchor of the clock, SHA-256 of the files.
- `wire.jsonl`: every WebSocket message of both directions, in order, as it was on the wire: `{"n", "t_ns", "dir",
  "frame"}`. `n` numbers the lines of both JSONL files in the order in which things happened; `t_ns` is
  `time.monotonic_ns()`. A piece of base64 sound is replaced by `{"$audio":{"ch","at","len"}}`: a channel, and a range
  of samples of it. A message that is not JSON on one line is in `text` in place of `frame`. `standby` marks the link
  that is to take over in a rotation.
- `marks.jsonl`: what else happened: the other inputs of the fold (`session.inputs`) by class name in `input`, and
  in `mark` the clock map, counters of the sound path (the first ones, and those that changed), and how many inputs were
  left out because they came faster than they could be written.
- `audio.wav`: 24 kHz, stereo. Left, channel 0: the microphone as it was sent. Right, channel 1: what was heard.
- `received.wav`: channel 2, the sound of the answers as it came, heard or not, one after the other.
- `audio.flac`, `received.flac`: in their place where `recording.format` says so, once the recording has ended.
- `transcript.md`: the conversation to read.

Sample `at` of a channel is sample `at - origin` of its file. Both channels of `audio.wav` follow the sample clocks of
their devices; once a second a `clock` mark says which sample of each channel belongs to which moment, so drift is
stored and not hidden.
"""
