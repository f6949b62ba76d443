"""``explain``: the result of every rule, and the decision."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.sim.catalogue import SESSION
from gateway.sim.valt import USERS, ValtSimulator
from tests.support.configuration import grant
from tests.unit.cli.conftest import PASSWORD, Run


@pytest.mark.promise("rules-9")
def test_the_rule_that_matches_and_the_result_of_each_rule_are_named(run: Run, config: Path) -> None:
    explained = run(
        "explain", "--config", config, "--subject", "anna", "--group", "supervisors", "--json", "614", "9101"
    )
    answer = json.loads(explained.stdout)
    assert (explained.exit_code, answer["allowed"], answer["rule"]) == (0, True, "supervisors")
    assert [(rule["name"], rule["fits"]) for rule in answer["rules"]] == [("rooms", False), ("supervisors", True)]
    assert answer.keys() == {"allowed", "rule", "rules"}
    assert all(rule.keys() == {"name", "fits", "why"} for rule in answer["rules"])


@pytest.mark.promise("rules-9")
def test_a_person_without_a_matching_rule_exits_1(run: Run, config: Path) -> None:
    explained = run("explain", "--config", config, "--subject", "anna", "--offline", "614")
    assert explained.exit_code == 1
    assert explained.stdout.splitlines()[-1] == "not allowed"


@pytest.mark.promise("rules-9")
def test_offline_a_condition_on_details_is_neither_yes_nor_no(run: Run, config: Path) -> None:
    arguments = ("--subject", "anna", "--group", "staff", "--group", "supervisors", "--offline", "--json")
    explained = run("explain", "--config", config, *arguments, "614")
    answer = json.loads(explained.stdout)
    assert (explained.exit_code, answer["allowed"], answer["rule"]) == (3, False, None)
    assert [(rule["name"], rule["fits"]) for rule in answer["rules"]] == [("rooms", None)]


@pytest.mark.promise("rules-9")
@pytest.mark.parametrize(("address", "status"), [((), 3), (("--address", "10.1.2.3"), 1), (("--address", "::1"), 0)])
def test_without_the_clients_address_a_rule_that_compares_it_is_undecided(
    run: Run, config: Path, address: tuple[str, ...], status: int
) -> None:
    refusal = grant("elsewhere", subjects=["*"], allow=False, networks=["10.0.0.0/8"])
    config.write_text(config.read_text().replace("[[grants]]", f"{refusal}[[grants]]", 1))
    arguments = ("--subject", "anna", "--group", "supervisors", "--offline", "--json")
    explained = run("explain", "--config", config, *arguments, *address, "614")
    assert explained.exit_code == status
    assert json.loads(explained.stdout)["rules"][0]["fits"] is {3: None, 1: True, 0: False}[status]


def bar_campus(config: Path) -> None:
    """Adds a second provider, a service key, and a rule that refuses the first provider's anna."""
    key = f'[[service_keys]]\nname = "archive"\nsecret_sha256 = "{"0" * 64}"\ngroups = ["supervisors"]\n'
    provider = '[[identity]]\ntype = "header"\nname = "front"\nfrom = ["192.0.2.1"]\nsubject_header = "X-User"\n'
    refusal = grant("barred", subjects=["campus#anna"], allow=False)
    text = config.read_text().replace("[[grants]]", f"{key}\n{provider}\n{refusal}[[grants]]", 1)
    config.write_text(text)


@pytest.mark.promise("rules-9")
@pytest.mark.parametrize(
    ("subject", "status", "decisions"),
    [
        ("anna", 1, ["campus#anna: not allowed", "front#anna: allowed"]),
        ("campus#anna", 1, ["not allowed"]),
        ("front#anna", 0, ["allowed"]),
        ("ben", 0, ["allowed"]),
        ("archive", 1, ["campus#archive, front#archive: not allowed", "service_key#archive: allowed"]),
        ("service_key#archive", 0, ["allowed"]),
    ],
)
def test_a_subject_is_decided_as_each_provider_states_it(
    run: Run, config: Path, subject: str, status: int, decisions: list[str]
) -> None:
    bar_campus(config)
    groups = () if "archive" in subject else ("--group", "supervisors")
    explained = run("explain", "--config", config, "--offline", "--subject", subject, *groups, "614")
    assert explained.exit_code == status
    assert [line for line in explained.stdout.splitlines() if not line.startswith(" ")] == decisions


