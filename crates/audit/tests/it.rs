//! A real journal on a real disk: verified, replayed, exported, and spoilt.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use issuance_audit::{AuditError, Format, JournalError, Log, Problem, Until};
use issuance_domain::{
    CardId, CardStatus, Currency, Digest, Event, EventBody, Generation, IdempotencyKey, KycMethod,
    OrderId, ProviderIds, Purpose, Source, State, Terms, Timestamp, Usage, Version,
};
use issuance_store::body_json;
use issuance_store::journal::{DataDir, Entry, Options, Writer};
use serde_json::value::RawValue;

fn order(number: u128) -> OrderId {
    OrderId(uuid::Uuid::from_u128(
        0x0192_0000_0000_7000_8000_0000_0000_0000 + number,
    ))
}

/// 2026-01-01T00:00:00Z and some minutes.
fn minute(minutes: i64) -> Timestamp {
    Timestamp::from_millis(1_767_225_600_000 + minutes * 60_000)
}

/// The life of a card order that goes well, five minutes long.
fn story(id: OrderId, start: i64) -> Vec<Event> {
    let card: CardId = format!("card-{}", id.0.as_u128() & 0xff).parse().unwrap();
    let ids = ProviderIds {
        card: Some(card.clone()),
        ..ProviderIds::default()
    };
    let (purpose, generation) = (Purpose::CreateCard, Generation(1));
    let source = Source::Answer {
        purpose,
        generation,
    };
    let bodies = [
        EventBody::OrderRequested {
            terms: Terms {
                reference: format!("=ref-{}", id.0.as_u128() & 0xff).parse().unwrap(),
                account: None,
                product_id: "product".parse().unwrap(),
                currency: "USD".parse::<Currency>().unwrap(),
                limit: None,
                spending_controls: Vec::new(),
                risk_controls: None,
                usage: Usage::Normal,
                cardholder_id: None,
                kyc: KycMethod::None,
            },
            personal_digest: Digest("00".into()),
            prepaid: false,
        },
        EventBody::SubmissionStarted {
            purpose,
            generation,
            attempt: 1,
            key: IdempotencyKey::derive(id, purpose, generation),
            body_digest: Digest("11".into()),
        },
        EventBody::OrderAccepted {
            ids,
            under_review: false,
            source,
        },
        EventBody::CardActivated {
            card,
            status: CardStatus::Active,
            source: Source::LookUp,
        },
        EventBody::HostNotified {
            through: Version(4),
        },
    ];
    (0..)
        .zip(bodies)
        .map(|(index, body)| Event {
            at: minute(start + index),
            body,
        })
        .collect()
}

/// One appended batch: whose, from which version on, what.
type Append = (OrderId, u64, Vec<Event>);

fn entries((id, first, events): &Append) -> Vec<Entry<'static>> {
    (*first..)
        .zip(events)
        .map(|(version, event)| Entry {
            stream: format!("order/{id}").into(),
            version,
            name: event.body.name().into(),
            schema: event.body.schema(),
            recorded_at: event.at.to_string().into(),
            body: Cow::Owned(RawValue::from_string(body_json(&event.body).unwrap()).unwrap()),
            message: None,
        })
        .collect()
}

struct Fixture {
    directory: tempfile::TempDir,
}

impl Fixture {
    /// A log of these appends in small segments.
    fn of(appends: &[Append]) -> Self {
        Self::written(&appends.iter().map(entries).collect::<Vec<_>>())
    }

