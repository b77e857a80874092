//! When a certificate is ordered: at once where there is none for what is written, before the one that is there ends, and
//! after a failure with growing pauses.

use std::time::Duration;

use model::{AcmeDoc, AcmeKeystore, AcmeState};
use x509_parser::prelude::{FromDer, X509Certificate};

const HOUR: u64 = 3_600_000;
const MINUTE: u64 = 60_000;
/// Longest pause after a failure, in milliseconds, unless the authority asks for more.
const LONGEST_PAUSE: u64 = 12 * HOUR;
/// Longest pause that an authority is believed.
const LONGEST_ASKED: u64 = 7 * 24 * HOUR;

/// Where things are with a certificate. Times are milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It is to be ordered as soon as possible.
    Wanted,
    /// Somebody is ordering it.
    Ordering,
    /// It did not work.
    Failing { again: u64 },
    /// It is there.
    Valid { renews: u64 },
}

impl Phase {
    pub fn of(keystore: &AcmeKeystore, now: u64) -> Self {
        let AcmeKeystore { doc, state, leaf, .. } = keystore;
        if state.ordered.as_ref() != Some(&doc.ordered_with()) {
            return Self::Wanted;
        }
        match (&state.order, state.issued_at, leaf) {
            (Some(order), ..) if now < order.until => Self::Ordering,
            _ if state.failing > 0 => Self::Failing { again: state.try_again },
            (_, Some(issued), Some(leaf)) => Self::Valid { renews: renews_at(doc, leaf, issued) },
            _ => Self::Wanted,
        }
    }

    /// Whether it is time to order.
    pub fn is_due(self, now: u64) -> bool {
        match self {
            Self::Wanted => true,
            Self::Ordering => false,
            Self::Failing { again: at } | Self::Valid { renews: at } => now >= at,
        }
    }
}

/// When a certificate that came at a time is to be renewed. One that would be due as it comes, since its authority or somebody's
/// clock has other ideas of time, is not ordered over and over.
fn renews_at(doc: &AcmeDoc, leaf: &[u8], issued: u64) -> u64 {
    let Ok((_, parsed)) = X509Certificate::from_der(leaf) else { return issued + HOUR };
    let millis = |seconds: i64| u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000);
    let validity = parsed.validity();
    let (begin, end) = (millis(validity.not_before.timestamp()), millis(validity.not_after.timestamp()));
    let third = end.saturating_sub(begin) / 3;
    let before = doc.renew_before.map_or(third, |before| before.millis());
    end.saturating_sub(before).max(begin.saturating_add(third)).max(issued.saturating_add(HOUR))
}

/// Remembers that an order did not work.
pub(super) fn failed(state: &mut AcmeState, problem: String, asked: Option<Duration>, now: u64) {
    state.order = None;
    // Five attempts in the first hour are what authorities bear.
    let pause = 3_u64.saturating_pow(state.failing).saturating_mul(MINUTE).min(LONGEST_PAUSE);
    let asked = asked.map_or(0, |asked| u64::try_from(asked.as_millis()).unwrap_or(u64::MAX));
    state.failing = state.failing.saturating_add(1);
    state.problem = Some(problem);
    state.try_again = now.saturating_add(pause.max(asked.min(LONGEST_ASKED)));
}

#[cfg(test)]
mod tests {
    use model::acme::AcmeOrder;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use serde_json::json;

    use super::*;

    const DAY: u64 = 24 * HOUR;
    /// 2026-01-01
    const BEGIN: u64 = 1_767_225_600_000;

    fn doc(change: &serde_json::Value) -> AcmeDoc {
        let mut doc = json!({
            "directoryUrl": "https://acme.example/", "names": ["a.example"], "termsOfServiceAgreed": true,
        });
        for (key, value) in change.as_object().expect("an object") {
            doc[key] = value.clone();
        }
        serde_json::from_value(doc).expect("a document")
    }

    /// From 2026-01-01 for 90 days.
    fn leaf() -> Vec<u8> {
        let mut params = CertificateParams::new(["a.example".to_owned()]).expect("names");
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2026, 4, 1);
        params.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate").der().to_vec()
    }

    #[test]
    fn a_certificate_is_ordered_when_there_is_none_for_what_is_written_and_before_it_ends() {
        let (plain, none) = (json!({}), None);
        let failing = AcmeState { failing: 2, try_again: BEGIN + 9, ..AcmeState::default() };
        let order = AcmeOrder {
            node: "n".into(),
            until: BEGIN + 5,
            challenges: [].into(),
            tls_challenges: [].into(),
        };
        let ordering = AcmeState { order: Some(order), ..AcmeState::default() };
        let issued = AcmeState { issued_at: Some(BEGIN), ..AcmeState::default() };
        let late = AcmeState { issued_at: Some(BEGIN + 89 * DAY), ..AcmeState::default() };
        for (change, state, leaf, expect) in [
            (&plain, &AcmeState::default(), none.clone(), Phase::Wanted),
            (&plain, &ordering, none.clone(), Phase::Ordering),
            (&plain, &failing, Some(leaf()), Phase::Failing { again: BEGIN + 9 }),
            (&plain, &issued, Some(leaf()), Phase::Valid { renews: BEGIN + 60 * DAY }),
            (
                &json!({ "renewBefore": "10d" }),
                &issued,
                Some(leaf()),
                Phase::Valid { renews: BEGIN + 80 * DAY },
            ),
            // Never in its first third, and never again within the hour.
            (
                &json!({ "renewBefore": "80d" }),
                &issued,
                Some(leaf()),
                Phase::Valid { renews: BEGIN + 30 * DAY },
            ),
            (&plain, &late, Some(leaf()), Phase::Valid { renews: BEGIN + 89 * DAY + HOUR }),
        ] {
            let state = AcmeState { ordered: Some(doc(&plain)), ..state.clone() };
            let keystore = AcmeKeystore {
                name: "k".into(),
                doc: doc(change),
                state,
                external_key: None,
                roots: None,
                leaf,
            };
            assert_eq!(Phase::of(&keystore, BEGIN), expect, "{change}");
            let other = AcmeKeystore { doc: doc(&json!({ "names": ["b.example"] })), ..keystore };
            assert_eq!(Phase::of(&other, BEGIN), Phase::Wanted, "for another name");
        }
        let given_up = AcmeState { ordered: Some(doc(&plain)), ..ordering };
        let keystore = AcmeKeystore {
            name: "k".into(),
            doc: doc(&plain),
            state: given_up,
            external_key: None,
            roots: None,
            leaf: None,
        };
        assert_eq!(Phase::of(&keystore, BEGIN + 5), Phase::Wanted);
    }

    #[test]
    fn pauses_grow_and_the_authority_may_ask_for_longer_ones() {
        let mut state = AcmeState::default();
        let mut pauses = Vec::new();
        for _ in 0..9 {
            failed(&mut state, "no".into(), None, 0);
            pauses.push(state.try_again / MINUTE);
        }
        assert_eq!(pauses, [1, 3, 9, 27, 81, 243, 720, 720, 720]);
        for (asked, pause) in [(HOUR, 720 * MINUTE), (24 * HOUR, 24 * HOUR), (u64::MAX, 7 * 24 * HOUR)] {
            failed(&mut state, "no".into(), Some(Duration::from_millis(asked)), 0);
            assert_eq!(state.try_again, pause);
        }
    }
}
