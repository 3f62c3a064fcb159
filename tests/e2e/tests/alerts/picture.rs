//! The dashboard as an SVG picture, drawn from the data of a run: for the documentation, since Grafana itself is no part of the tests.

use std::fmt::Write;

use onceway_kit::prometheus::Series;
use serde_json::Value;

use super::dashboard::{Filled, POINTS};

/// Pixels of a column and of a row of the grid.
const CELL: (f64, f64) = (48.0, 19.0);
/// Room between panels, and within one: left for values, above for the title, below for the legend.
const GAP: f64 = 3.0;
const LEFT: f64 = 46.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = 20.0;
/// The colour-blind-safe palette of Okabe and Ito.
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555"];
/// Lines of a table, and names of a legend, that there is room for.
const LINES: usize = 6;
const NAMES: usize = 4;
/// How far apart two points of a line may be, as a share of the whole time: less than two steps of the queries.
const LONGEST_STEP: f64 = 1.5 / POINTS;

/// Where a panel is, in pixels.
#[derive(Clone, Copy)]
struct Place {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

/// The picture of all panels from `start` to `end`.
pub(super) fn draw(panels: &[Filled], start: f64, end: f64) -> String {
    let places: Vec<Place> = panels.iter().map(|filled| place(&filled.panel)).collect();
    let width = places.iter().map(|place| place.x + place.width).fold(0.0, f64::max) + GAP;
    let height = places.iter().map(|place| place.y + place.height).fold(0.0, f64::max) + GAP;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"sans-serif\" font-size=\"10\">\n\
         <title>Onceway's dashboard</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#f4f5f5\"/>\n"
    );
    for (filled, place) in panels.iter().zip(places) {
        panel(&mut svg, filled, place, (start, end));
    }
    svg + "</svg>\n"
}

fn place(panel: &Value) -> Place {
    let at = |key: &str| panel["gridPos"][key].as_f64().unwrap_or_default();
    Place {
        x: at("x") * CELL.0 + GAP,
        y: at("y") * CELL.1 + GAP,
        width: at("w") * CELL.0 - GAP,
        height: at("h") * CELL.1 - GAP,
    }
}

fn panel(svg: &mut String, filled: &Filled, place: Place, time: (f64, f64)) {
    let Place { x, y, width, height } = place;
    let title = escaped(filled.panel["title"].as_str().unwrap_or_default());
    if filled.panel["type"] == "row" {
        let _ = writeln!(
            svg,
            "<text x=\"{x:.0}\" y=\"{:.0}\" font-size=\"13\" font-weight=\"bold\">{title}</text>",
            y + 13.0
        );
        return;
    }
    let _ = writeln!(
        svg,
        "<rect x=\"{x:.0}\" y=\"{y:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" fill=\"#fff\" stroke=\"#ddd\"/>\
         <text x=\"{:.0}\" y=\"{:.0}\" font-size=\"11\" font-weight=\"bold\">{title}</text>",
        x + 6.0,
        y + 14.0
    );
    let unit = filled.panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap_or_default();
    match filled.panel["type"].as_str() {
        Some("stat") => number(svg, filled, place, unit),
        Some("table") => table(svg, filled, place),
        _ => lines(svg, filled, place, unit, time),
    }
}

/// The last value.
fn number(svg: &mut String, filled: &Filled, place: Place, unit: &str) {
    let last = filled.series.first().and_then(|(_, series)| last(series));
    let text = last.map_or_else(|| "-".to_owned(), |value| quantity(value, unit));
    let (x, y) = (place.x + place.width / 2.0, place.y + place.height - 14.0);
    let _ = writeln!(
        svg,
        "<text x=\"{x:.0}\" y=\"{y:.0}\" font-size=\"26\" text-anchor=\"middle\">{}</text>",
        escaped(&text)
    );
}

/// The labels and last values of the first series.
fn table(svg: &mut String, filled: &Filled, place: Place) {
    for (line, (_, series)) in filled.series.iter().take(LINES).enumerate() {
        let labels: Vec<&str> = series.labels.values().map(String::as_str).collect();
        let value = last(series).map_or_else(String::new, |value| quantity(value, "short"));
        let y = place.y + TOP + 14.0 + line as f64 * 16.0;
        let _ = writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{y:.0}\">{}</text><text x=\"{:.0}\" y=\"{y:.0}\" text-anchor=\"end\">{value}</text>",
            place.x + 8.0,
            escaped(&labels.join("  ")),
            place.x + place.width - 8.0
        );
    }
}

fn lines(svg: &mut String, filled: &Filled, place: Place, unit: &str, (start, end): (f64, f64)) {
    let finite = filled.series.iter().flat_map(|(_, series)| &series.points).map(|(_, value)| *value);
    let top = finite.filter(|value| value.is_finite()).fold(0.0, f64::max);
    let scale = if top > 0.0 { top } else { 1.0 };
    let (width, height) = (place.width - LEFT - 8.0, place.height - TOP - BOTTOM);
    let (left, floor) = (place.x + LEFT, place.y + TOP + height);
    for (value, y) in [(0.0, floor), (scale / 2.0, floor - height / 2.0), (scale, floor - height)] {
        let _ = writeln!(
            svg,
            "<path d=\"M{left:.0} {y:.1}h{width:.0}\" stroke=\"#e5e5e5\"/>\
             <text x=\"{:.0}\" y=\"{:.1}\" fill=\"#555\" font-size=\"9\" text-anchor=\"end\">{}</text>",
            left - 4.0,
            y + 3.0,
            quantity(value, unit)
        );
    }
    for ((_, series), colour) in filled.series.iter().zip(COLOURS.iter().cycle()) {
        let mut path = String::new();
        let mut drawn = f64::NEG_INFINITY;
        for (time, value) in series.points.iter().filter(|(_, value)| value.is_finite()) {
            // A line is not drawn across times without a value.
            let pen = if time - drawn > LONGEST_STEP * (end - start) { 'M' } else { 'L' };
            drawn = *time;
            let x = left + (time - start) / (end - start) * width;
            let _ = write!(path, "{pen}{x:.0} {:.1}", floor - value.max(0.0) / scale * height);
        }
        let _ = writeln!(svg, "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.3\"/>");
    }
    legend(svg, filled, place);
}

fn legend(svg: &mut String, filled: &Filled, place: Place) {
    let y = place.y + place.height - 6.0;
    let _ = write!(svg, "<text x=\"{:.0}\" y=\"{y:.0}\" font-size=\"9\">", place.x + 8.0);
    for ((name, _), colour) in filled.series.iter().take(NAMES).zip(COLOURS.iter().cycle()) {
        let _ = write!(svg, "<tspan fill=\"{colour}\">■</tspan> {}  ", escaped(name));
    }
    let more = filled.series.len().saturating_sub(NAMES);
    if more > 0 {
        let _ = write!(svg, "and {more} more");
    }
    svg.push_str("</text>\n");
}

fn last(series: &Series) -> Option<f64> {
    series.points.iter().rev().map(|(_, value)| *value).find(|value| value.is_finite())
}

/// A value with its unit, short enough for an axis.
fn quantity(value: f64, unit: &str) -> String {
    let (value, suffix) = match unit {
        "percentunit" => (value * 100.0, " %"),
        "bytes" => (value / 1_048_576.0, " MiB"),
        "s" if value < 1.0 => (value * 1000.0, " ms"),
        "s" => (value, " s"),
        "cps" | "reqps" => (value, "/s"),
        _ => (value, ""),
    };
    let places = if value.fract() == 0.0 || value >= 10.0 { 0 } else { 1 };
    format!("{value:.places$}{suffix}")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
