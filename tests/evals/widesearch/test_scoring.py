"""The corrected rules: exact, never above 1, and fair where the official ones are not."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadline.cancellation import Cancellation
from leadline.errors import ConfigError, OutputInvalid
from leadline.evals.widesearch.judge import LiteralJudge, ModelJudge
from leadline.evals.widesearch.rules import CorrectedRules, OfficialRules, Rules
from leadline.evals.widesearch.scoring import Score, ScoredTable, score_response
from leadline.evals.widesearch.tasks import Evaluation
from leadline.runtime.scripted_engine import ScriptedEngine

from .table_pairs import AliasJudge, TablePair, table_pairs

PERFECT = Score(*[1.0] * 7)


def evaluation(keys: Sequence[str], **metrics: str) -> Evaluation:
    """Columns with one metric each, all under norm_str."""
    return Evaluation.model_validate(
        {
            "unique_columns": list(keys),
            "required": list(metrics),
            "eval_pipeline": {
                name: {"preprocess": ["norm_str"], "metric": [metric], "criterion": 0.1}
                for name, metric in metrics.items()
            },
        }
    )


RIVERS = evaluation(["river"], river="exact_match", country="in_match", length="number_near")
GOLD = "River,Country,Length\nElbe,Germany; Czechia,1094\nSeine,France,777\n"
TABLE = "| River | Country | Length |\n|---|---|---|\n| Elbe | Germany | 1094 |\n| Seine | France | 777 |"


async def scored(
    response: str,
    gold: str = GOLD,
    by: Evaluation = RIVERS,
    *,
    rules: Rules | None = None,
) -> ScoredTable:
    return await score_response(
        response, gold, by, rules=rules or CorrectedRules(), judge=LiteralJudge()
    )


@pytest.mark.parametrize(
    "response",
    [
        f"```markdown\n{TABLE}\n```",
        f"```\n{TABLE}\n```",
        f"Either a | b or c.\n\n{TABLE}\n\nThat is all.",
        "\n".join(line.strip("| ") for line in TABLE.splitlines()),
        "```csv\nriver,country,length\nElbe,Germany,1094\nSeine,France,777\n```",
        f"A draft:\n```markdown\n{TABLE.replace('777', '7')}\n```\nBetter:\n```markdown\n{TABLE}\n```",
        TABLE.replace("Elbe", "**Elbe**").replace("Germany", "[Germany](https://de.org)"),
        TABLE.replace("| Length |", "| Length | Note |").replace("777 |", r"777 | a \| b |"),
    ],
    ids=["fence", "bare fence", "prose", "open rows", "csv", "corrected", "markup", "extra column"],
)
async def test_the_same_table_in_many_forms(response: str) -> None:
    assert (await scored(response)).score == PERFECT


async def test_a_missing_column_costs_its_cells_and_the_rows() -> None:
    response = "| River | Country |\n|---|---|\n| Elbe | Germany |\n| Seine | France |"
    result = await scored(response)
    assert result.score.row_f1 == 0.0
    assert result.score.item_f1 == pytest.approx(2 / 3)
    assert result.problem == "it has no column length"
    assert (await scored(response, rules=OfficialRules())).score == Score()


async def test_a_missing_key_column_costs_everything() -> None:
    result = await scored("| Country | Length |\n|---|---|\n| Germany | 1094 |")
    assert result.score == Score()
    assert result.problem == "it has no column river"


async def test_two_spellings_of_a_key_count_once() -> None:
    response = TABLE + "\n| ELBE* | Germany | 1094 |"
    assert (await scored(response)).score == PERFECT
    assert (await scored(response, rules=OfficialRules())).score.item_f1 > 1


async def test_an_empty_cell_does_not_change_its_column() -> None:
    response = TABLE.replace("777", "")
    gold_rule = evaluation(["river"], river="exact_match", country="in_match", length="exact_match")
    assert (await scored(response, by=gold_rule)).score.item_f1 == pytest.approx(5 / 6)
    official = await scored(f"```markdown\n{response}\n```", by=gold_rule, rules=OfficialRules())
    assert official.score.item_f1 == pytest.approx(4 / 6)


async def test_rows_too_many_and_too_few() -> None:
    extra = TABLE + "\n| Oder | Poland | 854 |\n| Weser | Germany | 451 |"
    assert (await scored(extra)).score.row_precision == 0.5
    assert (await scored(extra)).score.row_recall == 1.0
    fewer = TABLE.rsplit("\n", 1)[0]
    assert (await scored(fewer)).score.row_recall == 0.5


@pytest.mark.parametrize("response", ["", "I do not know.", "| a |\n|---|", "```markdown\n```"])
async def test_no_table_scores_nothing(response: str) -> None:
    result = await scored(response)
    assert result.score == Score()
    assert result.gold_rows == 2
    assert result.problem


async def test_a_gold_table_without_a_column_is_an_error() -> None:
    with pytest.raises(ConfigError, match="no column length"):
        await scored(TABLE, gold="River,Country\nElbe,Germany\n")


@pytest.mark.parametrize("pair", table_pairs(120, seed=3), ids=lambda pair: pair.trap)
async def test_no_figure_leaves_its_bounds(pair: TablePair) -> None:
    result = await score_response(
        pair.response, pair.gold_csv, pair.evaluation, rules=CorrectedRules(), judge=AliasJudge()
    )
    assert all(0 <= value <= 1 for value in result.score.as_dict().values())


CELLS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
async def test_the_gold_table_itself_is_always_perfect(rows: list[tuple[str, str, str]]) -> None:
    gold = io.StringIO(newline="")
    keyed = [(f"k{n}", *row) for n, row in enumerate(rows)]
    csv.writer(gold).writerows([("key", "a", "b", "c"), *keyed])
    by = evaluation(["key"], key="exact_match", a="exact_match", b="in_match", c="llm_judge")
    response = gold.getvalue()
    result = await scored(f"```csv\n{response}\n```", gold=response, by=by)
    if "```" not in response:
        assert result.score == PERFECT


async def test_thousands_of_rows_and_chinese_columns() -> None:
    by = evaluation(["国家"], 国家="exact_match", 年份="exact_match")
    names = [f"第{n}国" for n in range(5000)]
    gold = "国家,年份\n" + "".join(f"{name},2020\n" for name in names)
    lines = [f"| 2020 | {name} |" for name in reversed(names)]
    response = "\n".join(["| 年份 | 国家 |", "|---|---|", *lines])
    assert (await scored(response, gold, by)).score == PERFECT


@pytest.mark.parametrize(
    "response",
    [
        "| note | river |\n|---|---|\n| deep \\| wide | Elbe |\n| slow<br>cold | Seine |",
        '```csv\nnote,river\ndeep | wide,Elbe\n"slow\ncold",Seine\n```',
    ],
    ids=["markdown", "csv"],
)
async def test_bars_and_lines_in_cells(response: str) -> None:
    by = evaluation(["river"], river="exact_match", note="exact_match")
    gold = 'river,note\nElbe,deep | wide\nSeine,"slow\ncold"\n'
    assert (await scored(response, gold, by)).score == PERFECT


async def test_a_hundred_tables_of_60_by_8_in_seconds() -> None:
    columns = [f"c{n}" for n in range(8)]
    kinds = ["exact_match", "in_match", "number_near", "url_match"]
    by = evaluation(["c0"], **{name: kinds[n % 4] for n, name in enumerate(columns)})
    rows = [[f"{n}", *[f"{n * m + 1}" for m in range(7)]] for n in range(60)]
    gold = "\n".join(",".join(row) for row in [columns, *rows])
    response = "\n".join("| " + " | ".join(row) + " |" for row in [columns, ["-"] * 8, *rows])
    started = time.perf_counter()
    for _ in range(100):
        assert (await scored(response, gold, by)).score == PERFECT
    assert time.perf_counter() - started < 10


JUDGED = evaluation(["river"], river="llm_judge", mouth="llm_judge")
JUDGED_GOLD = "River,Mouth\nElbe,North Sea\nSeine,English Channel\n"


async def test_a_model_is_asked_only_about_what_is_not_alike() -> None:
    engine = ScriptedEngine(
        [
            json.dumps({"mapping": [{"origin": "labe", "transform": "elbe"}]}),
            json.dumps({"answer_0": 1}),
        ]
    )
    judge = ModelJudge(engine, cancel=Cancellation())
    result = await score_response(
        "| River | Mouth |\n|---|---|\n| Labe | North Sea |\n| Seine | La Manche |",
        JUDGED_GOLD,
        JUDGED,
        rules=CorrectedRules(),
        judge=judge,
    )
    assert result.score == PERFECT
    assert "elbe" in engine.requests[0].messages[-1].content
    assert "lamanche" in engine.requests[1].messages[-1].content
    assert "northsea" not in engine.requests[1].messages[-1].content


async def test_a_name_that_the_reference_lacks_is_not_aligned() -> None:
    engine = ScriptedEngine([json.dumps({"mapping": [{"origin": "labe", "transform": "danube"}]})])
    aligned = await ModelJudge(engine, cancel=Cancellation()).align(["labe"], ["elbe"])
    assert aligned == {}


async def test_many_cells_are_judged_in_batches_and_each_once() -> None:
    engine = ScriptedEngine(respond=lambda request: _all_right(request.json_schema))
    judge = ModelJudge(engine, cancel=Cancellation())
    pairs = [(f"a{n % 45}", f"b{n % 45}") for n in range(90)]
    assert await judge.grade(pairs, "alike") == [1.0] * 90
    assert len(engine.requests) == 3
    assert await judge.grade(pairs[:5], "alike") == [1.0] * 5
    assert len(engine.requests) == 3


async def test_a_judge_that_talks_nonsense_is_an_error() -> None:
    judge = ModelJudge(ScriptedEngine(["no", "never"]), cancel=Cancellation())
    with pytest.raises(OutputInvalid):
        await judge.grade([("a", "b")], "alike")


def _all_right(schema: object) -> str:
    assert isinstance(schema, dict)
    return json.dumps(dict.fromkeys(schema["properties"], 1))
