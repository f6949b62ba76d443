"""``explain``: the road's own rules, asked aloud."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.sim.catalogue import SESSION
from gateway.sim.valt import USERS, ValtSimulator
from tests.unit.cli.conftest import PASSWORD, Type


@pytest.mark.promise("rules-9")
def test_the_rule_that_fits_is_named_with_what_the_others_said(run: Type, config: Path) -> None:
    told = run("explain", "--config", config, "--subject", "anna", "--group", "supervisors", "--json", "614", "9101")
    answer = json.loads(told.stdout)
    assert (told.exit_code, answer["allowed"], answer["rule"]) == (0, True, "supervisors")
    assert [(rule["name"], rule["fits"]) for rule in answer["rules"]] == [("rooms", False), ("supervisors", True)]
    assert answer.keys() == {"allowed", "rule", "rules"}
    assert all(rule.keys() == {"name", "fits", "why"} for rule in answer["rules"])


@pytest.mark.promise("rules-9")
def test_somebody_whom_no_rule_fits_is_exit_1(run: Type, config: Path) -> None:
    told = run("explain", "--config", config, "--subject", "anna", "--offline", "614")
    assert told.exit_code == 1
    assert told.stdout.splitlines()[-1] == "not allowed"


@pytest.mark.promise("rules-9")
def test_offline_what_only_valt_knows_is_neither_yes_nor_no(run: Type, config: Path) -> None:
    asked = ("--subject", "anna", "--group", "staff", "--group", "supervisors", "--offline", "--json")
    told = run("explain", "--config", config, *asked, "614")
    answer = json.loads(told.stdout)
    assert (told.exit_code, answer["allowed"], answer["rule"]) == (1, False, None)
    assert [(rule["name"], rule["fits"]) for rule in answer["rules"]] == [("rooms", None)]


@pytest.mark.parametrize("ids", [("../614",), ("614", "9101?x"), ("",)])
def test_what_is_no_id_is_a_fault_of_usage(run: Type, config: Path, ids: tuple[str, ...]) -> None:
    assert run("explain", "--config", config, "--subject", "anna", *ids).exit_code == 2


async def explained(config: Path, *arguments: str) -> tuple[int | None, Any]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "explain", "--config", str(config), "--json", *arguments),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    return process.returncode, json.loads(out)


@pytest.mark.promise("rules-9")
async def test_online_valt_is_asked_for_what_a_rule_needs_and_what_it_said_is_told(config: Path) -> None:
    async with ValtSimulator() as valt:
        text = config.read_text().replace("https://valt.example.edu", valt.base_url)
        config.write_text(text.replace(PASSWORD, USERS["svc-reviewer"]).replace("Room 3*", "Room 1*"))
        asked = ("--subject", "anna", "--group", "staff")
        code, answer = await explained(config, *asked, SESSION)
        assert (code, answer["rule"]) == (0, "rooms")
        said = answer["rules"][0]["why"]
        assert said.startswith("the rule matches. VALT, asked as reviewer: ")
        for told in ('room "Room 1"', 'author "jsmith"', 'template {"Course": "PSY 512"}', "shared with groups [4]"):
            assert told in said
        next(recording for recording in valt.recordings if recording.recording == SESSION).deleted_at = 1.0
        code, answer = await explained(config, *asked, SESSION)
        assert (code, answer["allowed"], answer["rule"]) == (1, False, "rooms")
        assert answer["rules"][0]["why"].startswith("the rule matches, and the recording's retention is over. VALT")
