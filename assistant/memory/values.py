"""Pure: whether some words can be the value of a fact. A remark about a thing is none of its values."""

from __future__ import annotations

import re

from assistant.memory.kin import KIN
from assistant.memory.places import KNOWN

VALUE_WORDS = 8
MONTHS = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december|spring|summer|"
    r"autumn|winter|janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre)"
)
NO_VALUE = re.compile(
    r"(?:it|that|this|them|you|him|her|me|us|there|here|so|how|what|when|where|who|ça|cela|"
    r"moi|toi|soi|nous|vous|lui|elle|eux|que|qui|comment|quand|the idea|to (?:know|think|say|see you)|"
    r"not|never|no|nothing|anything|rien|pas|plus|jamais|trop|one|to|nicht|kein\w*)\b",
    re.I,
)
DIET = r"(?:vegetarian|vegan|pescatarian|pescetarian|flexitarian)"
REGIME = (
    r"(?:végétarien(?:ne)?|végane?|vegane?|végétalien(?:ne)?|pescétarien(?:ne)?|flexitarien(?:ne)?)"
)
_OTHER_DIETS = (
    r"(?:keto|ketogenic|cétogène|paleo|halal|kosher|casher|mediterranean|méditerranéen|"
    r"low[- ](?:carb|fat|salt|sodium)|(?:gluten|dairy|lactose|sugar)[- ]free|sans (?:gluten|lactose|sel|sucre))"
)
_REMARK = re.compile(
    r"(?:not|never|no|no longer|too|very|so|quite|pretty|rather|more|less|most|as|like|in|at|on|by|under|over|from|"
    r"about|near|next|with|without|out|off|up|down|due|going|getting|being|becoming|having|making|doing|"
    r"hard|easy|wrong|right|correct|incorrect|invalid|valid|misleading|misspelled|misspelt|broken|dead|lost|"
    r"stolen|missing|gone|full|empty|great|good|bad|best|fine|ok|okay|nice|lovely|awful|terrible|horrible|"
    r"wonderful|amazing|beautiful|ugly|boring|weird|strange|common|rare|unusual|funny|high|low|higher|lower|"
    r"expensive|cheap|new|old|late|early|long|short|big|small|huge|tiny|important|different|the (?:same|best|worst)|"
    r"an? (?:joke|mess|nightmare|disaster|pain|problem|secret|mystery|bit|lot|little|shame|scam)|stuck|closed|open|shut|sold|cancelled|"
    r"losing|winning|playing|tight|flexible|fixed|approaching|past|"
    r"private|public|unknown|confidential|secure|weak|strong|expired|expiring|ready|soon|coming|"
    r"tomorrow|today|yesterday|slow|fast|working|ringing|unavailable|available|back|always|often|"
    r"pas|plus|jamais|trop|très|assez|si|moins|aussi|encore|déjà|bientôt|demain|en|à|au|aux|dans|chez|"
    r"sur|sans|difficile|facile|faux|fausse|juste|incorrecte?|cassée?|perdue?|volée?|élevée?|chère?|"
    r"nouveau|nouvelle|vieux|vieille|longue?|courte?|superbe?|bizarre|nul|nulle|"
    r"nicht|kein\w*|zu|sehr|falsch|richtig|kaputt|no|muy|non|molto|não|muito)\b",
    re.I,
)
"""By such a word what follows judges or places a thing, and does not say what it is."""
_SPAN = re.compile(
    r"\d+ ?(?:%|percent|seconds?|minutes?|hours?|days?|weeks?|months?|years?|jours?|semaines?|mois|ans|heures?|"
    r"pour cent|cents?)(?!\w)",
    re.I,
)
_PEOPLES = frozenset(
    """french german english british irish scottish welsh italian spanish portuguese greek turkish polish czech
    slovak austrian swiss belgian dutch danish swedish norwegian finnish icelandic russian ukrainian
    romanian bulgarian hungarian serbian croatian bosnian slovenian albanian estonian latvian lithuanian
    american canadian mexican brazilian argentinian argentine chilean colombian peruvian venezuelan cuban
    chinese japanese korean vietnamese thai indian pakistani bangladeshi nepali filipino indonesian
    malaysian australian moroccan algerian tunisian egyptian lebanese syrian israeli palestinian iranian
    persian iraqi afghan saudi kenyan nigerian ghanaian senegalese ethiopian african european asian arab
    jewish muslim catholic protestant christian buddhist hindu atheist orthodox français française
    allemand allemande anglais anglaise italien italienne espagnol espagnole portugais portugaise grec
    grecque turc turque polonais polonaise suisse belge néerlandais néerlandaise russe américain
    américaine canadien canadienne chinois chinoise japonais japonaise indien indienne marocain marocaine
    algérien algérienne tunisien tunisienne libanais libanaise juif juive musulman musulmane catholique
    protestante deutsch deutscher deutsche engländer franzose französin italiener italienerin spanier
    spanierin türke türkin ceo cto cfo coo vp president chairman pregnant retired""".split()
)
"""What somebody is: no name, though it has a capital."""
_NO_PLACE = re.compile(
    r"(?:an?|my|our|his|her|their|your|fear|hope|peace|poverty|sin|harmony|silence|misery|luxury|pain|style|"
    r"constant|un|une|mon|ma|mes|son|sa|notre|la (?:même|peur|maison|campagne|rue)|le même|bed|town|work|"
    r"bureau|côté|couple|coloc\w*|famille|paix|harmonie|ville|deux|plein|temps|"
    r"(?:the )?(?:left|right|next|last|first|same|past|present|future|moment|version|chapter|page))\b|"
    r".*\b(?:house|flat|apartment|appartement|étage|floor)\b",
    re.I,
)
_PRODUCTS = re.compile(
    r"(?:linux|ubuntu|debian|windows|android|ios|macos|mac|iphone|gmail|outlook|signal|whatsapp|telegram|"
    r"firefox|chrome|python|rust|typescript|javascript|java|react|postgres\w*|kubernetes|aws|azure|github|gitlab)\b",
    re.I,
)
"""What one moves to, and does not live in."""
_NO_EMPLOYER = re.compile(
    r"(?:the |l')?(?:nights?|home|noon|midday|midnight|dawn|dusk|weekends?|free|money|fun|food|peanuts|least|most|once|"
    r"times|hours|years|months|weeks|days|ages|all|height|heights|full|half|maximum|speed|ease|office|desk|"
    r"same|moment|weekend|evenings?|mornings?|plein|mi-temps|temps|domicile|distance|maison|nuit|bureau|noir|campagne|calme|"
    r"étranger|rien|myself|yourself|himself|herself|ourselves|themselves)\b|"
    r"(?:\d+|two|three|four|five|six|seven|eight|nine|ten|twelve)(?: |h\b|:|$|[ap]m\b)|(?:un|une|an?)\b|.*\bper (?:hour|day|week)\b",
    re.I,
)
_NO_JOB = re.compile(
    r"(?:hard|much|long|fast|little|well|usual|always|before|if|quickly|often|part|one|normal|fou|folle|dingue|"
    r"d'habitude|toujours|avant)(?![\w-])|.* as\b|(?:a |une? )?(?:team$|brute|forcenée?|malade)\b",
    re.I,
)
_NO_CAR = re.compile(
    r"(?:lot|bit|little|long|few|fair|different|friend|colleague|hard|taxi|bus|truck|tram|lorry|train|cab|"
    r"forklift|tractor|car|bike|(?:\d+|hundred|thousand) ?(?:km|miles?|kilomet\w+|hours?|minutes?))\b",
    re.I,
)
_MAKES = frozenset(
    """alfa audi bmw bugatti buick byd cadillac chevrolet chevy chrysler citroen citroën cupra dacia dodge
    ferrari fiat ford honda hyundai jaguar jeep kia lada lamborghini lancia lexus lotus maserati mazda
    mercedes mg mini mitsubishi nissan opel peugeot polestar porsche renault rover saab seat skoda škoda
    smart subaru suzuki tesla toyota volkswagen volvo vw golf polo clio twingo corsa fiesta yaris corolla
    civic passat""".split()
)
_ARTICLE = re.compile(r"^(?:(?:the|an?|la|le|les|un|une|el|los|las|der|die|das|o)\s+|l')", re.I)
_PATTERNS = {
    name: re.compile(rule, re.I)
    for name, rule in {
        "phone": r"(?:(?:the|le) )?\+?\(?\d[\d ().\-/]+\d(?: ?(?:ext\.?|x|#) ?\d+)?",
        "email": r"\S+@\S+",
        "birthday": rf"(?:.*\d|.*\b(?:first|second|third|\w+th|premier)\b.*{MONTHS}|{MONTHS} the \w+).*",
        "age": r"\d{1,3}(?: (?:years old|years|ans))?",
        "height": r".{0,8}\d.*", "weight": r".{0,8}\d.*", "size": r".{0,8}\d.*|(?:x*[sl]|m)",
        "salary": r"(?:about |around |roughly |environ |~ ?)?[€$£]? ?\d.*",
        "rent": r"(?:about |around |roughly |environ |~ ?)?[€$£]? ?\d.*",
        "pin": r"[\w#*-]*\d[\w#*-]*(?: \d+)*(?: (?:at|for|of|de|pour|à) .+)?", "code": r"[\w#*-]*\d[\w#*-]*(?: \d+)*(?: (?:at|for|of|de|pour|à) .+)?",
        "blood_type": r"(?:ab|a|b|o|0)\b.*|(?:ab|[abo0])[+-].*",
        "diet": rf"(?:an? |the |le |la )?(?:{DIET}|{REGIME}|{_OTHER_DIETS})(?: (?:diet|one))?",
    }.items()
}  # fmt: skip
_LOOSE = frozenset("birthday height weight size pin code".split())
NUMBERED = frozenset(_PATTERNS) - {"email", "diet"}
PLACES = frozenset({"home", "birthplace", "origin"})
_THINGS = frozenset({"car", "bank", "school", "employer", "job"})
_PEOPLE = frozenset(KIN.values()) | {"name"}


