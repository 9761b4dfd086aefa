//! Texts of the setup pages.

super::texts! {
    setup_domains: "Ingest domains", "推流域名";
    setup_no_domain: "None yet: no callbacks are accepted.", "尚无域名：不接受任何回调。";
    setup_no_domain_hint: "Add the ingest domain below. The next page shows the callback URL and the key to set at the provider.",
        "请在下方添加推流域名。下一页会显示需要在平台上设置的回调地址和密钥。";
    setup_new_domain: "Ingest domain", "推流域名";
    setup_new_domain_hint: "Exactly as the provider sends it: case and dots count. A key is created with it.",
        "与平台发送的名称完全一致，区分大小写和点。添加时会同时创建密钥。";
    setup_add_domain: "Add domain", "添加域名";
    setup_domain_invalid: "Enter 1 to 255 characters, without spaces, slashes or control characters.",
        "请输入 1 至 255 个字符，不含空格、斜杠和控制字符。";
    setup_authentication: "Authentication", "验证方式";
    setup_apps: "Apps", "应用";
    setup_changed: "Changed", "修改时间";
    setup_all: "all", "全部";
    setup_unsigned: "secret path, unsigned", "私密路径，无签名";
    setup_no_path_yet: "no secret path yet", "尚无私密路径";
    setup_no_key_yet: "no key yet", "尚无密钥";
    setup_one_key: "1 key", "1 个密钥";
    setup_count_of_keys(count: usize): "{count} keys", "{count} 个密钥";

    setup_connect(domain: &str): "Connect {domain}", "接入 {domain}";
    setup_connect_steps: "Callback URL, key and test", "回调地址、密钥和测试";
    setup_step_provider: "Set the callback URL and the key at the provider", "在平台上设置回调地址和密钥";
    setup_step_provider_hint: "In the provider's console, open the stream status notifications of this ingest domain and enter both.",
        "在平台控制台中打开该推流域名的推流状态通知设置，填入以下两项。";
    setup_step_test: "Send a test callback", "发送测试回调";
    setup_step_wait: "Wait for the first callback of the provider", "等待平台的第一个回调";
    setup_callback_url: "Callback URL", "回调地址";
    setup_key: "Key", "密钥";
    setup_url_unreachable: "The provider cannot reach this address: it is local or private. Open this page by the public name of the service.",
        "平台无法访问此地址：这是本机或内网地址。请通过服务的公网域名打开此页面。";
    setup_url_unencrypted: "Plain HTTP: others on the network can read and copy callbacks. Use HTTPS.",
        "未加密的 HTTP：途中任何人都可以读取和复制回调。请使用 HTTPS。";
    setup_secret_once: "Copy it now: this page shows it for ten minutes, and no page shows it later.",
        "请立即复制：此页面仅显示十分钟，之后任何页面都不再显示。";
    setup_url_hidden: "The URL with the secret path was shown when it was created.", "带私密路径的地址仅在创建时显示。";
    setup_key_hidden: "The key is no longer shown. If you did not copy it, generate another one:",
        "密钥不再显示。如果没有复制，请重新生成：";
    setup_key_none: "No key yet: every callback is rejected.", "尚无密钥：所有回调都会被拒绝。";
    setup_key_none_hint: "Generate a key and set it at the provider, or enter the key that is set there.",
        "请生成密钥并在平台上设置，或输入平台上已设置的密钥。";
    setup_done: "Done", "完成";
    setup_arrived: "Callbacks arrive.", "回调已到达。";
    setup_arrived_of: "Newest session: {{}}, {{}}", "最新会话：{{}}，{{}}";
    setup_arrived_quarantined: "A callback arrived, but it was quarantined.", "回调已到达，但被隔离。";
    setup_arrived_rejected: "Callbacks of this domain arrive, but are rejected:", "该域名的回调已到达，但被拒绝：";
    setup_waiting: "Waiting for the first callback of the provider…", "正在等待平台的第一个回调…";
    setup_waiting_hint: "Start a push to this domain: its callback arrives within seconds.", "请向该域名推流：回调会在几秒内到达。";
    setup_reload: "Reload", "刷新";

    setup_test: "Test", "测试";
    setup_test_hint: "Sends the start and the end of a push of zero seconds, of the stream {{}}, signed with the newest key. This tests the key, not whether the provider reaches the callback URL. The session stays in the history.",
        "发送流 {{}} 的一次零秒推流的开始和结束，使用最新的密钥签名。此测试只检验密钥，不检验平台能否访问回调地址。该会话会保留在历史中。";
    setup_test_by_command: "The secret path is not stored. To send a test callback with it, set {{}} to it, then run {{}}.",
        "服务不保存私密路径。要用该路径发送测试回调，请将 {{}} 设为该路径，然后运行 {{}}。";
    setup_test_needs_key: "Add a key first.", "请先添加密钥。";
    setup_test_needs_receiver: "This process does not receive callbacks. Open this page on a process with the role receiver.",
        "此进程不接收回调。请在具有 receiver 角色的进程上打开此页面。";
    setup_test_accepted: "Accepted.", "已接受。";
    setup_test_accepted_hint: "The start and the end are authenticated and stored.", "开始和结束均已通过验证并保存。";
    setup_test_quarantined: "Quarantined:", "已隔离：";
    setup_test_rejected: "Rejected:", "被拒绝：";
    setup_test_session: "The resulting session", "生成的会话";

    setup_no_push_yet: "no push yet", "尚无推流";
    setup_live_streams: "Live streams", "直播中的流";
    setup_settings: "Settings", "设置";
    setup_signature: "Callbacks are", "回调";
    setup_signed: "signed with a key", "使用密钥签名";
    setup_unsigned_choice: "unsigned, only through the secret path", "无签名，仅通过私密路径";
    setup_accepted_apps: "Accepted apps", "接受的应用";
    setup_accepted_apps_hint: "Separated by commas; empty accepts all. A list stops callbacks whose app and stream were split differently.",
        "以逗号分隔；留空表示全部接受。设置列表可以阻止应用和流被重新拆分的回调。";
    setup_apps_invalid: "Each app has 1 to 255 letters, digits, _ and -, and none may begin with the name of another.",
        "每个应用名为 1 至 255 个字母、数字、_ 或 -，且不得以另一个应用名开头。";
    setup_separator: "Separator of signed fields", "签名字段的分隔符";
    setup_separator_none: "none", "无";
    setup_separator_hint: "Keep the default. If all callbacks are rejected with “signature mismatch” although the key is right, use “Check a callback” to find the separator.",
        "一般无需修改。如果密钥正确但所有回调都因“签名不匹配”被拒绝，请用“检查回调”找出正确的分隔符。";
    setup_templates: "Transcoding templates", "转码模板";
    setup_templates_hint: "Separated by commas. A stream named STREAM_TEMPLATE then counts as a rendition of STREAM.",
        "以逗号分隔。名为“流_模板”的流将被视为该流的转码流。";
    setup_templates_invalid: "Each template has 1 to 64 characters; at most 100 templates.", "每个模板为 1 至 64 个字符，最多 100 个。";
    setup_concurrent: "Several encoders push one stream at the same time", "多个编码器同时推同一条流";
    setup_concurrent_hint: "A later push then does not end an earlier one. Set it for domains with stream backup.",
        "此时后一次推流不会结束前一次。启用了流备份的域名请勾选。";
    setup_close: "End a session without an end callback after", "未收到结束回调的会话，超过此时长后结束";
    setup_close_hint: "A duration such as 12h, since its start or since an operator or the provider's list confirmed it; or off: never. Empty: as --close-unconfirmed-after of the service says.",
        "时长（如 12h），自推流开始时，或操作员或平台的在线列表确认时起计算；off 表示从不。留空则按服务的 --close-unconfirmed-after 设置。";
    setup_close_invalid: "A duration in whole seconds such as 30m or 12h, at most 10 years; or off.",
        "整秒的时长，如 30m 或 12h，最长 10 年；或 off。";
    setup_remove_domain: "Remove domain", "删除域名";
    setup_remove_domain_ask: "Remove this domain…", "删除此域名…";
    setup_remove_domain_hint: "Its callbacks are no longer accepted and its keys are deleted. Its history stays.",
        "将不再接受其回调，并删除其密钥。历史记录保留。";
    setup_remove_domain_title(domain: &str): "Remove {domain}?", "删除 {domain}？";
    setup_remove_domain_confirm: "Reject the callbacks of this domain.", "拒绝该域名的回调。";

    setup_keys: "Keys", "密钥";
    setup_key_added: "Added", "添加时间";
    setup_added_at: "added {{}}", "添加于 {{}}";
    setup_last_used: "Last used", "最近使用";
    setup_key_in_use: "in use", "使用中";
    setup_key_not_used_yet: "not used yet", "尚未使用";
    setup_key_old: "old", "旧密钥";
    setup_remove: "Remove", "删除";
    setup_rotate: "Replace the key without losing a callback", "更换密钥而不丢失回调";
    setup_rotate_hint: "Generate a new key, set it at the provider, wait until it is in use here, then remove the old key. Until then both keys are valid.",
        "生成新密钥，在平台上设置，等到此处显示“使用中”，再删除旧密钥。在此之前两个密钥都有效。";
    setup_generate_key: "Generate key", "生成密钥";
    setup_enter_key: "Add the key that is set at the provider", "添加平台上已设置的密钥";
    setup_enter_key_label: "Key, 32 to 128 characters", "密钥，32 至 128 个字符";
    setup_enter_key_hint: "What you type is not shown again.", "输入的内容不会再次显示。";
    setup_key_invalid: "The key must have 32 to 128 characters, no control characters.", "密钥必须为 32 至 128 个字符，不含控制字符。";
    setup_key_exists: "The domain already has this key.", "该域名已有此密钥。";
    setup_key_shared(domain: &str): "{domain} has this key, and a callback signed for one of the two domains could be turned into one for the other: use another key.",
        "{domain} 已使用此密钥，为其中一个域名签名的回调可能被改作另一个域名的回调：请使用其他密钥。";
    setup_remove_key: "Remove key", "删除密钥";
    setup_remove_key_title: "Remove a key?", "删除密钥？";
    setup_remove_used_key: "It was last used {{}}: the provider may still sign with it.", "最近使用于 {{}}：平台可能仍在用它签名。";
    setup_remove_only_key: "It is the only key: without it, every callback is rejected.", "这是唯一的密钥：删除后所有回调都会被拒绝。";
    setup_remove_key_confirm: "Reject callbacks signed with this key.", "拒绝用此密钥签名的回调。";

    setup_path: "Secret path", "私密路径";
    setup_path_hint: "A callback URL that only the provider knows: required for unsigned callbacks, possible for signed ones.",
        "只有平台知道的回调地址：无签名的回调必须使用，有签名的回调也可以使用。";
    setup_path_exists: "This domain has a secret path.", "该域名已有私密路径。";
    setup_path_missing: "This domain has no secret path.", "该域名没有私密路径。";
    setup_path_create: "Create a secret path", "创建私密路径";
    setup_path_replace: "Replace the secret path", "更换私密路径";
    setup_path_new_hint: "The new callback URL is shown only once. Set it at the provider.", "新的回调地址只显示一次。请在平台上设置。";
    setup_path_replace_confirm: "The old callback URL stops working immediately.", "旧的回调地址立即失效。";

    setup_diagnose_hint: "Paste the body of a callback as it was received. Nothing is stored. You see whether it would be accepted, which key fits, and how to repair it.",
        "粘贴收到的回调请求体。不会保存任何内容。您将看到它是否会被接受、哪个密钥匹配以及如何修复。";
    setup_diagnose_body: "Body of the callback (JSON)", "回调请求体（JSON）";
    setup_diagnose_received(zone: &str): "Received at ({zone}); empty: now", "收到时间（{zone}）；留空表示现在";
    setup_diagnose_path: "Secret path that it was sent to, if any", "发送到的私密路径（如有）";
    setup_diagnose_empty: "Paste the body of a callback.", "请粘贴回调请求体。";
    setup_diagnose_too_long: "The text is longer than 16 KiB, which no callback is. Paste one body and nothing else.",
        "内容超过 16 KiB，回调不会这么长。请只粘贴一个请求体。";
    setup_diagnose_time_invalid: "Enter a time such as 2026-10-31 23:59:59.", "请输入时间，例如 2026-10-31 23:59:59。";
    setup_diagnose_accepted: "This callback is authenticated and would count.", "该回调通过验证，会生效。";
    setup_diagnose_say_when: "If it arrived earlier, enter the time of receipt below and check again.",
        "如果它是之前收到的，请在下方填写收到时间后再次检查。";
    setup_diagnose_expiry: "Signature expires", "签名过期时间";
    setup_diagnose_signature: "Signature", "签名";
    setup_diagnose_unsigned: "none", "无";
    setup_diagnose_similar: "{{}} is registered, which is a different name.", "已注册的是 {{}}，名称不同。";
    setup_diagnose_fits: "Fits key", "匹配的密钥";
    setup_diagnose_fits_none(tried: usize): "No key fits, in any way of signing; keys tried: {tried}.",
        "所有密钥以各种签名方式尝试均不匹配（已尝试 {tried} 个）。";
    setup_diagnose_no_key: "There is no key to try.", "没有可尝试的密钥。";
    setup_diagnose_set_separator(separator: &str): "Set the separator to: {separator}", "将分隔符设为：{separator}";
    setup_diagnose_other_separator: "The key is right, but the provider joins the signed fields with another separator than the one that is set.",
        "密钥正确，但平台连接签名字段所用的分隔符与此处设置的不同。";
    setup_diagnose_trim_key: "The key was entered with white space around it. Enter it without.", "密钥前后带有空白。请输入不带空白的密钥。";
    setup_diagnose_unsupported: "The service has no setting for this way of signing. Capture a second callback: if it is signed in the same way, please report it; if not, someone may have rearranged the fields of the first.",
        "本服务不支持这种签名方式。请再获取一个回调：如果签名方式相同，请反馈；否则可能有人改动了第一个回调的字段。";
    setup_diagnose_domain: "Open the domain", "打开域名";
    setup_key_as_given: "as it is", "原样";
    setup_key_trimmed: "without the white space around it", "去掉前后空白";
    setup_key_with_newline: "with a line break after it", "末尾加换行";
    setup_key_hex: "read as hexadecimal digits", "按十六进制解码";
    setup_key_base64: "read as base64", "按 base64 解码";
    setup_notice_whole_request: "The text starts like a whole HTTP request: paste only its body.", "内容看起来是完整的 HTTP 请求：请只粘贴请求体。";
    setup_notice_byte_order_mark: "The body starts with a byte order mark.", "请求体以字节顺序标记开头，可能是编辑器添加的。";
    setup_notice_masked(name: &str): "{name} is masked with *: is this a real callback?", "{name} 被 * 遮盖：这是真实的回调吗？";
    setup_notice_masked_signature: "auth_sign is masked and can never verify.", "auth_sign 被遮盖，无法验证：请获取真实的回调。";
    setup_notice_milliseconds: "auth_timestamp is in milliseconds.", "auth_timestamp 有 13 位，似乎以毫秒为单位；应为秒。";

    setup_tokens: "Tokens", "令牌";
    setup_no_token: "None except the administrator's token, from the environment or the data folder.",
        "除管理员令牌（来自环境变量或数据目录）外没有令牌。";
    setup_create_token: "Create token", "创建令牌";
    setup_token_name: "Name", "名称";
    setup_token_name_example: "wall display, hall 2", "二号大厅大屏";
    setup_token_name_invalid: "Enter a name of 1 to 200 characters.", "请输入 1 至 200 个字符的名称。";
    setup_scopes: "Scopes", "权限";
    setup_scopes_invalid: "Choose at least one scope.", "请至少选择一项权限。";
    setup_scope_read: "live counts, streams, sessions, events and problems, without IP addresses and user_args",
        "直播数、流、会话、事件和问题，不含 IP 地址和 user_args";
    setup_scope_personal: "IP addresses and user_args, too", "另含 IP 地址和 user_args";
    setup_scope_billing: "reports", "报表";
    setup_scope_admin: "all of this, and setup", "以上全部，以及设置";
    setup_limit_to_domains: "Limit to domains", "限定域名";
    setup_limit_to_domains_hint: "None chosen: the token sees all domains, also future ones.", "不选择则可查看全部域名，包括以后添加的。";
    setup_other_domains: "Other domains, separated by commas", "其他域名，以逗号分隔";
    setup_unregistered(domains: &str): "Not registered: {domains}. The token would show nothing for them. Correct the name, register it first, or confirm.",
        "未注册：{domains}。令牌将看不到任何内容。请更正名称、先注册，或确认。";
    setup_accept_unregistered: "Create the token anyway", "仍然创建令牌";
    setup_token_domains_invalid: "A token with the scope admin sees everything: choose no domains, or not this scope.",
        "具有 admin 权限的令牌可查看一切：请不要选择域名，或不选此权限。";
    setup_expires: "Expires", "有效期";
    setup_days(days: i64): "in {days} days", "{days} 天";
    setup_one_year: "in 1 year", "1 年";
    setup_expires_on_choice: "on a date", "指定日期";
    setup_never: "never", "永不过期";
    setup_expired: "expired", "已过期";
    setup_expires_on(zone: &str): "Last day, if “on a date” ({zone})", "最后一天（仅用于“指定日期”，{zone}）";
    setup_expiry_invalid: "Enter a day in the future.", "请输入将来的日期。";
    setup_not_registered: "not registered", "未注册";
    setup_revoke: "Revoke", "撤销";
    setup_revoke_token: "Revoke token", "撤销令牌";
    setup_revoke_title: "Revoke a token?", "撤销令牌？";
    setup_revoke_confirm: "This token stops working immediately, and its users are signed out.",
        "此令牌立即失效，用它登录的人将被退出。";
    setup_token_last_used: "Last used {{}}.", "最近使用：{{}}。";
    setup_created: "Created", "创建时间";
    setup_token_once: "Copy what you need now: this page shows the token for ten minutes, and no page shows it later.",
        "请立即复制所需内容：此页面仅显示令牌十分钟，之后任何页面都不再显示。";
    setup_sign_in_link: "Sign-in link", "登录链接";
    setup_kiosk_link: "Link for a wall display", "大屏链接";
    setup_token_hint: "Anyone with a link or the token can sign in. Send it to the API as {{}}.", "拥有链接或令牌的人都可以登录。API 用法：{{}}。";

    setup_audit: "Audit log", "审计日志";
    setup_audit_hint: "Every administrative action, newest first.", "所有管理操作，最新的在前。";
    setup_audit_empty: "No action yet.", "尚无操作。";
    setup_audit_older: "Older", "更早";
    setup_audit_actor: "Who", "操作者";
    setup_audit_details: "Details", "详情";
    setup_act_domain_registered: "domain registered", "注册域名";
    setup_act_domain_changed: "domain settings changed", "修改域名设置";
    setup_act_domain_removed: "domain removed", "删除域名";
    setup_act_key_added: "key added", "添加密钥";
    setup_act_key_removed: "key removed", "删除密钥";
    setup_act_callback_path_replaced: "secret path created", "创建私密路径";
    setup_act_token_created: "token created", "创建令牌";
    setup_act_token_revoked: "token revoked", "撤销令牌";
    setup_act_event_released: "callback released", "放行回调";
    setup_act_events_released: "callbacks released", "批量放行回调";
    setup_act_rejections_retried: "rejected callbacks retried", "重试被拒绝的回调";
    setup_act_session_ended: "end time set", "设定结束时间";
    setup_act_session_end_withdrawn: "end time cleared", "清除结束时间";
    setup_act_session_confirmed: "session confirmed as live", "确认会话仍在直播";
    setup_act_sealed_report_deleted: "sealed report deleted", "删除封存报表";
    setup_act_clock_repaired: "clock repaired", "修复时钟";
    setup_act_webhook_created: "webhook created", "创建 Webhook";
    setup_act_webhook_changed: "webhook changed", "修改 Webhook";
    setup_act_webhook_removed: "webhook removed", "删除 Webhook";
    setup_act_webhook_secret_replaced: "webhook secret replaced", "更换 Webhook 密钥";
    setup_act_webhook_replayed: "webhook events sent again", "重新发送 Webhook 事件";
    setup_act_provider_account_created: "provider account created", "创建平台账号";
    setup_act_provider_account_changed: "provider account changed", "修改平台账号";
    setup_act_provider_account_removed: "provider account removed", "删除平台账号";
    setup_act_master_key_rotated: "master key rotated", "轮换主密钥";
}
