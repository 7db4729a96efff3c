"""The sentences of the self-test model: a grammar of hotline, bank and school phrases in Mandarin.

Each utterance has two targets, as SenseVoice learns them: the spoken form (`plain`) and the written
form with digits and punctuation (`written`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

DIGITS = "零一二三四五六七八九"
TOPICS = "余额 账单 医保 社保 公积金 课程表 成绩 天气 快递 航班 户口 身份证 驾驶证 退休金 学费 水费 电费 居住证".split()
VERBS = "查询 办理 修改 取消 预约 打印 申请 更新 补办 提交".split()
DESKS = "人工客服 教务处 信用卡中心 大堂经理 技术支持 投诉部门 市民热线 财务科 校医院".split()
NAMES = "张伟 李娜 王芳 刘洋 陈静 杨磊 赵敏 周杰 吴刚 孙丽 郑强 马超 林涛".split()
PLACES = "操场 图书馆 会议室 办公楼 三号窗口 校门口 服务大厅 二楼大厅 地铁站".split()
ITEMS = "电话 银行卡 身份证 订单 学生证 工单 车牌".split()
DAYTIMES = "今天上午 今天下午 明天上午 明天下午 昨天晚上 后天中午".split()
TIMES = "今天上午 今天下午 明天上午 明天下午 昨天晚上 本周 下周 后天中午".split()
FEES = "水费 电费 燃气费 学费 贷款利率 物业费 房租".split()
COMPLAINTS = "路灯不亮 小区停水 噪音太大 电梯坏了 垃圾没有清运 道路积水 暖气不热 公交车晚点".split()
SERVICES = "您的问题已经记录 工作人员会尽快联系您 请保持电话畅通 感谢您的来电 请您稍等 请对本次服务做出评价".split()


@dataclass(frozen=True)
class Utterance:
    plain: str
    written: str


def number(value: int) -> str:
    """0 … 9999 as spoken."""
    if value < 10:
        return DIGITS[value]
    unit, name = next((u, n) for u, n in ((1000, "千"), (100, "百"), (10, "十")) if value >= u)
    head, rest = divmod(value, unit)
    first = "" if unit == 10 and head == 1 else DIGITS[head]
    if rest == 0:
        return first + name
    gap = "零" if rest * 10 < unit else ""
    return first + name + gap + ("一" if 10 <= rest < 20 else "") + number(rest)


def _digits(source: random.Random, least: int, most: int) -> tuple[str, str]:
    values = [source.randint(0, 9) for _ in range(source.randint(least, most))]
    return "".join(DIGITS[v] for v in values), "".join(map(str, values))


def _question(r: random.Random) -> tuple[str, str]:
    text = f"请问{r.choice(TOPICS)}怎么{r.choice(VERBS)}"
    return text, text + "？"


def _wish(r: random.Random) -> tuple[str, str]:
    text = f"我想{r.choice(VERBS)}{r.choice(TOPICS)}"
    return text, text + "。"


def _transfer(r: random.Random) -> tuple[str, str]:
    desk = r.choice(DESKS)
    return f"您好请帮我转接{desk}", f"您好，请帮我转接{desk}。"


def _item(r: random.Random) -> tuple[str, str]:
    spoken, written = _digits(r, 4, 8)
    item = r.choice(ITEMS)
    return f"我的{item}号码是{spoken}", f"我的{item}号码是{written}。"


def _payment(r: random.Random) -> tuple[str, str]:
    value = r.choice((r.randint(10, 99), r.randint(100, 999), r.randint(1000, 9999)))
    name = r.choice(NAMES)
    return f"请转账{number(value)}元给{name}", f"请转账{value}元给{name}。"


def _date(r: random.Random) -> tuple[str, str]:
    month, day = r.randint(1, 12), r.randint(1, 31)
    tail = f"{r.choice(VERBS)}{r.choice(TOPICS)}吗"
    return f"{number(month)}月{number(day)}日可以{tail}", f"{month}月{day}日可以{tail}？"


def _errand(r: random.Random) -> tuple[str, str]:
    text = f"{r.choice(NAMES)}同学{r.choice(TIMES)}到{r.choice(PLACES)}"
    return text, text + "。"


def _meeting(r: random.Random) -> tuple[str, str]:
    hour = r.randint(1, 12)
    head, tail = r.choice(DAYTIMES), f"{r.choice(NAMES)}在{r.choice(PLACES)}开会"
    return f"{head}{number(hour)}点{tail}", f"{head}{hour}点{tail}。"


def _together(r: random.Random) -> tuple[str, str]:
    text = (
        f"{r.choice(NAMES)}和{r.choice(NAMES)}{r.choice(TIMES)}去{r.choice(PLACES)}{r.choice(VERBS)}{r.choice(TOPICS)}"
    )
    return text, text + "。"


def _complaint(r: random.Random) -> tuple[str, str]:
    where, what = r.choice(PLACES), r.choice(COMPLAINTS)
    return f"我要反映{where}附近{what}", f"我要反映{where}附近{what}。"


def _service(r: random.Random) -> tuple[str, str]:
    first, second = r.sample(SERVICES, 2)
    return first + second, f"{first}，{second}。"


def _percentage(r: random.Random) -> tuple[str, str]:
    value, topic = r.randint(1, 99), r.choice(FEES)
    return f"{topic}上涨了百分之{number(value)}", f"{topic}上涨了{value}%。"


FORMS: tuple[Callable[[random.Random], tuple[str, str]], ...] = (
    _question,
    _wish,
    _transfer,
    _item,
    _payment,
    _date,
    _errand,
    _meeting,
    _together,
    _complaint,
    _service,
    _percentage,
    lambda r: _digits(r, 3, 8),
)


def utterances(seed: int) -> Iterator[Utterance]:
    """An endless, repeatable stream."""
    source = random.Random(seed)
    while True:
        yield Utterance(*source.choice(FORMS)(source))
