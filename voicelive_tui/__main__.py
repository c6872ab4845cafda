"""`python -m voicelive_tui` and the `voicelive-tui` command."""

import gc

gc.disable()  # collections would take a tenth of the imports
from voicelive_tui.cli import main  # noqa: E402

gc.freeze()
gc.enable()

if __name__ == "__main__":
    main()
