"""Sections 2.1 and 2.4: whether a teacher is there, before anything is asked."""

from datasets_builders.asking.request import Request
from datasets_builders.asking.spawned import check_spawned
from datasets_builders.asking.teacher import Teacher
from datasets_builders.building.errors import ConfigError
from evals.models.openai_server import EndpointError, api_key, check_server


def check_teacher(teacher: Teacher) -> None:
    """Raise `ConfigError` when the server is not there, wants another key, has other models, or cannot be started."""
    if teacher.spawn:
        check_spawned(teacher)
        return
    import openai

    client = openai.OpenAI(base_url=teacher.base_url, api_key=api_key(teacher.api_key_variable))
    try:
        check_server(client, teacher.model, teacher.api_key_variable)
    except EndpointError as error:
        raise ConfigError(str(error)) from None


def check_form(request: Request) -> None:
    """Raise `ConfigError` when the form that a request asks for is no JSON schema."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    form = request.response_format or {}
    if form.get("type") == "json_schema":
        try:
            Draft202012Validator.check_schema(form["json_schema"]["schema"])
        except SchemaError as error:
            raise ConfigError(f"the form {form['json_schema']['name']!r} is no JSON schema: {error.message}") from None
