"""`voicelive-tui export`: a recording as a document, as numbers, or as one zip to share."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import structs

from voicelive_tui.commands.setup import FAILED, complain, warn
from voicelive_tui.text import size, visible

if TYPE_CHECKING:
    from voicelive_tui.recording.bundle import Bundle


def run(path: Path, *, form: str, output: Path | None, strict: bool, anyway: bool) -> int:
    """Export a recording; the exit status."""
    from voicelive_tui.recording.bundle import Bundle  # noqa: PLC0415 - not needed for --help

    if form == "zip" and output is None:
        return complain("--format zip needs --output FILE")
    if strict and form != "zip":
        return complain(f"--redact strict leaves nothing of {form}: use it with --format zip")
    try:
        with Bundle(path) as bundle:
            status = (
                _zip(bundle, output, strict, anyway) if form == "zip" and output else _document(bundle, form, output)
            )
            for flaw in bundle.flaws:
                warn(flaw)
            return status
    except FileExistsError:
        return complain(f"{output} exists: give another --output")
    except OSError as error:
        warn(f"cannot export{f' to {output}' if output else ''}: {error.strerror or error}")
        return FAILED


def _document(bundle: "Bundle", form: str, output: Path | None) -> int:
    from voicelive_tui.recording.document import DOCUMENTS  # noqa: PLC0415
    from voicelive_tui.recording.files import write_new  # noqa: PLC0415

    state = bundle.final_state()
    if form in ("srt", "vtt") and bundle.began:  # subtitles of its sound
        state = structs.replace(state, log=structs.replace(state.log, origin=bundle.began))
    text = DOCUMENTS[form](state)
    if not text.endswith("\n"):
        text += "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        write_new(output.expanduser(), text.encode("utf-8", "replace"))
    return 0


def _zip(bundle: "Bundle", output: Path, strict: bool, anyway: bool) -> int:
    from voicelive_tui.recording.pack import Pack  # noqa: PLC0415

    bundle.moments()  # raises where there is nothing to share
    pack = Pack(bundle, strict=strict)
    for name, count in pack.members:
        click.echo(f"{name:<14} {size(count):>8}{'  without texts' if strict else ''}")
    found = pack.findings()
    for each in found[:20]:
        warn(f"{each.where}, line {each.line}: {each.begins}… ({len(each.token)} characters) looks like a key")
    if found and not anyway:
        warn(f"{len(found)} texts look like keys: look at them, then use --anyway, or --redact strict")
        return FAILED
    pack.write(output.expanduser())
    click.echo(f"wrote {visible(str(output))}")
    return 0
