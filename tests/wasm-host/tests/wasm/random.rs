//! Random bodies: the filter never traps, and decides as the same code does natively.

use onceway_filter::{Affinity, affinity};
use onceway_signal::rules::Rules;
use onceway_signal::{Origin, Source};
use onceway_wasm_host::{Host, Request, SubResponse};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Map, Value, json};

use super::bodies::{alert, cases, webhook};

fn labels() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        Just("alertname"),
        Just("namespace"),
        Just("exported_namespace"),
        Just("deployment"),
        Just("statefulset"),
        Just("daemonset"),
        Just("cronjob"),
        Just("job_name"),
        Just("pod"),
        Just("node"),
        Just("cluster"),
        Just("job"),
    ];
    let value = prop_oneof![
        "[a-z]{1,9}(-[bcdfghjklmnpqrstvwxz2456789]{4,10}){0,2}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
    ];
    vec((name.prop_map(str::to_owned), value), 0..6).prop_map(|labels| Value::Object(Map::from_iter(labels)))
}

fn webhooks() -> impl Strategy<Value = Vec<u8>> {
    vec(labels().prop_map(alert), 0..6).prop_map(|alerts| webhook(alerts).into_bytes())
}

fn events() -> impl Strategy<Value = Vec<u8>> {
    (any::<String>(), any::<String>(), "[a-z-]{0,20}").prop_map(|(kind, name, namespace)| {
        let object = json!({"kind": kind, "name": name, "namespace": namespace});
        json!({"kind": "Event", "type": "Warning", "reason": "R", "involvedObject": object}).to_string().into_bytes()
    })
}

/// Valid bodies, bodies with a few bytes overwritten, and random bytes.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let whole = || prop_oneof![webhooks(), events()];
    let damaged = (whole(), vec((any::<usize>(), any::<u8>()), 1..4)).prop_map(|(mut body, damage)| {
        for (place, byte) in damage {
            let place = place % body.len();
            body[place] = byte;
        }
        body
    });
    prop_oneof![whole(), damaged, any::<Vec<u8>>()]
}

/// The body in chunks of these sizes, and the rest.
fn cut(mut body: &[u8], sizes: &[usize]) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    for &size in sizes {
        let (piece, rest) = body.split_at(size.min(body.len()));
        pieces.push(piece.to_vec());
        body = rest;
    }
    pieces.push(body.to_vec());
    pieces
}

proptest! {
    #![proptest_config(cases(1024))]

    #[test]
    fn the_module_decides_as_the_native_code_does_on_any_body(
        body in bodies(),
        event: bool,
        sizes in vec(0usize..600, 0..4),
        trailers: bool,
    ) {
        let source = if event { Source::KubernetesEvent } else { Source::Prometheus };
        let request = Request::post(source.path()).chunks(cut(&body, &sizes));
        let mut host = Host::new("");
        host.respond(|_| SubResponse::new(503, ""));
        let result = host.request(if trailers { request.trailers() } else { request });

        let native = affinity(Rules::built_in(), Origin::of(source), &body);
        let decision = match &native {
            Affinity::One(_) => "fingerprinted",
            Affinity::Several { .. } => "split",
            Affinity::Undecodable(_) if !body.is_empty() => "undecodable",
            Affinity::Nothing | Affinity::Undecodable(_) => "nothing",
        };
        prop_assert_eq!(result.decisions(), [decision]);
        if let Affinity::Several { partitions, .. } = native {
            prop_assert_eq!(result.local_response().map(|response| response.status), Some(503));
            let sent: Vec<_> = result.sub_requests.iter().map(|sent| (sent.authority(), sent.body.as_slice())).collect();
            let expected: Vec<_> =
                partitions.iter().map(|partition| (partition.fingerprint.to_string(), partition.payload.slice(&body).unwrap())).collect();
            prop_assert_eq!(sent, expected.iter().map(|(authority, body)| (authority.as_str(), body.as_slice())).collect::<Vec<_>>());
            return Ok(());
        }
        prop_assert!(result.passed(), "{:?}", result.end);
        prop_assert_eq!(result.body(), Some(body.as_slice()));
        prop_assert_eq!(result.fingerprint(), native.fingerprint().map(|fingerprint| fingerprint.to_string()));
    }
}
