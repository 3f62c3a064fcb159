//! The filter's size, and its cost in fuel: about one unit per wasm instruction, the same on every machine.
//!
//! The bounds are for a build without wasm-opt. They leave room for changes, but not for quadratic work.

use std::fs;

use onceway_kit::built;
use onceway_wasm_host::{End, Host, Request, SubResponse};

use super::bodies::{ALERTS, deployment, webhook};

/// The fuel of one request in a VM that has served another.
fn fuel(request: Request) -> u64 {
    let mut host = Host::new("");
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

#[test]
fn sixty_alerts_of_one_incident_cost_little_beyond_their_bytes() {
    assert_cost("sixty alerts of one incident", fuel(sixty(|_| "payment-api".to_owned())), 2_000_000);
}

#[test]
fn sixty_incidents_cost_sixty_sub_requests() {
    assert_cost("sixty incidents", fuel(sixty(|number| format!("service-{number}"))), 4_000_000);
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
    assert!(size < 400_000, "{size} bytes");
}
