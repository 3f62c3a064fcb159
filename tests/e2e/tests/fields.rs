//! The RR of an alert and of an event, field by field: what kubernaut's gateway would write (facts in `fields/facts.json`,
//! from its source) and what the sidecar does write. The table in `docs/kubernaut.md` says for each field what this finds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result, ensure};
use jiff::{Timestamp, ToSpan};
use onceway_kit::cluster::deploy::{is_our_crd, repository};
use onceway_kit::rig::Rig;
use onceway_signal::Source;
use serde_json::{Value, json};

use crate::crd::stored;

const FACTS: &str = include_str!("fields/facts.json");
const PAGE: &str = "docs/kubernaut.md";
const HEADING: &str = "## RRs, field by field";
/// What kubernaut's CRD prunes of a count.
const PRUNED: [&str; 2] = ["status.deduplication.distinctSignals", "status.deduplication.signals"];
/// Fields whose parts are fields of their own; every other field is compared as a whole.
const OPENED: [&str; 7] = [
    "metadata",
    "metadata.labels",
    "metadata.annotations",
    "spec",
    "spec.targetResource",
    "status",
    "status.deduplication",
];

/// A field of an alert's RR, and of an event's: `equal`, `differs`, `theirs`, `ours`, or `-` where neither has it.
type Verdicts = BTreeMap<String, (String, String)>;

/// The fields of an RR by their paths.
fn fields(rr: &Value) -> BTreeMap<String, Value> {
    fn collect(path: &str, value: &Value, fields: &mut BTreeMap<String, Value>) {
        match value.as_object().filter(|_| path.is_empty() || OPENED.contains(&path)) {
            Some(parts) => parts.iter().for_each(|(name, part)| {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                collect(&path, part, fields);
            }),
            None => drop(fields.insert(path.to_owned(), value.clone())),
        }
    }
    let mut fields_of_rr = BTreeMap::new();
    collect("", rr, &mut fields_of_rr);
    fields_of_rr
}

/// The sidecar's RR in the facts' terms: without what the API server adds, and with the facts' names for what is different in
/// every RR.
fn in_terms_of_facts(rr: &Value, namespace: &str, signal: &Value) -> Result<Value> {
    let mut rr = rr.clone();
    let metadata = rr["metadata"].as_object_mut().context("no metadata")?;
    metadata.retain(|field, _| ["name", "namespace", "labels", "annotations"].contains(&field.as_str()));
    ensure!(metadata["namespace"] == namespace);
    metadata.insert("namespace".into(), json!("@namespace"));
    let fingerprint = rr["spec"]["signalFingerprint"].as_str().context("no fingerprint")?.to_owned();
    let name = rr["metadata"]["name"].as_str().context("no name")?;
    let second = name.strip_prefix(&format!("rr-{}-", &fingerprint[..12])).context("another name")?;
    ensure!(second.len() == 10 && second.bytes().all(|digit| digit.is_ascii_digit()), "{name}");
    rr["metadata"]["name"] = json!("rr-@digits-@second");
    for time in ["/spec/receivedTime", "/status/deduplication/firstSeenAt", "/status/deduplication/lastSeenAt"] {
        let time = rr.pointer_mut(time).context("no time")?;
        let text = time.as_str().context("no text")?;
        ensure!(text.parse::<Timestamp>().is_ok() && text.len() == "2026-03-01T10:00:00Z".len(), "{text}");
        *time = json!("@time");
    }
    // JSON in text: the order of its keys means nothing.
    for text in ["providerData", "originalPayload"] {
        rr["spec"][text] = serde_json::from_str(rr["spec"][text].as_str().context("no text")?)?;
    }
    if rr["spec"]["originalPayload"] == *signal {
        rr["spec"]["originalPayload"] = json!("@signal");
    }
    Ok(rr)
}

fn verdict(theirs: Option<&Value>, ours: Option<&Value>) -> &'static str {
    match (theirs, ours) {
        (None, None) => "-",
        (Some(_), None) => "theirs",
        (None, Some(_)) => "ours",
        (Some(theirs), Some(ours)) if theirs == ours => "equal",
        _ => "differs",
    }
}

/// Sends a signal of the facts, and compares the RR with that of the facts.
async fn compare(rig: &Rig, source: Source, facts: &Value) -> Result<BTreeMap<String, &'static str>> {
    let signal = &facts["signal"];
    let response = rig.client().signal(&rig.sidecar(0).url(), source, signal.to_string()).await?;
    ensure!(response.status == 201, "{}", response.text());
    let name = response.json()["remediationRequestName"].as_str().context("no name")?.to_owned();
    let rr = serde_json::to_value(stored(rig).get(&name).await?)?;
    let theirs = fields(&facts["rr"]);
    let ours = fields(&in_terms_of_facts(&rr, rig.namespace().name(), signal)?);
    let paths: BTreeSet<&String> = theirs.keys().chain(ours.keys()).filter(|path| path.contains('.')).collect();
    Ok(paths.into_iter().map(|path| (path.clone(), verdict(theirs.get(path), ours.get(path)))).collect())
}

/// What the sidecar's RRs are, compared with those of the facts.
async fn found() -> Result<Verdicts> {
    let rig = Rig::replicas(1).start().await?;
    let time = |minutes: i64| (Timestamp::now() - minutes.minutes()).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let facts: Value = serde_json::from_str(&FACTS.replace("@first", &time(3)).replace("@last", &time(1)))?;
    let alert = compare(&rig, Source::Prometheus, &facts["alert"]).await?;
    let event = compare(&rig, Source::KubernetesEvent, &facts["event"]).await?;
    let of =
        |verdicts: &BTreeMap<String, &'static str>, path: &String| (*verdicts.get(path).unwrap_or(&"-")).to_owned();
    let paths: BTreeSet<&String> = alert.keys().chain(event.keys()).collect();
    Ok(paths.into_iter().map(|path| (path.clone(), (of(&alert, path), of(&event, path)))).collect())
}

/// The table of the page: field, alerts, events, and why.
fn documented() -> Result<Verdicts> {
    let page = fs::read_to_string(repository().join(PAGE))?;
    let (_, section) = page.split_once(HEADING).context("no such heading")?;
    let section = section.split_once("\n## ").map_or(section, |(section, _)| section);
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [field, alerts, events, why, ""] = cells[..] else { anyhow::bail!("{row}") };
        let is_equal = [alerts, events].iter().all(|verdict| ["equal", "-"].contains(verdict));
        ensure!(is_equal || !why.is_empty(), "{field}: a difference without a reason");
        Ok((field.trim_end_matches('`').to_owned(), (alerts.to_owned(), events.to_owned())))
    })
    .collect()
}

#[tokio::test]
async fn the_page_says_of_each_field_of_an_rr_whether_it_is_as_kubernaut_writes_it() -> Result<()> {
    let found = found().await?;
    let mut documented = documented()?;
    if !is_our_crd()? {
        documented.retain(|field, _| !PRUNED.contains(&field.as_str()));
    }
    let rows = |verdicts: &Verdicts| {
        verdicts.iter().map(|(field, (alert, event))| format!("| `{field}` | {alert} | {event} |")).collect::<Vec<_>>()
    };
    let (found, documented) = (rows(&found), rows(&documented));
    ensure!(found == documented, "{PAGE} has\n{}\nand RRs have\n{}", documented.join("\n"), found.join("\n"));
    Ok(())
}
