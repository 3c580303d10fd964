"""Settings: later sources win, wrong values are named, nothing is lost."""

import pytest

from assistant.config import (
    Settings,
    load_paths,
    load_settings,
    owner_token,
    write_private,
    write_setting,
)
from assistant.errors import ConfigInvalid


@pytest.fixture
def paths(tmp_path):
    found = load_paths({"NESTOR_HOME": str(tmp_path)})
    found.make()
    return found


def test_defaults(paths):
    assert load_settings(paths, {}) == Settings()


def test_later_sources_win(paths):
    paths.config_file.write_text('port = 1000\nmodel = "small"\nlog_level = "DEBUG"\n')
    environ = {"NESTOR_PORT": "2000", "NESTOR_MODEL": "tiny", "NESTOR_UNRELATED": "x"}
    settings = load_settings(paths, environ, {"port": 3000, "model": None})
    assert (settings.port, settings.model, settings.log_level) == (3000, "tiny", "DEBUG")


@pytest.mark.parametrize(
    ("file", "environ", "flags", "named"),
    [
        ("port = 99999", {}, {}, ("config.toml", "port")),
        ('port = "http"', {}, {}, ("config.toml", "port")),
        ("prot = 1", {}, {}, ("config.toml", "prot")),
        ("port = ", {}, {}, ("config.toml",)),
        ("\udcff", {}, {}, ("config.toml",)),
        ("", {"NESTOR_PORT": "-1"}, {}, ("environment", "port")),
        ("", {"NESTOR_GPU_LAYERS": "-2"}, {}, ("environment", "gpu_layers")),
        ("", {"NESTOR_KEY_STORE": "tpm"}, {}, ("environment", "key_store")),
        ('draft_model = "../x.gguf"', {}, {}, ("config.toml", "draft_model")),
        ("", {"NESTOR_DRAFT_MODEL": "A model"}, {}, ("environment", "draft_model")),
        ("", {"NESTOR_IDLE_UNLOAD_S": "-1"}, {}, ("environment", "idle_unload_s")),
        ("", {}, {"port": 70000}, ("command line", "port")),
    ],
)
def test_wrong_values_are_named_with_their_origin(paths, file, environ, flags, named):
    paths.config_file.write_bytes(file.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigInvalid) as caught:
        load_settings(paths, environ, flags)
    for word in named:
        assert word in caught.value.message
    assert str(paths.config) not in caught.value.message


def test_one_setting_is_written_and_the_others_stay(paths):
    paths.config_file.write_text('# mine\nmodel = "starter"  # small\nport = 1234 # "x"\n')
    write_setting(paths, "model", 'a "quoted"\\path')
    assert load_settings(paths, {}) == Settings(model='a "quoted"\\path', port=1234)
    assert paths.config_file.read_text().startswith("# mine\n")
    assert '# "x"' in paths.config_file.read_text()
    with pytest.raises(ConfigInvalid):
        write_setting(paths, "log_level", "LOUD")
    assert load_settings(paths, {}).port == 1234


def test_a_setting_goes_into_a_new_file_too(paths):
    write_setting(paths, "model", "tiny")
    assert load_settings(paths, {}) == Settings(model="tiny")
    write_setting(paths, "model", "small")
    assert paths.config_file.read_text() == 'model = "small"\n'
    paths.config_file.write_text("not toml")
    with pytest.raises(ConfigInvalid):
        write_setting(paths, "model", "tiny")
    assert paths.config_file.read_text() == "not toml"


def test_homes(tmp_path):
    paths = load_paths({"NESTOR_HOME": str(tmp_path)})
    folders = (paths.config, paths.data, paths.state, paths.cache)
    assert [folder.parent for folder in folders] == [tmp_path] * 4
    assert paths.models == tmp_path / "data/models"
    elsewhere = load_paths({"NESTOR_HOME": str(tmp_path), "NESTOR_MODELS": str(tmp_path / "m")})
    assert elsewhere.models == tmp_path / "m"
    assert load_paths({}).config != paths.config


def test_private_files(tmp_path):
    path = tmp_path / "deep" / "secret"
    write_private(path, b"one")
    write_private(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["secret"]


def test_the_token_is_made_once(tmp_path):
    token = owner_token(tmp_path / "token")
    assert len(token) >= 43  # 256 bits in base64
    assert owner_token(tmp_path / "token") == token
    assert owner_token(tmp_path / "other") != token
