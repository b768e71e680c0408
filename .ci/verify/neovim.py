"""Open a real policy in Neovim with our language server, as its user does, and look at what it marks and offers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parent.parent.parent
BIN = TOP / ".venv" / "bin"
SECONDS = 120
#: The text of docs/editor.md that a user of this Neovim pastes.
PASTED = re.compile(r"\*\*Neovim 0\.7 to 0\.10\*\*[^\n]*\n```lua\n(.*?)```", re.DOTALL)
#: What Neovim does: open the file, wait for marks, ask, take the first fix, wait for other marks, write it down.
SCRIPT = """
local file, out = os.getenv("PK_FILE"), os.getenv("PK_OUT")
local said = {}
vim.cmd("filetype on")
vim.cmd("edit " .. file)
local buffer = vim.api.nvim_get_current_buf()
local function marks()
  return vim.tbl_map(function(d)
    return {line = d.lnum + 1, column = d.col + 1, code = d.code or d.user_data.lsp.code}
  end, vim.diagnostic.get(buffer))
end
vim.wait(60000, function() return #vim.diagnostic.get(buffer) > 0 end, 20)
local client = next(vim.lsp.buf_get_clients(buffer))
said.before = marks()
local line = vim.fn.search("max_order_notional")
local function ask(method, extra)
  local params = vim.tbl_extend("force", {
    textDocument = vim.lsp.util.make_text_document_params(), position = {line = line - 1, character = 5},
  }, extra or {})
  local answer = vim.lsp.buf_request_sync(buffer, method, params, 60000)
  return answer and answer[client] and answer[client].result
end
said.hover = ask("textDocument/hover").contents.value
said.definition = ask("textDocument/definition")
said.completion = #ask("textDocument/completion")
local whole = {start = {line = line - 1, character = 0}, ["end"] = {line = line - 1, character = 60}}
local actions = ask("textDocument/codeAction", {range = whole, context = {diagnostics = {}}})
local chosen = actions[1]
if not chosen.edit then
  chosen = vim.lsp.buf_request_sync(buffer, "codeAction/resolve", chosen, 60000)[client].result
end
said.action = chosen.title
vim.lsp.util.apply_workspace_edit(chosen.edit, "utf-16")
local count = #said.before
vim.wait(60000, function() return #vim.diagnostic.get(buffer) ~= count end, 20)
said.after = marks()
said.text = table.concat(vim.api.nvim_buf_get_lines(buffer, line - 1, line, false), "")
vim.lsp.stop_client(client)
local handle = io.open(out, "w")
handle:write(vim.json.encode(said))
handle:close()
vim.cmd("qa!")
"""


def look(folder: Path) -> dict[str, Any]:
    """Run Neovim on a policy with a cap that is too high; return what it saw."""
    for name in ("binance-market-maker.yaml", "baseline.yaml"):
        text = (
            (TOP / "policies" / name)
            .read_text(encoding="utf-8")
            .replace("max_order_notional: 2%", "max_order_notional: 9%")
        )
        (folder / name).write_text(text.replace("max_order_notional: 1.5%", "max_order_notional: 7%"), encoding="utf-8")
    pasted = PASTED.search((TOP / "docs" / "editor.md").read_text(encoding="utf-8"))
    (folder / "look.lua").write_text(f"{pasted[1] if pasted else ''}{SCRIPT}", encoding="utf-8")
    out = folder / "said.json"
    env = {"PK_FILE": str(folder / "binance-market-maker.yaml"), "PK_OUT": str(out)}
    command = ["nvim", "--headless", "--clean", "-c", f"luafile {folder / 'look.lua'}", "-c", "cquit"]
    subprocess.run(
        command, env={**env, "HOME": str(folder), "PATH": f"{BIN}:/usr/bin:/bin"}, timeout=SECONDS, check=False
    )
    said: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return said


def main() -> int:
    """Look; 0 when all is as expected."""
    with tempfile.TemporaryDirectory() as name:
        said = look(Path(name))
    caps = [mark for mark in said["before"] if mark["code"] == "PK603"]
    places = [(place["uri"].rpartition("/")[2], place["range"]["start"]["line"] + 1) for place in said["definition"]]
    line = (TOP / "policies" / "baseline.yaml").read_text(encoding="utf-8").splitlines()
    baseline = next(n for n, text in enumerate(line, 1) if "max_order_notional" in text)
    seen = {
        "a cap that is too high is marked at its value": len(caps) == 1 and caps[0]["column"] == 23,
        "hover tells what is in force": "in force: `7% of equity`" in said["hover"],
        "the definition is in the extended file": places == [("baseline.yaml", baseline)],
        "keys are offered": said["completion"] > 10,
        "the fix is offered first": said["action"] == "PK603: lower the cap",
        "the fix takes the mark away": "2% of equity" in said["text"]
        and "PK603" not in [m["code"] for m in said["after"]],
    }
    for what, right in seen.items():
        print(f"neovim: {what}: {'yes' if right else f'NO: {said}'}")
    return 0 if all(seen.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
