//! Texts of operators' forms: the end time of a session, that it is still live, and the release of callbacks.

super::texts! {
    operator_end_of: "End time of the session of {{}}", "{{}} 的会话的结束时间";
    operator_started: "Started {{}}", "{{}} 开始";
    operator_current_end: "Current end: {{}} ({{}})", "当前结束时间：{{}}（{{}}）";
    operator_current_live: "No end is known.", "结束时间未知。";
    operator_ended_at(zone: &str): "End time ({zone})", "结束时间（{zone}）";
    operator_reason: "Reason, stored in the log", "原因，将保存在日志中";
    operator_reason_optional: "Reason, stored in the log (optional)", "原因，将保存在日志中（可选）";
    operator_end_hint: "This end time overrides all others, even an end callback that arrives later. New reports use it; sealed reports do not change.",
        "此结束时间优先于其他任何结束时间，包括之后到达的结束回调。新报表使用此时间；封存报表不变。";
    operator_continue: "Continue", "继续";
    operator_change: "Change", "修改";
    operator_check: "Check the end time", "请核对结束时间";
    operator_result(end: &str, zone: &str, utc: &str, length: &str): "Ends {end} {zone} ({utc} UTC), lasts {length}.",
        "{end} {zone} 结束（UTC {utc}），时长 {length}。";
    operator_result_utc(end: &str, length: &str): "Ends {end} UTC, lasts {length}.", "UTC {end} 结束，时长 {length}。";
    operator_result_billed: "The session may be billed by this length.", "此会话可能按此时长计费。";
    operator_clear_end: "Clear end time", "清除设定的结束时间";
    operator_clear_hint: "The reported or estimated end counts again; without one, the session is live again.",
        "平台通知的或估算的结束时间重新生效；如果没有，会话恢复为直播中。";
    operator_clear_confirmed: "The end time set by an operator no longer counts.", "操作员设定的结束时间不再生效。";
    operator_back_to_session: "Back to the session", "返回会话";

    operator_confirm_of: "Is the session of {{}} still live?", "{{}} 的会话仍在直播吗？";
    still_live: "Still live", "仍在直播";
    operator_confirm_hint: "The time until the session counts as unconfirmed, or ends without an end callback, begins anew. If it has timed out, it is live again.",
        "会话变为待确认或因未收到结束回调而结束的时间将重新计算。如果会话已超时，则恢复为直播中。";
    operator_confirm_ended: "The session has ended, and not because it timed out: it cannot be confirmed.",
        "会话已结束，且不是因为超时：无法确认。";

    operator_release_title: "Release a quarantined callback", "放行隔离的回调";
    operator_release_confirmed: "The callback is genuine and may be billed.", "此回调是真实的，可用于计费。";
    operator_release_all_title: "Release quarantined callbacks", "批量放行隔离的回调";
    operator_release_all_confirmed: "The callbacks are genuine and may be billed.", "这些回调是真实的，可用于计费。";
    operator_release_period: "from {{}} to {{}}", "{{}} 至 {{}}";
    operator_release_most(most: &str): "At most {most} are released at a time, the oldest first. The others stay on the page of problems.",
        "一次最多放行 {most} 个，最早的在前。其余的仍列在问题页面。";
    operator_release_none: "None of them waits to be released.", "没有待放行的回调。";
    operator_callbacks: "Callbacks", "回调数";
    operator_callback: "Callback", "回调";
    operator_quarantined: "Quarantined", "已隔离";
    operator_released_before: "Already released {{}}.", "已于 {{}} 放行。";
    operator_back_to_problems: "Back to problems", "返回问题";

    operator_no_time: "Enter a date and a time.", "请输入日期和时间。";
    operator_skipped_time(zone: &str): "This time does not exist in {zone}: the clocks were set forward.",
        "{zone} 不存在此时间：时钟在此时拨快。";
    operator_repeated_time(zone: &str): "This time occurs twice in {zone}, because the clocks were set back. Choose the time zone UTC to set it.",
        "{zone} 的时钟拨慢，此时间出现两次。请选择 UTC 时区后再设定。";
    operator_before_start(start: &str): "The end must not be before the start, {start}.", "结束时间不得早于开始时间 {start}。";
    operator_in_future: "The end must not be in the future.", "结束时间不得晚于现在。";
    operator_no_reason: "Enter a reason.", "请输入原因。";
    operator_bad_reason: "At most 500 characters, without line breaks and control characters.", "最多 500 个字符，不含换行和控制字符。";
    operator_not_confirmed: "Check the box. Nothing was changed.", "请勾选。未作任何更改。";
}
