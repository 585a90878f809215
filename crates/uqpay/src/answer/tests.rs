//! Every row of contract §6.3, and the rule that silence is never a refusal.

use zeroize::Zeroizing;

use super::*;
use crate::{Card, CreatedCard};

fn hear(status: u16, body: &str) -> Heard {
    Heard {
        endpoint: Endpoint::CreateCard,
        status,
        date: None,
        retry_after: None,
        body: Ok(Zeroizing::new(body.as_bytes().to_vec())),
    }
}

fn created(status: u16, body: &str) -> Answer<CreatedCard> {
    judge(hear(status, body), |_| Ok(()))
}

fn refusal(status: u16, body: &str) -> Refusal {
    match created(status, body) {
        Answer::Refused(refusal) => *refusal,
        other => panic!("want a refusal of HTTP {status} {body}, got {other:?}"),
    }
}

fn unknown(status: u16, body: &str) -> Unknown {
    match created(status, body) {
        Answer::Unknown(unknown) => unknown,
        other => panic!("want unknown for HTTP {status} {body}, got {other:?}"),
    }
}

fn a(kind: &str, code: &str) -> String {
    format!(r#"{{"type":"{kind}","code":"{code}","message":"a text that may change"}}"#)
}

#[test]
fn every_row_of_the_table() {
    use Class::*;
    use KeyUse::{Hold, New, Same};
    let cardholder = "cardholder_error";
    let rows: Vec<(u16, String, Class, KeyUse)> = vec![
        (
            400,
            a(cardholder, "cardholder_missing_info"),
            InvalidRequest,
            New,
        ),
        (
            400,
            a(cardholder, "cardholder_incomplete_fields"),
            NeedsInput,
            New,
        ),
        (400, a(cardholder, "kyc_insufficient"), NeedsInput, New),
        (
            400,
            a(cardholder, "email_duplicated"),
            Duplicate(DuplicateField::Email),
            New,
        ),
        (
            400,
            a(cardholder, "phone_number_duplicated"),
            Duplicate(DuplicateField::Phone),
            New,
        ),
        (
            400,
            a(cardholder, "invalid_phone_number"),
            InvalidPhoneNumber,
            New,
        ),
        (
            400,
            a("invalid_request_error", "invalid_parameter"),
            InvalidRequest,
            New,
        ),
        (
            400,
            a("invalid_request_error", "never_heard_of"),
            InvalidRequest,
            New,
        ),
        (400, a("card_error", "card_not_found"), NotFound, New),
        (400, a("not_found", "some_thing"), NotFound, New),
        (400, a("card_error", "insufficient_sub_bin"), EmptyPool, New),
        (
            400,
            a("account_error", "insufficient_balance"),
            NoBalance,
            New,
        ),
        (400, a("card_error", "card_quota_exceeded"), NoQuota, New),
        (
            400,
            a("card_error", "product_disabled"),
            ProductDisabled,
            New,
        ),
        (
            400,
            a("card_error", "card_art_not_configured"),
            Configuration,
            New,
        ),
        (
            400,
            a("account_error", "sub_account_not_found"),
            Configuration,
            New,
        ),
        (400, a("card_error", "region_or_whatever"), UnknownCode, New),
        (
            400,
            a("idempotency_error", "idempotency_error"),
            IdempotencyConflict,
            Hold,
        ),
        (
            400,
            a("idempotency_error", "another_code"),
            IdempotencyConflict,
            Hold,
        ),
        (
            400,
            r#"{"code":400,"message":"Request is processing, please try again later"}"#.into(),
            Processing,
            Same,
        ),
        (
            400,
            r#"{"code":200,"message":"REQUEST IS PROCESSING"}"#.into(),
            Processing,
            Same,
        ),
        (
            400,
            r#"{"type":"idempotency_error","code":"busy","message":"request is processing"}"#
                .into(),
            Processing,
            Same,
        ),
        (
            400,
            r#"{"code":200,"message":"in another wording"}"#.into(),
            Unclear,
            Same,
        ),
        (400, r#"{"message":"only a message"}"#.into(), Unclear, Same),
        (
            401,
            r#"{"error":"token has expired"}"#.into(),
            TokenExpired,
            Same,
        ),
        (
            401,
            r#"{"error":"Login Expired"}"#.into(),
            TokenExpired,
            Same,
        ),
        (
            401,
            r#"{"message":"your token expired"}"#.into(),
            TokenExpired,
            Same,
        ),
        (
            401,
            r#"{"type":"unauthorized_error","code":"unauthorized_error","message":"JWT expired"}"#
                .into(),
            TokenExpired,
            Same,
        ),
        (
            401,
            r#"{"error":"invalid auth token format"}"#.into(),
            MalformedToken,
            Same,
        ),
        (
            401,
            r#"{"error":"IP not allowed: 192.0.2.1"}"#.into(),
            IpNotAllowed,
            Same,
        ),
        (401, r#"{"error":"no"}"#.into(), CredentialsRejected, Same),
        (401, String::new(), CredentialsRejected, Same),
        (403, a("unauthorized_error", "forbidden"), Forbidden, Same),
        (403, "<html>forbidden</html>".into(), Forbidden, Same),
        (404, "<html>nothing here</html>".into(), NoSuchRoute, Same),
        (404, a("card_error", "card_not_found"), NotFound, New),
        (413, String::new(), TooLarge, New),
        (
            429,
            r#"{"code":"too_many_requests","message":"x"}"#.into(),
            RateLimited { retry_after: None },
            Same,
        ),
        (
            429,
            r#"{"code":"too_many_requests","message":"x",}"#.into(),
            RateLimited { retry_after: None },
            Same,
        ),
        (429, String::new(), RateLimited { retry_after: None }, Same),
        (418, a("tea_error", "short_and_stout"), UnknownCode, New),
    ];
    for (status, body, class, key_use) in rows {
        let refusal = refusal(status, &body);
        assert_eq!(refusal.class(), class, "HTTP {status} {body}");
        assert_eq!(class.key_use(), key_use, "HTTP {status} {body}");
        assert_eq!(refusal.status, status);
    }
}

#[test]
fn status_decides_before_code() {
    // The code of another class does not override the status.
    assert_eq!(
        refusal(429, &a("card_error", "email_duplicated")).class(),
        Class::RateLimited { retry_after: None }
    );
    assert_eq!(
        refusal(401, &a("card_error", "email_duplicated")).class(),
        Class::CredentialsRejected
    );
    // Under a 400 these say that the fault is theirs, so nothing is settled.
    assert_eq!(
        refusal(400, &a("api_error", "whatever")).class().key_use(),
        KeyUse::Same
    );
    assert_eq!(
        refusal(400, &a("conflict_error", "whatever"))
            .class()
            .key_use(),
        KeyUse::Same
    );
    // The message decides nothing but its short list: an insult there is no class.
    let said = r#"{"type":"card_error","code":"x","message":"insufficient balance, email_duplicated, token expired"}"#;
    assert_eq!(refusal(400, said).class(), Class::UnknownCode);
}

#[test]
fn the_three_envelopes() {
    let envelope = |body: &str| {
        let refusal = refusal(400, body);
        (refusal.envelope, refusal.code)
    };
    assert_eq!(
        envelope(&a("card_error", "x")),
        (Some(Envelope::A), Some("x".into()))
    );
    assert_eq!(
        envelope(r#"{"code":400,"message":"x"}"#),
        (Some(Envelope::B), Some("400".into()))
    );
    assert_eq!(envelope(r#"{"error":"x"}"#), (Some(Envelope::C), None));
    let missing = r#"{"type":"cardholder_error","code":"cardholder_incomplete_fields","message":"m",
        "missing_fields":["nationality","identity.number"]}"#;
    let missing = refusal(400, missing).missing_fields.unwrap();
    assert_eq!(missing.paths, ["nationality", "identity.number"]);
    assert_eq!(
        missing.raw,
        serde_json::json!(["nationality", "identity.number"])
    );
}

#[test]
fn unknown_outcomes_are_never_refusals() {
    use UnknownCause::*;
    let code = a("card_error", "email_duplicated");
    for (status, cause) in [
        (302, Redirect),
        (307, Redirect),
        (408, RequestTimeout),
        (409, Conflict),
        (500, ServerError),
        (502, ServerError),
        (503, ServerError),
        (504, ServerError),
        (599, ServerError),
        (600, UnexpectedStatus),
    ] {
        let unknown = unknown(status, &code);
        assert_eq!((unknown.cause, unknown.status), (cause, Some(status)));
        assert_eq!(
            unknown.code.as_deref(),
            Some("email_duplicated"),
            "kept for people"
        );
    }
    for body in [
        "",
        "<html>bad request</html>",
        "{}",
        "[]",
        "{\"type\":\"card_err",
        "null",
        r#"{"code":""}"#,
    ] {
        assert_eq!(unknown(400, body).cause, UnreadableRefusal, "{body}");
        assert_eq!(unknown(422, body).cause, UnreadableRefusal, "{body}");
    }
}

#[test]
fn a_success_must_bring_its_id() {
    use UnknownCause::*;
    for (body, cause) in [
        ("", Unreadable),
        ("<html>ok</html>", Unreadable),
        (r#"{"card_id":"d1e4"#, Unreadable),
        (r#""ok""#, Unreadable),
        ("{}", Incomplete),
        (r#"{"card_status":"PENDING","code":""}"#, Incomplete),
        (r#"{"card_id":"","code":200}"#, Incomplete),
        (r#"{"code":"200","data":{}}"#, Incomplete),
        (r#"{"code":"SUCCESS","data":{}}"#, Incomplete),
        (r#"{"card_id":"../../etc"}"#, Incomplete),
    ] {
        let unknown = unknown(200, body);
        assert_eq!(
            (unknown.cause, unknown.status),
            (cause, Some(200)),
            "{body}"
        );
    }
    let refusal = refusal(200, r#"{"code":"email_duplicated","message":"m"}"#);
    assert_eq!(
        (refusal.status, refusal.class()),
        (200, Class::Duplicate(DuplicateField::Email))
    );
    // With the id, an empty or even an odd code does not matter.
    for status in [200, 201, 202] {
        let body = r#"{"card_id":"d1e4","code":""}"#;
        assert!(matches!(created(status, body), Answer::Ok(received) if received.status == status));
    }
}

#[test]
fn a_mint_refused_is_about_the_credentials() {
    for (status, body) in [
        (400, r#"{"message":"Invalid client id"}"#),
        (400, ""),
        (401, ""),
        (403, ""),
        (404, ""),
    ] {
        let mut heard = hear(status, body);
        heard.endpoint = Endpoint::MintToken;
        let Answer::Refused(refusal) = judge::<Card>(heard, |_| Ok(())) else {
            panic!("HTTP {status}")
        };
        assert_eq!(
            refusal.class(),
            Class::CredentialsRejected,
            "HTTP {status} {body}"
        );
    }
}

#[test]
fn nothing_private_is_printed() {
    let body = r#"{"type":"cardholder_error","code":"email_duplicated","message":"mina.okafor@mail.example is taken"}"#;
    let refusal = refusal(400, body);
    assert_eq!(
        refusal.to_string(),
        "create_card: refused: HTTP 400, code email_duplicated"
    );
    let ok = created(
        200,
        r#"{"card_id":"d1e4","idv_verification_url":"https://in.sumsub.com/websdk/p/sbx_q81LmZ"}"#,
    );
    let printed = format!("{refusal:?} {ok:?} {:?}", unknown(500, body));
    assert!(
        !printed.contains("mina.okafor") && !printed.contains("sbx_q81LmZ"),
        "{printed}"
    );
    let injected = refusal.clone();
    let injected = Refusal {
        code: Some("a\r\nb\u{1b}[2J".into()),
        ..injected
    };
    assert!(!injected.to_string().contains(['\r', '\n', '\u{1b}']));
}
