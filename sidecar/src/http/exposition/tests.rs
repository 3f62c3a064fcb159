use std::fmt::Write;

use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
use proptest::sample::select;

use super::{Format, to_text};

fn accepted(header: &str) -> Format {
    Format::accepted([header].into_iter())
}

#[test]
fn plain_text_is_the_format_of_whoever_asks_for_nothing_else() {
    assert_eq!(Format::accepted(std::iter::empty()), Format::Text);
    for header in [
        "",
        "*/*",
        "text/plain",
        "text/html, */*;q=0.8",
        "application/openmetrics-text;version=0.0.1",
        "application/openmetrics-text;q=0, text/plain;q=0.1",
        "application/openmetrics-text;q=no",
        "application/openmetrics-text; version=1.0.0; q=0.4, text/plain;version=0.0.4;q=0.5",
        ";;;,,,=,;q",
    ] {
        assert_eq!(accepted(header), Format::Text, "{header}");
    }
    let many = format!("{}application/openmetrics-text", "text/html,".repeat(100));
    assert_eq!(accepted(&many), Format::Text, "only so much of a header is read");
}

#[test]
fn open_metrics_is_the_format_of_whoever_prefers_it() {
    for header in [
        "application/openmetrics-text",
        "APPLICATION/OpenMetrics-Text; Version=9",
        "application/openmetrics-text; version=1.0.0; q=0.2",
        // As Prometheus 2 and 3 ask.
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
    ] {
        assert_eq!(accepted(header), Format::OpenMetrics, "{header}");
    }
    let two = ["text/plain;q=0.5", "application/openmetrics-text;q=0.5"];
    assert_eq!(Format::accepted(two.into_iter()), Format::OpenMetrics, "of two headers");
}

#[test]
fn each_type_of_open_metrics_has_its_like_in_plain_text() {
    let open_metrics = concat!(
        "# HELP a Counts \\\"a\\\" and \\\\b.\n# TYPE a counter\n# UNIT a seconds\n",
        "a_total{x=\"# {y=\\\"z\\\"} 1\"} 7 # {trace=\"1\"} 1.0 2\na_created{x=\"\"} 1700000000\n",
        "# TYPE b gauge\nb 1.5\nb_created_lately 1\n",
        "# HELP c Sizes.\n# TYPE c histogram\nc_bucket{le=\"+Inf\"} 1 # {} 0.5\nc_sum 0.5\nc_count 1\nc_created 1\n",
        "# HELP d Build.\n# TYPE d info\nd_info{v=\"1\"} 1\n",
        "# TYPE e stateset\ne{e=\"on\"} 1\n# TYPE f unknown\nf 3\n# EOF\n",
    );
    let text = concat!(
        "# HELP a_total Counts \"a\" and \\\\b.\n# TYPE a_total counter\n",
        "a_total{x=\"# {y=\\\"z\\\"} 1\"} 7\n",
        "# TYPE b gauge\nb 1.5\nb_created_lately 1\n",
        "# HELP c Sizes.\n# TYPE c histogram\nc_bucket{le=\"+Inf\"} 1\nc_sum 0.5\nc_count 1\n",
        "# HELP d_info Build.\n# TYPE d_info gauge\nd_info{v=\"1\"} 1\n",
        "# TYPE e gauge\ne{e=\"on\"} 1\n# TYPE f untyped\nf 3\n",
    );
    assert_eq!(to_text(open_metrics), text);
}

/// A family and its samples, as OpenMetrics text.
fn family() -> impl Strategy<Value = String> {
    let value =
        any::<String>().prop_map(|value| value.replace('\\', "\\\\").replace('"', "\\\"").replace(['\n', '\r'], "\\n"));
    let label = value.prop_filter("no other line ends", |value| value.lines().count() <= 1);
    let kind = select(vec![
        ("counter", "_total"),
        ("gauge", ""),
        ("histogram", "_bucket"),
        ("info", "_info"),
        ("unknown", ""),
    ]);
    ("[a-z]{1,9}", kind, proptest::collection::vec((label, any::<u32>()), 0..4)).prop_map(
        |(name, (kind, suffix), samples)| {
            let mut text = format!("# HELP {name} Of {name}.\n# TYPE {name} {kind}\n");
            for (label, value) in samples {
                let _ = writeln!(text, "{name}{suffix}{{a=\"{label}\"}} {value}");
            }
            text
        },
    )
}

fn samples(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with("# ")).collect()
}

proptest! {
    #[test]
    fn samples_are_the_same_in_both_formats(families in proptest::collection::vec(family(), 0..5)) {
        let open_metrics = families.concat() + "# EOF\n";
        let text = to_text(&open_metrics);
        prop_assert_eq!(samples(&text), samples(&open_metrics));
        prop_assert!(!text.contains("# EOF"));
        let described = |text: &str| text.lines().filter(|line| line.starts_with("# TYPE ")).count();
        prop_assert_eq!(described(&text), families.len());
        for line in text.lines().filter(|line| line.starts_with("# TYPE ") && line.ends_with(" counter")) {
            prop_assert!(line.contains("_total "), "{}", line);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        to_text(&text);
        accepted(&text);
    }
}
