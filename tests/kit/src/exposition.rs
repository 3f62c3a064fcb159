//! Reads metrics in Prometheus' text format, as far as tests need.

/// One scrape.
#[derive(Clone, Debug)]
pub struct Scrape(String);

impl Scrape {
    /// A scrape with this text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The sum of all samples of `name` whose labels include all of `labels`; 0 if there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.samples(name)
            .filter(|(set, _)| labels.iter().all(|(key, value)| has_label(set, key, value)))
            .map(|s| s.1)
            .sum()
    }

    /// Whether there is any sample of `name`.
    pub fn has(&self, name: &str) -> bool {
        self.samples(name).next().is_some()
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The label set, as text, and value of each sample of `name`.
    fn samples(&self, name: &str) -> impl Iterator<Item = (&str, f64)> {
        self.0.lines().filter_map(move |line| {
            let rest = line.strip_prefix(name)?;
            let (labels, value) = match rest.strip_prefix('{') {
                // A label's value may contain a brace; the value, and perhaps a timestamp, follows the last one.
                Some(rest) => rest.rsplit_once('}')?,
                None => ("", rest.strip_prefix(' ')?),
            };
            Some((labels, value.split_whitespace().next()?.parse().ok()?))
        })
    }
}

fn has_label(set: &str, key: &str, value: &str) -> bool {
    let pair = format!("{key}=\"{value}\"");
    set.match_indices(&pair).any(|(at, _)| at == 0 || set[..at].ends_with(','))
}

#[cfg(test)]
mod tests {
    use super::Scrape;

    #[test]
    fn samples_are_summed_by_name_and_labels() {
        let text = "# TYPE a counter\na_total{verb=\"get\",resource=\"x\"} 2\na_total{verb=\"put\",resource=\"x\"} 3 17\n\
                    a_total_more 5\nb 1.5\nc{reverb=\"get\"} 7\n";
        let scrape = Scrape::new(text.to_owned());
        assert_eq!(scrape.sum("a_total", &[]), 5.0);
        assert_eq!(scrape.sum("a_total", &[("verb", "get")]), 2.0);
        assert_eq!(scrape.sum("b", &[]), 1.5);
        assert_eq!(scrape.sum("c", &[("verb", "get")]), 0.0);
        assert!(!scrape.has("a"));
    }
}
