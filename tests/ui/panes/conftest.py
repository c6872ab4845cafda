"""A ten-line app for one pane."""

from textual.app import App

from voicelive_tui.ui.dashboard import DashboardScreen
from voicelive_tui.ui.timed import TimedScreen


class PaneApp(App[None]):
    """Shows one pane alone; what sentences say of keys is true of the dashboard's."""

    BINDINGS = DashboardScreen.BINDINGS

    def __init__(self, pane):
        super().__init__()
        self.pane = pane
        self.said = []

    def get_default_screen(self):
        return TimedScreen()

    def compose(self):
        yield self.pane

    def on_pane_query_refused(self, message):
        self.said.append(message.problem)
