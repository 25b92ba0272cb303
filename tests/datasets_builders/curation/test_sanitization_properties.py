"""What sanitising holds to whatever stands beside what: nothing planted survives, and a second pass changes nothing."""

import re
import time
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from datasets_builders.curation.sanitization.personal_data import find_personal_data, sanitize
from datasets_builders.curation.sanitization.secret_values import PLACEHOLDER_WORDS, is_random
from datasets_builders.curation.syntax.parsing import load_parser
from tests.datasets_builders.curation.planted_values import ADDRESSES, SECRETS, TOLD_BY_CONTEXT, private_key

PLACEHOLDERS = ("SECRET_1", "EMAIL_ADDRESS_2", "IP_ADDRESS_31", "MY_SECRET_7")
# What may stand between two values and tells where they end; and what may hide that.
BOUNDARIES = (
    " ",
    "\n",
    '"',
    "'",
    ",",
    ";",
    "(",
    ")",
    " = ",
    "|",
    "<",
    ">",
    *(f" {placeholder} " for placeholder in PLACEHOLDERS),
)
ANYTHING = (
    *BOUNDARIES,
    *PLACEHOLDERS,
    "",
    ":",
    "=",
    "-",
    "_",
    "/",
    "\\n",
    "@",
    ".",
    "x",
    "9",
    " password = ",
    "version ",
)


SEEDS = st.integers(0, 2**32)


def planted(draw: Random) -> tuple[str, str]:
    """Return a value and the text that tells it."""
    makers = SECRETS | ADDRESSES
    name = draw.choice([*makers, *TOLD_BY_CONTEXT])
    context, make = TOLD_BY_CONTEXT[name] if name in TOLD_BY_CONTEXT else ("{}", makers[name])
    while True:
        value = make(draw)
        must_look_random = name in SECRETS or name in TOLD_BY_CONTEXT
        if not must_look_random or (is_random(value) and not PLACEHOLDER_WORDS.search(value)):
            return value, context.format(value)


def glued(draw: Random, between: tuple[str, ...]) -> tuple[str, list[str]]:
    """Return a text of values with something between each two, and the values."""
    values, text = [], draw.choice(between)
    for _ in range(draw.randrange(1, 6)):
        value, told = planted(draw)
        values.append(value)
        text += told + draw.choice(between)
    return text, values


@given(SEEDS)
def test_what_is_sanitised_once_is_sanitised_for_ever(seed):
    clean, _ = sanitize(glued(Random(seed), ANYTHING)[0])
    assert sanitize(clean) == (clean, {})


@example(7772)  # a key of Azure that reads like a path
@given(SEEDS)
def test_no_planted_value_survives_and_all_else_stays(seed):
    text, values = glued(Random(seed), BOUNDARIES)
    clean, found = sanitize(text)
    assert not [value for value in values if value in clean]
    back = {placeholder: finding.value for finding, placeholder in found.items()}
    assert (
        re.sub(r"(?:SECRET|EMAIL_ADDRESS|IP_ADDRESS)_\d+", lambda found: back.get(found.group(), found.group()), clean)
        == text
    )


@given(SEEDS)
def test_a_value_has_one_placeholder_and_a_placeholder_one_value(seed):
    text, _ = glued(Random(seed), BOUNDARIES)
    _, found = sanitize(text + "\n" + text)
    assert len({finding.value for finding in found}) == len(set(found.values())) == len(found)
    assert not set(found.values()) & set(re.findall(r"(?:SECRET|EMAIL_ADDRESS|IP_ADDRESS)_\d+", text))


@pytest.mark.parametrize("provider", SECRETS)
def test_a_key_of_each_provider_goes_whole_and_leaves_its_quotes(provider):
    parser = load_parser("Python")
    for seed in range(20):
        value = SECRETS[provider](Random(seed)).replace("\n", "\\n")
        for place in ('key = "{}"\n', 'log("line\\n{}")\n', "# old: {}\n", "a = {{'auth': '{}'}}\n"):
            clean, _ = sanitize(place.format(value))
            assert clean == place.format("SECRET_1")
            assert not parser.parse(clean.encode()).root_node.has_error


@pytest.mark.parametrize("name", TOLD_BY_CONTEXT)
def test_of_an_assignment_or_a_url_only_the_secret_goes(name):
    context, make = TOLD_BY_CONTEXT[name]
    assert sanitize(context.format(make(Random(3))))[0] == context.format("SECRET_1")


def test_what_touches_a_key_is_told_too():
    key = private_key(Random(0))
    assert sanitize(f"{key}jo@firm.com")[0] == "SECRET_1EMAIL_ADDRESS_1"
    assert sanitize(f"{key}93.184.216.34")[0] == "SECRET_1_IP_ADDRESS_1", "SECRET_19 would be another"


@pytest.mark.parametrize(
    ("prefix", "newline"), [("", "\n"), ("# ", "\n# "), (" * ", "\n * "), ("", '\\n"\n    "'), ("", '\\n" +\n  "')]
)
def test_a_private_key_may_be_quoted_by_line_or_commented_out(prefix, newline):
    assert sanitize(prefix + private_key(Random(1)).replace("\n", newline))[0] == f"{prefix}SECRET_1"


@pytest.mark.parametrize(
    "text",
    [
        'x = "-----BEGIN RSA PRIVATE KEY-----\\n" + body + "\\n-----END RSA PRIVATE KEY-----"',
        "GGGCACCAACCATCACCACCAACCAACCACCAAT",
        '"APACHELICENSE"; AAAAAABIAAABDAAAIAIAAAAAAAAAAA',
        "wwn = 20:00:00:25:b5:00:00:0f",
        "macs='umac-64@openssh.com hmac-sha2-256-etm@openssh.com'",
        "PRIVATEKEY=\"--private-key=$2\"; url = 'https://user:password@host.com/'",
        "Java Language Specification 15.11.2.2, C++17 20.19.3.7",
    ],
)
def test_what_only_looks_like_a_secret_or_an_address_stays(text):
    assert find_personal_data(text) == []


@pytest.mark.parametrize("text", ["{}:8080", "tcp:{}", "t3://{}:7001", "[{}]", "http://{}/x"])
def test_a_port_or_a_scheme_may_stand_beside_an_address(text):
    assert sanitize(text.format("93.184.216.34"))[0] == text.format("IP_ADDRESS_1")


def test_numbers_that_a_text_has_already_are_not_given_again():
    assert sanitize("SECRET_1 EMAIL_ADDRESS_4 jo@firm.com al@firm.com")[0] == (
        "SECRET_1 EMAIL_ADDRESS_4 EMAIL_ADDRESS_5 EMAIL_ADDRESS_6"
    )


@pytest.mark.parametrize(
    ("line", "placeholder"),
    [("deny from {0}.{1}.77.19;", "IP_ADDRESS"), ("to: u{0}.{1}@firm{0}.com", "EMAIL_ADDRESS")],
)
def test_thousands_of_values_take_as_long_for_each_as_few(line, placeholder):
    lines = [line.format(20 + number % 70, 20 + number // 70) for number in range(10_000)]
    start = time.process_time()
    text, found = sanitize("\n".join(lines))
    assert time.process_time() - start < 10, "by one pattern of all values it was minutes"
    assert len(found) == text.count(placeholder) == 10_000
