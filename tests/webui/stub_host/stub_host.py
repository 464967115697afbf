"""A stand-in for a webui host: `modules` as its extensions see them, its way to load scripts, its page in real gradio.

python stub_host.py HOST EXTENSIONS DATA [--api-auth PAIRS] [--no-api]: HOST is "a1111", which has an extension's folder
on the path only while it loads, or "forge", which keeps all of them there. It prints its address and serves until its
input ends. Beside the host's own there are routes below /stub, by which tests look into it.
"""

import argparse
import importlib.util
import inspect
import json
import os
import re
import sys
import threading
import time
import types
from pathlib import Path

import gradio as gr

NAMES = ("ui_tabs", "ui_settings", "app_started", "before_ui", "script_unloaded")


class Options:
    def __init__(self):
        self.__dict__["data"], self.__dict__["labels"] = {}, {}

    def add_option(self, key, info):
        self.labels[key] = info
        self.data.setdefault(key, info.default)

    def __getattr__(self, key):
        try:
            return self.__dict__["data"][key]
        except KeyError:
            raise AttributeError(key) from None


class OptionInfo:
    def __init__(
        self,
        default=None,
        label="",
        component=None,
        component_args=None,
        onchange=None,
        section=None,
        refresh=None,
        comment_before="",
        comment_after="",
        infotext=None,
        restrict_api=False,
        category_id=None,
    ):
        self.default, self.section, self.restrict_api = default, section, restrict_api

    def info(self, text):
        return self


class State:
    def __init__(self):
        self.job, self.interrupted, self.begun = "", False, []

    def begin(self, job="(unknown)"):
        self.job, self.interrupted = job, False
        self.begun.append(job)

    def end(self):
        self.job = ""

    def interrupt(self):
        self.interrupted = True


class ParamBinding:
    def __init__(self, paste_button, tabname, source_text_component=None, **_):
        self.tabname, self.button, self.text = tabname, paste_button, source_text_component


def pasted(text):
    """Return what real hosts read out of a text: its last line has parameters only where it has three or more."""
    *lines, last = text.strip().split("\n")
    found = dict(re.findall(r"(\w[\w ]+): ([^,]*)", last))
    return json.dumps({"Prompt": "\n".join(lines), **found} if len(found) >= 3 else {"Prompt": text})


