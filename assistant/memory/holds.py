"""Words of which one must be in a text that holds a time, a number, a price, a place ... English and French.

They are for refusing what lacks all of them, so they are wide: what one of them lets through falsely
costs less than what is falsely refused. Patterns for a text in lower case, which is several times as
quick as one compiled to ignore case; those that end in _NAMED are for the text as it was written.
"""

from __future__ import annotations

from typing import Final

MONTHS: Final = (
    "january|february|march|april|may|june|july|august|september|october|november|december|janvier|"
    "février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre"
)
_MONTHS_SHORT = "jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|janv|févr?|juil|déc"
DAYS: Final = (
    "mondays?|tuesdays?|wednesdays?|thursdays?|fridays?|saturdays?|sundays?|lundis?|mardis?|mercredis?|"
    "jeudis?|vendredis?|samedis?|dimanches?"
)
_DAYS_SHORT = "tues?|weds?|thu(?:rs?)?|fri|sat|sun"
NUMBERS: Final = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|"
    "sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|"
    "hundreds?|thousands?|million|half|dozens?|zero|"
    "deux|trois|quatre|cinq|sept|huit|neuf|dix|onze|douze|treize|quatorze|quinze|seize|"
    "vingts?|trente|quarante|cinquante|soixante|quatre-vingts?|cents?|mille|demie?|zéro|"
    "douzaine|dizaine|vingtaine|trentaine|quarantaine|cinquantaine|soixantaine|centaine"
)
_TENS = "twenties|thirties|forties|fifties|sixties|seventies|eighties|nineties|teens"
NUMBER: Final = rf"\d|\b(?:{NUMBERS}|{_TENS})\b"
FEW: Final = (
    "twins?|triplets|pair|couple|several|both|single|once|twice|hat-?trick|nobody|everybody|everyone|run out|none|never|no|not|only|few|many|lots?|loads|"
    "plenty|aucune?|jumeaux|jumelles|plusieurs|beaucoup|unique|seule?|jamais|pas|plus|peu|personne"
)
LIKE: Final = (
    r"\w+er than|more than|less than|as \w+ as|same|size|up to|down to|over|under|about|almost|nearly|"
    r"around|plus (?:de|que|\w+ que)|moins (?:de|que|\w+ que)|autant|touch\w*|reach\w*|fits?|fills?|comes|arrive|autant|environ|presque|jusqu\w*|taille|pointure"
)
_VAGUE = (
    "nothing|much|enough|equal\\w*|free|full|rien|assez|gratuit\\w*|third|quarter|quart|tiers|grand|quid|tenner|fiver|fortune|cheap\\w*|expensive|pricey|bargain|smic|brut|nets?|balles|kilos?|litres?|"
    "ounces?|pounds?|inch\\w*|foot|feet|mètres?|met(?:er|re)s?|miles?|pinch|cups?|mugs?|spoon\\w*|"
    "months?|weeks?|years?|days?|hours?|minutes?|mois|ans|par an|semaines?|jours?|heures?|cher|chère|"
    "singles?|doubles?|small|medium|large|big|tall|huge|tiny|king|queen|petite?|grande?|moyen\\w*|short|long|deep|fast|light|heavy"
)
AMOUNT: Final = rf"{NUMBER}|\b(?:{FEW}|{LIKE}|{_VAGUE})\b"
"""How much, how big, how far: with a number or without."""
SIZE_NAMED: Final = r"\b(?:X{0,3}[SML]|[B-HJ-Z])\b(?!['’])"
SPAN: Final = (
    r"years?|yrs?|months?|weeks?|wks?|days?|hours?|hrs?|minutes?|mins?|seconds?|secs?|decades?|nights?|"
    r"ans|années?|mois|semaines?|jours?|heures?|minutes?|secondes?|nuits?"
)
_CLOCK = r"o'clock|half past|quarter (?:to|past)|\d{1,2}[:h.]\d\d|noon|midnight|midi|minuit"
TIME: Final = (
    rf"\b(?:1[89]|20)\d\ds?\b|\b\d{{1,2}}[./-]\d{{1,2}}\b(?!-|\d)|"
    rf"\b\d{{1,2}}(?:st|nd|rd|th|er|e|h|am|pm|\.)?(?![\d ]*\d|\w| ?(?:euros?|kilos?|kg|%|percent|met|[€$£%]))|"
    rf"\b(?:{MONTHS}|{_MONTHS_SHORT}|{DAYS}|{_DAYS_SHORT}|{_CLOCK}|{NUMBERS}|{_TENS}|"
    r"spring|summer|autumn|in (?:the )?fall|winter|day|jour|mornings?|evenings?|afternoons?|nights?|weekends?|daily|weekly|"
    r"monthly|yearly|ago|since|until|till?|last|next|today|yesterday|tomorrow|tonight|now|later|early|"
    r"earlier|late|after|before|during|when\w*|while|once|every|each|always|usually|soon|"
    r"\w+time|around (?!the)|vers|une fois|if|si|christmas|xmas|easter|new year\w*|eve|eid|ramadan|diwali|hanukkah|passover|halloween|"
    r"thanksgiving|michaelmas|bank holiday|holidays?|term|lunch\w*|dinner|breakfast|dawn|dusk|"
    r"sunset|sunrise|birthday|childhood|lockdown|war|retire\w*|start\w*|beg[aiu]n\w*|end\w*|finish\w*|"
    r"deadline|printemps|été|automne|hiver|matins?|matinée|soirs?|soirées?|après-midi|nuits?|"
    r"week-ends?|depuis|jusqu\w*|prochaine?|derni(?:er|ère)|demain|hier|aujourd\w*|maintenant|après|"
    r"avant|pendant|quand|lorsqu\w*|dès|toujours|bientôt|tard|tôt|chaque|toute?s? les|"
    r"noël|pâques|toussaint|pentecôte|ascension|rentrée|vacances|anniversaire|début|fin|mi|retraite)\b"
)
DATE: Final = (
    rf"\b\d{{1,2}}(?:st|nd|rd|th|er)?(?: of)? (?:{MONTHS}|{_MONTHS_SHORT})\b|\b\d{{1,2}}[./-]\d{{1,2}}\b(?!-|\d)|"
    rf"\b(?:{MONTHS}|{_MONTHS_SHORT}) (?:the )?\d|\bon the \d|\ble \d{{1,2}}\b|\b(?:day|eve|jour|veille)\b"
)
COLOUR: Final = (
    r"\b(?:red|blue|green|yellow|black|white|gr[ea]y|silver|gold(?:en)?|orange|purple|pink|brown|"
    r"beige|cream|turquoise|violet|navy|mustard|ginger|tabby|ivory|olive|scarlet|crimson|teal|"
    r"lilac|lavender|indigo|maroon|burgundy|magenta|peach|coral|charcoal|mint|sage|plum|bronze|copper|"
    r"khaki|tan|rust|taupe|terracotta|ochre|emerald|sapphire|ruby|auburn|chestnut|hazel|fair|mahogany|"
    r"striped?|stripes|spotted|dots|tartan|floral|plain|shades?|tone|tint|paint\w*|dyed?|matching|"
    r"colou?r\w*|dark|light|pale|bright|blond\w*|multicolou?r\w*|"
    r"rouge|bleue?|verte?|jaune|noire?|blan(?:c|che)|grise?|rose|violette?|mauve|marron|brune?|châtain|"
    r"rousse?|roux|dorée?|argentée?|couleur|moutarde|bordeaux|kaki|crème|écru|ocre|saumon|prune|lilas|"
    r"sable|anthracite|marine|clair|claire|foncée?|sombre|peinte?|repeinte?|rayée?|rayures|pois|"
    r"écossaise?|fleurie?|assortie?)s?\b"
)
COLOUR_NAMED: Final = r"(?:\b(?:is|are|was|be|est|en)|['’]s) [A-Z]"
"""Paints have the names of anything."""
PLACE: Final = (
    rf"\b(?:in|at|on|from|by|over|into)\s+(?!{MONTHS}|{DAYS}|\d|the (?:\w+ )?(?:weeks?|months?|years?|mornings?|"
    rf"evenings?)|time|spring|summer|autumn|winter|{NUMBERS}|my own|best|foot|fire)|\bto (?:the|my|our)\b|"
    r"\b(?:under|behind|near|above|below|beside|between|next (?:to|door)|"
    r"inside|outside|upstairs|downstairs|opposite|around|round|through|with|past|down|up|out|gone|went|visiting|here|there|"
    r"parti[es]?|sorti[es]?|abroad|home|lives?|work\w*|employ\w*|job|travaill\w*|embauch\w*|boulot|station|school|hall|street|road|lane|corner|levels?|bay|floor|"
    r"drawer|box|shelf|cupboard|wardrobe|shed|loft|attic|cellar|basement|garage|kitchen|bathroom|bedroom|"
    r"office|desk|bag|pocket|safe|folder|garden|farm|village|town|city|country|shop|"
    r"à|au|aux|en|dans|chez|sur|sous|derrière|devant|près|entre|avec|côté|haut|bas|fond|ici|là|"
    r"rue|place|avenue|placard|tiroir|boîte|étagère|armoire|grenier|cave|cuisine|chambre|bureau|sac|poche|"
    r"maison|jardin|village|ville|pays|magasin|étage)\b|\bd['’]|(?:\b(?:is|went)|['’]s) away\b|"
    r"\b(?:has|have|had|took|keeps?|holds?|sells?|stocks?|borrowed|garde|vend|a) (?:my|our|the|it|them|mon|ma|mes|notre|nos|l[ea]s?)\b"
)
PLACE_NAMED: Final = r"\bto [A-Z]|\d [A-Z]"
MONEY: Final = (
    r"[€$£¥]|\b(?:cost\w*|pric\w+|paid|pay\w*|euros?|pounds?|dollars?|francs?|owe\w*|charg\w+|"
    r"salary|wages?|worth|cents?|bucks|quid|grand|tenner|fiver|fortune|cheap\w*|expensive|bargain|free|"
    r"sold|fees?|rent|bills?|earn\w*|gets?|takes?|made|mak\w+|wants?|give|gave|gift|present|nothing|"
    r"month|an? (?:hour|day|week|month|year|piece|head|go)|each|raise\w*|"
    r"coût\w*|prix|pay[ée]\w*|paie|salaire|loyer|gagn\w*|touche|prend|prix|gratuit\w*|vaut|mois|argent|"
    r"balles|smic|cher|chère|facture|tarif|de l['’]heure)\b"
)
SOMEBODY: Final = (
    r"\b(?:neighbours?|next door|uncle|aunt(?:ie|y)?|mother|mum|mom|mummy|father|dad|daddy|parents?|"
    r"folks?|brothers?|sisters?|cousins?|nephews?|nieces?|in-laws?|\w+-in-law|gran\w*|nan|nana|"
    r"friends?|mate|pal|m[ae]n|wom[ae]n|bloke|guys?|lads?|kids?|child|children|girls?|boys?|"
    r"babys?itter|students?|"
    r"somebody|someone|nobody|anybody|everybody|everyone|people|persons?|couple|family|"
    r"colleagues?|boss|manager|staff|team|crew|company|firm|insurer|co-?op\w*|council|clinic|workshop|"
    r"shops?|bank|agency|club|church|vet|daughters?|sons?|wife|husband|partner|girlfriend|boyfriend|"
    r"flatmate|housemate|lodger|tenants?|landlord|landlady|nurse|lady|doctor|doc|gp|teacher|tutor|coach|"
    r"plumber|builders?|electrician|gardener|cleaner|driver|mechanic|solicitor|lawyer|accountant|agent|"
    r"\w+sitter|\w+keeper|\w+smith|\w+maker|my\w*sel(?:f|ves)|ours?elves|(?:him|her|them)sel(?:f|ves)|"
    r"mrs?|ms|"
    r"voisine?s?|oncle|tonton|tante|tata|mère|maman|père|papa|frères?|sœurs?|cousine?s?|neveux?|nièces?|"
    r"mamie|papi|papy|beaux?-\w+|belle-\w+|copains?|copines?|potes?|amie?s?|homme|femme|mari|dame|gars|"
    r"personne|gens|tout le monde|collègues?|patronn?e?|cheffe?|entreprise|société|assurance|banque|"
    r"mairie|fille|fils|enfants?|petite?s?|gardienne?|nounou|notaire|avocate?|médecin|docteur|toubib|"
    r"maîtresse|prof\w*|kiné|véto|plombier|artisan|électricien|jardinier|facteur|"
    r"madame|monsieur|mademoiselle|(?:moi|toi|lui|elle|nous|eux)-mêmes?)\b"
)
LIST_NAMED: Final = r"\w, [\w'’ ]+(?:,| and | et | & )|\b[A-Z]\w+ (?:and|et) [A-Z]"
"""Some by name."""
COUNT: Final = (
    rf"(?<!at )(?<!past )(?<!in )(?<!size )(?<!platform )(?:\b\d{{1,3}}(?![\d:]|\.\d)|\b(?!19|20)\d{{4}}\b|\b(?:{NUMBERS})\b)"
    rf"(?! (?:euros?|percent|past|{MONTHS}|of (?:{MONTHS})))|\b(?:{FEW})\b|"
    r"\b(?:an?|une?|my|our|his|her|their) (?:\w+ )?(?:sons?|daughters?|child|kid|boy|girl|brother|sister|dog|"
    r"cat|fils|fille|enfant|frère|sœur|chien|chat|scoop|cup|mug|spoon|pinch|case|box|pack(?:et)?|crate|tray|bag|"
    r"bunch|handful|load|set|row|bottle|glass|carton|paquet|caisse|sac|lot|poignée|tas|boîte|bouteille|verre)\b"
)
"""A number that may count things; or some of them by name."""
LIVES: Final = (
    r"\b(?:liv(?:es?|ing)|moved?|home|flat|house\w*|apartment|cottage|street|road|lane|square|address|"
    r"reside\w*|settled|retired|place|stay\w*|rents?|room|based|boat|practice|postcode|neighbour\w*|"
    r"habite\w*|vit|vivent|rue|studio|loft|chambre|appart\w*|maison|adresse|logement|déménag\w*|installé\w*|chez|voisine?s?)\b|"
    r"(?:\b(?:is|are|am|now|est|sont|still|toujours|back)|['’](?:s|re|m)) (?!off )(?:\w+ ){0,2}"
    r"(?:in|at|on|over|near|from|with (?:his|her|their|the|my|our)|round|down|up|out|à|au|en|chez|dans|près|vers)\b"
)
LIVES_NAMED: Final = rf"\d ?\w? (?!(?i:{MONTHS}))[A-Z]"
BORN: Final = (
    r"\b(?:born|raised|grew|grow|child\w*|from|native|comes?|origin\w*|roots?|famil\w+|parents?|home|hail\w*|"
    r"farm|village|brought up|accent|left|emigrat\w+|moved|née?|naiss\w+|vient|grandi\w*|natif|native|"
    r"famille|enfance|gars|fille|ferme)\b"
)
BORN_NAMED: Final = r"(?:\b(?:is|was|are|est|une?|an?)|['’]s) (?:\w+ )?[A-Z]\w+"
"""Irish, or a Cork man."""
PARTNERS: Final = (
    "wife|husband|partner|girlfriend|boyfriend|spouse|fianc[ée]+|femme|mari|épou(?:x|se)|"
    "compagn(?:on|e)|copine|copain"
)
LOVES: Final = (
    rf"\b(?:{PARTNERS}|missus|hubby|other half|better half|marr\w+|wedd\w+|knot|bride|groom|together|engaged|"
    r"couple|go(?:ing|es) out|dat(?:es|ing)|seeing|ex|split|separated|divorced?|single|widow\w*|in love|"
    r"propos\w+|mariée?s?|épous\w+|ensemble|fiancée?s?|célibataire|divorcée?s?|veuve|veuf|sort avec)\b"
)
LOVES_NAMED: Final = r"\b[A-Z]\w+ (?:and|et) [A-Z]"
CHILDREN: Final = (
    r"\b(?:child\w*|kids?|sons?|daughters?|boys?|girls?|twins?|bab(?:y|ies)|father|mother|parents?|mum|dad|"
    r"triplets|little one|toddler|teens?|teenagers?|pregnant|expecting|birth|born|adopt\w*|step\w+|grand\w+|"
    r"enfants?|fils|filles?|bébés?|garçons?|jumeaux|jumelles|enceinte|petite?s?|maman|papa|ados?)\b"
)
AGE: Final = (
    rf"(?:\d|\b(?:{NUMBERS})) ?(?:{SPAN})\b|\b(?:born|birth\w*|turn(?:s|ed|ing)?|years? old|aged?|built|"
    rf"bought|opened|made|tudor|medieval|since|celebrat\w*|anniversaire|née?s?|naiss\w+|fêt\w+|century|siècle|date[sd]?|"
    rf"{_TENS}|\w+-?year-?olds?|pension\w*|retraitée?|toddler|newborn|kitten|puppy|chaton|chiot|"
    rf"baby|teen\w*|reception|grade|(?:start\w*|starting|finish\w*|at|in) (?:school|nursery|primary|year)|maternelle|cp|collège|lycée|primaire|trentaine|"
    rf"quarantaine|cinquantaine|soixantaine|aînée?|cadette?|jeune|vieux|vieille|victorian|edwardian|georgian|"
    rf"(?:in|of|last|this|next) (?:the )?(?:spring|summer|autumn|winter|{MONTHS}|year|week)|(?:1[89]|20)\d\ds?)\b|"
    rf"(?:\b(?:is|was|are|were|am|been|be|est|a|ont|aura|sur(?: ses)?)|['’](?:s|re|m)|[=:,]) "
    rf"(?:(?:now|just|only|about|nearly|almost|over|turning|bientôt|presque|déjà|environ) )*"
    rf"(?:\d{{1,3}}(?!\d|[:.h]\d|(?: ?[a-z€$£%]))|(?:{NUMBERS})\b)"
)
SCRATCHES: Final = (
    r"\b(?:allerg\w+|intoleran\w+|coeliac|celiac|cœliaque|diabetic|rash\w*|swell\w*|throat|eat\w*|touch\w*|"
    r"avoid\w*|ambulance|sneez\w*|hay fever|itch\w*|hives|spots|breath\w*|wheez\w*|careful|react\w*|stand|pills?|"
    r"tablets?|ill|sick|epipen|mang\w*|gorge|tolère|supporte|œdèmes?|gonfl\w*|évit\w*|boutons|plaques|"
    r"malade|éternue|gratte|interdite?|can['’]?t|cannot|mustn['’]?t|never|no|jamais|sans)\b"
)
"""Of what somebody does not bear."""
LIKES: Final = (
    r"\b(?:favou?rites?|fave|lov\w+|lik\w+|best|better|beats?|prefer\w*|adore\w*|enjoy\w*|fond|always|never|"
    r"every|only|craz[ey]\w*|mad|fan|roots?|supports?|orders?|tastes?|obsess\w*|everything|nothing|choos\w+|"
    r"wants?|treat|swears?|great|top|hooked|aim\w+|préf\w+|mieux|meilleure?|toujours|jamais|raffole|"
    r"fana?|dingue|folle?|fou|régal\w*|veut|tous les|toutes les)\b"
)
DREADS: Final = (
    r"\b(?:afraid|scar\w+|fears?|terrif\w+|fright\w+|panics?|phobi\w+|nervous|hides?|runs?|screams?|cries|dreads?|"
    r"stand|hates?|thing about|near|away|avoids?|won['’]?t|can['’]?t|never|peurs?|terroris\w+|effray\w*|"
    r"déteste|fuit|cache|approche|panique|phobie|jamais)\b"
)
FLOOR: Final = (
    rf"{NUMBER}|\b(?:ground|first|second|third|fourth|fifth|top|attic|basement|cellar|up\w*|down\w*|last|"
    r"rez|premier|première|second|dernier|haut|bas|sous-sol|étage|combles)\b"
)
