"""The web page in a real Chromium, against a real daemon with a scripted model."""

import json
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import PHONE, Cable, Visitor, beside, until
from playwright.sync_api import expect
from running import RunningDaemon

from assistant.config import LIMITS
from assistant.listen.interfaces import candidates

on_a_network = pytest.mark.skipif(
    not any(one.kind == "home" for one in candidates()), reason="no network interface but loopback"
)
WORDS = 40
"""Of a slow answer."""
SLOW = " ".join(f"word{n}" for n in range(WORDS))


class World:
    """A daemon whose model says what a test wrote, and the devices that visit it."""

    def __init__(self, browser, home, *, pause=0.0, replies=()):
        home.mkdir()
        script = home / "script.json"
        script.write_text(json.dumps({"replies": list(replies), "word_pause_s": pause}))
        self.browser = browser
        self.daemon = RunningDaemon(home / "data", model=f"fake:{script}").up()
        self.visitors = []

    def visitor(self, *, connected=True, **options):
        made = Visitor(self.browser, self.daemon.url, **options)
        self.visitors.append(made)
        return made.connect(self.daemon.token) if connected else made

    def close(self):
        problems = [one for visitor in self.visitors for one in visitor.problems]
        foreign = [one for visitor in self.visitors for one in visitor.foreign]
        for visitor in self.visitors:
            visitor.close()
        code = self.daemon.stop()
        assert (problems, foreign, code) == ([], [], 0)


@pytest.fixture
def world(browser, tmp_path):
    made = World(browser, tmp_path / "world")
    yield made
    made.close()


@pytest.fixture
def slow(browser, tmp_path):
    made = World(browser, tmp_path / "slow", pause=0.1)
    yield made
    made.close()


def mid_stream(visitor):
    """Wait until an answer is on its way."""
    expect(visitor.answer()).to_contain_text("word3 ")
    expect(visitor.answer()).to_have_attribute("data-status", "running")


# --- first steps -----------------------------------------------------------------------------


def test_a_device_that_is_not_known_is_told_what_to_do(world):
    visitor = world.visitor(connected=False).go()
    page = visitor.page
    page.get_by_label("Code or token").fill("wrong")
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("alert")).to_contain_text("not known")
    visitor.connect(world.daemon.token)
    expect(page.get_by_text("No chats yet")).to_be_visible()
    expect(page.get_by_text("What is on your mind?")).to_be_visible()
    page.reload()
    expect(page.get_by_text("No chats yet")).to_be_visible()


def test_the_token_is_nowhere_that_a_script_or_a_log_could_read_it(world):
    visitor = world.visitor()
    kept = visitor.page.evaluate(
        """async () => {
            const found = [location.href, document.cookie, document.documentElement.outerHTML,
                           JSON.stringify(localStorage), JSON.stringify(sessionStorage)];
            const open = indexedDB.open("nestor");
            await new Promise((resolve) => (open.onsuccess = resolve));
            const all = open.result.transaction("session").objectStore("session").getAll();
            await new Promise((resolve) => (all.onsuccess = resolve));
            for (const { key, sealed } of all.result) {
                found.push(String(key.extractable), new TextDecoder("latin1").decode(sealed));
            }
            return found;
        }"""
    )
    assert "false" in kept
    assert [text for text in kept if world.daemon.token in text] == []
    assert [r.url for r in visitor.requests if world.daemon.token in r.url] == []


def test_disconnect_forgets_the_token(world):
    visitor = world.visitor().go("#/settings")
    visitor.page.get_by_role("button", name="Disconnect").click()
    visitor.page.get_by_role("dialog").get_by_role("button", name="Disconnect").click()
    expect(visitor.page.get_by_label("Code or token")).to_be_visible()
    visitor.page.reload()
    expect(visitor.page.get_by_label("Code or token")).to_be_visible()


def test_nestor_open_lets_the_browser_in_and_leaves_no_ticket(world):
    address = world.daemon.cli("open", "--print").stdout.strip()
    ticket = address.partition("&s=")[2]
    visitor = world.visitor(connected=False)
    visitor.page.goto(address)
    expect(visitor.page.get_by_text("No chats yet")).to_be_visible()
    assert ticket not in visitor.page.url
    devices = world.daemon.api.get("/api/v1/devices").json()["items"]
    assert [one["name"] for one in devices] == ["Browser (Linux)"], (
        "a ticket is left when the page shows"
    )
    late = world.visitor(connected=False)
    late.page.goto(address)
    expect(late.page.get_by_label("Code or token")).to_be_visible()


