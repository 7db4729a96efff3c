"""Readings of characters that have several: particles, words, surnames, places, each beside what looks like it."""

from __future__ import annotations

import pytest

from webui.engines.basic.mandarin import pinyin

CASES = {
    "地 as a particle": """
        慢慢地走 地 de5; 高高兴兴地回家 地 de5; 他高兴地点头 地 de5; 一步一步地前进 地 de5; 创造性地解决 地 de5;
        不断地努力 地 de5; 轻轻地放下来 地 de5; 悄悄地离开 地 de5; 绿油油地铺开 地 de5; 雷鸣般地鼓掌 地 de5;
        毫不犹豫地答应 地 de5; 安静地坐着 地 de5; 热情地招待 地 de5; 严重地影响 地 de5; 自由地飞 地 de5;
        渐渐地面对 地 de5; 深入地下去 地 de5
    """,
    "地 as a noun": """
        安全地带 地 di4; 自由地区 地 di4; 当地 地 di4; 土地 地 di4; 地铁 地 di4; 目的地 地 di4; 就地取材 地 di4;
        各地方 地 di4; 扫地 地 di4; 外地人 地 di4; 本地菜 地 di4; 重点地区 地 di4; 场地租赁 地 di4; 种地 地 di4;
        随地吐痰 地 di4; 脚踏实地 地 di4; 自然地理 地 di4; 耕地面积 地 di4
    """,
    "得 as a particle": """
        跑得快 得 de5; 长得高 得 de5; 走得太远 得 de5; 笑得很开心 得 de5; 好得很 得 de5; 累得要命 得 de5;
        看得见 得 de5; 说得出口 得 de5; 吃得到 得 de5; 听得懂 得 de5; 忙得团团转 得 de5; 写得不错 得 de5;
        值得学习 得 de5; 记得带伞 得 de5; 懂得感恩 得 de5; 显得年轻 得 de5; 气得发抖 得 de5
    """,
    "得 in words": """
        得到 得 de2; 获得第一 得 de2; 取得成功 得 de2; 得出结论 得 de2; 得奖 得 de2; 得知消息 得 de2;
        心得体会 得 de2; 所得税 得 de2; 赢得比赛 得 de2; 得意洋洋 得 de2; 难得一见 得 de2; 他得了第一名 得 de2;
        不得超过 得 de2; 得病 得 de2; 我得到了 得 de2; 各得其所 得 de2; 贪得无厌 得 de2
    """,
    "得 as a must": """
        我得走了 得 dei3; 你得去看医生 得 dei3; 还得等三天 得 dei3; 都得交钱 得 dei3; 总得想办法 得 dei3;
        得看情况 得 dei3; 非得他来 得 dei3
    """,
    "重": """
        重装系统 重 chong2; 重新开始 重 chong2; 双重标准 重 chong2; 重名 重 chong2; 重要 重 zhong4;
        严重写错 重 zhong4; 体重 重 zhong4; 重量 重 zhong4; 负重前行 重 zhong4
    """,
    "还": """
        还款日 还 huan2; 归还图书 还 huan2; 还书 还 huan2; 提前还贷 还 huan2; 还有 还 hai2; 还没还清 还 hai2;
        还是 还 hai2
    """,
    "长": """
        全长五公里 长 chang2; 身长 长 chang2; 时长 长 chang2; 村长 长 zhang3; 家长会 长 zhang3; 增长 长 zhang3;
        县长 长 zhang3; 长江 长 chang2; 河长制 长 zhang3
    """,
    "行": """
        第一行 行 hang2; 三行字 行 hang2; 二十三行 行 hang2; 两行代码 行 hang2; 几行 行 hang2; 一行人 行 xing2;
        第五行 行 hang2; 五行八卦 行 xing2; 银行 行 hang2; 进行 行 xing2; 行不行 行 xing2; 换行 行 hang2;
        同行 行 hang2
    """,
    "弹 藏 数": """
        弹窗 弹 tan2; 子弹 弹 dan4; 弹幕 弹 dan4; 反弹 弹 tan2; 藏族 藏 zang4; 收藏 藏 cang2; 西藏 藏 zang4;
        数一数 数 shu3; 数据 数 shu4; 倒数第二 数 shu3; 数量 数 shu4
    """,
    "为": """
        为人民服务 为 wei4; 为客户提供服务 为 wei4; 为大家准备 为 wei4; 成为人民的好干部 为 wei2;
        作为国家 为 wei2; 认为我们 为 wei2; 因为 为 wei4; 分为三类 为 wei2; 为期三天 为 wei2
    """,
    "surnames and what looks like them": """
        曾女士 曾 zeng1; 曾经 曾 ceng2; 解先生 解 xie4; 解老师好 解 xie4; 解决 解 jie3; 单先生 单 shan4;
        单位 单 dan1; 仇总 仇 qiu2; 仇恨 仇 chou2; 区女士 区 ou1; 小区 区 qu1; 查先生 查 zha1; 检查主任 查 cha2;
        请查先生 查 zha1; 任经理 任 ren2; 责任 任 ren4; 他任局长 任 ren4; 翟女士 翟 zhai2; 朴小姐 朴 piao2;
        朴素 朴 pu3; 联系曾女士 曾 zeng1; 和解律师谈 解 xie4
    """,
    "places": """
        单县 单 shan4; 洪洞县 洞 tong2; 番禺区 番 pan1; 东莞 莞 guan3; 六安 六 lu4; 台州 台 tai1; 丽水 丽 li2;
        济南 济 ji3; 长垣 长 chang2; 乐清 乐 yue4; 朝阳区 朝 chao2; 朝阳 朝 zhao1; 厦门 厦 xia4; 大厦 厦 sha4;
        曲阜 曲 qu1; 闽侯 侯 hou4; 蚌埠 蚌 beng4; 荥阳 荥 xing2; 涡阳 涡 guo1; 亳州 亳 bo2
    """,
    "other words": """
        音调 调 diao4; 调查 调 diao4; 调整 调 tiao2; 空调 调 tiao2; 人参 参 shen1; 参加 参 can1; 率领 率 shuai4;
        效率 率 lv4; 会计 会 kuai4; 会议 会 hui4; 首都 都 du1; 都是 都 dou1; 着急 着 zhao2; 着装 着 zhuo2;
        看着 着 zhe5; 成分 分 fen4; 得分 分 fen1; 测量 量 liang2; 质量 量 liang4; 当作 当 dang4; 当时 当 dang1;
        中奖 中 zhong4; 中国 中 zhong1; 种树 种 zhong4; 种类 种 zhong3; 照相 相 xiang4; 相信 相 xiang1;
        处理 处 chu2; 处长 处 chu4; 应届 应 ying1; 应用 应 ying4; 爱好 好 hao4; 好人 好 hao3; 高兴 兴 xing4;
        兴奋 兴 xing1; 积累 累 lei3; 劳累 累 lei4; 角色 角 jue2; 角度 角 jiao3; 投降 降 xiang2; 降低 降 jiang4;
        空白 空 kong4; 空气 空 kong1; 间隔 间 jian4; 时间 间 jian1; 放假 假 jia4; 真假 假 jia3; 教书 教 jiao1;
        教育 教 jiao4; 尽快 尽 jin3; 尽力 尽 jin4; 看守 看 kan1; 看书 看 kan4; 更新 更 geng1; 更好 更 geng4;
        供词 供 gong4; 提供 供 gong1; 供给 给 ji3; 给你 给 gei3; 试卷 卷 juan4; 卷入 卷 juan3; 模样 模 mu2;
        模型 模 mo2; 灾难 难 nan4; 困难 难 nan2; 宁可 宁 ning4; 南宁 宁 ning2; 店铺 铺 pu4; 铺路 铺 pu1;
        切割 切 qie1; 一切 切 qie4; 散文 散 san3; 散步 散 san4; 少年 少 shao4; 多少 少 shao3; 宿舍 舍 she4;
        舍得 舍 she3; 挑战 挑 tiao3; 挑选 挑 tiao1; 呕吐 吐 tu4; 系鞋带 系 ji4; 关系 系 xi4; 一只猫 只 zhi1;
        只有 只 zhi2; 曾国藩 曾 zeng1; 的确 的 di2; 了解 了 liao2; 转圈 转 zhuan4; 转账 转 zhuan3
    """,
}


