//! What the filter costs, in fuel: about one unit per wasm instruction, the same on every machine.

use onceway_tests::wasm_host::{Host, Request};

use super::bodies::{ALERTS, deployment, webhook};

/// The fuel of one request, in a VM that has served others.
fn fuel(request: Request) -> u64 {
    let mut host = Host::new("");
    host.request(request.clone());
    let answer = host.request(request);
    assert!(answer.passed(), "{:?}", answer.end);
    answer.fuel
}

/// Asserts a bound that leaves room for change and none for a slip into quadratic work; prints the figure.
fn assert_cost(what: &str, fuel: u64, bound: u64) {
    println!("{what}: {fuel} of fuel");
    assert!(fuel < bound, "{what} costs {fuel} of fuel, more than {bound}");
}

#[test]
fn one_alert_costs_little() {
    assert_cost("one alert", fuel(Request::post(ALERTS).body(webhook([deployment("payment-api")]))), 100_000);
}

#[test]
fn sixty_alerts_of_sixty_incidents_cost_no_more_than_sixty_times_one() {
    let cost = |alerts| {
        let body = webhook((0..alerts).map(|number| deployment(&format!("service-{number}"))));
        fuel(Request::post(ALERTS).body(body))
    };
    assert_cost("sixty alerts", cost(60), 60 * cost(1));
}

#[test]
fn a_request_to_another_path_costs_next_to_nothing() {
    assert_cost("another path", fuel(Request::new("GET", "/health").header("accept", "*/*")), 5_000);
}
