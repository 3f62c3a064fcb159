//! `onceway check-config` and the commands for operators as programs, without a cluster: exit codes, and what is written where.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

fn onceway(arguments: &[&str], kubeconfig: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onceway"));
    for variable in ["POD_NAME", "POD_NAMESPACE", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"] {
        command.env_remove(variable);
    }
    command
        .args(arguments)
        .env("KUBECONFIG", kubeconfig)
        .env("HOME", "/nonexistent")
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A file of this content, for an argument.
fn file(dir: &TempDir, name: &str, content: &str) -> String {
    let path = dir.path().join(name);
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A kubeconfig of an API server that nobody is.
fn nobodys(dir: &TempDir) -> String {
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "c", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c", "namespace": "incidents"}}],
    });
    file(dir, "kubeconfig", &config.to_string())
}

#[test]
fn check_config_names_the_keys_of_every_broken_file_and_exits_with_2() {
    let dir = TempDir::new().unwrap();
    for (yaml, keys) in [
        ("limits: {maxBodyByte: 1}\n", &["limits.maxBodyByte"][..]),
        ("limit: {}\nlistens: {}\n", &["limit", "listens"]),
        ("limits: {deadline: 8 parsecs}\nlease: {duration: 1s}\n", &["lease.duration", "limits.deadline"]),
        ("listen: {health: '0.0.0.0:8080'}\n", &["listen.health"]),
        ("limits: {bodyTimeout: 10s}\n", &["shutdown.drainTimeout"]),
        ("tls: {cert: /tls.crt}\n", &["tls"]),
        ("targets: {rules: [{kind: Queue}]}\n", &["targets.rules"]),
        ("auth: {mode: off}\nprofile: kubernauts\n", &["auth.mode", "profile"]),
        ("log: {level: 'a=b=c'}\nnamespace: Not_A_Name\n", &["log.level", "namespace"]),
    ] {
        let path = file(&dir, "onceway.yaml", yaml);
        let output = onceway(&["check-config", "--json", &path], Path::new("/nowhere"));
        assert_eq!(output.status.code(), Some(2), "{yaml}");
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let mut named: Vec<_> =
            found["problems"].as_array().unwrap().iter().map(|problem| problem["key"].as_str().unwrap()).collect();
        named.sort_unstable();
        assert_eq!(named, keys, "{yaml}: {found}");
        // A replica does not start with it either, and says the first of them.
        let replica = onceway(&["--config", &path, "--print-config"], Path::new("/nowhere"));
        assert!(!replica.status.success(), "{yaml}");
    }
    for (name, content) in [("broken.yaml", "limits: [1"), ("list.yaml", "- a")] {
        let path = file(&dir, name, content);
        let output = onceway(&["check-config", &path], Path::new("/nowhere"));
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stdout).contains("not valid, 1 error"), "{}", text(&output.stdout));
    }
    assert_eq!(onceway(&["check-config", "/nowhere/onceway.yaml"], Path::new("/nowhere")).status.code(), Some(2));
}

#[test]
fn check_config_shows_what_a_valid_file_changes_and_exits_with_0() {
    let dir = TempDir::new().unwrap();
    let path = file(&dir, "onceway.yaml", "limits: {deadline: 7s}\nnamespace: incidents\n");
    let output = onceway(&["check-config", &path], Path::new("/nowhere"));
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{out}");
    for line in [
        "2 keys differ",
        "  limits.deadline: 7s (default 8s)\n",
        "  namespace: incidents (default null)\n",
        "config hash  ",
    ] {
        assert!(out.contains(line), "{line}: {out}");
    }
}

#[test]
fn the_doctor_without_a_cluster_cannot_run_and_exits_with_3() {
    let output = onceway(&["doctor"], Path::new("/nowhere/kubeconfig"));
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(3), &b""[..]));
    assert!(
        text(&output.stderr).contains("onceway doctor: no cluster configured: set KUBECONFIG"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn the_doctor_says_that_the_api_server_does_not_respond_and_skips_what_needs_it() {
    let dir = TempDir::new().unwrap();
    let kubeconfig = nobodys(&dir);
    let output = onceway(&["doctor", "--json"], Path::new(&kubeconfig));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (output.status.code(), &report["status"], &report["namespace"]),
        (Some(2), &json!("fail"), &json!("incidents"))
    );
    for check in report["checks"].as_array().unwrap() {
        let expected = match check["check"].as_str().unwrap() {
            "config" => "pass",
            "api-server" => "fail",
            _ => "skipped",
        };
        assert_eq!(check["status"], expected, "{check}");
    }
}

#[test]
fn the_doctor_shows_every_error_of_a_configuration_and_checks_nothing_else() {
    let dir = TempDir::new().unwrap();
    let config = file(&dir, "onceway.yaml", "lease: {duration: 1s}\nlimits: {maxConnections: 0}\n");
    let output = onceway(&["doctor", "--config", &config], Path::new("/nowhere"));
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(2), "{out}");
    assert!(
        out.contains("FAIL  config") && out.contains("lease.duration: is 1s") && out.contains("limits.maxConnections"),
        "{out}"
    );
    assert!(out.ends_with("passed 0, warnings 0, failed 1, skipped 13\n"), "{out}");
}

#[test]
fn send_test_that_cannot_reach_the_cluster_sends_nothing_and_exits_with_2() {
    let dir = TempDir::new().unwrap();
    let kubeconfig = nobodys(&dir);
    let arguments = ["send-test", "--url", "http://127.0.0.1:1", "--target-namespace", "prod"];
    let output = onceway(&arguments, Path::new(&kubeconfig));
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(2), &b""[..]));
    assert!(text(&output.stderr).starts_with("onceway send-test: "), "{}", text(&output.stderr));
    let output = onceway(&["send-test", "--url", "http://127.0.0.1:1"], Path::new(&kubeconfig));
    assert!(text(&output.stderr).contains("--target-namespace"), "{}", text(&output.stderr));
}
