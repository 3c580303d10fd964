"""Countries, in English and French, with a few of their cities and regions: "I live in France" does not deny "in Lyon"."""

from __future__ import annotations

# Names of a country, after a bar cities of it, after another regions; keys as `attributes.key` makes them.
_TABLE = """
france | paris, lyon, marseille, marseilles, toulouse, nice, nantes, strasbourg, bordeaux, lille, rennes, brest, grenoble | brittany, bretagne, normandy, normandie, provence, alsace, burgundy, bourgogne, savoie, corsica, corse, île-de-france, occitanie, aquitaine, auvergne
germany, allemagne, deutschland | berlin, hamburg, munich, münchen, cologne, köln, frankfurt, stuttgart, leipzig, dresden | bavaria, bayern, saxony, sachsen, hesse, hessen, baden-württemberg, brandenburg
united kingdom, uk, britain, great britain, england, angleterre, royaume-uni, grande-bretagne | london, londres, manchester, birmingham, leeds, liverpool, bristol, oxford, cambridge, edinburgh, glasgow, aberdeen, édimbourg, cardiff, swansea, belfast | yorkshire, cornwall, kent, essex, sussex, devon, northern ireland, scotland, écosse, wales, pays de galles
ireland, irlande | dublin, cork, galway
spain, espagne, españa | madrid, barcelona, barcelone, valencia, sevilla, seville, bilbao, málaga | catalonia, catalogne, cataluña, andalusia, andalousie, andalucía, basque country, pays basque, galicia, galice
portugal | lisbon, lisbonne, lisboa, porto, oporto, braga, coimbra, faro | algarve, alentejo, madeira
italy, italie, italia | rome, roma, milan, milano, turin, torino, naples, napoli, florence, firenze, bologna, venice, venezia | tuscany, toscane, toscana, sicily, sicile, sicilia, lombardy, lombardia, sardinia, sardaigne, sardegna, veneto, piedmont
switzerland, suisse, schweiz | zurich, zürich, geneva, genève, basel, bern, berne, lausanne | ticino, valais, vaud
austria, autriche, österreich | vienna, vienne, wien, graz, salzburg, linz | tyrol, tirol, styria, carinthia
belgium, belgique | brussels, bruxelles, antwerp, ghent, liège, bruges | flanders, flandre, wallonia, wallonie
netherlands, holland, pays-bas | amsterdam, rotterdam, utrecht, the hague, eindhoven | friesland, zeeland, limburg, brabant
luxembourg | esch
denmark, danemark | copenhagen, copenhague, aarhus, odense
sweden, suède | stockholm, gothenburg, malmö, uppsala
norway, norvège | oslo, bergen, trondheim, tromso, tromsø
finland, finlande | helsinki, tampere, turku
iceland, islande | reykjavik
poland, pologne | warsaw, varsovie, krakow, kraków, gdańsk, wrocław
czechia, czech republic, tchéquie | prague, brno
slovakia, slovaquie | bratislava
hungary, hongrie | budapest
slovenia, slovénie | ljubljana
croatia, croatie | zagreb, split
serbia, serbie | belgrade
romania, roumanie | bucharest, bucarest, cluj
bulgaria, bulgarie | sofia
greece, grèce | athens, athènes, thessaloniki
turkey, turquie | istanbul, ankara, izmir
ukraine | kyiv, kiev, lviv, odesa
russia, russie | moscow, moscou
estonia, estonie | tallinn
latvia, lettonie | riga
lithuania, lituanie | vilnius
united states, usa, us, america, états-unis, amérique | new york, boston, chicago, seattle, san francisco, los angeles, austin, denver, miami | california, californie, texas, florida, floride, oregon, washington state, colorado, illinois, massachusetts, georgia, ohio, arizona, new jersey, michigan, virginia, new england
canada | toronto, montreal, montréal, vancouver, ottawa, québec | ontario, british columbia, alberta, nova scotia, quebec
mexico, mexique | mexico city, guadalajara
brazil, brésil, brasil | são paulo, rio, rio de janeiro
argentina, argentine | buenos aires
chile, chili | santiago
colombia, colombie | bogotá, medellín
peru, pérou | lima
morocco, maroc | casablanca, rabat, marrakech
algeria, algérie | algiers, alger, oran
tunisia, tunisie | tunis
egypt, égypte | cairo
senegal, sénégal | dakar
nigeria | lagos, abuja
kenya | nairobi
south africa, afrique du sud | cape town, johannesburg, durban
israel, israël | tel aviv, jerusalem
lebanon, liban | beirut, beyrouth
india, inde | delhi, mumbai, bangalore, chennai, kolkata | kerala, punjab, goa, karnataka, tamil nadu
pakistan | karachi, lahore
china, chine | beijing, shanghai, shenzhen
japan, japon | tokyo, osaka, kyoto
south korea, korea, corée | seoul, busan
vietnam | hanoi
thailand, thaïlande | bangkok
singapore, singapour |
indonesia, indonésie | jakarta
philippines | manila
australia, australie | sydney, melbourne, brisbane, perth | victoria, new south wales, queensland, tasmania
new zealand, nouvelle-zélande | auckland, wellington
"""
_COUNTRY: dict[str, int] = {}
_WITHIN: dict[str, int] = {}
_REGIONS: set[str] = set()
for _at, _line in enumerate(_TABLE.strip().splitlines()):
    _names, _cities, _regions = (*_line.split("|"), "")[:3]
    _COUNTRY |= {name.strip(): _at for name in _names.split(",")}
    _WITHIN |= {name.strip(): _at for part in (_cities, _regions) for name in part.split(",")}
    _REGIONS |= {name.strip() for name in _regions.split(",")} - {""}


def may_be_in(place: str, wider: str) -> bool:
    """Whether a place may lie in a country or region; keys, as `attributes.key` makes them."""
    if place in _COUNTRY or (place in _REGIONS and wider in _REGIONS):
        return wider == "europe" and _COUNTRY.get(place, _BEYOND) < _BEYOND
    if wider == "europe":
        return _WITHIN.get(place, 0) < _BEYOND
    country = _WITHIN[wider] if wider in _REGIONS else _COUNTRY.get(wider)
    return country is not None and _WITHIN.get(place, country) == country


_BEYOND = _COUNTRY["russia"]
"""The countries before it are Europe's."""

KNOWN = frozenset(_COUNTRY) | frozenset(_WITHIN) | frozenset(_REGIONS)
"""Places that are known also where they are written small."""
