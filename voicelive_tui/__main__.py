"""`python -m voicelive_tui` and the `voicelive-tui` command."""

from voicelive_tui.cli import main

if __name__ == "__main__":
    main()
