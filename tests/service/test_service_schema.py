"""Requests made from the description of the API: none may make the service fail."""

import hypothesis
import schemathesis
from schemathesis.specs.openapi.checks import positive_data_acceptance

from oddgan import VAE
from oddgan.service import Limits, Model, create_app
from support.data import make_images, make_table, quick

#: What is right by the description may lack a column of the model, which the description does not
#: know, and is refused then. All other checks hold: no 5xx, and every status, content type and body
#: is one that the description has.
_UNKNOWN = [positive_data_acceptance]


schemathesis.serializer.alias("application/vnd.apache.parquet", "application/octet-stream")
app = create_app(
    {
        "rows": Model("rows", quick(VAE, max_steps=3).fit(make_table())),
        "blobs": Model("blobs", quick(VAE, max_steps=3).fit(make_images())),
    },
    limits=Limits(rows=50, files=5),
)
schema = schemathesis.openapi.from_asgi("/openapi.json", app)


@schema.parametrize()
@hypothesis.settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
def test_no_request_makes_the_service_fail(case):
    if "name" in case.path_parameters and len(str(case.body)) % 8:
        case.path_parameters["name"] = ("rows", "blobs")[len(str(case.body)) % 2]
    case.call_and_validate(excluded_checks=_UNKNOWN)
