"""Personal data and secrets: what is replaced, what stays, and that code still parses. All secrets here are made up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets_builders.curation.sanitization.personal_data import (
    examples_of_changes,
    find_personal_data,
    masked,
    sanitize,
)
from datasets_builders.curation.sanitization.secret_values import entropy
from datasets_builders.curation.syntax.parsing import load_parser
from datasets_builders.languages.grammars import GRAMMARS

# In two parts, so that no scanner takes this file for a leak.
AWS = "AKIA" + "QYLPMN5HHHFPZAM2"
GITHUB = "ghp_" + "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx"
SLACK = "xoxb-" + "263594206564-2343594206574-FGqddMF8t08v8N7Oq4i57vs1"
STRIPE = "sk_live_" + "ReTllpYQYfIZu2Jnf2lAPFjD"
JWT = "eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.SflKxwRJ-MeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
RANDOM = "q8Zt4vL1" + "xW7kP2mN"
KEY = (
    "-----BEGIN RSA PRIVATE KEY-----\n"
    + "MIIEowIBAAKCAQEAu1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeL\n" * 3
    + ("-----END RSA PRIVATE KEY-----")
)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("# written by jane.doe@company.com", "email", "jane.doe@company.com"),
        ("mailto:j+tag@sub.uni-bonn.de?x", "email", "j+tag@sub.uni-bonn.de"),
        ('HOST = "93.184.216.34"', "ip", "93.184.216.34"),
        ("ping 203.0.114.7", "ip", "203.0.114.7"),
        ('HOST = "2606:2800:220:1:248:1893:25c8:1946"', "ip", "2606:2800:220:1:248:1893:25c8:1946"),
        ("(c) <me@kennethreitz.org>", "email", "me@kennethreitz.org"),
        ("author: lenar@city.ee, Tallinn", "email", "lenar@city.ee"),
        ("by <git@flevour.net>", "email", "git@flevour.net"),
        (f'key = "{AWS}"', "secret", AWS),
        (f'parse("{JWT}")', "secret", JWT),
        (f"TOKEN={GITHUB}", "secret", GITHUB),
        (f"slack: {SLACK}", "secret", SLACK),
        (f"stripe.api_key = '{STRIPE}'", "secret", STRIPE),
        (f'password = "{RANDOM}"', "secret", RANDOM),
        (f'"client_secret": "{RANDOM}",', "secret", RANDOM),
        (f"x = '''\n{KEY}\n'''", "secret", KEY),
    ],
)
def test_personal_data_and_secrets_are_found(text, kind, value):
    assert [(finding.kind, finding.value) for finding in find_personal_data(text)] == [(kind, value)]
    assert value not in sanitize(text)[0]


@pytest.mark.parametrize(
    "text",
    [
        "someone@example.com git@github.com x@users.noreply.github.com",
        "git@git.company.com:team/project ssh://git@git.company.com/team/project",
        "product = matrix@other.shape",
        'PRIVATEKEY="--private-key=$2"',
        "@decorator.method",
        "127.0.0.1 192.168.1.1 10.0.0.1 0.0.0.0 255.255.255.255 8.8.8.8 224.0.0.1 192.0.2.1",
        'version = "4.17.20.1"; v1.2.3.4; 1.2.3.4.5',
        "std::vector<a::b> x; ::1 fe80::1 a::b::c",
        'password = "password"; secret = "your-secret-here"; api_key = os.environ["KEY"]',
        'token = "${GITHUB_TOKEN}"; password = "changeme123"; SECRET_KEY = "<secret key here>"',
        'auth_token = "authentication"; secret_name = "database/production"',
        "sha256 = '" + "0123456789abcdef" * 4 + "'",
        "commit 3f786850e387550fdab836ed7e6dc881de23001b",
    ],
)
def test_what_is_none_stays(text):
    assert sanitize(text) == (text, {})


def test_the_same_value_has_the_same_placeholder_and_kinds_are_counted():
    text = 'a = "jo@firm.com"\nb = "al@firm.com"\nc = "jo@firm.com"\nd = "93.184.216.34"\n'
    replaced, found = sanitize(text)
    assert replaced == ('a = "EMAIL_ADDRESS_1"\nb = "EMAIL_ADDRESS_2"\nc = "EMAIL_ADDRESS_1"\nd = "IP_ADDRESS_1"\n')
    assert [finding.kind for finding in found] == ["email", "email", "ip"]
    assert sanitize(replaced) == (replaced, {}), "placeholders are no personal data"


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("Python", f'a = "{AWS}"  # jo@firm.com\n'),
        ("Go", 'package a\n\nvar b = "\\njo@firm.com"\n'),
        ("Shell", f"ping 93.184.216.34\nexport TOKEN={GITHUB}\nmail jo@firm.com\n"),
        ("JavaScript", f"const a = '{SLACK}'; // 93.184.216.34\n"),
        ("Go", f'package a\n\nvar b = "{STRIPE}"\n'),
        ("Ruby", f"password = '{RANDOM}'\n"),
        ("C", f'/* jo@firm.com */\nchar *a = "{AWS}";\n'),
    ],
)
def test_code_still_parses(language, text):
    assert language in GRAMMARS
    parser = load_parser(language)
    replaced, found = sanitize(text)
    assert found and not any(parser.parse(code.encode()).root_node.has_error for code in (text, replaced))


@given(st.text(alphabet="ab1.:@-_='\" \n/AK{}", max_size=200))
def test_any_text_is_sanitised_once_and_for_all(text):
    replaced, _ = sanitize(text)
    assert sanitize(replaced)[0] == replaced


def test_a_secret_that_touches_other_letters_is_replaced_too():
    text = f'a = "line\\n{AWS}"; b = "tok_{AWS}"'
    assert sanitize(text)[0] == 'a = "line\\nSECRET_1"; b = "tok_SECRET_1"'
    assert sanitize('"\\njo@firm.com"')[0] == '"\\nEMAIL_ADDRESS_1"'
    assert sanitize("at 93.184.216.34, not 1.93.184.216.34")[0] == "at IP_ADDRESS_1, not 1.93.184.216.34"


def test_entropy_in_bits():
    assert entropy("aaaa") == 0 and entropy("abab") == 1 and entropy("abcdefgh") == 3


def examples(text):
    return list(examples_of_changes(text, sanitize(text)[1]))


def test_examples_show_the_shape_of_what_was_replaced_and_the_placeholder():
    text = f'x = 1\nmail("jo.d@firm.com")\n# 93.184.216.34\nkey = "{AWS}"\nmail("al@firm.com")\n'
    assert examples(text) == [
        ("email", 'mail("xx.x@xxxx.xxx")', 'mail("EMAIL_ADDRESS_1")'),
        ("ip", "# 00.000.000.00", "# IP_ADDRESS_1"),
        ("secret", f'key = "{masked(AWS)}"', 'key = "SECRET_1"'),
    ]
    assert masked(KEY).endswith("...") and len(masked(KEY)) < 40
    assert examples("nothing to see\n") == []


@pytest.mark.parametrize(
    "text",
    [
        "# Jane Doe <jd@firm.com>",
        "# jane <jane.d@firm.com>",
        "user='janed', mail='janed@firm.com'",
        "# \u5f20\u4e09 <zs@firm.com>",
        "# M. van Doe, jd@firm.com",
        "ssh jsmith@93.184.216.34",
        f'db.connect("jsmith", password="{RANDOM}")',
        f'connect("{STRIPE}", "jsmith")',
        "# ask anna-maria at home, jdoe77 on irc 93.184.216.34",
        "# jdoe77: 93.184.216.34",
        "call me@smithfamily.com or 93.184.216.34",
        "host = 93.184.216.34  # jsmith",
        f"jsmith {AWS}",
        "smithfamily.com: 93.184.216.34",
        f"Smith = '{AWS}'",
        "firma = 'firma.mail@firm.com'",
        f"\u5f20\u4e09 = '{AWS}'",
    ],
)
def test_a_place_where_somebody_may_be_named_is_no_example(text):
    assert sanitize(text)[1] and examples(text) == []


def test_what_stands_beside_another_value_is_never_cut_in_half():
    text = f"b@x.com,{AWS} 93.184.216.34{KEY}jo@firm.com {GITHUB}"
    shown = " ".join(part for _, *texts in examples(text) for part in texts)
    for value in (AWS, KEY, GITHUB):
        assert not any(value[at : at + 6] in shown for at in range(0, len(value) - 6, 3))
    assert "x@x.xxx" in shown


@given(st.text(alphabet="ab1.:@-_='\" \n/AK{}com", max_size=200))
def test_examples_never_hold_a_value(text):
    found = sanitize(text)[1]
    for _, before, after in examples_of_changes(text, found):
        assert not any(finding.value in after for finding in found), after
        assert not any(finding.value in before for finding in found), before


HEX_32 = "0f9e8d7c6b5a4938" + "2716abcdef051423"
GITLAB = "64_" + "aB3dEf9hKl2mNo7pQr5s"
UUID = "3f2b9c1d-7e64-4a0b-9d2f-1c8e5a7b6d90"


# What users of scanners report as not found; the values are made up.
@pytest.mark.parametrize(
    ("text", "value"),
    [
        (f'x = "{"sntry" + "u_"}{HEX_32}{HEX_32}"', HEX_32),
        (f'CI = "{"glcbt" + "-"}{GITLAB}"', GITLAB),
        (f'ld = init("{"api" + "-"}{UUID}")', UUID),
        (f'.header("Authorization", s"Bearer {RANDOM}{RANDOM}")', RANDOM),
        ("env:\n  PASSWORD: dZ^5Ke76gdSiF\n", "dZ^5Ke76gdSiF"),
        (f"env:\n  OPSGENIE_API_KEY: oov9e5e9-{UUID}\n", UUID),
        (f"url: https://api.firm.com/v1?apiKey={UUID}\n", UUID),
        ('c = "Data Source=db:1521/x;User ID=app;Password=appsecretive;"', "appsecretive"),
        (f'export K="{KEY.replace(chr(10), " ")}"', "MIIEowIBAAKCAQ"),
        ("ip: 2345:0425:2CA1:0000:0000:0567:5673:23b5", "2345:0425"),
        ("ip: 2345:0425:2CA1::0567:5673:23b5", "2345:0425"),
        ("# mail jo.m@some.bank", "some.bank"),
        ("# Authors: Jo Doe <jo dot doe at firm dot org>", "jo dot doe at firm"),
        (f'"API key": "{RANDOM}{RANDOM}"', RANDOM),
        (f"Secret key: {RANDOM}{RANDOM}\n", RANDOM),
        (f'HTTP_TOKEN="{"DRFuteQw$#riYhte69" + "AwerDdf-$"}"', "DRFuteQw"),
        ('PASSWORD="8d(VnIcY&/.U?:[lg6tDad5cg0"', "8d(VnIcY"),
    ],
)
def test_what_scanners_miss_goes(text, value):
    assert value not in sanitize(text)[0]


# What they report as found though it is none.
@pytest.mark.parametrize(
    "text",
    [
        "username/password combination.\n\nR5: Regulatory--21\n",
        f"  tokenizationId: '{HEX_32}',",
        "getPagesInConfluenceSpace,searchConfluenceUsingCql",
        "void Refund_ShouldThrowRgsInternalException_WhenRgsTicketCancellationFails() {",
        "this.ultraPictureBox1.Name = keyfile; tokenfile = 'a1b2c3d4e5f6';",
        f'"client_id" : "{HEX_32}{HEX_32}",',
        'password: "_env:SALESFORCE_CLIENT_ID:REDACTED"',
        "nr.init={licenseKey:'NRJS-ab12cd34ef56ab78cd9',applicationID:'1234567'}",
        '      "key": "ctrl+shift+down",',
        "https://metabase.firm.com/question/12345-journal-deduplication-id-to-voucher",
        "# //npm.pkg.github.com/:_authToken=${GITHUB_NPM_TOKEN}",
        "b:: ad:: bed:: dead:: 1:: fad:: :: ::0",
        "hosts: 1.1.1.1 8.8.8.8 127.0.0.1 1.2.3.4 2.2.2.2 0.0.0.0",
        'password: "{{ var }}"',
        "data = {service_key: pagerDutyServiceApiKey}\n$this->privateKey = new PrivateKey($keys['privatekey']);",
        "usernamePassword(credentialsId: 'nexus-deploy-01', passwordVariable: 'NEXUS_PW2')",
        "class A:\n    pass\n\n\n@pytest.mark.parametrize2('a')\ndef f(): pass",
        "# Pass `check_0d=True` to username.encode('latin1')",
        "auth = _BedrockSigV4Auth(token)\nclass Qwen2_5OmniToken2WavModel(Qwen2_5OmniTokenConfig): ...",
        '"AT" + "x" * 9 + "vATBBCHI7ATAMAwtBAiEDDAELQQQhAwsgAkEBOgAs"',
        "region = ASIAPACIFICSOUTHEAST",
        "M2.83-2.12 3.51.98.32 2.03.5 2.83 2.12z",
        "* **deps**: update V8 to 11.8.172.13\n* upgraded v8 (from 4.4.63.26 to 4.2.77.20)",
        '"PasswordLastUsed": "2016-09-08T21:47:36Z"',
        "FONT = 'AAAAAAwAa" + "AKIA" + "AQAAAAAABAAHAM0AAQAAAAAA'",
        f'wagtail = {{git = "https://github.com/firm/wagtail.git", rev = "{HEX_32}5a81cf2e"}}',
        f'token_sha256 = "{HEX_32}{HEX_32}"\nkey_checksum: "{HEX_32}"\napi_key_fingerprint = "{HEX_32}"',
        f"password_commit = '{HEX_32}5a81cf2e'\nsecret_revision: {HEX_32}5a81cf2e\n",
        f'<script src="x.js" integrity="sha384-{RANDOM}{RANDOM}{RANDOM}{RANDOM}"></script>',
        f"golang.org/x/text v0.3.0/go.mod h1:{RANDOM}{RANDOM}{RANDOM[:11]}=",
        'secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-AbCdEf"',
        "[envVar: 'TF_VAR_APPROLESECRETID', vaultKey: 'inf-vsqt-01-secret-id']",
        "The API key: what it is for\nAccess key: sequence of letters\n",
        'OID = "2.5.29.17"; X = "1.3.101.112"; upgrade from 4.1.0.7',
    ],
)
def test_what_scanners_take_for_a_secret_stays(text):
    assert sanitize(text) == (text, {})