class Host:
    def __init__(self, kind, extensions, data, api, api_auth):
        self.kind, self.extensions, self.data = kind, sorted(p for p in extensions.iterdir() if p.is_dir()), data
        self.callbacks, self.callers = {name: [] for name in NAMES}, []
        self.launches, self.listed, self.aliases, self.read = 0, {}, {}, set()
        self.moves, self.bindings, self.seconds, self.base_path = [], [], 0.0, list(sys.path)
        self.fake_modules(api, api_auth)

    def fake_modules(self, api, api_auth):
        model = types.SimpleNamespace(name="loaded")
        options = types.SimpleNamespace(api=api, api_auth=api_auth, lora_dir=str(self.data / "Lora"), nowebui=False)
        options.disable_extension_access = (self.data / "open-to-others").exists()
        self.shared = self.module("shared", opts=Options(), OptionInfo=OptionInfo, state=State(), cmd_opts=options)
        saved = self.data / "config.json"
        self.shared.opts.data.update(json.loads(saved.read_text()) if saved.exists() else {})
        calls = {f"on_{name}": self.adder(name) for name in NAMES}
        self.module("script_callbacks", **calls)
        models = self.module("sd_models", model_data=types.SimpleNamespace(sd_model=model))
        models.checkpoints_list, models.checkpoint_aliases = self.listed, self.aliases
        models.list_models = self.list_models
        models.unload_model_weights = lambda sd_model=None, info=None: self.moves.append("unload")
        if self.kind == "a1111":
            models.send_model_to_device = lambda m: self.moves.append("to device")
        self.read_models()
        self.lock = threading.Lock()
        self.module("call_queue", queue_lock=self.lock)
        self.module("paths", data_path=str(self.data), models_path=str(self.data))
        self.module("infotext_utils", ParamBinding=ParamBinding, register_paste_params_button=self.bindings.append)
        networks = sys.modules["networks"] = types.ModuleType("networks")
        networks.available_networks = {}

        def list_loras():
            files = sorted((self.data / "Lora").glob("*.safetensors"))
            networks.available_networks = {p.stem: types.SimpleNamespace(filename=str(p)) for p in files}

        networks.list_available_networks = list_loras
        list_loras()

    def list_models(self):
        """List checkpoints as real hosts do: by a title without the file's hash until they have read it."""
        self.listed.clear()
        self.aliases.clear()
        for path in sorted((self.data / "Stable-diffusion").iterdir()):
            info = types.SimpleNamespace(filename=str(path))
            title = f"{path.name} [0123456789]" if path.name in self.read else path.name
            self.listed[title] = info
            self.aliases.update(dict.fromkeys((title, path.name, path.stem, None), info))

    def read_models(self):
        """Read every checkpoint, as when it is loaded."""
        self.read = {path.name for path in (self.data / "Stable-diffusion").iterdir()}
        self.list_models()

    def module(self, name, **members):
        package = sys.modules.setdefault("modules", types.ModuleType("modules"))
        package.__path__ = []
        made = sys.modules[f"modules.{name}"] = types.ModuleType(f"modules.{name}")
        made.__dict__.update(members)
        setattr(package, name, made)
        return made

    def adder(self, name):
        def add(callback, **_):
            # Real hosts do this, and look up each frame's module among all: slow for files that are in none.
            self.callers += [Path(frame.filename).name for frame in inspect.stack()]
            self.callbacks[name].append(callback)

        return add

    def load_scripts(self):
        self.bindings.clear()
        for found in self.callbacks.values():
            found.clear()
        if self.kind == "forge":
            sys.path[:] = [*map(str, self.extensions), *self.base_path]
        before = list(sys.path)
        for extension in self.extensions:
            for file in sorted((extension / "scripts").glob("*.py")):
                sys.path[:] = [str(extension), *before]
                begin = time.perf_counter()
                # Not in sys.modules, and under the file's whole name, as in the real hosts.
                spec = importlib.util.spec_from_file_location(file.name, file)
                module = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(module)
                self.seconds += time.perf_counter() - begin
                sys.path[:] = before

    def page(self):
        begin = time.perf_counter()
        for callback in self.callbacks["before_ui"] + self.callbacks["ui_settings"]:
            callback()
        tabs = [tab for callback in self.callbacks["ui_tabs"] for tab in callback() or []]
        self.seconds += time.perf_counter() - begin
        with gr.Blocks(analytics_enabled=False) as demo:
            box = gr.Textbox(elem_id="stub_pasted")
            for binding in self.bindings:  # before tabs are rendered, as in the real hosts
                binding.button.click(pasted, [binding.text], [box], queue=False)
            with gr.Tabs():
                for tab, label, identifier in tabs:
                    with gr.TabItem(label, elem_id=f"tab_{identifier}"):
                        begin = time.perf_counter()
                        tab.render()
                        self.seconds += time.perf_counter() - begin
                    for child in tab.children:  # hosts keep their values in a file
                        assert child.label
        return demo

    def launch(self, port):
        demo = self.page().queue()
        app, url, _ = demo.launch(prevent_thread_lock=True, server_name="127.0.0.1", server_port=port, quiet=True,
                                  show_api=False, app_kwargs={"docs_url": "/docs"})  # fmt: skip
        self.add_own_routes(app)
        for callback in self.callbacks["app_started"]:
            callback(demo, app)
        self.demo, self.port = demo, int(url.rstrip("/").rsplit(":", 1)[1])
        self.launches += 1
        return url

    def reload(self):
        self.demo.close()
        self.load_scripts()
        self.launch(self.port)

    def add_own_routes(self, app):
        def state():
            owf = sorted(name for name in sys.modules if name.split(".")[0] in ("owf", "core", "cli", "nodes"))
            return {
                "torch": "torch" in sys.modules,
                "launches": self.launches,
                "moves": self.moves,
                "job": self.shared.state.job,
                "locked": self.lock.locked(),
                "seconds": self.seconds,
                "options": self.shared.opts.data,
                "restricted": {key: info.restrict_api for key, info in self.shared.opts.labels.items()},
                "bindings": [binding.tabname for binding in self.bindings],
                "modules": owf,
                "callers": self.callers,
                "pid": os.getpid(),
            }

        def interrupt():
            self.shared.state.interrupt()

        def read():
            self.read_models()

        def reload():
            threading.Timer(0.2, self.reload).start()

        app.add_api_route("/stub/state", state)
        app.add_api_route("/stub/interrupt", interrupt, methods=["POST"])
        app.add_api_route("/stub/read", read, methods=["POST"])
        app.add_api_route("/stub/reload", reload, methods=["POST"])


def add_head(extensions):
    """Put scripts and styles into the page, as hosts do."""
    original = gr.routes.templates.TemplateResponse

    def with_files(*arguments, **named):
        answer = original(*arguments, **named)
        for extension in extensions:
            scripts = "".join(
                f"<script>{p.read_text()}</script>" for p in sorted((extension / "javascript").glob("*.js"))
            )
            style = extension / "style.css"
            scripts += f"<style>{style.read_text()}</style>" if style.exists() else ""
            answer.body = answer.body.replace(b"</head>", scripts.encode() + b"</head>")
        answer.init_headers()
        return answer

    gr.routes.templates.TemplateResponse = with_files


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("host", choices=("a1111", "forge"))
    parser.add_argument("extensions", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--api-auth")
    parser.add_argument("--no-api", action="store_true")
    options = parser.parse_args()
    host = Host(options.host, options.extensions, options.data, not options.no_api, options.api_auth)
    add_head(host.extensions)
    host.load_scripts()
    print(json.dumps({"url": host.launch(None), "gradio": gr.__version__}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
