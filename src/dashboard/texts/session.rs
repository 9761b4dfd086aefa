//! Texts of the page of a session, and of a push that has only quarantined callbacks.

super::texts! {
    session_of: "Session of {{}}", "{{}} 的会话";
    session_title(stream: &str): "Session of {stream}", "{stream} 的会话";
    session_live: "Live since {{}}, for {{}}.", "自 {{}} 起直播，已持续 {{}}。";
    session_ended: "Ended {{}} after {{}}.", "{{}} 结束，时长 {{}}。";
    session_why_callback: "The provider reported the end.", "平台通知了结束。";
    session_why_operator: "An operator set this end time.", "结束时间由操作员设定。";
    session_why_superseded:
        "No end callback arrived, and the next push of the stream took over: this end time is estimated.",
        "未收到结束回调，且该流的下一次推流已开始：此结束时间为估算。";
    session_why_timed_out: "No end callback arrived for too long: this end time is estimated.",
        "长时间未收到结束回调：此结束时间为估算。";
    session_why_unlisted:
        "No end callback arrived, and the provider no longer lists the push: this end time is when it was last listed.",
        "未收到结束回调，且平台的在线列表中已没有该推流：此结束时间为最后一次列出的时间。";
    session_why_history: "No end callback arrived; this is the end by the provider's history.",
        "未收到结束回调；此为平台推流历史中的结束时间。";
    session_not_back: "No push of the stream since.", "此后该流没有再推流。";
    session_back: "The stream was back after {{}}: an interruption rather than a stop.",
        "该流在 {{}} 后恢复推流：更像是中断，而不是停止直播。";
    session_back_same_address: "The stream was back after {{}} from the same address: an interruption rather than a stop.",
        "该流在 {{}} 后从同一地址恢复推流：更像是中断，而不是停止直播。";
    session_back_other_address: "The stream was back after {{}} from another address: the encoder or its network changed.",
        "该流在 {{}} 后从另一地址恢复推流：推流端或其网络已更换。";
    session_next_later: "The next push began {{}} later.", "下一次推流在 {{}} 后开始。";
    session_next_before: "The next push began {{}} before this end.", "下一次推流在此结束时间之前 {{}} 开始。";
    session_previous: "Previous session", "上一会话";
    session_next: "Next session", "下一会话";
    session_gap(gap: &str): "gap {gap}", "间隔 {gap}";
    session_overlap(length: &str): "overlap {length}", "重叠 {length}";
    session_is_live: "still live", "仍在直播";
    session_neighbors: "Neighboring sessions", "相邻会话";

    session_facts: "Facts", "详情";
    session_started_source: "by the provider: {{}}", "由平台提供：{{}}";
    session_start_received: "Start callback received", "收到开始回调";
    session_end_received: "End callback received", "收到结束回调";
    session_confirmed: "Confirmed as live", "确认仍在直播";
    session_last_listed: "Last in the provider's list", "最后出现在平台在线列表";
    session_provider_end: "End by the provider's history", "平台推流历史中的结束时间";
    session_times(count: i32): "{count} times", "{count} 次";

    session_log: "Log", "日志";
    session_log_newest(count: u16): "The newest {count} events, oldest first; the API lists all.",
        "最近 {count} 个事件，从旧到新排列；全部事件见 API。";
    session_effect: "Effect", "效果";
    session_from: "From", "来源";
    session_event_start: "Start callback", "开始回调";
    session_event_end: "End callback", "结束回调";
    session_event_superseded: "Next push took over; end estimated at {{}}", "被下一次推流取代，估算结束时间 {{}}";
    session_event_timed_out: "Timed out; end estimated at {{}}", "超时，估算结束时间 {{}}";
    session_event_operator_end: "End time set to {{}}", "结束时间设为 {{}}";
    session_event_withdrawn: "End time cleared", "已清除设定的结束时间";
    session_event_confirmed: "Confirmed as live", "确认仍在直播";
    session_event_listed: "On air by the provider's list", "平台的在线列表显示仍在直播";
    session_event_unlisted: "No longer in the provider's list; end estimated at {{}}", "平台的在线列表中已没有，估算结束时间 {{}}";
    session_event_history: "Ended at {{}} by the provider's history", "平台推流历史显示结束于 {{}}";
    session_event_replaced: "No longer counts: the push belongs to another session", "不再计入：此次推流属于另一会话";
    session_event_released: "Quarantined callback released", "已放行隔离的回调";
    session_event_other: "Undocumented callback", "文档未说明的回调";
    session_accepted: "accepted", "已接受";
    session_accepted_signed: "accepted, signature verified", "已接受，签名已验证";
    session_accepted_unsigned: "accepted, unsigned", "已接受，无签名";
    session_released: "released", "已放行";
    session_released_at: "Released {{}}.", "已于 {{}} 放行。";
    session_shared_signature: "Another push used the same signature before.", "另一次推流之前使用过相同的签名。";
    session_altered(members: &str): "Not stored exactly as sent: {members}.", "未按原样保存：{members}。";

    session_push_of: "Quarantined push of {{}}", "{{}} 的推流（已隔离）";
    session_no_effect: "No session: every callback of this push was quarantined, and none has an effect.",
        "没有会话：此次推流的所有回调均被隔离，未生效。";
}
