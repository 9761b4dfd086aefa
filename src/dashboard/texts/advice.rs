//! Why callbacks do not count, and what to do. English is what the API and the command line say.

use super::Language;
use crate::huawei::advice;
use crate::model::event::QuarantineReason;
use crate::model::rejection::RejectionReason;

impl Language {
    pub fn rejection_name(self, cause: RejectionReason) -> String {
        match self {
            Self::English => cause.as_str().replace('_', " "),
            Self::Chinese => rejection_in_chinese(cause).0.to_owned(),
        }
    }

    pub fn rejection_advice(self, cause: RejectionReason) -> &'static str {
        match self {
            Self::English => advice::of_rejection(cause),
            Self::Chinese => rejection_in_chinese(cause).1,
        }
    }

    pub fn quarantine_name(self, reason: QuarantineReason) -> String {
        match self {
            Self::English => reason.as_str().replace('_', " "),
            Self::Chinese => quarantine_in_chinese(reason).0.to_owned(),
        }
    }

    pub fn quarantine_advice(self, reason: QuarantineReason) -> &'static str {
        match self {
            Self::English => advice::of_reason(reason),
            Self::Chinese => quarantine_in_chinese(reason).1,
        }
    }

    /// What ends a sentence of an advice.
    pub fn full_stop(self) -> &'static str {
        match self {
            Self::English => ". ",
            Self::Chinese => "。",
        }
    }
}

/// Name and advice.
fn rejection_in_chinese(cause: RejectionReason) -> (&'static str, &'static str) {
    match cause {
        RejectionReason::NotANotification => (
            "不是回调",
            "请求体不是可以解析的回调，已返回 400。更换密钥或修改设置都无法解决。请确认内容完整、未被改动，并且确实来自平台。",
        ),
        RejectionReason::Milliseconds => (
            "时间单位为毫秒",
            "publish_timestamp 以毫秒为单位，而平台发送的是秒，已返回 400。平台与本服务之间有程序改写了回调，或者该回调并非来自平台。",
        ),
        RejectionReason::OtherCallback => (
            "其他类型的回调",
            "这是录制或截图回调（含有 publish_domain 或 event_type），已返回 400。平台的录制回调误设为此地址：请改为处理录制的服务地址，此地址只用于推流开始和结束的回调。",
        ),
        RejectionReason::WrongPath => (
            "路径错误",
            "没有任何回调地址使用此路径，已返回 404。请将平台上的回调地址与域名页面上的地址对照：路径只能是 /callbacks/huawei；无签名的域名则使用其私密路径。",
        ),
        RejectionReason::WrongMethod => (
            "请求方法错误",
            "回调是 POST 请求，其他方法一律返回 405。控制台的测试按钮、浏览器或健康检查发送 GET 或 HEAD，只能说明地址可以访问。要查看回调是否到达，请发送测试回调或开始一次推流。",
        ),
        RejectionReason::TooLarge => (
            "请求体过大",
            "请求体超过 64 KiB，回调不会这么大，已返回 413。有其他程序在向此地址发送数据：请查明来源，并为其另设地址。",
        ),
        RejectionReason::TooSlow => (
            "接收超时",
            "请求体未在 10 秒内到达，已返回 408。请检查平台与本服务之间的网络以及代理（如有）。如果是平台发送的，除非平台重试，否则该回调已丢失。",
        ),
        RejectionReason::UnsupportedEncoding => (
            "不支持的压缩格式",
            "不支持请求体的 Content-Encoding，已返回 415。请在进行压缩的中继或 CDN 上选择 gzip 或 deflate，或关闭压缩。",
        ),
        RejectionReason::UnknownDomain => (
            "域名未注册",
            "没有注册名称完全相同的域名；大小写、点和空格都有区别。请按平台发送的名称注册，或在平台上更正回调地址。",
        ),
        RejectionReason::AppNotAllowed => {
            ("应用不在列表中", "该域名只接受列表中应用的回调，而此应用不在列表中。如果是您的应用，请将其加入列表。")
        }
        RejectionReason::SecretPathMissing => (
            "缺少私密路径",
            "该域名的回调没有签名，只能靠私密路径验证。请在平台上设置带私密路径的地址，或者添加密钥并要求签名。",
        ),
        RejectionReason::SecretPathWrong => {
            ("私密路径错误", "该私密路径不属于此域名，或已失效。请创建新的私密路径，并在平台上设置完整地址。")
        }
        RejectionReason::NoKey => ("没有密钥", "该域名要求签名，但没有可用的密钥。请添加平台上设置的密钥。"),
        RejectionReason::SignatureMissing => (
            "缺少签名",
            "缺少 auth_sign 或 auth_timestamp，而该域名要求提供。请在平台上为该域名设置密钥；没有密钥，平台不会签名。",
        ),
        RejectionReason::SignatureMalformed => (
            "签名格式错误",
            "auth_sign 不是 64 位十六进制数字，而 HMAC-SHA256 应为 64 位。如果内容被截断或遮盖，请重新获取回调；如果平台确实这样发送，请反馈。",
        ),
        RejectionReason::ExpiryMalformed => (
            "过期时间格式错误",
            "auth_timestamp 不是十位数字；13 位表示毫秒，而文档规定为秒。在签名内容中，auth_timestamp 紧跟在流名之后，没有分隔符。如果既不是 10 位也不是 13 位，可能有人在截获的回调中移动了两者之间的数字，而签名仍然有效：除非平台本身这样发送，否则请视为伪造。",
        ),
        RejectionReason::ExpiryTooFar => (
            "过期时间过远",
            "签名有效，但过期时间超出本服务允许的范围。请检查本机时钟；如果平台的签名有效期确实这么长，请调大 --signature-max-future。",
        ),
        RejectionReason::SignatureMismatch => (
            "签名不匹配",
            "该域名的任何密钥都无法得出此签名。最常见的原因是平台上设置了另一个密钥：请在此处添加该密钥。如果密钥配合其他分隔符可以匹配，请更正域名的分隔符；如果完全无法匹配，则回调在传输中被改动或系伪造。",
        ),
    }
}

