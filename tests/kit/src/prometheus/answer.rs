//! What Prometheus' HTTP API returns.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Context, Result};
use serde_json::Value;

/// A series and its value at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Its labels, the metric's name (`__name__`) included.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

/// A series and its values over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its labels, the metric's name (`__name__`) included.
    pub labels: BTreeMap<String, String>,
    /// Unix times in seconds, and the values then.
    pub points: Vec<(f64, f64)>,
}

/// The samples of an instant query. A scalar is one sample without labels.
pub(super) fn samples(data: &Value) -> Result<Vec<Sample>> {
    if data["resultType"] == "scalar" {
        return Ok(vec![Sample { labels: BTreeMap::new(), value: point(&data["result"])?.1 }]);
    }
    let result = data["result"].as_array().context("no result")?;
    result.iter().map(|one| Ok(Sample { labels: labels(one)?, value: point(&one["value"])?.1 })).collect()
}

/// The series of a range query.
pub(super) fn series(data: &Value) -> Result<Vec<Series>> {
    let result = data["result"].as_array().context("no result")?;
    result
        .iter()
        .map(|one| {
            let points = one["values"].as_array().context("no values")?;
            Ok(Series { labels: labels(one)?, points: points.iter().map(point).collect::<Result<_>>()? })
        })
        .collect()
}

/// The names of the metrics in a parsed query: its vector selectors are at any depth.
pub(super) fn metric_names(parsed: &Value) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = vec![parsed];
    while let Some(node) = rest.pop() {
        match node {
            Value::Object(fields) => {
                let selects =
                    matches!(fields.get("type").and_then(Value::as_str), Some("vectorSelector" | "matrixSelector"));
                if let Some(name) =
                    fields.get("name").and_then(Value::as_str).filter(|name| selects && !name.is_empty())
                {
                    names.push(name.to_owned());
                }
                rest.extend(fields.values());
            }
            Value::Array(items) => rest.extend(items),
            _ => {}
        }
    }
    names.sort();
    names.dedup();
    names
}

/// A query parameter's value.
pub(super) fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len() * 2), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

fn labels(one: &Value) -> Result<BTreeMap<String, String>> {
    serde_json::from_value(one["metric"].clone()).context("labels that are no text")
}

/// `[time, "value"]`; a value may be `NaN` or `+Inf`, which Rust reads as Prometheus writes them.
fn point(point: &Value) -> Result<(f64, f64)> {
    let time = point[0].as_f64().context("a point without a time")?;
    let value = point[1].as_str().context("a point without a value")?;
    Ok((time, value.parse().with_context(|| format!("no number: {value}"))?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{metric_names, percent_encoded, samples, series};

    #[test]
    fn values_are_read_with_their_labels() {
        let data = json!({"resultType": "vector", "result": [{"metric": {"a": "b"}, "value": [1.5, "NaN"]}]});
        let read = samples(&data).unwrap();
        assert_eq!((read[0].labels["a"].as_str(), read[0].value.is_nan()), ("b", true));
        assert_eq!(samples(&json!({"resultType": "scalar", "result": [1, "2.5"]})).unwrap()[0].value, 2.5);
        let data = json!({"resultType": "matrix", "result": [{"metric": {}, "values": [[1, "+Inf"], [2, "3"]]}]});
        assert_eq!(series(&data).unwrap()[0].points, [(1.0, f64::INFINITY), (2.0, 3.0)]);
    }

    #[test]
    fn metrics_are_found_at_any_depth_and_functions_are_none() {
        let parsed = json!({"type": "call", "func": {"name": "rate"}, "args": [
            {"type": "matrixSelector", "name": "b_total"}, {"type": "binaryExpr", "lhs": {"type": "vectorSelector", "name": "a"}},
        ]});
        assert_eq!(metric_names(&parsed), ["a", "b_total"]);
    }

    #[test]
    fn a_query_is_encoded_for_a_url() {
        assert_eq!(percent_encoded("a{b=\"c\"}"), "a%7Bb%3D%22c%22%7D");
    }
}
