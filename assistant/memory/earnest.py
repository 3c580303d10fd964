"""Pure: what is said in earnest, of today, by the author: no guess, joke, story, quotation or time gone by."""

from __future__ import annotations

import re

SENTENCE_HEAD = r"(?:^|[.!?;\n]\s*)\W*"
_HEDGED = re.compile(
    r"\b(?:if|whether|unless|would|could|might|maybe|perhaps|probably|imagine|imagining|suppose|"
    r"supposing|pretend|wish|hope|hypothetically|let's say|dream\w*|used to|kidding|jok(?:e|es|ing)|"
    r"sort of|kind of|kinda|sorta|lol|haha\w*|says?|said|saying|told|tells|wrote|writes|according|thinks?|thought|believes?|lied|lying|"
    r"si|s'il|s'ils|peut-être|imagine[zr]?|imaginons|disons|supposons|supposer|rêve|rêvé|aimerais|"
    r"voudrais|pourrais|serais|plaisante|mdr|dit que|dit|disait|raconte|selon|autrefois|croit|pense|"
    r"dirait|menti|wenn|vielleicht|quizás|tal vez|forse|talvez)\b",
)
"""For text in lower case, as `rules.TRIGGER`."""
_CORRECTED = re.compile(
    r", (?:no|non|sorry|pardon|wait|or rather|enfin|plutôt|nein|perdón|scusa),? "
)
"""Within a sentence, what follows takes back what stood before."""
_QUOTED = re.compile(r"[\"“«][^\"”»]*\s[^\"”»]*\s[^\"”»]*[\"”»]|^\s*>")
_TALE = (
    r"(?:novel|story|tale|book|game|film|movie|play|script|screenplay|song|poem|fantasy|exercise|example|"
    r"simulation|rpg|campaign|chapter|scene|dialogue|role-?play|scenario|roman|histoire|récit|conte|livre|jeu|pièce|"
    r"chanson|poème|exercice|exemple|dialogue|scène|scénario)"
)
_ASIDE = re.compile(
    rf"\b(?:in|within) (?:my|our|the|this|that|a|his|her) (?:\w+ )?{_TALE}\b|"
    rf"\bdans (?:mon|ma|notre|le|la|l'|ce|cet|cette|un|une) ?(?:\w+ )?{_TALE}\b|"
    rf"(?:^|[,:(]\s*)(?:for|pour) (?:my|our|the|this|mon|ma|l'|cet|cette|ce|le|la) ?(?:\w+ )?{_TALE}\b|"
    r"(?:^|[,:(]\s*)(?:and |but |et |mais )?(?:when (?:i|we|he|she|my)\b|as an? (?:\w+ )?(?:child|kid|boy|girl|teen\w*|"
    r"student|baby|adult)\b|(?:back )?in (?:[a-z]+ )?(?:19|20)\d\d\b|back (?:then|when)\b|(?:many |\w+ )?years ago\b|"
    r"(?:at (?:the age of |age )?|aged )(?:\d{1,2}|five|six|seven|eight|nine|ten|\w+teen|twenty\S*|thirty\S*),|before (?:that|then)\b|"
    r"à (?:l'âge de )?(?:\d{1,2}|\w+) ans\b|in (?:another|a past|a previous|a parallel) (?:life|universe|world)\b|in theory\b|on paper\b|"
    r"in the (?:(?:19|20)?\d0s|'\d0s|fifties|sixties|seventies|eighties|nineties|noughties)\b|dans les années\b|"
    r"at (?:that|the) time\b|in (?:those days|the past|my (?:youth|childhood|twenties|thirties|next life))\b|"
    r"starting\b|(?:as of|from) (?:next|monday|tuesday|wednesday|thursday|friday|saturday|sunday|january|february|"
    r"march|april|may|june|july|august|september|october|november|december)\b|next (?:week|month|year|spring|summer|"
    r"autumn|winter)\b|soon\b|tomorrow\b|one day\b|for (?:the sake|example|instance)\b|e\.g\.|"
    r"quand (?:j|nous|il|elle|on)\b|lorsque?\b|enfant\b|étant\b|petite?\b|à l'époque\b|en (?:19|20)\d\d\b|"
    r"à partir de\b|dès (?:lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|demain|janvier|février|mars|avril|mai|"
    r"juin|juillet|août|septembre|octobre|novembre|décembre)\b|bientôt\b|demain\b|un jour\b|par exemple\b|"
    r"(?:la semaine|le mois|l'an|l'année) prochaine?\b|il y a (?:\S+ )?ans\b|"
    r"als (?:ich|kind)\b|früher\b|damals\b|cuando\b|de (?:niño|niña)\b|da bambin[oa]\b|quand'ero\b|quando\b)"
)
_BORN = re.compile(r"\b(?:born|née?|geboren|nac(?:í|ió)|nat[oa]|nasc(?:i|eu))\b")
_IN_JEST = re.compile(
    r"(?:(?:^|[.!?,;:…(*-]\s*|\b(?:i'm|i am|i was|im|was|am) )(?:just |only )?(?:kidding|joking)|messing with you|"
    r"pulling your leg|(?:lol|haha|just) kidding)\b|\b(?:it|that|this) (?:is|was) a joke\b|"
    r"\b(?:it|that)'s a joke\b|\bj/k\b|(?:^|[.!…]\s*)(?:jk|psych|not!+)(?:\W*$)|\.\.+ ?not\b\W*$|… ?not\b\W*$|"
    r"\bapril fools?\b|\b(?:obviously not|of course not|not really)\W*$|\b(?:sorry|no|wait|oops|pardon),? i meant?\b|"
    r"\b(?:scratch that|i take that back)\b|\bje (?:plaisante|rigole|blague|déconne)\b|\bc'(?:est|était) (?:une blague|pour rire)\b|"
    r"\bpoisson d'avril\b|\b(?:nur|war) (?:ein )?(?:scherz|witz|spa(?:ß|ss))\b|\b(?:es|era) (?:una )?broma\b|"
    r"\b(?:sto )?scherz(?:o|ando|avo)\b|\b(?:é|era) brincadeira\b"
)
_ASKED = (
    r"(?:(?:hey|hi|hello|ok|okay|so|now|then|first|bonjour|salut|please|kindly|s'il (?:te|vous) pla[iî]t|stp|svp|"
    r"(?:can|could|would|will) (?:you|u)(?: mind)?|i (?:want|need|have|would like)(?: you)? to|i'd like you to|help me(?: to)?|let's|"
    r"(?:peux|pourrais|veux)[- ]tu|tu (?:peux|pourrais)|(?:pouvez|pourriez)[- ]vous|aide[- ]moi à|je (?:dois|veux)|"
    r"kannst du|könntest du|bitte|puedes|podrías|por favor|puoi|potresti|per favore|podes|pode)[,!]?\s+)*"
)
_EDITS = (
    r"(?:translate|rewrite|rephrase|paraphrase|summari[sz]e|correct|proofread|proof-read|fix|improve|polish|shorten|edit|"
    r"check|review|revise|reword|format|analy[sz]e|tradui\w*|corrige\w*|résume\w*|réécri\w*|reformule\w*|"
    r"améliore\w*|relis\w*|relire|vérifie\w*|(?:translat|rewrit|rephras|summari[sz]|correct|proofread|fix|improv|check|review)ing|"
    r"übersetz\w*|korrigier\w*|traduc\w*|correg\w*|corrig\w*|traduz\w*)"
)
_TASKS = (
    rf"(?:{_EDITS}|write|explain|complete|continue|pretend|act|say|repeat|imagine|role-?play|compose|draft|make up|"
    r"invent|create|generate|play|écri\w*|répète\w*|fais comme|joue\w*|invente\w*|imagine\w*|rédige\w*|complète\w*|"
    r"continue\w*|schreib\w*|escribe|scrivi|escreve)"
)
_TASK = re.compile(rf"\W*{_ASKED}{_TASKS}\b")
_TASK_HERE = re.compile(
    rf"(?:^|[.,!?;:\n]\s*|\b(?:and|then|et|puis) )\W*{_ASKED}{_EDITS}\s+(?:\w+ )?(?:this|that|these|it|the (?:following|above|text|"
    r"sentence|paragraph|passage|letter|e?mail)|above|below|my (?:\w+ )?(?:text|e?mail|letter|sentence|essay|message|"
    r"grammar|spelling|english|french|german|spanish|cv|resume|bio|cover letter|story)|ceci|cela|ça|ce (?:texte|mail|"
    r"message|paragraphe)|cette (?:phrase|lettre)|le texte|mon (?:texte|mail|message)|ma (?:lettre|phrase)|"
    r"la phrase|l'orthographe)\b|\b(?:corrige|traduis|relis|reformule|résume)[- ](?:moi|le|la|ça)\b"
)
_PART = re.compile(
    rf"{SENTENCE_HEAD}(?:(?:now|today|from now on|tonight),? )?(?:you are|you're|you will be|you'll be|tu es|tu seras|vous êtes|du bist|eres|sei) (?:now |maintenant |jetzt |ahora )?"
    r"(?:an?|the|une?|le|la|ein|eine|un|una) (?!great|good|best|only one|one|real|true|big|huge|wonderful|amazing|nice|lovely|star|genius|"
    r"life ?saver|legend|gem|hero|sweetheart|angel|super|vrai|chef\b|ange|génie|amour)|"
    rf"{SENTENCE_HEAD}{_ASKED}(?:act as|act like|pretend|role-?play|play the (?:role|part)|imagine|let's (?:play|pretend)|"
    r"we are (?:playing|role-?playing)|we're (?:playing|role-?playing)|fais comme|fais semblant|joue le rôle|jouons|imagine|imaginons)\b|"
    rf"\b(?:story|novel|tale|poem|screenplay|fairy tale) (?:about|of|in which|where)\b|\bin character\b|\brole-?play|\bonce upon a time\b|\bil était une fois\b|"
    r"\b(?:une?|mon|ma|cette?) (?:histoire|conte|roman|poème) (?:sur|de|où|dans)\b"
)


