//! The limits of splitting.

use onceway_signal::problem::ProblemKind;

use super::{Scene, firing};
use crate::{Config, Decision};

fn alerts(count: usize) -> Vec<String> {
    (0..count).map(|n| firing(&format!("d{n}"))).collect()
}

fn assert_too_large(config: Config, alerts: &[String], words: &[&str]) {
    let scene = Scene::of(config, alerts);
    let (kind, _, detail) = scene.problem();
    assert_eq!((kind, scene.responded().0), (ProblemKind::PayloadTooLarge, 413));
    assert!(words.iter().all(|word| detail.contains(word)), "{detail}");
    assert_eq!((scene.host.sent().len(), scene.host.counted()), (0, vec![Decision::TooLarge]));
}

#[test]
fn more_alerts_than_the_limit_are_rejected_and_as_many_are_not() {
    let config = Config { max_alerts: 5, ..Config::default() };
    assert_too_large(config.clone(), &alerts(6), &["6 alerts", "more than 5,", "raise max_alerts"]);
    assert_eq!(Scene::of(config, &alerts(5)).host.sent().len(), 5);
}

#[test]
fn more_incidents_than_the_limit_are_rejected_and_as_many_are_not() {
    let config = Config { max_fingerprints: 5, ..Config::default() };
    assert_too_large(config.clone(), &alerts(6), &["6 incidents", "more than 5,", "raise max_fingerprints"]);
    assert_eq!(Scene::of(config, &alerts(5)).host.sent().len(), 5);
}

#[test]
fn more_bytes_of_sub_requests_than_the_limit_are_rejected_and_as_many_are_not() {
    let bytes = |count| -> usize {
        let sent = Scene::of(Config::default(), &alerts(count)).host.sent();
        sent.iter().map(|sent| sent.body.len()).sum()
    };
    let (five, six) = (bytes(5), bytes(6));
    let config = Config { max_split_bytes: u32::try_from(five).unwrap(), ..Config::default() };
    assert_eq!(Scene::of(config.clone(), &alerts(5)).host.sent().len(), 5);
    assert_too_large(config, &alerts(6), &[&six.to_string(), &format!("more than {five},"), "raise max_split_bytes"]);
}

#[test]
fn sub_responses_of_more_bytes_than_the_limit_count_as_failed() {
    let config = Config { max_answer_bytes: 1_000, ..Config::default() };
    let mut scene = Scene::of(config, &alerts(3));
    scene.count_all();
    let (kind, _, detail) = scene.problem();
    assert!(kind == ProblemKind::OutcomeUnknown && detail.contains("raise max_answer_bytes"), "{kind:?} {detail}");
}
