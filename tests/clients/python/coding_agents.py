"""Claude Code, Codex and Gemini CLI: each does a whole task without anyone at the keyboard. The task is a file
that has to be written, by a call of the agent's own tool that the simulated model makes.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent import recorded, run, work
from install import program_of
from suite import GATEWAY, KEY, Suite, equal, model

NODE = os.environ["CLIENTS_NODE"]
CLAUDE = "@anthropic-ai/claude-code"
CODEX = "@openai/codex"
GEMINI = "@google/gemini-cli"
WRITTEN = "made by a tool"
# The call with the tool, and the one with what the tool said.
CALLS = 2


def version(package: str) -> str:
    """What is installed."""
    return json.loads(program_of(package, "package.json").read_text())["version"]


claude_code = Suite("claude-code", version(CLAUDE))
codex = Suite("codex", version(CODEX))
gemini_cli = Suite("gemini-cli", version(GEMINI))


def task(provider: str, agent: Callable[[str, Path], str], words: Callable[[Path], str]) -> None:
    """Has the agent write the file, and looks at the file and at the record of the session it named."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-agent-") as folder:
        home = Path(folder)
        file = work(home) / "made.txt"
        session = agent(words(file), home)
        equal(file.read_text().strip(), WRITTEN)
    calls = recorded(session, CALLS)
    equal(len(calls), CALLS)
    for call in calls:
        told = (call["run"], call["status"], call["outcome"], call["model"], call["provider"], call["cost_status"])
        equal(told, (session, 200, "settled", model(provider), provider, "exact"))
        assert float(call["cost_usd"]) > 0 and call["served"] and call["usage_source"] == "provider", call


# === Claude Code ===


def ask_claude(prompt: str, home: Path, name: str) -> dict[str, Any]:
    """One run of Claude Code; its result."""
    program = str(program_of(CLAUDE, "bin/claude.exe"))
    options = ["--output-format", "json", "--permission-mode", "bypassPermissions"]
    said = run(
        [program, "-p", prompt, "--model", name, *options],
        home,
        ANTHROPIC_BASE_URL=GATEWAY,
        ANTHROPIC_AUTH_TOKEN=KEY,
        # Without this it refuses to work unasked for the superuser, as whom tests may run.
        IS_SANDBOX="1",
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
        DISABLE_AUTOUPDATER="1",
    )
    result = json.loads(said)
    assert not result["is_error"], said
    return result


@claude_code.case("messages", "tools")
def claude_writes_a_file(provider: str) -> None:
    def agent(prompt: str, home: Path) -> str:
        result = ask_claude(prompt, home, model(provider))
        equal((result["num_turns"], result["permission_denials"]), (2, []))
        assert result["result"].startswith("Tool said: "), result
        return result["session_id"]

    task(provider, agent, lambda file: f'Use Write with file_path={file} content="{WRITTEN}"')


@claude_code.case("messages", "count")
def claude_counts_its_context(provider: str) -> None:
    with tempfile.TemporaryDirectory(prefix="gatehouse-agent-") as folder:
        result = ask_claude("/context", Path(folder), model(provider))
    assert "Context Usage" in result["result"], result
    counts = recorded(result["session_id"], 1)
    assert counts, "nothing was counted"
    for call in counts:
        equal((call["operation"], call["status"]), ("count_tokens", 200))


# === Codex ===

CODEX_CONFIGURATION = """\
model_provider = "gatehouse"
check_for_update_on_startup = false

[analytics]
enabled = false

[model_providers.gatehouse]
name = "Gatehouse"
base_url = "{base}/v1"
env_key = "GATEHOUSE_KEY"
wire_api = "responses"
"""


@codex.case("responses", "tools")
def codex_runs_a_command(provider: str) -> None:
    def agent(prompt: str, home: Path) -> str:
        (home / ".codex").mkdir()
        (home / ".codex/config.toml").write_text(CODEX_CONFIGURATION.format(base=GATEWAY))
        program = str(program_of(CODEX, "bin/codex.js"))
        options = ["--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]
        command = [NODE, program, "exec", *options, "--model", model(provider), prompt]
        said = run(command, home, GATEHOUSE_KEY=KEY)
        events = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        equal(events[-1]["type"], "turn.completed")
        words = [one["item"]["text"] for one in events if one.get("item", {}).get("type") == "agent_message"]
        assert any("exited with code 0" in text for text in words), said
        return events[0]["thread_id"]

    # The simulated model fills in every property; these are what a model would leave out.
    rest = "yield_time_ms=10000 max_output_tokens=1000 shell=/bin/sh login=false tty=false"
    task(
        provider,
        agent,
        lambda file: f'Use exec_command with cmd="echo {WRITTEN} > made.txt" workdir={file.parent} {rest}',
    )


# === Gemini CLI ===

GEMINI_SETTINGS = {
    "security": {"auth": {"selectedType": "gemini-api-key"}},
    "privacy": {"usageStatisticsEnabled": False},
    "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
}


@gemini_cli.case("gemini", "tools")
def gemini_writes_a_file(provider: str) -> None:
    # It names no session of its own.
    session = f"gemini-cli-on-{provider}"

    def agent(prompt: str, home: Path) -> str:
        (home / ".gemini").mkdir()
        (home / ".gemini/settings.json").write_text(json.dumps(GEMINI_SETTINGS))
        program = str(program_of(GEMINI, "bundle/gemini.js"))
        options = ["--approval-mode", "yolo", "--output-format", "json"]
        said = run(
            [NODE, program, "-p", prompt, "--model", model(provider), *options],
            home,
            GEMINI_API_KEY=KEY,
            GOOGLE_GEMINI_BASE_URL=GATEWAY,
            GEMINI_CLI_CUSTOM_HEADERS=f"x-gatehouse-run:{session}",
            GEMINI_CLI_TRUST_WORKSPACE="true",
        )
        result = json.loads(said)
        assert result["response"].startswith("Tool said: "), said
        equal(result["stats"]["tools"]["totalSuccess"], 1)
        return session

    task(provider, agent, lambda file: f'Use write_file with file_path={file} content="{WRITTEN}"')


if __name__ == "__main__":
    # A suite ends the process with its result.
    results = []
    for one in (claude_code, codex, gemini_cli):
        try:
            one.main()
        except SystemExit as ended:
            results.append(ended.code)
    sys.exit(max(results))
