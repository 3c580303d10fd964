"""Countries, in English and French, with a few of their cities: "I live in France" does not deny "in Lyon"."""

from __future__ import annotations

# Names of a country, and after the bar cities of it; keys as `attributes.key` makes them.
_TABLE = """
france | paris, lyon, marseille, marseilles, toulouse, nice, nantes, strasbourg, bordeaux, lille, rennes, brest, grenoble
germany, allemagne, deutschland | berlin, hamburg, munich, münchen, cologne, köln, frankfurt, stuttgart, leipzig, dresden
united kingdom, uk, britain, great britain, england, angleterre, royaume-uni, grande-bretagne | london, londres, manchester, birmingham, leeds, liverpool, bristol, oxford, cambridge
scotland, écosse | edinburgh, glasgow, aberdeen, édimbourg
wales, pays de galles | cardiff, swansea
ireland, irlande | dublin, cork, galway
spain, espagne, españa | madrid, barcelona, barcelone, valencia, sevilla, seville, bilbao, málaga
portugal | lisbon, lisbonne, lisboa, porto, oporto, braga, coimbra, faro
italy, italie, italia | rome, roma, milan, milano, turin, torino, naples, napoli, florence, firenze, bologna, venice, venezia
switzerland, suisse, schweiz | zurich, zürich, geneva, genève, basel, bern, berne, lausanne
austria, autriche, österreich | vienna, vienne, wien, graz, salzburg, linz
belgium, belgique | brussels, bruxelles, antwerp, ghent, liège, bruges
netherlands, holland, pays-bas | amsterdam, rotterdam, utrecht, the hague, eindhoven
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
united states, usa, us, america, états-unis, amérique | new york, boston, chicago, seattle, san francisco, los angeles, austin, denver, miami
canada | toronto, montreal, montréal, vancouver, ottawa, québec
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
india, inde | delhi, mumbai, bangalore, chennai, kolkata
pakistan | karachi, lahore
china, chine | beijing, shanghai, shenzhen
japan, japon | tokyo, osaka, kyoto
south korea, korea, corée | seoul, busan
vietnam | hanoi
thailand, thaïlande | bangkok
singapore, singapour |
indonesia, indonésie | jakarta
philippines | manila
australia, australie | sydney, melbourne, brisbane, perth
new zealand, nouvelle-zélande | auckland, wellington
"""
_COUNTRY: dict[str, int] = {}
_CITY: dict[str, int] = {}
for _at, _line in enumerate(_TABLE.strip().splitlines()):
    _names, _, _cities = _line.partition("|")
    _COUNTRY |= {name.strip(): _at for name in _names.split(",")}
    _CITY |= {name.strip(): _at for name in _cities.split(",") if name.strip()}


def may_be_in(place: str, country: str) -> bool:
    """Whether a place that is no country may lie in what is one; keys, as `attributes.key` makes them."""
    if country not in _COUNTRY or place in _COUNTRY:
        return False
    return _CITY.get(place, _COUNTRY[country]) == _COUNTRY[country]
