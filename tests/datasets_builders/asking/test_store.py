"""Answers on disk: found by what was asked, whole or not at all, for one writer at a time."""

import os
from collections import Counter
from dataclasses import replace

import pytest

from datasets_builders.asking import Answer, Request, Teacher
from datasets_builders.asking.request import body_of, key_of
from datasets_builders.asking.store import AnswerStore, answer_of, values_of
from datasets_builders.asking.teacher import chosen_teacher, read_teachers
from datasets_builders.building.errors import BuildError, ConfigError

ANSWER = Answer("text \u2028 and\nlines", "stop", "model", "thought", 3, 4)


def key(number):
    return key_of("chat/completions", str(number).encode(), "")


def put(folder, name, numbers, text=""):
    with AnswerStore(folder, name) as store:
        for number in numbers:
            store.put(key(number), values_of(replace(ANSWER, text=f"{text}{number}")))


def test_answers_are_found_by_their_key_in_the_files_of_all_ranks(tmp_path):
    put(tmp_path, "00000", range(50))
    put(tmp_path, "00001", range(40, 100), "other ")
    with AnswerStore(tmp_path, "00000") as store:
        assert len(store) == 110
        assert [answer_of(store.get(key(number))).text for number in (0, 45, 99)] == ["0", "45", "other 99"]
        assert store.get(key(100)) is None
        store.put(key(100), values_of(ANSWER))
        assert answer_of(store.get(key(100))) == ANSWER
    with AnswerStore(tmp_path, "00001") as store:
        assert answer_of(store.get(key(45))).text == "other 45", "a rank keeps to what it was told itself"
    with AnswerStore(tmp_path, "00007") as store:
        assert answer_of(store.get(key(100))) == ANSWER


def test_long_answers_come_back_whole(tmp_path):
    long = replace(ANSWER, text="é" * 100_000, reasoning="\ud83d half")
    with AnswerStore(tmp_path, "00000") as store:
        store.put(key(1), values_of(long))
        store.put(key(2), values_of(ANSWER))
        assert answer_of(store.get(key(1))) == replace(long, reasoning="? half")
        assert answer_of(store.get(key(2))) == ANSWER


@pytest.mark.parametrize("cut", [1, 20, 60, 200])
def test_a_line_that_a_kill_left_half_written_is_asked_for_again_and_harms_no_other(tmp_path, cut):
    put(tmp_path, "00000", range(3))
    path = tmp_path / "00000.jsonl"
    os.truncate(path, path.stat().st_size - cut)
    with AnswerStore(tmp_path, "00001") as store:
        assert (store.get(key(2)) is None and store.get(key(1)) is not None) or cut == 200
    put(tmp_path, "00000", [2])
    with AnswerStore(tmp_path, "00000") as store:
        assert answer_of(store.get(key(2))).text == "2"
        assert len(store) == len(path.read_bytes().splitlines())


def test_a_damaged_line_is_asked_for_again(tmp_path):
    put(tmp_path, "00000", range(3))
    path = tmp_path / "00000.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1][:50] + b"\x00" * (len(lines[1]) - 51) + b"\n"
    path.write_bytes(b"".join(lines))
    with AnswerStore(tmp_path, "00000") as store:
        assert [store.get(key(number)) is None for number in range(3)] == [False, True, False]


def test_one_process_writes_a_file(tmp_path):
    with (
        AnswerStore(tmp_path, "00000"),
        AnswerStore(tmp_path, "00001"),
        pytest.raises(BuildError, match="another process is asking, with its answers in"),
    ):
        AnswerStore(tmp_path, "00000").__enter__()
    assert (tmp_path / "00000.jsonl").stat().st_mode & 0o077 == 0, "what was asked is nobody else's"


