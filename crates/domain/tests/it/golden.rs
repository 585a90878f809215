//! Events as they lie in logs: today's writer writes exactly these files, today's reader reads them. A file that was
//! released is never changed; another shape is another schema number and another file.

use std::collections::BTreeSet;
use std::path::PathBuf;

use issuance_domain::{
    AttentionReason, By, CardStatus, Discrepancy, EventBody, ExpiryCause, Failure, FailureKind,
    Generation, Likeness, OperatorAction, Purpose, Refusal, RefusalClass, SilenceCause, Source,
    Version, Who,
};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::sample::*;

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/events")
}

/// The words serde knows for an enum, from its own complaint about a word it does not know.
pub(crate) fn names_of<T: DeserializeOwned>(stranger: &str) -> BTreeSet<String> {
    let Err(complaint) = serde_json::from_str::<T>(stranger) else {
        panic!("{stranger} was taken")
    };
    let complaint = complaint.to_string();
    complaint
        .split('`')
        .skip(3)
        .step_by(2)
        .map(Into::into)
        .collect()
}

/// One of each, with every member given.
pub(crate) fn examples() -> Vec<EventBody> {
    let purpose = Purpose::CreateCard;
    let generation = Generation(1);
    let terms = serde_json::from_value(json!({
        "reference": "ref-1", "account": "account-1", "product_id": "product-1", "currency": "USD", "limit": "120.50",
        "spending_controls": [{"amount": "20", "interval": "PER_TRANSACTION"}],
        "risk_controls": {"enable_3ds": true, "allow_3ds_transactions": false, "merchants": {"blocked": ["5734"]}},
        "usage": "one_time_on_capture", "cardholder_id": "cardholder-1", "kyc": "sumsub_redirect",
    }))
    .unwrap();
    let refusal = Refusal {
        missing_fields: vec!["identity.number".into()],
        ..refusal(RefusalClass::Input, "cardholder_incomplete_fields")
    };
    let failure = Failure {
        kind: FailureKind::Refused,
        code: Some("cardholder_incomplete_fields".into()),
        missing_fields: vec!["identity.number".into()],
        who: Who::Host,
        new_order_could_succeed: true,
    };
    let word = AttentionReason::UnknownWord {
        field: "card_status".into(),
        word: "WARP".into(),
    };
    let second = Discrepancy::SecondCard {
        card: "card-2".parse().unwrap(),
        status: None,
    };
    vec![
        EventBody::OrderRequested {
            terms,
            personal_digest: issuance_domain::Digest("d0".into()),
            prepaid: false,
        },
        started(purpose, 1, 1),
        unanswered(purpose, 1, SilenceCause::ServerError { http_status: 503 }),
        was_refused(1, refusal),
        EventBody::SubmissionAnswered {
            purpose: Purpose::CancelCard,
            generation,
            source: answer_to(Purpose::CancelCard, 1),
        },
        EventBody::KeyExpired {
            purpose,
            generation,
            because: None,
        },
        observed(scan_with(minutes(11), Likeness::Unclear)),
        EventBody::AbsenceProved {
            generation,
            first: scan(minutes(11)),
            second: scan(minutes(21)),
        },
        EventBody::LeftoverFound {
            cardholder: "cardholder-9".parse().unwrap(),
            scan: scan_with(minutes(11), Likeness::Ours),
        },
        EventBody::ResubmissionOwed {
            purpose,
            generation: Generation(2),
            due: start().after(minutes(30)),
            cardholder: Some("cardholder-9".parse().unwrap()),
        },
        EventBody::LookedUp { cause: Version(7) },
        EventBody::OrderAccepted {
            ids: ids(),
            under_review: true,
            source: answer(1),
        },
        EventBody::ProviderIdsLearned {
            ids: ids(),
            source: created_hook(),
        },
        EventBody::IdvRequired {
            link: Some(link(1, 24)),
            source: answer(1),
        },
        EventBody::IdvLinkIssued {
            link: link(2, 48),
            source: answer_to(Purpose::RenewIdvLink, 1),
        },
        EventBody::IdvSubmitted { source: kyc_hook() },
        EventBody::IdvLinkExpired { link: 1 },
        EventBody::IdvPassed { source: kyc_hook() },
        EventBody::FailureReported {
            code: Some("bin_closed".into()),
            source: failed_hook(),
        },
        look_up(created_hook()),
        activated(created_hook()),
        EventBody::OrderFailed {
            failure,
            source: Some(Source::LookUp),
        },
        raised(word),
        EventBody::DiscrepancyNoted {
            discrepancy: second,
            source: Source::LookUp,
        },
        cancelling(By::Policy),
        EventBody::CompensationCompleted {
            status: Some(CardStatus::PreCancel),
        },
        EventBody::HostNotified {
            through: Version(7),
        },
        operated(OperatorAction::LookUpNow),
        EventBody::ErasureRequested { by: By::Policy },
        EventBody::PersonalDataErased {
            requested: Version(9),
        },
    ]
}

fn file(body: &EventBody) -> String {
    format!("{}.v{}.json", body.name(), body.schema())
}

#[test]
fn todays_writer_writes_the_golden_form_and_todays_reader_reads_it() {
    for body in examples() {
        let path = directory().join(file(&body));
        let written = serde_json::to_string_pretty(&body).unwrap() + "\n";
        if std::env::var_os("UPDATE_GOLDEN").is_some() && !path.exists() {
            std::fs::write(&path, &written).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!(
                "{}: {error}; UPDATE_GOLDEN=1 writes a new event's file",
                file(&body)
            )
        });
        assert_eq!(
            written,
            golden,
            "{} is released: another shape needs another schema number",
            file(&body)
        );
        assert_eq!(
            serde_json::from_str::<EventBody>(&golden).unwrap(),
            body,
            "{}",
            file(&body)
        );
    }
}

#[test]
fn every_event_has_a_golden_file_under_its_stored_name() {
    let examples: BTreeSet<_> = examples()
        .iter()
        .map(|body| body.name().to_owned())
        .collect();
    assert_eq!(
        examples,
        names_of::<EventBody>(r#"{"name":"?","body":{}}"#),
        "stored names, and an example of each"
    );
}

#[test]
fn every_golden_file_still_reads() {
    let mut count = 0;
    for entry in std::fs::read_dir(directory()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let body: EventBody =
            serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(name.split('.').next(), Some(body.name()), "{name}");
        count += 1;
    }
    assert!(count >= 30, "{count} files");
}

/// What today's writer adds to the released form of a request for a prepaid card.
fn member_of_today() -> String {
    let [mut requested] = requested().try_into().unwrap();
    if let EventBody::OrderRequested { prepaid, .. } = &mut requested {
        *prepaid = true;
    }
    serde_json::to_string(&requested).unwrap()
}

#[test]
fn an_added_optional_member_does_not_stop_an_older_reader() {
    let member = r#"{"name":"key_expired","body":{"purpose":"create_card","generation":1,"because":"too_old"}}"#;
    assert_eq!(
        serde_json::from_str::<EventBody>(member).unwrap(),
        key_expired(Purpose::CreateCard, ExpiryCause::TooOld)
    );
    let prepaid: EventBody = serde_json::from_str(&member_of_today()).unwrap();
    assert!(matches!(
        prepaid,
        EventBody::OrderRequested { prepaid: true, .. }
    ));
    let newer = r#"{"name":"idv_link_expired","body":{"link":1,"added_later":true}}"#;
    assert_eq!(
        serde_json::from_str::<EventBody>(newer).unwrap(),
        EventBody::IdvLinkExpired { link: 1 }
    );
}
