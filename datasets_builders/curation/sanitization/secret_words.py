"""Words of the names by which `secret_values.py` tells what a value is."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Names of passwords, which people choose, and of what is drawn.
PASSWORDS = _words(
    """
    password passwd passwort passphrase passcode pwd pass pw senha kennwort userpass dbpass pgpassword
    """
)
DRAWN = _words(
    """
    secret token credential credentials auth authorization apikey accesskey accountkey apitoken
    """
)
# `key` is a secret's name behind these words, and never behind those.
SECRET_KEYS = _words(
    """
    api access account secret private auth encryption signing master service subscription consumer app shared admin
    storage client license licence deploy jwt hmac crypto cipher aes session security functions sdk authentication
    pre psk wifi maps signature webhook integration
    """
)
NO_KEYS = _words(
    """
    public primary foreign cache sort partition row hash group index map dict storage lookup unique natural
    composite ssh host gpg pgp translation message i18n locale json config object metric label event route query
    """
)
# A token behind one of these is a piece of text or a number.
NO_TOKENS = _words(
    """
    pad bos eos unk cls sep mask num max min next prev previous last first start end stop special total input output
    public continuation page sync cancellation request change client idempotency image begin split text punctuation
    lexer parser current word
    """
)
# A name that ends so says where a secret is, or what; or it is a method.
NOT_A_VALUE = _words(
    """
    url uri path file filename dir folder directory name names id ids arn type types regex regexp pattern label hint
    message messages placeholder field fields column header headers param parameter selector input class css length
    size len min max policy ttl expiry expires expiration expire alg algo algorithm hasher hashers hash hashed
    digest salt endpoint env var variable prefix suffix format version count enum kind provider manager service ref
    alias title description error errors reset help page route view template alphabet chars charset characters
    method grant scope scopes strength validator validators validation confirm confirmation changed required enabled
    store storage handler factory list index position pos offset limit start end is has check checker generator
    location mode status state code codes event events action button form link icon screen dialog tokens keys
    tokenizer encode decode replace split join strip startswith endswith equals matches match contains append update
    lower upper refs source sources target server issuer audience host port user username email time date timeout
    commit revision rev sha md checksum fingerprint integrity etag
    """
)
# Words that make a value that a person wrote no password, ...
COMMON_WORDS = _words(
    """
    password passwd pass passphrase pwd secret token test none null undefined env config default user admin login
    field input value string text sha md pbkdf bcrypt argon scrypt aes rsa utf base uint int bytes hmac oauth http
    https param option encrypt decrypt auth credential credentials temp demo local column name key version iso rfc
    ipv
    """
)
# ... and a value that looks drawn a name.
WORDS_OF_NAMES = _words(
    """
    access api key token secret password passwd private public client credential config type
    """
)
# A function so called is given a name or a prompt.
READERS = _words(
    """
    get find fetch load read lookup ask request prompt check verify is has
    """
)