def hedged(sentence: str) -> bool:
    """Whether a sentence states nothing plainly, of today, in its author's own words."""
    lowered = sentence.lower().replace("’", "'")
    if sentence.endswith("?") or _HEDGED.search(lowered) or _QUOTED.search(sentence):
        return True
    if _CORRECTED.search(lowered):
        return True
    return _ASIDE.search(lowered) is not None and _BORN.search(lowered) is None


def in_jest(text: str) -> bool:
    """Whether a text takes back what it says."""
    return _IN_JEST.search(text.lower().replace("’", "'")) is not None


def to_work_on(text: str) -> bool:
    """Whether a text sets a task or a scene, so that what else it says are words to work on.

    A task at the very end is none for what was said before it: "I moved to Porto. Write to my landlord."
    """
    lowered = text.lower().replace("’", "'")
    if _TASK_HERE.search(lowered) or _PART.search(lowered):
        return True
    sentences = [one for one in re.split(r"(?<=[.!?;:\n])\s+", lowered.strip()) if one.strip()]
    tasks = [at for at, one in enumerate(sentences) if _TASK.match(one)]
    return any(at == 0 or at + 1 < len(sentences) for at in tasks)


# --- what denies ---------------------------------------------------------------------------------

_DENIED = re.compile(
    r"\b(?:not|never|nor|neither|none|no longer|any ?more|hardly|barely|without|instead of|rather than|cannot|"
    r"no|ya no|ne|pas|plus|jamais|ni|aucune?|sans|kein\w*|nicht|nie|ohne|nunca|sin|non|mai|não|"
    r"want(?:s|ed)? to|wanna|going to|gonna|plan(?:s|ning)? (?:to|on)|about to|need(?:s)? to|ha(?:ve|s) to|should|"
    r"must|tr(?:y|ies|ying) to|would|could|might|almost|nearly|consider\w*|think(?:ing)? (?:of|about)|hoping|"
    r"looking for|dream\w*|supposed to|veux|veut|vais|va|aimerais|voudrais|espère|compte|envisage|devrais|dois|pourrais|"
    r"presque|failli|cherche)\b|n't\b|\bn'|\w'(?:d|ll)\b"
)
_MAY = re.compile(r"(?:\b(?:i|we|he|she|they|you)|[A-Z]\w+) may (?!\d)", re.I)
_WILL = re.compile(r"\bwill\b")
"""Will is a name too."""
_OVER = re.compile(
    r"\b(?:left|leaving|quit|quitting|resigned|lost|sold|fired|laid off|broke up|split|former|formerly|ex|previous|"
    r"previously|old|until|once|had|died|gave up|stopped|was(?! (?:born|hired|diagnosed|named|promoted|just hired))|"
    r"were(?! (?:born|hired|diagnosed|named))|quitté|perdu|vendu|ancien(?:ne)?|arrêté|avais|avait|étais|était)\b"
)


def denied(clause: str, *, disliked: bool = False) -> bool:
    """Whether a clause denies, only wishes, or tells of what is over; in doubt it does.

    `disliked`: "I don't like" is what it is about.
    """
    lowered = clause.lower().replace("’", "'")
    if disliked:
        lowered = _DISLIKED.sub(" ", lowered)
    return bool(
        _DENIED.search(lowered)
        or _WILL.search(clause)
        or _MAY.search(clause)
        or _OVER.search(lowered)
    )


_DISLIKED = re.compile(
    r"\b(?:do(?:es)?n't|do(?:es)? not|can't|cannot|can not) (?:really )?(?:like|love|enjoy|stand|bear)\b|"
    r"\b(?:n')?(?:aime|supporte)s? (?:vraiment )?pas\b|\bne supporte pas\b"
)