def test_a_key_is_of_the_question_and_its_parameters(tmp_path):
    teacher = Teacher("m", "http://a/v1")

    def keyed(request, teacher=teacher, **chosen):
        return key_of(request.path, body_of(request.payload(teacher, chosen)), request.sample)

    plain = Request.of_user("question")
    assert keyed(plain) == keyed(Request.of_user("question"))
    assert keyed(plain) == keyed(plain, replace(teacher, base_url="http://b/v1", concurrency=2, price_input=1.0))
    others = [
        keyed(Request.of_user("question", sample="2")),
        keyed(Request.of_user("question", system="be brief")),
        keyed(Request(prompt="question")),
        keyed(plain, replace(teacher, model="n")),
        keyed(plain, replace(teacher, temperature=1.0)),
        keyed(plain, temperature=0.5),
        keyed(plain, replace(teacher, extra={"top_k": 3})),
        keyed(Request.of_user("question", stop=["\n"])),
    ]
    assert len({keyed(plain), *others}) == 9
    payload = Request.of_user("q", temperature=0.7, max_tokens=9).payload(
        teacher, {"temperature": 0, "max_tokens": None}
    )
    assert (payload["temperature"], payload["max_tokens"]) == (0, 9), "the user's choice wins, the step's is next"
    with pytest.raises(ValueError, match="either messages or a prompt"):
        Request()


def test_documents_are_shared_by_weight_and_a_new_teacher_takes_from_all():
    two = read_teachers(
        [{"model": "a", "base_url": "http://h/v1", "weight": 3}, {"model": "b", "base_url": "http://h/v1"}]
    )
    three = read_teachers(
        [{"model": name, "base_url": "http://h/v1", "weight": w} for name, w in (("a", 3), ("b", 1), ("c", 4))]
    )
    before = [chosen_teacher(two, str(number)).model for number in range(4000)]
    after = [chosen_teacher(three, str(number)).model for number in range(4000)]
    shares = Counter(before)
    assert 0.72 < shares["a"] / 4000 < 0.78
    assert 0.46 < Counter(after)["c"] / 4000 < 0.54
    assert all(new == old or new == "c" for old, new in zip(before, after, strict=True))


SECRET = "sk-very-secret-1234"


@pytest.mark.parametrize(
    ("teachers", "message"),
    [
        ([{"model": "m"}], "teacher 1 has no base_url"),
        ([{"base_url": "http://h/v1"}], "teacher 1 has no model"),
        ([{"model": "m", "base_url": "http://h/v1", "spawn": {"server": "vllm"}}], "leave one out"),
        ([{"model": "m", "base_url": "http://h/v1", "batch_requests": -1}], "batch-requests is -1"),
        ([{"model": "m", "base_url": "http://h/v1", "temprature": 1}], "did you mean 'temperature'"),
        ([{"model": "m", "base_url": "http://h/v1", "api_key_variable": SECRET}], "names an environment variable"),
        ([{"model": "m", "base_url": f"http://user:{SECRET}@h/v1"}], "holds a user, a password"),
        ([{"model": "m", "base_url": f"http://h:{SECRET}/v1"}], "must be the address"),
        ([{"model": "m", "base_url": f"http://h/v1?key={SECRET}"}], "holds a user, a password or a query"),
        ([{"model": "m", "base_url": "h:8000/v1"}], "must be the address"),
        ([{"model": "m", "base_url": "http://h/v1/chat/completions"}], "address alone, http://h/v1"),
        ([{"model": "m", "base_url": "http://h/v1"}] * 2, "two teachers are called 'm'"),
        ([{"model": "m", "base_url": "http://h/v1", "weight": 0}], "weight is 0"),
        ([{"model": "m", "base_url": "http://h/v1", "top_p": 1.5}], "top-p is 1.5"),
        ([{"model": "", "base_url": "http://h/v1"}], "model is empty"),
    ],
)
def test_a_wrong_teacher_is_refused_and_no_secret_is_told(teachers, message):
    with pytest.raises(ConfigError, match=message) as told:
        read_teachers(teachers)
    assert SECRET not in str(told.value)
