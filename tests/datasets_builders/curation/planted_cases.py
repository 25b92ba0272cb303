"""Planted secrets in the places where people leave them, addresses, and what only looks like either: all made up.

Each case is a form of text with `{}` where the value stands. A name decides by its hash whether a case is for
development or held out: rules are written against two thirds of the forms, and the last third says how they do on
forms that nobody looked at.
"""

import base64
import hashlib
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from datasets_builders.curation.sanitization.personal_data import sanitize
from tests.datasets_builders.curation.planted_values import SECRETS, drawn, json_web_token

ALNUM, HEX = "[A-Za-z0-9]", "[0-9a-f]"
Maker = Callable[[random.Random], str]


@dataclass(frozen=True)
class Case:
    """A text, what is planted in it (nothing in a near-miss) and the form that it is of."""

    kind: str
    name: str
    language: str
    text: str
    value: str = ""

    @property
    def is_held_out(self) -> bool:
        """Whether rules were written without a look at this form."""
        return hashlib.sha256(f"{self.kind}/{self.name}".encode()).digest()[0] % 3 == 0


def of(pattern: str) -> Maker:
    """Return a maker of texts of a pattern."""
    return lambda draw: drawn(pattern, draw)


def password(draw: random.Random) -> str:
    """Return a password of 12 to 20 letters and digits, and perhaps a mark."""
    return (
        drawn(f"[A-Za-z0-9]{{{draw.randrange(10, 18)}}}", draw) + drawn("[0-9]{1}", draw) + draw.choice(["", "!", "#"])
    )


def short_password(draw: random.Random) -> str:
    """Return a password as people choose them: a word, a number, perhaps a mark."""
    word = draw.choice(["sommer", "Hunter", "drag0n", "Berlin", "monkey", "Tr0ub4dor", "kitty", "Welc0me", "zorro"])
    return word + str(draw.randrange(2, 2030)) + draw.choice(["", "!", "$", "?"])


def based(draw: random.Random) -> str:
    """Return random bytes in base64, with its slashes, pluses and equals signs."""
    return base64.b64encode(draw.randbytes(draw.choice([20, 24, 30, 32, 40, 64]))).decode()