@pytest.mark.parametrize(
    ("place", "heading"), [("settings", "Settings"), ("devices", "Devices"), ("//evil", None)]
)
def test_the_icons_menu_opens_the_page_at_a_place(world, place, heading):
    address = world.daemon.cli("open", "--print").stdout.strip()
    visitor = world.visitor(connected=False)
    visitor.page.goto(f"{address}&to={place}")
    if heading:
        expect(visitor.page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
        assert visitor.page.url.endswith(f"#/{place}")
    else:
        expect(visitor.page.get_by_text("No chats yet")).to_be_visible()
        assert "evil" not in visitor.page.url


@on_a_network
def test_a_phone_is_paired_when_both_screens_show_the_same(world):
    window = {"scopes": ["chat", "memory.read"]}
    opened = world.daemon.api.post("/api/v1/pair", json=window).json()
    pc = world.visitor().go("#/devices")
    phone = world.visitor(connected=False, **PHONE)
    phone.page.goto(f"{world.daemon.url}/#{opened['url'].partition('#')[2]}")
    phone.page.get_by_label("Name").fill("My phone")
    phone.page.get_by_role("button", name="Connect").tap()
    shown = phone.page.locator(".check-characters").inner_text(timeout=LIMITS.pair_poll_s * 500)
    expect(pc.page.locator(".check-characters")).to_have_text(shown)
    pc.page.get_by_role("button", name="Yes, let it in").click()
    expect(phone.page.get_by_text("No chats yet")).to_be_visible()
    assert opened["secret"] not in phone.page.url
    phone.go("#/devices")
    expect(phone.page.get_by_text("This is My phone.")).to_be_visible()
    card = pc.page.locator(".card", has_text="My phone").filter(has_text="phone")
    card.get_by_role("button", name="Shut out").click()
    pc.page.get_by_role("dialog").get_by_role("button", name="Shut out").click()
    expect(phone.page.get_by_label("Code or token")).to_be_visible()


@on_a_network
def test_a_certificate_that_is_another_is_refused_by_the_phone(world):
    window = {"scopes": ["chat"]}
    opened = world.daemon.api.post("/api/v1/pair", json=window).json()
    fragment = opened["url"].partition("#")[2].replace(opened["network"]["fingerprint"], "0" * 64)
    phone = world.visitor(connected=False, **PHONE)
    phone.page.goto(f"{world.daemon.url}/#{fragment}")
    phone.page.get_by_role("button", name="Connect").tap()
    refusal = phone.page.get_by_role("alert")
    expect(refusal).to_contain_text("do not fit the certificate")


# --- chat ------------------------------------------------------------------------------------


def test_ask_read_the_receipt_and_why(world):
    world.daemon.api.post("/api/v1/memories", json={"text": "My sister Ana lives in Lyon"})
    visitor = world.visitor()
    page = visitor.page
    visitor.ask("Where does my sister live?")
    assert "Where does my sister live?" in visitor.done()
    assert re.search(r"#/chat/c_", page.url)
    expect(page.locator("#question")).to_be_focused()
    page.get_by_role("button", name="Receipt").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Left this machine")
    expect(dialog).to_contain_text("nothing")
    expect(dialog).to_contain_text("My sister Ana lives in Lyon")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.get_by_role("button", name="Why do you know this?").click()
    expect(dialog).to_contain_text("My sister Ana lives in Lyon")
    expect(dialog).to_contain_text("You told me")


def test_memory_on_pause_is_left_out(world):
    world.daemon.api.post("/api/v1/memories", json={"text": "My sister Ana lives in Lyon"})
    visitor = world.visitor().go("#/memory")
    visitor.page.get_by_role("switch").check()
    visitor.go("#/new").ask("Where does my sister live?")
    visitor.done()
    expect(visitor.page.get_by_text("Memory is paused")).to_be_visible()
    assert visitor.page.get_by_role("button", name="Why do you know this?").count() == 0


def test_an_answer_can_be_stopped(slow):
    visitor = slow.visitor()
    visitor.ask(SLOW)
    mid_stream(visitor)
    visitor.page.get_by_role("button", name="Stop the answer").click()
    expect(visitor.page.get_by_text("You stopped this answer.")).to_be_visible()
    assert f"word{WORDS - 1}" not in visitor.answer().inner_text()


def test_a_cut_in_mid_stream_and_a_reload_lose_and_repeat_nothing(slow):
    with Cable(slow.daemon.port) as cable, beside(slow.browser, *cable.arguments) as apart:
        visitor = Visitor(apart, f"http://localhost:{slow.daemon.port}").connect(slow.daemon.token)
        visitor.ask(SLOW)
        mid_stream(visitor)
        cable.cut()
        expect(visitor.page.locator(".banner")).to_contain_text("Nestor cannot be reached.")
        cable.mend()
        expect(visitor.page.locator(".banner")).to_have_count(0)
        until(lambda: visitor.page.wait_for_timeout(20) or _resumed(visitor))
        visitor.page.reload()
        assert visitor.done() == SLOW
        assert (visitor.problems, visitor.foreign) == ([], [])


def _resumed(visitor):
    seen = [r for r in visitor.requests if re.search(r"/turns/t_\w+/events$", r.url)]
    return [r for r in seen if int(r.headers.get("last-event-id", "0")) > 0]


def test_a_daemon_that_dies_in_mid_stream_is_heard_of_and_comes_back(slow):
    visitor = slow.visitor()
    visitor.ask(SLOW)
    mid_stream(visitor)
    slow.daemon.env["NESTOR_PORT"] = str(slow.daemon.port)
    slow.daemon.stop(9)
    expect(visitor.page.get_by_text("Nestor cannot be reached.")).to_be_visible()
    slow.daemon.up()
    expect(visitor.page.get_by_text("Nestor cannot be reached.")).to_have_count(0)
    expect(visitor.answer()).to_have_attribute("data-status", "failed")
    visitor.ask("again")
    assert visitor.done() == "again"


# --- several devices -------------------------------------------------------------------------


def test_a_chat_begun_on_one_device_goes_on_on_the_other_in_mid_stream(slow):
    pc, phone = slow.visitor(), slow.visitor(**PHONE)
    pc.ask(SLOW)
    mid_stream(pc)
    phone.page.get_by_role("link", name=re.compile("word0")).first.click()
    mid_stream(phone)
    expect(pc.answer()).to_have_attribute("data-status", "running")
    assert phone.done() == pc.done() == SLOW
    phone.ask("from the phone")
    assert phone.done() == "from the phone"
    expect(pc.page.locator(".said").last).to_contain_text("from the phone")
    assert pc.done() == "from the phone"


def test_drafts_names_and_deletions_are_the_same_everywhere(world):
    pc, phone = world.visitor(), world.visitor(**PHONE)
    pc.ask("one")
    pc.done()
    phone.page.get_by_role("link", name=re.compile("^one")).click()
    pc.page.locator("#question").press_sequentially("half a thou")
    expect(phone.page.locator("#question")).to_have_value("half a thou")
    phone.page.locator("#question").press_sequentially("ght")
    expect(pc.page.locator("#question")).to_have_value("half a thought")
    phone.page.locator("#question").press("Enter")
    expect(pc.page.locator("#question")).to_have_value("")
    pc.page.get_by_role("button", name="Rename").click()
    pc.page.get_by_label("Title").fill("Thoughts")
    pc.page.get_by_role("button", name="Save").click()
    expect(phone.page.get_by_role("heading", name="Thoughts")).to_be_visible()
    pc.page.get_by_role("button", name="Delete").click()
    pc.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(phone.page.get_by_text("This chat was deleted.")).to_be_visible()


def test_the_open_chat_is_offered_on_the_other_device(world):
    phone, pc = world.visitor(**PHONE), world.visitor()
    pc.ask("one")
    pc.done()
    phone.page.get_by_text("Continue from your other device: one").click()
    assert phone.done() == "one"


def test_a_text_a_link_and_a_file_reach_the_other_device(world, tmp_path):
    phone, pc = world.visitor(**PHONE), world.visitor().go("#/devices")
    content = bytes(range(256)) * 5
    (tmp_path / "é.bin").write_bytes(content)
    form = pc.page.locator("form")
    for text in ("milk & <b>bread</b>", "https://example.org/a?b=c"):
        form.get_by_label("Text or link").fill(text)
        form.get_by_role("button", name="Send").click()
        expect(phone.page.get_by_text(f"Sent to this device: {text}")).to_be_visible()
    form.get_by_label(re.compile("Or a file")).set_input_files(tmp_path / "é.bin")
    form.get_by_role("button", name="Send").click()
    phone.page.get_by_role("link", name="Sent to this device: é.bin").click()
    received = phone.page.locator('section[aria-labelledby="received-title"] .card')
    expect(received.filter(has_text="milk")).to_contain_text("<b>bread</b>")
    link = received.get_by_role("link", name="https://example.org/a?b=c")
    expect(link).to_have_attribute("rel", re.compile("noopener"))
    with phone.page.expect_download() as download:
        received.filter(has_text="é.bin").get_by_role("button", name="Save the file").click()
    assert download.value.suggested_filename == "é.bin"
    assert download.value.path().read_bytes() == content
    received.filter(has_text="milk").get_by_role("button", name="Delete").click()
    expect(received).to_have_count(2)


# --- memory ----------------------------------------------------------------------------------


def test_the_memory_page(world):
    visitor = world.visitor().go("#/memory")
    page = visitor.page
    expect(page.get_by_text("Nothing is remembered yet")).to_be_visible()
    page.get_by_role("button", name="Remember something").click()
    page.get_by_label("What should be remembered?").fill("Zoe lives in Nantes")
    page.get_by_role("button", name="Remember", exact=True).click()
    card = page.locator(".cards > .card")
    expect(card).to_contain_text("Zoe lives in Nantes")
    card.get_by_role("button", name="Edit").click()
    page.get_by_label(re.compile("What holds now?")).fill("Zoe lives in Brest")
    page.get_by_role("button", name="Save").click()
    expect(card).to_contain_text("Zoe lives in Brest")
    card.get_by_role("button", name="Why do you know this?").click()
    versions = page.get_by_role("dialog").locator(".card")
    expect(versions).to_have_count(2)
    expect(versions.first).to_contain_text("Nantes")
    expect(versions.last).to_contain_text("This is what holds now.")
    page.get_by_role("button", name="Close").click()
    page.get_by_label("Also what no longer holds").check()
    expect(card).to_have_count(2)
    world.daemon.api.post("/api/v1/memories", json={"text": "The bins go out on Tuesday"})
    expect(card).to_have_count(3)
    page.get_by_label("Search by words or by meaning").fill("Where does Zoe live?")
    expect(card.first).to_contain_text("Brest")
    card.first.get_by_role("button", name="Forget").click()
    page.get_by_role("dialog").get_by_role("button", name="Forget").click()
    expect(page.locator(".card", has_text="Brest")).to_have_count(0)
    left = [row["text"] for row in world.daemon.api.get("/api/v1/memories").json()["items"]]
    assert left == ["The bins go out on Tuesday"]


# --- what others wrote -----------------------------------------------------------------------

CANARY = "https://canary.invalid"
ATTACKS = [
    "<script>window.hit = 1</script>",
    "<img src=x onerror='window.hit = 1'>",
    f"<img src='{CANARY}/a.png'> <svg/onload='window.hit = 1'>",
    f"![a]({CANARY}/b.png) and ![ref][pic]\n\n[pic]: {CANARY}/c.png",
    f"<iframe src='{CANARY}/d'></iframe><object data='{CANARY}/e'></object><embed src='{CANARY}/f'>",
    f"<link rel=stylesheet href='{CANARY}/g.css'><style>@import '{CANARY}/h'</style>",
    f"<style>body{{background:url({CANARY}/i)}}</style> <div style='background:url({CANARY}/k)'>x</div>",
    f"<meta http-equiv=refresh content='0;url={CANARY}/j'><base href='{CANARY}/'>",
    "[a](javascript:window.hit=1) [b](JaVaScRiPt:window.hit=1) [c](java&#115;cript:window.hit=1)",
    "[d](data:text/html,<script>window.hit=1</script>) <javascript:window.hit=1> [e](vbscript:x)",
    "[f](\x01javascript:window.hit=1) [g](&#x6A;avascript:window.hit=1) [h](//evil.invalid/x)",
    '<a href="javascript:window.hit=1">x</a> <form action=/api/v1/status><button>go</button></form>',
    "<details open ontoggle='window.hit=1'>x</details> <video poster=x onerror='window.hit=1'>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src onerror=hit=1&gt;'>",
    '"><input autofocus onfocus="window.hit=1"> {{constructor.constructor("window.hit=1")()}}',
    "`<script>window.hit=1</script>` and ```\n<script>window.hit=1</script>\n```",
    "[x](https://good.example/\"onmouseover=\"window.hit=1) <https://good.example/<img/src=x>",
    "| <img src=x onerror=window.hit=1> | b |\n|-|-|\n| [y](javascript:window.hit=1) | \u202egnp.exe |",
    "> " * 200 + "deep", "*" * 3000, "[" * 2000, "- " * 400 + "x", "&#0; &#x110000; &lt;b&gt;",
]  # fmt: skip


def test_nothing_that_others_wrote_runs_or_calls_anybody(browser, tmp_path):
    world = World(browser, tmp_path / "world", replies=ATTACKS)
    api = world.daemon.api
    for attack in ATTACKS[:10]:
        said = {"text": attack, "source": attack[:100], "speaker": attack[:100]}
        api.post("/api/v1/memories", json=said)
    chat = api.post("/api/v1/conversations", json={"title": ATTACKS[1]}).json()["id"]
    for attack in ATTACKS:
        world.daemon.ask(attack, chat, memory=False)
    api.post("/api/v1/parcels", json={"kind": "text", "text": ATTACKS[1]})
    visitor = world.visitor().go(f"#/chat/{chat}")
    page = visitor.page
    expect(page.locator(".answer")).to_have_count(len(ATTACKS))
    expect(page.locator("h1")).to_have_text(ATTACKS[1])
    tags = "DIV P H3 H4 H5 UL OL LI PRE CODE BLOCKQUOTE HR BR TABLE THEAD TBODY TR TH TD "
    allowed = set((tags + "STRONG EM DEL A SPAN INPUT").split())
    found = page.evaluate("""() => [...document.querySelectorAll(".markdown *")].map((one) =>
        ({ tag: one.tagName, names: [...one.attributes].map((a) => a.name), href: one.href ?? "" }))""")
    assert {one["tag"] for one in found} <= allowed
    assert {name for one in found for name in one["names"]} <= {
        "href", "target", "rel", "title", "class", "tabindex", "role", "aria-label", "start", "disabled",
        "type", "checked",
    }  # fmt: skip
    links = {one["href"] for one in found if one["tag"] == "A"}
    assert links
    assert [link for link in links if not re.match(r"(https?|mailto|tel):", link)] == []
    for path in ("#/memory", "#/devices", "#/"):
        visitor.go(path)
        page.wait_for_timeout(300)
    assert page.evaluate("window.hit") is None
    world.close()


def test_the_browser_itself_would_refuse_html_made_of_text(world):
    visitor = world.visitor()
    refused = visitor.page.evaluate("""() => {
        try { document.body.innerHTML = "<b>x</b>"; return false; } catch { return true; }
    }""")
    assert refused
    blocked = visitor.page.evaluate(f"""() => fetch("{CANARY}/x").then(() => false, () => true)""")
    assert blocked
    visitor.foreign.clear()
    visitor.problems.clear()  # the policy says so in the console


# --- the app ---------------------------------------------------------------------------------


def test_it_opens_without_the_daemon_and_keeps_nothing_but_itself(world):
    visitor = world.visitor()
    page = visitor.page
    visitor.ask("canary-qwzx-55")
    visitor.done()
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.reload()  # from now on through the service worker
    visitor.done()
    kept = page.evaluate("""async () => {
        const found = {};
        for (const name of await caches.keys())
            for (const request of await (await caches.open(name)).keys())
                found[new URL(request.url).pathname] = await (await caches.match(request)).text();
        return found;
    }""")
    assert {"/", "/index.html", "/style.css", "/js/app.js"} <= set(kept)
    assert [path for path in kept if re.match(r"/(api|v1|health)", path)] == []
    assert "canary-qwzx-55" not in json.dumps(kept)
    assert world.daemon.token not in json.dumps(kept)

    world.daemon.env["NESTOR_PORT"] = str(world.daemon.port)
    assert world.daemon.stop() == 0
    page.reload()
    expect(page.get_by_text("Nestor cannot be reached.").first).to_be_visible()
    page.locator("#question").fill("written while away")
    page.locator("#question").press("Enter")
    expect(page.get_by_role("alert").first).to_be_visible()
    expect(page.locator("#question")).to_have_value("written while away")
    world.daemon.up()
    expect(page.get_by_role("link", name=re.compile("canary-qwzx-55"))).to_be_visible()
    page.locator("#question").press("Enter")
    assert visitor.done() == "written while away"


def test_it_can_be_installed(world):
    visitor = world.visitor()
    visitor.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    session = visitor.context.new_cdp_session(visitor.page)
    assert session.send("Page.getAppManifest")["errors"] == []
    problems = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert [one["errorId"] for one in problems if one["errorId"] != "in-incognito"] == []


def test_by_keyboard_alone(world):
    visitor = world.visitor()
    page = visitor.page
    visitor.ask("one")
    visitor.done()
    page.locator("#question").focus()
    for _ in range(30):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.textContent") == "Receipt":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.textContent") == "Receipt"