_TITLED = re.compile(r"favou?rite |.* préférée?$")
"""What may be called "Her" or "No Country for Old Men"."""
_ABOUT = re.compile(r"^(?:on |(?:about|around|roughly|environ|d'environ|de) (?=[\d€$£~+]))", re.I)


def fits(name: str, value: str, *, small: bool = False) -> bool:
    """Whether it is a value of such a kind: a number has digits, a name and a place have capitals.

    `small`: it was written by somebody who uses no capitals at all.
    """
    title = _TITLED.match(name) is not None and value[:1].isupper() and value[1:2].islower()
    if not value or (NO_VALUE.match(value) and not title):
        return False
    if rule := _PATTERNS.get(name):
        bare = _ABOUT.sub("", value)
        remark = name != "age" and (_SPAN.search(bare) or (name in _LOOSE and _remark(bare)))
        return rule.fullmatch(bare) is not None and not remark
    if name in _PEOPLE:
        return person(value, small=small)
    if name in PLACES:
        return _place(value, small=small)
    if name == "employer":
        return value[0].isupper() or _NO_EMPLOYER.match(value) is None
    if name == "job":
        return _NO_JOB.match(value) is None
    return name != "car" or (_NO_CAR.match(value) is None and _make(value))


def said_of(name: str, value: str, *, small: bool = False) -> bool:
    """As `fits`, of "my noun is value": what only judges the thing is no value."""
    if not fits(name, value, small=small) or _SPAN.match(value):
        return False
    if name in _THINGS:
        bare = _ARTICLE.sub("", value, count=1)
        return (
            not _remark(value)
            and not (_people(bare) and not _firm(bare))
            and (_capital(bare, 1) or (name == "car" and _make(bare)))
            and re.match(r"[a-zß-ÿ]{3,}(?:ed|ing)\b", bare) is None
        )
    if name == "address":
        return not _remark(value) and bool(re.search(r"\d", value) or _capital(value, 1))
    return name in _PATTERNS or not _remark(value)


