"""The ladder of imports: nobody imports upwards, and torch stays above the line."""

import ast
import graphlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from codec_helpers import ROOT, python

SOURCE = ROOT / "src"

HELPERS = {
    "errors", "config", "registry", "segments", "processes", "disk", "allocator", "samples",
    "version", "cursors", "state_files", "hierarchy", "png", "clock",
    "remark", "times", "streams", "goals",
}  # fmt: skip
LOW = HELPERS | {"video", "coding"}
FORMAT = LOW | {"coding.schemes", "container"}
FITTING = FORMAT | {"representations", "pixel_values", "segment_values", "fitting"}
# Each group, and what it may import besides itself.
ALLOWED = {
    "errors": set(),
    "allocator": set(),
    "config": set(),
    "samples": set(),
    "version": set(),
    "clock": set(),
    "remark": {"version"},
    "registry": set(),
    "hierarchy": set(),
    "png": set(),
    "pages": {"png"},
    "segments": set(),
    "goals": {"errors"},
    "cursors": {"errors"},
    "times": set(),
    "streams": set(),
    "processes": {"errors"},
    "disk": {"errors"},
    "state_files": {"disk"},
    "job_folder": {"disk", "errors"},
    "video": HELPERS,
    "coding": HELPERS,
    "metrics": HELPERS | {"video"},
    "coding.schemes": HELPERS | {"coding"},
    "container": HELPERS | {"video"},
    "representations": LOW,
    "decoding_pace": {"representations", "samples"},
    "pixel_values": {"samples"},
    "segment_values": FORMAT | {"representations"},
    "frame_threads": set(),
    "segment_decoder": FORMAT
    | {
        "representations",
        "pixel_values",
        "segment_values",
        "frame_threads",
    },
    "arguments": HELPERS | {"video"},
    "pixel_sequence": HELPERS | {"video"},
    "decoder": FORMAT
    | {
        "representations",
        "segment_values",
        "segment_decoder",
        "pixel_sequence",
        "frame_threads",
    },
    "fitting": FORMAT | {"representations", "pixel_values", "metrics"},
    "presets": FORMAT | {"representations", "fitting"},
    "expectation": FORMAT | {"representations", "presets", "segment_values"},
    "encode_types": FORMAT | {"metrics", "fitting", "expectation"},
    "survey": FORMAT | {"encode_types"},
    "encode_plan": FORMAT | {"presets", "encode_types", "survey"},
    "job_state": HELPERS,
    "job": FORMAT | {"fitting", "encode_types", "encode_plan", "job_folder", "job_state"},
    "auto": FORMAT | {"presets", "expectation", "encode_types", "encode_plan", "job", "survey"},
    "outputs": FORMAT | {"encode_types", "job"},
    "time_budget": FITTING | {"metrics"},
    "segment_encoder": FITTING | {"presets"},
}
ALLOWED["prediction"] = FITTING | {
    "presets", "expectation", "segment_decoder", "segment_encoder",
}  # fmt: skip
ALLOWED["segment_work"] = FITTING | {
    "prediction", "metrics", "presets", "segment_decoder", "segment_encoder", "time_budget",
    "encode_plan", "encode_types",
}  # fmt: skip
ALLOWED["tally"] = FORMAT | {
    "metrics", "encode_plan", "encode_types", "segment_work", "time_budget",
}  # fmt: skip
ALLOWED["finished"] = FORMAT | {
    "segment_values",
    "metrics", "encode_plan", "job", "job_folder", "job_state", "segment_decoder", "segment_work",
    "tally",
}  # fmt: skip
ALLOWED["segment_tasks"] = FORMAT | {"encode_plan", "job", "segment_values", "segment_work"}
ALLOWED["workers"] = FITTING | {
    "expectation",
    "encode_plan",
    "encode_types",
    "job",
    "segment_work",
    "distributed",
}
ALLOWED["distributed"] = {"errors", "workers"}
ALLOWED["recipe"] = FORMAT | {"fitting", "presets"}
ALLOWED["original"] = FORMAT | {"presets", "recipe", "segment_values"}
ALLOWED["segment_refiner"] = FORMAT | {
    "metrics", "fitting", "presets", "segment_decoder", "segment_values", "segment_work",
}  # fmt: skip
ALLOWED["encoder"] = FORMAT | {
    "segment_tasks", "survey", "workers",
    "fitting", "presets", "expectation", "encode_types", "encode_plan", "job", "outputs", "tally",
    "segment_decoder", "segment_values", "segment_work", "finished", "auto",
}  # fmt: skip
ALLOWED["dry_run"] = FORMAT | {
    "fitting", "presets", "expectation", "encode_types", "encode_plan", "auto", "prediction",
    "segment_decoder", "segment_tasks", "survey",
}  # fmt: skip
ALLOWED["preview"] = HELPERS | {"encode_types", "outputs"}
ALLOWED["refiner"] = FORMAT | {
    "encode_types", "encode_plan", "fitting", "outputs", "original", "segment_refiner",
    "segment_work", "encoder",
}  # fmt: skip
ALLOWED["bench"] = FORMAT | {
    "metrics", "representations", "presets", "encoder", "decoder", "segment_decoder", "pages",
    "distributed",
}  # fmt: skip
ALLOWED["cli"] = set(ALLOWED) | {"cli"}


def group_of(module: str) -> str:
    """The group that a module below `nvcodec` belongs to; empty for the package itself."""
    parts = module.split(".")[1:]
    if parts[:2] == ["coding", "schemes"]:
        return "coding.schemes"
    return parts[0] if parts else ""