def test_french(world):
    visitor = world.visitor(connected=False, locale="fr-FR").go()
    page = visitor.page
    page.get_by_label("Code ou jeton").fill(world.daemon.token)
    page.get_by_role("button", name="Se connecter").click()
    expect(page.get_by_text("À quoi pensez-vous ?")).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "fr"
    visitor.go("#/settings")
    page.get_by_label("Langue").select_option("en")
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()


def test_both_languages_have_every_word(world):
    visitor = world.visitor(connected=False).go()
    missing = visitor.page.evaluate("""async () => {
        const { LANGUAGES: { en, fr } } = await import("/js/words.js");
        return Object.keys(en).filter((key) => !fr[key]);
    }""")
    assert missing == []


def test_on_a_phone(world):
    visitor = world.visitor(**PHONE)
    page = visitor.page
    page.get_by_role("link", name="New chat").tap()
    visitor.ask("one")
    visitor.done()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("link", name="Back to the chats").tap()
    page.get_by_role("link", name=re.compile("^one")).tap()
    assert visitor.done() == "one"
    page.get_by_role("link", name="Back to the chats").tap()
    page.get_by_role("navigation").get_by_role("link", name="Memory").tap()
    expect(page.get_by_role("heading", name="Memory", exact=True)).to_be_visible()
    small = page.evaluate("""() => [...document.querySelectorAll("button, .button, .tabs a")]
        .map((one) => one.getBoundingClientRect()).filter((box) => box.width && box.height < 40).length""")
    assert small == 0


