//! Texts of the reports.

super::texts! {
    reports_by_month: "Month", "按月";
    reports_own_period: "Other period", "自定义时段";
    reports_month: "Month", "月份";
    reports_from: "From", "开始日期";
    reports_through: "Through (last day)", "结束日期（含）";
    reports_last_month: "Last month", "上月";
    reports_this_month: "This month", "本月";
    reports_group_by: "Group by", "分组";
    reports_group_domain_app: "Domain and app", "域名和应用";
    reports_rows: "Split by", "拆分";
    reports_rows_whole: "Not split", "不拆分";
    reports_rows_hour: "Hour", "小时";
    reports_rows_day: "Day", "日";
    reports_rows_week: "Week", "周";
    reports_rows_month: "Month", "月";
    reports_renditions: "Renditions", "转码流";
    reports_renditions_exclude: "Left out", "不计入";
    reports_renditions_include: "Included", "计入";
    reports_renditions_only: "Only renditions", "仅转码流";
    reports_exact_name: "Exact name", "完整名称";
    reports_show: "Show", "查看";

    reports_not_a_month: "Enter a month such as 2026-10, of the years 1970 to 2099.", "请输入月份，如 2026-10（1970 至 2099 年）。";
    reports_not_a_date: "Enter a date such as 2026-10-31, of the years 1970 to 2099.",
        "请输入日期，如 2026-10-31（1970 至 2099 年）。";
    reports_ends_before_start: "The last day must not be before the first.", "结束日期不能早于开始日期。";
    reports_too_many_hours(days: i64): "Hours are shown for at most {days} days: choose a shorter period.",
        "按小时拆分最多 {days} 天：请缩短时段。";

    reports_as_of: "Data as of {{}}. Later events are not included.", "数据截至 {{}}，之后的事件未计入。";
    reports_not_over: "This period is not over yet: the hours are those up to now.", "该时段尚未结束：时长统计到目前为止。";
    reports_empty: "No push hours in this period", "该时段没有推流";
    reports_empty_hint: "Choose another period, or remove a filter.", "请选择其他时段，或清除筛选条件。";
    reports_first_rows(rows: &str): "Shows the first {rows} rows. The files have all of them.", "仅显示前 {rows} 行，文件中包含全部数据。";
    reports_largest_rows(rows: &str): "Shows the {rows} rows with the most push hours. The files have all of them.",
        "仅显示推流时长最多的 {rows} 行，文件中包含全部数据。";

    reports_name: "Name", "名称";
    reports_sessions: "Sessions", "会话数";
    reports_push_hours: "Push hours", "推流小时数";
    reports_shares: "Confirmed, estimated, open", "已确认、估算、未结束";
    reports_confirmed: "Confirmed", "已确认";
    reports_estimated: "Estimated", "估算";
    reports_open: "Open", "未结束";
    reports_on_air_hours: "On-air hours", "在播小时数";
    reports_peak: "Peak", "峰值";
    reports_peak_sessions: "Peak sessions", "峰值会话数";
    reports_total: "Total", "合计";
    reports_show_sessions: "Show the sessions", "查看会话";

    reports_which_hours: "Which hours to bill", "按哪种时长计费";
    reports_push_hours_mean:
        "The time of all pushes: where two pushes of a stream overlap, both count. Bill these, unless you agreed on on-air hours.",
        "所有推流的时长之和：同一流的两次推流重叠时，两次都计入。除非约定按在播时长计费，否则按此计费。";
    reports_on_air_hours_mean:
        "The time in which a stream was live: where two pushes of it overlap, as after a broken connection, each second counts once.",
        "流处于直播中的时长：同一流的推流重叠时（例如断线重连后），每秒只计一次。";
    reports_confirmed_mean: "The provider reported the end, or an operator set it.", "结束时间由平台通知，或由操作员设定。";
    reports_estimated_mean: "No end was reported: the end is inferred from the next push of the stream, or from a timeout.",
        "未收到结束通知：结束时间根据该流的下一次推流或超时推断。";
    reports_open_mean: "No end is known: still live, or the end callback is missing.", "结束时间未知：仍在直播，或缺少结束回调。";

    reports_concurrent: "Concurrent streams", "并发流数";
    reports_peak_at(sessions: &str, streams: &str): "Peak: {sessions} sessions of {streams} streams, {{}}",
        "峰值：{streams} 个流的 {sessions} 个会话，{{}}";

    reports_close(period: &str): "Close {period}…", "关账：{period}…";

    reports_unsettled(period: &str): "{period} can still change", "{period}的数据仍可能变化";
    reports_unsettled_estimated: "{{}} hours are estimated: no end was reported.", "{{}} 小时为估算：未收到结束通知。";
    reports_unsettled_open: "{{}} hours are open: still live, or the end callback is missing.",
        "{{}} 小时未结束：仍在直播，或缺少结束回调。";
    reports_unsettled_quarantined(count: &str): "{count} quarantined callbacks count only if they are released.",
        "{count} 个已隔离的回调只有放行后才会计入。";
    reports_more_than(count: &str): "More than {count}", "超过 {count}";
    reports_see_estimated: "Estimated sessions", "查看估算的会话";
    reports_see_open: "Open sessions", "查看未结束的会话";
    reports_see_quarantined: "Quarantined callbacks", "查看已隔离的回调";

    reports_sessions_title: "Sessions of the report", "报表中的会话";
    reports_counted: "Counted", "计入时长";
    reports_hours: "Hours", "小时";
    reports_certainty: "Counted as", "计入方式";
    reports_end: "End", "结束方式";
    reports_no_sessions: "No such sessions.", "没有符合条件的会话。";
    reports_back: "Back to the report", "返回报表";
    reports_sessions_hint: "Only the time within the period counts. The seconds of these sessions add up to the number in the report.",
        "只计入时段内的时长。这些会话的秒数之和等于报表中的数字。";

    reports_close_title(period: &str): "Close {period}", "关账：{period}";
    reports_close_explained:
        "Closing stores the report byte for byte, with its SHA-256, as a sealed report. A sealed report never changes: later events show up only under “What changed”.",
        "关账会将报表原样存为封存报表，并附 SHA-256。封存报表永不改变：之后的事件只会出现在“变化”中。";
    reports_period: "Period", "时段";
    reports_grouping: "Grouped by", "分组";
    reports_settle_first: "Settle before closing", "关账前请处理";
    reports_all_settled: "Nothing is estimated, open or quarantined.", "没有估算、未结束或已隔离的内容。";
    reports_ended_recently: "The period ended less than a day ago: late callbacks may still arrive.",
        "该时段结束不到一天：仍可能收到迟到的回调。";
    reports_close_empty: "There are no push hours in this period: the sealed report would be empty.",
        "该时段没有推流：封存报表将为空。";
    reports_closed_before: "This period was closed before", "该时段此前已关账";
    reports_close_confirm(period: &str): "I checked the hours of {period}. Seal the report permanently.", "我已核对{period}的时长，确认永久封存。";
    reports_tick_needed: "Check the box to close the period. Nothing was sealed.", "请勾选后再关账。尚未封存任何内容。";
    reports_close_not_over: "It can be closed after its end, {{}}.", "结束后方可关账：{{}}。";
    reports_closed(period: &str, zone: &str, hours: &str): "{period} ({zone}) is closed: {hours} h", "{period}（{zone}）已关账：{hours} 小时";
    reports_closing(period: &str, zone: &str): "{period} ({zone}) is being closed. Reload this page in a minute.",
        "正在为{period}（{zone}）关账，请一分钟后刷新本页。";
    reports_closing_failed(period: &str, zone: &str): "Closing {period} ({zone}) failed. Close it again.",
        "{period}（{zone}）关账失败，请重新关账。";

    reports_sealed: "Sealed reports", "封存报表";
    reports_rounded: "Hours are rounded to hundredths: their sum can differ from the total.", "小时数四舍五入到百分之一：各行之和可能与合计略有差异。";
    reports_none_sealed: "None yet. Close a month to store its report byte for byte.", "暂无。关账后，该月的报表会原样保存。";
    reports_newest_sealed(count: &str): "The newest {count}. The API lists all.", "仅显示最新的 {count} 份，全部请通过 API 查看。";
    reports_sealed_at: "Closed", "关账时间";
    reports_sha256: "SHA-256", "SHA-256";
    reports_files: "Files", "文件";
    reports_what_changed: "What changed", "变化";
    reports_sealing: "being sealed", "封存中";
    reports_seal_failed: "failed: close it again", "失败：请重新关账";
    reports_only(names: &str): "only {names}", "仅 {names}";
    reports_per(window: &str): "by {window}", "按{window}";
    reports_renditions_noted(renditions: &str): "renditions: {renditions}", "转码流：{renditions}";

    reports_change_title(period: &str): "What changed in {period}", "{period}的变化";
    reports_change_path: "Closed {{}} by {{}}, compared with {{}}", "{{}} 由 {{}} 关账，与 {{}} 的数据比较";
    reports_no_change: "Nothing changed: the report would have the same rows today.", "没有变化：今天的报表与封存报表逐行相同。";
    reports_then: "Sealed", "封存时";
    reports_today: "Today", "现在";
    reports_difference: "Difference", "差值";
    reports_percent: "Percent", "百分比";
    reports_uncertain: "Estimated or open", "估算或未结束";
    reports_new_row: "new", "新增";

    reports_file_as_of: "Data as of", "数据截至";
}
