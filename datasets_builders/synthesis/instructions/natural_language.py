"""Section 2.4: whether a text is English or Chinese, told by its script and its commonest words, code left out."""

import re
from collections import Counter

from datasets_builders.synthesis.instructions.code_blocks import split_fences

LANGUAGES = ("en", "zh")
MIN_WORDS = 6  # of a shorter text its commonest words say nothing
MIN_HAN_FRACTION = 0.25  # of words, a character being one: Chinese about code is full of Latin names
MIN_COMMON_FRACTION = 0.12
_INLINE_CODE = re.compile(r"`[^`\n]+`")
_URL = re.compile(r"https?://\S+")
_LATIN_WORD = re.compile(r"[^\W\d_]+(?:'[a-z]+)?")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_KANA = re.compile(r"[\u3040-\u30ff\u31f0-\u31ff]")
_HANGUL = re.compile(r"[\u1100-\u11ff\uac00-\ud7af]")
# The commonest words of languages in Latin script; what English shares with another counts for neither.
_COMMON = {
    "en": "the a an of to and in that is are for with this on as be it by from which or not you your my we should "
    "must how what write given each all can when if using use into return returns function",
    "de": "der die das und ist nicht ein eine einer eines mit auf zu den dem des von sie wir ihr sich auch wie wenn "
    "oder schreibe wird werden soll für im",
    "fr": "le la les des un une et est dans pour que qui avec sur ce cette pas du au aux vous nous il elle par ou si "
    "écrire écrivez fonction",
    "es": "el la los las un una y es en para que con por del se no su al lo como más este esta escribe escriba función",
    "pt": "o os as um uma e é em para que com por do da no na se não ao como mais este esta escreva função você",
    "it": "il lo la gli le un una e è in per che con di del della non si come più questo questa scrivi funzione",
    "nl": "de het een en is in van te dat die op voor met zijn niet aan er om ook als schrijf functie wordt",
}
_WORDS = {language: frozenset(words.split()) for language, words in _COMMON.items()}


def natural_language(text: str) -> str:
    """Return `en`, `zh`, another language's code, `other`, or `unknown` where a text says too little.

    Fenced and inline code and addresses are left out. Japanese is told from Chinese by its kana.
    """
    prose = _URL.sub(" ", _INLINE_CODE.sub(" ", split_fences(text)[0]))
    letters = [sign for sign in prose if sign.isalpha()]
    if not letters:
        return "unknown"
    han, kana, hangul = (len(pattern.findall(prose)) for pattern in (_HAN, _KANA, _HANGUL))
    if kana > 0.05 * len(letters) and kana > 2:
        return "ja"
    if hangul > 0.15 * len(letters):
        return "ko"
    if han and han >= MIN_HAN_FRACTION * (han + len(_LATIN_WORD.findall(_HAN.sub(" ", prose)))):
        return "zh"
    latin = sum(sign < "\u0250" for sign in letters)
    if latin < 0.7 * len(letters):
        return "other"
    return _latin_language([word.lower() for word in _LATIN_WORD.findall(prose)])


def _latin_language(words: list[str]) -> str:
    if len(words) < MIN_WORDS:
        return "en" if any(word in _WORDS["en"] for word in words) else "unknown"
    counts = Counter(words)
    hits = {language: sum(counts[word] for word in common) for language, common in _WORDS.items()}
    best = max(hits, key=lambda language: (hits[language], language == "en"))
    if hits[best] < MIN_COMMON_FRACTION * len(words):
        return "unknown"
    return best