@pytest.mark.parametrize(("scheme", "device"), [("light", "desktop"), ("dark", "phone")])
def test_axe_finds_nothing_serious(world, scheme, device):
    options = PHONE if device == "phone" else {}
    unknown = world.visitor(connected=False, color_scheme=scheme, **options).go()
    unknown.page.get_by_label("Code or token").wait_for()
    serious = {"connect": _serious(unknown.page)}
    world.daemon.api.post("/api/v1/memories", json={"text": "My sister Ana lives in Lyon"})
    world.daemon.api.post("/api/v1/parcels", json={"kind": "link", "text": "https://example.org/"})
    visitor = world.visitor(color_scheme=scheme, **options).go("#/new")
    visitor.ask(
        "Where does my sister live? # A\n\n- [x] b\n\n|a|b|\n|-|-|\n|1|2|\n\n> q\n\n[l](https://x.example)"
    )
    visitor.done()
    serious["chat"] = _serious(visitor.page)
    visitor.page.get_by_role("button", name="Receipt").click()
    visitor.page.get_by_role("dialog").get_by_text("My sister Ana").wait_for()
    serious["receipt"] = _serious(visitor.page)
    visitor.page.keyboard.press("Escape")
    for view in ("", "memory", "devices", "settings"):
        visitor.go(f"#/{view}")
        visitor.page.wait_for_timeout(200)
        serious[view or "list"] = _serious(visitor.page)
    assert {view: found for view, found in serious.items() if found} == {}


def _serious(page):
    found = Axe().run(page).response["violations"]
    return [
        (one["id"], one["nodes"][0]["html"][:120]) for one in found
        if one["impact"] in ("serious", "critical")
    ]  # fmt: skip
