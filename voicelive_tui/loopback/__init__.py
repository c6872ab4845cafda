"""A Voice Live service of our own, on loopback: the demo, the test bench, and a product in itself.

It is a second, independent party. It speaks the protocol on a real socket and shares nothing with the
client but the sample arithmetic of ``audio.pcm``, so that what works here works because both sides keep to
the protocol. Its assistant is a *line check*: it measures the sound it receives and says so. It has no
speech recogniser and never pretends to have one.

From the socket inwards:

* ``service``: the aiohttp server; sockets, threads and the clock live here and nowhere else.
* ``faults``: what may be made to go wrong between the brain and the socket.
* ``brain``: one session without I/O: client events in, timed server events out. Its parts are
  ``protocol`` (what a client may send), ``settings`` (the session object), ``conversation`` (the items),
  ``listening`` (the input buffer and ``vad``), ``asking`` (what a response is to be) and ``response`` (one answer,
  event by event).
* ``answers`` and ``script``: what the assistant says and does.
* ``voice``: how it sounds; ``formats``: how sound is coded on the wire.
* ``caller``: a synthetic user for machines without a microphone.
"""
