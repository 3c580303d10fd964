"""Kinds of questions, by their words, and what a text must have to hold an answer. English and French."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_CLOCK = r"o'clock|half past|quarter (?:to|past)|\d{1,2}[:h]\d\d|noon|midnight|midi|minuit"
_MONTHS = (
    "january|february|march|april|may|june|july|august|september|october|november|december|janvier|"
    "février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre"
)
_DAYS = (
    "monday|tuesday|wednesday|thursday|friday|saturday|sunday|lundi|mardi|mercredi|jeudi|vendredi|"
    "samedi|dimanche"
)
NUMBERS: Final = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|"
    "sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|"
    "hundred|thousand|million|half|dozen|deux|trois|quatre|cinq|sept|huit|neuf|dix|onze|"
    "douze|quinze|vingt|trente|quarante|cinquante|soixante|cent|mille|demie?"
)
_FEW = "twins?|triplets|pair|couple|several|both|single|once|twice|none|never|no|not|aucune?"
_ONE = "(?:an?|une?|my|our|his|her|their) (?:\\w+ )?(?:sons?|daughters?|child|kid|boy|girl|brother|sister|dog|cat|fils|fille|enfant)"
_NUMBER = rf"\d|\b(?:{NUMBERS})\b"
_SPAN = r"years?|months?|weeks?|days?|hours?|minutes?|decades?|ans|années?|mois|semaines?|jours?|heures?"
_TIME = (
    rf"\b(?:1[89]|20)\d\d\b|\b\d{{1,2}}(?:st|nd|rd|th|h|am|pm|\.)?(?![\d ]*\d|\w| ?(?:euros?|kilos?|kg|%|percent|met|[€$£%]))|"
    rf"\b(?:{_MONTHS}|{_DAYS}|{_CLOCK}|{NUMBERS}|spring|summer|autumn|winter|mornings?|"
    r"evenings?|afternoons?|nights?|weekends?|daily|weekly|yearly|ago|since|until|till|last|next|"
    r"today|yesterday|tomorrow|tonight|after|before|during|when|while|christmas|easter|childhood|"
    r"always|soon|printemps|été|automne|hiver|matins?|soirs?|nuits?|depuis|jusqu\w*|prochaine?|"
    r"derni(?:er|ère)|demain|hier|après|avant|noël|pâques)\b"
)
_COLOUR = (
    r"\b(?:red|blue|green|yellow|black|white|gr[ea]y|silver|gold(?:en)?|orange|purple|pink|brown|"
    r"beige|cream|turquoise|violet|navy|mustard|ginger|tabby|ivory|olive|scarlet|crimson|teal|"
    r"lilac|striped|spotted|colou?r\w*|dark|light|blond\w*|rouge|bleue?|verte?|jaune|noire?|"
    r"blan(?:c|che)|grise?|rose|violette?|marron|brune?|dorée?|argentée?|couleur)s?\b"
)
_PLACE = (
    rf"\b(?:in|at|on|from|by|over|into)\s+(?!{_MONTHS}|{_DAYS}|\d|the (?:\w+ )?(?:weeks?|months?|years?|mornings?|"
    rf"evenings?)|time|spring|summer|autumn|winter|{NUMBERS}|my own|best|foot|fire)|\bto (?:the\b|my\b|our\b|(?-i:[A-Z]))|"
    r"\d+ (?-i:[A-Z])|\b(?:under|behind|near|above|below|beside|between|next (?:to|door)|"
    r"inside|outside|upstairs|downstairs|opposite|around|through|with|here|there|abroad|home|"
    r"lives?|station|school|hall|street|road|lane|à|au|aux|en|dans|chez|sur|sous|derrière|devant|"
    r"près|entre|avec|rue|place|avenue)\b|\bd['’]"
)
_MONEY = (
    r"[€$£¥]|\b(?:cost\w*|prices?|priced|paid|pay\w*|euros?|pounds?|dollars?|francs?|owe\w*|"
    r"salary|wages?|worth|cents?|bucks|quid|cheap\w*|expensive|free|sold|fees?|rent|bills?|earn\w*|"
    r"wants?|give|gift|present|nothing|month|raise\w*|coût\w*|prix|pay[ée]\w*|salaire|loyer|gagn\w*|"
    r"gratuit\w*|vaut|mois|argent)\b"
)
_SOMEBODY = re.compile(
    r"\b(?:neighbours?|uncle|aunt|mother|father|brother|sister|cousin|friend|man|woman|somebody|"
    r"someone|nobody|colleague|boss|company|firm|clinic|workshop|shop|bank|people|parents|family|"
    r"daughter|son|wife|husband|nurse|lady|boy|girl|voisine?|oncle|tante|mère|père|frère|sœur|"
    r"cousine?|amie?|homme|femme|personne|collègue|entreprise|fille|fils|mari)\b",
    re.I,
)
_COUNT = (
    rf"(?<!at )(?<!past )(?<!in )(?<!size )(?<!platform )(?:\b\d{{1,3}}(?![\d:]|\.\d)|\b(?:{NUMBERS})\b)"
    rf"(?! (?:euros?|percent|past|{_MONTHS}|of (?:{_MONTHS})))|\b(?:{_FEW})\b|\b{_ONE}\b"
)
_CAPITALS = re.compile(r"^\W*[A-ZÀ-Þ](?!.*[.!?] [a-zß-ÿ])", re.S)
"""Of somebody who writes capitals at all: a sentence that begins with a small letter says nothing of names."""
_NO_NAME = re.compile(
    rf"(?:{_MONTHS}|{_DAYS}|i|i['’]\w+|my|our|his|her|their|the|we|in|on|at|when|if|a|an|it|for|to|"
    r"every|every\w*|there|this|that|some|most|nothing|since|where|no|not|yes|mum|mom|dad|he|she|they|"
    r"je|j['’].*|mon|ma|mes|notre|nos|le|la|les|l['’].*|un|une|nous|on|il|elle|c['’].*|ce|chaque|"
    r"maman|papa)",
    re.I,
)
_PARTNERS = "wife|husband|partner|girlfriend|boyfriend|spouse|fianc[ée]+|femme|mari|épou(?:x|se)|compagn(?:on|e)"
_INSTITUTION = (
    "school|university|college|kindergarten|nursery|company|firm|bank|hotel|hospital|restaurant|"
    "cinema|museum|airline|radio station|team|club|employer|brand|make|école|université|banque|"
    "hôtel|hôpital|marque|entreprise|équipe"
)

Test = Callable[[str, str], bool]
"""Whether a text can hold the answer; given the text, and what of it is not in the question."""


def _has(pattern: str) -> Test:
    compiled = re.compile(pattern, re.I)
    return lambda text, _fresh: compiled.search(text) is not None


def _adds(pattern: str) -> Test:
    compiled = re.compile(pattern, re.I)
    return lambda _text, fresh: compiled.search(fresh) is not None


def _lacks(pattern: str) -> Test:
    compiled = re.compile(pattern, re.I)
    return lambda text, _fresh: compiled.search(text) is None


def _both(one: Test, other: Test) -> Test:
    return lambda text, fresh: one(text, fresh) and other(text, fresh)


def _either(one: Test, other: Test) -> Test:
    return lambda text, fresh: one(text, fresh) or other(text, fresh)


def _names(text: str, fresh: str) -> bool:
    """Somebody or something with a capital that is no place, day or month; or a word for somebody."""
    if not _CAPITALS.search(text):
        return True
    before = ""
    for word in re.findall(r"[\w'’-]+", fresh):
        plain = re.sub(r"['’]s$", "", word)
        told = plain[:1].isupper() and _NO_NAME.fullmatch(plain) is None
        if told and before not in ("in", "near", "en", "à"):
            return True
        before = word.lower()
    return _SOMEBODY.search(fresh) is not None


def proper(text: str, fresh: str) -> bool:
    """Anything with a capital of its own."""
    if not _CAPITALS.search(text):
        return True
    words = re.findall(r"[\w'’&-]+", fresh)
    return any(
        word[0].isupper() and len(word) > 1 and _NO_NAME.fullmatch(word) is None for word in words
    )


RULES: Final[tuple[tuple[re.Pattern[str], Test], ...]] = tuple(
    (re.compile(asked, re.I), test)
    for asked, test in (
        (r"\bhow many\b|\bcombien d(?:e\b|['’])", _adds(_COUNT)),
        (r"\b(?:what|which) colou?r\b|\bcolou?r of\b|\bquelle (?:est la )?couleur\b", _adds(_COLOUR)),
        (r"\bhow (?:much|expensive)\b|\bhow (?:big|tall|high|far|fast|deep|wide|heavy)\b|"
         r"\bwhat (?:\w+ ){0,3}(?:size|height|weight)\b|\bweigh\b|\bcombien (?:coûte|gagne|pèse|mesure|paie)\b",
         _adds(rf"{_NUMBER}|\b(?:{_FEW})\b")),
        (r"\bhow expensive\b|\bcosts?\b|\bprice\b|\bearn\b|\bsalary\b|\bhow much (?:money|do (?:i|we) pay)\b|"
         r"\bcombien (?:coûte|gagne|paie)\b|\bprix\b", _has(_MONEY)),
        (r"\bhow heavy\b|\bweigh\b|\bweight\b|\bpèse\b|\bpoids\b",
         _has(r"\b(?:kilos?|kg|grams?|tons?|tonnes?|pounds?|stone|lbs?|weigh\w*|heavy|pèse|poids|grammes?)\b")),
        (r"\bhow tall\b|\bheight of\b|\bmesure\b",
         _has(r"\b(?:cm|m|centim\w+|met(?:er|re)s?|mètres?|foot|feet|inch\w*|tall|mesure)\b")),
        (r"\bhow old\b|\b(?:what|which) .*\bage\b|\bquel âge\b",
         _has(rf"(?:\d|\b(?:{NUMBERS})) (?:{_SPAN})\b|\b(?:born|birth\w*|turn(?:s|ed|ing)?|years? old|aged?|built|"
              rf"bought|since|celebrat\w*|anniversaire|née?s?|naiss\w+|fêt\w+|century|(?:in|of|last|this) (?:the )?"
              rf"(?:spring|summer|autumn|winter|{_MONTHS}|year|week)|(?:1[89]|20)\d\d)\b")),
        (r"^when\b.*\b(?:birthday|born)\b|\bbirth ?date\b|\b(?:date|day|year) .*\bborn\b|\bwhen is .* birthday\b|"
         r"\bquand .*\b(?:anniversaire|née?)\b",
         _both(_has(r"\b(?:born|birth\w*|turn\w*|older|old|celebrat\w*|came into|anniversaire|née?|naiss\w+|fêt\w+)\b"),
               _adds(_TIME))),
        (r"^when\b|\bwhat time\b|\b(?:what|which) (?:day|date|month|year)\b|\b(?:until|since) when\b|^quand\b|"
         r"\bà quelle (?:heure|date)\b|\bdepuis quand\b", _adds(_TIME)),
        (r"\bhow long (?:have|has|had|was|were|did|does|do|is|will)\b|\bdepuis combien\b",
         _adds(rf"(?:\d|\b(?:{NUMBERS}|few|several|many|couple of)) ?(?:\w+ )?(?:{_SPAN})\b|\b(?:since|until|depuis|"
               rf"always|for years|(?:1[89]|20)\d\d|nights?|{_MONTHS}|\w+ lengths?|metres?|meters?|km|cm)\b")),
        (r"\b(?:phone|mobile|telephone|passport|account|card|policy|chip|licence|license) number\b|"
         r"\bnumber (?:of|on)\b|\b(?:pin|code) (?:of|for)\b|\bplate\b|\bnuméro\b|\bwhat(?:'s| is) .*\b(?:pin|code)\b",
         _adds(r"\d")),
        (r"\b(?:phone|mobile|telephone|cell) number\b|\bnuméro de téléphone\b",
         _lacks(r"\b(?:policy|plate|code|chip|passport|account|card|alarm|contrat|carte|compte)\b")),
        (r"\be-?mail(?: address)?\?|\bemail (?:of|address)\b", _has(r"@|\be-?mail\b")),
        (r"\bpassword\b|\bmot de passe\b", _has(r"\b(?:pass\w*|pin|code|mot de passe|opens?|log\w*)\b")),
        (r"^where\b|\baddress of\b|\bwhat is .* address\b|\bwhich (?:city|town|country|place|street|village)\b|"
         r"^où\b|\badresse\b|\bquelle ville\b", _has(_PLACE)),
        (r"^where (?:was|were|did) .*\b(?:born|grow up|raised)\b|\bwhere .* come from\b|^où .*\bnée?\b",
         _has(r"\b(?:born|raised|grew|grow|child\w*|from|native|comes?|origin\w*|née?|naiss\w+|vient|grandi)\b")),
        (r"^where do(?:es)? .*\blive\b|\baddress of\b|\bwhat is .*\baddress\b|^où (?:habite|vit)\b",
         _has(r"\b(?:liv(?:es?|ing)|moved?|home|flat|house\w*|apartment|cottage|street|road|lane|square|address|"
              r"reside\w*|settled|retired|place|stay\w*|rents?|room|from|based|boat|practice|habite\w*|vit|vivent|rue|"
              r"appartement|maison|adresse|logement|déménag\w*|installé\w*|chez)\b")),
        (r"^who\b|^whom\b|^whose\b|\bname of\b|\b(?:sur|last |first |maiden |family )name\b|"
         r"\bwhat (?:is|are|was) .*\b(?:called|name)\?|\bhow is .* called\b|^qui\b|\bs['’]appelle\b|\bquel est le nom\b",
         _names),
        (rf"^(?:who|whom|how)\b.*\b(?:{_PARTNERS})\b|\bname of .*\b(?:{_PARTNERS})\b|\b(?:{_PARTNERS})(?:['’]s)? name\b|"
         rf"\bmarried to\b|^whom does .* love\b|\b(?:have|has|got) an? (?:{_PARTNERS})\b",
         _has(rf"\b(?:{_PARTNERS}|marr\w+|wedd\w+|together|engaged|couple|go(?:ing|es) out|dat(?:es|ing)|"
              rf"divorced|single|widow\w*|in love|mariée?|ensemble|célibataire)\b")),
        (r"\bhave (?:any )?(?:children|kids|sons|daughters)\b|\bhow many (?:children|kids|sons|daughters)\b|\bname of .*"
         r"\b(?:son|daughter|child)\b|\bcombien d['’]enfants\b",
         _has(r"\b(?:child\w*|kids?|sons?|daughters?|boys?|girls?|twins?|bab(?:y|ies)|father|mother|parent|mum|dad|"
              r"triplets|enfants?|fils|filles?|bébé|garçons?|jumeaux|jumelles)\b")),
        (r"\bfavou?rite\b|\bpréférée?\b",
         _has(r"\b(?:favou?rites?|lov\w+|lik\w+|best|better|beats?|prefer\w*|adore\w*|enjoy\w*|fond|always|never|"
              r"craz[ey]\w*|mad|fan|roots?|supports?|orders?|tastes?|obsess\w*|everything|choos\w+|aim\w+|préf\w+|"
              r"adore|mieux|meilleure?)\b")),
        (r"\b(?:afraid|scared|frightens?|fears?)\b|\ba peur\b",
         _has(r"\b(?:afraid|scar\w+|fears?|terrif\w+|fright\w+|panics?|phobi\w+|nervous|hides?|runs?|run|dreads?|"
              r"stand|hates?|thing about|peur|terroris\w+)\b")),
        (r"\ballerg(?:y|ic|ies|ique)\b",
         _has(r"\b(?:allerg\w+|intoleran\w+|rash\w*|swell\w*|throat|eat|avoid\w*|ambulance|sneez\w*|hay fever|"
              r"itch\w*|hives|breath\w*|careful|react\w*|stand|pills?|tablets?|mang\w*|gorge|tolère|supporte|"
              r"œdèmes?|gonfl\w*|évit\w*|boutons)\b")),
        (r"\bblood pressure\b", _has(r"\bpressure\b|\d ?(?:/|over) ?\d")),
        (r"\bblood (?:type|group)\b|\bgroupe sanguin\b", _has(r"\bblood\b|\bsang\w*\b|\brh\b")),
        (rf"\b(?:which|what|quelle?) (?:est (?:le|la) )?(?:{_INSTITUTION})\b|\bwho (?:makes|made)\b",
         _either(proper, _has(r"\bat the\b|\bfor the\b|\bau\b|\bà la\b"))),
        (r"\bwhich (?:floor|platform|page)\b|\bwhat floor\b|\bquel étage\b",
         _has(rf"{_NUMBER}|\b(?:ground|first|second|third|fourth|fifth|top|attic|rez|premier|étage)\b")),
        (r"^why\b|^pourquoi\b",
         _has(r"\b(?:because|since|due|so|to|after|as|for|from|and|caus\w+|reason|trouble|mak\w+|made|parce|car|pour|"
              r"puisque|comme|et)\b|,")),
    )
)  # fmt: skip
"""A question's words, and what an answer to such a question needs; where several fit, all of them."""
