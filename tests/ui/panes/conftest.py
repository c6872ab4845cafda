"""A ten-line app for one pane."""

from tests.ui.screens import TonedApp
from voicelive_tui.ui.dashboard import DashboardScreen


class PaneApp(TonedApp):
    """Shows one pane alone; what sentences say of keys is true of the dashboard's."""

    BINDINGS = DashboardScreen.BINDINGS

    def __init__(self, pane):
        super().__init__()
        self.pane = pane
        self.said = []

    def compose(self):
        yield self.pane

    def on_pane_query_refused(self, message):
        self.said.append(message.problem)
