"""``polydnn plugins``: which are installed, whether one keeps its promises, and the start of a new one."""

import click

from polydnn.cli.new_plugin import new
from polydnn.cli.output import only_results_on_stdout, print_json, print_table
from polydnn.cli.sections import SectionedGroup
from polydnn.registry import PluginRecord
from polydnn.registry import plugins as plugin_records

__all__ = ["plugins"]


@click.group(cls=SectionedGroup)
def plugins() -> None:
    """List installed plugins, check one, or start a new one."""


plugins.add_command(new)


@plugins.command("list")
@click.option("--load", is_flag=True, help="Import them and say whether they work; without it nothing is imported.")
@click.option("--json", "json", is_flag=True, help="Print one JSON object on standard output.")
def list_plugins(load: bool, json: bool) -> None:
    """List the installed plugins and their state.

    \b
    ok            everything it offers can be used
    failed        nothing of it can be used; the cause is named
    disabled      switched off, and not imported
    incompatible  a part of it was made for another version of polydnn's plugin interface
    shadowed      a name it offers is another's too; package:name reaches it
    not loaded    not imported; add --load
    """
    with only_results_on_stdout():
        records = plugin_records(load=load)
    if json:
        print_json({"plugins": [record.as_dict() for record in records]})
    elif not records:
        click.echo("No plugins are installed. Start one with: polydnn plugins new NAME --activation")
    else:
        print_table(
            ("package", "version", "entry point", "state", "offers, or what is wrong"), [_row(each) for each in records]
        )


def _row(record: PluginRecord) -> tuple[str, ...]:
    offered = "; ".join(f"{kind} {', '.join(names)}" for kind, names in record.items.items())
    about = "\n".join(text for text in (offered, record.cause) if text)
    return record.plugin.distribution, record.plugin.version, record.plugin.entry_point, record.status, about


@plugins.command()
@click.argument("name")
@click.option(
    "--backend",
    metavar="NAME",
    help="numpy, array-api-strict, torch, jax or cupy; the first two unless given, for an executor what it is for.",
)
@click.option("--verbose", is_flag=True, help="Show every check, not only those that failed.")
@click.option("--json", "json", is_flag=True, help="Print one JSON object on standard output.")
def check(name: str, backend: str | None, verbose: bool, json: bool) -> int:
    """Check everything that an installed plugin offers.

    NAME is that of a package or of its entry point, or polydnn for what is built in. The exit status is 1 where a check
    fails.
    """
    from polydnn.testing.plugin import check_plugin

    with only_results_on_stdout():
        report = check_plugin(name, backend=backend)
    if json:
        print_json(report.to_json())
    else:
        if verbose:
            click.echo("\n".join(each.table() for each in report.reports if each.passed))
        click.echo(str(report))
    return 0 if report.passed else 1
