//! Webhooks about incidents in turn, each of other bytes. Made from text that is rendered once: the sender shares the machine with what
//! it measures.

use bytes::Bytes;
use onceway_kit::payload::Incident;
use serde_json::{Value, json};

/// What the number of a webhook replaces.
const NUMBER: &str = "number-of-webhook";

/// How many incidents a webhook has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Size {
    /// This many.
    Each(usize),
    /// Of 100 webhooks 89 have one, ten have 10, and one has 1,000.
    Mixed,
}

impl Size {
    /// The mean.
    pub(super) fn mean(self) -> f64 {
        (0..100).map(|number| self.of(number)).sum::<usize>() as f64 / 100.0
    }

    fn of(self, number: u64) -> usize {
        match (self, number % 100) {
            (Self::Each(size), _) => size,
            (Self::Mixed, 50) => 1000,
            (Self::Mixed, n) if n % 10 == 5 => 10,
            (Self::Mixed, _) => 1,
        }
    }
}

/// Makes webhooks.
#[derive(Debug)]
pub(super) struct Webhooks {
    /// One of each incident.
    alerts: Vec<String>,
    /// What surrounds the alerts.
    frame: (String, String),
    /// The number of the next webhook.
    number: u64,
    /// The first incident of the next webhook.
    first: usize,
}

/// A webhook that is not acknowledged yet.
#[derive(Clone, Debug)]
pub(super) struct Webhook {
    pub(super) number: u64,
    /// Its incidents: this one, and those that follow it, in a circle.
    pub(super) first: usize,
    /// The number of its incidents, each with one signal.
    pub(super) size: usize,
    pub(super) attempts: u32,
    pub(super) body: Bytes,
}

impl Webhooks {
    pub(super) fn about(incidents: &[Incident]) -> Self {
        let parsed = |incident: &Incident| serde_json::from_str::<Value>(&incident.webhook(0)).unwrap_or_default();
        let alerts = incidents.iter().map(|incident| parsed(incident)["alerts"][0].to_string()).collect();
        let mut frame = incidents.first().map(parsed).unwrap_or_default();
        frame["alerts"] = json!([]);
        frame["groupKey"] = json!(NUMBER);
        let frame = frame.to_string();
        let (before, after) = frame.split_once("[]").unwrap_or_default();
        Self { alerts, frame: (before.to_owned(), after.to_owned()), number: 0, first: 0 }
    }

    /// How many incidents there are.
    pub(super) fn incidents(&self) -> usize {
        self.alerts.len()
    }

    /// The next webhook.
    pub(super) fn next(&mut self, size: Size) -> Webhook {
        let (number, first) = (self.number, self.first);
        let size = size.of(number).min(self.alerts.len());
        self.number += 1;
        self.first = (first + size) % self.alerts.len().max(1);
        let alerts = self.alerts.iter().cycle().skip(first).take(size).map(String::as_str);
        let alerts: Vec<&str> = alerts.collect();
        let (before, after) = &self.frame;
        let number_text = number.to_string();
        let named = |text: &str| text.replace(NUMBER, &number_text);
        let body = format!("{}[{}]{}", named(before), alerts.join(","), named(after)).into();
        Webhook { number, first, size, attempts: 0, body }
    }
}

#[cfg(test)]
mod tests {
    use onceway_kit::payload::Incident;
    use onceway_signal::rules::Rules;
    use onceway_signal::{Origin, Source, decode};

    use super::{Size, Webhooks};

    #[test]
    fn webhooks_are_about_the_incidents_in_turn_and_differ() {
        let incidents = Incident::several("prod", 12);
        let mut webhooks = Webhooks::about(&incidents);
        let [one, other] = [(); 2].map(|()| webhooks.next(Size::Each(10)));
        assert_eq!((one.first, one.size, other.first, other.size), (0, 10, 10, 10));
        let payload = decode(Rules::built_in(), Origin::of(Source::Prometheus), &other.body).unwrap();
        let named: Vec<_> =
            payload.entries().iter().map(|entry| entry.signal.as_ref().unwrap().fingerprint()).collect();
        let expected: Vec<_> = incidents.iter().cycle().skip(10).take(10).map(Incident::fingerprint).collect();
        assert_eq!(named, expected);
        let again = (0..4).map(|_| webhooks.next(Size::Each(10))).last().unwrap();
        assert!(again.first == one.first + 2 && again.body != one.body);
    }

    #[test]
    fn mixed_webhooks_are_mostly_small_and_mostly_of_large_ones_signals() {
        let sizes: Vec<usize> = (0..100).map(|number| Size::Mixed.of(number)).collect();
        let of = |size| sizes.iter().filter(|other| **other == size).count();
        assert_eq!((of(1), of(10), of(1000)), (89, 10, 1));
        assert_eq!((Size::Mixed.mean(), Size::Each(10).mean()), (11.89, 10.0));
    }
}
