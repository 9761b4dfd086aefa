//! Texts of the page of a domain's lists at the provider.

super::texts! {
    lists_button: "Provider's lists", "平台列表";
    lists_of: "Provider's lists of {{}}", "{{}} 的平台列表";
    lists_title(domain: &str): "Provider's lists of {domain}", "{domain} 的平台列表";
    lists_shown: "Lists", "列表";
    lists_differences: "Differences", "差异";
    lists_readings: "Readings", "读取记录";
    lists_older: "Older", "更早";
    lists_complete: "Last complete list", "最近一次完整列表";
    lists_last: "Last reading", "最近一次读取";
    lists_never_read: "None yet. A process with the role reconciler reads the lists.", "尚未读取。列表由具有 reconciler 角色的进程读取。";
    lists_mass_absence:
        "Many sessions disappeared from the provider's list at once. No session ends because of the list for at least 15 minutes.",
        "大量会话同时从平台在线列表中消失。至少 15 分钟内不会据此结束任何会话。";
    lists_mass_absence_flag: "many disappeared", "大量消失";

    lists_hint_off: "The lists of this domain are not read.", "未读取该域名的列表。";
    lists_hint_observe:
        "Where the provider's lists and its callbacks disagree, kept for eight days. Sessions and bills are not changed.",
        "平台列表与回调不一致之处，保留八天。不会更改会话和账单。";
    lists_hint_repair:
        "Where the provider's lists and its callbacks disagree, kept for eight days. Repaired: the correction is in the event log, and sessions and bills include it.",
        "平台列表与回调不一致之处，保留八天。“已修复”表示更正已写入事件日志，会话和账单均已计入。";
    lists_no_difference: "No differences.", "没有差异。";
    lists_kind: "Difference", "差异";
    lists_provider_end: "End by the provider", "平台显示的结束时间";
    lists_last_seen: "Last seen", "最近发现";
    lists_repaired: "Repaired", "已修复";
    lists_is_repaired: "yes", "是";
    lists_is_not_repaired: "no", "否";
    lists_session: "Session", "会话";
    difference_unlisted: "live here, no longer listed: the end callback was lost", "此处直播中，列表中已没有：结束回调已丢失";
    difference_listed: "ended here (estimated), but still listed: it is live", "此处已结束（估算），但仍在列表中：仍在直播";
    difference_history: "end estimated here, known to the history", "此处为估算的结束时间，推流历史中有记录";
    difference_unknown_push: "listed, but no callback was received", "在列表中，但未收到回调";
    difference_missed_push: "in the history, but no callback was received", "推流历史中有记录，但未收到回调";
    difference_end_differs: "the history's end differs from the callback's by more than a minute", "推流历史与回调的结束时间相差超过一分钟";

    lists_readings_hint:
        "The list of live streams is read every minute. Only a complete list shows that a stream is not on air.",
        "每分钟读取一次直播流列表。只有完整的列表才能说明某个流未在直播。";
    lists_no_reading: "No readings.", "没有读取记录。";
    lists_result: "Result", "结果";
    lists_streams: "Streams", "流";
    lists_sessions: "Known sessions", "已知会话";
    lists_pages: "Pages", "页数";
    lists_error: "Error code", "错误码";
    lists_milliseconds(milliseconds: &str): "{milliseconds} ms", "{milliseconds} 毫秒";
    reading_complete: "complete", "完整";
    reading_torn: "changed while it was read", "读取过程中发生变化";
    reading_throttled: "too many requests", "请求过多";
    reading_refused: "rejected: the access key is unknown, locked or lacks the permission, or the account is in arrears",
        "被拒绝：访问密钥未知、被锁定或缺少权限，或账号欠费";
    reading_not_found: "the provider knows no such project or domain", "平台上没有该项目或域名";
    reading_failed: "no usable answer", "没有可用的应答";
    reading_resting: "not read: requests with the account are paused after rejections or throttling", "未读取：请求被拒绝或限流后，该账号的请求已暂停";
}
