//! Which of two severities is higher.

/// Severities from the highest to the lowest, case-insensitive; those of one row are equal. The words are those of common
/// Alertmanager rule sets, and the types of Kubernetes events. Any other word ranks between the last two rows: it says
/// something, but not how much.
const ROWS: [&[&str]; 5] = [
    &["critical", "page", "emergency"],
    &["error", "high"],
    &["warning", "medium"],
    &["info", "low", "normal"],
    &["none", "unknown", ""],
];
/// The rank of a severity in no row. The rows above it have lower ranks, the last row has a higher one.
const UNLISTED: usize = 2 * (ROWS.len() - 1) - 1;

/// Whether `severity` is higher than `other`; of equal ones neither is.
pub(super) fn is_higher(severity: &str, other: &str) -> bool {
    severity != other && rank(severity) < rank(other)
}

/// Even for a row: [`UNLISTED`] lies between two of them.
fn rank(severity: &str) -> usize {
    let is_in = |row: &&[&str]| row.iter().any(|word| word.eq_ignore_ascii_case(severity));
    ROWS.iter().position(is_in).map_or(UNLISTED, |row| 2 * row)
}

#[cfg(test)]
mod tests {
    use super::is_higher;

    #[test]
    fn severities_rank_by_the_table_and_words_outside_it_above_none() {
        let descending = ["critical", "error", "warning", "info", "P3", "none"];
        for (place, severity) in descending.iter().enumerate() {
            for (other_place, other) in descending.iter().enumerate() {
                assert_eq!(is_higher(severity, other), place < other_place, "{severity}, {other}");
            }
        }
    }

    #[test]
    fn equal_severities_are_not_higher_than_each_other_whatever_their_case() {
        for (one, other) in
            [("page", "emergency"), ("HIGH", "error"), ("Warning", "warning"), ("P1", "sev-2"), ("", "none")]
        {
            assert!(!is_higher(one, other) && !is_higher(other, one), "{one}, {other}");
        }
        assert!(is_higher("Warning", "Normal"), "types of events");
    }
}
