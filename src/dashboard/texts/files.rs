//! Texts of files, and the names in them.

use super::Language;
use crate::report::file::table::Wording;
use crate::report::file::term::Term;

super::texts! {
    file_excel: "Excel", "Excel";
    file_csv: "CSV for programs", "CSV（供程序使用）";
    file_about: "About", "说明";
    file_value: "Value", "值";
    file_meaning: "Meaning", "含义";
}

impl Language {
    /// The words of a workbook whose first sheet has this name.
    pub fn wording(self, title: String) -> Wording {
        Wording {
            title,
            term: match self {
                Self::English => |term| (term.title(), term.meaning().to_owned()),
                Self::Chinese => |term| {
                    let (title, meaning) = chinese(term);
                    (title.to_owned(), meaning.to_owned())
                },
            },
            total: self.reports_total(),
            about: self.file_about(),
            name: self.reports_name(),
            value: self.file_value(),
            meaning: self.file_meaning(),
        }
    }
}

/// Declares the title and the meaning of each term. English is at the terms themselves.
macro_rules! chinese {
    ($($term:ident: $title:literal, $meaning:literal;)+) => {
        fn chinese(term: Term) -> (&'static str, &'static str) {
            match term { $(Term::$term => ($title, $meaning)),+ }
        }
    };
}

chinese! {
    Domain: "推流域名", "推流域名。";
    App: "应用", "应用。";
    Stream: "流名称", "流名称。";

    WindowStart: "开始", "时间窗口的开始（含）。";
    WindowEnd: "结束", "时间窗口的结束（不含）。";
    WindowStartLocal: "开始", "时间窗口的开始，按所选时区。";
    TimeZone: "时区", "本地时间所用的时区。";
    Sessions: "会话数", "在该窗口内直播过或开始的会话。";
    SessionsStarted: "开始的会话数", "在该窗口内开始的会话。";
    PushHours: "推流小时数", "推流秒数换算为小时。";
    PushSeconds: "推流秒数", "所有推流的时长：已确认、估算与未结束之和。同一流的两次推流重叠时，两次都计入。";
    ConfirmedHours: "已确认小时数", "已确认秒数换算为小时。";
    ConfirmedSeconds: "已确认秒数", "结束时间由平台通知或由操作员设定的会话的秒数。";
    EstimatedHours: "估算小时数", "估算秒数换算为小时。";
    EstimatedSeconds: "估算秒数", "未收到结束通知、结束时间为推断的会话的秒数。";
    OpenHours: "未结束小时数", "未结束秒数换算为小时。";
    OpenSeconds: "未结束秒数", "结束时间未知的会话的秒数，计到“数据截至”为止。";
    OnAirHours: "在播小时数", "在播秒数换算为小时。";
    OnAirSeconds: "在播秒数", "流处于直播中的秒数。同一流的推流重叠时，每秒只计一次。";
    PeakLiveSessions: "峰值会话数", "同一时刻直播中的会话的最大数量。";

    SessionId: "会话 ID", "会话的 ID。";
    StreamId: "流 ID", "流的 ID。";
    PublishTimestamp: "publish_timestamp", "推流开始的 Unix 秒。";
    Status: "状态", "live：结束时间未知。ended：结束时间已知。";
    Unconfirmed: "未确认", "true：直播时间超出预期。";
    StartedAt: "开始", "推流的开始。";
    EndedAt: "结束", "推流的结束；直播中为空。";
    StartedAtLocal: "开始", "推流的开始，按所选时区。";
    EndedAtLocal: "结束", "推流的结束，按所选时区；直播中为空。";
    EndedAtSource: "结束方式", "notification：平台通知。operator：操作员设定。superseded：根据该流的下一次推流推断。timed_out：根据超时推断。unlisted：根据平台的在线列表推断。provider_history：平台推流历史中的结束时间。";
    CountedAs: "计入方式", "confirmed（已确认）：结束时间由平台通知、平台推流历史或操作员设定。estimated（估算）：结束时间为推断。open（未结束）：结束时间未知。";
    CountedHours: "计入小时数", "计入秒数换算为小时。";
    CountedSeconds: "计入秒数", "会话在时段内的秒数。";
    Explanation: "说明", "对结束时间的说明。";
    DurationHours: "时长（小时）", "时长换算为小时。";
    DurationSeconds: "时长（秒）", "从开始到结束的秒数；直播中计到“数据截至”为止。";
    StartReceivedAt: "收到开始回调", "首次收到开始回调的时间。";
    EndReceivedAt: "收到结束回调", "首次收到结束回调的时间。";
    ConfirmedAt: "确认直播", "操作员或平台的在线列表最近一次确认会话仍在直播的时间。";
    ProviderEndedAt: "推流历史结束", "平台推流历史中的结束时间。平台通知与操作员设定的结束时间优先。";
    StartDeliveries: "开始回调次数", "收到开始回调的次数。";
    EndDeliveries: "结束回调次数", "收到结束回调的次数。";
    RenditionOf: "源流", "若为转码流，其源流的名称。";
    RenditionTemplate: "转码模板", "转码流所用的模板。";
    Flags: "标记", "会话的警告。";
    ClientIp: "推流端 IP", "推流端的 IP 地址。";
    NodeIp: "节点 IP", "接收节点的 IP 地址。";
    UserArgs: "推流参数", "推流地址的查询字符串，凭据已隐藏。";

    At: "时间", "该时刻。";
    AtLocal: "时间", "该时刻，按所选时区。";
    LiveSessions: "直播会话数", "直播中的会话。";
    LiveStreams: "直播流数", "至少有一个会话直播中的流。";

    SealedPushHours: "封存时推流小时数", "报表封存时的推流小时数。";
    PushHoursToday: "现在推流小时数", "按现在的日志计算的推流小时数。";
    DifferenceHours: "差值（小时）", "现在的推流小时数减去封存时的。";
    DifferenceSeconds: "差值（秒）", "差值的秒数。";

    From: "时段开始", "时段的开始（含）。";
    To: "时段结束", "时段的结束（不含）。";
    Window: "拆分", "时段如何拆分为时间窗口。";
    GroupBy: "分组", "各行如何分组。";
    StepSeconds: "步长（秒）", "相邻两点之间的秒数。";
    Renditions: "转码流", "是否计入转码流。";
    Filters: "筛选条件", "列表的筛选条件。";
    PeakAt: "峰值时间", "直播会话最多的第一个时刻。";
    PeakLiveStreams: "峰值流数", "该时刻直播中的流。";
    AsOf: "数据截至 (UTC)", "数据的时刻（UTC）：报表计入到此时刻为止的日志，列表自此时刻起读取。";
    AsOfLocal: "数据截至", "同一时刻，按所选时区。";
}
