//! The closed sets of the model are those that the schema allows.

use std::collections::BTreeSet;

use streamtally::model::ClosedSet;
use streamtally::model::access::{FieldSeparator, Scope, SignatureRule};
use streamtally::model::event::{AlteredMember, Disposition, Origin, Signature};
use streamtally::model::polling::PollMode;
use streamtally::model::report::SealedReportStatus;
use streamtally::model::session::{EndSource, Flag, Status};

use crate::helpers::TestApp;

/// That a CHECK constraint has exactly the words of a set, as texts in quotes.
async fn assert_constraint_lists<T: ClosedSet>(app: &TestApp, constraint: &str) {
    let definition: String = sqlx::query_scalar(
        "select pg_get_constraintdef(oid) from pg_constraint where conname = $1 and conparentid = 0",
    )
    .bind(constraint)
    .fetch_one(&app.pool)
    .await
    .unwrap();
    let listed: BTreeSet<_> = definition.split('\'').skip(1).step_by(2).collect();
    assert_eq!(listed, T::ALL.iter().map(|variant| variant.as_str()).collect(), "{constraint}: {definition}");
}

#[tokio::test]
async fn closed_sets_are_those_of_the_check_constraints() {
    let app = TestApp::start().await;
    assert_constraint_lists::<Status>(&app, "stream_session_status_known").await;
    assert_constraint_lists::<EndSource>(&app, "stream_session_ended_at_source_known").await;
    assert_constraint_lists::<EndSource>(&app, "session_outcome_ended_at_source_known").await;
    assert_constraint_lists::<Flag>(&app, "stream_session_flags_known").await;
    assert_constraint_lists::<Origin>(&app, "log_entry_origin_known").await;
    assert_constraint_lists::<Disposition>(&app, "log_entry_disposition_known").await;
    assert_constraint_lists::<Signature>(&app, "log_entry_signature_known").await;
    assert_constraint_lists::<AlteredMember>(&app, "log_entry_altered_known").await;
    assert_constraint_lists::<SealedReportStatus>(&app, "sealed_report_status_known").await;
    assert_constraint_lists::<Scope>(&app, "access_token_scopes_known").await;
    assert_constraint_lists::<SignatureRule>(&app, "ingest_domain_signature_known").await;
    assert_constraint_lists::<FieldSeparator>(&app, "ingest_domain_joiner_known").await;
    assert_constraint_lists::<PollMode>(&app, "ingest_domain_poll_mode_known").await;
}