TOKEN, LONG, HEX32, HEX64 = of("[A-Za-z0-9]{32}"), of("[A-Za-z0-9_-]{43}"), of("[0-9a-f]{32}"), of("[0-9a-f]{64}")
UUID = of("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# Where a marked key may stand, whatever the code around it calls it.
PLACES: dict[str, tuple[str, str]] = {
    "python_call": ("Python", 'service = connect("{}")\n'),
    "python_comment": ("Python", "# temporary, from the wiki: {}\nx = 1\n"),
    "python_escape": ("Python", 'log("line\\n{}")\n'),
    "python_list": ("Python", "VALUES = ['{}', 'second']\n"),
    "python_test": ("Python", 'def test_it():\n    assert handle("{}") == 3\n'),
    "shell_export": ("Shell", "export SERVICE_HANDLE={}\n"),
    "shell_heredoc": ("Shell", "cat > settings.ini <<END\nhandle = {}\nEND\n"),
    "shell_header": ("Shell", 'curl -H "Authorization: Bearer {}" https://api.acme.io/v1/me\n'),
    "yaml": ("YAML", "service:\n  handle: {}\n  port: 80\n"),
    "json": ("JSON", '{{"service": {{"handle": "{}"}}}}\n'),
    "go": ("Go", 'package a\n\nvar handle = "{}"\n'),
    "javascript": ("JavaScript", "const client = new Client('{}');\n"),
    "java": ("Java", 'class A {{ String handle() {{ return "{}"; }} }}\n'),
    "dockerfile": ("Dockerfile", "FROM alpine\nENV SERVICE_HANDLE={}\n"),
    "xml": ("XML", '<service handle="{}"/>\n'),
    "url": ("Text", "https://api.acme.io/v1/items?handle={}&page=2\n"),
    "markdown": ("Markdown", "Use `{}` for staging.\n"),
}
# How names tell secrets: form -> language, text, what is assigned.
TOLD: dict[str, tuple[str, str, Maker]] = {
    "python_constant": ("Python", 'API_KEY = "{}"\n', TOKEN),
    "python_typed": ("Python", 'api_token: str = "{}"\n', LONG),
    "python_final": ("Python", 'SECRET_KEY: Final[str] = "{}"\n', TOKEN),
    "python_keyword": ("Python", 'db = connect(host="db", user="app", password="{}")\n', password),
    "python_environ": ("Python", 'os.environ["OPENAI_API_KEY"] = "{}"\n', TOKEN),
    "python_getenv_default": ("Python", 'key = os.getenv("WEATHER_API_KEY", "{}")\n', HEX32),
    "python_dict": ("Python", 'config = {{"client_secret": "{}", "port": 3}}\n', TOKEN),
    "python_attribute": ("Python", "self.auth_token = '{}'\n", TOKEN),
    "python_bytes": ("Python", "signing_key = b'{}'\n", LONG),
    "python_compare": ("Python", 'if password == "{}":\n    grant()\n', password),
    "python_short": ("Python", 'password = "{}"\n', short_password),
    "python_header": ("Python", 'headers = {{"X-Api-Key": "{}"}}\n', TOKEN),
    "python_bearer": ("Python", 'headers = {{"Authorization": "Bearer {}"}}\n', LONG),
    "python_base64": ("Python", 'encryption_key = "{}"\n', based),
    "python_aws": ("Python", 'aws_secret_access_key = "{}"\n', of("[A-Za-z0-9+/]{40}")),
    "python_session": ("Python", 'aws_session_token = "{}"\n', of("[A-Za-z0-9+/]{300}")),
    "django": ("Python", 'SECRET_KEY = "django-insecure-{}"\n', of("[a-z0-9!@#%^&*(_=+)-]{50}")),
    "flask": ("Python", 'app.config["SECRET_KEY"] = "{}"\n', TOKEN),
    "python_uuid": ("Python", 'POSTMARK_API_KEY = "{}"\n', UUID),
    "python_hex": ("Python", 'WEATHER_API_KEY = "{}"\n', HEX32),
    "python_tuple": ("Python", "requests.get(url, auth=('deploy', '{}'))\n", password),
    "javascript_property": ("JavaScript", "const config = {{ apiKey: '{}', region: 'eu' }};\n", TOKEN),
    "javascript_const": ("JavaScript", 'const clientSecret = "{}";\n', TOKEN),
    "javascript_default": ("JavaScript", "const key = process.env.API_KEY || '{}';\n", TOKEN),
    "javascript_template": ("JavaScript", "const accessToken = `{}`;\n", TOKEN),
    "javascript_short": ("JavaScript", "login({{ user: 'bob', password: '{}' }});\n", short_password),
    "typescript_typed": ("TypeScript", 'const apiSecret: string = "{}";\n', TOKEN),
    "typescript_readonly": ("TypeScript", "class A {{ private readonly accessToken: string = '{}'; }}\n", LONG),
    "java_field": ("Java", 'class A {{ private static final String API_KEY = "{}"; }}\n', TOKEN),
    "java_setter": ("Java", 'class A {{ void a() {{ source.setPassword("{}"); }} }}\n', password),
    "java_property": ("Java", 'class A {{ void a() {{ props.put("password", "{}"); }} }}\n', password),
    "java_annotation": ("Java", 'class A {{ @Value("${{api.key:{}}}") String k; }}\n', TOKEN),
    "java_jdbc": (
        "Java",
        'class A {{ String u = "jdbc:mysql://db.acme.io/app?user=app&password={}&useSSL=true"; }}\n',
        password,
    ),
    "kotlin": ("Kotlin", 'const val API_KEY: String = "{}"\n', TOKEN),
    "kotlin_buildconfig": ("Kotlin", 'val k = field("String", "API_KEY", "\\"{}\\"")\n', TOKEN),
    "go_short": ("Go", 'package a\n\nfunc f() {{ apiKey := "{}"; use(apiKey) }}\n', TOKEN),
    "go_struct": ("Go", 'package a\n\nvar c = Config{{User: "app", Password: "{}"}}\n', password),
    "go_typed": ("Go", 'package a\n\nconst authToken string = "{}"\n', TOKEN),
    "go_byte": ("Go", 'package a\n\nvar jwtSecret = []byte("{}")\n', TOKEN),
    "rust_typed": ("Rust", 'const API_KEY: &str = "{}";\n', TOKEN),
    "rust_static": ("Rust", 'static SECRET_TOKEN: &\'static str = "{}";\n', TOKEN),
    "c_define": ("C", '#define WIFI_PASSWORD "{}"\n', password),
    "c_pointer": ("C", 'const char *api_key = "{}";\n', TOKEN),
    "c_array": ("C", 'static const char auth_token[] = "{}";\n', TOKEN),
    "cpp_string": ("C++", 'const std::string kApiKey = "{}";\n', TOKEN),
    "csharp_field": ("C#", 'class A {{ private const string ClientSecret = "{}"; }}\n', TOKEN),
    "csharp_ado": (
        "C#",
        'class A {{ string c = "Server=srv.acme.io;User ID=app;Password={};Encrypt=True;"; }}\n',
        password,
    ),
    "csharp_uid": ("C#", 'class A {{ string c = "Data Source=srv;uid=app;pwd={};"; }}\n', password),
    "php_define": ("PHP", "<?php\ndefine('DB_PASSWORD', '{}');\n", password),
    "php_array": ("PHP", "<?php\nreturn ['host' => 'db', 'password' => '{}'];\n", password),
    "php_variable": ("PHP", "<?php\n$db_pass = '{}';\n", password),
    "php_connect": ("PHP", "<?php\n$config['smtp_pass'] = '{}';\n", short_password),
    "ruby_symbol": ("Ruby", "config = {{ :secret_key => '{}' }}\n", TOKEN),
    "ruby_keyword": ("Ruby", "client = Client.new(access_token: '{}')\n", TOKEN),
    "ruby_block": ("Ruby", 'config.client_secret = "{}"\n', TOKEN),
    "ruby_fetch": ("Ruby", "key = ENV.fetch('API_KEY', '{}')\n", TOKEN),
    "scala": ("Scala", 'object A {{ val apiKey: String = "{}" }}\n', TOKEN),
    "swift": ("Swift", 'let apiKey: String = "{}"\n', TOKEN),
    "dart": ("Dart", "const String apiKey = '{}';\n", TOKEN),
    "lua": ("Lua", 'local api_key = "{}"\n', TOKEN),
    "perl": ("Perl", "my $password = '{}';\n", password),
    "r": ("R", 'api_key <- "{}"\n', TOKEN),
    "powershell": ("PowerShell", '$Password = "{}"\n', password),
    "powershell_secure": ("PowerShell", '$p = ConvertTo-SecureString "{}" -AsPlainText -Force\n', password),
    "gradle": ("Gradle", "android {{ signingConfigs {{ release {{ storePassword '{}' }} }} }}\n", password),
    "shell_unquoted": ("Shell", "API_KEY={}\nrun --fast\n", TOKEN),
    "shell_export": ("Shell", "export AWS_SECRET_ACCESS_KEY={}\n", of("[A-Za-z0-9+/]{40}")),
    "shell_inline": ("Shell", "PGPASSWORD={} psql -h db.acme.io -U app main\n", TOKEN),
    "shell_option": ("Shell", "mysqldump --user=app --password={} main > dump.sql\n", TOKEN),
    "shell_option_blank": ("Shell", "tool login --token {} --quiet\n", TOKEN),
    "shell_curl_user": ("Shell", "curl -u deploy:{} https://nexus.acme.io/repo/a.jar\n", TOKEN),
    "shell_sshpass": ("Shell", "sshpass -p '{}' ssh app@host\n", password),
    "shell_mysql": ("Shell", "mysql -uroot -p{} shop < dump.sql\n", TOKEN),
    "python_wandb": ("Python", "wandb.login(key='{}')\n", of("[0-9a-f]{40}")),
    "json_kaggle": ("JSON", '{{"username":"ada","key":"{}"}}\n', HEX32),
    "url_appid": ("Python", "url = 'https://api.acme.io/2.5/weather?q=x&appid={}'\n", HEX32),
    "shell_default": ("Shell", 'TOKEN="${{API_TOKEN:-{}}}"\n', TOKEN),
    "shell_docker_login": ("Shell", "docker login -u ci -p {} reg.acme.io\n", TOKEN),
    "shell_basic": ("Shell", 'curl -H "Authorization: Basic {}" https://acme.io\n', lambda draw: basic(draw)),
    "shell_npmrc": ("Shell", "echo '_auth={}' >> ~/.npmrc\n", lambda draw: basic(draw)),
    "env_password": ("Text", "DB_HOST=db.acme.io\nDB_PASSWORD={}\nDB_PORT=5432\n", password),
    "env_quoted": ("Text", 'JWT_SECRET="{}"\n', based),
    "env_key": (
        "Text",
        "APP_KEY=base64:{}\nAPP_DEBUG=true\n",
        lambda draw: base64.b64encode(draw.randbytes(32)).decode(),
    ),
    "properties": ("Text", "spring.datasource.password={}\n", password),
    "properties_spaces": ("Text", "api.secret = {}\n", TOKEN),
    "ini": ("INI", "[default]\naws_secret_access_key = {}\nregion = eu-west-1\n", of("[A-Za-z0-9+/]{40}")),
    "toml": ("TOML", '[db]\npassword = "{}"\n', password),
    "netrc": ("Text", "machine api.acme.io login jo password {}\n", password),
    "pgpass": ("Text", "PGPASSFILE holds db.acme.io:5432:main:app and pwd: {}\n", TOKEN),
    "yaml_unquoted": ("YAML", "environment:\n  POSTGRES_USER: app\n  POSTGRES_PASSWORD: {}\n", TOKEN),
    "yaml_quoted": ("YAML", 'auth:\n  client_secret: "{}"\n', TOKEN),
    "yaml_list": ("YAML", "environment:\n  - DB_PASSWORD={}\n", TOKEN),
    "yaml_short": ("YAML", "database:\n  user: app\n  password: {}\n", short_password),
    "yaml_rails": ("YAML", "production:\n  secret_key_base: {}\n  host: app.acme.io\n", of("[0-9a-f]{128}")),
    "yaml_name_value": ("YAML", "env:\n  - name: API_TOKEN\n    value: {}\n", TOKEN),
    "yaml_secret_data": ("YAML", "kind: Secret\ndata:\n  password: {}\n", based),
    "kubeconfig": ("YAML", "users:\n- name: ci\n  user:\n    token: {}\n", json_web_token),
    "json_password": ("JSON", '{{\n  "host": "db.acme.io",\n  "password": "{}"\n}}\n', password),
    "json_token": ("JSON", '{{"auth_token": "{}"}}\n', TOKEN),
    "json_docker": ("JSON", '{{"auths": {{"reg.acme.io": {{"auth": "{}"}}}}}}\n', lambda draw: basic(draw)),
    "json_escaped": ("Text", '{{"body": "{{\\"apiKey\\": \\"{}\\"}}"}}\n', TOKEN),
    "dockerfile_env": ("Dockerfile", "ENV DB_PASSWORD={}\n", TOKEN),
    "dockerfile_blank": ("Dockerfile", "ENV API_TOKEN {}\n", TOKEN),
    "dockerfile_arg": ("Dockerfile", "ARG GITHUB_TOKEN={}\n", of("[0-9a-f]{40}")),
    "xml_element": ("XML", "<server><username>ci</username><password>{}</password></server>\n", password),
    "xml_attribute": ("XML", '<connection user="app" password="{}"/>\n', password),
    "xml_add": ("XML", '<add key="ClientSecret" value="{}" />\n', password),
    "xml_name_value": ("XML", '<property name="hibernate.connection.password" value="{}"/>\n', password),
    "xml_android": ("XML", '<string name="maps_api_key">{}</string>\n', LONG),
    "plist": ("XML", "<key>APIKey</key>\n<string>{}</string>\n", TOKEN),
    "terraform": ("HCL", 'variable "db_password" {{\n  default = "{}"\n}}\n', TOKEN),
    "terraform_assign": ("HCL", '  master_password     = "{}"\n', password),
    "sql_identified": ("SQL", "CREATE USER app IDENTIFIED BY '{}';\n", password),
    "sql_with_password": ("SQL", "ALTER ROLE app WITH PASSWORD '{}';\n", password),
    "url_postgres": ("Python", 'DSN = "postgres://admin:{}@db.acme.io/main"\n', password),
    "url_short": ("Python", 'DSN = "mysql://root:{}@db.acme.io/main"\n', short_password),
    "url_mongodb": (
        "Python",
        'URI = "mongodb+srv://root:{}@cluster0.ab1cd.mongodb.net/test"\n',
        of("[A-Za-z0-9]{8}%40[A-Za-z0-9]{5}"),
    ),
    "url_redis": ("Python", 'URL = "redis://:{}@cache.acme.io:6379/0"\n', password),
    "url_amqp_slash": ("Python", 'URL = "amqp://svc:{}@mq.acme.io:5672/"\n', of("[A-Za-z0-9]{6}/[A-Za-z0-9]{8}")),
    "url_https": ("Shell", "git clone https://ci:{}@git.acme.io/team/app.git\n", TOKEN),
    "url_query": ("Python", 'get("https://api.acme.io/v1/x?api_key={}&units=si")\n', TOKEN),
    "url_token": ("Python", 'get("https://api.acme.io/v1/x?a=1&access_token={}")\n', TOKEN),
    "url_signature": (
        "Python",
        'U = "https://acme.blob.core.windows.net/c/f?sv=2022-11-02&sp=rl&sig={}"\n',
        of("[A-Za-z0-9]{43}%3D"),
    ),
    "dsn_libpq": ("Python", 'DSN = "host=db.acme.io user=app password={} dbname=main"\n', password),
    "azure_connection": (
        "Python",
        'C = "DefaultEndpointsProtocol=https;AccountName=a;AccountKey={};EndpointSuffix=core.windows.net"\n',
        of("[A-Za-z0-9+/]{86}=="),
    ),
    "azure_bus": (
        "Python",
        'C = "Endpoint=sb://a.servicebus.windows.net/;SharedAccessKeyName=R;SharedAccessKey={}"\n',
        of("[A-Za-z0-9+/]{43}="),
    ),
    "comment_password": ("Python", "# the admin password is: {}\nx = 1\n", password),
    "comment_old": ("Python", '# old: API_KEY = "{}"\nx = 1\n', TOKEN),
    "putty": (
        "Text",
        "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nPrivate-Lines: 1\n{}\nPrivate-MAC: 00\n",
        of("[A-Za-z0-9+/]{64}"),
    ),
    "discord_webhook": (
        "Python",
        'H = "https://discord.com/api/webhooks/123456789012345678/{}"\n',
        of("[A-Za-z0-9_-]{68}"),
    ),
    "teams_webhook": (
        "Python",
        'H = "https://acme.webhook.office.com/webhookb2/0f-1@2/IncomingWebhook/{}/0a1b"\n',
        of("[0-9a-f]{32}"),
    ),
    "wifi": ("C++", 'const char* passphrase = "{}";\n', password),
    "htaccess_heredoc": ("Shell", "psql <<SQL\nALTER USER app PASSWORD '{}';\nSQL\n", password),
}


def basic(draw: random.Random) -> str:
    """Return a login and a password as the header of HTTP has them."""
    return base64.b64encode(f"deploy:{drawn('[A-Za-z0-9]{18}', draw)}".encode()).decode()


TOP_LEVEL_DOMAINS = (
    "com co.uk ac.id com.py gg cat kz berlin software digital studio agency md sh rs pl ai to ws is la ly pm so st "
    "foundation email world systems solutions xn--p1ai photography gal bzh swiss hamburg ninja rocks"
)
EMAILS: dict[str, tuple[str, str]] = {
    **{f"tld_{tld}": ('MAIL = "{}"\n', f"jo.miller@acme-works.{tld}") for tld in TOP_LEVEL_DOMAINS.split()},
    "plus": ('MAIL = "{}"\n', "ops+alerts@acme-widgets.io"),
    "upper": ('MAIL = "{}"\n', "KARL.BAUER@ACME-WIDGETS.COM"),
    "subdomain": ("# by {}\n", "mara@lab.cs.uni-stadt.de"),
    "angle": ("# Author: T. Okafor <{}>\n", "t.okafor@acme-widgets.ng"),
    "angle_short_tld": ("# Author: B. Susilo <{}>\n", "budi.s@kampus.id"),
    "mailto": ("LINK = \"<a href='mailto:{}'>\"\n", "press@acme-widgets.fr"),
    "idn": ('MAIL = "{}"\n', "hans@müller-bau.de"),
    "idn_tld": ('MAIL = "{}"\n', "ivan@почта.рф"),
    "idn_name": ('MAIL = "{}"\n', "jörg.müller@acme-works.de"),
    "cjk": ('MAIL = "{}"\n', "user1@例え.jp"),
    "percent": ('URL = "https://acme.io/u?mail={}"\n', "li.wei%40acme-widgets.cn"),
    "words_brackets": ("# contact: {}\n", "sam [at] acme-widgets [dot] com"),
    "words_parentheses": ("# contact: {}\n", "sam(at)acme-widgets.com"),
    "words": ("# contact: {}\n", "sam.doe at acme-widgets dot com"),
    "entity": ('HTML = "{}"\n', "rosa&#64;acme-widgets.com"),
    "literal": ('MAIL = "{}"\n', "root@[93.184.216.34]"),
    "underscore": ('MAIL = "{}"\n', "_ops_@acme-widgets.net"),
    "apostrophe": ('MAIL = "{}"\n', "o'neil@acme-widgets.ie"),
    "trailer": ("Signed-off-by: Dana W <{}>\n", "dana.w@acme-widgets.org"),
    "url_user": ('REPO = "https://{}@bitbucket.org/acme/x.git"\n', "jo.smith@acme-widgets.com"),
    "copyright": ("// Copyright 2020 Jo Smith ({})\n", "jo@smith-soft.dev"),
    "after_escape": ('x = "\\n{}"\n', "nora@acme-widgets.se"),
    "json": ('{{"author": {{"email": "{}"}}}}\n', "lee.park@acme-widgets.kr"),
    "xml": ("<email>{}</email>\n", "lee.park@acme-widgets.kr"),
    "yaml": ("maintainer: Ana Ruiz <{}>\n", "ana@ruiz.com.mx"),
    "slash": ('x = "{}"\n', "dept/jo@acme-widgets.com"),
}
IPS: dict[str, tuple[str, str]] = {
    "v4": ('HOST = "{}"\n', "93.184.216.34"),
    "v4_port": ('A = "{}:8443"\n', "185.199.108.153"),
    "v4_cidr": ('N = "{}/27"\n', "91.198.174.192"),
    "v4_url": ('U = "http://{}/api"\n', "104.16.132.229"),
    "v4_small": ('HOST = "{}"\n', "5.9.8.7"),
    "v4_two_small": ('HOST = "{}"\n', "45.33.3.9"),
    "v4_octal": ('HOST = "{}"\n', "052.048.010.020"),
    "v4_shell": ("ssh app@{}\n", "93.184.216.34"),
    "v4_ptr": ('P = "{}.in-addr.arpa"\n', "34.216.184.93"),
    "v4_comment": ("# served from {}, behind nginx\n", "93.184.216.34"),
    "v4_list": ('H = ["10.0.0.1", "{}"]\n', "93.184.216.34"),
    "v4_log": ("{} - - [10/Oct/2020] GET /\n", "93.184.216.34"),
    "v6": ('HOST = "{}"\n', "2a00:1450:4001:81b::200e"),
    "v6_full": ('HOST = "{}"\n', "2a02:26f0:0dae:0001:0000:0000:0000:1f6b"),
    "v6_port": ('U = "http://[{}]:8080/"\n', "2600:1f18:24e6:b900::5"),
    "v6_upper": ('H = "{}"\n', "2A03:2880:F12F:83:FACE:B00C:0:25DE"),
    "v6_mapped": ('H = "{}"\n', "::ffff:93.184.216.35"),
    "v6_trailing": ('N = "{}/64"\n', "2a01:4f8:c17:b8f::"),
    "v6_short": ('H = "{}"\n', "2a0c::42"),
    "v6_zone": ('H = "{}%eth0"\n', "2a01:4f8:c17:b8f::2"),
    "v6_dotted": ('H = "{}"\n', "2a02:6b8::93.184.216.36"),
    "v6_shell": ("ping6 {}\n", "2a01:4f8:c17:b8f::2"),
    "v6_cloud": ('H = "{}"\n', "2001:4998:44:3507::8000"),
    "v6_comment": ("# at {}.\n", "2a00:1450:4001:81b::200e"),
}
# What stays: form -> language, text; `{CLASS}{COUNT}` in it is drawn.
NEAR_MISSES: dict[str, tuple[str, str]] = {
    # numbers with dots and colons
    "version": ("Python", '__version__ = "1.2.3.4"\n'),
    "version_macos": ("Python", 'MIN = "10.15.7.2"  # macOS build\n'),
    "version_browser": ("Python", 'B = ["chrome 119.0.6045.105", "edge 118.0.2088.76"]\n'),
    "version_agent": ("Python", 'UA = "Mozilla/5.0 (Windows NT 10.0) Chrome/91.0.4472.124 Safari/537.36"\n'),
    "version_assembly": ("Python", 'ASM = "System.Xml, Version=4.0.30319.42000"\n'),
    "version_file": ("Python", 'FILE_VERSION = "11.22.33.44"\n'),
    "version_driver": ("Python", 'DRIVER_VERSION = "31.0.15.3699"\n'),
    "version_nuget": ("XML", '<PackageReference Include="X" Version="12.0.33.21" />\n'),
    "version_maven": ("Python", 'G = "org.acme.tools:widget:10.2.30.44"\n'),
    "version_kernel": ("Python", 'KERNEL = "Linux 5.15.167.4-microsoft-standard-WSL2"\n'),
    "version_v": ("Shell", "git checkout v20.11.30.12\n"),
    "version_requirement": ("Text", "widget==12.31.45.67\nother>=23.4.55.66\n"),
    "version_jar": ("Text", "lib/widget-12.31.45.67.jar\n"),
    "version_deb": ("Text", "Version: 12.31.45.67-1ubuntu2\n"),
    "version_rc": ("C", "FILEVERSION 12,31,45,67\n// 12.31.45.67-beta\n"),
    "private": ("Python", 'HOSTS = ["10.20.30.40", "192.168.178.1", "172.16.3.4", "127.0.0.1", "0.0.0.0"]\n'),
    "mask": ("Python", 'MASKS = ["255.255.255.0", "255.255.240.0", "255.0.0.0"]\n'),
    "dns": ("Python", 'DNS = ["8.8.8.8", "1.1.1.1", "9.9.9.9"]\n'),
    "metadata": ("Python", 'META = "http://169.254.169.254/latest/meta-data/"\n'),
    "documentation_nets": (
        "Python",
        'H = ["192.0.2.17", "198.51.100.23", "203.0.113.99", "2001:db8::8a2e:370:7334"]\n',
    ),
    "multicast": ("Python", 'GROUPS = ["239.255.255.250", "224.0.0.251", "ff02::1"]\n'),
    "loopback6": ("Python", 'H = ["::1", "fe80::1ff:fe23:4567:890a", "fd12:3456:789a::1", "::"]\n'),
    "oid": ("Python", 'OIDS = ["1.3.6.1", "2.5.4.3", "2.5.29.17", "1.2.840.113549.1.1.11", "1.3.132.0.34"]\n'),
    "oid_long": ("Python", 'SHA = "2.16.840.1.101.3.4.2.1"\n'),
    "section": ("Python", "# see section 12.14.20.31 of the standard\n"),
    "section_rfc": ("Python", "# RFC 5280, 10.24.13.52 says so\n"),
    "mac": ("Python", 'MAC = "20:01:4a:fe:9b:3c"\n'),
    "mac_dots": ("Python", 'MAC = "2001.4afe.9b3c"\n'),
    "time": ("Python", 'T = "23:59:59.999"\n'),
    "numbers": ("Python", "X = [3.1, 41.5, 92.65, 35.89]\n"),
    "dotted": ("Python", 'LAYOUT = "64.128.256.512"\n'),
    "cpp_scopes": ("C++", "std::vector<abcd::ef12::beef>::iterator it;\nusing A = face::b00c;\n"),
    "rust_scopes": ("Rust", "use a::b::c;\nlet x = add::fade::bead(2);\n"),
    "hexdump": ("Text", "0000: 2001 0db8 85a3 0000 2a00:1450\n"),
    "ratio": ("Python", 'ASPECTS = ["16:9", "4:3:2", "2001:9:11"]\n'),
    # what has an @
    "example_mail": (
        "Python",
        'MAIL = ["alice@example.com", "bob@mail.example.org", "c@example.net", "root@localhost"]\n',
    ),
    "example_reserved": ("Python", 'MAIL = ["a@b.test", "a@b.invalid", "a@foo.example", "x@host.local"]\n'),
    "git_remote": ("Python", 'URL = "git@github.com:acme/widget.git"\n'),
    "git_remote_other": ("Python", 'URL = "git@git.acme.io:acme/widget.git"\n'),
    "git_ssh": ("Text", 'uses = "ssh://git@git.acme.io:7999/team/widget.git"\n'),
    "email_pattern": ("Python", 'PATTERN = r"^[\\w.+-]+@[\\w-]+\\.[\\w.-]+$"\n'),
    "decorator": ("Python", "@app.route\ndef index(): return 1\n"),
    "decorator_dotted": ("Python", "@click.option.group.io\ndef index2(): return 1\n"),
    "matmul": ("Python", "C = A@B.T\nD = x@model.weight.co\n"),
    "matmul_tld": ("Python", "y = x@w.data\nz = q@k.mT\nu = a@self.proj.app\nv = (h@self.w.id).sum()\n"),
    "npm_spec": ("Python", 'DEP = "@scope/pkg@1.2.3"\n'),
    "npm_spec_plain": ("JSON", '{{"x": "npm:string-width@4.2.3", "y": "lodash@latest"}}\n'),
    "retina": ("CSS", "a {{ background: url(logo@2x.png) }}\n"),
    "retina_more": ("Python", 'F = ["icon@3x.webp", "img@2x.app.png"]\n'),
    "digest": ("Python", 'IMAGE = "python@sha256:{64h}"\n'),
    "ssh_algorithms": ("Python", 'KEX = "curve25519-sha256@libssh.org,aes256-gcm@openssh.com"\n'),
    "social": ("Python", 'HANDLE = "@acme_io"\n'),
    "media_query": ("CSS", "@media (min-width: 640px) {{ a {{ color: #a1b2c3 }} }}\n@import.url x;\n"),
    "ruby_instance": ("Ruby", "x = a+@name.to\ny = [@user.id, @post.me]\n"),
    "php_suppress": ("PHP", "<?php\n$x = @$array.name;\n"),
    "java_annotation": ("Java", "class A {{ int f(@javax.inject.Named String n) {{ return 1; }} }}\n"),
    "razor": ("HTML", "<p>Hello@Model.Name and @user.email.id</p>\n"),
    "python_at_module": ("Text", "pkg@main.py and task@host.md\n"),
    "noreply": ("Text", "Co-authored-by: x <12345+x@users.noreply.github.com>\nnoreply@acme.io\n"),
    "user_at_host": ("Shell", "scp user@host.com:/tmp/a .\nssh username@server\n"),
    "placeholder_mail": ("Python", 'MAIL = "your.email@domain.com"; B = "user@domain.tld"\n'),
    "symbol_version": ("Text", "memcpy@GLIBC_2.2.5 printf@plt foo@@VERS_1.0\n"),
    "maildir": ("Text", "systemd unit getty@tty1.service and user@1000.service\n"),
    # hashes and identifiers
    "uuid": ("Python", 'ID = "123e4567-e89b-12d3-a456-426614174000"\n'),
    "sha1": ("Python", 'COMMIT = "{40h}"\n'),
    "md5": ("Python", 'DIGEST = "{32h}"\n'),
    "sha256": ("Python", 'assert sha256(b"abc").hexdigest() == "{64h}"\n'),
    "short_commit": ("Python", 'REV = "a1b2c3d4e5f6"\n'),
    "integrity": ("HTML", '<script src="a.js" integrity="sha384-{64b}" crossorigin="anonymous"></script>\n'),
    "lock_npm": (
        "JSON",
        '{{"resolved": "https://registry.npmjs.org/a/-/a-1.0.0.tgz", "integrity": "sha512-{86b}=="}}\n',
    ),
    "lock_poetry": ("TOML", 'files = [{{file = "a.whl", hash = "sha256:{64h}"}}]\n'),
    "lock_cargo": ("TOML", '[[package]]\nname = "token"\nversion = "1.0"\nchecksum = "{64h}"\n'),
    "lock_go": ("Text", "github.com/acme/auth v0.5.11 h1:{43b}=\ngithub.com/acme/secret v0.5.11/go.mod h1:{43b}=\n"),
    "lock_yarn": ("Text", 'jsonwebtoken@^9.0.0:\n  resolved "https://r.io/j.tgz#{40h}"\n  integrity sha512-{86b}==\n'),
    "nix": ("Nix", 'src = fetchurl {{ url = "x"; sha256 = "{52n}"; }};\n'),
    "requirements_hash": ("Text", "pyjwt==2.8.0 --hash=sha256:{64h}\n"),
    "homebrew": ("Ruby", 'sha256 "{64h}"\n'),
    "bazel": ("Python", 'http_archive(name = "secret_lib", sha256 = "{64h}")\n'),
    "git_pin": ("YAML", "uses: actions/checkout@{40h}\n"),
    "etag": ("Python", "ETAG = 'W/\"{27b}\"'\n"),
    "gist": ("Python", 'GIST = "https://gist.github.com/acme/{32h}"\n'),
    "png": ("Python", 'PNG = "data:image/png;base64,iVBORw0KGgo{300b}"\n'),
    "public_key": ("Text", "ssh-rsa AAAAB3NzaC1yc2E{340b} jo\n"),
    "public_key_pem": ("Python", 'PUB = """-----BEGIN PUBLIC KEY-----\n{64b}\n{64b}\n-----END PUBLIC KEY-----"""\n'),
    "certificate": ("Python", 'C = """-----BEGIN CERTIFICATE-----\n{64b}\n{64b}\n-----END CERTIFICATE-----"""\n'),
    "public_key_name": ("Python", 'public_key = "{43b}="\npublicKeyToken = "b77a5c561934e089"\n'),
    "dotnet_token": ("Python", 'A = "mscorlib, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089"\n'),
    "hash_constants": ("C", "static const unsigned k[] = {{0x428a2f98, 0x71374491, 0xb5c0fbcf}};\n"),
    "test_vector": ("Python", 'assert base64(b"foobar") == "Zm9vYmFy"\n'),
    "alphabet": ("Python", 'secret_alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"\n'),
    "alphabet_base64": ("Python", 'TOKEN_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"\n'),
    "alphabet_plain": ("JavaScript", "const key = '0123456789abcdefghijklmnopqrstuvwxyz';\n"),
    "isbn": ("Python", 'ISBN = "978-3-16-148410-0"\n'),
    "dna": ("Python", 'S = "GGGCACCAACCATCACCACCAACCAACCACCAAT"\n'),
    "source_map": ("JSON", '{{"mappings": "AAAA,SAASA,KAAKC,GACZC,QAAQC"}}\n'),
    "css_class": ("HTML", '<div class="css-1x2y3z4 sc-bdVaJa jss123"></div>\n'),
    "color": ("CSS", "a {{ --token-color: #a1b2c3d4; --auth-bg: rgba(1,2,3,.4) }}\n"),
    "chunk": ("HTML", '<script src="/static/js/main.8f3a2b1c.chunk.js"></script>\n'),
    "regex_token": ("Python", 'TOKEN = r"[A-Za-z0-9_]+(?:\\.[0-9]{{1,3}})*"\n'),
    "primary_key": ("Python", 'cache_key = "user-profile-v2-1a2b3c"\nprimary_key = "user_id_1"\n'),
    "storage_key": ("JavaScript", "const STORAGE_KEY = 'app.settings.v2.2024';\n"),
    "keyboard": ("JSON", '{{"key": "ctrl+shift+f12", "command": "run.task2"}}\n'),
    "license": ("Python", 'license_key = "license"\nkeyword = "a1b2c3"\n'),
    "analytics": ("HTML", "<script>gtag('config', 'G-AB12CD34EF'); ga('create', 'UA-12345678-1')</script>\n"),
    "tokens_count": ("Python", 'max_tokens = 4096\nnum_tokens="1,024"\ntoken_ids = [1, 2, 3]\n'),
    "tokenizer": ("Python", 'tokenizer = "meta-llama/Llama-3.1-8B-Instruct"\neos_token = "<|endoftext|>"\n'),
    "pad_token": ("JSON", '{{"pad_token": "[PAD]", "bos_token": "<s>", "unk_token": "▁<0x0A>"}}\n'),
    # what names of secrets hold that is none
    "literal": ("Python", 'password = "password"\n'),
    "environ": ("Python", 'password = os.environ["DB_PASSWORD"]\n'),
    "getpass": ("Python", 'password = getpass("Password for admin: ")\n'),
    "placeholder_caps": ("Python", 'api_key = "YOUR_API_KEY_GOES_HERE"\n'),
    "placeholder_your": ("Python", 'api_key = "your-api-key"\nsecret = "your-secret-here"\n'),
    "placeholder_angle": ("YAML", "password: <your-password-123>\n"),
    "placeholder_x": ("Python", 'api_key = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"\ntoken = "XXXXXXXXXXXX1234"\n'),
    "placeholder_stars": ("Python", 'password = "********"\nsecret = "....."\n'),
    "placeholder_change": ("YAML", "password: changeme123\nsecret_key: change-this-1\n"),
    "placeholder_sample": ("Python", 'token = "sample-token-123"\nkey = "dummy_key_1234567890"\n'),
    "placeholder_zero": ("Python", 'api_key = "00000000000000000000000000000000"\ntoken = "0000-1111-2222"\n'),
    "placeholder_sequence": (
        "Python",
        'api_key = "1234567890abcdef"\ntoken = "abcdefghijklmnop"\npassword = "123456"\n',
    ),
    "placeholder_redacted": ("JSON", '{{"password": "REDACTED", "token": "[FILTERED]", "secret": "sk-..."}}\n'),
    "placeholder_insert": ("Shell", 'export API_KEY="<insert key 1 here>"\nAPI_TOKEN=INSERT_TOKEN_HERE_1\n'),
    "template": ("Python", 'password = "{{{{ db_password }}}}"\n'),
    "template_yaml": (
        "YAML",
        "password: {{{{ .Values.db.password1 | b64enc }}}}\ntoken: ${{{{ secrets.GH_TOKEN2 }}}}\n",
    ),
    "template_env": ("YAML", "password: ${{DB_PASSWORD_2}}\nsecret: $SECRET_KEY_1\ntoken: %TOKEN_1%\n"),
    "shell_variable": (
        "Shell",
        'DSN="postgres://app:${{DB_PASSWORD}}@db/main"\nPASSWORD=$1\nTOKEN=$(cat /run/token1)\n',
    ),
    "shell_backtick": ("Shell", "PASSWORD=`openssl rand -hex 12`\nTOKEN=$(vault read -field=x secret/a1)\n"),
    "format": ("Python", 'DSN = f"postgres://{{user}}:{{password}}@{{host}}/main"\n'),
    "format_percent": ("Python", 'DSN = "postgres://%s:%s@%s/main" % (user, password, host)\n'),
    "field_name": ("Python", 'passwordField = "txtPasswordConfirmation"\n'),
    "label": ("Python", 'passwordLabel = "Enter your new password"\n'),
    "translation": ("Python", 'labels = {{"password": "MotDePasseOublié", "token": "Jeton2"}}\n'),
    "translation_json": ("JSON", '{{"password": "Passwort", "forgot_password": "Passwort vergessen?"}}\n'),
    "url_path": ("Python", 'password_reset_url = "/accounts/password/reset/confirm"\n'),
    "header_name": ("Python", 'api_key_header = "X-Acme-Api-Key"\n'),
    "token_url": ("Python", 'token_url = "https://login.acme.io/oauth2/v2.0/token"\n'),
    "key_path": ("Python", 'private_key_path = "/etc/ssl/private/server-2048.pem"\nprivate_key = "keys/id_rsa_4096"\n'),
    "arn": ("Python", 'secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-Ab3dEf"\n'),
    "secret_ref": ("Python", 'secret = "projects/123/secrets/db-pass/versions/2"\nkey = "vault:secret/data/app#pw1"\n'),
    "secret_name": ("YAML", "secretName: app-tls-2024-prod1\nexistingSecret: redis-auth-v2\n"),
    "secret_key_ref": ("YAML", "secretKeyRef:\n  name: db-secret-1\n  key: password2\n"),
    "password_pattern": ("Python", 'password_regex = r"^(?=.*[A-Z])(?=.*\\d).{{8,}}$"\n'),
    "password_hash_name": ("Python", 'password_hasher = "pbkdf2_sha256"\npassword_algorithm = "argon2id"\n'),
    "token_type": ("Python", 'access_token_type = "urn:ietf:params:oauth:token-type:access_token"\n'),
    "enumeration": ("Python", 'secret_type = "AUTH_CODE_PKCE_S256"\n'),
    "column": ("Python", 'auth_token_column = "user_auth_token_v2_created"\n'),
    "kind_of_secret": ("Python", 'KIND_SECRET = "kubernetes.io/service-account-token"\n'),
    "token_class": ("Python", "TOKEN_STRING2 = 'STRING2'\ntoken = Token2(kind)\ntoken=self.token2\n"),
    "token_kind": ("JavaScript", "const token = TOKEN_TYPES.IDENT2;\nlet secret = config.secret2;\n"),
    "typed": ("TypeScript", "interface A {{ password: string; token: Token2 | null; secret?: Uint8Array }}\n"),
    "typed_python": ("Python", "def f(password: str = None, token: bytes32 = b'') -> int:\n    return 1\n"),
    "typed_go": ("Go", 'package a\n\ntype A struct {{\n\tPassword string `json:"password2"`\n\tToken uint64\n}}\n'),
    "columns_sql": ("SQL", "CREATE TABLE u (password VARCHAR(255), token CHAR(64), secret BYTEA);\n"),
    "input_html": ("HTML", '<input type="password" id="password2" name="password" value="" placeholder="Password1">\n'),
    "autocomplete": ("HTML", '<input autocomplete="current-password"><input autocomplete="new-password">\n'),
    "function_call": (
        "Python",
        'password = make_password("a b")\nsecret = b64decode(x1)\ntoken = secrets.token_hex(16)\n',
    ),
    "prose": ("Text", "password: at least eight characters\nThe token: see chapter 4.\n"),
    "prose_combination": ("Text", "username/password combination.\n\nR5: Regulatory--21\n"),
    "documented_parameter": ("Python", '"""\n:param password: the password of user1\n:type token: str2\n"""\n'),
    "options_help": ("Text", "  --password=PASSWORD1   password of the database\n  --token TOKEN2\n"),
    "aws_example": ("Python", 'KEY = "AKIA" "IOSFODNN7EXAMPLE"\nID = "AKIA' + 'IOSFODNN7EXAMPLE"\n'),
    "url_example": ("Python", 'URL = "https://user:password@example.com/"\n'),
    "url_credentials": (
        "Python",
        'A = "redis://user:pass@host:6379"; B = "postgres://postgres:postgres@localhost/db"\n',
    ),
    "url_port": ("Python", 'A = "http://host:8080/@scope/pkg"; B = "http://a:80@c"\n'),
    "url_scheme": ("Text", "http://[2001:db8::1]:8080/@x and https://medium.com/@acme2/a-b1c2\n"),
    "key_marks": ("Python", 'B = "-----BEGIN RSA PRIVATE KEY-----"\nE = "-----END RSA PRIVATE KEY-----"\n'),
    "key_parser": (
        "Python",
        'def f(t):\n    t = t.replace("-----BEGIN PRIVATE KEY-----", "")\n'
        '    return t.replace("-----END PRIVATE KEY-----", "")\n',
    ),
    "jwt_like": ("Python", "NAME = 'eyJ is a prefix'\n"),
    "prefixes": ("Python", 'P = ["ghp_", "sk_live_", "xoxb-", "glpat-", "AKIA", "hf_", "SG."]\n'),
    "prefix_words": ("Python", 'A = "sk-learn-contrib-py-earth-datasets"; B = "hf_hub_download_with_retries_x"\n'),
    "prefix_npm": ("Python", 'U = "npm_config_user_agent_string_value_for_x"\n'),
    "prefix_re": ("Python", "re_compile_pattern_with_flags(x)\nr8_unorm_srgb_texture_format = 1\n"),
    "prefix_pat": ("Python", 'x = "pattern.compile.of.something"\nkey_value_pairs = key - value\n'),
    "prefix_gsk": ("C", "gsk_render_node_draw_with_cairo_context_and_more();\n"),
    "camel_methods": ("Text", "getPagesInConfluenceSpace,searchConfluenceUsingCql\n"),
    "test_method": (
        "Java",
        "class A {{ void Refund_ShouldThrowRgsInternalException_WhenRgsTicketCancellationFails() {{}} }}\n",
    ),
    "token_id": ("JavaScript", "const a = {{ tokenizationId: '{32h}' }};\n"),
    "client_id": ("Python", 'client_id = "{32h}"\n'),
    "public_ids": ("JavaScript", "const a = {{ appId: '1:123456789012:web:{22h}', projectId: 'acme-1' }};\n"),
    "placeholders": ("Python", "SECRET_1 = EMAIL_ADDRESS_2 = IP_ADDRESS_1 = None\n"),
    "placeholders_told": ("Python", 'password = "SECRET_1"\napi_key = "SECRET_22"\n'),
    "xml_schema": (
        "XML",
        '<a xmlns="urn:schemas-acme-com:asm.v1" token="urn:uuid:{8h}-0000-0000-0000-000000000000"/>\n',
    ),
    "cache_token": ("Python", 'sentinel_token = object()\ncsrf_token_name = "csrfmiddlewaretoken2"\n'),
    "sort_key": ("Python", 'sort_key = "created_at2"\nkey="abc123DEF"\n'),
    "base64_image_key": ("JSON", '{{"key": "iVBORw0KGgo{60b}", "type": "image"}}\n'),
    "sops": ("YAML", "password: ENC[AES256_GCM,data:{24b},iv:{43b}=,type:str]\n"),
    "ansible_vault": ("YAML", "password: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  {64h}\n"),
    "file_reference": ("YAML", "password_file: /run/secrets/db-pass1\ntoken: file:/etc/token1.txt\n"),
    "boolean": ("YAML", "password: true\nauth: false\nsecret: null\ntoken: ~\nauth_token: 0\n"),
    "minified": ("JavaScript", "function a(b){{this.token=b.token1;this.secret=c2.d;var e=b.password||f3}}\n"),
    "assembly": ("Text", "secret = 0x7fff5fbff8c0\npassword: movl $0x10, %eax\n"),
    "test_names": ("Python", 'def test_password_v2_is_hashed(): assert token == "token2"\n'),
    "licence_text": ("Text", "Token ring 802.5 and password manager 1.2.3 for x86_64-linux\n"),
}
CLASSES = {"h": "[0-9a-f]", "b": "[A-Za-z0-9+/]", "n": "[0-9a-z]"}
PER_FORM = 3
SHORTEST_REST = 8  # of a value that counts as left


def secrets() -> Iterator[Case]:
    """Give marked keys, each in three places, and what names tell."""
    for name, make in SECRETS.items():
        draw = random.Random(name)
        for place in draw.sample(sorted(PLACES), PER_FORM):
            language, text = PLACES[place]
            value = make(draw)
            if "\n" in value and language not in ("Text", "Markdown"):
                value = value.replace("\n", "\\n")
            yield Case("key", name, language, text.format(value), value)
    for name, (language, text, make) in TOLD.items():
        draw = random.Random(name)
        for _ in range(PER_FORM):
            value = make(draw)
            yield Case("told", name, language, text.format(value), value)


def addresses() -> Iterator[Case]:
    """Give e-mail and IP addresses."""
    for kind, forms in (("email", EMAILS), ("ip", IPS)):
        for name, (text, value) in forms.items():
            yield Case(kind, name, "Python", text.format(value), value)


def near_misses() -> Iterator[Case]:
    """Give what must stay as it is."""
    for name, (language, text) in NEAR_MISSES.items():
        draw = random.Random(name)

        def characters(match: re.Match[str], draw: random.Random = draw) -> str:
            return drawn(f"{CLASSES[match[2]]}{{{match[1]}}}", draw)

        filled = re.sub(r"\{(\d+)([hbn])\}", characters, text)
        yield Case("near_miss", name, language, filled.replace("{{", "{").replace("}}", "}"))


def all_cases() -> list[Case]:
    """Return all of them."""
    return [*secrets(), *addresses(), *near_misses()]


def is_right(case: Case) -> bool:
    """Return whether a planted value is gone whole, and a near-miss as it was."""
    clean = sanitize(case.text)[0]
    if case.kind == "near_miss":
        return clean == case.text
    rests = range(max(1, len(case.value) - SHORTEST_REST + 1))
    return not any(case.value[at : at + SHORTEST_REST] in clean for at in rests)
