"""The program that Sennit was made for, unmodified, on the port that it names."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..conftest import FindClient
from .clients import Answer, ask_curl, show_in_chromium
from .network import Network, network_with_free
from .processes import EXAMPLES, PYTHON, SENNIT_RUN, Process

SEED = EXAMPLES / "custom_response_codes.py"
PORT = 8880
URL = f"http://localhost:{PORT}"

# The program at the end of the lesson, as it stands there: on one line.
SEED_WORDS = (
    "from twisted.web.server import Site from twisted.web.resource import Resource "
    "from twisted.internet import reactor "
    "class PaymentRequired(Resource): def render_GET(self, request): request.setResponseCode(402) "
    'return "Please swipe your credit card." '
    'root = Resource() root.putChild("buy", PaymentRequired()) factory = Site(root) '
    "reactor.listenTCP(8880, factory) reactor.run()"
)


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with network_with_free(PORT) as network:
        if network is None:
            pytest.fail(f"port {PORT} is taken, and this system lends no network to have it free in")
        yield network


@pytest.fixture
def seed(network: Network) -> Iterator[Process]:
    with Process(*SENNIT_RUN, str(SEED), network=network) as process:
        process.wait_for_port(PORT)
        yield process


@pytest.fixture(scope="module")
def curl(find_client: FindClient) -> str:
    return find_client("curl")


def ask(curl: str, seed: Process, *arguments: str) -> Answer:
    return ask_curl(curl, seed.network, *arguments)


def test_example_is_the_lessons_program_word_for_word() -> None:
    assert " ".join(SEED.read_text().split()) == SEED_WORDS


def test_get_buy_is_402_with_its_body(curl: str, seed: Process) -> None:
    answer = ask(curl, seed, f"{URL}/buy")
    assert (answer.code, answer.reason) == (402, "Payment Required")
    assert answer.fields["content-type"] == "text/html"
    assert answer.fields["content-length"] == "30"
    assert answer.body == "Please swipe your credit card."


def test_head_buy_has_the_same_headers_and_no_body(curl: str, seed: Process) -> None:
    answer = ask(curl, seed, "--head", f"{URL}/buy")
    assert (answer.code, answer.body) == (402, "")
    assert answer.fields["content-length"] == "30"


def test_other_paths_are_the_404_page(curl: str, seed: Process) -> None:
    answer = ask(curl, seed, "--header", "Accept: text/html", f"{URL}/other")
    assert (answer.code, answer.reason) == (404, "Not Found")
    assert "No Such Resource" in answer.body


def test_the_root_itself_is_a_404(curl: str, seed: Process) -> None:
    assert ask(curl, seed, f"{URL}/").code == 404


def test_post_buy_is_405_and_names_what_is_allowed(curl: str, seed: Process) -> None:
    answer = ask(curl, seed, "--data", "card=1", f"{URL}/buy")
    assert (answer.code, answer.reason) == (405, "Method Not Allowed")
    assert {name.strip() for name in answer.fields["allow"].split(",")} >= {"GET", "HEAD"}


def test_chromium_shows_the_body_and_gets_the_code(find_client: FindClient, seed: Process) -> None:
    page = show_in_chromium(find_client("chromium"), seed.network, f"{URL}/buy")
    assert "<body>Please swipe your credit card.</body>" in page.document
    assert "HTTP/1.1 402 Payment Required" in page.network_log


def test_start_prints_the_url(seed: Process) -> None:
    assert f"http://localhost:{PORT}/" in seed.wait_for_output("http://")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_it_at_once_with_status_0(seed: Process, number: signal.Signals) -> None:
    status, seconds = seed.end(number)
    assert status == 0
    assert seconds < 1


def test_taken_port_is_one_line_and_status_1(seed: Process) -> None:
    with Process(*SENNIT_RUN, str(SEED), network=seed.network) as second:
        assert second.wait() == 1
        assert second.output().splitlines() == [
            f"sennit: Couldn't listen on any:{PORT}: Address already in use."
        ]


def test_python_runs_it_with_sennits_names(tmp_path: Path, network: Network, curl: str) -> None:
    program = tmp_path / "program.py"
    program.write_text(SEED.read_text().replace("twisted", "sennit"))
    with Process(*PYTHON, str(program), network=network) as process:
        process.wait_for_port(PORT)
        assert ask(curl, process, f"{URL}/buy").code == 402
        assert process.end()[0] == 0
