//! The fast path: reads a common webhook in one pass. serde_json alone would scan each label four times (to find the
//! end of the alerts, of the alert and of the labels, and to read them), and that scan dominates the cost of a signal.

use super::alert::{AlertFields, Context, Inherited, Member, state};
use super::webhook::{Keys, OwnFields};
use crate::entry::Entry;
use crate::json::{Cursor, Literal, Text, non_empty};
use crate::limits::MAX_ALERTS;
use crate::rules::{CLUSTER, KnownLabels, Memo, Rules};
use crate::signal::State;

/// Alerts are read before their webhook is. It is read again if one of them inherits anything else.
const UNKNOWN: Inherited<'static, 'static> = Inherited { state: State::Firing, cluster: None };

/// The alerts of a webhook and its own fields. `None` if serde_json has to read it, because it is unusual or invalid.
pub(crate) fn decode_fast<'a>(body: &'a str, context: Context<'a>) -> Option<(Vec<Entry<'a>>, OwnFields<'a>)> {
    let (mut cursor, mut webhook) = (Cursor::new(body), Webhook::new(context));
    cursor.object(|cursor, key| webhook.member(cursor, key))?;
    cursor.end()?;
    let group = webhook.state();
    // Alerts without a state were read as firing.
    if webhook.has_alerts_without_state && group != State::Firing {
        return None;
    }
    // It follows the alerts, whose clusters are decided by then.
    let cluster = non_empty(webhook.common_cluster.flatten());
    if webhook.has_alerts_without_cluster && cluster.is_some() {
        return None;
    }
    Some((webhook.alerts?, webhook.keys.own(body, group, cluster)))
}

/// The webhook as read so far.
struct Webhook<'a> {
    context: Context<'a>,
    keys: Keys<'a>,
    status: Member<Text<'a>>,
    has_common_labels: Member<()>,
    common_cluster: Member<Text<'a>>,
    alerts: Option<Vec<Entry<'a>>>,
    /// Those of the current alert.
    known: KnownLabels<'a>,
    memo: Memo<'a>,
    has_alerts_without_state: bool,
    has_alerts_without_cluster: bool,
}

impl<'a> Webhook<'a> {
    fn new(context: Context<'a>) -> Self {
        Self {
            context,
            keys: Keys::default(),
            status: None,
            has_common_labels: None,
            common_cluster: None,
            alerts: None,
            known: context.rules.known_labels(),
            memo: Memo::default(),
            has_alerts_without_state: false,
            has_alerts_without_cluster: false,
        }
    }

    fn state(&mut self) -> State {
        non_empty(self.status.take().flatten()).map_or(State::Firing, |status| state(&status))
    }

    fn member(&mut self, cursor: &mut Cursor<'a>, key: Literal<'a>) -> Option<()> {
        let raw = key.raw()?;
        self.keys.add(raw);
        match key.plain()? {
            "alerts" => {
                once(&mut self.keys.alerts, raw)?;
                let mut alerts = Vec::new();
                cursor.list(|cursor| {
                    alerts.push(self.alert(cursor)?);
                    (alerts.len() <= MAX_ALERTS).then_some(())
                })?;
                self.alerts = Some(alerts);
                Some(())
            }
            "status" => once(&mut self.status, cursor.unless_null(Cursor::text)?),
            "commonLabels" => {
                let common = &mut self.common_cluster;
                let labels =
                    |cursor: &mut Cursor<'a>| cursor.object(|cursor, name| common_label(cursor, &name, common));
                once(&mut self.has_common_labels, cursor.unless_null(labels)?)
            }
            _ => cursor.skip(),
        }
    }

