"""Configuration: YAML, environment, command line; every fault at once; never a value in an error."""

from __future__ import annotations

import multiprocessing
import stat
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from gateway.config import Config, ConfigError, config_schema, effective, load, site_secret
from gateway.config_text import read_yaml

ROOT = Path(__file__).resolve().parents[2]


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(text, "utf-8")
    return path


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, text))
    return list(caught.value.problems)


@pytest.fixture(autouse=True)
def _clean(clean_env: pytest.MonkeyPatch) -> None:
    """Nobody's variables decide these tests."""


def test_the_example_in_the_root_equals_the_defaults() -> None:
    assert load(ROOT / "config.yaml") == load(None)


def test_the_example_names_every_key_that_exists() -> None:
    text = (ROOT / "config.yaml").read_text("utf-8")
    for section, field in Config.model_fields.items():
        assert f"{section}:" in text
        for key in getattr(field.annotation, "model_fields", {}):
            assert f"{key}:" in text, f"{section}.{key}"


def test_the_example_fits_the_schema() -> None:
    schema = config_schema()
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(read_yaml(ROOT / "config.yaml"))


def test_public_defaults() -> None:
    config = load(None)
    assert (config.site.domain, config.site.timezone) == ("hotline.example", "Asia/Shanghai")
    assert config.public_url == "http://127.0.0.1:8080"
    assert config.data_dir == Path("var").absolute()
    assert config.http.address == ("127.0.0.1", 8080)
    assert config.http.max_body_bytes == 33 * 1024 * 1024
    assert config.queue.groups == ("dispatch",)
    assert config.channels == {"web": {}, "phone": {}, "email": {}, "desk": {}}
    assert config.tokens_path == config.data_dir / "tokens.jsonl"


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(
    tmp_path: Path, clean_env: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, "http: {listen: '127.0.0.1:1', body_timeout: 7}\nsite: {name: file}\n")
    clean_env.setenv("JIESU_HTTP__LISTEN", "127.0.0.1:2")
    clean_env.setenv("JIESU_SITE__DOMAIN", "env.example")
    assert load(path).http.listen == "127.0.0.1:2"

    config = load(path, data_dir=tmp_path, overrides={"http": {"listen": "127.0.0.1:3"}})
    assert config.http.listen == "127.0.0.1:3"
    assert config.http.body_timeout == 7
    assert (config.site.name, config.site.domain) == ("file", "env.example")
    assert config.data_dir == tmp_path
    assert config.public_url == "http://127.0.0.1:3"


def test_lists_and_channel_blocks_come_from_the_environment_too(clean_env: pytest.MonkeyPatch) -> None:
    clean_env.setenv("JIESU_QUEUE__GROUPS", '["dispatch", "archive"]')
    clean_env.setenv("JIESU_CHANNELS__SMS__PORT", "9")
    config = load(None)
    assert config.queue.groups == ("dispatch", "archive")
    assert config.channels["sms"] == {"port": "9"}


def test_building_a_config_directly_reads_no_environment(clean_env: pytest.MonkeyPatch) -> None:
    clean_env.setenv("JIESU_HTTP__LISTEN", "127.0.0.1:2")
    assert Config().http.listen == "127.0.0.1:8080"


def test_all_faults_are_told_at_once_with_their_paths_and_the_nearest_key(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "htp: {}\nhttp: {listn: x, listen: nowhere}\nsite: {timezone: Mars/Base}\npump: {batch: 0}\n"
        "destinations: {unit: {type: webhook, urll: x}}\n",
    )
    assert "htp: unknown key (did you mean http?)" in found
    assert "http.listn: unknown key (did you mean listen?)" in found
    assert "destinations.unit.urll: unknown key (did you mean url?)" in found
    assert "site.timezone: is not a time zone of the IANA database" in found
    starts = [problem.split(":")[0] for problem in found]
    assert {"http.listen", "pump.batch", "destinations.unit.url", "destinations.unit.secret_file"} <= set(starts)


def test_a_misspelt_section_or_key_in_the_environment_is_an_error(clean_env: pytest.MonkeyPatch) -> None:
    clean_env.setenv("JIESU_REDSI__URL", "redis://h/0")
    clean_env.setenv("JIESU_REDIS__URI", "redis://h/0")
    clean_env.setenv("JIESU_REDIS_URL", "redis://h/0")
    clean_env.setenv("JIESU_DATADIR", "/hunter2")
    clean_env.setenv("jiesu_http_submissions_burst", "1")
    clean_env.setenv("JIESU_ZZZ", "1")
    with pytest.raises(ConfigError) as caught:
        load(None)
    assert caught.value.problems == (
        "redis.uri: unknown key (did you mean url?)",
        "environment JIESU_REDSI__URL: no such section (did you mean redis?)",
        "environment JIESU_REDIS_URL: no such key (did you mean JIESU_REDIS__URL?)",
        "environment JIESU_DATADIR: no such key (did you mean JIESU_DATA_DIR?)",
        "environment jiesu_http_submissions_burst: no such key (did you mean JIESU_HTTP__SUBMISSIONS__BURST?)",
        "environment JIESU_ZZZ: no such key (keys look like JIESU_REDIS__URL)",
    )


