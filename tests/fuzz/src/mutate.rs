//! Changes bodies: their bytes, their tokens, and their JSON by its structure.

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, from_slice, json};

use super::corpus::Corpus;

/// Pieces that mean something to one who reads such bodies.
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

/// Labels that decide, and some that do not.
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

/// Values that look like what Kubernetes generates, or nearly.
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

/// Any bytes, fewer than `most`.
pub(super) fn rubbish(rng: &mut StdRng, most: usize) -> Vec<u8> {
    let length = rng.random_range(0..most);
    (0..length).map(|_| rng.random()).collect()
}

/// A body of the corpus, changed a little or a lot, or not at all.
pub(super) fn mutate(rng: &mut StdRng, corpus: &Corpus) -> Vec<u8> {
    let place = rng.random_range(0..corpus.len());
    let mut body = corpus.body(place).to_vec();
    if rng.random_ratio(1, 50) {
        return rubbish(rng, 200);
    }
    if rng.random_ratio(3, 4) {
        body = restructure(rng, &body);
    }
    for _ in 0..[0, 0, 0, 0, 1, 1, 4][rng.random_range(0..7)] {
        damage(rng, &mut body, corpus);
    }
    body
}

/// Changes bytes and tokens.
fn damage(rng: &mut StdRng, body: &mut Vec<u8>, corpus: &Corpus) {
    let at = rng.random_range(0..=body.len());
    let to = rng.random_range(at..=body.len().min(at + 64));
    match rng.random_range(0..8) {
        0 => body.truncate(at),
        1 => drop(body.drain(at..to)),
        2 => drop(body.splice(at..to, rubbish(rng, 8))),
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

/// Changes a webhook or an event by its structure.
fn restructure(rng: &mut StdRng, body: &[u8]) -> Vec<u8> {
    let Ok(mut json) = from_slice::<Value>(body) else { return body.to_vec() };
    for _ in 0..rng.random_range(1..5) {
        match json.get_mut("alerts").and_then(Value::as_array_mut) {
            Some(alerts) => change_alerts(rng, alerts),
            None => change_object(rng, &mut json["involvedObject"]),
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

fn change_alerts(rng: &mut StdRng, alerts: &mut Vec<Value>) {
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

fn change_object(rng: &mut StdRng, object: &mut Value) {
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
