use std::fs;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::Served;
use super::build::build;
use super::files::Contents;
use super::reload::{Change, Watched};
use crate::config::Tls;
use crate::doubles::certificates::{Authority, Issued, SERVER, tls_in};
use crate::metrics::Metrics;

const LATE: i32 = 2900;
const PAST: i32 = 2020;

/// A directory with a valid certificate.
fn files(authority: &Authority) -> (TempDir, Tls) {
    let dir = tempfile::tempdir().unwrap();
    authority.issue(SERVER, LATE).write(dir.path());
    let tls = tls_in(dir.path());
    (dir, tls)
}

async fn start_error(tls: &Tls) -> String {
    Served::start(tls).await.unwrap_err().to_string()
}

#[tokio::test]
async fn at_the_start_a_broken_file_is_an_error_that_names_it_and_its_key() {
    let authority = Authority::new();
    let (dir, tls) = files(&authority);
    Served::start(&tls).await.unwrap();
    let (cert, key) = (fs::read(&tls.cert).unwrap(), fs::read(&tls.key).unwrap());
    let cases: [(&str, Vec<u8>, Vec<u8>); 5] = [
        ("tls.crt (tls.cert) holds no certificate", Vec::new(), key.clone()),
        ("tls.crt (tls.cert) holds no certificate", key.clone(), key.clone()),
        ("tls.key (tls.key) holds no private key", cert.clone(), cert.clone()),
        ("do not fit together", cert.clone(), authority.issue(SERVER, LATE).key.into_bytes()),
        ("tls.crt (tls.cert)", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec(), key.clone()),
    ];
    for (words, cert, key) in cases {
        fs::write(&tls.cert, cert).unwrap();
        fs::write(&tls.key, key).unwrap();
        let error = start_error(&tls).await;
        assert!(error.contains(words), "{words}: {error}");
    }
    authority.issue(SERVER, PAST).write(dir.path());
    let error = start_error(&tls).await;
    assert!(error.contains("tls.crt (tls.cert) expired at"), "{error}");
    fs::remove_file(&tls.cert).unwrap();
    let error = start_error(&tls).await;
    assert!(error.contains("cannot read") && error.contains("tls.cert"), "{error}");
}

#[tokio::test]
async fn a_client_ca_that_is_no_certificate_is_an_error() {
    let (dir, mut tls) = files(&Authority::new());
    let path = dir.path().join("ca.crt");
    fs::write(&path, "nothing").unwrap();
    tls.client_ca = Some(path);
    let error = start_error(&tls).await;
    assert!(error.contains("ca.crt (tls.clientCa) holds no certificate"), "{error}");
}

fn contents(issued: Issued) -> Contents {
    Contents { cert: issued.cert.into_bytes(), key: issued.key.into_bytes(), client_ca: None }
}

#[test]
fn each_change_of_the_files_is_judged_once() {
    let authority = Authority::new();
    let (_dir, tls) = files(&authority);
    let [first, second, expired] = [LATE, LATE, PAST].map(|until| contents(authority.issue(SERVER, until)));
    let mixed = Contents { cert: second.cert.clone(), ..first.clone() };
    let mut watched = Watched::new(first.clone());
    let mut look = |found: &Contents| match watched.look(Ok(found.clone()), |c| build(&tls, c, Timestamp::now())) {
        Change::None => "none",
        Change::Use(_) => "use",
        Change::Keep(_) => "keep",
    };
    let steps = [&first, &mixed, &mixed, &second, &second, &expired, &expired, &first].map(&mut look);
    assert_eq!(steps, ["none", "keep", "none", "use", "none", "keep", "none", "use"]);
}

#[test]
fn a_certificate_that_is_not_valid_yet_is_rejected() {
    let authority = Authority::new();
    let (_dir, tls) = files(&authority);
    let early = Timestamp::from_second(0).unwrap();
    let error = build(&tls, &contents(authority.issue(SERVER, LATE)), early).unwrap_err().to_string();
    assert!(error.contains("is not valid before"), "{error}");
}

#[test]
fn a_certificate_that_is_not_valid_yet_is_used_as_soon_as_it_is() {
    let authority = Authority::new();
    let (_dir, tls) = files(&authority);
    let [first, next] = [LATE, LATE].map(|until| contents(authority.issue(SERVER, until)));
    let mut watched = Watched::new(first);
    let mut look = |now: Timestamp| match watched.look(Ok(next.clone()), |c| build(&tls, c, now)) {
        Change::None => "none",
        Change::Use(_) => "use",
        Change::Keep(_) => "keep",
    };
    let (early, now) = (Timestamp::from_second(0).unwrap(), Timestamp::now());
    assert_eq!([early, early, now, now].map(&mut look), ["keep", "none", "use", "none"]);
}

/// The value of a metric without labels.
fn value(metrics: &Metrics, name: &str) -> i64 {
    let text = metrics.render().unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
    line.parse().unwrap()
}

async fn until(metrics: &Metrics, name: &str, wanted: impl Fn(i64) -> bool) {
    timeout(Duration::from_secs(3600), async {
        while !wanted(value(metrics, name)) {
            sleep(Duration::from_millis(100)).await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("{name} is {}", value(metrics, name)));
}

#[tokio::test]
async fn a_secret_volume_that_is_swapped_is_read_again_and_broken_files_are_counted_once() {
    const ERRORS: &str = "gateway_tls_reload_errors_total";
    const EXPIRY: &str = "gateway_tls_certificate_expiry_timestamp_seconds";
    let authority = Authority::new();
    // As a kubelet lays it out: tls.crt -> ..data/tls.crt, ..data -> a directory of one version.
    let dir = tempfile::tempdir().unwrap();
    let publish = |version: &str, issued: &Issued| {
        let of_version = dir.path().join(version);
        fs::create_dir(&of_version).unwrap();
        issued.write(&of_version);
        let next = dir.path().join("..data_tmp");
        std::os::unix::fs::symlink(version, &next).unwrap();
        fs::rename(next, dir.path().join("..data")).unwrap();
    };
    publish("..1", &authority.issue(SERVER, LATE));
    for name in ["tls.crt", "tls.key"] {
        std::os::unix::fs::symlink(format!("..data/{name}"), dir.path().join(name)).unwrap();
    }
    let metrics = Arc::new(Metrics::new());
    let served = Served::start(&tls_in(dir.path())).await.unwrap();
    let acceptor = served.signals();
    let before = Arc::clone(acceptor.current().config());
    // Paused from here: the looks at the files need no waiting.
    tokio::time::pause();
    let _renewal = AbortOnDropHandle::new(tokio::spawn(served.renew(Arc::clone(&metrics))));
    until(&metrics, EXPIRY, |at| at > 0).await;
    let expiry = value(&metrics, EXPIRY);

    publish("..2", &authority.issue(SERVER, PAST));
    until(&metrics, ERRORS, |errors| errors == 1).await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!((value(&metrics, ERRORS), value(&metrics, EXPIRY)), (1, expiry), "counted once, and the old one stays");
    assert!(Arc::ptr_eq(acceptor.current().config(), &before));

    publish("..3", &authority.issue(SERVER, LATE + 1));
    until(&metrics, EXPIRY, |at| at > expiry).await;
    assert!(!Arc::ptr_eq(acceptor.current().config(), &before));
    assert_eq!(value(&metrics, ERRORS), 1);
}
