//! Properties of every body.

use onceway_signal::{Fingerprint, Payload, Source};
use proptest::collection::{btree_map, vec};
use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Value, from_str};

use crate::support::{decode, decode_webhook};

/// A JSON object as a list of members, which may have duplicate names.
type Members = Vec<(String, String)>;

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// The text as a JSON string with every character escaped.
fn escaped(text: &str) -> String {
    let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    format!("\"{units}\"")
}

fn object(members: &Members) -> String {
    let members: Vec<_> = members.iter().map(|(key, value)| format!("{key}:{value}")).collect();
    format!("{{{}}}", members.join(" ,\n"))
}

/// Any JSON, as text.
fn json() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        any::<String>().prop_map(|text| quoted(&text)),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            vec((any::<String>().prop_map(|key| quoted(&key)), inner), 0..4).prop_map(|members| object(&members)),
        ]
    })
    .boxed()
}

/// Labels as a map; few distinct names, so that targets coincide.
fn labels() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop_oneof![
        3 => proptest::sample::select(vec!["namespace", "exported_namespace", "cluster", "severity", "deployment", "pod", "node"])
            .prop_map(str::to_owned),
        1 => "[a-z_]{1,8}",
    ];
    let value = prop_oneof![
        3 => proptest::sample::select(vec!["", "a", "b", "web-7d4b8c9f5d-x2k4z", "db-0", "é😀\"\\\n"]).prop_map(str::to_owned),
        1 => ".{0,12}",
    ];
    btree_map(name, value, 0..6).prop_map(|mut labels| {
        labels.insert("alertname".to_owned(), "A".to_owned());
        labels.into_iter().collect()
    })
}

/// One alert: its labels and its other members.
fn alert() -> impl Strategy<Value = (Vec<(String, String)>, Members)> {
    let unknown = ("x[a-z]{1,4}".prop_map(|key| quoted(&key)), json());
    (labels(), vec(unknown, 0..3))
}

fn write(labels: &[(String, String)], rest: &Members, quote: fn(&str) -> String) -> String {
    let labels = labels.iter().map(|(name, value)| (quote(name), quote(value))).collect();
    let mut members = rest.clone();
    members.push((quote("labels"), object(&labels)));
    object(&members)
}

/// A webhook with unknown fields on both sides of its alerts.
fn webhook() -> impl Strategy<Value = String> {
    let own = || vec(("x[a-z]{1,4}".prop_map(|key| quoted(&key)), json()), 0..3);
    let item = prop_oneof![6 => alert().prop_map(|(labels, rest)| write(&labels, &rest, quoted)), 1 => json()];
    (own(), vec(item, 0..8), own()).prop_map(|(mut members, alerts, after)| {
        members.push((quoted("alerts"), format!("[{}]", alerts.join(" , "))));
        members.extend(after);
        object(&members)
    })
}

fn fingerprints(payload: &Payload<'_>) -> Vec<Option<Fingerprint>> {
    payload.entries().iter().map(|entry| entry.signal.as_ref().ok().map(|signal| signal.fingerprint())).collect()
}

fn single(alert: &str) -> Vec<Option<Fingerprint>> {
    fingerprints(&decode_webhook(&format!("{{\"alerts\":[{alert}]}}")))
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(body in vec(any::<u8>(), 0..512), limit in 0usize..64) {
        for source in Source::ALL {
            if let Ok(payload) = decode(source, &body) {
                let _ = (payload.groups(), payload.excerpt(&[0, 1], Some(limit)));
            }
        }
    }

    #[test]
    fn arbitrary_json_never_panics(body in json()) {
        for source in Source::ALL {
            let _ = decode(source, body.as_bytes()).map(|payload| payload.groups());
        }
    }

    #[test]
    fn a_webhook_that_ends_early_is_rejected(body in webhook(), at in any::<proptest::sample::Index>()) {
        let at = at.index(body.len());
        prop_assert!(decode(Source::Prometheus, &body.as_bytes()[..at]).is_err());
    }

    #[test]
    fn a_webhook_with_a_flipped_byte_never_panics(body in webhook(), at in any::<proptest::sample::Index>(), to: u8) {
        let mut body = body.into_bytes();
        let at = at.index(body.len());
        body[at] = to;
        for source in Source::ALL {
            let _ = decode(source, &body).map(|payload| (payload.groups(), payload.excerpt(&[0, 1, 2], None)));
        }
    }

    #[test]
    fn the_order_of_keys_changes_nothing((labels, rest) in alert()) {
        let forth = write(&labels, &rest, quoted);
        let reversed: Vec<_> = labels.into_iter().rev().collect();
        let mut back = vec![(quoted("labels"), object(&reversed.iter().map(|(k, v)| (quoted(k), quoted(v))).collect()))];
        back.extend(rest.into_iter().rev());
        prop_assert_eq!(single(&forth), single(&object(&back)));
    }

    #[test]
    fn unknown_fields_change_nothing((labels, rest) in alert()) {
        prop_assert_eq!(single(&write(&labels, &rest, quoted)), single(&write(&labels, &Vec::new(), quoted)));
    }

    #[test]
    fn escapes_change_nothing((labels, rest) in alert()) {
        prop_assert_eq!(single(&write(&labels, &rest, quoted)), single(&write(&labels, &rest, escaped)));
    }

    #[test]
    fn labels_are_returned_as_they_were_sent((labels, rest) in alert()) {
        for quote in [quoted, escaped] {
            let body = format!("{{\"alerts\":[{}]}}", write(&labels, &rest, quote));
            if let Ok(signal) = &decode_webhook(&body).entries()[0].signal {
                let found: Vec<_> = signal.labels.iter().map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
                prop_assert_eq!(&found, &labels);
            }
        }
    }

    #[test]
    fn an_excerpt_of_everything_decodes_to_the_same(body in webhook()) {
        let payload = decode_webhook(&body);
        let all: Vec<_> = (0..payload.entries().len()).collect();
        let excerpt = payload.excerpt(&all, None);
        let again = decode_webhook(&excerpt);
        prop_assert_eq!(fingerprints(&again), fingerprints(&payload));
        // An excerpt of the excerpt is identical.
        prop_assert_eq!(again.excerpt(&all, None), excerpt);
    }

    #[test]
    fn an_excerpt_is_valid_json_within_its_limit(body in webhook(), indices in vec(0usize..10, 0..10), limit in 2usize..600) {
        let excerpt = decode_webhook(&body).excerpt(&indices, Some(limit));
        prop_assert!(excerpt.len() <= limit);
        prop_assert!(from_str::<Value>(&excerpt).is_ok(), "{}", excerpt);
    }

    #[test]
    fn each_group_alone_decodes_to_just_that_group(body in webhook()) {
        let payload = decode_webhook(&body);
        let mut members = Vec::new();
        for group in payload.groups() {
            let excerpt = payload.excerpt(&group.entries, None);
            let [alone] = &*decode_webhook(&excerpt).groups() else { panic!("more than one group in {excerpt}") };
            prop_assert_eq!(alone.fingerprint, group.fingerprint);
            prop_assert_eq!(alone.entries.len(), group.entries.len());
            members.extend(group.entries);
        }
        members.sort_unstable();
        let usable = fingerprints(&payload).iter().enumerate().filter_map(|(n, f)| f.map(|_| n)).collect::<Vec<_>>();
        prop_assert_eq!(members, usable);
    }
}
