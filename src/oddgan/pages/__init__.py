"""The house of all HTML pages: one style, one frame, and no request to anywhere."""

from importlib import resources

import jinja2
from markupsafe import Markup


def render(package: str, template: str, **content: object) -> str:
    """Fill a template of a package, which may extend ``base.html.j2``.

    Whatever is filled in is escaped. A template has ``inlined(name)``, the text of a file of the
    package, for its style and its scripts: a page is one file.

    Parameters
    ----------
    package : str
        The package beside whose modules the template lies.
    template : str
        Its file.
    **content
        What it asks for; a name that it asks for and does not get is an error.
    """
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(p, "") for p in (package, __name__)]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )

    def inlined(name: str, of: str = package) -> Markup:
        return Markup(resources.files(of).joinpath(name).read_text(encoding="utf-8"))

    environment.globals["inlined"] = inlined
    environment.globals["house"] = __name__
    return environment.get_template(template).render(**content)
