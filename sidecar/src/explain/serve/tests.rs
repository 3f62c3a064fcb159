use std::fs;
use std::path::Path;

use axum::body::Body;
use clap::Parser;
use http::Request;
use http::header::HOST;
use http_body_util::BodyExt;
use onceway_explain::parse_rules;
use onceway_signal::rules::Rules;
use tempfile::NamedTempFile;
use tower::ServiceExt;

use super::{GIVEN_RULES, ServeError, loopback, router, with_rules};
use crate::explain::ExplainArgs;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    explain: ExplainArgs,
}

fn page() -> String {
    format!("<!doctype html><script {GIVEN_RULES}/script>")
}

async fn status(host: &str) -> (u16, String) {
    status_at("127.0.0.1:8095", host).await
}

async fn status_at(address: &str, host: &str) -> (u16, String) {
    let request = Request::get("/").header(HOST, host).body(Body::empty()).unwrap();
    let response = router(page(), address.parse().unwrap()).oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[test]
fn only_loopback_addresses_are_served_and_another_is_refused_with_what_to_write() {
    assert!(loopback("127.0.0.1:0").is_ok() && loopback("[::1]:8095").is_ok() && loopback("127.9.9.9:1").is_ok());
    for (address, problem) in [
        ("0.0.0.0:8095", "write 127.0.0.1:8095"),
        ("[::]:1", "no loopback address"),
        ("192.0.2.1:80", "192.0.2.1 is no loopback address"),
        ("localhost", "write 127.0.0.1:8095"),
    ] {
        let error = loopback(address).unwrap_err();
        assert!(error.contains(problem), "{error}");
    }
}

#[tokio::test]
async fn the_page_is_shown_at_the_address_that_it_says_it_is_at() {
    for (address, host) in [("127.9.9.9:8095", "127.9.9.9:8095"), ("[::1]:1", "[::1]:1"), ("127.9.9.9:80", "127.9.9.9")]
    {
        assert_eq!(status_at(address, host).await.0, 200, "{address}");
    }
    assert_eq!(status_at("127.9.9.9:8095", "127.9.9.8:8095").await.0, 421);
}

#[test]
fn serving_takes_no_inputs_and_its_address_only_behind_an_equals_sign() {
    let parse = |arguments: &[&str]| Cli::try_parse_from(["explain"].iter().chain(arguments));
    let address = parse(&["--serve"]).unwrap().explain.serve.address.unwrap();
    assert_eq!(address.to_string(), "127.0.0.1:8095");
    assert!(parse(&["--serve=127.0.0.1:1", "--page", "p"]).is_ok());
    assert!(parse(&["file.json"]).unwrap().explain.serve.address.is_none());
    for wrong in [&["--serve", "file.json"][..], &["--serve", "--json"], &["--page", "p"], &["--serve=0.0.0.0:1"]] {
        assert!(parse(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn the_rules_of_a_configuration_are_in_the_page_and_cannot_end_their_element() {
    let plain = with_rules(page(), None, Path::new("p")).unwrap();
    assert_eq!(plain, page());
    let rules = "targets:\n  rules:\n    - { when: { job: '</script><b>*' }, kind: Queue, name: queue }\n";
    let rules = parse_rules(rules).unwrap();
    let shown = with_rules(page(), Some(&rules), Path::new("p")).unwrap();
    let (_, rest) = shown.split_once("data-version=\"").unwrap();
    let (_, rest) = rest.split_once("\">").unwrap();
    let (json, _) = rest.split_once("</script>").unwrap();
    let yaml: String = serde_json::from_str(json).unwrap();
    assert_eq!(parse_rules(&yaml).unwrap(), rules);
    assert_ne!(&rules, Rules::built_in());
}

#[tokio::test]
async fn a_file_that_is_not_the_page_of_this_version_and_a_missing_one_are_errors_that_say_what_to_do() {
    let run = async |file: &Path| {
        let page = file.display().to_string();
        let cli = Cli::parse_from(["explain", "--serve=127.0.0.1:0", "--page", &page]);
        cli.explain.serve.run("127.0.0.1:0".parse().unwrap(), None, std::future::ready(())).await
    };
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), page()).unwrap();
    run(file.path()).await.unwrap();

    fs::write(file.path(), page().replace(env!("CARGO_PKG_VERSION"), "0.0.0")).unwrap();
    let error = run(file.path()).await.unwrap_err();
    assert!(matches!(error, ServeError::NoPage { .. }) && error.to_string().contains("cargo xtask page"), "{error}");
    let missing = run(Path::new("/nowhere.html")).await.unwrap_err().to_string();
    assert!(missing.contains("/nowhere.html") && missing.contains("--page"), "{missing}");
}

#[tokio::test]
async fn the_page_is_shown_under_the_names_of_this_machine_alone() {
    for host in ["localhost:8095", "127.0.0.1:1", "[::1]:8095", "localhost"] {
        assert_eq!(status(host).await, (200, page()), "{host}");
    }
    for host in ["rebound.example:8095", "localhost.example", ""] {
        assert_eq!(status(host).await.0, 421, "{host}");
    }
}
