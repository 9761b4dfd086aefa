//! Texts of the pages of webhooks.

super::texts! {
    webhook: "Webhook", "Webhook";
    webhooks: "Webhooks", "Webhook";
    webhooks_hint: "Tell other systems when sessions start, end or are corrected, or relay the provider's callbacks to them.",
        "在会话开始、结束或更正时通知其他系统，或将平台的回调转发给它们。";
    webhooks_none: "None yet.", "尚无。";
    webhooks_new: "New webhook", "新建 Webhook";
    webhooks_create: "Create webhook", "创建 Webhook";
    webhooks_kind: "Sends", "发送内容";
    webhooks_events: "events", "事件";
    webhooks_relay: "callbacks (relay)", "回调（转发）";
    webhooks_url: "URL", "URL";
    webhooks_url_invalid: "Enter an https URL with a public address, without user name and fragment.",
        "请输入公网地址的 https URL，不含用户名和片段。";
    webhooks_domains: "Limit to domains (optional)", "仅限域名（可选）";
    webhooks_kind_invalid: "A relay needs the domains whose callbacks it sends, and has no further choices.",
        "转发需要指定域名，且没有其他选项。";
    webhooks_relay_hint: "Relay the provider's callbacks of these domains, byte for byte", "逐字节转发这些域名的平台回调";
    webhooks_personal_hint: "Send addresses and user_args, too", "同时发送地址和 user_args";
    webhooks_state: "State", "状态";
    webhooks_enabled: "enabled", "已启用";
    webhooks_disabled: "disabled", "已停用";
    webhooks_disabled_failing: "disabled: the receiver failed for days", "已停用：接收方连续数天失败";
    webhooks_disabled_gone: "disabled: the receiver answered 410 Gone", "已停用：接收方返回 410 Gone";
    webhooks_failing: "failing", "失败中";
    webhooks_first_failure: "first failure {{}}", "首次失败：{{}}";
    webhooks_last_success: "Last success", "上次成功";
    webhooks_last_error: "Last error", "上次错误";
    webhooks_last_attempt: "Last attempt", "上次尝试";
    webhooks_attempts: "Attempts", "尝试次数";
    webhooks_event: "Event", "事件";
    webhooks_delivered: "delivered", "已送达";
    webhooks_waiting: "waiting for another attempt", "等待重试";
    webhooks_dead: "given up", "已放弃";
    webhooks_deliveries: "Deliveries", "投递记录";
    webhooks_no_deliveries: "Nothing was sent yet.", "尚未发送任何内容。";
    webhooks_secret: "Secret", "密钥";
    webhooks_test: "Send test event", "发送测试事件";
    webhooks_test_accepted(status: u16, milliseconds: u128): "The receiver accepted the test event: {status}, after {milliseconds} ms.",
        "接收方已接受测试事件：{status}，用时 {milliseconds} 毫秒。";
    webhooks_test_rejected(status: u16): "The receiver rejected the test event: {status}.", "接收方拒绝了测试事件：{status}。";
    webhooks_oldest_unsent: "Oldest event not sent", "最早未发送的事件";
    webhooks_send_again: "Send again", "重新发送";
    webhooks_replay_failed: "Send failed events again", "重新发送失败的事件";
    webhooks_replayed(events: usize): "Events that are sent again: {events}.", "将重新发送的事件：{events}。";
    webhooks_enable: "Enable", "启用";
    webhooks_disable: "Disable", "停用";
    webhooks_replace_secret: "Replace secret", "更换密钥";
    webhooks_replace_secret_hint: "For 24 hours, both secrets sign each event.", "24 小时内，两个密钥都会对每个事件签名。";
    webhooks_remove: "Remove webhook", "删除 Webhook";
    webhooks_remove_confirm: "What was not sent is never sent", "未发送的内容将永远不再发送";
}
