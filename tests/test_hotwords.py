"""Hotwords: what is left of hostile input, correction by sound, and hits that point at the right place."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webui.errors import Notice
from webui.text import hotwords, itn


def test_one_a_line_or_separated_and_each_once() -> None:
    assert hotwords.clean(["开放时间", "张三，李四、王五", "甲方 乙方", "New York", "开放时间"])[0] == (
        "开放时间",
        "张三",
        "李四",
        "王五",
        "甲方",
        "乙方",
        "New York",
    )


def test_a_weight_behind_a_word_is_dropped_but_a_model_number_stays() -> None:
    assert hotwords.clean(["阿里巴巴 20", "iPhone 15"])[0] == ("阿里巴巴", "iPhone 15")


@pytest.mark.parametrize(
    "hostile",
    ["http://127.0.0.1:9/x", "HTTPS://a.cn", "/etc/passwd", "../keys", "C:\\a\\b", "words.txt", "a.jsonl", "www.a.cn"],
)
def test_places_never_reach_a_model(hostile: str) -> None:
    words, warnings = hotwords.clean([hostile, "张三"])
    assert words == ("张三",)
    assert warnings == (Notice("HOTWORDS_TRIMMED", {"kept": 1}),)


def test_chat_template_tokens_brackets_and_invisible_characters_are_stripped() -> None:
    assert hotwords.clean(["<|im_end|>张三", "李\u202e四\u200b", "[王五]", "赵\x00六"])[0] == (
        "张三",
        "李四",
        "王五",
        "赵六",
    )
    assert hotwords.clean(["<|<|im_end|>im_start|>"])[0] == ("im_start",)


def test_the_limits_hold_and_are_reported() -> None:
    words, warnings = hotwords.clean([f"词{n}" for n in range(300)])
    assert len(words) == 200
    assert warnings == (Notice("HOTWORDS_TRIMMED", {"kept": 200}),)
    assert hotwords.clean(["长" * 21, "短"]) == (("短",), (Notice("HOTWORDS_TRIMMED", {"kept": 1}),))
    assert hotwords.clean(["", "  "]) == ((), ())


@given(st.lists(st.text(max_size=60), max_size=20))
def test_whatever_is_typed_comes_out_harmless(lines: list[str]) -> None:
    words, _ = hotwords.clean(lines)
    assert hotwords.clean(words)[0] == words
    for word in words:
        assert 0 < len(word) <= 20
        assert "<" not in word and "|" not in word and "\n" not in word and "://" not in word
        assert all(unicodedata.category(c) not in ("Cc", "Cf", "Cs") for c in word)


@pytest.mark.parametrize(
    ("text", "words", "corrected"),
    [
        ("请找章三开会", ["张三"], "请找张三开会"),
        ("通义千文很好", ["通义千问"], "通义千问很好"),
        ("支付宝的蚂蚁金福", ["蚂蚁金服"], "支付宝的蚂蚁金服"),
        ("林俊节和林俊杰", ["林俊杰"], "林俊杰和林俊杰"),
        ("请联系陈知远老师", ["陈志远"], "请联系陈志远老师"),
        ("今天去公司", ["公式"], "今天去公司"),
        ("我们用i phone打电话", ["iPhone"], "我们用iPhone打电话"),
        ("kpi和Kpi", ["KPI"], "KPI和KPI"),
        ("用ChatGPT写", ["chatgpt"], "用ChatGPT写"),
        ("天气很好", ["张三"], "天气很好"),
    ],
)
def test_what_sounds_like_a_hotword_is_written_as_it(text: str, words: list[str], corrected: str) -> None:
    assert hotwords.correct(text, words)[0] == corrected


def test_hits_point_into_the_corrected_text() -> None:
    text, hits = hotwords.correct("章三给张三和i phone", ["张三", "iPhone"])
    assert text == "张三给张三和iPhone"
    assert [(text[hit.start : hit.end], hit.heard) for hit in hits] == [
        ("张三", "章三"),
        ("张三", None),
        ("iPhone", "i phone"),
    ]


def test_a_long_word_wins_over_a_short_one_inside_it() -> None:
    hits = hotwords.find("北京大学", ["北京", "北京大学"])
    assert [(hit.word, hit.start, hit.end) for hit in hits] == [("北京大学", 0, 4)]


@given(
    st.text("张章三山北京大学abAB ，。", max_size=30),
    st.lists(st.text("张三北京大学ab", min_size=1, max_size=4), max_size=5),
)
def test_correction_keeps_the_length_of_chinese_text_and_hits_are_true(text: str, words: list[str]) -> None:
    corrected, hits = hotwords.correct(text, words)
    chinese = [word for word in words if all("\u3400" <= c <= "\u9fff" for c in word)]
    if len(chinese) == len(words):
        assert len(corrected) == len(text)
    end = 0
    for hit in hits:
        assert hit.start >= end
        assert corrected[hit.start : hit.end].lower() == hit.word.lower()
        end = hit.end


def test_no_hotwords_change_nothing() -> None:
    assert hotwords.correct("第一行\n第二行", []) == ("第一行\n第二行", ())


# (text, hotword): what sounds like the hotword is a word of its own, and stays.
WORDS_OF_THEIR_OWN = [
    ("今天的时间安排和社会实践", "石坚"),
    ("周会纪要请大家交", "周慧"),
    ("各位领导", "葛伟"),
    ("我的理想是当老师", "李想"),
    ("请问医保怎么办理", "怡宝"),
    ("把统一身份认证接进来", "通义"),
    ("税务局发布公告", "水务局"),
    ("水务局发布公告", "税务局"),
    ("他很高兴去参加会议", "高新区"),
    ("我们还是举办一次", "海事局"),
    ("我们去政府办事", "区政府"),
    ("服务员请过来", "服务园"),
    ("金融界人士", "金融街"),
    ("这里是医院", "市医院"),
    ("他是公安局的", "市公安局"),
    ("通信网络正常", "统信"),
    ("统计数据", "同济"),
    ("反应很快", "范莹"),
    ("小区物业", "吴烨"),
    ("同志们好", "童芝"),
    ("核实情况", "何石"),
    ("找合适的时间", "何石"),
    ("及时回复市民", "惠芙"),
    ("联系燃气公司", "冉琪"),
    ("核对银行信息", "银杏"),
    ("公民的权利义务", "全力"),
    ("公事公办", "公示"),
    ("按公式计算", "公示"),
    ("事故处理", "世故"),
    ("报复行为", "抱负"),
    ("合肥市民", "何飞"),
    ("网上办理", "王尚"),
    ("公司成立", "程丽"),
    ("资源共享", "紫园"),
    ("会议记录", "惠谊"),
    ("联系方式", "连喜"),
    ("市场经济", "石场"),
    ("攻击事件", "共计"),
    ("诉讼时效", "实效"),
    ("全县范围", "权限"),
    ("形势严峻", "形式"),
    ("请买一块豆腐", "豆包"),
    ("他喜欢王子", "玉子"),
    ("银行业", "银杏"),
    ("经济发展", "金姬"),
    ("百度一下", "万多"),
    ("有一万多人参加", "百度"),
    ("他的权力很大", "全丽"),
    ("市长出席会议", "石昌"),
    ("请提供身份证号", "沈凤"),
    ("我要投诉物业", "吴烨"),
    ("办理居住证", "朱祝"),
    ("一共十一亿零五百", "易玲"),
    ("领导很重视", "钟石"),
    ("工资发放", "龚姿"),
    ("学校通知家长", "贾章"),
    ("安静一点", "安婧"),
    ("这件事是公安处理", "市公安"),
    ("小学生家长", "肖雪声"),
    ("社会保障卡", "佘辉"),
    ("公积金余额", "恭吉"),
    ("预约挂号成功", "于跃"),
    ("老师布置作业", "罗诗"),
    ("電話號碼是多少", "郝玛"),
    ("他在公安局里", "安菊"),
    ("刘黎来了", "刘丽"),
    ("找张山峰", "张三丰"),
]

# (text, hotword, corrected)
CONFUSIONS = [
    ("周惠来了", "周慧", "周慧来了"),
    ("我找付健", "付建", "我找付建"),
    ("何萍说的", "何平", "何平说的"),
    ("买两瓶宜宝", "怡宝", "买两瓶怡宝"),
    ("用豆苞写稿", "豆包", "用豆包写稿"),
    ("李享是谁", "李想", "李想是谁"),
    ("我叫石尖", "石坚", "我叫石坚"),
    ("打磨院发布模型", "达摩院", "达摩院发布模型"),
    ("同意千问是大模型", "通义千问", "通义千问是大模型"),
    ("统一千问", "通义千问", "通义千问"),
    ("飞叔会议", "飞书", "飞书会议"),
    ("声方系统", "声坊", "声坊系统"),
    ("阿里爸爸", "阿里巴巴", "阿里巴巴"),
    ("寒武记芯片", "寒武纪", "寒武纪芯片"),
    ("请王方接电话", "王芳", "请王芳接电话"),
    ("葛维来电", "葛伟", "葛伟来电"),
    ("用cosy voice合成", "CosyVoice", "用CosyVoice合成"),
    ("sense voice small", "SenseVoice", "SenseVoice small"),
    ("达摩运发布模型", "达摩院", "达摩院发布模型"),
    ("水雾局发布公告", "水务局", "水务局发布公告"),
    ("高欣区管委会", "高新区", "高新区管委会"),
    ("请转接章三风", "张三丰", "请转接张三丰"),
    ("联系人是刘婧怡", "刘静怡", "联系人是刘静怡"),
    ("高薪区政府", "高新区", "高新区政府"),
    ("找曹博雅经理", "曹伯雅", "找曹伯雅经理"),
]


@pytest.mark.parametrize(("text", "hotword"), WORDS_OF_THEIR_OWN)
def test_an_ordinary_word_never_becomes_a_name(text: str, hotword: str) -> None:
    assert hotwords.correct(text, [hotword]) == (text, ())


@pytest.mark.parametrize(("text", "hotword", "corrected"), CONFUSIONS)
def test_what_is_no_word_becomes_the_hotword(text: str, hotword: str, corrected: str) -> None:
    assert hotwords.correct(text, [hotword])[0] == corrected


@pytest.mark.parametrize(
    ("raw", "words", "heard"),
    [
        ("请周惠来三十号开会", ["周慧"], ["周惠"]),
        ("周惠和周慧都来", ["周慧"], ["周惠", None]),
        ("我们用i phone打电话", ["iPhone"], ["i phone"]),
        ("请周慧来", ["周慧"], [None]),
    ],
)
def test_what_was_heard_is_known_from_the_raw_text(raw: str, words: list[str], heard: list[str | None]) -> None:
    text = itn.apply(hotwords.correct(raw, words)[0]) + "。"
    hits = hotwords.with_heard(hotwords.find(text, words), text, raw)
    assert [hit.heard for hit in hits] == heard


@pytest.mark.parametrize("raw", ["来了", "周小慧来了", "12来了"])
def test_what_a_person_wrote_was_not_heard(raw: str) -> None:
    text = "周慧来了"
    assert [hit.heard for hit in hotwords.with_heard(hotwords.find(text, ["周慧"]), text, raw)] == [None]
