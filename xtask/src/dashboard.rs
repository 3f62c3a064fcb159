//! `deploy/dashboards/onceway.json`: the dashboard for Grafana, made of the list of its panels.
//!
//! Every panel takes its data source from the dashboard's variable, and its jobs from two more: nothing in it is of one installation.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use self::panels::{Kind, Panel, Row, rows};

mod panels;

/// The version of Grafana's schema that is written: Grafana 11, and later versions read it.
const SCHEMA: u32 = 39;
/// Columns of Grafana's grid.
const COLUMNS: u32 = 24;
/// Height of a panel's row, and of a row of numbers, in units of the grid.
const HEIGHT: u32 = 8;
const NUMBER_HEIGHT: u32 = 4;

/// The dashboard, as text.
pub(crate) fn json() -> String {
    let mut panels = Vec::new();
    let (mut id, mut y) = (0_u32, 0_u32);
    for row in rows() {
        id += 1;
        panels.push(heading(id, y, row));
        y += 1;
        let (mut x, mut height) = (0, 0);
        for panel in row.panels {
            if x + panel.width > COLUMNS {
                (x, y) = (0, y + height);
            }
            height = if matches!(panel.kind, Kind::Number) { NUMBER_HEIGHT } else { HEIGHT };
            id += 1;
            panels.push(of(panel, id, &json!({ "x": x, "y": y, "w": panel.width, "h": height })));
            x += panel.width;
        }
        y += height;
    }
    format!("{:#}\n", sorted(whole(&panels)))
}

/// The same with the keys of every object sorted: whether a map of `serde_json` sorts them depends on other crates.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<String, Value> = fields.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

fn whole(panels: &[Value]) -> Value {
    json!({
        "uid": "onceway",
        "title": "Onceway",
        "description": "Signals in, RemediationRequests out. Runbooks: docs/operations of the repository.",
        "tags": ["onceway"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": true,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": { "from": "now-1h", "to": "now" },
        "timezone": "browser",
        "templating": { "list": [
            {
                "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
                "current": {}, "hide": 0, "refresh": 1, "options": [], "includeAll": false, "multi": false,
            },
            variable("job", "Sidecars", "label_values(gateway_build_info, job)"),
            variable("envoy_job", "Envoy", "label_values(envoy_cluster_membership_total{envoy_cluster_name=\"onceway\"}, job)"),
        ] },
        "annotations": { "list": [{
            "name": "Alerts", "enable": true, "iconColor": "red", "datasource": datasource(),
            "expr": "ALERTS{alertname=~\"Onceway.*\",alertstate=\"firing\",job=~\"$job|$envoy_job\"}",
            "titleFormat": "{{alertname}}", "step": "30s",
        }] },
        "links": [],
        "panels": panels,
    })
}

fn datasource() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

fn variable(name: &str, label: &str, query: &str) -> Value {
    json!({
        "name": name, "label": label, "type": "query", "datasource": datasource(),
        "query": { "query": query, "refId": name }, "definition": query,
        "current": {}, "hide": 0, "refresh": 2, "sort": 1, "options": [], "includeAll": false, "multi": false,
    })
}

fn heading(id: u32, y: u32, row: &Row) -> Value {
    json!({
        "id": id, "type": "row", "title": row.title, "collapsed": false, "panels": [],
        "gridPos": { "x": 0, "y": y, "w": COLUMNS, "h": 1 },
    })
}

fn of(panel: &Panel, id: u32, place: &Value) -> Value {
    let targets: Vec<Value> =
        panel.queries.iter().zip('A'..).map(|((query, legend), name)| target(panel, query, legend, name)).collect();
    json!({
        "id": id,
        "type": panel.kind.plugin(),
        "title": panel.title,
        "description": panel.what,
        "gridPos": place,
        "datasource": datasource(),
        "fieldConfig": { "defaults": defaults(panel), "overrides": [] },
        "options": options(panel.kind),
        "targets": targets,
        "transformations": transformations(panel.kind),
    })
}

/// A table is about now: no column for the time.
fn transformations(kind: Kind) -> Value {
    match kind {
        Kind::Table => json!([{ "id": "organize", "options": { "excludeByName": { "Time": true } } }]),
        _ => json!([]),
    }
}

fn target(panel: &Panel, query: &str, legend: &str, name: char) -> Value {
    let table = matches!(panel.kind, Kind::Table);
    let instant = table || matches!(panel.kind, Kind::Number);
    json!({
        "refId": name.to_string(), "datasource": datasource(), "expr": query, "legendFormat": legend,
        "editorMode": "code", "range": !instant, "instant": instant, "format": if table { "table" } else { "time_series" },
    })
}

fn defaults(panel: &Panel) -> Value {
    let mut defaults = json!({ "unit": panel.unit, "color": { "mode": "palette-classic" }, "min": 0 });
    match panel.kind {
        Kind::Lines | Kind::Stacked => {
            let stacked = matches!(panel.kind, Kind::Stacked);
            defaults["custom"] = json!({
                "drawStyle": "line", "lineWidth": 1, "fillOpacity": if stacked { 30 } else { 0 }, "showPoints": "never",
                "stacking": { "mode": if stacked { "normal" } else { "none" }, "group": "A" },
            });
        }
        Kind::Number => {
            let steps: Vec<Value> =
                panel.thresholds.iter().map(|(from, colour)| json!({ "value": from, "color": colour })).collect();
            defaults["color"] = json!({ "mode": "thresholds" });
            defaults["thresholds"] = json!({ "mode": "absolute", "steps": steps });
        }
        Kind::Table => {}
    }
    defaults
}

fn options(kind: Kind) -> Value {
    match kind {
        Kind::Lines | Kind::Stacked => json!({
            "legend": { "showLegend": true, "displayMode": "list", "placement": "bottom", "calcs": [] },
            "tooltip": { "mode": "multi", "sort": "desc" },
        }),
        Kind::Number => json!({
            "colorMode": "background", "graphMode": "none", "textMode": "value",
            "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
        }),
        Kind::Table => json!({ "showHeader": true, "cellHeight": "sm" }),
    }
}
