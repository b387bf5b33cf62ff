"""Small data sets laid out like those that the evaluations read."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import pypdfium2
from pypdfium2 import raw as pdfium

WORDS = ("anchor", "ballast", "capstan", "davit", "ensign", "fathom", "gunwale", "halyard")

_PROSE = (
    "The club was founded in the year {n} by seven sailors of the town. It won the cup of the "
    "county {n} times. Its members met on Sundays in the old harbour house. They kept a log of "
    "every regatta until the war."
)


def write_multihop(folder: Path, *, questions: int = 52) -> Path:
    """Each question names a word of its first gold paragraph; the second one shares none with it."""
    folder.mkdir(parents=True, exist_ok=True)
    musique, pool = [], []
    hotpot = []
    hotpot_pool: dict[str, list[str]] = {}
    for number in range(questions):
        word = f"{WORDS[number % len(WORDS)]}{number}"
        texts = [
            (f"Alpha {number}", f"The {word} was made of oak.", True),
            (f"Beta {number}", f"Nothing of interest happened in {number + 3000}.", False),
            (f"Gamma {number}", f"Oak grows {number} feet.", True),
        ]
        question = f"What was the {word} like?"
        paragraphs = [
            {"idx": i, "title": title, "paragraph_text": text, "is_supporting": gold}
            for i, (title, text, gold) in enumerate(texts)
        ]
        musique.append(
            {
                "id": str(number),
                "question": question,
                "answer": "made of oak",
                "answer_aliases": ["oaken"],
                "paragraphs": paragraphs,
            }
        )
        pool += [{"title": title, "text": text} for title, text, _ in texts]
        hotpot.append(
            {
                "question": question,
                "answer": "made of oak",
                "context": [[title, [text, " It is so."]] for title, text, _ in texts],
                "supporting_facts": [[title, 0] for title, _, gold in texts if gold],
            }
        )
        hotpot_pool |= {title: [text, " It is so."] for title, text, _ in texts}
    _write(folder / "musique_train.json", musique)
    _write(folder / "musique_train_corpus.json", pool)
    _write(folder / "hotpotqa_train.json", hotpot)
    _write(folder / "hotpotqa_train_corpus.json", hotpot_pool)
    return folder


def write_trec(folder: Path) -> Path:
    """Two queries with three hits each; of the first, a fourth passage is judged best."""
    folder.mkdir(parents=True, exist_ok=True)
    rankings = [
        {
            "query": "life of a flea",
            "hits": [
                {"content": "Ticks live long.", "qid": 7, "docid": "a"},
                {"content": "The life of a flea is a year.", "qid": 7, "docid": "b"},
                {"content": "A flea can jump.", "qid": 7, "docid": "c"},
            ],
        },
        {
            "query": "depth of a fathom",
            "hits": [
                {"content": "Six feet make the depth of a fathom.", "qid": 8, "docid": "d"},
                {"content": "A cable has ten.", "qid": 8, "docid": "e"},
                {"content": "A league has more.", "qid": 8, "docid": "f"},
            ],
        },
    ]
    _write(folder / "bm25_top100.json", rankings)
    grades = "7 Q0 a 0\n7 Q0 b 3\n7 Q0 c 1\n7 Q0 z 3\n8 Q0 d 2\n8 Q0 e 0\n"
    (folder / "qrels.txt").write_text(grades)
    return folder


def write_xquad(folder: Path, *, articles: int = 6) -> Path:
    """Articles of two paragraphs with two questions each; a word tells each sentence."""
    folder.mkdir(parents=True, exist_ok=True)
    data = []
    for article in range(articles):
        paragraphs = []
        for number in range(2):
            words = [f"{word}{article}x{number}" for word in WORDS[:2]]
            text = f"Some say so. The {words[0]} weighs {article} tons. A {words[1]} costs a pound."
            qas = [
                _asked(f"How much does the {words[0]} weigh?", f"{article} tons", text),
                _asked(f"What does a {words[1]} cost?", "a pound", text),
            ]
            paragraphs.append({"context": text, "qas": qas})
        data.append({"title": f"Article {article}", "paragraphs": paragraphs})
    _write(folder / "xquad.en.json", {"version": "1.1", "data": data})
    return folder


def write_babi(folder: Path, *, stories: int = 3) -> Path:
    """Tasks 1 to 3; the first parts its columns by bars, the others by tabs."""
    folder.mkdir(parents=True, exist_ok=True)
    one = "1 Mary moved to the attic.\n2 John went to the cellar.\n3 Where is Mary? |attic|1\n"
    two = (
        "1 Mary took the quoit there.\n2 John slept.\n3 Mary went to the attic.\n"
        "4 Where is the quoit? \tattic\t1 3\n5 Mary left.\n6 Where is the quoit?\tattic\t1 3\n"
    )
    three = (
        "1 Mary took the quoit.\n2 Mary went to the cellar.\n3 Mary went to the attic.\n"
        "4 Where was the quoit before the attic?\tcellar\t1 2 3\n"
    )
    for task, story in enumerate((one, two, three), start=1):
        (folder / f"qa{task}_some-facts_train.txt").write_text(story * stories)
    return folder


def write_wikitables(folder: Path, *, pages: int = 16) -> Path:
    """Whole pages with a paragraph, a table and another paragraph."""
    place = folder / "page" / "200-page"
    place.mkdir(parents=True, exist_ok=True)
    for number in range(pages):
        rows = "".join(f"<tr><td>{n}</td><td>boat {n}</td></tr>" for n in range(8))
        table = f"<table><tr><th>No</th><th>Name</th></tr>{rows}</table>"
        prose = _PROSE.format(n=1900 + number)
        body = f"<p>{prose}</p>{table}<p>{prose.replace('club', 'museum')}</p>"
        (place / f"{number}.html").write_text(f"<html><body>{body}</body></html>")
        _write(place / f"{number}.json", {"title": f"Club {number}", "url": "http://x.org"})
    return folder


def write_financebench(folder: Path, *, gold: Sequence[int] = (1,)) -> Path:
    """One filing of four sheets and a question on it."""
    (folder / "pdfs").mkdir(parents=True, exist_ok=True)
    sheets = ("Annual report", "The revenue of Lead Line was 17 million", "", "Signatures")
    (folder / "pdfs" / "LEADLINE_2020_10K.pdf").write_bytes(pdf(*sheets))
    question = {
        "financebench_id": "financebench_id_1",
        "question": "What was the revenue of Lead Line?",
        "doc_name": "LEADLINE_2020_10K",
        "evidence": [{"evidence_text": "17 million", "evidence_page_num": n} for n in gold],
    }
    (folder / "questions.jsonl").write_text(json.dumps(question) + "\n")
    return folder


def pdf(*sheets: str) -> bytes:
    """A PDF with one line of text on each sheet."""
    document = pypdfium2.PdfDocument.new()
    font = pdfium.FPDFText_LoadStandardFont(document, b"Helvetica")
    for text in sheets:
        page = document.new_page(400, 200)
        if text:
            line = pdfium.FPDFPageObj_CreateTextObj(document, font, 12)
            encoded = (text + "\0").encode("utf-16-le")
            array = (pdfium.FPDF_WCHAR * (len(encoded) // 2)).from_buffer_copy(encoded)
            pdfium.FPDFText_SetText(line, array)
            pdfium.FPDFPageObj_Transform(line, 1, 0, 0, 1, 20, 100)
            pdfium.FPDFPage_InsertObject(page, line)
            pdfium.FPDFPage_GenerateContent(page)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _asked(question: str, answer: str, text: str) -> dict[str, object]:
    answers = [{"answer_start": text.index(answer), "text": answer}]
    return {"id": question, "question": question, "answers": answers}


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value))
