"""The scenarios, the servers that take part, and the command line."""

import importlib
from pathlib import Path

import pytest

from benchmarks.__main__ import parse_arguments, plan_of
from benchmarks.goals import ASYNCIO_PEERS
from benchmarks.paths import PROGRAMS
from benchmarks.runs import Plan, _turned
from benchmarks.scenarios import LOADS, NAMES, by_name
from benchmarks.servers import SENNIT, SERVERS, sennit_arguments, without_folders


def test_request_has_the_length_of_its_body() -> None:
    request = by_name("echo1k").request(8880)
    assert request.startswith(b"POST /echo HTTP/1.1\r\nHost: 127.0.0.1:8880\r\nContent-Length: 1024\r\n\r\n")
    assert request.endswith(by_name("echo1k").request_body)
    assert by_name("buy").request(80) == b"GET /buy HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n"


def test_sennit_has_a_program_for_every_scenario() -> None:
    sennit = next(server for server in SERVERS if server.name == SENNIT)
    assert {scenario.program for scenario in LOADS} <= sennit.programs
    for program in sennit.programs:
        arguments = [
            part.format(programs=PROGRAMS, program=program, port=1) for part in sennit_arguments(program)
        ]
        if arguments[0] == "-m":
            module, name = arguments[-1].split(":")
            assert hasattr(importlib.import_module(module), name)
        else:
            assert Path(arguments[0]).exists()


def test_asyncio_peers_are_servers() -> None:
    assert {server.name for server in SERVERS} >= ASYNCIO_PEERS


def test_one_connection_is_measured_with_our_generator() -> None:
    plan = Plan(3, 1.0, 0.2)
    assert plan.generator_for(by_name("buy"), 64) == "wrk"
    assert plan.generator_for(by_name("buy"), 1) == "load"
    assert Plan(3, 1.0, 0.2, generator="wrk").generator_for(by_name("buy"), 1) == "wrk"


def test_options_change_the_plan() -> None:
    options = parse_arguments(["buy", "--rounds", "5", "--connections", "8,16", "--generator", "load"])
    assert plan_of(options) == Plan(5, 1.0, 0.3, "load", (8, 16))
    assert options.scenarios == ["buy"]


def test_all_scenarios_are_the_default() -> None:
    assert parse_arguments([]).scenarios == list(NAMES)


@pytest.mark.parametrize("arguments", [["bye"], ["--servers", "apache"]])
def test_unknown_names_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(arguments)
    assert "choose from" in capsys.readouterr().err


def test_published_errors_name_no_folders() -> None:
    assert (
        without_folders(f"error in {PROGRAMS}/run_bjoern.py")
        == "error in ./benchmarks/programs/run_bjoern.py"
    )


def test_each_server_is_first_in_turn() -> None:
    orders = ["".join(_turned("abc", number)) for number in range(4)]
    assert orders == ["abc", "bca", "cab", "abc"]
    assert _turned("", 3) == []
