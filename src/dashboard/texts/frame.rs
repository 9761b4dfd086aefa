//! Texts of the frame of all pages, of times and states, of errors, and those that several pages share.

super::texts! {
    description: "Live streams, their history, and their push hours.", "直播流的状态、历史与推流时长。";
    skip: "Skip to content", "跳到正文";
    pages: "Pages", "页面";
    live: "Live", "直播";
    find: "Find", "查找";
    reports: "Reports", "报表";
    problems: "Problems", "问题";
    setup: "Setup", "设置";
    api: "API", "API";
    find_a_stream: "Find a stream", "查找流";
    sign_in: "Sign in", "登录";
    sign_out: "Sign out", "退出登录";
    bound_to(domains: &str): "Your token sees only {domains}", "您的令牌只能查看 {domains}";
    only_some_domains(count: usize): "{count} domains only", "仅 {count} 个域名";
    language: "Language", "语言";
    time_zone: "Time zone", "时区";
    cancel: "Cancel", "取消";
    action: "Action", "操作";
    save: "Save", "保存";

    domain: "Domain", "域名";
    app: "App", "应用";
    stream: "Stream", "流";
    all_domains: "All domains", "全部域名";
    started: "Started", "开始时间";
    ended: "Ended", "结束时间";
    duration: "Duration", "时长";
    length: "Length", "时长";
    state: "State", "状态";
    how_it_ended: "How it ended", "结束方式";
    unconfirmed_sessions: "Unconfirmed sessions", "待确认的会话";
    encoder: "Encoder", "推流端";
    node: "Node", "节点";
    event: "Event", "事件";
    callbacks: "Callbacks", "回调";
    received: "Received", "收到时间";
    push_started: "Push started", "推流开始";
    quarantined: "quarantined", "已隔离";
    released_counts: "Released callbacks count as if they had been accepted on arrival.", "放行后，回调视同到达时即被接受。";
    set_end: "Set end time", "设定结束时间";
    release: "Release", "放行";
    all: "All", "全部";
    by: "By", "操作者";
    time: "Time", "时间";
    id: "ID", "ID";
    token: "Token", "令牌";
    newest: "Newest", "最新";
    first_page: "First page", "第一页";
    next_page: "Next page", "下一页";

    preferences: "Language and time zone", "语言和时区";
    preferences_hint: "All times on these pages, in forms and in files are in this time zone. Stored in this browser.",
        "页面、表单和文件中的时间均使用此时区。设置保存在此浏览器中。";
    use_browser_zone: "Use the time zone of this browser", "使用此浏览器的时区";

    unit_days: "d", "天";
    unit_hours: "h", "小时";
    unit_minutes: "min", "分钟";
    unit_seconds: "s", "秒";
    ago(duration: &str): "{duration} ago", "{duration}前";
    none: "–", "–";

    state_live: "live", "直播中";
    state_unconfirmed: "unconfirmed", "待确认";
    state_ended: "ended", "已结束";
    unconfirmed_means: "Live for longer than expected: the end callback may be lost.",
        "直播时间超出预期：结束回调可能已丢失。";
    end_by_callback: "ended by the provider", "平台通知结束";
    end_by_operator: "end set by an operator", "由操作员设定结束时间";
    end_superseded: "estimated: the next push of the stream took over", "估算：被同一流的下一次推流取代";
    end_timed_out: "estimated: timed out without an end callback", "估算：超时未收到结束回调";
    end_unlisted: "estimated: the provider no longer lists it", "估算：平台的在线列表中已没有该流";
    end_by_history: "ended by the provider's history", "平台推流历史中的结束时间";
    end_unknown: "no end known", "结束时间未知";

    flag_start_missing: "start missing", "缺少开始回调";
    flag_start_missing_means: "The end was received, but not the start.", "收到了结束回调，但未收到开始回调。";
    flag_start_listed: "only in the history", "仅见于推流历史";
    flag_start_listed_means: "No callback was received: only the provider's history has this push.", "未收到任何回调：仅平台推流历史中有此次推流。";
    flag_end_before_start: "end before start", "结束早于开始";
    flag_end_before_start_means:
        "By this service's clock, the session ended before it started: it counts as zero seconds.",
        "按本服务的时钟，会话在开始之前就已结束：按零秒计。";
    flag_key_conflict: "key conflict", "键冲突";
    flag_key_conflict_means:
        "Two pushes of the stream started in the same second and cannot be distinguished.",
        "该流有两次推流在同一秒开始，无法区分。";
    flag_quarantined_messages: "quarantined callbacks", "有隔离的回调";
    flag_quarantined_messages_means:
        "Authenticated callbacks of this session were quarantined: its log says why.",
        "该会话有通过验证的回调被隔离：原因见其日志。";
    flag_shared_signature: "shared signature", "签名重复使用";
    flag_shared_signature_means:
        "A callback counted although another push of the stream had used its signature shortly before.",
        "一个回调已生效，但该流的另一次推流在不久前使用过相同的签名。";

    connection_lost: "Connection lost. Data as of", "连接已断开，数据截至";
    signed_out_notice: "Signed out. Data as of", "已退出登录，数据截至";
    copy: "Copy", "复制";
    copied: "Copied", "已复制";

    error_title: "Request failed", "请求失败";
    error_not_found_title: "Not found", "未找到";
    error_not_found(what: &str): "The {what} was not found, or you don't have access.", "未找到，或您无权访问。";
    error_unavailable: "The service is unavailable. Try again in a few seconds.", "服务暂不可用，请几秒后重试。";
    error_other_origin_title: "This form came from another site", "此表单来自其他网站";
    error_other_origin:
        "Nothing was changed. Forms are accepted only from the pages of this service. If this was one of them, a proxy changes the Host header: configure it to pass the header on unchanged.",
        "未作任何更改。只接受来自本服务页面的表单。如果此表单确实来自本服务，则说明代理修改了 Host 头：请将代理配置为原样转发该头。";
    error_scope(scope: &str): "Your token lacks the scope {scope}.", "您的令牌缺少权限 {scope}。";

    sign_in_invalid: "This token is not valid: it may have expired or been revoked.", "此令牌无效：可能已过期或被撤销。";
    sign_in_hint:
        "An administrator creates tokens under Setup, or with {{}}. The dashboard shows what the token may see. The sign-in lasts twelve hours.",
        "管理员可在“设置”中或使用 {{}} 创建令牌。页面只显示令牌有权查看的内容。登录有效期为十二小时。";
    sign_in_kiosk_hint: "The sign-in of a wall display lasts as long as its token.", "令牌有效期内，大屏保持登录。";
}
