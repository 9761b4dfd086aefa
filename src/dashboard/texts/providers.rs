//! Texts of the pages of provider accounts.

super::texts! {
    provider: "Provider account", "平台账号";
    providers: "Provider accounts", "平台账号";
    providers_hint: "With an access key, the service reads the provider's own lists of streams, and compares the callback settings at the provider with those here.",
        "使用访问密钥，本服务可读取平台自身的流列表，并核对平台上的回调设置。";
    providers_permissions_hint: "Give the key only these permissions: live:stream:listLiveStreamsOnline, live:statistics:listHistoryStreams, live:domain:getStreamNotifications.",
        "请仅授予该密钥以下权限：live:stream:listLiveStreamsOnline、live:statistics:listHistoryStreams、live:domain:getStreamNotifications。";
    providers_none: "None yet.", "尚无。";
    providers_new: "New provider account", "新建平台账号";
    providers_create: "Add account", "添加账号";
    providers_endpoint: "Endpoint", "终端节点";
    providers_endpoint_invalid: "Enter an https URL with a public address and nothing after the host.", "请输入公网地址的 https URL，主机名之后不含其他内容。";
    providers_project: "Project ID", "项目 ID";
    providers_project_invalid: "The project ID has 1 to 64 letters, digits, _ and -.", "项目 ID 为 1 至 64 个字母、数字、_ 或 -。";
    providers_access_key: "Access key (AK)", "访问密钥 ID（AK）";
    providers_access_key_invalid: "The access key has 8 to 64 letters, digits, _ and -, and is entered together with its secret key.",
        "访问密钥 ID 为 8 至 64 个字母、数字、_ 或 -，须与私有访问密钥一起输入。";
    providers_access_key_ending: "Access key ends in", "访问密钥 ID 末尾";
    providers_secret_key: "Secret key (SK)", "私有访问密钥（SK）";
    providers_secret_key_invalid: "The secret key has 8 to 128 visible ASCII characters, and is entered together with its access key.",
        "私有访问密钥为 8 至 128 个可见 ASCII 字符，须与访问密钥 ID 一起输入。";
    providers_keys_hint: "Leave both empty to keep the current keys.", "两项均留空则保留当前密钥。";
    providers_keys_for_endpoint: "For another endpoint, enter both keys again.", "更改终端节点时，请重新输入两个密钥。";
    providers_remove: "Remove account", "删除账号";
    providers_remove_confirm: "Delete the keys of this account", "删除此账号的密钥";
    providers_used: "Domains use this account, so it cannot be removed.", "有域名正在使用此账号，无法删除。";
    providers_none_chosen: "none", "无";
    providers_invalid: "Choose an account. It is optional only while the lists are not read.", "请选择账号。仅在不读取列表时可以不选。";
    providers_mode: "Provider's lists of streams", "平台的流列表";
    providers_mode_off: "not read", "不读取";
    providers_mode_observe: "read and compared", "读取并比较";
    providers_mode_repair: "read, to correct for lost callbacks", "读取，并据此更正因回调丢失造成的错误";
    providers_mode_hint: "Reading them needs a provider account. It was tried only against a fake, never against the real provider: begin with “read and compared”, and compare some days by hand, before you bill by corrections.",
        "读取需要平台账号。此功能仅用模拟平台测试过，尚未在真实平台上验证：请先选择“读取并比较”，人工核对数日，再按更正结果计费。";
    providers_check: "Check settings at the provider", "核对平台上的设置";
    providers_check_url: "Callback URL at the provider", "平台上的回调地址";
    providers_check_url_ours: "leads to this service", "指向本服务";
    providers_check_url_other_host: "has the right path; check its host", "路径正确；请核对主机名";
    providers_check_url_other: "does not lead to this service", "未指向本服务";
    providers_check_url_none: "none is set", "未设置";
    providers_check_unknown: "not known", "未知";
    providers_check_key: "Callback key at the provider", "平台上的回调密钥";
    providers_check_key_matches: "is one of this domain's keys", "与该域名的密钥之一一致";
    providers_check_key_differs: "is none of this domain's keys: callbacks are rejected", "与该域名的密钥均不一致：回调会被拒绝";
    providers_check_key_none: "none is set: callbacks are unsigned", "未设置：回调无签名";
    providers_check_lists: "List of live streams", "直播流列表";
    providers_check_history: "History of streams", "推流历史";
    providers_check_lists_readable: "readable", "可读取";
    providers_check_lists_refused: "rejected", "被拒绝";
    providers_check_clock: "Provider's clock is ahead by", "平台时钟超前";
    providers_check_seconds(seconds: i64): "{seconds} s", "{seconds} 秒";
    providers_check_error: "Error", "错误";
}