    fn alert(&mut self, cursor: &mut Cursor<'a>) -> Option<Entry<'a>> {
        let (mut fields, known, rules) = (AlertFields::default(), &mut self.known, self.context.rules);
        known.clear();
        let raw = cursor.raw(|cursor| cursor.object(|cursor, key| fields.member(cursor, key, known, rules)))?;
        let status = fields.status.as_ref().and_then(Option::as_ref);
        self.has_alerts_without_state |= status.is_none_or(|Text(status)| status.is_empty());
        self.has_alerts_without_cluster |= self.known.get(CLUSTER).is_none();
        Some(Entry { raw, signal: fields.signal(&self.known, &mut self.memo, UNKNOWN, self.context) })
    }
}

impl<'a> AlertFields<'a> {
    fn member(
        &mut self,
        cursor: &mut Cursor<'a>,
        key: Literal<'a>,
        known: &mut KnownLabels<'a>,
        rules: &Rules,
    ) -> Option<()> {
        match key.plain()? {
            "status" => once(&mut self.status, cursor.unless_null(Cursor::text)?),
            "labels" => {
                let labels = |cursor: &mut Cursor<'a>| cursor.object(|cursor, name| label(cursor, name, known, rules));
                once(&mut self.labels, cursor.unless_null(|cursor| cursor.raw(labels))?)
            }
            "annotations" => once(&mut self.annotations, cursor.unless_null(|cursor| cursor.raw(Cursor::skip))?),
            "startsAt" => once(&mut self.starts_at, cursor.unless_null(Cursor::text)?),
            _ => cursor.skip(),
        }
    }
}

fn label<'a>(cursor: &mut Cursor<'a>, name: Literal<'a>, known: &mut KnownLabels<'a>, rules: &Rules) -> Option<()> {
    match rules.label(name.plain()?) {
        Some(label) => known.add(label, cursor.text()?),
        None => cursor.text().map(drop),
    }
}

fn common_label<'a>(cursor: &mut Cursor<'a>, name: &Literal<'a>, cluster: &mut Member<Text<'a>>) -> Option<()> {
    match name.plain()? {
        "cluster" => once(cluster, cursor.unless_null(Cursor::text)?),
        _ => cursor.skip(),
    }
}

