"""How a detector's own parameters join the shared ones."""

import inspect
from collections.abc import Callable

from .parameters import SharedParams


def merge_signature(
    own: Callable[..., None], shared: Callable[..., None], defaults: SharedParams
) -> inspect.Signature:
    """Signature of `own` with the parameters that it passes on to `shared` as ``**options``.

    scikit-learn's ``get_params``, editors and ``help`` read signatures; a detector so needs to
    name only what is its own, and in `defaults` what has another default.
    """
    keep = {
        name: p for name, p in inspect.signature(own).parameters.items() if p.kind != p.VAR_KEYWORD
    }
    for name, parameter in inspect.signature(shared).parameters.items():
        default = defaults.get(name, parameter.default)
        keep.setdefault(name, parameter.replace(default=default))
    return inspect.Signature(list(keep.values()))