def person(value: str, *, small: bool = False) -> bool:
    """Whether it may be a name: each word of it has a capital, and it is no nationality and the like."""
    words = value.split()
    capital = all(_capital(word, 1) or word in _PARTICLES for word in words)
    return 0 < len(words) <= 4 and (capital or (small and len(words) == 1 and not _remark(value))) and not _people(value)  # fmt: skip


_PLACE_WORDS = frozenset(
    """of de du des d' la le les l' the and y sur sous en in am an der den ob upon on by les lez di do da dos del el al i near
    centre center city county state province region area side district arrondissement village island suburbs suburb
    outskirts middle heart north south east west northern southern eastern western upper lower downtown uptown greater
    old new central rural coastal inner outer upstate mainland metropolitan mid northwest northeast southwest
    southeast north-west north-east south-west south-east town countryside centre-ville centro ciudad norte sur este
    oeste barrio afueras provincia nähe banlieue région nord sud est ouest vieux sunny rainy beautiful lovely good""".split()
)
"""In lower case within the name of a place."""
_PARTICLES = frozenset("de du da di le la van von der den of dos bin ibn al el y e d'".split())


def _remark(value: str) -> bool:
    return not value[:1].isupper() and _REMARK.match(value) is not None


def _people(value: str) -> bool:
    return value.split()[0].casefold().strip(".,") in _PEOPLES if value.split() else False


def _firm(value: str) -> bool:
    """Whether a name goes on with a capital: "German Wings", not "German one"."""
    words = value.split()
    return len(words) > 1 and words[1][0].isupper()


def _place(value: str, *, small: bool) -> bool:
    if not value[0].isupper() and _NO_PLACE.match(value):
        return False
    if _ARTICLE.sub("", value, count=1).casefold() in KNOWN:
        return True
    if _PRODUCTS.match(value) or len(value.split()) > 5:
        return False
    bare = _ARTICLE.sub("", value, count=1)
    if small:
        return len(bare.split()) <= 3
    words = (word for word in bare.split() if not (_capital(word, 1) or word[0].isdigit()))
    return _capital(bare, 4) and all(word.casefold() in _PLACE_WORDS for word in words)


def _capital(text: str, among: int) -> bool:
    """Whether one of the first words has a capital, or is of a script without any."""
    first = [
        letter for word in text.split()[:among] if (letter := word.lstrip("\"'(")[:1]).isalpha()
    ]
    return any(one.isupper() or one.lower() == one.upper() for one in first)


def _make(value: str) -> bool:
    """Whether words name a make or a model."""
    words = value.replace("-", " ").split()
    return _capital(value, 3) or any(w.casefold() in _MAKES or w.isdecimal() for w in words)