/// Fills a slot; `None` if it is filled already.
fn once<T>(slot: &mut Option<T>, value: T) -> Option<()> {
    slot.replace(value).is_none().then_some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
    use proptest::sample::{Index, select};

    use super::super::alert::{Context, signal};
    use super::super::webhook::Webhook;
    use super::Entry;
    use crate::rules::Rules;
    use serde_json::value::RawValue;

    const WEBHOOK: &str = r#" {"receiver":"a\"\\\u00e9\ud83d","groupKey":"{}:{a=\"b\"}", "status":"resolved","alerts":[
        {"status":"firing","labels":{"alertname":"A","namespace":"prod","pod":"web-0","x":"\u00e9😀"},
         "annotations":{"a":{"b":[1,-0.5e+3,true,false,null,[],{}]}},"startsAt":"2026-01-01T00:00:00Z","endsAt":""} ,
        {"labels":{"alertname":"B","node":"n"},"annotations":null,"startsAt":null,"status":"firing"},
        {"labels":{},"status":"resolved"}],"truncatedAlerts":10,"commonLabels":{"a":[],"cluster":""},"x":[]} "#;

    /// Fragments of a webhook, valid and invalid.
    const PIECES: [&str; 43] = [
        "\"",
        "\\",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        " ",
        "\t",
        "\n",
        "0",
        "00",
        "-",
        "1.",
        ".5",
        "1e",
        "e5",
        "E+1",
        "true",
        "null",
        "nul",
        "\\u12",
        "\\ud800",
        "\\x",
        "\\/",
        "é",
        "😀",
        "\u{1}",
        "\u{7f}",
        "\"\"",
        "\"status\":",
        "\"alerts\":",
        "\"alerts\":[],",
        "\"labels\":",
        "\"status\":\"\",",
        "\"a\":null,",
        "\"a\":{},",
        "\"startsAt\":1,",
        "\"commonLabels\":{\"cluster\":\"east\"},",
        "\"cluster\":\"\",",
        "\"cluster\":1,",
        "[[[[",
    ];

    fn context() -> Context<'static> {
        Context { rules: Rules::built_in(), cluster: None }
    }

    fn decode_fast(body: &str) -> Option<(Vec<Entry<'_>>, super::OwnFields<'_>)> {
        super::decode_fast(body, context())
    }

    /// The result of serde_json.
    fn decode_slow(body: &str) -> Option<String> {
        let Webhook { alerts, own } = Webhook::decode(body).ok()?;
        let entry = |raw| Entry { raw, signal: signal(raw, own.inherited(), context()) };
        let entries: Vec<_> = alerts.into_iter().map(RawValue::get).map(entry).collect();
        Some(format!("{entries:?} {own:?}"))
    }

    fn agrees_with_serde_json(body: &str) -> bool {
        decode_fast(body).is_none_or(|(entries, own)| Some(format!("{entries:?} {own:?}")) == decode_slow(body))
    }

    #[test]
    fn a_common_webhook_is_read_as_by_serde_json() {
        let (entries, _) = decode_fast(WEBHOOK).unwrap();
        assert_eq!(entries.len(), 3);
        assert!(agrees_with_serde_json(WEBHOOK));
    }

    #[test]
    fn an_alert_without_a_state_has_that_of_its_webhook() {
        for status in ["", r#","status":"""#, r#","status":null"#] {
            let alert = format!(r#"{{"labels":{{"alertname":"A"}}{status}}}"#);
            for group in ["resolved", "firing"] {
                assert!(
                    agrees_with_serde_json(&format!(r#"{{"alerts":[{alert}],"status":"{group}"}}"#)),
                    "{group} {alert}"
                );
            }
        }
    }

    #[test]
    fn an_alert_without_a_cluster_has_that_of_the_common_labels() {
        for labels in [r#""cluster":"west""#, r#""cluster":"""#, r#""a":"b""#] {
            for common in [r#"{"cluster":"east"}"#, r#"{"cluster":""}"#, r#"{"cluster":null,"x":[1]}"#, "null", "{}"] {
                let alert = format!(r#"{{"labels":{{"alertname":"A",{labels}}},"status":"firing"}}"#);
                let body = format!(r#"{{"alerts":[{alert}],"commonLabels":{common}}}"#);
                assert!(agrees_with_serde_json(&body) && decode_slow(&body).is_some(), "{body}");
            }
        }
        for common in ["[]", "7", r#"{"cluster":1}"#, r#"{"cluster":"a","cluster":"a"}"#, r#"{},"commonLabels":{}"#] {
            let body = format!(r#"{{"alerts":[],"commonLabels":{common}}}"#);
            assert_eq!((decode_fast(&body).map(|_| ()), decode_slow(&body)), (None, None), "{body}");
        }
    }

    #[test]
    fn deep_nesting_is_left_to_serde_json() {
        let nested = |depth: usize| format!(r#"{{"a":{}{},"alerts":[]}}"#, "[".repeat(depth), "]".repeat(depth));
        assert!(decode_fast(&nested(32)).is_some());
        assert!(decode_fast(&nested(33)).is_none());
        assert!(decode_slow(&nested(1000)).is_some());
    }

    proptest! {
        #[test]
        fn no_mutation_makes_it_read_what_serde_json_would_not(
            changes in proptest::collection::vec((any::<Index>(), 0_usize..4, prop_oneof![
                4 => select(PIECES.to_vec()).prop_map(str::to_owned),
                1 => any::<String>(),
                2 => Just(String::new()),
            ]), 1..3),
        ) {
            let mut body: Vec<char> = WEBHOOK.chars().collect();
            for (index, removed, piece) in changes {
                let start = index.index(body.len());
                let end = (start + removed).min(body.len());
                body.splice(start..end, piece.chars());
            }
            let body: String = body.into_iter().collect();
            assert!(agrees_with_serde_json(&body), "{body}");
        }
    }
}
