"""The dashboard: it shows the state and passes keys on; it decides nothing about the conversation.

- `app` holds the themes, the keymap and the end; `dashboard` the layout and the bindings. `live_screen` draws what the
  shell changes, at the rates of `pace`.
- `canvas` draws lines on demand and repaints only the cells that changed; every pane draws through it. `scroll_list` is
  a canvas of items with a cursor.
- `keymap` checks `[keys]` of the configuration, `hints` puts the keys in force into sentences, `footer` shows them.
- `text`, `rows`, `entry_lines` and `arrangement` are plain functions: no widget, no clock.
- `panes` get `session` and readings, declare what they can do and post messages; they know nothing of the shell.

Text that came over the wire reaches the screen through `text.visible` alone, and never as markup.
"""
