//! The names in files.

use crate::model::closed_set;

/// What the cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Count,
    /// Hours, from whole seconds.
    Hours,
    Time,
}

macro_rules! terms {
    ($($term:ident: $kind:ident, $meaning:literal;)+) => {
        closed_set! {
            /// The name of a column or of a parameter in files. CSV has its spelling, workbooks its title and its meaning.
            pub enum Term { $($term),+ }
        }

        impl Term {
            pub fn kind(self) -> Kind {
                match self { $(Self::$term => Kind::$kind),+ }
            }

            /// What it means, in English.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$term => $meaning),+ }
            }
        }
    };
}

// To add a term, add it here and its Chinese in `dashboard::texts::terms`.
terms! {
    Domain: Text, "Ingest domain.";
    App: Text, "App.";
    Stream: Text, "Stream name.";

    WindowStart: Time, "Start of the window (inclusive).";
    WindowEnd: Time, "End of the window (exclusive).";
    WindowStartLocal: Time, "Start of the window by the clock of the time zone.";
    TimeZone: Text, "The time zone of local times.";
    Sessions: Count, "Sessions that were live or started in the window.";
    SessionsStarted: Count, "Sessions that started in the window.";
    PushHours: Hours, "Push seconds in hours.";
    PushSeconds: Count, "Length of all pushes: confirmed, estimated and open seconds. Where two pushes of a stream overlap, both count.";
    ConfirmedHours: Hours, "Confirmed seconds in hours.";
    ConfirmedSeconds: Count, "Seconds of sessions whose end the provider reported or an operator set.";
    EstimatedHours: Hours, "Estimated seconds in hours.";
    EstimatedSeconds: Count, "Seconds of sessions whose end was not reported, and is inferred.";
    OpenHours: Hours, "Open seconds in hours.";
    OpenSeconds: Count, "Seconds of sessions without a known end, up to “As of”.";
    OnAirHours: Hours, "On-air seconds in hours.";
    OnAirSeconds: Count, "Seconds in which a stream was live. Where two pushes of a stream overlap, each second counts once.";
    PeakLiveSessions: Count, "The highest number of sessions that were live at one instant.";

    SessionId: Text, "ID of the session.";
    StreamId: Text, "ID of the stream.";
    PublishTimestamp: Count, "Start of the push in Unix seconds.";
    Status: Text, "live: no end is known. ended: an end is known.";
    Unconfirmed: Text, "true: live for longer than expected.";
    StartedAt: Time, "Start of the push.";
    EndedAt: Time, "End of the push; empty while live.";
    StartedAtLocal: Time, "Start of the push by the clock of the time zone.";
    EndedAtLocal: Time, "End of the push by the clock of the time zone; empty while live.";
    EndedAtSource: Text, "notification: the provider reported the end. operator: an operator set it. superseded: inferred from the \
        next push of the stream. timed_out: inferred from a timeout. unlisted: inferred from the provider's list of streams on air. \
        provider_history: read from the provider's history.";
    CountedAs: Text, "confirmed: the provider reported the end, its history has it, or an operator set it. estimated: the end is inferred. open: no \
        end was known.";
    CountedHours: Hours, "Counted seconds in hours.";
    CountedSeconds: Count, "Seconds of the session within the period.";
    Explanation: Text, "Explanation of the end.";
    DurationHours: Hours, "Duration in hours.";
    DurationSeconds: Count, "Seconds from the start to the end; up to “As of” while live.";
    StartReceivedAt: Time, "When a start callback was first received.";
    EndReceivedAt: Time, "When an end callback was first received.";
    ConfirmedAt: Time, "When an operator or the provider's list confirmed last that the session is live.";
    ProviderEndedAt: Time, "End of the push by the provider's history. A reported end and an operator's have precedence.";
    StartDeliveries: Count, "How often a start callback was received.";
    EndDeliveries: Count, "How often an end callback was received.";
    RenditionOf: Text, "Name of the source stream, if this is a transcoded rendition.";
    RenditionTemplate: Text, "The transcoding template of the rendition.";
    Flags: Text, "Warnings about the session.";
    ClientIp: Text, "IP address of the encoder.";
    NodeIp: Text, "IP address of the receiving node.";
    UserArgs: Text, "Query string of the push URL, with credentials masked.";

    At: Time, "The instant.";
    AtLocal: Time, "The instant by the clock of the time zone.";
    LiveSessions: Count, "Live sessions.";
    LiveStreams: Count, "Streams with at least one live session.";

    SealedPushHours: Hours, "Push hours when the report was sealed.";
    PushHoursToday: Hours, "Push hours by the log as it is now.";
    DifferenceHours: Hours, "Push hours today minus those when the report was sealed.";
    DifferenceSeconds: Count, "The difference in seconds.";

    From: Time, "Start of the period (inclusive).";
    To: Time, "End of the period (exclusive).";
    Window: Text, "The windows that divide the period.";
    GroupBy: Text, "How the rows are grouped.";
    StepSeconds: Count, "Seconds between two points.";
    Renditions: Text, "Whether transcoded renditions count.";
    Filters: Text, "Filters of the list.";
    PeakAt: Time, "The first instant with the most live sessions.";
    PeakLiveStreams: Count, "Streams that were live at this instant.";
    AsOf: Text, "The instant of the data, in UTC: reports count the log up to it, and lists were read at or after it.";
    AsOfLocal: Time, "The same by the clock of the time zone.";
}

impl Term {
    /// Its title in English, such as `Push hours`.
    pub fn title(self) -> String {
        let name = self.as_str();
        let name = name.strip_suffix("_local").unwrap_or(name);
        let words = name.strip_prefix("window_").unwrap_or(name).replace('_', " ");
        let words = words.replace(" id", " ID").replace(" ip", " IP").replace("on air", "on-air");
        let mut letters = words.chars();
        letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_readable_names() {
        for (term, title) in [
            (Term::WindowStart, "Start"),
            (Term::PushHours, "Push hours"),
            (Term::SessionId, "Session ID"),
            (Term::OnAirHours, "On-air hours"),
            (Term::AsOfLocal, "As of"),
        ] {
            assert_eq!(term.title(), title);
        }
    }
}
