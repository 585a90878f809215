//! What a recorded refusal may mean, by its own status and code: the table of contract §6.3 once more, written apart from
//! the one that read the answer.

use issuance_domain::{Refusal, RefusalClass};

/// Whether a status and a code like these are a definite no, and of this class. A code that is not in the contract is one
/// of any class.
pub(super) fn may_be(refusal: &Refusal) -> bool {
    let code = refusal.code.to_ascii_lowercase();
    let has = |word: &str| code.contains(word);
    let classes: &[RefusalClass] = match refusal.http_status {
        // Said at the door, or by a server that could not: nothing about the order.
        401 | 403 | 408 | 409 | 429 | 500.. | 300..=399 => &[],
        413 => &[RefusalClass::Input],
        404 => &[RefusalClass::Unknown],
        // The number of a legacy envelope is no code: "still processing" comes like that.
        _ if !code.contains(|letter: char| letter.is_alphabetic()) => &[],
        _ => match &*code {
            "email_duplicated" | "phone_number_duplicated" => &[RefusalClass::Duplicate],
            "cardholder_incomplete_fields" | "kyc_insufficient" | "invalid_phone_number" => {
                &[RefusalClass::Input]
            }
            "cardholder_missing_info"
            | "invalid_request_error"
            | "invalid_parameter"
            | "card_art_not_configured" => &[RefusalClass::Configuration],
            "insufficient_sub_bin" | "sub_account_not_found" => &[RefusalClass::Capacity],
            "idempotency_error" => &[RefusalClass::KeyConflict],
            "too_many_requests" | "unauthorized_error" | "forbidden" | "processing"
            | "api_error" | "conflict_error" | "unclear" => &[],
            _ if has("insufficient") && has("balance") || has("quota") => &[RefusalClass::Capacity],
            _ => return true,
        },
    };
    classes.contains(&refusal.class)
}
