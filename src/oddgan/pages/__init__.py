"""The shared frame and style of all HTML pages, which make no request to any host."""

from importlib import resources

import jinja2
from markupsafe import Markup


def render(package: str, template: str, **content: object) -> str:
    """Render a template of a package. The template may extend ``base.html.j2``.

    All content is escaped. A template can call ``inlined(name)`` for the text of a file of the
    package (a style or a script), so that each page is a single file.

    Parameters
    ----------
    package : str
        The package that contains the template.
    template : str
        The file name of the template.
    **content
        The variables of the template. A missing variable is an error.
    """
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(p, "") for p in (package, __name__)]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )

    def inlined(name: str, source_package: str = package) -> Markup:
        return Markup(resources.files(source_package).joinpath(name).read_text(encoding="utf-8"))

    environment.globals["inlined"] = inlined
    environment.globals["base_package"] = __name__
    return environment.get_template(template).render(**content)
