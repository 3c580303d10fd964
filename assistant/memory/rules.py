"""What can be said of somebody, as rules for English and French, a few for their neighbours.

Each rule is for all that follows a subject. `v` is the value; `neg` negates. What negates stands in the
rule, or the rule does not read it: a word that is passed over would turn a statement into its opposite.
"""

from __future__ import annotations

import re

from assistant.memory.values import DIET, REGIME

ADV = r"(?:(?:now|currently|actually|just|recently|really|also|still|finally|already|always|officially)\s+)*"
AVANT = r"(?:(?:maintenant|désormais|actuellement|vraiment|aussi|toujours|enfin|récemment|bien|beaucoup|finalement|de nouveau|à nouveau)\s+)*"
_BE, _HAVE = r"(?:am|are|is)", r"(?:(?:have|has)\s+)?"
_DO_NOT = r"(?:(?P<neg>do not|does not|no longer)\s+)?"
_NOT = rf"(?:(?P<neg>not|no longer)\s+)?{ADV}"
_WORKS = (
    rf"(?:{_DO_NOT}{ADV}(?:work|works)|{_BE} (?:(?P<neg2>not|no longer)\s+)?{ADV}working)\s+{ADV}"
)
_MARITAL = r"(?:single|married|divorced|engaged|widowed)"
_FAMILLE = r"(?:célibataire|mariée?|divorcée?|fiancée?|veuf|veuve)"
_HEALTH = r"(?:coeliac|celiac|gluten[- ]free|(?:lactose|gluten)[- ]intolerant|diabetic|asthmatic)"
_SANTE = r"(?:c(?:œ|oe)liaque|intolérante? au (?:lactose|gluten)|diabétique|asthmatique)"
_IN = r"(?P<link>à|en|au|aux|dans)"
_THERE = (
    r"(?:moved|relocated)\s+(?:house\s+|(?:back|over|away|out)\s+)?(?:from .+?\s+)?(?:back\s+)?to"
)


def _ne(verbs: str) -> str:
    """French verbs, denied or not; in talk "ne" is left out."""
    denied = r"\s+(?(ne)(?P<neg>plus|pas|jamais)\s+|(?:(?P<neg2>plus|pas|jamais)\s+)?)"
    return rf"(?P<ne>n'|ne )?(?:{verbs}){denied}{AVANT}"


