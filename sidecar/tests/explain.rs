//! `onceway explain` as a program: standard input, the configuration, and the exit code.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Runs it with this standard input.
fn explain(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onceway"));
    command.arg("explain").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("the program starts");
    process.stdin.take().expect("its input").write_all(input.as_bytes()).expect("it reads its input");
    process.wait_with_output().expect("it ends")
}

fn webhook() -> String {
    let labels = json!({"alertname": "QueueTooLong", "job": "mq", "queue": "orders", "namespace": "prod"});
    json!({"alerts": [{"status": "firing", "labels": labels}]}).to_string()
}

fn line(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one line of JSON")
}

#[test]
fn it_explains_its_standard_input_without_a_cluster() {
    let line = line(&explain(&["--json", "--source", "prometheus"], &webhook()));
    assert_eq!((&line["target"], &line["rule"]), (&json!("prod:Service:mq"), &json!("job-as-service")));
}

#[test]
fn it_uses_the_rules_of_a_configuration() {
    let dir = TempDir::new().unwrap();
    let config = dir.path().join("onceway.yaml");
    let rules = "targets:\n  rules:\n    - when: { job: mq }\n      kind: Queue\n      name: [queue]\n";
    fs::write(&config, rules).unwrap();
    let line = line(&explain(&["--json", "--config", config.to_str().unwrap()], &webhook()));
    assert_eq!((&line["target"], &line["rule"]), (&json!("prod:Queue:orders"), &json!("rules[0]")));

    fs::write(&config, rules.replace("name:", "names:")).unwrap();
    let output = explain(&["--config", config.to_str().unwrap()], &webhook());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && error.contains("names") && error.contains("line 5"), "{error}");
}

#[test]
fn input_that_it_cannot_read_ends_with_exit_code_2_and_nothing_on_standard_output() {
    for (arguments, input) in
        [(&["--json"][..], "no JSON"), (&["--source", "kubernetes-event"], "{}x"), (&["/nowhere.json"], "")]
    {
        let output = explain(arguments, input);
        assert_eq!((output.status.code(), &output.stdout[..]), (Some(2), &b""[..]), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).starts_with("onceway explain: "));
    }
}
