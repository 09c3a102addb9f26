"""The directive ``commands``: what ``--help`` says of a command of click and of all commands below it."""

from collections.abc import Iterator
from importlib import import_module

import click
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Commands(SphinxDirective):
    """``commands:: package.module:command NAME`` makes a section of every command."""

    required_arguments = 2

    def run(self) -> list[nodes.Node]:
        """The sections, in the order in which ``--help`` lists the commands."""
        module, _, attribute = self.arguments[0].partition(":")
        command = getattr(import_module(module), attribute)
        return [self._section(*found) for found in _below(command, click.Context(command, info_name=self.arguments[1]))]

    def _section(self, command: click.Command, context: click.Context) -> nodes.section:
        name = context.command_path
        section = nodes.section(ids=[nodes.make_id(name)], names=[name])
        section += nodes.title(text=name)
        usage = command.get_usage(context).removeprefix("Usage: ")
        section += nodes.literal_block(usage, usage, language="text")
        for paragraph in (command.help or "").split("\n\n"):
            section += nodes.paragraph(text=" ".join(paragraph.split()))
        records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
        options = nodes.definition_list(classes=["options"])
        for option, said in filter(None, records):
            if not said:
                continue  # an argument, which the usage names
            term = nodes.term("", "", nodes.literal(text=option))
            options += nodes.definition_list_item("", term, nodes.definition("", nodes.paragraph(text=said)))
        section += options
        return section


def _below(command: click.Command, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """A command and all below it, each with its context."""
    yield command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            one = command.commands[name]
            yield from _below(one, click.Context(one, info_name=name, parent=context))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
