"""The command line. Data on stdout, talk on stderr, exit codes as documented.

0 fine; 1 a difference or a broken promise was found; 2 wrong usage or configuration;
3 a human is needed; 4 the input is unreadable or corrupt. Commands import what they
need when they run: a replay must not pay for trio and httpx.
"""

import sys
from pathlib import Path

import click

Paths = tuple[Path, ...]
some_path = click.Path(exists=True, path_type=Path)
config_option = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Configuration file; default: ./holdfast.toml, then the XDG one.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="holdfast", message="%(prog)s %(version)s")
def main() -> None:
    """Keep chat-bot accounts alive, lose no message, replay every incident."""


@main.command()
@click.option("--keep", type=click.Path(path_type=Path), help="Keep what was recorded.")
def demo(keep: Path | None) -> None:
    """Live through the founding incidents on a simulated peer, then replay them."""
    from holdfast.replay.demo import run_demo  # noqa: PLC0415 - needs trio and httpx.

    sys.exit(run_demo(keep))


@main.command()
@config_option
@click.option("--echo", is_flag=True, help="Answer every text with itself, to try it.")
@click.option("-v", "--verbose", is_flag=True, help="Tell every fact.")
def run(config: Path | None, *, echo: bool, verbose: bool) -> None:
    """Keep the configured accounts alive until SIGTERM or Ctrl-C."""
    from holdfast.replay.running import run_service  # noqa: PLC0415 - needs trio.

    sys.exit(run_service(config, echo=echo, verbose=verbose))


@main.command()
@click.argument("paths", nargs=-1, required=True, type=some_path)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per recording.")
def replay(paths: Paths, *, as_json: bool) -> None:
    """Fold recordings, or a data folder's journal, again; compare everything."""
    from holdfast.replay.verifying import verify_paths  # noqa: PLC0415 - as needed.

    sys.exit(verify_paths(paths, as_json=as_json))


@main.command()
@click.argument("path", type=some_path)
@click.option("--account", help="Which account of a data folder; default: all.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per fact.")
def show(path: Path, account: str | None, *, as_json: bool) -> None:
    """Print the timeline of a recording or data folder, one line per fact."""
    from holdfast.replay.showing import show_path  # noqa: PLC0415 - as needed.

    sys.exit(show_path(path, account, as_json=as_json))


@main.command()
@config_option
@click.option("--account", required=True, help="Whose journal.")
@click.option("--from", "since", metavar="T", help="First time: ISO 8601 or epoch ms.")
@click.option("--to", "until", metavar="T", help="Last time, like --from.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The recording to write.",
)
def export(
    config: Path | None,
    account: str,
    since: str | None,
    until: str | None,
    output: Path,
) -> None:
    """Write a window of a journal as a recording, also while the service runs."""
    from holdfast.replay.exporting import export_account  # noqa: PLC0415 - as needed.

    sys.exit(export_account(config, account, since, until, output))


@main.command()
@click.argument("what", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the way to a finding is recorded.",
)
def explore(what: str | None, output: Path | None, *, as_json: bool) -> None:
    """Walk every state of the reducers; WHAT: weixin, qq, a machine or a scope."""
    from holdfast.replay.explore.scopes import NAMES  # noqa: PLC0415 - as needed.
    from holdfast.replay.exploring import explore as walk  # noqa: PLC0415 - as needed.

    if what is not None and what not in NAMES:
        raise click.BadParameter(f"{what!r} is none; known are {', '.join(NAMES)}")
    sys.exit(walk(what, output, as_json=as_json))


@main.command()
@click.argument("folder", type=some_path)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The new folder.",
)
def salvage(folder: Path, output: Path) -> None:
    """Save what a damaged journal still holds as a new one; the old one stays."""
    from holdfast.replay.salvaging import salvage_folder  # noqa: PLC0415 - as needed.

    sys.exit(salvage_folder(folder, output))


@main.command()
@click.option(
    "--platform", type=click.Choice(["weixin", "qq"]), required=True, help="Whose."
)
@click.option("--seed", type=int, help="Which run; default: a fresh one, and told.")
@click.option(
    "--hours",
    type=click.FloatRange(min=0, min_open=True, max=10_000),
    default=20,
    show_default=True,
    help="Virtual hours in which things go wrong; one more heals.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a recording of the run.",
)
def simulate(
    platform: str,
    seed: int | None,
    hours: float,
    output: Path | None,
    *,
    as_json: bool,
) -> None:
    """Run the real service in virtual time while network, disk and peer fail.

    One seed gives one run, in any process. Exit code 1 when a message or reply was
    lost or repeated, a promise broken, or something did not heal; how to repeat it is
    said then.
    """
    from holdfast.replay.simulating import run_simulation  # noqa: PLC0415 - needs trio.

    sys.exit(run_simulation(platform, seed, hours, output, as_json=as_json))


@main.group()
def fake() -> None:
    """Serve a simulated peer on loopback, to try a bot or a script against."""


port_option = click.option(
    "--port", type=click.IntRange(0, 65_535), default=8_711, show_default=True
)
script_option = click.option(
    "--script", type=click.Path(exists=True, path_type=Path), help="Faults."
)


@fake.command("weixin")
@port_option
@script_option
def fake_weixin(port: int, script: Path | None) -> None:
    """Serve a simulated iLink peer; the script says what goes wrong and when."""
    from holdfast.replay.faking import WEIXIN, serve_fake  # noqa: PLC0415 - needs trio.

    sys.exit(serve_fake(WEIXIN, port, script))


@fake.command("qq")
@port_option
@script_option
def fake_qq(port: int, script: Path | None) -> None:
    """Serve a simulated QQ platform; the script says what goes wrong and when."""
    from holdfast.replay.faking import QQ, serve_fake  # noqa: PLC0415 - needs trio.

    sys.exit(serve_fake(QQ, port, script))


if __name__ == "__main__":
    main()