@pytest.mark.promise("rules-9")
def test_providers_that_differ_are_listed_in_json_after_the_strictest(run: Run, config: Path) -> None:
    bar_campus(config)
    arguments = ("--offline", "--json", "--subject", "anna", "--group", "supervisors")
    answer = json.loads(run("explain", "--config", config, *arguments, "614").stdout)
    assert (answer["allowed"], answer["rule"]) == (False, "barred")
    providers = [(one["provider"], one["allowed"], one["rule"]) for one in answer["providers"]]
    assert providers == [("campus", False, "barred"), ("front", True, "supervisors")]
    undecided = grant("elsewhere", subjects=["front#anna"], networks=["10.0.0.0/8"])
    text = config.read_text().replace("allow = false", "")
    config.write_text(text.replace("[[grants]]", f"{undecided}[[grants]]", 1))
    explained = run("explain", "--config", config, *arguments, "614")
    assert explained.exit_code == 3
    assert json.loads(explained.stdout)["allowed"] is False


def test_an_invalid_address_is_an_error_of_usage(run: Run, config: Path) -> None:
    failed = run("explain", "--config", config, "--subject", "anna", "--offline", "--address", "nowhere", "614")
    assert failed.exit_code == 2
    assert "--address" in failed.stderr


@pytest.mark.promise("rules-9")
def test_if_valt_does_not_answer_the_decision_is_unknown(run: Run, config: Path) -> None:
    config.write_text(config.read_text().replace("https://valt.example.edu", "http://127.0.0.1:9"))
    explained = run("explain", "--config", config, "--subject", "anna", "--group", "staff", "614")
    assert explained.exit_code == 3
    assert explained.stdout.splitlines()[-1] == "unknown"


@pytest.mark.parametrize("ids", [("../614",), ("614", "9101?x"), ("",)])
def test_an_invalid_id_is_an_error_of_usage(run: Run, config: Path, ids: tuple[str, ...]) -> None:
    assert run("explain", "--config", config, "--subject", "anna", *ids).exit_code == 2


async def explain(config: Path, *arguments: str) -> tuple[int | None, Any]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "explain", "--config", str(config), "--json", *arguments),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    return process.returncode, json.loads(out)


@pytest.mark.promise("rules-9")
async def test_online_mode_prints_the_details_from_valt(config: Path) -> None:
    async with ValtSimulator() as valt:
        text = config.read_text().replace("https://valt.example.edu", valt.base_url)
        config.write_text(text.replace(PASSWORD, USERS["svc-reviewer"]).replace("Room 3*", "Room 1*"))
        person = ("--subject", "anna", "--group", "staff")
        code, answer = await explain(config, *person, SESSION)
        assert (code, answer["rule"]) == (0, "rooms")
        why = answer["rules"][0]["why"]
        assert why.startswith("the rule matches. VALT, asked as reviewer: ")
        for fact in ('room "Room 1"', 'author "jsmith"', 'template {"Course": "PSY 512"}', "shared with groups [4]"):
            assert fact in why
        next(recording for recording in valt.recordings if recording.recording == SESSION).deleted_at = 1.0
        code, answer = await explain(config, *person, SESSION)
        assert (code, answer["allowed"], answer["rule"]) == (1, False, "rooms")
        assert answer["rules"][0]["why"].startswith("the rule matches, and the recording's retention is over. VALT")


async def test_a_person_of_several_providers_needs_no_second_place_at_valt(config: Path) -> None:
    async with ValtSimulator() as valt:
        bar_campus(config)
        fronts = grant("fronts", account="trainee", subjects=["front#anna"], rooms=["Room 9*"])
        account = f'[valt.accounts.trainee]\nusername = "svc-trainee"\npassword = "{USERS["svc-trainee"]}"\n'
        text = config.read_text().replace("[[grants]]", f"{account}\n{fronts}[[grants]]", 1)
        text = text.replace('"campus#anna"', '"campus#ben"').replace(PASSWORD, USERS["svc-reviewer"])
        text = text.replace("https://valt.example.edu", valt.base_url).replace("Room 3*", "Room 1*")
        config.write_text(f"{text}\n[limits]\nwaiting_for_valt = 1\n")
        code, answer = await explain(config, "--subject", "anna", "--group", "staff", SESSION)
        assert (code, answer["rule"]) == (0, "rooms")
