//! Texts of the page of problems.

super::texts! {
    problems_none: "No problems. Callbacks arrive and are processed.", "没有问题。回调正常到达并处理。";
    problems_badge: "Problems: each domain and cause counts as one", "问题数：每个域名的每种原因计为一个";
    problems_check_callback: "Check a callback", "检查回调";
    problems_more: "More", "更多";
    problems_set_up_by_admin: "An administrator can repair this under Setup.", "管理员可在“设置”中修复。";

    problems_all_parts_work(parts: &str): "All parts work: {parts}", "所有组件正常：{parts}";
    problems_part_fails(part: &str): "Part fails: {part}", "组件异常：{part}";
    problems_part_fails_hint: "Callbacks may be late or missing on these pages until it works again. The service's log says more.",
        "恢复之前，页面上的回调可能延迟或缺失。详情见服务日志。";
    problems_part_database: "database", "数据库";
    problems_part_clock: "clock", "时钟";
    problems_part_folding: "folding", "事件处理";
    problems_part_spool: "spool", "缓冲队列";
    problems_part_certificate: "certificate", "证书";
    problems_lag: "Lag", "处理延迟";
    problems_lag_none: "none", "无";
    problems_lag_of(entries: i64, waited: &str): "{entries} events not folded yet; the oldest has waited {waited}",
        "{entries} 个事件尚未处理；最早的已等待 {waited}";
    problems_certificate_far: "valid until {{}}", "有效期至 {{}}";
    problems_certificate_near_title: "The certificate expires soon", "证书即将过期";
    problems_certificate_near: "It expires at {{}}. Renew it before then: an expired certificate stops all callbacks.",
        "将于 {{}} 过期。请更新证书，否则过期后将收不到回调。";
    problems_certificate_past_title: "The certificate has expired", "证书已过期";
    problems_certificate_past: "It expired at {{}}: callbacks no longer arrive. Renew it.",
        "已于 {{}} 过期：已收不到回调。请更新证书。";

    problems_rejected: "Rejected callbacks", "被拒绝的回调";
    problems_rejected_hint: "Callbacks of registered domains in the last 24 hours that were not authenticated or not readable.",
        "最近 24 小时内，已注册域名的未通过验证或无法读取的回调。";
    problems_rejected_more(shown: u16): "Only {shown} groups are shown; the API lists all.", "仅显示 {shown} 组；完整列表见 API。";
    problems_count_of_callbacks(count: &str): "{count} callbacks", "{count} 个回调";
    problems_one_callback: "1 callback", "1 个回调";
    problems_in_last_hour(count: &str): "{count} in the last hour", "最近一小时 {count} 个";
    problems_none_in_last_hour: "none in the last hour", "最近一小时没有";
    problems_rising: "rising", "上升";
    problems_falling: "falling", "下降";
    problems_chart(count: &str): "Callbacks in each of the last 24 hours; {count} in the last hour",
        "最近 24 小时每小时的回调数；最近一小时 {count} 个";
    problems_first_and_last: "first {{}}, last {{}}", "首次 {{}}，最近 {{}}";
    problems_example: "Example, not authenticated: {{}}", "示例（未通过验证）：{{}}";
    problems_example_app: "app", "应用";
    problems_example_stream: "stream", "流";
    problems_add_key: "Add a key", "添加密钥";
    problems_change_apps: "Change the accepted apps", "修改接受的应用";
    problems_secret_path: "Set the secret path", "设置私密路径";
    problems_compare_url: "Compare the callback URL", "核对回调地址";
    problems_register(domain: &str): "Register {domain}", "注册 {domain}";
    problems_strangers: "Not of a registered domain", "不属于已注册的域名";
    problems_strangers_hint: "Anyone can send these: they may be a misspelled domain, a wrong path at the provider, or strangers. The domain is what the callback claims.",
        "任何人都可以发送：可能是域名拼写错误、平台上的路径错误，也可能是陌生人。域名由回调自称，未经验证。";
    problems_claimed_domain: "Claimed domain", "声称的域名";
    problems_example_title: "Example, not authenticated", "示例（未通过验证）";
    problems_strangers_more(count: usize): "And {count} more; the API lists all.", "另有 {count} 个；完整列表见 API。";
    problems_last: "Last", "最近";

    problems_retry: "Rejected callbacks that would be accepted now", "现在可以接受的被拒绝回调";
    problems_retry_hint: "They were rejected when they arrived and are kept. With today's keys and settings they can be admitted.",
        "这些回调到达时被拒绝并保留。按现在的密钥和设置可以接收。";
    problems_retry_rejected_for: "Rejected for", "拒绝原因";
    problems_retry_admit: "Admit", "接收";
    problems_retry_title: "Retry rejected callbacks", "重试被拒绝的回调";
    problems_retry_would_be: "A retry now", "现在重试的结果";
    problems_retry_done: "Result", "结果";
    problems_retry_accepted(callbacks: &str): "{callbacks} accepted", "接受 {callbacks}";
    problems_retry_quarantined(callbacks: &str, reason: &str): "{callbacks} quarantined: {reason}", "隔离 {callbacks}：{reason}";
    problems_retry_still_rejected(callbacks: &str, reason: &str): "{callbacks} still rejected: {reason}", "仍拒绝 {callbacks}：{reason}";
    problems_retry_unusable(callbacks: &str): "{callbacks} cannot be stored", "无法存储 {callbacks}";
    problems_retry_counts: "They count as if they had been accepted when they arrived. Durations and new reports change; existing reports do not. A callback whose signature was used before is quarantined.",
        "将视为到达时已被接受：时长和新的报表会变化，已有报表不变。签名已被使用过的回调会被隔离。";
    problems_retry_confirmed: "Admit these callbacks", "接收这些回调";

    problems_quarantined: "Quarantined callbacks", "已隔离的回调";
    problems_quarantined_hint: "Authenticated but suspicious: they have no effect until an administrator releases them.",
        "已通过验证但可疑：在管理员放行之前不起作用。";
    problems_quarantined_most(most: u16): "Only the newest {most} are grouped.", "仅统计最新的 {most} 个。";
    problems_release_these(count: &str): "Release these {count}", "放行这 {count} 个";
    problems_examples_of(count: &str): "The newest {count}", "最新的 {count} 个";

    problems_unconfirmed_hint(limit: &str): "Live for longer than {limit}: the end callback may be lost. Oldest first.",
        "直播超过 {limit}：结束回调可能已丢失。最早的在前。";
    problems_unconfirmed_more(shown: u16): "The oldest {shown}; the API lists all.", "仅显示最早的 {shown} 个；完整列表见 API。";

    problems_webhooks: "Failing webhooks", "失败的 Webhook";
    problems_webhooks_hint: "Events wait until the receiver accepts them. A webhook whose receiver fails for 5 days is disabled; enabled again, it resumes where it was.",
        "事件会一直等待，直到接收方接受。接收方连续失败 5 天后，Webhook 会被停用；重新启用后从中断处继续。";
    problems_lists: "The provider's lists", "平台列表";
    problems_lists_unread: "The list cannot be read completely", "无法完整读取列表";
    problems_lists_unread_hint(minutes: i64): "The list has not been read completely for more than {minutes} minutes. Until it is, lost callbacks of this domain are not found, and no session ends because of the list.",
        "已超过 {minutes} 分钟未能完整读取。恢复之前，无法发现该域名丢失的回调，也不会据此结束任何会话。";
    problems_lists_settings: "Settings of the domain", "域名设置";
    problems_mass_absence: "Many sessions disappeared from the list", "大量会话从列表中消失";
    problems_mass_absence_hint: "If the streams are on air, check at the provider what its list says, and which project the account has.",
        "如果这些流仍在直播，请在平台上查看在线列表，并核对账号所属的项目。";
    problems_differences: "Differences from the provider's lists", "与平台列表的差异";
    problems_differences_hint(hours: i64): "Where the provider's lists and its callbacks disagreed in the last {hours} hours, without what is repaired. Check this before you close a month.",
        "最近 {hours} 小时内平台列表与回调不一致、且尚未修复之处。请在月结之前查看。";
    problems_silent: "Silent domains", "长时间无推流的域名";
    problems_silent_hint(days: i64, fewest: i64): "No new push for longer than at any time in the previous {days} days. Domains with fewer than {fewest} pushes in that time are not listed. If encoders are pushing, check the callback URL at the provider.",
        "距上次推流的时间已超过此前 {days} 天内的最长间隔。此期间推流少于 {fewest} 次的域名不列出。如果编码器正在推流，请检查平台上的回调地址。";
    problems_silent_for: "Silent for", "无推流时长";
    problems_last_push: "Last push started", "最近一次推流";
    problems_longest_gap(days: i64): "Longest gap in {days} days", "{days} 天内的最长间隔";
    problems_never_heard: "No accepted callback yet", "尚未收到有效回调";
    problems_never_heard_hint: "No callback of these domains was ever accepted or quarantined. Set the callback URL and the key at the provider.",
        "这些域名从未有回调被接受或隔离。请在平台上设置回调地址和密钥。";
    problems_registered: "Registered", "注册时间";
    problems_connect: "Connect", "接入";
}