def test_variables_of_others_that_begin_like_ours_are_left_alone(clean_env: pytest.MonkeyPatch) -> None:
    """`jiesu submit` reads a token; Kubernetes sets the others for services `jiesu` and `jiesu-redis`."""
    clean_env.setenv("JIESU_TOKEN", "hunter2")
    clean_env.setenv("JIESU_SERVICE_HOST", "10.0.0.1")
    clean_env.setenv("JIESU_SERVICE_PORT_HTTP", "8080")
    clean_env.setenv("JIESU_PORT", "tcp://10.0.0.1:8080")
    clean_env.setenv("JIESU_PORT_8080_TCP", "tcp://10.0.0.1:8080")
    clean_env.setenv("JIESU_REDIS_PORT_6379_TCP_ADDR", "10.0.0.2")
    assert load(None) == Config()
    clean_env.setenv("JIESU_REDIS_PORT", "6379")
    with pytest.raises(ConfigError, match="JIESU_REDIS_PORT: no such key"):
        load(None)


def test_whole_sections_and_single_keys_come_from_the_environment(clean_env: pytest.MonkeyPatch) -> None:
    clean_env.setenv("JIESU_DATA_DIR", "/somewhere")
    clean_env.setenv("JIESU_BLOBS", '{"keep_days": 0}')
    config = load(None)
    assert (config.data_dir, config.blobs.keep_days) == (Path("/somewhere"), 0)


def test_an_error_never_shows_a_value(tmp_path: Path, clean_env: pytest.MonkeyPatch) -> None:
    clean_env.setenv("JIESU_QUEUE__GROUPS", "hunter2")
    with pytest.raises(ConfigError) as from_environment:
        load(None)
    assert "hunter2" not in str(from_environment.value)
    clean_env.delenv("JIESU_QUEUE__GROUPS")
    found = problems(tmp_path, "redis: {url: 'htp://:hunter2@h', hunter: 1}\nhttp: {body_timeout: hunter2}\n")
    assert len(found) == 3
    assert "hunter2" not in "".join(found)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("redis:\n  url: a\n  url: b\n", "line 3, column 3: url appears twice"),
        ("- a\n", "must be a mapping of sections"),
        ("a: [", "expected"),
        ("? [a]\n: b\n", "a key must be a word"),
        ("site: {name: \udce9}".encode("utf-8", "surrogateescape").decode("latin-1"), ""),
    ],
)
def test_broken_yaml_is_refused_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    if problem:
        assert problem in problems(tmp_path, text)[0]
    else:
        path = tmp_path / "config.yaml"
        path.write_bytes(text.encode("latin-1"))
        with pytest.raises(ConfigError, match="is not UTF-8"):
            load(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.yaml")


def test_keys_that_yaml_would_read_as_booleans_are_words(tmp_path: Path) -> None:
    assert load(written(tmp_path, "normalizer: {off: [language]}\n")).normalizer.off == ("language",)


def test_a_section_whose_keys_are_all_commented_out_is_the_default(tmp_path: Path) -> None:
    assert load(written(tmp_path, "http:\n  # listen: x\nredis:\n")) == load(None)


def test_our_channels_run_by_default_and_false_ends_that(tmp_path: Path, clean_env: pytest.MonkeyPatch) -> None:
    ours: dict[str, object] = {"web": {}, "phone": {}, "email": {}, "desk": {}}
    assert load(written(tmp_path, "channels: {sms: }\n")).channels == {**ours, "sms": {}}
    assert load(written(tmp_path, "channels: {web: false}\n")).channels == {"phone": {}, "email": {}, "desk": {}}
    clean_env.setenv("JIESU_CHANNELS__WEB", "false")
    assert load(None).channels == {"phone": {}, "email": {}, "desk": {}}


def test_relative_files_lie_below_the_data_directory(tmp_path: Path) -> None:
    text = "site: {secret_file: s}\nauth: {tokens_file: t}\nredis: {password_file: p}\n"
    config = load(written(tmp_path, text), data_dir=tmp_path / "d")
    assert config.secret_path == tmp_path / "d/s"
    assert config.tokens_path == tmp_path / "d/t"
    assert config.redis.password_file == tmp_path / "d/p"


def test_effective_is_complete_yaml_without_secrets(tmp_path: Path) -> None:
    text = (
        "redis: {url: 'redis://user:hunter2@h:1/0'}\n"
        "channels: {sms: {api_key: hunter2, token_file: /run/t, nested: {secret: hunter2}}}\n"
    )
    config = load(written(tmp_path, text), data_dir=tmp_path)
    shown = effective(config)
    assert "hunter2" not in shown
    assert "/run/t" in shown
    again = load(written(tmp_path, shown.replace("**********@", "")))
    assert again.http == config.http
    assert again.pump == config.pump
    assert again.destinations == config.destinations


def test_the_site_secret_is_made_once_and_private(data_config: Config) -> None:
    secret = site_secret(data_config)
    assert len(secret) == 32
    assert site_secret(data_config) == secret
    assert stat.S_IMODE(data_config.secret_path.stat().st_mode) == 0o600
    assert list(data_config.data_dir.iterdir()) == [data_config.secret_path]


def test_processes_that_race_for_the_site_secret_get_the_same_one(data_config: Config) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        secrets = pool.map(site_secret, [data_config] * 16, chunksize=1)
    assert len(set(secrets)) == 1


def test_a_named_secret_file_must_be_there_and_be_a_secret(tmp_path: Path) -> None:
    config = Config(data_dir=tmp_path, site={"secret_file": "given"})
    with pytest.raises(ConfigError, match=r"site.secret_file: there is no such file"):
        site_secret(config)
    (tmp_path / "given").write_bytes(b"short")
    with pytest.raises(ConfigError, match=r"site.secret_file: must hold 16 bytes"):
        site_secret(config)
    (tmp_path / "given").write_bytes(b"0123456789abcdef")
    assert site_secret(config) == b"0123456789abcdef"
