//! Mutates bodies: bytes, tokens, and JSON structure.

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, from_slice, json};

use super::corpus::Corpus;

/// Tokens that matter to the decoder.
const TOKENS: [&str; 32] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "null",
    "true",
    "-0",
    "1e999",
    "123456789012345678901234567890",
    " \n\t",
    "\u{0}",
    "\u{feff}",
    "\\u0000",
    "\\ud800",
    "\\u0061lerts",
    "\"alerts\":[",
    "\"alerts\":[]",
    "\"status\":\"resolved\"",
    "\"labels\":{}",
    "\"alertname\":\"A\"",
    "\"deployment\":\"d\"",
    "\"namespace\":\"\"",
    "\"cluster\":\"a:b\"",
    "\"involvedObject\":{\"kind\":\"Pod\",\"name\":\"p-0\"}",
    "é",
    "\u{1f600}",
    "[[[[[[[[[[[[[[[[",
    "{\"a\":{\"a\":{\"a\":",
];

/// Labels that determine the target, and some that do not.
const LABELS: [&str; 14] = [
    "alertname",
    "namespace",
    "exported_namespace",
    "deployment",
    "statefulset",
    "daemonset",
    "cronjob",
    "job_name",
    "pod",
    "node",
    "cluster",
    "severity",
    "job",
    "instance",
];

/// Names as Kubernetes generates them, and near misses.
const NAMES: [&str; 12] = [
    "payment-api",
    "payment-api-7d4b8c9f5d-x2k4z",
    "payment-api-7d4b8c9f5d-x2k4",
    "web-0",
    "web-00",
    "backup-28371920-bbbbb",
    "logger-x2k4z",
    "",
    "a:b",
    "-",
    "é",
    "0123456789012345678901234567890123456789012345678901234567890123456789",
];

/// Random bytes, fewer than `limit`.
pub(super) fn random_bytes(rng: &mut StdRng, limit: usize) -> Vec<u8> {
    let length = rng.random_range(0..limit);
    (0..length).map(|_| rng.random()).collect()
}

/// A body of the corpus after any number of mutations, or random bytes.
pub(super) fn mutate(rng: &mut StdRng, corpus: &Corpus) -> Vec<u8> {
    let place = rng.random_range(0..corpus.len());
    let mut body = corpus.body(place).to_vec();
    if rng.random_ratio(1, 50) {
        return random_bytes(rng, 200);
    }
    if rng.random_ratio(3, 4) {
        body = mutate_json(rng, &body);
    }
    for _ in 0..[0, 0, 0, 0, 1, 1, 4][rng.random_range(0..7)] {
        mutate_bytes(rng, &mut body, corpus);
    }
    body
}

/// One mutation of bytes or tokens.
fn mutate_bytes(rng: &mut StdRng, body: &mut Vec<u8>, corpus: &Corpus) {
    let at = rng.random_range(0..=body.len());
    let to = rng.random_range(at..=body.len().min(at + 64));
    match rng.random_range(0..8) {
        0 => body.truncate(at),
        1 => drop(body.drain(at..to)),
        2 => drop(body.splice(at..to, random_bytes(rng, 8))),
        3 => {
            let piece = body[at..to].to_vec();
            body.splice(at..at, piece);
        }
        4 => {
            let other = corpus.body(rng.random_range(0..corpus.len()));
            body.splice(at..to, other[rng.random_range(0..=other.len())..].iter().copied().take(400));
        }
        5 => {
            if let Some(byte) = body.get_mut(at) {
                *byte ^= 1 << rng.random_range(0..8);
            }
        }
        6 => body.extend_from_slice(b" \n"),
        _ => drop(body.splice(at..at, TOKENS[rng.random_range(0..TOKENS.len())].bytes())),
    }
}

/// Mutates the JSON of a webhook or an event.
fn mutate_json(rng: &mut StdRng, body: &[u8]) -> Vec<u8> {
    let Ok(mut json) = from_slice::<Value>(body) else { return body.to_vec() };
    for _ in 0..rng.random_range(1..5) {
        match json.get_mut("alerts").and_then(Value::as_array_mut) {
            Some(alerts) => mutate_alerts(rng, alerts),
            None => mutate_object(rng, &mut json["involvedObject"]),
        }
    }
    if rng.random_ratio(1, 6) {
        json["status"] = json!(if rng.random() { "resolved" } else { "firing" });
    }
    if rng.random_ratio(1, 12) {
        json["commonAnnotations"] = json!({"text": "x".repeat(rng.random_range(0..2_000))});
    }
    json.to_string().into_bytes()
}

fn mutate_alerts(rng: &mut StdRng, alerts: &mut Vec<Value>) {
    let place = rng.random_range(0..=alerts.len());
    match rng.random_range(0..8) {
        0 if place < alerts.len() => drop(alerts.remove(place)),
        1 if place < alerts.len() => alerts.push(alerts[place].clone()),
        2 => alerts.insert(place, json!({"labels": {"alertname": "A", "node": name(rng)}})),
        3 => alerts
            .insert(place, [json!({}), json!(null), json!([]), json!({"labels": 7})][rng.random_range(0..4)].clone()),
        4 if place < alerts.len() && alerts[place].is_object() => {
            alerts[place]["status"] = json!(["resolved", "firing", "", "x"][rng.random_range(0..4)]);
        }
        _ if place < alerts.len() && alerts[place]["labels"].is_object() => {
            let label = LABELS[rng.random_range(0..LABELS.len())];
            alerts[place]["labels"][label] = value(rng);
        }
        _ => {}
    }
}

fn mutate_object(rng: &mut StdRng, object: &mut Value) {
    if object.is_object() {
        let field = ["kind", "name", "namespace", "apiVersion"][rng.random_range(0..4)];
        object[field] = value(rng);
    }
}

fn name(rng: &mut StdRng) -> String {
    match rng.random_range(0..3) {
        0 => format!("node-{}", rng.random_range(0..20)),
        _ => NAMES[rng.random_range(0..NAMES.len())].to_owned(),
    }
}

fn value(rng: &mut StdRng) -> Value {
    match rng.random_range(0..12) {
        0 => Value::Null,
        1 => json!(rng.random::<i64>()),
        2 => json!([]),
        3 => json!("x".repeat(rng.random_range(0..300))),
        _ => name(rng).into(),
    }
}