    fn written(batches: &[Vec<Entry<'static>>]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::open(&directory.path().join("data")).unwrap();
        let journal = data.directory("journal").unwrap();
        let options = Options {
            segment_bytes: 1500,
            known: None,
        };
        let (mut writer, _) = Writer::open(Arc::new(journal), &options).unwrap();
        for batch in batches {
            writer.write(std::slice::from_ref(batch)).unwrap();
            writer.sync().unwrap();
        }
        Self { directory }
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn segments(&self) -> Vec<PathBuf> {
        segments(&self.data().join("journal"))
    }
}

fn segments(journal: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(journal)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
}

/// Two orders, interleaved, one event an append, in several segments.
fn two_orders() -> Fixture {
    let (one, two) = (story(order(1), 0), story(order(2), 3));
    let mut appends = Vec::new();
    for (version, (a, b)) in (1..).zip(one.into_iter().zip(two)) {
        appends.push((order(1), version, vec![a]));
        appends.push((order(2), version, vec![b]));
    }
    let fixture = Fixture::of(&appends);
    assert!(fixture.segments().len() > 2);
    fixture
}

#[test]
fn a_sound_log_is_proved_from_its_journal_alone() {
    let fixture = two_orders();
    let mut heard = Vec::new();
    let report = Log::open(&fixture.data())
        .unwrap()
        .verify(|done, all| heard.push((done, all)))
        .unwrap();
    assert!(report.is_sound(), "{:?}", report.findings);
    assert_eq!(report.head.position, 10);
    assert_eq!(report.tally.states, BTreeMap::from([("active", 2)]));
    assert_eq!(report.records["card_activated"], 2);
    assert_eq!(
        report.span,
        Some((minute(0).to_string(), minute(7).to_string()))
    );
    assert_eq!(heard.last(), Some(&(10, 10)));

    // A copy of the files, elsewhere and by any name, without vault, index or lock.
    let copy = fixture.directory.path().join("copy");
    fs::create_dir(&copy).unwrap();
    for path in fixture.segments() {
        fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
    }
    let before = listing(&copy);
    assert_eq!(Log::open(&copy).unwrap().verify(|_, _| ()).unwrap(), report);
    assert_eq!(listing(&copy), before, "nothing is made or changed");
}

fn listing(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    segments(directory)
        .into_iter()
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

#[test]
fn every_flipped_byte_is_found_and_named() {
    let fixture = two_orders();
    for path in fixture.segments() {
        let sound = fs::read(&path).unwrap();
        let mut starts = vec![0];
        starts.extend(
            sound
                .iter()
                .enumerate()
                .filter(|(_, byte)| **byte == b'\n')
                .map(|(at, _)| at + 1),
        );
        for at in (0..sound.len()).step_by(7).chain([sound.len() - 1]) {
            let mut spoilt = sound.clone();
            spoilt[at] ^= 1;
            fs::write(&path, &spoilt).unwrap();
            let error = Log::open(&fixture.data())
                .and_then(|log| log.verify(|_, _| ()))
                .unwrap_err();
            let AuditError::Journal(JournalError::Damaged {
                file, line, byte, ..
            }) = error
            else {
                panic!("byte {at} of {path:?}: {error}");
            };
            let expected = starts.iter().rposition(|start| *start <= at).unwrap();
            assert_eq!(path.file_name().unwrap().to_str(), Some(&*file));
            assert_eq!(
                (line, byte),
                (expected as u64 + 1, starts[expected] as u64),
                "byte {at} of {path:?}"
            );
        }
        fs::write(&path, &sound).unwrap();
    }
    assert!(
        Log::open(&fixture.data())
            .unwrap()
            .verify(|_, _| ())
            .unwrap()
            .is_sound()
    );
}

#[test]
fn a_missing_segment_is_named() {
    let fixture = two_orders();
    let gone = fixture.segments().remove(1);
    fs::remove_file(gone).unwrap();
    let error = Log::open(&fixture.data()).unwrap_err();
    assert!(
        matches!(error, AuditError::Journal(JournalError::Missing { .. })),
        "{error}"
    );
}

#[test]
fn a_shortened_log_is_found_out_by_a_head_that_was_kept() {
    let fixture = two_orders();
    let head = Log::open(&fixture.data()).unwrap().opened().head;
    assert!(Log::open(&fixture.data()).unwrap().contains(head).is_ok());
    let last = fixture.segments().pop().unwrap();
    fs::remove_file(last).unwrap();
    assert!(
        Log::open(&fixture.data())
            .unwrap()
            .verify(|_, _| ())
            .unwrap()
            .is_sound(),
        "by itself it cannot know"
    );
    let error = Log::open(&fixture.data())
        .unwrap()
        .contains(head)
        .unwrap_err();
    assert!(
        matches!(error, AuditError::Journal(JournalError::RolledBack { .. })),
        "{error}"
    );
}

#[test]
fn what_the_chain_cannot_show_the_fold_does() {
    let (one, two, three) = (story(order(1), 0), story(order(2), 0), story(order(3), 0));
    let mut unknown = entries(&(order(3), 2, vec![three[1].clone()]));
    unknown[0].name = "card_teleported".into();
    let fixture = Fixture::written(&[
        entries(&(order(1), 1, one[..1].to_vec())),
        // A version is left out, and only the first such finding of an order is told.
        entries(&(order(1), 3, one[2..4].to_vec())),
        // A card that is active before anybody asked for it.
        entries(&(order(2), 1, two[3..4].to_vec())),
        entries(&(order(3), 1, three[..1].to_vec())),
        unknown,
    ]);
    let report = Log::open(&fixture.data())
        .unwrap()
        .verify(|_, _| ())
        .unwrap();
    assert!(!report.is_sound());
    let found: Vec<_> = report
        .findings
        .iter()
        .map(|finding| (finding.place.position, &finding.problem))
        .collect();
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(
        found[0],
        (
            2,
            &Problem::Version {
                expected: 2,
                found: 3
            }
        )
    );
    assert!(
        matches!(found[1], (4, Problem::Contradiction { .. })),
        "{found:?}"
    );
    assert!(
        matches!(found[2], (6, Problem::Unreadable { why }) if why.contains("card_teleported")),
        "{found:?}"
    );
    assert_eq!(report.wrong, 3);
    assert_eq!(
        report.tally.orders, 0,
        "what is broken is not counted as standing anywhere"
    );
}

/// A record of the inbox.
fn message(version: u64, name: &'static str, body: &str) -> Vec<Entry<'static>> {
    vec![Entry {
        stream: "inbox".into(),
        version,
        name: name.into(),
        schema: 1,
        recorded_at: minute(0).to_string().into(),
        body: Cow::Owned(RawValue::from_string(body.to_owned()).unwrap()),
        message: None,
    }]
}

#[test]
fn the_inbox_is_judged_too() {
    let received = r#"{"id":"evt-1","event_type":"card.create.succeeded","received_at":"2026-01-01T00:00:00Z","aliases":[],"body_digest":"00","content":{}}"#;
    let parked = r#"{"id":"evt-1","standing":"parked"}"#;
    let of = |batches: &[Vec<Entry<'static>>]| {
        let fixture = Fixture::written(batches);
        let report = Log::open(&fixture.data())
            .unwrap()
            .verify(|_, _| ())
            .unwrap();
        report
            .findings
            .into_iter()
            .map(|finding| finding.problem)
            .collect::<Vec<_>>()
    };
    let sound = [
        message(1, "message_received", received),
        message(2, "message_settled", parked),
    ];
    assert_eq!(of(&sound), []);
    let hole = [
        message(1, "message_received", received),
        message(3, "message_settled", parked),
    ];
    assert_eq!(
        of(&hole),
        [Problem::Version {
            expected: 2,
            found: 3
        }]
    );
    for (name, body) in [("message_received", parked), ("message_lost", received)] {
        assert!(
            matches!(
                &of(&[message(1, name, body)])[..],
                [Problem::Unreadable { .. }]
            ),
            "{name}"
        );
    }
    let mut stranger = message(1, "message_received", received);
    stranger[0].stream = "elsewhere".into();
    assert!(matches!(&of(&[stranger])[..], [Problem::Unreadable { .. }]));
}

#[test]
fn time_travel_shows_the_book_as_it_was() {
    let fixture = two_orders();
    let log = Log::open(&fixture.data()).unwrap();
    let state = |until, id| {
        log.replay(until)
            .unwrap()
            .orders
            .get(&id)
            .map(|order| order.state.name())
    };
    assert_eq!(state(Until::Position(5), order(1)), Some("accepted"));
    assert_eq!(state(Until::Position(5), order(2)), Some("requested"));
    assert_eq!(state(Until::Position(0), order(1)), None);
    assert_eq!(state(Until::Time(minute(2)), order(1)), Some("accepted"));
    assert_eq!(state(Until::Time(minute(2)), order(2)), None);
    assert_eq!(state(Until::Time(minute(6)), order(2)), Some("active"));
    let end = log.replay(Until::End).unwrap();
    assert_eq!(end.through, 10);
    assert!(matches!(end.orders[&order(2)].state, State::Active { .. }));
    assert_eq!(end.tally().states, BTreeMap::from([("active", 2)]));
}

#[test]
fn a_clock_set_back_never_shows_a_hole() {
    let mut events = story(order(1), 0);
    events[1].at = minute(60);
    let fixture = Fixture::of(&[(order(1), 1, events)]);
    let book = Log::open(&fixture.data())
        .unwrap()
        .replay(Until::Time(minute(30)))
        .unwrap();
    assert_eq!(
        book.orders[&order(1)].version,
        Version(1),
        "what follows the later event is later, too"
    );
}

#[test]
fn a_timeline_is_one_orders_story() {
    let fixture = two_orders();
    let moments = Log::open(&fixture.data())
        .unwrap()
        .timeline(order(2))
        .unwrap();
    let versions: Vec<_> = moments
        .iter()
        .map(|moment| (moment.position, moment.version.0))
        .collect();
    assert_eq!(versions, [(2, 1), (4, 2), (6, 3), (8, 4), (10, 5)]);
    let json = serde_json::to_value(&moments[3]).unwrap();
    assert_eq!(json["name"], "card_activated");
    assert_eq!(json["body"]["card"], "card-2");
    assert!(
        Log::open(&fixture.data())
            .unwrap()
            .timeline(order(9))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn exports_are_whole_and_harmless() {
    let fixture = two_orders();
    let log = Log::open(&fixture.data()).unwrap();
    let export = |format, only| {
        let mut out = Vec::new();
        let exported = log.export(&mut out, format, only).unwrap();
        (exported.events, String::from_utf8(out).unwrap())
    };
    let (count, lines) = export(Format::JsonLines, None);
    assert_eq!((count, lines.lines().count()), (10, 10));
    let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["position"], &first["name"]),
        (&1.into(), &"order_requested".into())
    );
    assert_eq!(first["body"]["terms"]["reference"], "=ref-1");

    let (count, csv) = export(Format::Csv, Some(order(2)));
    assert_eq!((count, csv.lines().count()), (5, 6));
    assert!(csv.starts_with("position,stream,version,"));
    assert!(
        csv.lines()
            .skip(1)
            .all(|line| !line.contains(",=") && !line.contains(",@"))
    );
}

#[test]
fn only_a_log_is_a_log() {
    let directory = tempfile::tempdir().unwrap();
    assert!(matches!(
        Log::open(directory.path()),
        Err(AuditError::NoLog { .. })
    ));
    assert!(matches!(
        Log::open(&directory.path().join("none")),
        Err(AuditError::Open { .. })
    ));
    let fixture = Fixture::of(&[]);
    let report = Log::open(&fixture.data())
        .unwrap()
        .verify(|_, _| ())
        .unwrap();
    assert!(report.is_sound(), "a log nobody wrote to is sound");
    assert_eq!(report.head.position, 0);
}