@pytest.mark.parametrize("name", CASES)
def test_a_character_is_read_by_its_neighbours(name: str) -> None:
    for case in CASES[name].replace("\n", " ").split(";"):
        text, character, reading = case.split()
        assert pinyin(text)[text.index(character)] == reading, text


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("去一趟", "qu4 yi2 tang4"),
        ("一天", "yi4 tian1"),
        ("第一行", "di4 yi1 hang2"),
        ("一九九七年", "yi1 jiu3 jiu3 qi1 nian2"),
        ("十月一日", "shi2 yue4 yi1 ri4"),
        ("一百", "yi4 bai3"),
        ("不去", "bu2 qu4"),
        ("不想", "bu4 xiang3"),
    ],
)
def test_yi_and_bu_change_their_tone_before_the_next_word(text: str, reading: str) -> None:
    assert " ".join(pinyin(text)) == reading


def test_every_character_has_one_reading_or_is_itself() -> None:
    text = "高兴地说得去一趟为客户提供曾女士不得不\ue000一行"
    assert len(pinyin(text)) == len(text)
    assert pinyin("\ue000") == ["\ue000"]


def test_pypinyin_itself_is_left_as_it_was() -> None:
    from pypinyin import lazy_pinyin

    pinyin("全长")
    assert lazy_pinyin("全长") == ["quan", "zhang"]
