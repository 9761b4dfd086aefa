//! Texts of the page of a stream.

super::texts! {
    stream_live_since: "since {{}}, for {{}}", "自 {{}} 起，已持续 {{}}";
    stream_live_sessions(count: i64): "{count} sessions are live", "{count} 个会话直播中";
    stream_ended: "{{}} after {{}}", "{{}}，时长 {{}}";
    stream_rendition(template: &str): "rendition {template}", "转码流 {template}";

    stream_range_day: "24 hours", "24 小时";
    stream_range_week: "7 days", "7 天";
    stream_range_month: "30 days", "30 天";
    stream_day: "Day", "日期";
    stream_show_day: "Show day", "显示当天";
    stream_periods: "Period", "时间范围";
    stream_timeline(count: &str): "Timeline: {count} sessions. They are listed below.", "时间线：{count} 个会话，列表见下方。";
    stream_no_sessions: "No sessions in this period.", "此时间段没有会话。";
    stream_newest_sessions(count: &str): "The timeline shows the newest {count} sessions.", "时间线显示最近 {count} 个会话。";
    stream_legend_estimated: "end estimated", "结束时间为估算";
    stream_legend_flagged: "flagged", "有标记";
    stream_bar_live(start: &str, length: &str): "Live since {start}, {length}", "自 {start} 起直播，已持续 {length}";
    stream_bar_sessions(count: &str): "{count} sessions", "{count} 个会话";
    stream_back_after(gap: &str): "back after {gap}", "中断 {gap} 后恢复";
    stream_after_gap(gap: &str): "{gap} after the previous session", "距上一会话 {gap}";

    stream_broadcasts: "Broadcasts", "场次";
    stream_all_sessions: "All sessions", "全部会话";
    stream_on(day: &str): "on {day}", "{day}";
    stream_broadcasts_hint(seconds: u32): "Sessions with at most {seconds} s between them are one broadcast. Open one to see its sessions.",
        "间隔不超过 {seconds} 秒的会话合为一个场次。展开可查看其会话。";
    stream_no_broadcasts: "No broadcasts in this period.", "此时间段没有场次。";
    stream_since(start: &str): "since {start}", "自 {start} 起";
    stream_on_air: "{{}} on air", "播出 {{}}";
    stream_no_interruption: "no interruption", "无中断";
    stream_one_interruption(gap: &str): "1 interruption of {gap}", "中断 1 次，{gap}";
    stream_interruptions(count: &str, gap: &str): "{count} interruptions, the longest {gap}", "中断 {count} 次，最长 {gap}";
    stream_more_sessions(count: &str): "{count} more sessions: see all sessions.", "还有 {count} 个会话，见全部会话。";
    stream_earlier: "Earlier", "更早";
    stream_totals(period: &str, sessions: &str): "{period}, {sessions} sessions", "{period}，{sessions} 个会话";
}