# Language, attribute, whether the words tell a change, the rule. A second attribute is denied along.
_RULES: tuple[tuple[str, str, bool, str], ...] = (
    ("en", "home", False, rf"{_DO_NOT}{ADV}(?:live|lives|reside|resides)\s+{ADV}in (?P<v>.+)"),
    ("en", "home", False, rf"{_BE}\s+{_NOT}(?:living|based) in (?P<v>.+)"),
    ("en", "home", True, rf"{_HAVE}{ADV}{_THERE} (?P<v>.+)"),
    ("en", "birthday", False, r"(?:was|were) born (?:on |in )(?P<v>(?:the )?.*\d.*)"),
    ("en", "birthplace", False, r"(?:was|were) born in (?P<v>\D+)"),
    ("en", "origin", False, rf"(?:come|comes|{_BE}) (?:originally )?from (?P<v>.+)"),
    ("en", "job", False, rf"{_WORKS}as (?P<v>.+)"),
    ("en", "employer", False, rf"{_WORKS}(?:at|for) (?P<v>.+)"),
    ("en", "employer", False, rf"{_BE} (?P<neg>no longer) (?:with|at|employed (?:at|by)) (?-i:(?P<v>[^a-z].*))"),
    ("en", "employer", True, rf"{_HAVE}{ADV}(?:joined(?-i:(?= [^a-z]))|started (?:working )?at|started a (?:new )?job at|got a (?:new )?job (?:at|with)) (?P<v>.+)"),
    ("en", "employer home", False, rf"{_HAVE}{ADV}(?P<neg>left) (?-i:(?P<v>[^a-z].*))"),
    ("en", "employer", False, rf"{_HAVE}{ADV}(?P<neg>left|quit|resigned from) (?:(?:my|her|his|the) job at )?(?-i:(?P<v>[^a-z].*))"),
    ("en", "employer", False, rf"{_HAVE}{ADV}(?P<neg>stopped|quit) working (?:at|for) (?P<v>.+)"),
    ("en", "home", False, rf"{_HAVE}{ADV}(?P<neg>stopped living in|moved (?:away|out) (?:from|of)) (?P<v>.+)"),
    ("en", "diet", False, rf"{_BE} {_NOT}(?:an? )?(?P<v>{DIET})"),
    ("en", "diet", True, rf"{_HAVE}{ADV}(?:became|become|turned|went|gone) (?:an? )?(?P<v>{DIET})"),
    ("en", "condition", False, rf"{_BE} {_NOT}(?P<v>{_HEALTH})"),
    ("en", "condition", True, rf"{_HAVE}{ADV}(?:became|become|went|gone) (?P<v>{_HEALTH})"),
    ("en", "status", False, rf"{_BE} {_NOT}(?P<v>{_MARITAL})(?: to .+)?"),
    ("en", "status", True, rf"{_HAVE}{ADV}(?:got|gotten) (?P<v>{_MARITAL})(?: to .+)?"),
    ("en", "activity", False, rf"{_BE} {_NOT}(?P<v>retired|unemployed)"),
    ("en", "activity", True, rf"{_HAVE}{ADV}(?P<v>retired)"),
    ("en", "pregnancy", False, rf"{_BE} {_NOT}(?P<v>pregnant)"),
    ("en", "allergy", False, rf"{_BE} {_NOT}allergic to (?P<v>.+)"),
    ("en", "likes", False, rf"(?:(?P<neg>no longer)\s+)?{ADV}(?:like|likes|love|loves|enjoy|enjoys|adore(?! l[ae]s? | l'| une? | mon | ma )|adores|prefer|prefers) (?P<v>.+)"),
    ("en", "likes", False, rf"(?P<not>do not|does not) {ADV}(?:like|love|enjoy) (?P<v>.+)"),
    ("en", "dislikes", False, rf"(?:(?P<neg>no longer|do not|does not)\s+)?{ADV}(?:hate|hates|dislike|dislikes|detest|detests|can not stand) (?P<v>.+)"),
    ("en", "speaks", False, rf"{_DO_NOT}speaks? (?!to |with |about )(?P<v>.+)"),
    ("en", "car", False, rf"{_DO_NOT}{ADV}drives? an? (?P<v>.+)"),
    ("en", "car", False, rf"{_HAVE}{ADV}(?P<neg>sold) (?:my|our|the|his|her) (?-i:(?P<v>[A-Z].*))"),
    ("en", "age", False, rf"{_BE} {ADV}(?P<v>\d{{1,3}})(?: years old)?"),
    ("en", "age", True, rf"{_HAVE}{ADV}turned (?P<v>\d{{1,3}})"),
    ("en", "name", False, rf"{_BE} (?:called|named) (?P<v>.+)|go(?:es)? by (?P<w>.+)"),
    ("fr", "home", False, rf"{_ne('habite|habitons|vis|vit|vivons|loge|réside')}{_IN} (?P<v>.+)"),
    ("fr", "home", True, rf"(?:(?:ai|a|avons)\s+|(?:viens|vient) (?:de |d')){AVANT}(?:déménagé|emménagé|déménager|emménager)\s+{AVANT}(?:de .+? )?{_IN} (?P<v>.+)"),
    ("fr", "home", True, rf"(?:me suis|s'est|nous sommes) {AVANT}installé(?:e|s|es)? {_IN} (?P<v>.+)"),
    ("fr", "birthday", False, r"(?:suis|est) née? (?:le |en )(?P<v>.*\d.*)"),
    ("fr", "birthplace", False, r"(?:suis|est) née? (?:à|en|au|aux) (?P<v>\D+)"),
    ("fr", "origin", False, r"(?:viens|vient|suis originaire|est originaire) (?:de |d'|du )(?P<v>.+)"),
    ("fr", "job", False, rf"{_ne('travaille|bosse')}comme (?P<v>.+)"),
    # "Je travaille à Paris" says where, and not for whom.
    ("fr", "employer", False, rf"{_ne('travaille|bosse')}(?P<link>chez|pour|à la|au|à(?= l')) (?P<v>.+)"),
    ("fr", "employer home", False, r"(?:ai|a) (?P<neg>quitté) (?P<v>.+)"),
    ("fr", "diet", False, rf"{_ne('suis|est')}(?P<v>{REGIME})"),
    ("fr", "diet", True, rf"(?:suis|est) {AVANT}devenue? (?P<v>{REGIME})"),
    ("fr", "condition", False, rf"{_ne('suis|est')}(?P<v>{_SANTE})"),
    ("fr", "status", False, rf"{_ne('suis|est')}(?P<v>{_FAMILLE})"),
    ("fr", "status", True, rf"(?:me suis|s'est) {AVANT}(?P<v>{_FAMILLE})"),
    ("fr", "activity", False, rf"{_ne('suis|est')}(?:à la |au )?(?P<v>retraitée?|retraite|chômage)"),
    ("fr", "pregnancy", False, rf"{_ne('suis|est')}(?P<v>enceinte)"),
    ("fr", "allergy", False, rf"{_ne('suis|est')}allergique (?:à la |à l'|aux |au |à )(?P<v>.+)"),
    ("fr", "likes", False, rf"(?:n')?aime\s+(?P<not>pas)\s+(?!mal ){AVANT}(?P<v>.+)"),
    ("fr", "likes", False, rf"(?:(?P<neg>n'))?(?:aime|adore)\s+(?(neg)plus\s+){AVANT}(?P<v>.+)"),
    ("fr", "likes", False, r"préfère (?P<v>.+)"),
    ("fr", "dislikes", False, rf"(?P<ne>ne )?(?:déteste|hais|hait)\s+(?(ne)(?P<neg>plus|pas)\s+){AVANT}(?P<v>.+)"),
    ("fr", "speaks", False, r"(?P<ne>ne )?parle (?(ne)(?P<neg>plus|pas) |(?:(?P<neg2>pas) )?)(?!à |avec |de |du |d'|trop )(?P<v>.+)"),
    ("fr", "car", False, rf"{_ne('conduis|conduit')}(?:une? |de |d')(?P<v>.+)"),
    ("fr", "car", False, r"(?:ai|a|avons) (?P<neg>vendu) (?:ma|mon|notre|sa|son|la) (?-i:(?P<v>[A-Z].*))"),
    ("fr", "age", False, r"(?:ai|a) (?P<v>\d{1,3}) ans"),
    ("fr", "age", True, r"(?:(?:viens|vient) d'avoir|ai eu|a eu|ai fêté mes|a fêté ses) (?P<v>\d{1,3}) ans"),
    ("fr", "name", False, r"(?:m'appelle|s'appelle) (?P<v>.+)"),
    ("de", "home", False, r"(?:wohne|wohnt|wohnen|lebe|lebt|leben) (?:jetzt )?(?:(?P<neg>nicht mehr|nicht) )?in (?P<v>.+)"),
    ("de", "home", False, r"(?:bin|ist|sind) (?:gerade |jetzt |letztes Jahr )?nach (?P<v>.+) (?:gezogen|umgezogen)"),
    ("es", "home", False, r"(?:(?P<neg>(?:ya )?no) )?(?:vivo|vive|vivimos) (?:ahora )?en (?P<v>.+)"),
    ("es", "home", False, r"(?:me mudé|se mudó|nos mudamos|me he mudado|se ha mudado|nos hemos mudado) a (?P<v>.+)"),
    ("it", "home", False, r"(?:(?P<neg>non) )?(?:abito|abita|abitiamo|vivo|vive|viviamo) (?:più )?(?:ora |adesso )?a (?P<v>.+)"),
    ("it", "home", False, r"(?:mi sono|si è|ci siamo) (?:trasferit[oaie]) a (?P<v>.+)"),
    ("pt", "home", False, r"(?:(?P<neg>(?:já )?não) )?(?:moro|mora|moramos|vivo|vive|vivemos) (?:mais )?(?:agora )?em (?P<v>.+)"),
    ("pt", "home", False, r"(?:mudei-me|mudou-se|mudei|mudou|mudámos|mudamos) para (?:o |a )?(?P<v>.+)"),
)  # fmt: skip
RULES = tuple((lang, name, change, re.compile(rule, re.I)) for lang, name, change, rule in _RULES)

TRIGGER = re.compile(
    r"\b(?:is|are|am|live|lives|living|reside|resides|moved|relocated|born|from|works?|working|joined|"
    r"started|stopped|got|left|quit|resigned|retired|sold|became|become|turned|went|likes?|loves?|enjoys?|"
    r"adores?|prefers?|hates?|dislikes?|detests?|stand|speaks?|drives?|go(?:es)?|changed|isn['’]t|aren['’]t|"
    r"habite|habitons|vis|vit|vivons|loge|réside|déménagé|emménagé|déménager|emménager|installée?|suis|est|"
    r"sont|née?|viens|vient|travaille|bosse|quitté|aime|adore|préfère|déteste|hais|hait|parle|conduis|conduit|vendu|ans|appelle|"
    r"wohnen?|wohnt|leben?|lebt|bin|sind|ist|heißt|llama|chiama|chama|vivo|vive|vivimos|vivemos|viviamo|mudé|mudó|mudamos|mudámos|"
    r"mudado|abito|abita|abitiamo|sono|siamo|moro|mora|moramos|mudei|mudou|es|è|é)\b|['’](?:m|s|re)\b",
)
"""A word that some rule needs: what has none of them is not read at all. For text in lower case: with
`re.I` in its place the same search takes four times as long."""
