//! The filter's size, and its cost in fuel: about one unit per wasm instruction, the same on every machine.
//!
//! The bounds are for a build without wasm-opt. They leave room for changes, but not for quadratic work.

use std::fs;

use onceway_kit::built;
use onceway_kit::payload::{self, Incident};
use onceway_signal::limits::MAX_RULES;
use onceway_wasm_host::{End, Host, Request, SubResponse};
use serde_json::json;

use super::bodies::{ALERTS, deployment, webhook};

/// The fuel of one request in a VM that has served another.
fn fuel(request: Request) -> u64 {
    fuel_with("", request)
}

/// As [`fuel`], with this plugin configuration.
fn fuel_with(configuration: &str, request: Request) -> u64 {
    let mut host = Host::new(configuration);
    // The smallest valid response, so that the filter's own cost dominates.
    host.respond(|_| SubResponse::new(201, r#"{"status":"created","message":"","duplicate":false}"#));
    host.request(request.clone());
    let result = host.request(request);
    assert!(matches!(result.end, End::Passed(_) | End::Responded(_)), "{:?}", result.end);
    result.fuel
}

/// Asserts a bound, and prints the figure.
fn assert_cost(what: &str, fuel: u64, bound: u64) {
    println!("{what}: {fuel} fuel");
    assert!(fuel < bound, "{what} costs {fuel} fuel, more than {bound}");
}

fn sixty(name: impl Fn(usize) -> String) -> Request {
    Request::post(ALERTS).body(webhook((0..60).map(|number| deployment(&name(number)))))
}

#[test]
fn one_alert_is_cheap() {
    assert_cost("one alert", fuel(Request::post(ALERTS).body(webhook([deployment("payment-api")]))), 60_000);
}

/// Rules that read the labels of the alerts that are sent, and of which none applies: the most that rules can cost.
fn user_rules(number: usize) -> String {
    let rule = |number: usize| {
        json!({
            "when": {"alertname": format!("*Exporter{number}Down")},
            "kind": "Database",
            "name": ["deployment", format!("database_{number}")],
        })
    };
    json!({"targets": {"rules": (0..number).map(rule).collect::<Vec<_>>()}}).to_string()
}

#[test]
fn a_hundred_rules_of_a_user_cost_little() {
    let request = Request::post(ALERTS).body(webhook([deployment("payment-api")]));
    let cost = |rules: usize| fuel_with(&user_rules(rules), request.clone());
    let (none, hundred, most) = (cost(0), cost(100), cost(MAX_RULES));
    println!("fuel of one alert: {none} without rules, {hundred} with 100, {most} with {MAX_RULES}");
    assert!(hundred < none + 100 * 350, "{none}, {hundred}");
    assert!(most < none + MAX_RULES as u64 * 350, "{none}, {most}");
}

#[test]
fn sixty_alerts_of_one_incident_cost_little_beyond_their_bytes() {
    assert_cost("sixty alerts of one incident", fuel(sixty(|_| "payment-api".to_owned())), 2_000_000);
}

/// As in `bench filter`: most of an alert's labels are about the exporter, and most are equal in all of them.
#[test]
fn sixty_alerts_with_the_labels_of_real_ones_cost_little_and_a_users_rules_little_more() {
    let incident = Incident::new("prod", "payment-api");
    let alerts: Vec<_> = (0..60).map(|n| incident.alert(n)).collect();
    let request = Request::post(ALERTS).body(payload::webhook(&alerts));
    let without = fuel(request.clone());
    assert_cost("sixty alerts with the labels of real ones", without, 2_000_000);
    let with = fuel_with(&user_rules(100), request);
    assert_cost("the same with a user's 100 rules", with, without + without / 10);
}

#[test]
fn sixty_incidents_cost_sixty_sub_requests() {
    // Of it, the hash of the body, which is the webhook's id, costs about a third.
    assert_cost("sixty incidents", fuel(sixty(|number| format!("service-{number}"))), 5_500_000);
}

#[test]
fn the_cost_per_incident_does_not_grow_with_their_number() {
    let cost = |count: usize| {
        let alerts = (0..count).map(|number| deployment(&format!("service-{number:04}")));
        fuel(Request::post(ALERTS).body(webhook(alerts))) / count as u64
    };
    let (few, many) = (cost(10), cost(1000));
    println!("fuel per incident: {few} of 10, {many} of 1000");
    assert!(many < few + few / 4, "{few}, {many}");
}

#[test]
fn a_request_to_another_path_costs_almost_nothing() {
    assert_cost("another path", fuel(Request::new("GET", "/health").header("accept", "*/*")), 5_000);
}

#[test]
fn the_module_is_small() {
    let size = fs::metadata(built::filter::path().unwrap()).unwrap().len();
    println!("{size} bytes");
    // 110,000 of them came with the target rules (the table, and the reader of the document that extends it), 25,000 with the
    // limit of buffered bodies and the policy keys, 24,000 with kubernaut's problem types, what a webhook says of all its alerts, and
    // the sidecar's keys of targets.
    assert!(size < 580_000, "{size} bytes");
}
