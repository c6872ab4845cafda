"""The dashboard: it shows the state and passes keys on; it decides nothing about the conversation.

- `app` holds the keymap and the end, `key_queue` handles keys in turn, `palette` has the commands, `themes` the
  colours. `dashboard` has the bindings; its bases are `arranged`, which places the panes, `live_screen`, which draws
  what the shell changes at the rates of `pace`, and `timed`, the time of what is shown. `replay` is the dashboard of a
  recording, `editor` the form over it.
- `painted` makes strips of lines in the tones of the theme. With it `canvas` draws lines on demand, `scroll_list` a
  list of items with a cursor, and `frame` the edges of a pane; all of them repaint only the cells that changed.
- `keymap` checks `[keys]` of the configuration, `hints` puts the keys in force into sentences, `footer` shows them,
  `switches` names those that now take back what they did.
- `text`, `rows`, `entry_lines`, `delays` and `arrangement` are plain functions: no widget, no clock.
- `panes` get `session` and readings, declare what they can do and post messages; they know nothing of the shell.

Text that came over the wire reaches the screen through `text.visible` alone, and never as markup.
"""