/// Name and advice.
fn quarantine_in_chinese(reason: QuarantineReason) -> (&'static str, &'static str) {
    match reason {
        QuarantineReason::Expired => (
            "已过期",
            "回调的签名有效，但过期时间已超出允许范围：回调迟到，或被截获者重放。请检查本机时钟；如果平台经常这样迟到，请调大 --signature-grace。",
        ),
        QuarantineReason::StartOutsideWindow => (
            "开始时间超出范围",
            "回调已通过验证，但推流开始时间与签名过期时间相距过远。签名不包含开始时间：有人可能修改截获的回调，造出从未存在的会话。如果确实是平台发送的，请调大 --start-window-before 或 --start-window-after。对于无签名的域名，此原因表示推流开始时间早于 2015 年，或晚于回调到达时间超过 --start-window-after：请查明还有谁知道私密路径。",
        ),
        QuarantineReason::EndPredatesSession => (
            "结束回调早于推流开始",
            "回调已通过验证，但签名在它所结束的推流开始之前就已过期。签名不包含开始时间：这很可能是较早一次推流的结束回调，被用于较晚的一次。对于无签名的域名，此原因表示推流开始时间晚于回调到达时间超过 --start-window-after。",
        ),
        QuarantineReason::SignatureOfAnotherStream => (
            "签名属于另一条流",
            "回调的签名有效，但此前该签名曾用于另一个应用和流：签名时各名称之间没有分隔符，同样的字符可能被拆成不同的应用名和流名。要排除这种情况，请设置该域名接受的应用列表；如果此回调是真实的，请放行。",
        ),
        QuarantineReason::SignatureOfAnotherPush => (
            "签名属于另一次推流",
            "回调的签名有效，但此前该签名曾用于该流的另一次推流。publish_timestamp 不在签名范围内，截获的回调可能被用于另一次推流。同一秒内开始或结束的两次推流签名相同，会被接受。此回调距另一次推流的回调过久，或属于第三次推流，或不合理。不合理的情况包括：开始时间与另一次推流相差超过 2 秒；所结束的推流未收到开始、其开始本身与他人共用签名，或已经结束；以及未在文档中说明的事件。如果此回调是真实的，请放行。",
        ),
        QuarantineReason::EndOfUnknownPush => (
            "结束回调没有对应的开始",
            "回调的签名有效，但从未收到其推流的开始，且开始时间早于 --missing-start-limit 允许的范围。请核对 publish_timestamp：如果有误，会多计好几年的时长。如果推流确实在那时开始，请放行。",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_advice_in_chinese_is_its_own_and_of_whole_sentences() {
        let rejections = RejectionReason::ALL.iter().map(|cause| rejection_in_chinese(*cause));
        let mut texts: Vec<_> =
            rejections.chain(QuarantineReason::ALL.iter().map(|reason| quarantine_in_chinese(*reason))).collect();
        assert!(texts.iter().all(|(name, advice)| !name.is_empty() && advice.ends_with('。')));
        let all = texts.len();
        texts.sort_unstable();
        texts.dedup_by_key(|(name, _)| *name);
        assert_eq!(texts.len(), all);
    }
}
