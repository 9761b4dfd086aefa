//! Texts of the page Live and of the wall display.

super::texts! {
    live_title(count: &str): "{count} live", "直播中 {count} 个会话";
    live_kiosk: "Wall display", "大屏模式";
    live_sessions: "live sessions", "直播中的会话";
    live_of_streams: "of {{}} streams", "（{{}} 个流）";
    live_last_day(peak: &str): "Live sessions in the last 24 hours, peak {peak}", "最近 24 小时的并发会话数，峰值 {peak}";

    live_listed_only_one: "The provider lists 1 more stream, for which no callback was received.", "平台列表中另有 1 个流未收到回调。";
    live_listed_only(count: &str): "The provider lists {count} more streams, for which no callback was received.", "平台列表中另有 {count} 个流未收到回调。";
    live_lists: "Lists", "列表";
    live_tab_live: "Live", "直播中";
    live_tab_ended: "Ended", "已结束";
    live_list: "Live sessions", "直播中的会话";
    live_list_pages: "Pages of the list", "列表分页";
    live_ended_hint:
        "Sessions that ended in the last 24 hours, latest first. Find shows older sessions of a stream.",
        "最近 24 小时内结束的会话，最近结束的在前。更早的会话可通过“查找”查看。";
    live_all_hint:
        "Sessions that started in the last 7 days, newest first. Find shows older sessions of a stream.",
        "最近 7 天内开始的会话，最新的在前。更早的会话可通过“查找”查看。";

    live_all_apps: "All apps", "全部应用";
    live_name_contains: "Name contains", "名称包含";
    live_filter: "Filter", "筛选";
    live_remove_filter(value: &str): "Remove the filter {value}", "移除筛选条件 {value}";
    live_clear_filters: "Clear filters", "清除筛选";

    live_needs_attention: "Needs attention", "需要关注";
    live_all_unconfirmed(count: &str): "All {count} unconfirmed sessions", "查看全部 {count} 个待确认会话";

    live_none: "No stream is live.", "当前没有直播。";
    live_none_matches: "No live stream matches the filter.", "没有符合筛选条件的直播。";
    live_none_hint:
        "A stream appears within a second of its start callback. No domain yet? {{}}",
        "收到开始回调后，流会在一秒内显示。还没有域名？{{}}";
    live_none_ended: "No matching session ended in the last 24 hours.", "最近 24 小时内没有符合条件的会话结束。";
    live_none_started: "No matching session started in the last 7 days.", "最近 7 天内没有符合条件的会话开始。";

    live_rejected: "rejected in 5 min", "5 分钟内被拒绝";
    live_more(count: &str): "+ {count} more", "另有 {count} 个";
    live_full_screen: "Full screen", "全屏";
}
