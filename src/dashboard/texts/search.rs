//! Texts of the page that finds streams.

super::texts! {
    search_label: "Names or parts of them, push URL, play URL, or ID", "名称或其中一部分、推流地址、播放地址或 ID";
    search_label_personal: "Names or parts of them, push URL, play URL, ID, or IP address",
        "名称或其中一部分、推流地址、播放地址、ID 或 IP 地址";
    search_hint: "Upper and lower case are the same. Words in any order: each may be a part of the domain, the app or the stream name.",
        "不区分大小写。可按任意顺序输入多个词：每个词可以是域名、应用或流名称的一部分。";
    search_count_one: "1 stream matches.", "1 个流匹配。";
    search_count(count: &str): "{count} streams match.", "{count} 个流匹配。";
    search_count_shown(count: &str, shown: &str): "{count} streams match; the first {shown} are shown.",
        "{count} 个流匹配，显示前 {shown} 个。";
    search_show_more: "Show more", "显示更多";
    search_narrow: "Add a word to narrow the search.", "请再输入一个词以缩小范围。";
    search_nothing(text: &str): "No stream matches “{text}”.", "没有流匹配“{text}”。";
    search_no_addresses: "Your token does not see IP addresses: it lacks the scope personal.",
        "您的令牌看不到 IP 地址：缺少权限 personal。";
    search_last_start: "Last start", "最近开始";
    search_last_end: "Last end", "最近结束";
    search_last_length: "Length of the last session", "最近会话时长";
    search_length: "length", "时长";
    search_at_address: "Sessions with this address", "使用此地址的会话";
    search_newest(count: u16): "The newest {count}.", "最近 {count} 个。";
    search_without_effect: "Rejected or quarantined", "被拒绝或已隔离";
    search_without_effect_hint: "These callbacks named a matching stream, but have no effect.",
        "这些回调提到了匹配的流，但未生效。";
    search_happened: "What happened", "情况";
    search_last_seen: "Last received", "最近收到";
    search_mend: "What to do", "处理";
    search_rejected: "rejected", "被拒绝";
    search_open_callback: "Open the callback", "查看回调";
    search_open_problems: "Cause and fix", "原因与处理方法";
    search_open_domain: "Keys of the domain", "域名的密钥";
}