def imports_of(path: Path, module: str) -> Iterator[str]:
    """Every module of ours that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("nvcodec"))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            if node.module == "nvcodec":
                names = [alias.name for alias in node.names]
                yield from (f"nvcodec.{name}" for name in names if not name.startswith("__"))
            elif (node.module or "").startswith("nvcodec."):
                yield str(node.module)
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules() -> list[tuple[str, Path]]:
    found = []
    for path in sorted((SOURCE / "nvcodec").rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found.append((".".join(parts[:-1] if parts[-1] == "__init__" else parts), path))
    return found


def test_nobody_imports_upwards():
    upward = []
    for module, path in modules():
        group = group_of(module)
        if group in ("", "__main__"):  # the face of the package, and `python -m`
            continue
        for imported in imports_of(path, module):
            target = group_of(imported)
            if target not in ("", group) and target not in ALLOWED[group]:
                upward.append(f"{module} imports {imported}")
    assert not upward


def test_nobody_imports_what_another_folder_keeps_private():
    found = []
    for folder in (SOURCE, ROOT / "tests", ROOT / "benchmarks"):
        for path in sorted(folder.rglob("*.py")):
            own = ".".join(path.parent.relative_to(SOURCE).parts) if folder == SOURCE else ""
            for imported in imports_of(path, path.name):
                place, _, name = imported.rpartition(".")
                is_private = any(p.startswith("_") for p in imported.split("."))
                if is_private and not name.startswith("__") and (not own or place != own):
                    found.append(f"{path.relative_to(ROOT)} imports {imported}")
    assert not found


@pytest.mark.parametrize(
    ("imported", "forbidden"),
    [
        ("nvcodec, nvcodec.container.reader, nvcodec.coding.schemes.arithmetic", "torch"),
        ("nvcodec.cli.app, nvcodec.outputs, nvcodec.presets, nvcodec.auto", "torch"),
        ("nvcodec.segment_values, nvcodec.representations.configs.hinerv", "torch"),
        ("nvcodec.decoder", "nvcodec.fitting"),
    ],
)
def test_what_an_import_does_not_load(imported, forbidden):
    script = f"import sys, {imported}\nprint(*sys.modules, sep='\\n')"
    loaded = python(script).split()
    wrong = [m for m in loaded if m == forbidden or m.startswith(f"{forbidden}.")]
    assert not wrong
    assert imported.split(", ")[-1] in loaded


def test_only_the_command_line_prints_or_exits():
    found = []
    for module, path in modules():
        if group_of(module) == "cli":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "sys.exit"):
                found.append(f"{module}:{node.lineno}")
    assert not found


def test_no_circle_of_imports():
    """Of what is imported at once; what functions import when called may lead back."""
    graph: dict[str, set[str]] = {}
    known = {module for module, _ in modules()}
    for module, path in modules():
        found = set()
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nvcodec"):
                names = {f"{node.module}.{alias.name}" for alias in node.names}
                found |= {name if name in known else str(node.module) for name in names}
        graph[module] = found & known - {module}
    order = graphlib.TopologicalSorter(graph)
    order.prepare()  # raises CycleError with the circle


MAX_FILE, MAX_CLASS, MAX_FUNCTION, MAX_ENCODER = 400, 250, 60, 200


def test_nothing_is_long():
    """Lines of code and comments; a function's docstring does not count, a file's length may be
    justified in its own docstring by a sentence with "lines" in it."""
    long = []
    for folder in (SOURCE, ROOT / "benchmarks", ROOT / "tests"):
        for path in sorted(folder.rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            tree = ast.parse(text)
            count = len(text.splitlines())
            if count > MAX_FILE and " lines" not in (ast.get_docstring(tree) or ""):
                long.append(f"{path.name}: {count} lines")
            for node in ast.walk(tree):
                if not isinstance(node, ast.ClassDef | ast.FunctionDef):
                    continue
                size = node.end_lineno - node.lineno + 1
                doc = node.body[0]
                if isinstance(node, ast.FunctionDef) and ast.get_docstring(node, clean=False):
                    size -= doc.end_lineno - doc.lineno + 1
                limit = MAX_CLASS if isinstance(node, ast.ClassDef) else MAX_FUNCTION
                if size > limit:
                    long.append(f"{path.name}: {node.name} has {size} lines")
    encoder = (SOURCE / "nvcodec" / "encoder.py").read_text(encoding="utf-8")
    assert len(encoder.splitlines()) <= MAX_ENCODER
    assert not long


def sources(*folders: Path) -> Iterator[tuple[str, str]]:
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def test_one_file_knows_the_word_of_packed_samples():
    word = re.compile(r"""['"]yuv420['"]""")
    assert [name for name, text in sources(SOURCE) if word.search(code_of(text))] == [
        "src/nvcodec/samples.py"
    ]
    assert not [name for name, text in sources(SOURCE) if 'Literal["rgb"' in text]


def test_messages_below_the_command_line_name_no_flags():
    flag = re.compile(r"(^|[\s(\"'`])--[a-z]")
    found = []
    for name, text in sources(SOURCE):
        if "/cli/" in name or "/bench/" in name:  # bench runs programs by their command lines
            continue
        for node in ast.walk(ast.parse(text)):
            is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
            if is_text and flag.search(node.value) and "-->" not in node.value:
                found.append(f"{name}:{node.lineno}: {node.value[:60]}")
    assert not found


def test_benchmarks_replace_nothing_in_the_library():
    assert not [name for name, text in sources(ROOT / "benchmarks") if "mock" in text]


def code_of(text: str) -> str:
    """A file without its docstrings."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value.value = ""
    return ast.unparse(tree)
